"""HTML as strangers write it, as blocks: what a visitor would see of the page's own words. Knows no other format.

Scripts, styles, navigation, forms' controls, hidden and struck-out words are left out: nobody at the clinic says them to a patient.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from appliance.errors import BadDocument
from appliance.knowledge.parsed import Block, Metadata, Parsed, metadata_of, tidy
from appliance.knowledge.readers import plain
from appliance.knowledge.readers.tables import MOST_COLUMNS, rows
from appliance.languages import detect
from appliance.message import LANGUAGES, Language

if TYPE_CHECKING:
    from lxml.html import HtmlElement


def decoded(data: bytes) -> str:
    """Bytes as text, by the page's own word on its encoding where it gives one."""
    told = _CHARSET.search(data[:2048])
    if told and not data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        try:
            return data.decode(told[1].decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            pass  # the page is wrong about itself, which is common: look at the bytes
    return plain.decoded(data)


_CHARSET: Final = re.compile(rb"""(?:charset|encoding)\s*=\s*["']?([A-Za-z0-9._-]+)""", re.IGNORECASE)


def read(text: str) -> Parsed:
    from lxml.etree import ParserError
    from lxml.html import HTMLParser, document_fromstring

    # huge_tree: without it lxml silently drops texts over 10 MB. The child's limits stand guard instead.
    parser = HTMLParser(huge_tree=True, remove_comments=True, remove_pis=True, no_network=True)
    try:
        page = document_fromstring(_DECLARATION.sub("", text.replace("\0", "")), parser=parser, ensure_head_body=True)
    except ParserError:
        raise BadDocument("holds no text") from None
    if any("depth" in entry.message for entry in parser.error_log):
        raise BadDocument("is nested too deeply to be read; save it anew in the program it was made with, or as text")
    blocks = tuple(_Page().blocks(_main(page)))
    return Parsed(blocks=blocks, metadata=_metadata(page, blocks))


_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]*>")


def _main(page: HtmlElement) -> HtmlElement:
    mains = page.xpath("//main | //*[@role='main']")
    return mains[0] if len(mains) == 1 else page.body


def _metadata(page: HtmlElement, blocks: Sequence[Block]) -> Metadata:
    said = {meta.get("name"): meta.get("content") or "" for meta in page.iter("meta") if meta.get("name")}
    title = tidy(page.findtext(".//title") or "")
    first = next((block.text for block in blocks if block.kind == "heading"), "")
    guessed = Metadata(title=(first if first and first in title else title) or None, language=_language(page, blocks))
    return metadata_of(said, where="<meta>").over(guessed)


def _language(page: HtmlElement, blocks: Sequence[Block]) -> Language | None:
    """Templates leave lang="en" on pages in Spanish: the words decide where they can."""
    told = (page.get("lang") or page.get("{http://www.w3.org/XML/1998/namespace}lang") or "").lower()[:2]
    hint = next((code for code in LANGUAGES if code == told), None)
    return detect(" ".join(block.text for block in blocks)[:20_000], hint=hint) if hint else None


class _Page:
    """Walks the tree once, without recursion, and gathers words until a block ends."""

    def __init__(self) -> None:
        self._words: list[str] = []
        self._lists: list[int | None] = []
        self._fresh = False
        self._heading: int | None = None
        self._level = 1
        self._pre = 0
        self._term = ""

    def blocks(self, root: HtmlElement) -> Iterator[Block]:
        from lxml.etree import iterwalk

        walk = iterwalk(root, events=("start", "end"))
        passed: HtmlElement | None = None
        for event, element in walk:
            if event == "end":
                if element is not passed:
                    yield from self._close(element)
                if element is not root:
                    self._say(element.tail)
            elif not _seen(element):
                passed = element
                walk.skip_subtree()
            elif element.tag == "table" and (grid := _grid(element)):
                yield from self._flush()
                yield from _table(element, grid)
                passed = element
                walk.skip_subtree()
            else:
                yield from self._open(element)
                self._say(element.text)
        yield from self._flush()

    def _say(self, words: str | None) -> None:
        if words:
            self._words.append(words.replace("\n", _BREAK) if self._pre else words.replace(_BREAK, " "))

    def _open(self, element: HtmlElement) -> Iterator[Block]:
        tag = element.tag
        if tag in _BLOCKS:
            yield from self._flush()
        if tag == "br":
            self._words.append(_BREAK)
        elif tag in ("ul", "menu"):
            self._lists.append(None)
        elif tag == "ol":
            start = element.get("start") or ""
            self._lists.append(int(start) - 1 if re.fullmatch(r"\d{1,4}", start) else 0)
        elif tag == "li" and self._lists:
            number = self._lists[-1]
            self._lists[-1] = None if number is None else number + 1
            self._fresh = True
        elif tag in _HEADINGS:
            self._heading = self._level = int(tag[1])
        elif tag == "summary":
            self._heading = min(6, self._level + 1)
        self._pre += tag == "pre"

    def _close(self, element: HtmlElement) -> Iterator[Block]:
        tag = element.tag
        if tag == "a" and (number := _number_behind(element)):
            self._words.append(f" ({number})")
        if tag == "dt":
            self._term = tidy("".join(self._words))
            self._words.clear()
        if tag in _BLOCKS:
            yield from self._flush(caption=tag in ("caption", "figcaption"))
        if tag in ("ul", "ol", "menu") and self._lists:
            self._lists.pop()
        if tag in _HEADINGS or tag == "summary":
            self._heading = None
        self._pre -= tag == "pre"

    def _flush(self, *, caption: bool = False) -> Iterator[Block]:
        lines = _lines("".join(self._words))
        self._words.clear()
        if self._heading and lines:
            yield Block(kind="heading", text=" ".join(lines), level=self._heading)
            return
        for line in lines:
            yield self._block(line, caption)

    def _block(self, line: str, caption: bool) -> Block:
        if self._term:
            term, self._term = self._term, ""
            text = f"{term} {line}" if term.endswith((":", "：", "?", "？")) else f"{term}: {line}"
            return Block(kind="item", text=text, level=len(self._lists) + 1)
        if not self._lists:
            return Block(kind="paragraph", text=line, introduces=caption)
        number, self._fresh = self._lists[-1] if self._fresh else None, False
        return Block(kind="item", text=f"{number}. {line}" if number is not None else line, level=len(self._lists))


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_BREAK: Final = "\v"
_HEADINGS: Final = frozenset(f"h{level}" for level in range(1, 7))
_BLOCKS: Final = _HEADINGS | _names(
    """
    address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure footer form
    header hgroup hr legend li main menu ol p pre section summary table tbody td tfoot th thead tr ul
    """
)
_LEFT_OUT: Final = _names(
    """
    applet area audio base button canvas datalist del embed frame frameset head iframe img input link map meta nav noscript object
    optgroup option param progress s script search select source strike style svg template textarea title track video
    """
)
_UNSEEN: Final = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?![.\d])|opacity\s*:\s*0(?![.\d])|line-through",
    re.IGNORECASE,
)


def _seen(element: HtmlElement) -> bool:
    return not (
        element.tag in _LEFT_OUT
        or element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or element.get("role") in ("navigation", "search", "menu", "menubar")
        or _UNSEEN.search(element.get("style") or "")
    )


def _lines(words: str) -> list[str]:
    """Lines as the page breaks them; one that goes on in small letters was broken for looks."""
    lines: list[str] = []
    for line in map(tidy, words.split(_BREAK)):
        if lines and line and line[0].islower():
            lines[-1] = f"{lines[-1]} {line}"
        elif line:
            lines.append(line)
    return lines


def _number_behind(link: HtmlElement) -> str | None:
    """The number that "Call us" dials, when the words do not say it."""
    found = re.match(r"tel:\+?([\d().\s-]{3,20})$", link.get("href") or "")
    said = re.sub(r"\D", "", link.text_content())
    if not found or re.sub(r"\D", "", found[1])[-4:] in said:
        return None
    return re.sub(r"^1?(\d{3})(\d{3})(\d{4})$", r"(\1) \2-\3", found[1].strip())


def _words_in(element: HtmlElement) -> str:
    """All the words a visitor sees in a cell, on one line."""
    from lxml.etree import iterwalk

    words: list[str] = []
    walk = iterwalk(element, events=("start", "end"))
    for event, inner in walk:
        if event == "end":
            words.append(" " if inner.tag in _BLOCKS or inner.tag == "br" else "")
            words.append((inner.tail or "") if inner is not element else "")
        elif _seen(inner):
            words.append(inner.text or "")
        else:
            walk.skip_subtree()
    return tidy("".join(words))


# ---- tables ----------------------------------------------------------------------------------------------------------


def _grid(table: HtmlElement) -> list[list[HtmlElement]] | None:
    """Rows of cells, cells that span repeated; None for a table that only arranges the page."""
    if table.get("role") in ("presentation", "none") or table.xpath(".//table|.//h1|.//h2|.//h3"):
        return None
    grid: list[list[HtmlElement]] = []
    hanging: dict[int, tuple[int, HtmlElement]] = {}
    for row in table.iter("tr"):
        line: list[HtmlElement] = []
        for cell in row.iterchildren("td", "th"):
            _hang(line, hanging)
            for _ in range(_span(cell, "colspan")):
                if _span(cell, "rowspan") > 1:
                    hanging[len(line)] = (_span(cell, "rowspan") - 1, cell)
                line.append(cell)
        _hang(line, hanging)
        grid.append(line[:MOST_COLUMNS])
    return grid if len(grid) > 1 and max(map(len, grid)) > 1 else None


def _hang(line: list[HtmlElement], hanging: dict[int, tuple[int, HtmlElement]]) -> None:
    """Cells of the rows above that reach down into this one."""
    while len(line) in hanging:
        left, cell = hanging.pop(len(line))
        if left > 1:
            hanging[len(line)] = (left - 1, cell)
        line.append(cell)


def _span(cell: HtmlElement, name: str) -> int:
    told = cell.get(name) or "1"
    return max(1, min(int(told), MOST_COLUMNS)) if re.fullmatch(r"\d{1,6}", told) else 1


def _table(table: HtmlElement, grid: Sequence[Sequence[HtmlElement]]) -> Iterator[Block]:
    for caption in table.iterchildren("caption"):
        if words := _words_in(caption):
            yield Block(kind="paragraph", text=words, introduces=True)
    heads = [row for row in grid if row and all(cell.tag == "th" for cell in row)]
    heads = heads or [row for row in grid if row and row[0].getparent().getparent().tag == "thead"]
    texts = {cell: _words_in(cell) for row in grid for cell in row if _seen(cell)}
    body: list[list[str | None]] = [
        [None if place and row[place - 1] is cell else texts.get(cell, "") for place, cell in enumerate(row)]
        for row in grid
        if row not in heads
    ]
    if heads:
        width = max(map(len, heads))
        columns = [[texts.get(row[place], "") for row in heads if place < len(row)] for place in range(width)]
        body.insert(0, [" ".join(dict.fromkeys(filter(None, column))) for column in columns])
    yield from rows(body, headed=True if heads else None)
