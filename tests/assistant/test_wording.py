"""The notation of the word files, and that no stranger's text can make a pattern of it slow."""

from __future__ import annotations

from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.assistant.asked import Asked
from appliance.assistant.smalltalk import Smalltalk
from appliance.knowledge.glossary import Glossary
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import fold

PARTS = [
    "how much",
    " - ",
    "-",
    "'",
    "mon",
    "周一",
    "至",
    "吃",
    "दवा",
    "ि",
    "़",
    "ँ",
    "\u0301",
    ".",
    " ",
    "\n",
    "a",
    "ñ",
    "¿",
    "।",
    "7",
]
LONG = [
    "how much " + "-" * 20_000,
    "how much " + "'-" * 10_000,
    "how much " + "a-" * 10_000,
    "how much " + "a " * 10_000,
    "how much" + " " * 20_000,
    "can i take " + "ि- " * 6_000,
    "कितनी " + "दवा-" * 5_000,
    "puedo tomar " * 1_800,
    "mon - " * 3_500,
    "我的" * 10_000,
    "药" * 20_000,
    "ि" * 20_000,
    "a" * 20_000,
]


def found(phrase: str, text: str) -> bool:
    return pattern([phrase]).search(fold(text)) is not None


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("open", "OPEN?"),
        ("open*", "opening"),
        ("sábado", "sabado"),
        ("sabado", "Sábado."),
        ("flu shot", "a flu   shot"),
        ("how much .. aspirin", "how much aspirin"),
        ("how much .. aspirin", "how much of that well-known aspirin"),
        ("how much .. aspirin", "how much, of the very best, aspirin"),
        ("result* mean", "what do the results mean"),
        ("(my|her) dose", "her dose"),
        ("do i (really |)have", "do i have"),
        ("do i (really |)have", "do I really have"),
        ("药", "吃药吗"),
        ("我的..结果", "我的化验结果"),
        ("吃(几|多少)片", "吃多少片"),
        ("फ़ीस", "फीस"),
        ("फीस", "फ़ीस।"),
        ("कहां", "कहाँ?"),
        ("¿tengo cita", "¿Tengo cita?"),
        ("ＷＩＣ", "wic"),
    ],
)
def test_a_phrase_finds_the_words_that_a_reader_would_find(phrase: str, text: str):
    assert found(phrase, text)


@pytest.mark.parametrize(
    ("phrase", "text"),
    [
        ("open", "opening"),
        ("open", "reopen"),
        ("open*", "reopening"),
        ("how much .. aspirin", "how much one two three four five six aspirin"),
        ("how much .. aspirin", "how much aspirinas"),
        ("दवा", "दवाई"),
        ("बंद", "बंदर"),
        ("我的..结果", "我的一二三四五六七八九结果"),
        ("¿tengo cita", "no tengo cita"),
        ("(my|her) dose", "his dose"),
    ],
)
def test_a_phrase_does_not_find_other_words(phrase: str, text: str):
    assert not found(phrase, text)


@pytest.mark.parametrize("phrases", [[], [""], [" "], ["*"], [".."], ["()"]])
def test_phrases_without_a_letter_find_nothing(phrases: list[str]):
    assert pattern(phrases).search("anything 药 दवा") is None


def test_the_longer_phrase_is_found_first():
    match = pattern(["how are you", "how are you doing"]).search("how are you doing")
    assert match and match[0] == "how are you doing"


@given(st.lists(st.text(st.sampled_from("ab药दि* .-"), max_size=12), max_size=4), st.text(max_size=80))
@settings(deadline=None)
def test_any_phrases_without_choices_compile_and_search(phrases: list[str], text: str):
    pattern(phrases).search(fold(text))


@pytest.fixture(scope="module")
def tables() -> tuple[Smalltalk, Asked, Glossary]:
    return Smalltalk.load(), Asked.load(), Glossary.load()


@pytest.mark.parametrize("text", LONG, ids=lambda text: f"{text[:12]!r}…")
def test_no_message_of_twenty_thousand_characters_takes_longer_than_others(
    tables: tuple[Smalltalk, Asked, Glossary], text: str
):
    """Catastrophic backtracking takes minutes and more; one reading of all tables takes a good second at most."""
    smalltalk, asked, glossary = tables
    before = process_time()
    smalltalk.topic(text)
    asked.kinds(text)
    asked.days(text)
    glossary.carried(text, "en")
    assert process_time() - before < 10


@given(st.lists(st.sampled_from(PARTS), max_size=300).map("".join))
@settings(deadline=None, max_examples=30)
def test_no_mixture_of_scripts_and_marks_breaks_or_slows_the_tables(
    tables: tuple[Smalltalk, Asked, Glossary], text: str
):
    smalltalk, asked, glossary = tables
    before = process_time()
    smalltalk.topic(text)
    asked.kinds(text)
    asked.days(text)
    glossary.carried(text, "zh")
    assert process_time() - before < 5
