"""What a document says of itself at its top is believed only when it cannot mean anything else."""

from __future__ import annotations

import pytest

from appliance.knowledge.dates import whole_date
from appliance.knowledge.parsed import Block, Metadata
from appliance.knowledge.stated import stated


def top(*lines: str) -> Metadata:
    return stated(
        [Block(kind="heading", text="Title", level=1), *(Block(kind="paragraph", text=line) for line in lines)]
    )


@pytest.mark.parametrize(
    ("line", "begins", "ends"),
    [
        ("Effective March 2, 2026", "2026-03-02", None),
        ("Effective date: 2026-03-02.", "2026-03-02", None),
        ("Valid from June 15, 2026 until September 5, 2026.", "2026-06-15", "2026-09-05"),
        ("These prices are valid from 1 July 2026", "2026-07-01", None),
        ("Valid through Dec. 31, 2026", None, "2026-12-31"),
        ("Vigente desde el 2 de marzo de 2026", "2026-03-02", None),
        ("Válido del 1 de junio de 2026 al 5 de septiembre de 2026.", "2026-06-01", "2026-09-05"),
        ("Vigente hasta el 31 de diciembre de 2026", None, "2026-12-31"),
        ("自2026年3月2日起生效。", "2026-03-02", None),
        ("有效期：2026年6月15日至2026年9月5日", "2026-06-15", "2026-09-05"),
        ("有效期至2026年12月31日", None, "2026-12-31"),
        ("2 मार्च 2026 से लागू", "2026-03-02", None),
        ("31 दिसंबर 2026 तक मान्य", None, "2026-12-31"),
    ],
)
def test_from_when_until_when(line: str, begins: str | None, ends: str | None) -> None:
    assert top(line) == Metadata(valid_from=begins, valid_until=ends)


@pytest.mark.parametrize(
    ("line", "supersedes", "superseded_by"),
    [
        ("Supersedes: Fees 2024", "Fees 2024", None),
        ("This document replaces fees-2024.md.", "fees-2024.md", None),
        ("This page has been superseded by “Fees 2026”.", None, "Fees 2026"),
        ("Esta lista de precios reemplaza a Precios 2024", "Precios 2024", None),
        ("Este documento ha sido sustituido por Precios 2026.", None, "Precios 2026"),
        ("本文件取代《2024年收费》。", "2024年收费", None),
        ("本页已被《2026年收费》取代", None, "2026年收费"),
        ("यह दस्तावेज़ शुल्क 2024 की जगह लेता है", "शुल्क 2024", None),
    ],
)
def test_instead_of_what(line: str, supersedes: str | None, superseded_by: str | None) -> None:
    assert top(line) == Metadata(supersedes=supersedes, superseded_by=superseded_by)


@pytest.mark.parametrize(
    "line",
    [
        "Flu shots are given from October to March.",
        "From September 6, 2026 we open at 8:00 a.m. on Saturdays.",
        "Effective January 5, 2026, an office visit costs $95.",
        "Your insurance card must be valid until the day of your visit.",
        "The coupon is valid from June to October.",
        "The form is valid for 12 months.",
        "A referral is good for 6 months, for example from June 1, 2026 to December 1, 2026.",
        "This card replaces your old card.",
        "A nurse replaces the bandage on March 2, 2026.",
        "Effective medicine exists since 2026.",
        "Valid from 3/4/2026",
        "The clinic has been in this house since March 2, 2006.",
        "Las vacunas se ponen del 1 de octubre al 31 de marzo.",
        "从2026年3月2日起，周六上午9点开门。",
        "针灸从10月到3月",
        "1 अक्टूबर से 31 मार्च तक टीके लगते हैं।",
    ],
)
def test_what_only_looks_like_it_is_no_validity_of_the_document(line: str) -> None:
    assert top(line) == Metadata()


def test_only_the_top_counts() -> None:
    far = [Block(kind="paragraph", text=f"Line {n}.") for n in range(10)]
    assert stated([*far, Block(kind="paragraph", text="Effective March 2, 2026")]) == Metadata()
    section = [Block(kind="heading", text="A", level=1), Block(kind="heading", text="B", level=2)]
    assert stated([*section, Block(kind="paragraph", text="Effective March 2, 2026")]) == Metadata()


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-09-01", "2026-09-01"),
        ("September 1, 2026", "2026-09-01"),
        ("1 Sept. 2026", "2026-09-01"),
        ("1º de septiembre de 2026", "2026-09-01"),
        ("2026年9月1日", "2026-09-01"),
        ("1 सितंबर 2026", "2026-09-01"),
        ("2026-02-30", None),
        ("9/1/2026", None),
        ("September 2026", None),
        ("tomorrow", None),
    ],
)
def test_a_day_is_read_in_four_languages(text: str, day: str | None) -> None:
    assert whole_date(text) == day
