"""What callers hear: the words, the keys, and what of an answer was heard."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.assistant.language import Phrases
from appliance.channels.phone.menu import pressed
from appliance.channels.phone.wording import Wording, as_heard, spoken
from appliance.config import Config, Phone
from appliance.message import LANGUAGES, Call, Citation, DocumentId, Language, Notice, Opening, Part, Span, Text

OPENING = Opening(kind="quoted", language="en")


def wording(**phone: object) -> Wording:
    return Wording(Config(phone=Phone(**phone)), Phrases.load())  # type: ignore[arg-type]  # the tests' own settings


def citation(number: int = 1) -> Citation:
    span = Span(start=0, end=1)
    return Citation(number=number, document=DocumentId("d"), revision=1, title="t", language="en", span=span, quote="q")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_caller_is_told_that_no_person_speaks_and_whom_to_call_in_an_emergency(language: Language) -> None:
    words = wording().disclosure(language)
    assert "911" in wording().say("in_an_emergency", language)
    assert {"en": "not a person", "es": "no con una persona", "zh": "不是真人", "hi": "नहीं"}[language] in words


@pytest.mark.parametrize("language", LANGUAGES)
def test_recording_is_spoken_of_only_where_there_is_any(language: Language) -> None:
    assert "5" not in wording().disclosure(language)
    assert "5" in wording(recording="ask").disclosure(language)
    assert "5" in wording(recording="announce").disclosure(language)


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_made_into_sound_beforehand_is_complete_and_has_no_gaps(language: Language) -> None:
    fixed = list(wording(recording="announce").fixed(language))
    assert not [words for words in fixed if re.search(r"[{}]", words)]
    assert wording(recording="announce").disclosure(language) in fixed
    assert wording().say("to_staff_now", language) in fixed
    assert wording().emergency(language) in fixed
    assert len(fixed) > 30


def test_each_language_says_its_own_key() -> None:
    assert [(code, re.findall(r"\d", words)) for code, words in wording().choices()] == [
        ("en", ["1"]),
        ("es", ["2"]),
        ("zh", ["3"]),
        ("hi", ["4"]),
    ]


@pytest.mark.parametrize("language", LANGUAGES)
def test_i_dont_know_is_said_without_a_number_to_call(language: Language) -> None:
    phrases = Phrases.load()
    for tail in ("reach_us", "reach_us_plain"):
        told = f"{phrases.say('unknown', language)} {phrases.say(tail, language)}"
        words = wording().without_contact(told, language)
        assert phrases.say(tail, language) not in words
        assert words.startswith(phrases.say("unknown", language)) and "0" in words


def test_buttons_sources_and_places_in_a_queue_are_not_spoken() -> None:
    silent = (OPENING, citation(), Call(label="Call us", number="1"), Notice(code="place", text="You are number 3."))
    assert [spoken(part) for part in silent] == ["", "", "", ""]
    assert "911" in spoken(Notice(code="emergency", text="Call 911."))


def test_what_was_not_heard_is_cut_with_its_source() -> None:
    parts: list[Part] = [OPENING, Text(text="One two."), citation(1), Text(text=" Three four."), citation(2)]
    assert as_heard(parts, "One two. Three") == [*parts[:3], Text(text=" Three")]
    assert as_heard(parts, "One two. Three four.") == parts
    assert as_heard(parts, "") == [OPENING]


@given(
    pieces=st.lists(st.text(alphabet="ab 你, \n", min_size=1, max_size=6), max_size=8),
    share=st.floats(min_value=0, max_value=1),
)
def test_what_is_kept_is_what_was_heard(pieces: list[str], share: float) -> None:
    parts: list[Part] = [OPENING, *(Text(text=piece) for piece in pieces)]
    whole = "".join(pieces)
    heard = whole[: int(len(whole) * share)]
    kept = as_heard(parts, heard)
    said = "".join(part.text for part in kept if isinstance(part, Text))
    assert "".join(said.split()) == "".join(heard.split()) and whole.startswith(said)


@pytest.mark.parametrize(
    ("key", "by_keys", "act", "language"),
    [
        ("0", False, "people", None),
        ("0", True, "people", None),
        ("*", True, "repeat", None),
        ("5", False, "recording", None),
        ("2", False, "language", "es"),
        ("2", True, "address", None),
        ("4", True, "callback", None),
        ("9", False, "none", None),
        ("#", True, "none", None),
    ],
)
def test_a_key_means_one_thing(key: str, by_keys: bool, act: str, language: Language | None) -> None:
    meant = pressed(key, languages=LANGUAGES, by_keys=by_keys)
    assert (meant.act, meant.language) == (act, language)
