"""Where a sentence ends, in English, Spanish, Chinese and Hindi. Knows abbreviations, hours and numbers, but no document.

It rather leaves two sentences together than cuts one apart: half a sentence must never be quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

LONGEST: Final = 60
"""Words; a longer sentence is cut at its semicolons, if it has any."""
ENDLESS: Final = 150
"""Words; what is longer is no sentence: it is cut at a comma or, failing that, anywhere. Embedders read no further."""


def sentences(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each sentence, without the white space around it. Together they hold every other character."""
    start = 0
    for end in _ends(text):
        yield from _pieces(text, start, end)
        start = end


def weight(text: str) -> float:
    """How long a text is to read, in words; a Chinese character counts as about half a word."""
    han = len(_HAN.findall(text))
    return len(_WORD.findall(_HAN.sub(" ", text))) + han * 0.48


def _ends(text: str) -> Iterator[int]:
    start = 0
    for found in _CANDIDATE.finditer(text):
        if found.start() >= start and _is_end(text, start, found):
            start = found.end()
            yield start
    yield len(text)


def _is_end(text: str, start: int, found: re.Match[str]) -> bool:
    mark = found["mark"]
    if mark[0] in "。！？；।॥" or "\n" in mark:
        return True
    after = text[found.end() : found.end() + 60].lstrip()
    if mark[0] == "|":
        return bool(_ENDS_IN_HINDI.search(text, start, found.start()))
    if not after or after[0].islower():
        return not after
    if mark[0] in "!?" or len(mark) > 1:
        return True
    return _ends_with_dot(text[start : found.start()], after)


def _ends_with_dot(before: str, after: str) -> bool:
    """A single full stop with a capital, a digit or another script after it: is it one of an abbreviation?"""
    word = before.split()[-1].lstrip("([{\"'“‘¿¡") if before.split() else ""
    low = word.lower()
    following = _FIRST_WORD.match(after)
    first = following[0].lower() if following else ""
    if _NUMBERING.fullmatch(before.strip()):
        return False
    if low in _HALF_DAY or _HALF_DAY_SPACED.search(before.lower()):
        return first not in _DAYS_AND_MONTHS
    if low in _STREETS:
        return not _names_a_saint(before, low)
    if low in _NEVER_LAST or (low in _BEFORE_NUMBERS and after[0].isdigit()):
        return False
    if _INITIAL.fullmatch(word):
        return _is_grade(before)
    return True


def _names_a_saint(before: str, low: str) -> bool:
    """'at St. Mary' against '410 Main St. Call us': a street's name stands before, with a capital or a number."""
    words = before.split()
    return low == "st" and (len(words) < 2 or not (words[-2][0].isupper() or words[-2][0].isdigit()))


def _is_grade(before: str) -> bool:
    """'vitamin C.', 'Level A.', 'Medicare Part B.' end a sentence; 'J. Smith' and 'P.O. Box' do not."""
    words = before.split()
    return len(words) > 1 and words[-2].lower() in _GRADED


def _pieces(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    whole = text[start:end]
    inner = whole.strip()
    if not inner:
        return
    first = start + whole.index(inner)
    last = first + len(inner)
    pieces = [(first, last)]
    for cuts, most in ((_SEMICOLON, LONGEST), (_COMMA, ENDLESS), (_SPACE, ENDLESS)):
        pieces = [short for piece in pieces for short in _shortened(text, piece, cuts, most)]
    yield from pieces


def _shortened(text: str, piece: tuple[int, int], cuts: re.Pattern[str], most: int) -> Iterator[tuple[int, int]]:
    """As few parts as are needed so that none has more than ``most`` words, where there are places to cut."""
    first, last = piece
    if weight(text[first:last]) <= most:
        yield piece
        return
    length, end, begin = 0.0, first, first
    for found in [*cuts.finditer(text, first + 1, last - 1), None]:
        stop = found.start() if found else last
        part = weight(text[begin:stop])
        if length and length + part > most:
            yield first, end
            first, length = begin, 0.0
        length, end = length + part, stop
        begin = found.end() if found else last
    yield first, last


_CANDIDATE: Final = re.compile(
    r"(?P<mark>[。！？；]+|[।॥]+|[.!?]+(?=[\"'”’»)\]]*(?:\s|$|[\u0900-\u097f\u3400-\u9fff]))|\|(?=\s|$)|\n+)[\"'”’」』»）)\]]*"
)
_HAN: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_WORD: Final = re.compile(r"\S+")
_FIRST_WORD: Final = re.compile(r"[\"'“‘¿¡(\[]*([^\W\d_]+)")
_ENDS_IN_HINDI: Final = re.compile(r"[\u0900-\u097f]\s?$")
_SEMICOLON: Final = re.compile(r"(?<=;)\s+")
_COMMA: Final = re.compile(r"(?<=[,，、])\s*")
_SPACE: Final = re.compile(r"\s+|(?<=[\u3400-\u9fff])(?=[\u3400-\u9fff])")
_NUMBERING: Final = re.compile(r"(?:.*[:：]\s+)?\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,4})", re.DOTALL)
_INITIAL: Final = re.compile(r"(?:[A-ZÁÉÍÓÚÑ]|(?:[A-Z]\.)+[A-Z]|EE\. ?UU|डॉ)")
_HALF_DAY: Final = frozenset(("a.m", "p.m", "am", "pm"))
_HALF_DAY_SPACED: Final = re.compile(r"\b[ap]\.\s?m$")


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_STREETS: Final = _set("st ave rd blvd ln")
_NEVER_LAST: Final = _set(
    """
    dr dra mr mrs ms prof sr sra srta srs ud uds d dña lic ing gral mt ft vs approx aprox e.g i.e p.ej ej cf incl
    डॉ प्रो श्री सु कु पं
    """
)
_BEFORE_NUMBERS: Final = _set(
    """
    no nos nr núm num nº tel tels ext ph fax apt ste rm pág pag págs p pp art av avda c/ km fig sec vol ver
    jan feb mar apr jun jul aug sep sept oct nov dec ene abr ago dic नं क्र रु फ़ोन फोन
    """
)
_GRADED: Final = _set(
    """
    vitamin vitamins vitamina hepatitis type types level grade part parts plan plans group class
    tipo nivel grado parte grupo clase
    """
)
_DAYS_AND_MONTHS: Final = _set(
    """
    monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur thurs fri sat sun
    january february march april may june july august september october november december
    eastern central mountain pacific
    """
)
