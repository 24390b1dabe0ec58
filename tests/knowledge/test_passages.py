"""Passages and sentences keep their exact places, stay under their headings, and carry what introduces them."""

from __future__ import annotations

import html
import io
import unicodedata

import docx  # noqa: TID253 - makes what is read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.errors import BadDocument
from appliance.knowledge.parsed import Block, Metadata, Parsed
from appliance.knowledge.passages import Cut, cut
from appliance.knowledge.reading import Order, read
from appliance.knowledge.sentences import weight


def p(text: str) -> Block:
    return Block(kind="paragraph", text=text)


def h(text: str, level: int = 1) -> Block:
    return Block(kind="heading", text=text, level=level)


def item(text: str, level: int = 1) -> Block:
    return Block(kind="item", text=text, level=level)


def row(text: str) -> Block:
    return Block(kind="row", text=text)


def made(*blocks: Block, title: str | None = None, words: int = 120) -> Cut:
    return cut(Parsed(blocks=blocks, metadata=Metadata(title=title)), name="some-file.md", words=words)


def said(found: Cut) -> list[str]:
    return [sentence.text for passage in found.passages for sentence in passage.sentences]


def texts(found: Cut) -> list[str]:
    return [found.text[passage.start : passage.end] for passage in found.passages]


# ---- structure -------------------------------------------------------------------------------------------------------


def test_a_passage_never_crosses_a_heading_and_knows_those_above_it() -> None:
    found = made(
        h("Fees"), p("One."), h("Paying", 2), p("Two."), h("By mail", 3), p("Three."), h("Estimates", 2), p("Four.")
    )
    assert [passage.heading for passage in found.passages] == [(), ("Paying",), ("Paying", "By mail"), ("Estimates",)]
    assert texts(found) == ["One.", "Two.", "Three.", "Four."]
    assert found.title == "Fees"


def test_a_heading_with_nothing_under_it_is_not_lost() -> None:
    found = made(h("Clinic"), h("Walk-in hours: Monday 8 to 12", 2), h("Parking", 2), p("Free."), h("Call 555-0100", 2))
    assert texts(found) == ["Walk-in hours: Monday 8 to 12", "Free.", "Call 555-0100"]


def test_a_list_item_knows_the_line_that_introduces_it() -> None:
    found = made(p("Come early. Bring with you:"), item("a photo ID"), item("1. your card"), p("Thank you."))
    by_text = {sentence.text: sentence for passage in found.passages for sentence in passage.sentences}
    lead = by_text["your card"].lead
    assert lead is not None
    assert found.text[lead.start : lead.end] == "Bring with you:"
    assert by_text["a photo ID"].kind == "item"
    assert by_text["Thank you."].lead is None


def test_an_item_inside_an_item_is_introduced_by_it() -> None:
    found = made(item("North"), item("Monday 8 to 5", 2), item("Main Street"), item("Monday 9 to 6", 2))
    leads = [
        (found.text[one.lead.start : one.lead.end], one.text)
        for passage in found.passages
        for one in passage.sentences
        if one.lead
    ]
    assert leads == [("North", "Monday 8 to 5"), ("Main Street", "Monday 9 to 6")]


def test_words_that_only_introduce_are_not_quoted_alone() -> None:
    caption = Block(kind="paragraph", text="Prices in 2026", introduces=True)
    found = made(caption, row("Visit — Price: $95"), p("Bring with you:"), item("a card"))
    assert said(found) == ["Visit — Price: $95", "a card"]
    assert texts(found) == ["Prices in 2026\nVisit — Price: $95\n\nBring with you:\na card"]


def test_a_long_table_is_cut_between_rows_and_keeps_its_caption_over_each_part() -> None:
    caption = Block(kind="paragraph", text="Prices in 2026", introduces=True)
    found = made(
        h("Fees"), caption, *(row(f"Service {n} — Price: ${n}; Remark: paid at the front desk") for n in range(40))
    )
    assert len(found.passages) > 2
    assert [passage.heading for passage in found.passages[1:]] == [("Prices in 2026",)] * (len(found.passages) - 1)
    assert all(part.split("\n")[-1].startswith("Service") for part in texts(found))


def test_a_section_is_cut_in_even_parts() -> None:
    found = made(*(p(f"This sentence number {n} has just eight words.") for n in range(35)))
    lengths = [weight(text) for text in texts(found)]
    assert len(lengths) == 3
    assert max(lengths) - min(lengths) <= 16
    assert len(made(*(p("This sentence has just five.") for _ in range(29))).passages) == 1


def test_chinese_passages_have_about_250_characters() -> None:
    found = made(p("针灸门诊每周二和周五下午看诊，须提前预约。" * 60))
    assert all(180 <= len(text) <= 320 for text in texts(found))


def test_a_question_is_quoted_with_its_answer() -> None:
    assert said(made(p("Lost something? Ask at the front desk. Do you take cash? Yes. Come in."))) == [
        "Lost something? Ask at the front desk.",
        "Do you take cash? Yes.",
        "Come in.",
    ]


def test_each_passage_has_its_own_language() -> None:
    found = made(
        h("Welcome"), p("We are open today."), h("Bienvenidos"), p("Hoy estamos abiertos."), h("欢迎"), p("今天开门。")
    )
    assert [passage.language for passage in found.passages] == ["en", "es", "zh"]


def test_the_title_is_what_was_said_then_the_first_heading_then_the_file_name() -> None:
    assert made(h("Fees"), p("One."), title="Prices").title == "Prices"
    assert made(h("Fees"), p("One.")).title == "Fees"
    assert made(p("One.")).title == "some file"
    assert made(p("One."), title="").title == ""


# ---- exact places, whatever is written -------------------------------------------------------------------------------

WORDS = st.text(
    alphabet=st.sampled_from("abcXYZ  áéñ¿中文。，कािं।é .!?:;-—()$0123\u00a0\u200b\u00ad\u200d|*_#<>&"),
    min_size=1,
    max_size=60,
)
BLOCK = st.tuples(st.sampled_from(("heading", "paragraph", "item", "row")), WORDS, WORDS)
BLOCKS = st.lists(BLOCK, min_size=1, max_size=12)
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def check(found: Cut) -> None:
    text = found.text
    assert unicodedata.is_normalized("NFC", text)
    ends = 0
    for passage in found.passages:
        assert ends <= passage.start < passage.end <= len(text)
        ends = passage.end
        for sentence in passage.sentences:
            assert text[sentence.start : sentence.end] == sentence.text
            assert sentence.text.strip() == sentence.text != ""
            assert passage.start <= sentence.start < sentence.end <= passage.end
            assert sentence.lead is None or 0 <= sentence.lead.start < sentence.lead.end <= sentence.start
    covered = [any(one.start <= place < one.end for one in found.passages) for place in range(len(text))]
    for block in found.blocks:
        assert text[block.start : block.end].strip()
        if block.kind != "heading":
            inside = [place for place in range(block.start, block.end) if not text[place].isspace()]
            first = next((place for place in inside if covered[place]), None)
            assert first is not None
            assert all(covered[place] for place in inside if place >= first)  # but for an item's number


def reads(data: bytes, name: str) -> None:
    try:
        found = read(data, Order(name=name, words=20))
    except BadDocument as error:
        assert str(error)
        return
    check(found)


@QUICK
@given(BLOCKS)
def test_blocks_keep_their_places(drawn: list[tuple[str, str, str]]) -> None:
    from appliance.knowledge.parsed import tidy

    blocks = [Block(kind=kind, text=tidy(one), level=1 + len(two) % 3) for kind, one, two in drawn if tidy(one)]  # type: ignore[arg-type]
    check(cut(Parsed(blocks=tuple(blocks)), name="x.md", words=20))


@QUICK
@given(BLOCKS)
def test_markdown_keeps_its_places(drawn: list[tuple[str, str, str]]) -> None:
    written = {
        "heading": "## {}\n\n",
        "paragraph": "{}\n\n",
        "item": "- {}\n- {}\n\n",
        "row": "| a | b |\n|---|---|\n| {} | {} |\n\n",
    }
    reads("".join(written[kind].format(one, two) for kind, one, two in drawn).encode(), "x.md")


@QUICK
@given(BLOCKS)
def test_html_keeps_its_places(drawn: list[tuple[str, str, str]]) -> None:
    written = {
        "heading": "<h2>{}</h2>",
        "paragraph": "<p>{}<br>{}</p>",
        "item": "<ul><li>{}<ul><li>{}</ul></ul>",
        "row": "<table><tr><th>a<th>b<tr><td>{}<td>{}</table>",
    }
    body = "".join(written[kind].format(html.escape(one), html.escape(two)) for kind, one, two in drawn)
    reads(f"<meta charset=utf-8>{body}".encode(), "x.html")


@QUICK
@given(BLOCKS)
def test_plain_text_keeps_its_places(drawn: list[tuple[str, str, str]]) -> None:
    written = {"heading": "{}\n\n", "paragraph": "{}\n{}\n\n", "item": "- {}\n1. {}\n", "row": "{}: {}\n"}
    reads("".join(written[kind].format(one, two) for kind, one, two in drawn).encode(), "x.txt")


@settings(QUICK, max_examples=25)
@given(BLOCKS)
def test_word_files_keep_their_places(drawn: list[tuple[str, str, str]]) -> None:
    file = docx.Document()
    for kind, one, two in drawn:
        if kind == "row":
            table = file.add_table(2, 2)
            for cell, text in zip(
                (cell for row_ in table.rows for cell in row_.cells), ("a", "b", one, two), strict=True
            ):
                cell.text = text
        else:
            style = {"heading": "Heading 2", "paragraph": None, "item": "List Bullet"}[kind]
            file.add_paragraph(one, style=style)
    made_ = io.BytesIO()
    file.save(made_)
    reads(made_.getvalue(), "x.docx")


@QUICK
@given(st.binary(max_size=300), st.sampled_from(["x.md", "x.html", "x.txt", "x.pdf", "x.docx"]))
def test_any_bytes_are_read_or_refused_in_words(data: bytes, name: str) -> None:
    reads(data, name)
