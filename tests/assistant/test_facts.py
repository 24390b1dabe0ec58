"""Which facts a text states, in four languages, and exactly where."""

from __future__ import annotations

import tomllib
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.assistant.facts import facts

EXAMPLES = tomllib.loads((Path(__file__).parent / "facts.toml").read_text("utf-8"))
TEXTS = [(text, wanted) for table in EXAMPLES.values() for text, wanted in table.items()]
PIECES = [
    "5",
    ":30",
    " p.m.",
    "点",
    "半",
    "下午",
    "शाम ",
    "बजे",
    " to ",
    "$",
    "周一",
    "至",
    "Mon",
    "-",
    "twenty",
    " ",
    "\n",
]
PIECES += ["e\u0301", "ﬁ", "२५", "(541) 555-0100", "½", "सौ ", "一", "月", "日", "/2026"]


def stated(text: str) -> list[str]:
    found = sorted(facts(text), key=lambda fact: (fact.span.start, fact.span.end, fact.value))
    return [f"{fact.kind} {fact.value} = {text[fact.span.start : fact.span.end]}" for fact in found]


@pytest.mark.parametrize(("text", "wanted"), TEXTS, ids=[text for text, _ in TEXTS])
def test_a_text_states_these_facts_and_no_others(text: str, wanted: list[str]):
    assert sorted(stated(text)) == sorted(wanted)


@pytest.mark.parametrize(("text", "wanted"), TEXTS, ids=[text for text, _ in TEXTS])
def test_accents_written_apart_change_no_fact_and_no_span(text: str, wanted: list[str]):
    apart = unicodedata.normalize("NFD", text)
    assert sorted(stated(apart)) == sorted(unicodedata.normalize("NFD", one) for one in wanted)


def test_the_language_decides_which_number_is_the_month():
    assert [{fact.value for fact in facts("7/4/2026", code)} for code in ("en", "es")] == [
        {"2026-07-04"},
        {"2026-04-07"},
    ]
    assert {fact.value for fact in facts("13/4/2026", "en")} == {"2026-04-13"}


@given(st.text(max_size=80) | st.lists(st.sampled_from(PIECES), max_size=20).map("".join))
@settings(deadline=None, max_examples=200)
def test_no_text_breaks_the_tables_and_every_span_holds_its_fact(text: str):
    for fact in facts(text):
        assert 0 <= fact.span.start < fact.span.end <= len(text)
        assert fact.value and not text[fact.span.start : fact.span.end].isspace()


@pytest.mark.parametrize("unit", ["1", "a", "一", "twenty ", "1-", "5 to ", "सौ ", " ", "$", "(541", "1 a "])
def test_a_text_of_one_piece_ten_thousand_times_is_read_at_once(unit: str):
    """Linear, not quadratic: a slow pattern would hang here and be seen by the suite's watch."""
    assert len(facts(unit * (20_000 // len(unit)))) <= 20_000
