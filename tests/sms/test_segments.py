"""Segments are counted as networks count them, and what is cut stays within its limit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.channels.sms.segments import LONGEST, counted, pieces, plain, shortened


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments"),
    [
        ("", "GSM-7", 0, 0),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("€" * 81, "GSM-7", 162, 2),
        (
            "a" * 152 + "€" + "a" * 152,
            "GSM-7",
            306,
            3,
        ),  # the escape and its letter are not torn apart: one place stays empty
        ("a" * 151 + "€" + "a" * 153, "GSM-7", 306, 2),
        ("ñ¿¡éüàÉ", "GSM-7", 7, 1),
        ("ç", "UCS-2", 1, 1),  # the table has only the capital
        ("Ç", "GSM-7", 1, 1),
        ("á", "UCS-2", 1, 1),
        ("`", "UCS-2", 1, 1),
        ("好" * 70, "UCS-2", 70, 1),
        ("好" * 71, "UCS-2", 71, 2),
        ("好" * 134, "UCS-2", 134, 2),
        ("好" * 135, "UCS-2", 135, 3),
        ("😀" * 35, "UCS-2", 70, 1),
        ("😀" * 36, "UCS-2", 72, 2),
        ("好" * 66 + "😀" + "好" * 66, "UCS-2", 134, 3),  # nor are the halves of a letter beyond 16 bits
        ("क्लिनिक", "UCS-2", 7, 1),
    ],
)
def test_segments_are_counted_at_every_boundary(text: str, encoding: str, units: int, segments: int) -> None:
    found = counted(text)
    assert (found.encoding, found.units, found.segments) == (encoding, units, segments)


@given(st.text(alphabet="ab €^{}\n好😀", max_size=400))
def test_the_count_is_that_of_packing_letter_by_letter(text: str) -> None:
    gsm = not set(text) & {"好", "😀"}
    widths = [2 if (one in "€^{}" if gsm else one == "😀") else 1 for one in text]
    alone, each = (160, 153) if gsm else (70, 67)
    packed: list[int] = [0]
    for width in widths:
        if packed[-1] + width > each:
            packed.append(0)
        packed[-1] += width
    expected = (1 if text else 0) if sum(widths) <= alone else len(packed)
    assert counted(text).segments == expected


def test_typography_is_made_plain_only_where_that_alone_makes_it_cheaper() -> None:
    assert plain("We’re open – “9 to 5”…") == 'We\'re open - "9 to 5"...'
    assert plain("¿A qué hora? – mañana") == "¿A qué hora? - mañana"
    assert plain("Atención – “hoy”") == "Atención – “hoy”"  # ó makes it UCS-2 anyway: nothing is touched
    assert plain("e\u0301") == "é"


@given(
    st.text(alphabet="abc de.!?\n€’好。क्लि नमस्ते। 😀", max_size=900), st.sampled_from([1, 2, 3]),
    st.sampled_from(["More: x", "更多：x"])
)  # fmt: skip
def test_what_is_cut_fits_and_begins_as_the_whole_does(text: str, most: int, tail: str) -> None:
    short = shortened(text, tail, most=most)
    assert counted(short).segments <= most
    if short != text:
        kept = short.removesuffix(tail).rstrip("\n").removesuffix(" ...")
        assert short.endswith(tail) and text.startswith(kept)


def test_an_answer_is_cut_after_a_whole_sentence() -> None:
    text = "We open at 9. " + "Bring your card and the letter. " * 20
    short = shortened(text, "More: https://a.example/", most=2)
    assert short.endswith("letter.\nMore: https://a.example/") and counted(short).segments == 2


@given(st.text(alphabet="abc. \nक्ष好", max_size=5000))
def test_pieces_hold_every_word_and_none_is_too_long(text: str) -> None:
    found = pieces(text)
    assert all(len(one) <= LONGEST for one in found)
    assert "".join("".join(found).split()) == "".join(text.split())
