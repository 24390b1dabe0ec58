"""Plain text: its encoding, its paragraphs, and headings only where there can be little doubt."""

from __future__ import annotations

import codecs

import pytest

from appliance.errors import BadDocument
from appliance.knowledge.readers.plain import decoded, read

SPANISH = "Abrimos los sábados. El niño tiene cita mañana a las 8:30, ¿verdad? Sí, señora Peña.\n"
CHINESE = "针灸门诊每周二和周五下午1点至5点看诊，须提前预约。\n"


def lines(text: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in read(text).blocks]


@pytest.mark.parametrize("text", [SPANISH, CHINESE, "समय सुबह 8 बजे\n", "Open at eight.\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_is_read_with_and_without_a_mark(text: str, encoding: str) -> None:
    if encoding in ("utf-16-le", "utf-16-be"):
        mark = codecs.BOM_UTF16_LE if encoding.endswith("le") else codecs.BOM_UTF16_BE
        assert decoded(mark + text.encode(encoding)) == text
    else:
        assert decoded(text.encode(encoding)) == text


def test_western_utf_16_is_known_without_a_mark() -> None:
    assert decoded(SPANISH.encode("utf-16-le")) == SPANISH
    assert decoded(SPANISH.encode("utf-16-be")) == SPANISH


@pytest.mark.parametrize(
    ("text", "encoding"), [(SPANISH, "latin-1"), (SPANISH, "cp1252"), (CHINESE, "gb18030"), ("“café” – 5 €", "cp1252")]
)
def test_old_encodings_are_told_apart(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding)) == text


@pytest.mark.parametrize("data", [b"\x00\x01\x02\x03" * 50, b"ab\0\1" * 100, bytes(range(256)) * 4])
def test_what_is_no_text_is_refused(data: bytes) -> None:
    with pytest.raises(BadDocument, match="not text"):
        decoded(data)


def test_short_lines_that_stand_alone_over_text_are_headings() -> None:
    text = "When we are closed\n\nCall 911.\n\nAfter-hours line\n\nCall the nurse. She answers.\n\nYour team"
    assert lines(text) == [
        ("heading", "When we are closed"),
        ("paragraph", "Call 911."),
        ("heading", "After-hours line"),
        ("paragraph", "Call the nurse. She answers."),
        ("paragraph", "Your team"),
    ]


@pytest.mark.parametrize(
    "line", ["Open 8:00 to 5:00", "Call (541) 555-0100", "Visit: $95", "We are closed.", "Bring a card;", "周一8点开门"]
)
def test_a_short_line_with_a_fact_is_no_heading(line: str) -> None:
    assert ("paragraph", line) in lines(f"Title\n\n{line}\n\nMore text follows here.")


def test_capitals_and_underlines_make_headings() -> None:
    assert lines("PARKING:\nIt is free here.\n\nBuses\n=====\nLine 4 stops here.\n\n-----\n\nEnd of text.") == [
        ("heading", "PARKING"),
        ("paragraph", "It is free here."),
        ("heading", "Buses"),
        ("paragraph", "Line 4 stops here."),
        ("paragraph", "End of text."),
    ]


def test_wrapped_lines_are_joined_and_whole_lines_are_not() -> None:
    wrapped = (
        "This is a paragraph that an old program has broken after about\n"
        "seventy characters, so that it must be joined again, and this is\nits end.\nMonday 8-5\nTuesday 9-5"
    )
    assert lines(wrapped) == [
        ("paragraph", wrapped.split("\nMonday")[0].replace("\n", " ")),
        ("paragraph", "Monday 8-5"),
        ("paragraph", "Tuesday 9-5"),
    ]
    chinese = (
        "针灸门诊设在Main Street院区二楼，由持证针灸师林雅文医师看诊，本页目前只有中文版，请大家\n互相转告，谢谢合作。"
    )
    assert lines(chinese) == [("paragraph", chinese.replace("\n", ""))]


def test_lists_are_items() -> None:
    assert lines("Bring:\n- a card\n• a photo\n  of you\n1. money\n2) time") == [
        ("paragraph", "Bring:"),
        ("item", "a card"),
        ("item", "a photo of you"),
        ("item", "1. money"),
        ("item", "2) time"),
    ]
