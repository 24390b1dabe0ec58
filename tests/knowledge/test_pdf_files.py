"""PDF files: pages, joined lines, headings, lists, tables with and without lines, four scripts, and those with no text."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from reportlab.lib import pdfencrypt
from reportlab.lib.pagesizes import letter
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    ListFlowable,
    ListItem,
    PageBreak,
    PageTemplate,
    Paragraph,
    SimpleDocTemplate,
    Table,
    TableStyle,
)

from appliance.errors import BadDocument
from appliance.knowledge.parsed import Block
from appliance.knowledge.readers.pdf import read

BODY = ParagraphStyle("body", fontName="Helvetica", fontSize=11, leading=15, spaceAfter=8)
TIGHT = ParagraphStyle("tight", parent=BODY, spaceAfter=0)
BIG = ParagraphStyle("big", parent=BODY, fontName="Helvetica-Bold", fontSize=20, leading=26)
HEAD = ParagraphStyle("head", parent=BODY, fontName="Helvetica-Bold", fontSize=14, leading=18)
DEVANAGARI = Path("/usr/share/fonts/truetype/noto/NotoSansDevanagari-Regular.ttf")

LONG = (
    "We share your health information with family, employers or schools only if you agree in writing, or when the law says "
    "that we must. You may ask for a list of everybody with whom we shared your record, and you get it within 30 days."
)


def printed(
    *story: Flowable, footer: Callable[[Canvas, SimpleDocTemplate], None] | None = None, **settings: object
) -> bytes:
    file = io.BytesIO()
    again = footer or (lambda *_: None)
    SimpleDocTemplate(file, pagesize=letter, invariant=1, **settings).build(
        [*story], onFirstPage=again, onLaterPages=again
    )
    return file.getvalue()


def blocks(*story: Flowable, footer: Callable[[Canvas, SimpleDocTemplate], None] | None = None) -> list[Block]:
    return [*read(printed(*story, footer=footer)).blocks]


def lines(*story: Flowable) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in blocks(*story)]


def test_lines_are_joined_headings_are_seen_and_pages_are_kept() -> None:
    found = blocks(
        Paragraph("Privacy", BIG),
        Paragraph(LONG, BODY),
        Paragraph("Complaints", HEAD),
        PageBreak(),
        Paragraph(LONG, BODY),
    )
    assert [(block.kind, block.text, block.level, block.page) for block in found] == [
        ("heading", "Privacy", 1, 1),
        ("paragraph", LONG, None, 1),
        ("heading", "Complaints", 2, 1),
        ("paragraph", LONG, None, 2),
    ]


def test_what_every_page_repeats_and_page_numbers_are_left_out() -> None:
    def footer(canvas: Canvas, document: SimpleDocTemplate) -> None:
        canvas.drawString(72, 760, "Riverbend Clinic")
        canvas.drawString(72, 30, f"Handbook, page {document.page}")
        canvas.drawString(500, 30, f"{document.page} / 3")

    found = blocks(
        Paragraph(LONG, BODY), PageBreak(), Paragraph(LONG, BODY), PageBreak(), Paragraph(LONG, BODY), footer=footer
    )
    assert [block.text for block in found] == [LONG] * 3


def test_a_sentence_goes_on_over_the_page() -> None:
    frame = Frame(72, 500, 300, 60, id="small")  # holds three lines
    file = io.BytesIO()
    template = BaseDocTemplate(file, pagesize=letter, invariant=1)
    template.addPageTemplates([PageTemplate(frames=[frame])])
    template.build([Paragraph(LONG, BODY)])
    found = read(file.getvalue()).blocks
    assert [block.text for block in found] == [LONG]
    assert found[0].page == 1


def test_hyphens_at_a_lines_end_are_mended_and_those_of_a_word_stay() -> None:
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=letter, invariant=1)
    lines_ = (
        "All of our sites are smoke-free, and this also holds for appoint-",
        "ments outside. The smoke-",
        "free rule has no exception. A child under 9 comes for a well-",
        "child visit; call (541) 555-",
        "0100 about an X-",
        "ray picture.",
    )
    for number, line in enumerate(lines_):
        canvas.drawString(72, 700 - 15 * number, line)
    canvas.save()
    text = " ".join(block.text for block in read(file.getvalue()).blocks)
    for word in ("appointments outside", "smoke-free rule", "well-child visit", "555-0100", "X-ray"):
        assert word in text


def test_lists_are_items_and_their_lines_are_joined() -> None:
    story = ListFlowable(
        [ListItem(Paragraph(text, TIGHT)) for text in ("a photo ID", LONG, "a card")], bulletType="bullet", start="•"
    )
    assert lines(Paragraph("Bring these:", TIGHT), story) == [
        ("paragraph", "Bring these:"),
        ("item", "a photo ID"),
        ("item", LONG),
        ("item", "a card"),
    ]


def table(*, drawn: bool) -> Table:
    wrapped = Paragraph("Evening visits are by appointment only; the door on Oak Street is locked after six", TIGHT)
    notes = wrapped if drawn else "late visits"
    cells = [["Day", "Opens", "Notes"], ["Monday", "8:00", notes], ["Sunday", "closed", "–"], ["Friday", "9:00", ""]]
    style = [("FONTNAME", (0, 0), (-1, 0), "Helvetica-Bold")] + (
        [("GRID", (0, 0), (-1, -1), 0.5, "black")] if drawn else []
    )
    return Table(cells, colWidths=[90, 90, 200], style=TableStyle(style))


def test_a_drawn_table_is_read_by_its_cells() -> None:
    assert lines(Paragraph("Hours", HEAD), table(drawn=True), Paragraph("We look forward to seeing you.", BODY))[
        1:
    ] == [
        (
            "row",
            "Monday — Opens: 8:00; Notes: Evening visits are by appointment only; the door on Oak Street is locked after six",
        ),
        ("row", "Sunday — Opens: closed; Notes: –"),
        ("row", "Friday — Opens: 9:00"),
        ("paragraph", "We look forward to seeing you."),
    ]


def test_a_table_without_lines_is_seen_from_its_columns() -> None:
    assert lines(table(drawn=False), Paragraph(LONG, BODY)) == [
        ("row", "Monday — Opens: 8:00; Notes: late visits"),
        ("row", "Sunday — Opens: closed; Notes: –"),
        ("row", "Friday — Opens: 9:00"),
        ("paragraph", LONG),
    ]


def test_two_columns_are_read_one_after_the_other() -> None:
    file = io.BytesIO()
    template = BaseDocTemplate(file, pagesize=letter, invariant=1)
    template.addPageTemplates([PageTemplate(frames=[Frame(60, 60, 230, 660), Frame(320, 60, 230, 660)])])
    first, second = LONG * 1, LONG.replace("health", "medical")
    template.build([*(Paragraph(first, BODY) for _ in range(6)), *(Paragraph(second, BODY) for _ in range(3))])
    assert [block.text for block in read(file.getvalue()).blocks] == [first] * 6 + [second] * 3


def test_chinese_is_joined_without_spaces() -> None:
    pdfmetrics.registerFont(UnicodeCIDFont("STSong-Light"))
    text = (
        "针灸门诊每周二和周五下午看诊，须提前预约。改期或取消请至少提前一天通知我们。我们不卖中草药，也不开中药处方。"
    )
    style = ParagraphStyle("zh", fontName="STSong-Light", fontSize=12, leading=18, wordWrap="CJK")
    assert lines(Paragraph(text, style)) == [("paragraph", text)]


@pytest.mark.skipif(
    not DEVANAGARI.exists() and os.environ.get("CI") != "true", reason="needs the Debian package fonts-noto-core"
)
def test_hindi_words_stay_whole() -> None:
    pdfmetrics.registerFont(TTFont("Devanagari", str(DEVANAGARI)))
    text = "क्लिनिक सोमवार से शुक्रवार सुबह बजे से शाम तक खुला रहता है। कृपया अपना पहचान पत्र और बीमा कार्ड साथ लाएँ।"
    style = ParagraphStyle("hi", fontName="Devanagari", fontSize=12, leading=18)
    assert lines(Paragraph(text, style)) == [("paragraph", text)]


def test_a_pdf_of_pictures_is_refused_and_told_what_to_do() -> None:
    file = io.BytesIO()
    canvas = Canvas(file, pagesize=letter, invariant=1)
    canvas.rect(72, 72, 300, 300, fill=1)
    canvas.showPage()
    canvas.save()
    with pytest.raises(BadDocument, match=r"this PDF has no text layer.*OCR"):
        read(file.getvalue())


def test_pages_of_pictures_among_text_are_named() -> None:
    from PIL import Image
    from reportlab.lib.utils import ImageReader

    file = io.BytesIO()
    canvas = Canvas(file, pagesize=letter, invariant=1)
    canvas.drawString(72, 700, "This page has a text that can be read.")
    canvas.showPage()
    canvas.drawImage(ImageReader(Image.new("RGB", (40, 40), "red")), 0, 0, 600, 700)
    canvas.showPage()
    canvas.save()
    assert read(file.getvalue()).note == "nothing could be read on page 2: there are only pictures"


def test_a_locked_a_damaged_and_a_false_pdf_are_refused_in_words() -> None:
    locked = printed(Paragraph(LONG, BODY), encrypt=pdfencrypt.StandardEncryption("secret"))
    for data, told in (
        (locked, "is password-protected"),
        (b"%PDF-1.7\nnonsense", "is a damaged PDF"),
        (b"hello", "is not a PDF"),
    ):
        with pytest.raises(BadDocument, match=told):
            read(data)
