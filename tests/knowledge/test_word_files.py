"""Word files as people make them: styles or only bold letters, lists, merged cells, text boxes, tracked changes."""

from __future__ import annotations

import io

import docx  # noqa: TID253 - makes what is read
import pytest
from docx.document import Document  # noqa: TID253 - makes what is read
from docx.oxml import parse_xml  # noqa: TID253 - makes what is read
from docx.oxml.ns import nsdecls  # noqa: TID253 - makes what is read

from appliance.errors import BadDocument
from appliance.knowledge.readers import docx as word_files

W = nsdecls("w")


def saved(document: Document) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


def lines(document: Document) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in word_files.read(saved(document), memory_mb=1024).blocks]


def add(document: Document, inner: str) -> None:
    """A piece of WordprocessingML before the section's end."""
    document.element.body.insert(-1, parse_xml(inner))


def test_headings_paragraphs_lists_and_tables_stand_in_their_places() -> None:
    document = docx.Document()
    document.add_heading("Imaging", 0)
    document.add_paragraph("Effective March 2, 2026")
    document.add_heading("Prices", 1)
    table = document.add_table(3, 2)
    for row, texts in zip(table.rows, (("Test", "Price"), ("X-ray", "$75"), ("Ultrasound", "$160")), strict=True):
        for cell, text in zip(row.cells, texts, strict=True):
            cell.text = text
    document.add_heading("By mail", 2)
    document.add_paragraph("a check", style="List Bullet")
    document.add_paragraph("first", style="List Number")
    document.add_paragraph("second", style="List Number")
    blocks = word_files.read(saved(document), memory_mb=1024).blocks
    assert [(block.kind, block.text, block.level) for block in blocks] == [
        ("heading", "Imaging", 1),
        ("paragraph", "Effective March 2, 2026", None),
        ("heading", "Prices", 2),
        ("row", "X-ray — Price: $75", None),
        ("row", "Ultrasound — Price: $160", None),
        ("heading", "By mail", 3),
        ("item", "a check", 1),
        ("item", "1. first", 1),
        ("item", "2. second", 1),
    ]


def test_a_short_line_in_bold_is_a_heading_but_a_bold_fact_is_not() -> None:
    document = docx.Document()
    for text in ("Parking", "It is free.", "Call (541) 555-0100", "We are closed on Sunday."):
        document.add_paragraph().add_run(text).bold = text != "It is free."
    assert [kind for kind, _ in lines(document)] == ["heading", "paragraph", "paragraph", "paragraph"]


def test_merged_cells_are_understood() -> None:
    document = docx.Document()
    table = document.add_table(4, 3)
    texts = (
        ("Site", "Opens", "Closes"),
        ("North", "8:00", "5:00"),
        ("North", "9:00", "1:00"),
        ("Main", "closed", "closed"),
    )
    for row, cells in zip(table.rows, texts, strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    table.cell(2, 0).text = ""
    table.cell(1, 0).merge(table.cell(2, 0))
    table.cell(3, 2).text = ""
    table.cell(3, 1).merge(table.cell(3, 2))
    assert [text for _, text in lines(document)] == [
        "North — Opens: 8:00; Closes: 5:00",
        "North — Opens: 9:00; Closes: 1:00",
        "Main — closed",
    ]


def test_a_table_that_only_frames_something_is_read_as_text() -> None:
    document = docx.Document()
    cell = document.add_table(1, 1).cell(0, 0)
    cell.text = "Please note"
    cell.add_paragraph("We moved.")
    assert lines(document) == [("paragraph", "Please note"), ("paragraph", "We moved.")]


def test_what_is_deleted_struck_out_or_hidden_is_not_read_and_what_is_inserted_is() -> None:
    document = docx.Document()
    add(
        document,
        f"""<w:p {W}><w:r><w:t xml:space="preserve">It costs </w:t></w:r>
        <w:del><w:r><w:delText>$85</w:delText></w:r></w:del><w:ins><w:r><w:t>$95</w:t></w:r></w:ins>
        <w:r><w:rPr><w:strike/></w:rPr><w:t>, not $80</w:t></w:r><w:r><w:rPr><w:vanish/></w:rPr><w:t>secret</w:t></w:r>
        <w:r><w:rPr><w:strike w:val="0"/></w:rPr><w:t>.</w:t></w:r><w:r><w:instrText>PAGE</w:instrText></w:r></w:p>""",
    )
    assert lines(document) == [("paragraph", "It costs $95.")]


def test_text_boxes_are_read_once_and_content_controls_are_read() -> None:
    box = "<w:txbxContent><w:p><w:r><w:t>In the box.</w:t></w:r></w:p></w:txbxContent>"
    document = docx.Document()
    add(
        document,
        f"""<w:p {W} xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><w:r><w:t>Outside.</w:t></w:r><w:r>
        <mc:AlternateContent><mc:Choice Requires="wps"><w:drawing>{box}</w:drawing></mc:Choice>
        <mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent></w:r></w:p>""",
    )
    add(document, f"<w:sdt {W}><w:sdtContent><w:p><w:r><w:t>Controlled.</w:t></w:r></w:p></w:sdtContent></w:sdt>")
    assert [text for _, text in lines(document)] == ["Outside.", "In the box.", "Controlled."]


def test_line_breaks_make_lines() -> None:
    document = docx.Document()
    document.add_paragraph("Mon 8-5\nTue 9-5")
    assert lines(document) == [("paragraph", "Mon 8-5"), ("paragraph", "Tue 9-5")]


def test_the_files_own_title_counts_only_without_headings() -> None:
    document = docx.Document()
    document.add_paragraph("Text.")
    document.core_properties.title = "Fees"
    assert word_files.read(saved(document), memory_mb=1024).metadata.title == "Fees"
    document.add_heading("Prices", 1)
    assert word_files.read(saved(document), memory_mb=1024).metadata.title is None


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"PK\x03\x04 no zip", "is not a DOCX although its name says so"),
        (b"\xd0\xcf\x11\xe0" + "EncryptedPackage".encode("utf-16-le"), "is password-protected"),
        (b"\xd0\xcf\x11\xe0" + bytes(600), "is an old Word file"),
        (b"hello", "is not a DOCX although its name says so"),
    ],
)
def test_what_is_no_word_file_is_refused_in_words(data: bytes, told: str) -> None:
    with pytest.raises(BadDocument, match=told):
        word_files.read(data, memory_mb=1024)
