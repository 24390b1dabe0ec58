"""PDF as blocks, page by page: lines joined to paragraphs, headings by their size, lists, tables. Knows no other format.

A PDF says where each letter stands and nothing else; what belongs together is seen from distances, sizes and full stops.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Final

import msgspec

from appliance.errors import BadDocument
from appliance.knowledge.parsed import Block, Metadata, Parsed
from appliance.knowledge.readers.letters import Page, Word, drawn
from appliance.knowledge.readers.plain import joined
from appliance.knowledge.readers.ruled import Ruled, tables
from appliance.knowledge.readers.tables import rows
from appliance.knowledge.sentences import weight


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One printed line, or a whole ruled table in its place among the lines."""

    cells: tuple[str, ...]
    """Its words, in stretches that wide gaps divide."""
    starts: tuple[float, ...]
    """Where each stretch begins."""
    right: float
    word: float
    """How wide its first word is; of Chinese, two characters, as no line may begin with a comma."""
    base: float
    size: float
    bold: bool
    page: int
    share: float
    """How far up the page it stands: 0 is the bottom, 1 the top."""
    table: tuple[Block, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(self.cells)

    @property
    def left(self) -> float:
        return self.starts[0]


def read(data: bytes) -> Parsed:
    file = drawn(data)
    lines = [line for page in file.pages for line in _lines(page)]
    _check("".join(line.text for line in lines), len(file.pages))
    kept = _without_margins(lines, len(file.pages))
    blocks = tuple(_Layout(kept).blocks())
    first = " ".join(line.text for line in kept if line.page == 1)
    title = file.title if file.title and file.title.lower() in first.lower() else None
    return Parsed(blocks=blocks, metadata=Metadata(title=title), note=_note(file.pages))


def _check(text: str, pages: int) -> None:
    letters = sum(map(str.isalpha, text))
    if letters < 15:
        raise BadDocument(
            f"this PDF has no text layer: its {pages} page{'s are' if pages != 1 else ' is'} only pictures, perhaps a scan. "
            "Run it through text recognition (OCR), or learn the original file"
        )
    if text.count("\ufffd") + sum("\ue000" <= letter <= "\uf8ff" for letter in text) > 0.3 * letters:
        raise BadDocument("this PDF does not say which letters its shapes are; learn the original file instead")


def _note(pages: Sequence[Page]) -> str:
    pictures = [page.number for page in pages if not page.words and page.has_picture]
    numbers = ", ".join(map(str, pictures[:10])) + (" …" if len(pictures) > 10 else "")
    return f"nothing could be read on page {numbers}: there are only pictures" if pictures else ""


# ---- words to lines --------------------------------------------------------------------------------------------------


def _lines(page: Page) -> Iterator[Line]:
    """In the file's order; a ruled table stands where its first word does."""
    ruled = tables(page.rules)
    inside: dict[int, list[Word]] = {}
    flow: list[tuple[int | None, Word]] = []
    for word in page.words:
        number = next((number for number, table in enumerate(ruled) if table.holds(word)), None)
        if number is None or number not in inside:
            flow.append((number, word))
        if number is not None:
            inside.setdefault(number, []).append(word)
    for number, words in groupby(flow, key=lambda pair: pair[0]):
        if number is None:
            yield from _running(page, [word for _, word in words])
        else:
            yield _table(page, ruled[number], inside[number])


def _table(page: Page, ruled: Ruled, words: Sequence[Word]) -> Line:
    headed = True if ruled.is_bold(words) else None
    return msgspec.structs.replace(
        _line(page, [words[0]]), table=tuple(rows(ruled.texts(words), headed=headed, page=page.number))
    )


def _running(page: Page, words: Sequence[Word]) -> Iterator[Line]:
    """Words that were drawn together, or side by side on one line, however far apart."""
    line: list[Word] = []
    for word in words:
        beside = line and abs(word.base - line[-1].base) < 0.25 * word.size and word.left > line[-1].right - 1
        if line and word.line != line[-1].line and not beside:
            yield _line(page, line)
            line = []
        line.append(word)
    if line:
        yield _line(page, line)


def _line(page: Page, words: Sequence[Word]) -> Line:
    stretches = [[words[0]]]
    for before, word in pairwise(words):
        if word.left - before.right > _GAP * word.size and not _BULLET.fullmatch(before.text):
            stretches.append([])
        stretches[-1].append(word)
    first = words[0]
    dots = (
        left for left, up in page.dots if 0 < first.left - left < 3 * first.size and 0 < up - first.base < first.size
    )
    dot = next(dots, None)
    cells = [" ".join(word.text for word in stretch) for stretch in stretches]
    return Line(
        cells=tuple(cells) if dot is None or _BULLET.match(cells[0]) else (f"• {cells[0]}", *cells[1:]),
        starts=(first.left if dot is None else dot, *(stretch[0].left for stretch in stretches[1:])),
        right=words[-1].right,
        word=2 * first.size if _is_han(first.text[0]) else first.right - first.left,
        base=first.base,
        size=max(Counter(word.size for word in words).items(), key=lambda pair: pair[1])[0],
        bold=all(word.bold for word in words),
        page=page.number,
        share=first.base / page.height,
    )


_GAP: Final = 1.0
"""Of the letters' size: a wider gap parts the cells of a table."""
_BULLET: Final = re.compile(r"[•◦▪‣●○■□➢✓·*–—-]|\(?\d{1,2}[.)]|[a-z]\)")


# ---- what every page repeats -----------------------------------------------------------------------------------------


def _without_margins(lines: Sequence[Line], pages: int) -> list[Line]:
    """Without page numbers, and without what stands at the top or bottom of at least half of the pages."""
    seen = Counter(key for key, _ in {(_key(line), line.page) for line in lines if _in_margin(line)})
    repeated = {key for key, count in seen.items() if count >= max(2, pages / 2)}
    return [
        line
        for line in lines
        if line.text and not (_in_margin(line) and (_key(line) in repeated or _PRINTED.fullmatch(line.text)))
    ]


def _in_margin(line: Line) -> bool:
    return not 0.1 < line.share < 0.9


def _key(line: Line) -> str:
    return re.sub(r"\d+", "#", line.text.lower())


_PRINTED: Final = re.compile(
    r"(?:page|página|pág\.|पृष्ठ|第)?\s*[-–—]?\s*\d{1,4}\s*[-–—]?\s*(?:页)?(?:\s*(?:of|de|/|共|में से)\s*\d{1,4}\s*(?:页)?)?"
    r"|(?:file|https?)://\S+(?:\s+\d+\s*/\s*\d+)?|\d{1,2}/\d{1,2}/\d{2,4},? \d{1,2}:\d\d(?: [AP]M)?(?: .{0,80})?",
    re.IGNORECASE,
)
"""What printing adds: a page's number, the address, the time of printing."""


# ---- lines to blocks -------------------------------------------------------------------------------------------------


class _Layout:
    """What the whole document's lines say about one line: the usual size, the usual distance, the levels of headings."""

    def __init__(self, lines: Sequence[Line]) -> None:
        self._lines = lines
        letters = Counter[float]()
        for line in lines:
            letters[line.size] += len(line.text)
        self._body = letters.most_common(1)[0][0]
        steps = [(above, above.base - line.base) for above, line in pairwise(lines) if above.page == line.page]
        self._pitch = _usual([step for above, step in steps if 0 < step < 2.2 * above.size])
        self._rights: dict[tuple[int, int], float] = {}
        for line in lines:
            key = (line.page, round(line.left / _INDENT))
            self._rights[key] = max(line.right, self._rights.get(key, 0.0))
        larger = sorted({line.size for line in lines if self._is_larger(line)}, reverse=True)
        self._levels = {size: min(place, 5) for place, sizes in enumerate(_near(larger), start=1) for size in sizes}
        self._words = frozenset(_whole_words(lines))

    def blocks(self) -> Iterator[Block]:
        place = 0
        while place < len(self._lines):
            if self._lines[place].table:
                yield from self._lines[place].table
                place += 1
                continue
            run = self._table(place)
            if run:
                yield from rows(
                    _columns(run), headed=True if run[0].bold and not run[-1].bold else None, page=run[0].page
                )
                place += len(run)
                continue
            group = self._group(place)
            yield self._block(group)
            place += len(group)

    def _table(self, place: int) -> Sequence[Line]:
        """The lines from here on whose stretches stand below each other; none if that is not a table."""
        first = self._lines[place]
        last = place + 1
        if len(first.cells) < 2:
            return ()
        while last < len(self._lines) and _aligned(first, self._lines[last]):
            last += 1
        return self._lines[place:last] if last - place > 1 else ()

    def _group(self, place: int) -> Sequence[Line]:
        """The lines from here on that are one heading, item or paragraph."""
        last = place + 1
        while last < len(self._lines) and self._goes_on(self._lines[place], self._lines[last - 1], self._lines[last]):
            last += 1
        return self._lines[place:last]

    def _block(self, group: Sequence[Line]) -> Block:
        first = group[0]
        text = group[0].text
        for line in group[1:]:
            text = self._joined(text, line.text)
        level = self._level(first)
        if level and _may_be_heading(text):
            return Block(kind="heading", text=text.rstrip(":："), level=level, page=first.page)
        if found := _ITEM.match(text):
            marker = f"{found['number']} " if found["number"] else ""
            return Block(kind="item", text=marker + text[found.end() :], level=1, page=first.page)
        return Block(kind="paragraph", text=text, page=first.page)

    def _goes_on(self, first: Line, before: Line, line: Line) -> bool:
        """Whether a line belongs to the same heading, item or paragraph as the one before it."""
        level = self._level(line)
        if line.table or level != self._level(before) or abs(before.size - line.size) > 0.08 * line.size:
            return False
        ended = before.text[-1] in _ENDS and not line.text[0].islower()
        full = self._is_full(before, line, ended=ended)
        if (item := _ITEM.match(line.text)) and (not item["number"] or ended or not full):
            return False
        if before.page != line.page or line.base >= before.base:  # the next page, or the next column
            return full and not ended and not level
        if before.base - line.base > 1.3 * self._pitch:
            return False
        if level:
            return True
        if _ITEM.match(first.text) and line.left < first.left + 0.3 * line.size:
            return False
        return full and not (ended and line.left > before.left + 0.8 * line.size)

    def _is_full(self, line: Line, after: Line, *, ended: bool) -> bool:
        """The next word would not have fitted on it: the lines that begin at the same place end not much further right."""
        column = round(line.left / _INDENT)
        edge = max(self._rights.get((line.page, near), 0.0) for near in (column - 1, column, column + 1))
        parted = re.search(r"\w-$", line.text) is not None
        return parted or edge - line.right - after.word < (0.5 if ended else 2.0) * line.size

    def _is_larger(self, line: Line) -> bool:
        return line.size > 1.12 * self._body and any(letter.isalpha() for letter in line.text)

    def _level(self, line: Line) -> int | None:
        if self._is_larger(line):
            return self._levels[line.size]
        return 6 if line.bold and line.size > 0.9 * self._body and _may_be_heading(line.text) else None

    def _joined(self, before: str, after: str) -> str:
        """A word that a line's end has parted is mended. A hyphen stays where the file writes the word so elsewhere, or where
        what follows it is a word of its own: programs that part words are rarer than lines that end in "smoke-".
        """
        parted = _PARTED.search(before)
        rest = re.match(r"[^\W\d_]+", after)
        if not parted or not rest or not rest[0][0].islower():
            return before + after if before.endswith("-") and after[0].isdigit() else joined(before, after)
        whole, hyphened = (parted[1] + rest[0]).lower(), f"{parted[1]}-{rest[0]}".lower()
        if whole in self._words and hyphened not in self._words:
            stays = False
        else:
            stays = hyphened in self._words or len(parted[1]) < 2 or rest[0] in self._words
        return (before if stays else before[:-1]) + after


def _whole_words(lines: Sequence[Line]) -> Iterator[str]:
    """Every word of the file that no line's end has parted."""
    before = ""
    for line in lines:
        words = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", line.text.lower())
        yield from words[1 if before.endswith("-") else 0 : -1 if line.text.endswith("-") else None]
        before = line.text


def _usual(distances: Sequence[float]) -> float:
    """The commonest distance between two lines."""
    rounded = Counter(round(distance) for distance in distances)
    return float(rounded.most_common(1)[0][0]) if rounded else 14.0


def _near(sizes: Sequence[float]) -> list[list[float]]:
    """Sizes from large to small, those that hardly differ together."""
    groups: list[list[float]] = []
    for size in sizes:
        if groups and groups[-1][0] - size < 0.06 * size:
            groups[-1].append(size)
        else:
            groups.append([size])
    return groups


def _aligned(first: Line, line: Line) -> bool:
    if (
        line.page != first.page
        or len(line.cells) < 2
        or line.base >= first.base
        or abs(line.size - first.size) > 0.15 * first.size
    ):
        return False
    return all(any(abs(start - other) < 3.0 for other in first.starts) for start in line.starts)


def _columns(run: Sequence[Line]) -> list[list[str]]:
    """Each line's stretches under those of the first line; what is missing is empty."""
    table = []
    for line in run:
        cells = [""] * len(run[0].starts)
        for start, cell in zip(line.starts, line.cells, strict=True):
            nearest = min(range(len(cells)), key=lambda place: abs(run[0].starts[place] - start))
            cells[nearest] = f"{cells[nearest]} {cell}".strip()
        table.append(cells)
    return table


def _may_be_heading(text: str) -> bool:
    return weight(text) <= 14 and not (text[-1] in ".;,。；，।" and weight(text) > 3) and not _ITEM.match(text)


def _is_han(letter: str) -> bool:
    return "\u3000" <= letter <= "\u9fff" or "\uff00" <= letter <= "\uffef"


_ITEM: Final = re.compile(r"(?:[•◦▪‣●○■□➢✓·]\s*|[*–—-]\s+|(?P<number>\(?\d{1,2}[.)])\s+)(?=\S)")
_PARTED: Final = re.compile(r"([^\W\d_]+)-$")
_INDENT: Final = 6.0
"""Lines whose left edges differ by less stand in one column."""
_ENDS: Final = ".!?:;。！？：；।"
