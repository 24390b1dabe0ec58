"""What a PDF draws: words with their places, ruled lines, pictures. The only importer of pypdfium2; knows nothing of layout.

Lengths are points, from the page's lower left corner.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from appliance.errors import BadDocument
from appliance.knowledge.parsed import tidy

if TYPE_CHECKING:
    from pypdfium2 import PdfDocument, PdfPage, PdfTextPage


class Word(msgspec.Struct, frozen=True):
    """Letters without a space between them, in the order in which the file draws them."""

    text: str
    line: int
    """Words of one printed stretch have the same number."""
    left: float
    right: float
    base: float
    size: float
    bold: bool


class Rule(msgspec.Struct, frozen=True):
    """A thin line, or the edge of a drawn box. ``upright``: from ``start`` up to ``end`` at ``at``; else across."""

    upright: bool
    at: float
    start: float
    end: float


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """One page, numbered from 1."""

    number: int
    height: float
    words: tuple[Word, ...]
    rules: tuple[Rule, ...]
    dots: tuple[tuple[float, float], ...]
    """Where small shapes stand, such as drawn bullets: from the left, from the bottom."""
    has_picture: bool


class Drawn(msgspec.Struct, frozen=True, kw_only=True):
    """A whole file; ``title`` is what it says of itself, often the name of a template."""

    title: str
    pages: tuple[Page, ...]


def drawn(data: bytes) -> Drawn:
    """Raises BadDocument when it is no PDF, damaged or locked."""
    if b"%PDF-" not in data[:1024]:
        raise BadDocument("is not a PDF although its name says so")
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
        pages = tuple(_page(page, number) for number, page in enumerate(document, start=1))
    except pypdfium2.PdfiumError as error:
        locked = error.err_code == pypdfium2.raw.FPDF_ERR_PASSWORD
        words = "is password-protected; save it without a password"
        raise BadDocument(words if locked else "is a damaged PDF; save it anew, or print it to a PDF") from error
    return Drawn(title=_title(document), pages=pages)


def _title(document: PdfDocument) -> str:
    return tidy(document.get_metadata_value("Title") or "")


def _page(page: PdfPage, number: int) -> Page:
    import pypdfium2.raw as pdfium

    text = page.get_textpage()
    words = tuple(_words(text))
    shapes = _shapes(page)
    pictures = page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_IMAGE], max_depth=3)
    found = Page(
        number=number,
        height=page.get_height() or 1.0,
        words=words,
        rules=tuple(rule for shape in shapes for rule in _edges(shape, page.get_width() * page.get_height())),
        dots=tuple((shape.left, (shape.bottom + shape.top) / 2) for shape in shapes if _is_dot(shape)),
        has_picture=any(True for _ in pictures),
    )
    text.close()
    page.close()
    return found


# ---- words -----------------------------------------------------------------------------------------------------------


def _words(text: PdfTextPage) -> Iterator[Word]:
    pen = _Pen(text)
    letters = "".join(chr(pen.letter(place)) for place in range(text.count_chars()))
    for number, line in enumerate(_LINE.finditer(letters)):
        words = [(found.start() + line.start(), found.end() + line.start()) for found in _WORD.finditer(line[0])]
        for first, last, inside in _rejoined(words, letters, pen):
            if spelt := _spelt(inside):
                left, right = pen.sides(first)[0], pen.sides(last - 1)[1]
                yield Word(spelt, number, left, right, pen.base(first), pen.size(first), pen.bold(first))


def _rejoined(words: list[tuple[int, int]], letters: str, pen: _Pen) -> Iterator[tuple[int, int, str]]:
    """Words that pdfium cuts where there is no space are made whole.

    Where a file draws no spaces pdfium guesses them from gaps. But the width of a Hindi vowel sign is not in its letter's
    box, and browsers set Chinese a little off from digits. In print such gaps measure 0.07 to 0.3 of the size, those with a
    space in them 0.45 and more.
    """
    pending: tuple[int, int, str] | None = None
    for first, last in words:
        inside = letters[first:last]
        if pending and pen.is_guessed(first - 1) and _SEAM.search(f"{pending[2][-1]} {inside[0]}"):
            gap = (pen.origin(first) - pen.sides(pending[1] - 1)[1]) / pen.size(first)
            if gap < _SEAM_GAP:
                pending = (pending[0], last, pending[2] + inside)
                continue
        if pending:
            yield pending
        pending = (first, last, inside)
    if pending:
        yield pending


def _spelt(letters: str) -> str:
    """pdfium writes a hyphen at a line's end as U+0002 or U+FFFE, with no end of line after it.

    Pairs of surrogates become the letter they mean.
    """
    whole = letters.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return tidy(whole.replace("\x02", "-").replace("\ufffe", "-"))


_LINE: Final = re.compile(r"[^\r\n\x02\ufffe]*[\x02\ufffe]|[^\r\n\x02\ufffe]+")
_WORD: Final = re.compile(r"[^\s\u00a0]+")
_HAN: Final = "\u3000-\u303f\u3400-\u9fff\uff00-\uffef"
_SEAM: Final = re.compile(
    f"[\u093e\u093f\u0940\u094b\u094c\u0949] [\u0900-\u097f,;]|[{_HAN}] [^{_HAN}]|[^{_HAN}] [{_HAN}]"
)
_SEAM_GAP: Final = 0.38


class _Pen:
    """Where single letters stand. Each question crosses into C: only a word's first and last letters are asked for."""

    def __init__(self, text: PdfTextPage) -> None:
        import pypdfium2.raw as pdfium

        self._pdfium: Any = pdfium
        self._text = text

    def letter(self, place: int) -> int:
        code: int = self._pdfium.FPDFText_GetUnicode(self._text, place)
        return code

    def is_guessed(self, place: int) -> bool:
        """A space that the file does not draw."""
        return bool(self._pdfium.FPDFText_IsGenerated(self._text, place))

    def sides(self, place: int) -> tuple[float, float]:
        left, right, bottom, top = (ctypes.c_double() for _ in range(4))
        self._pdfium.FPDFText_GetCharBox(self._text, place, left, right, bottom, top)
        return left.value, right.value

    def base(self, place: int) -> float:
        return self._origin(place)[1]

    def origin(self, place: int) -> float:
        return self._origin(place)[0]

    def _origin(self, place: int) -> tuple[float, float]:
        across, up = ctypes.c_double(), ctypes.c_double()
        self._pdfium.FPDFText_GetCharOrigin(self._text, place, across, up)
        return across.value, up.value

    def size(self, place: int) -> float:
        """The font's size as printed: the nominal one leaves out how the page scales it."""
        scale = self._pdfium.FS_MATRIX()
        self._pdfium.FPDFText_GetMatrix(self._text, place, scale)
        nominal: float = self._pdfium.FPDFText_GetFontSize(self._text, place)
        return round(nominal * math.hypot(scale.c, scale.d), 1) or 1.0

    def bold(self, place: int) -> bool:
        """By the font's name; the weight that pdfium tells is a guess and calls Noto Sans Regular half bold."""
        name = ctypes.create_string_buffer(200)
        self._pdfium.FPDFText_GetFontInfo(self._text, place, name, 200, ctypes.c_int())
        return _BOLD.search(name.value) is not None


_BOLD: Final = re.compile(rb"bold|black|heavy", re.IGNORECASE)


# ---- shapes ----------------------------------------------------------------------------------------------------------


class _Shape(NamedTuple):
    left: float
    bottom: float
    right: float
    top: float

    @property
    def wide(self) -> float:
        return self.right - self.left

    @property
    def high(self) -> float:
        return self.top - self.bottom


def _shapes(page: PdfPage) -> list[_Shape]:
    """A page with very many shapes is a drawing: none of them is a table."""
    import pypdfium2.raw as pdfium

    paths = list(islice(page.get_objects(filter=[pdfium.FPDF_PAGEOBJ_PATH], max_depth=3), MOST_SHAPES + 1))
    return [_Shape(*path.get_bounds()) for path in paths] if len(paths) <= MOST_SHAPES else []


def _edges(shape: _Shape, whole: float) -> Iterator[Rule]:
    """A thin shape is a line; of a box the four edges."""
    left, bottom, right, top = shape
    if shape.high <= _THIN < shape.wide:
        yield Rule(False, (bottom + top) / 2, left, right)
    elif shape.wide <= _THIN < shape.high:
        yield Rule(True, (left + right) / 2, bottom, top)
    elif shape.wide > 2 * _THIN and shape.wide * shape.high < 0.5 * whole:
        yield from (Rule(False, bottom, left, right), Rule(False, top, left, right))
        yield from (Rule(True, left, bottom, top), Rule(True, right, bottom, top))


def _is_dot(shape: _Shape) -> bool:
    return 1.0 < shape.wide < 9.0 and 0.7 < shape.wide / max(shape.high, 0.1) < 1.4


MOST_SHAPES: Final = 3000
_THIN: Final = 3.0
