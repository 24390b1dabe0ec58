"""What kind of fact and which days a question asks for, and whether a sentence holds such a fact."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.assistant.asked import WEEK, Asked

EXAMPLES = tomllib.loads((Path(__file__).parent / "asked.toml").read_text("utf-8"))
ASKED = Asked.load()


@pytest.mark.parametrize("kinds", EXAMPLES["questions"])
def test_a_question_asks_for_the_kinds_that_its_words_tell(kinds: str):
    wanted = frozenset(kinds.split("+")) - {""}
    found = {text: ASKED.kinds(text) for text in EXAMPLES["questions"][kinds]}
    assert {text: sorted(got) for text, got in found.items() if got != wanted} == {}


@pytest.mark.parametrize("kind", EXAMPLES["not"])
def test_words_that_only_look_like_a_kind_are_none(kind: str):
    assert [text for text in EXAMPLES["not"][kind] if kind in ASKED.kinds(text)] == []


@pytest.mark.parametrize("days", EXAMPLES["days"])
def test_a_text_names_these_days_with_ranges_filled_in(days: str):
    found = {text: " ".join(day for day in WEEK if day in ASKED.days(text)) for text in EXAMPLES["days"][days]}
    assert {text: got for text, got in found.items() if got != days} == {}


@pytest.mark.parametrize("kind", EXAMPLES["held"])
def test_a_sentence_that_holds_such_a_fact_is_seen(kind: str):
    assert [text for text in EXAMPLES["held"][kind] if not ASKED.holds(kind, text)] == []


@pytest.mark.parametrize("kind", EXAMPLES["not_held"])
def test_a_sentence_without_such_a_fact_is_not_taken_for_one(kind: str):
    assert [text for text in EXAMPLES["not_held"][kind] if ASKED.holds(kind, text)] == []


@given(st.text(max_size=200))
@settings(deadline=None)
def test_no_text_breaks_the_tables(text: str):
    assert ASKED.days(text) <= set(WEEK)
    assert ASKED.kinds(text) <= {"phone", "price", "duration", "time", "place", "whether", "bring", "who"}
