"""The page's words: every language says everything that English says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

UI = Path(__file__).parents[2] / "ui"
FILES = ("", "staff-")
"""The words of every page, and those of the staff page alone."""
ENGLISH = {
    key: entry
    for page in FILES
    for key, entry in json.loads((UI / "words" / f"{page}en.json").read_text("utf-8")).items()
}


def words(language: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for page in FILES:
        found |= json.loads((UI / "words" / f"{page}{language}.json").read_text("utf-8"))
    return found


@pytest.mark.parametrize("language", ["es", "zh", "hi"])
def test_every_language_says_everything_and_nothing_more(language: str) -> None:
    assert list(words(language)) == list(ENGLISH)


@pytest.mark.parametrize("language", ["es", "zh", "hi"])
def test_what_is_filled_in_is_filled_in_in_every_language(language: str) -> None:
    for key, text in words(language).items():
        assert text.strip(), key
        assert sorted(names(text)) == sorted(names(ENGLISH[key]["text"])), key


def test_every_english_word_tells_the_translator_where_it_stands() -> None:
    for key, entry in ENGLISH.items():
        assert set(entry) == {"text", "context"}, key
        assert entry["text"].strip(), key
        assert entry["context"].endswith("."), key
        assert all("{" + name + "}" in entry["context"] for name in names(entry["text"]) - {"days"}), key


def test_every_word_is_used_and_every_used_word_exists() -> None:
    source = "\n".join(file.read_text("utf-8") for file in [*UI.glob("*.js"), *UI.glob("*.html")])
    typed = (UI / "api.js").read_text("utf-8").partition("@typedef {")[2].partition("} Kind")[0]
    kinds = {f"kind_{kind}" for kind in re.findall(r'"(\w+)"', typed)}
    quoted = set(re.findall(r'"([a-z]+(?:_[a-z]+)*)"', source))
    assert set(ENGLISH) - quoted - kinds == set()
    asked = set(re.findall(r'data-word="(\w+)"', source)) | set(re.findall(r'\bword: "(\w+)"', source))
    assert (asked | kinds) - set(ENGLISH) == set()


def test_nobody_is_blamed_and_nothing_is_magic() -> None:
    for language in ("es", "zh", "hi"):
        assert not re.search(r"\bIA\b|mágic|魔|जादू", " ".join(words(language).values()))
    assert not re.search(
        r"\boops\b|\bAI\b|magic|invalid|\berror\b", " ".join(entry["text"] for entry in ENGLISH.values()), re.IGNORECASE
    )


def names(text: str) -> set[str]:
    return set(re.findall(r"\{(\w+)\}", text))
