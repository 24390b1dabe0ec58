"""Which language a message is in: short ones, mixed ones, Hindi in Latin letters, and those that do not tell."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.languages import detect, scripts
from appliance.message import LANGUAGES, Language

HERE = Path(__file__).parent


def rows(name: str) -> list[tuple[str, str]]:
    with (HERE / name).open(encoding="utf-8", newline="") as file:
        return [(row["lang"], row["text"]) for row in csv.DictReader(file)]


@pytest.mark.parametrize(("language", "text"), rows("messages.csv"))
def test_a_short_message_is_known_by_its_words(language: str, text: str) -> None:
    assert detect(text) == language


def test_messages_that_the_tables_were_not_made_from_are_nearly_all_known() -> None:
    known = [detect(text) == language for language, text in rows("messages_apart.csv")]
    assert sum(known) / len(known) >= 0.95


@pytest.mark.parametrize("hint", LANGUAGES)
def test_a_wrong_hint_does_not_overrule_words_that_tell(hint: Language) -> None:
    known = [detect(text, hint=hint) == language for language, text in rows("messages.csv")]
    assert sum(known) / len(known) >= 0.97


@pytest.mark.parametrize("text", ["ok", "OK", "", "   ", "no", "541-555-0120", "8:30", "👍", "???", "Dr. Patel", "PCR"])
@pytest.mark.parametrize("hint", LANGUAGES)
def test_what_tells_nothing_follows_the_hint(text: str, hint: Language) -> None:
    assert detect(text, hint=hint) == hint


def test_what_tells_nothing_is_english_without_a_hint() -> None:
    assert detect("ok") == "en"
    assert detect("555-0100") == "en"


def test_letters_are_counted_by_script() -> None:
    assert scripts("CT 多少钱 कब?") == {"han": 3, "latin": 2, "devanagari": 2}


@given(st.text(max_size=300))
def test_any_text_has_a_language(text: str) -> None:
    assert detect(text) in LANGUAGES
