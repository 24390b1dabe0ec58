"""HTML as a visitor sees it: the page's own words, with tables, lists and what is hidden left out."""

from __future__ import annotations

import pytest

from appliance.errors import BadDocument
from appliance.knowledge.readers.html import decoded, read


def lines(text: str) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for block in read(text).blocks]


def words(text: str) -> list[str]:
    return [text for _, text in lines(text)]


def test_only_what_a_visitor_sees_is_read() -> None:
    page = """<title>x</title><style>p{}</style><nav>Home</nav><div role=navigation>Menu</div><script>var a</script>
    <p>Open <s>$85</s><del>9</del> <span hidden>no</span><span style="display: none">no</span>
    <i aria-hidden=true>*</i>today<!-- no -->.
    <noscript>no</noscript><button>Send</button><select><option>no</select><svg><text>no</text></svg>"""
    assert words(page) == ["Open today."]


def test_with_a_main_part_the_rest_is_left_out() -> None:
    assert words("<header>Logo</header><main><p>Open.</main><footer>Copyright</footer>") == ["Open."]


def test_a_table_row_carries_its_headings_through_spans_and_captions() -> None:
    page = """<table><caption>Hours</caption>
    <tr><th rowspan=2>Site<th colspan=2>Weekdays<tr><th>Opens<th>Closes
    <tr><td colspan=3>In town
    <tr><td>North<td>8:00<td>5:00
    <tr><td rowspan=2>Main<td>7:00<td>6:00
    <tr><td colspan=2>closed at noon</table>"""
    assert lines(page) == [
        ("paragraph", "Hours"),
        ("paragraph", "In town"),
        ("row", "North — Weekdays Opens: 8:00; Weekdays Closes: 5:00"),
        ("row", "Main — Weekdays Opens: 7:00; Weekdays Closes: 6:00"),
        ("row", "Main — closed at noon"),
    ]


def test_headings_of_a_table_are_seen_from_its_numbers_but_a_day_is_no_heading() -> None:
    fees = "<table><tr><td>Service<td>Price<tr><td>Visit<td>$95<tr><td>Test<td>free<tr><td>Shot<td>$20</table>"
    assert words(fees) == ["Visit — Price: $95", "Test — Price: free", "Shot — Price: $20"]
    hours = "<table><tr><td>Monday<td>Closed<tr><td>Tuesday<td>8 to 5<tr><td>Friday<td>8 to 5</table>"
    assert words(hours) == ["Monday — Closed", "Tuesday — 8 to 5", "Friday — 8 to 5"]


def test_a_table_that_only_arranges_the_page_is_read_as_text() -> None:
    assert lines("<table><tr><td><h2>Fees</h2><p>One.<td><p>Two.</table>") == [
        ("heading", "Fees"),
        ("paragraph", "One."),
        ("paragraph", "Two."),
    ]


def test_lists_questions_and_terms() -> None:
    page = """<ul><li>One<ul><li>inner</ul><li><p>Two</p></ul><ol start=3><li>x<li>y</ol>
    <dl><dt>Parking<dd>Free.<dt>Pets?<dd>No.</dl><h2>More</h2><details><summary>Cash?</summary>Yes.</details>"""
    assert lines(page) == [
        ("item", "One"),
        ("item", "inner"),
        ("item", "Two"),
        ("item", "3. x"),
        ("item", "4. y"),
        ("item", "Parking: Free."),
        ("item", "Pets? No."),
        ("heading", "More"),
        ("heading", "Cash?"),
        ("paragraph", "Yes."),
    ]


def test_broken_lines_are_facts_of_their_own_unless_they_go_on() -> None:
    assert words("<p>Mon 8-5<br>Tue 9-5<br/>at the front<br>desk</p>") == ["Mon 8-5", "Tue 9-5 at the front desk"]


def test_a_number_behind_a_link_is_said() -> None:
    assert words('<p><a href="tel:+15415550100">Call us</a>, <a href="tel:5415550199">(541) 555-0199</a></p>') == [
        "Call us ((541) 555-0100), (541) 555-0199"
    ]


def test_meta_title_and_language() -> None:
    page = """<html lang=en><title>Horario | Clínica</title><meta name=site content=North>
    <meta name=valid_from content=2026-07-01><h1>Horario</h1><p>Abrimos los lunes a las ocho."""
    said = read(page).metadata
    assert (said.title, said.site, said.valid_from, said.language) == ("Horario", "North", "2026-07-01", "es")
    assert read("<html lang=hi><p>555-0100 OK").metadata.language == "hi"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ('<meta charset="gb18030"><p>针灸'.encode("gb18030"), "针灸"),
        ('<meta http-equiv=Content-Type content="text/html; charset=iso-8859-1"><p>niño'.encode("latin-1"), "niño"),
        ("<meta charset=utf-8><p>niño".encode("cp1252"), "niño"),  # it lies
        ("<meta charset=nonsense><p>时间".encode(), "时间"),
        ('<?xml version="1.0" encoding="utf-8"?><html><p>समय'.encode("utf-16"), "समय"),
    ],
)
def test_the_encoding_is_what_the_page_says_unless_that_is_wrong(data: bytes, text: str) -> None:
    assert words(decoded(data)) == [text]


def test_a_page_nested_too_deeply_is_refused_rather_than_half_read() -> None:
    with pytest.raises(BadDocument, match="nested too deeply"):
        read("<div>" * 100_000 + "Open.")


def test_a_text_of_many_megabytes_is_not_dropped() -> None:
    assert len(words("<p>" + "word " * 2_500_000)[0]) > 12_000_000


def test_absurd_spans_are_cut_down() -> None:
    page = "<table>" + "<tr><td colspan=99999999 rowspan=65534>a<td colspan=500>b" * 50 + "</table>"
    assert len(read(page).blocks) <= 50
