"""Markdown as clinics write it: front matter, lists, tables, breaks, what is struck out."""

from __future__ import annotations

import pytest

from appliance.errors import BadDocument
from appliance.knowledge.parsed import Metadata
from appliance.knowledge.readers.markdown import read


def lines(text: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in read(text).blocks]


def test_a_table_row_carries_its_column_headings() -> None:
    head = "| Day | Opens | Closes |\n|---|---|---|\n"
    assert lines(head + "| Saturday | 9:00 am | 1:00 pm |\n| Sunday | Closed | Closed |\n| Monday | | 5 pm |") == [
        ("row", "Saturday — Opens: 9:00 am; Closes: 1:00 pm"),
        ("row", "Sunday — Opens: Closed; Closes: Closed"),
        ("row", "Monday — Closes: 5 pm"),
    ]


def test_a_table_without_headings_is_read_cell_by_cell() -> None:
    assert lines("| | |\n|---|---|\n| Office visit | $95 |") == [("row", "Office visit — $95")]


def test_lists_keep_their_numbers_and_their_depth() -> None:
    found = read("Steps:\n\n3. Call.\n4. Wait.\n   - at home\n\n     or outside\n").blocks
    assert [(block.kind, block.text, block.level) for block in found] == [
        ("paragraph", "Steps:", None),
        ("item", "3. Call.", 1),
        ("item", "4. Wait.", 1),
        ("item", "at home", 2),
        ("item", "or outside", 2),
    ]


def test_soft_breaks_join_and_hard_breaks_part() -> None:
    assert lines("One\ntwo.  \nThree<br>four") == [
        ("paragraph", "One two."),
        ("paragraph", "Three"),
        ("paragraph", "four"),
    ]


def test_words_are_plain_and_struck_out_words_are_gone() -> None:
    assert lines("It **costs** ~~$85~~ `$95`, see [the list](http://x.example).") == [
        ("paragraph", "It costs $95, see the list.")
    ]


def test_html_inside_is_read_and_comments_are_not() -> None:
    assert lines("<!-- old: $1 -->\n\n<table><tr><th>Service<th>Price<tr><td>Visit<td>$95</table>\n\nEnd.") == [
        ("row", "Visit — Price: $95"),
        ("paragraph", "End."),
    ]


def test_front_matter_says_what_the_document_is() -> None:
    said = 'title: "Fees: all"\nsite: North\nlang: es-MX\nvalid-from: March 2, 2026\nsupersedes: fees-2024.md\n'
    parsed = read(f"---\n{said}tags:\n - x\nvalid_until:\n---\nText.")
    assert parsed.metadata == Metadata(
        title="Fees: all", site="North", language="es", valid_from="2026-03-02", supersedes="fees-2024.md"
    )
    assert [block.text for block in parsed.blocks] == ["Text."]


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("valid_from: soon", "front matter: valid_from is 'soon'"),
        ("valid_until: 2026-02-30", "is not a day"),
        ("language: fr", "en, es, zh, hi"),
    ],
)
def test_front_matter_that_cannot_be_meant_is_refused_in_words(said: str, told: str) -> None:
    with pytest.raises(BadDocument, match=told):
        read(f"---\n{said}\n---\nText.")


def test_a_line_at_the_top_is_no_front_matter() -> None:
    assert [text for _, text in lines("---\n\nText.\n\n---\n\nMore.")] == ["Text.", "More."]


@pytest.mark.parametrize("text", ["> " * 5000 + "x", "".join(f"{'  ' * depth}- a\n" for depth in range(200))])
def test_text_nested_too_deeply_is_refused_rather_than_half_read(text: str) -> None:
    with pytest.raises(BadDocument, match="nested too deeply"):
        read(text)
