"""Texts made wrong as speech recognition would make them."""

from __future__ import annotations

from pathlib import Path

import pytest

from appliance.evaluation.misheard import misheard
from appliance.evaluation.safety import SafetyText, texts
from appliance.message import LANGUAGES, Language

JUDGING = Path(__file__).parents[1] / "triage"


def text(words: str, language: Language = "en", number: int = 1) -> SafetyText:
    return SafetyText(id=str(number), lang=language, text=words, label="non")


def test_without_errors_only_capitals_and_marks_are_lost() -> None:
    heard = misheard([text("I can't stand up. HELP, please!"), text("我爸，他叫不醒。", "zh", 2)], errors=0)
    assert [one.text for one in heard] == ["i can't stand up help please", "我爸他叫不醒"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_about_the_wanted_share_of_words_is_wrong_and_all_else_stays(language: str) -> None:
    given = texts(JUDGING / f"judging_{language}.csv")[:80]
    plain, heard = misheard(given, errors=0), misheard(given, errors=0.1)
    assert [(one.id, one.lang, one.label, one.kind) for one in heard] == [
        (one.id, one.lang, one.label, one.kind) for one in given
    ]
    changed = sum(one.text != other.text for one, other in zip(plain, heard, strict=True))
    assert 0.5 * len(given) < changed < len(given)
    letters = sum(len(one.text) for one in plain)
    assert 0.9 * letters < sum(len(one.text) for one in heard) < 1.1 * letters


def test_the_same_seed_gives_the_same_texts_and_no_text_is_emptied() -> None:
    given = [text(words, number=at) for at, words in enumerate(("help", "my chest", "he fell"))]
    assert misheard(given, errors=0.5, seed=3) == misheard(given, errors=0.5, seed=3)
    assert all(one.text for one in misheard(given, errors=0.5, seed=3))
