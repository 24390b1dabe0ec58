"""Folding: the same word is the same string, however it was typed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.knowledge.words import content_words, fold, fts_words

TEXTS = st.text(st.characters(codec="utf-8"), max_size=60) | st.text(
    st.sampled_from("aeéñüŚß ँंक़कखगडढ़ािी्ॉ़\u0301\u0303药疫苗ＡＢ１２'’-.।?"), max_size=30
)


@given(TEXTS)
@settings(deadline=None)
def test_folding_twice_is_folding_once(text: str):
    assert fold(fold(text)) == fold(text)


@given(TEXTS)
@settings(deadline=None)
def test_composed_and_decomposed_letters_fold_to_the_same(text: str):
    assert fold(unicodedata.normalize("NFC", text)) == fold(unicodedata.normalize("NFD", text))


@given(TEXTS)
@settings(deadline=None)
def test_the_words_of_a_folded_text_are_those_of_the_text(text: str):
    assert content_words(fold(text)) == content_words(text)
    assert fts_words(fold(text)) == fts_words(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Sábado", "sabado"),
        ("niño", "NIN\u0303O"),
        ("फ़ीस", "फीस"),
        ("फ\u093cीस", "\u095eीस"),
        ("कहाँ", "कहां"),
        ("ＷＩＣ", "wic"),
        ("doctor’s", "doctor's"),
        ("Straße", "STRASSE"),
        ("１２３", "123"),
    ],
)
def test_two_spellings_of_a_word_are_one(one: str, other: str):
    assert fold(one) == fold(other)


@pytest.mark.parametrize(("one", "other"), [("मिल", "मल"), ("दवा", "दवाई"), ("पता", "पिता"), ("hija", "hijo")])
def test_vowel_signs_are_letters_and_stay(one: str, other: str):
    assert fold(one) != fold(other)


def test_chinese_is_indexed_by_characters_and_pairs():
    assert fts_words("打疫苗 now").split() == ["打", "疫", "苗", "打疫", "疫苗", "now"]


def test_a_full_stop_is_no_part_of_a_hindi_word():
    assert content_words("क्लिनिक खुला।") == content_words("क्लिनिक खुला")


@pytest.mark.parametrize(
    "words",
    [
        "open opens opening openings opened",
        "close closes closed closing",
        "vaccine vaccines",
        "class classes",
        "clase clases",
        "cita citas",
        "doctor doctores doctors",
        "fee fees",
        "bus buses",
        "lab labs",
        "file files",
    ],
)
def test_plurals_and_endings_meet(words: str):
    assert len({content_words(word) for word in words.split()}) == 1


@pytest.mark.parametrize("words", ["bus bill", "fee feed", "red ring", "nurse nursery", "cost coast", "class clay"])
def test_other_words_stay_apart(words: str):
    one, other = words.split()
    assert content_words(one) != content_words(other)


def test_function_words_carry_no_meaning():
    assert content_words("the of and is") == content_words("el de la y") == content_words("的了吗") == frozenset()


def test_traditional_and_simplified_chinese_are_one() -> None:
    assert fold("禮拜二幾點開門？乾淨、皇后、後來") == fold("礼拜二几点开门?干净、皇后、后来")
