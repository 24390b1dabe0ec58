"""Word files (DOCX) as blocks: headings, lists, tables in their place, text boxes. Knows no other format.

Only what a reader of the printed page would see: no deleted, hidden or struck-out words, no fields' codes, no page headers.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from appliance.errors import BadDocument
from appliance.knowledge.parsed import Block, Metadata, Parsed, tidy
from appliance.knowledge.readers.tables import MOST_COLUMNS, rows
from appliance.knowledge.sentences import weight

if TYPE_CHECKING:
    from docx.document import Document

XML_SHARE: Final = 12
"""A tree of XML takes up to this many times the memory of its text."""


def read(data: bytes, *, memory_mb: int) -> Parsed:
    _check(data, memory_mb)
    import docx
    from lxml.etree import XMLSyntaxError

    try:
        document = docx.Document(io.BytesIO(data))
        blocks = tuple(_Word(document).blocks())
    except (KeyError, ValueError, AttributeError, zipfile.BadZipFile, XMLSyntaxError) as error:
        raise BadDocument(
            "is damaged, or of a kind of DOCX that cannot be read; save it anew as a Word document (.docx)"
        ) from error
    title = tidy(document.core_properties.title or "")
    headed = any(block.kind == "heading" for block in blocks)
    metadata = Metadata(title=title) if title and not headed and not _NO_TITLE.match(title) else Metadata()
    return Parsed(blocks=blocks, metadata=metadata)


_NO_TITLE: Final = re.compile(r"(?:word document|document ?\d*|untitled|microsoft word.*|doc\d+)$", re.IGNORECASE)


def _check(data: bytes, memory_mb: int) -> None:
    """Sizes are looked at before anything is unpacked: a file of 700 KB can unpack to 700 MB."""
    if data.startswith(b"\xd0\xcf\x11\xe0"):
        locked = "EncryptedPackage".encode("utf-16-le") in data
        raise BadDocument(
            "is password-protected; save it without a password"
            if locked
            else "is an old Word file (.doc); save it as DOCX"
        )
    try:
        parts = zipfile.ZipFile(io.BytesIO(data)).infolist()
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
        raise BadDocument("is not a DOCX although its name says so, or it is damaged") from None
    if "word/document.xml" not in {part.filename for part in parts}:
        raise BadDocument("is not a DOCX although its name says so: it holds no Word document")
    if any(part.flag_bits & 1 for part in parts):
        raise BadDocument("is password-protected; save it without a password")
    text = sum(part.file_size for part in parts if part.filename.endswith((".xml", ".rels")))
    whole = sum(part.file_size for part in parts)
    if text * XML_SHARE > memory_mb << 20 or whole * 2 > memory_mb << 20:
        raise BadDocument(
            f"needs more than {memory_mb} MB of memory to open (knowledge.parse_memory_mb): it unpacks to {whole >> 20} MB; "
            "split it, or leave out its pictures"
        )


_W: Final = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_FALLBACK: Final = "{http://schemas.openxmlformats.org/markup-compatibility/2006}Fallback"


class _Word:
    """Walks a document's body. Elements are lxml's; python-docx opens the package and finds the parts."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._counters: Counter[tuple[str, int]] = Counter()

    def blocks(self) -> Iterator[Block]:
        yield from self._all(self._document.element.body)

    def _all(self, parent: Any) -> Iterator[Block]:
        for element in parent:
            if element.tag == _W + "p":
                yield from self._paragraph(element)
            elif element.tag == _W + "tbl":
                yield from self._table(element)
            elif element.tag in (_W + "sdt", _W + "sdtContent", _W + "customXml", _W + "ins"):
                yield from self._all(element)

    def _paragraph(self, paragraph: Any) -> Iterator[Block]:
        boxes: list[Any] = []
        lines = [line for line in map(tidy, _words(paragraph, boxes).split("\n")) if line]
        if lines:
            yield from self._lines(paragraph, lines)
        for box in boxes:
            yield from self._all(box)

    def _lines(self, paragraph: Any, lines: list[str]) -> Iterator[Block]:
        if level := self._level(paragraph):
            yield Block(kind="heading", text=" ".join(lines), level=level)
        elif numbered := self._numbered(paragraph):
            marker, depth = numbered
            yield Block(kind="item", text=marker + lines[0], level=depth)
            yield from (Block(kind="item", text=line, level=depth) for line in lines[1:])
        elif len(lines) == 1 and _looks_like_heading(paragraph, lines[0]):
            yield Block(kind="heading", text=lines[0].rstrip(":："), level=6)
        else:
            caption = self._style_name(paragraph) == "caption"
            yield from (Block(kind="paragraph", text=line, introduces=caption) for line in lines)

    # ---- styles -----------------------------------------------------------------------------------------------------

    @cached_property
    def _styles(self) -> dict[str, Any]:
        return {style.get(_W + "styleId"): style for style in self._document.styles.element.iter(_W + "style")}

    @cached_property
    def _titled(self) -> bool:
        """With a title, the headings of the first level stand below it."""
        return any(self._style_name(one) == "title" for one in self._document.element.body.iter(_W + "p"))

    def _chain(self, paragraph: Any) -> Iterator[Any]:
        """The paragraph's style and those it is based on."""
        name = _value(paragraph.find(f"{_W}pPr/{_W}pStyle"))
        for _ in range(10):  # styles can be based on each other in a ring
            style = self._styles.get(name or "")
            if style is None:
                return
            yield style
            name = _value(style.find(_W + "basedOn"))

    def _style_name(self, paragraph: Any) -> str:
        """The English name that Word writes for its own styles whatever language it speaks."""
        return next(((_value(style.find(_W + "name")) or "").lower() for style in self._chain(paragraph)), "")

    def _level(self, paragraph: Any) -> int | None:
        for style in self._chain(paragraph):
            name = (_value(style.find(_W + "name")) or "").lower()
            if name == "title":
                return 1
            if found := re.fullmatch(r"heading ([1-9])", name):
                return min(6, int(found[1]) + self._titled)
        for holder in (paragraph, *self._chain(paragraph)):
            level = _value(holder.find(f"{_W}pPr/{_W}outlineLvl"))
            if level and level.isdigit() and int(level) < 9:
                return min(6, int(level) + 1 + self._titled)
        return None

    # ---- lists ------------------------------------------------------------------------------------------------------

    def _numbered(self, paragraph: Any) -> tuple[str, int] | None:
        """The number before an item, empty for a bullet, and how deep the item is nested."""
        for holder in (paragraph, *self._chain(paragraph)):
            number = _value(holder.find(f"{_W}pPr/{_W}numPr/{_W}numId"))
            if number is None:
                continue
            if number == "0":
                return None
            depth = _value(holder.find(f"{_W}pPr/{_W}numPr/{_W}ilvl")) or "0"
            return self._marker(number, int(depth) if depth.isdigit() else 0)
        return ("", 1) if self._style_name(paragraph).startswith("list bullet") else None

    def _marker(self, number: str, depth: int) -> tuple[str, int]:
        self._counters[number, depth] += 1
        for deeper in [key for key in self._counters if key[0] == number and key[1] > depth]:
            del self._counters[deeper]
        decimal = self._formats.get((number, depth)) == "decimal"
        return (f"{self._counters[number, depth]}. " if decimal else ""), depth + 1

    @cached_property
    def _formats(self) -> dict[tuple[str, int], str]:
        """How each list counts at each depth: 'bullet', 'decimal' …"""
        try:
            numbering = self._document.part.numbering_part.element
        except (KeyError, NotImplementedError):  # python-docx has none to give when the file has none
            return {}
        abstract = {one.get(_W + "abstractNumId"): one for one in numbering.iter(_W + "abstractNum")}
        found = {}
        for number in numbering.iter(_W + "num"):
            for level in abstract.get(_value(number.find(_W + "abstractNumId")), ()):
                if level.tag == _W + "lvl":
                    counts = _value(level.find(_W + "numFmt")) or ""
                    found[number.get(_W + "numId"), int(level.get(_W + "ilvl") or 0)] = counts
        return found

    # ---- tables -----------------------------------------------------------------------------------------------------

    def _table(self, table: Any) -> Iterator[Block]:
        lines = [_cells(row) for row in _children(table, "tr")]
        if len(lines) < 2 or max(map(len, lines)) < 2:  # it only frames something
            for cell in (cell for line in lines for cell in line if cell is not None):
                yield from self._all(cell)
            return
        texts: list[list[str | None]] = []
        for line in lines:
            above = texts[-1] if texts else []
            texts.append(
                [_cell_text(cell, above[place] if place < len(above) else None) for place, cell in enumerate(line)]
            )
        yield from rows(texts, headed=True if _is_head(next(_children(table, "tr")), lines[0]) else None)


def _children(parent: Any, name: str) -> Iterator[Any]:
    """Rows or cells, also those that stand in a content control."""
    for element in parent:
        if element.tag == _W + name:
            yield element
        elif element.tag in (_W + "sdt", _W + "sdtContent", _W + "ins"):
            yield from _children(element, name)


def _cells(row: Any) -> list[Any | None]:
    line: list[Any | None] = []
    for cell in _children(row, "tc"):
        span = _value(cell.find(f"{_W}tcPr/{_W}gridSpan")) or "1"
        line += [cell] + [None] * (min(int(span), MOST_COLUMNS) - 1 if span.isdigit() else 0)
    return line


def _cell_text(cell: Any | None, above: str | None) -> str | None:
    if cell is None:
        return None
    merged = cell.find(f"{_W}tcPr/{_W}vMerge")
    if merged is not None and _value(merged) in (None, "continue"):
        return above
    return " ".join(_words(paragraph, []) for paragraph in cell.iter(_W + "p"))


def _is_head(row: Any, cells: Iterable[Any | None]) -> bool:
    """Said so, or all in bold."""
    if _on(row.find(f"{_W}trPr/{_W}tblHeader")):
        return True
    return all(_is_bold(paragraph) for cell in cells if cell is not None for paragraph in cell.iter(_W + "p"))


# ---- words -----------------------------------------------------------------------------------------------------------


def _words(paragraph: Any, boxes: list[Any]) -> str:
    """What can be read of a paragraph, a newline for each break; its text boxes are put into ``boxes``."""
    from lxml.etree import iterwalk

    words: list[str] = []
    walk = iterwalk(paragraph, events=("start",))
    for _, element in walk:
        if element.tag == _W + "t":
            words.append(element.text or "")
        elif element.tag in _CHARACTERS:
            words.append(_CHARACTERS[element.tag])
        elif element.tag == _W + "txbxContent":
            boxes.append(element)
            walk.skip_subtree()
        elif element.tag in _UNREAD or (element.tag == _W + "r" and _is_unseen(element)):
            walk.skip_subtree()
    return "".join(words)


_CHARACTERS: Final = {_W + "tab": " ", _W + "br": "\n", _W + "cr": "\n", _W + "noBreakHyphen": "-", _W + "ptab": " "}
_UNREAD: Final = {_W + "del", _W + "moveFrom", _W + "pPr", _W + "rPr", _W + "instrText", _FALLBACK}


def _is_unseen(run: Any) -> bool:
    look = run.find(_W + "rPr")
    return look is not None and any(_on(look.find(_W + name)) for name in ("vanish", "strike", "dstrike"))


def _looks_like_heading(paragraph: Any, line: str) -> bool:
    """A short line all in bold that does not end as a sentence does."""
    return _is_bold(paragraph) and weight(line) <= 10 and line[-1] not in ".!?;,。！？；，।" and not _FACT.search(line)


_FACT: Final = re.compile(r"\d[\d.,: -]*\d|[$€@]")


def _is_bold(paragraph: Any) -> bool:
    runs = [run for run in paragraph.iter(_W + "r") if tidy("".join(text.text or "" for text in run.iter(_W + "t")))]
    return bool(runs) and all(_on(run.find(f"{_W}rPr/{_W}b")) for run in runs)


def _on(switch: Any) -> bool:
    return switch is not None and _value(switch) not in ("0", "false", "off", "none")


def _value(element: Any) -> str | None:
    if element is None:
        return None
    value: str | None = element.get(_W + "val")
    return value
