"""PDF as blocks, page by page: lines joined to paragraphs, headings by their size, lists, simple tables. Knows no other format.

A PDF says where each letter stands and nothing else; what belongs together is seen from distances, sizes and full stops.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from ctypes import c_double
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec

from appliance.errors import BadDocument
from appliance.knowledge.parsed import Block, Metadata, Parsed, tidy
from appliance.knowledge.readers.plain import joined
from appliance.knowledge.readers.tables import rows
from appliance.knowledge.sentences import weight

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage, PdfTextPage


class Line(msgspec.Struct, frozen=True):
    """One printed line. Lengths in points, from the page's lower left corner."""

    cells: tuple[str, ...]
    """Its words, in stretches that wide gaps divide."""
    starts: tuple[float, ...]
    """Where each stretch begins."""
    right: float
    base: float
    size: float
    bold: bool
    page: int
    share: float
    """How far up the page it stands: 0 is the bottom, 1 the top."""

    @property
    def text(self) -> str:
        return " ".join(self.cells)

    @property
    def left(self) -> float:
        return self.starts[0]


def read(data: bytes) -> Parsed:
    if b"%PDF-" not in data[:1024]:
        raise BadDocument("is not a PDF although its name says so")
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        locked = error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD
        words = "is password-protected; save it without a password"
        raise BadDocument(words if locked else "is a damaged PDF; save it anew, or print it to a PDF") from error
    lines, pictures = _lines(document)
    _check(lines, pages=len(document))
    kept = _without_margins(lines, len(document))
    blocks = tuple(_Layout(kept).blocks())
    return Parsed(blocks=blocks, metadata=_metadata(document, lines), note=_note(pictures))


def _check(lines: Sequence[Line], *, pages: int) -> None:
    text = "".join(line.text for line in lines)
    letters = sum(map(str.isalpha, text))
    if letters < 15:
        raise BadDocument(
            f"this PDF has no text layer: its {pages} page{'s are' if pages != 1 else ' is'} only pictures, perhaps a scan. "
            "Run it through text recognition (OCR), or learn the original file"
        )
    if sum(map(text.count, "\ufffd\0")) + sum("\ue000" <= letter <= "\uf8ff" for letter in text) > 0.3 * letters:
        raise BadDocument("this PDF does not say which letters its shapes are; learn the original file instead")


def _note(pictures: Sequence[int]) -> str:
    if not pictures:
        return ""
    numbers = ", ".join(map(str, pictures[:10])) + (" …" if len(pictures) > 10 else "")
    return f"nothing could be read on page {numbers}: there are only pictures"


def _metadata(document: PdfDocument, lines: Sequence[Line]) -> Metadata:
    """The file's own title, if the first page says it too: it is often the name of a template."""
    title = tidy(document.get_metadata_value("Title") or "")
    first = " ".join(line.text for line in lines if line.page == 1)
    return Metadata(title=title) if title and title.lower() in first.lower() else Metadata()


# ---- letters to lines ------------------------------------------------------------------------------------------------


def _lines(document: PdfDocument) -> tuple[list[Line], list[int]]:
    """Every line in the file's order, and the pages on which only pictures stand."""
    lines: list[Line] = []
    pictures = []
    for number, page in enumerate(document, start=1):
        text = page.get_textpage()
        found = list(_lines_of(page, text, number))
        if not found and _has_picture(page):
            pictures.append(number)
        lines += found
        text.close()
        page.close()
    return lines, pictures


def _has_picture(page: PdfPage) -> bool:
    import pypdfium2.raw

    return any(True for _ in page.get_objects(filter=[pypdfium2.raw.FPDF_PAGEOBJ_IMAGE], max_depth=3))


def _lines_of(page: PdfPage, text: PdfTextPage, number: int) -> Iterator[Line]:
    import pypdfium2.raw as pdfium

    height = page.get_height() or 1.0
    letters = "".join(chr(pdfium.FPDFText_GetUnicode(text, place)) for place in range(text.count_chars()))
    boxes = _Boxes(text)
    for found in _LINE.finditer(letters):
        words = [(word.start() + found.start(), word.end() + found.start()) for word in _WORD.finditer(found[0])]
        if words:
            yield _line(letters, words, boxes, number, height)


_LINE: Final = re.compile(r"[^\r\n]+")
_WORD: Final = re.compile(r"[^\s\u00a0]+")


class _Boxes:
    """Where letters stand. Asked for the first and last of each word only: every question crosses into C."""

    def __init__(self, text: PdfTextPage) -> None:
        import pypdfium2.raw as pdfium

        self._pdfium = pdfium
        self._text = text

    def sides(self, place: int) -> tuple[float, float]:
        left, right, bottom, top = c_double(), c_double(), c_double(), c_double()
        self._pdfium.FPDFText_GetCharBox(self._text, place, left, right, bottom, top)
        return left.value, right.value

    def base(self, place: int) -> float:
        across, up = c_double(), c_double()
        self._pdfium.FPDFText_GetCharOrigin(self._text, place, across, up)
        return up.value

    def size(self, place: int) -> float:
        """The font's height as printed; its nominal size leaves out how the page scales it."""
        box = self._pdfium.FS_RECTF()
        self._pdfium.FPDFText_GetLooseCharBox(self._text, place, box)
        return round(abs(box.top - box.bottom), 1) or 1.0

    def bold(self, place: int) -> bool:
        import ctypes

        if self._pdfium.FPDFText_GetFontWeight(self._text, place) >= 600:
            return True
        name = ctypes.create_string_buffer(200)
        self._pdfium.FPDFText_GetFontInfo(self._text, place, name, 200, ctypes.c_int())
        return re.search(rb"bold|black|heavy", name.value, re.IGNORECASE) is not None


def _line(letters: str, words: Sequence[tuple[int, int]], boxes: _Boxes, page: int, height: float) -> Line:
    first, last = words[0][0], words[-1][1] - 1
    size = boxes.size(first)
    stretches = [[words[0]]]
    starts = [boxes.sides(first)[0]]
    for before, word in pairwise(words):
        left = boxes.sides(word[0])[0]
        if left - boxes.sides(before[1] - 1)[1] > _GAP * size and not _BULLET.fullmatch(letters[before[0] : before[1]]):
            stretches.append([])
            starts.append(left)
        stretches[-1].append(word)
    base = boxes.base(first)
    return Line(
        cells=tuple(_mended(letters[stretch[0][0] : stretch[-1][1]]) for stretch in stretches),
        starts=tuple(starts),
        right=boxes.sides(last)[1],
        base=base,
        size=size,
        bold=boxes.bold(first) and boxes.bold(last),
        page=page,
        share=base / height,
    )


def _mended(text: str) -> str:
    """pdfium writes a hyphen at a line's end as U+0002 or U+FFFE; pairs of surrogates become the letter they mean."""
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return tidy(whole.replace("\x02", "-").replace("\ufffe", "-"))


_GAP: Final = 0.9
"""Of the letters' height: a wider gap parts the cells of a table."""
_BULLET: Final = re.compile(r"[•◦▪‣●○■□➢✓·*–—\uf0b7\uf0a7\uf0d8-]|\(?\d{1,2}[.)]|[a-z]\)")


# ---- what every page repeats -----------------------------------------------------------------------------------------


def _without_margins(lines: Sequence[Line], pages: int) -> list[Line]:
    """Without page numbers, and without what stands at the top or bottom of at least half of the pages."""
    seen = Counter(key for key, _ in {(_key(line), line.page) for line in lines if _in_margin(line)})
    repeated = {key for key, count in seen.items() if count >= max(2, pages / 2)}
    return [
        line
        for line in lines
        if line.text
        and not (_in_margin(line) and (_key(line) in repeated or _PAGE_NUMBER.fullmatch(line.text.strip())))
    ]


def _in_margin(line: Line) -> bool:
    return not 0.1 < line.share < 0.9


def _key(line: Line) -> str:
    return re.sub(r"\d+", "#", line.text.lower())


_PAGE_NUMBER: Final = re.compile(
    r"(?:page|página|pág\.|पृष्ठ|第)?\s*[-–—]?\s*\d{1,4}\s*[-–—]?\s*(?:页)?"
    r"(?:\s*(?:of|de|/|共|में से)\s*\d{1,4}\s*(?:页)?)?",
    re.IGNORECASE,
)


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
        self._rights: dict[int, float] = {}
        for line in lines:
            self._rights[line.page] = max(line.right, self._rights.get(line.page, 0.0))
        larger = sorted({line.size for line in lines if self._is_larger(line)}, reverse=True)
        self._levels = {size: min(place, 5) for place, sizes in enumerate(_near(larger), start=1) for size in sizes}
        self._words = frozenset(
            word.lower() for line in lines for word in re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", line.text)
        )

    def blocks(self) -> Iterator[Block]:
        place = 0
        while place < len(self._lines):
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
        if (
            _ITEM.match(line.text)
            or self._level(before) != self._level(line)
            or abs(before.size - line.size) > 0.08 * line.size
        ):
            return False
        ended = before.text[-1] in _ENDS
        if before.page != line.page or line.base >= before.base:  # the next page, or the next column
            within = line.text[0].islower() or (_is_han(line.text[0]) and self._is_full(before))
            return within and not ended and not self._level(line)
        if before.base - line.base > 1.3 * self._pitch:
            return False
        if self._level(line):
            return True
        if _ITEM.match(first.text):
            return line.left > first.left + 0.3 * line.size
        if ended and (not self._is_full(before) or line.left > before.left + 0.8 * line.size):
            return False
        return self._is_full(before) or line.text[0].islower()

    def _is_full(self, line: Line) -> bool:
        """It reaches so near to the right edge that the next word may not have fitted."""
        return line.right > self._rights[line.page] * 0.8

    def _is_larger(self, line: Line) -> bool:
        return line.size > 1.12 * self._body and any(letter.isalpha() for letter in line.text)

    def _level(self, line: Line) -> int | None:
        if self._is_larger(line):
            return self._levels[line.size]
        return 6 if line.bold and line.size > 0.9 * self._body and _may_be_heading(line.text) else None

    def _joined(self, before: str, after: str) -> str:
        """A word that a line's end has parted is mended; a hyphen that belongs to the word stays."""
        parted = _PARTED.search(before)
        rest = re.match(r"[^\W\d_]+", after)
        if not parted or not rest or not rest[0][0].islower():
            return before + after if before.endswith("-") and after[0].isdigit() else joined(before, after)
        whole, hyphened = (parted[1] + rest[0]).lower(), f"{parted[1]}-{rest[0]}".lower()
        stays = len(parted[1]) < 2 or (hyphened in self._words and whole not in self._words)
        return (before if stays else before[:-1]) + after


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
_ENDS: Final = ".!?:;。！？：；।"
