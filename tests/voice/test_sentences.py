"""Where text is cut for a voice, at once and as it streams."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voice.sentences import Clauses, clauses

SCRAPS = (
    ["Dr. ", "a.m. ", "3.5 ", "1,200 ", "Yes. ", "No! ", "the clinic ", "and ", ", ", "; ", "\n", "5 p. m. ", "Sra. "],
    [
        "Call us. ",
        "您好，",
        "欢迎致电诊所。",
        "药房在二楼",
        "！",
        "नमस्ते। ",
        "डॉ. ",
        "धन्यवाद",
        " ",
        "(see below) ",
        "“Come in.” ",
    ],
    ["e.g. ", "x" * 40],
)
PIECES = st.lists(st.sampled_from([scrap for row in SCRAPS for scrap in row]), max_size=30)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("Call Dr. Lee. He is in.", ["Call Dr. Lee.", "He is in."]),
        ("Open at 9 a.m. on Monday.", ["Open at 9 a.m. on Monday."]),
        ("Open at 9 a.m. Come in.", ["Open at 9 a.m.", "Come in."]),
        ("It costs 3.5 dollars. Yes.", ["It costs 3.5 dollars.", "Yes."]),
        ("Ask J. Smith. Now!", ["Ask J. Smith.", "Now!"]),
        ("1. Your card\n2. Your letter", ["1. Your card", "2. Your letter"]),
        ("“Come in.” She waited.", ["“Come in.”", "She waited."]),
        ("La Sra. Gil llega a las 5 p. m. Gracias.", ["La Sra. Gil llega a las 5 p. m.", "Gracias."]),
        ("¿Tiene cita? ¡Pase!", ["¿Tiene cita?", "¡Pase!"]),
        ("您好，欢迎致电诊所。请问有什么可以帮您？", ["您好，欢迎致电诊所。", "请问有什么可以帮您？"]),
        ("नमस्ते। डॉ. शर्मा आज नहीं हैं।", ["नमस्ते।", "डॉ. शर्मा आज नहीं हैं।"]),
        ("One moment, please.", ["One moment, please."]),
        ("Of course I can, when would you like to come?", ["Of course I can,", "when would you like to come?"]),
        ("", []),
        (" ... \n - ", []),
    ],
)
def test_text_is_cut_where_a_voice_breathes(text: str, cut: list[str]):
    assert clauses(text) == cut


def test_a_comma_later_on_is_no_reason_to_cut_a_short_sentence():
    assert clauses("Yes. Bring your card, your letter, and your list.") == [
        "Yes.",
        "Bring your card, your letter, and your list.",
    ]


def test_a_number_is_never_cut_at_its_comma():
    assert clauses("The fee for this is 1, 200 or so") == ["The fee for this is 1, 200 or so"]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("The pharmacy on Main Street is open from eight until six every day of the week.", "The pharmacy"),
        ("La farmacia de la calle principal abre de las ocho a las seis.", "La farmacia"),
        ("您的预约是十一月三日上午九点三十分请不要迟到。", "您的预约是"),
        ("आपकी मुलाक़ात तीन नवंबर को सुबह साढ़े नौ बजे है।", "आपकी मुलाक़ात तीन नवंबर को"),
    ],
)
def test_for_a_slow_voice_the_first_clause_is_short(text: str, first: str):
    assert clauses(text, brief=True)[0] == first
    assert clauses(text) == [text]


def test_a_sentence_is_heard_of_as_soon_as_the_next_one_begins():
    stream = Clauses()
    assert stream.feed("Yes. ") == []
    assert stream.feed("W") == ["Yes."]
    assert stream.feed("e are open.") == []
    assert stream.end() == ["We are open."]


def test_a_chinese_sentence_is_given_as_soon_as_anything_follows():
    stream = Clauses()
    assert stream.feed("您好。") == []
    assert stream.feed("请") == ["您好。"]


@pytest.mark.parametrize("brief", [False, True])
@settings(deadline=None)  # the machine may be busy
@given(pieces=PIECES)
def test_a_stream_gives_what_the_whole_text_gives(pieces: list[str], brief: bool):
    text = "".join(pieces)
    by_sign, by_piece = Clauses(brief=brief), Clauses(brief=brief)
    one_by_one = [clause for sign in text for clause in by_sign.feed(sign)] + by_sign.end()
    in_pieces = [clause for piece in pieces for clause in by_piece.feed(piece)] + by_piece.end()
    assert one_by_one == in_pieces == clauses(text, brief=brief)


@settings(deadline=None)  # the machine may be busy
@given(pieces=PIECES)
def test_no_word_is_lost_or_said_twice(pieces: list[str]):
    def words(text: str) -> str:
        return "".join(sign for sign in text if sign.isalnum())

    text = "".join(pieces)
    assert words(" ".join(clauses(text))) == words(text)


@settings(deadline=None)  # the machine may be busy
@given(pieces=PIECES)
def test_no_clause_is_longer_than_twenty_seconds(pieces: list[str]):
    assert all(len(clause) < 320 for clause in clauses("".join(pieces)))
