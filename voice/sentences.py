"""Cuts text where a voice can breathe: streamed text as it comes, a whole text at once. Knows nothing of languages or voices.

The first clause is short, so that something is heard early; later ones are as long as a sentence, because a voice that
sees the whole sentence says it better.
"""

from __future__ import annotations

import functools
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

SECOND = 15
"""Signs that are said in a second; a Chinese character counts for four."""
_FIRST, _LATER = int(0.8 * SECOND), 4 * SECOND
"""How much must stand before a comma for a cut there."""
_LONG = 10 * SECOND
"""What is longer without a sign is cut before a word that joins clauses."""
_BRIEF_FIRST, _BRIEF, _GROWTH = SECOND // 2, int(1.2 * SECOND), 1.5
"""For a slow voice: the shortest and longest first clause, and how much longer the next one may be. While one is heard the next is
made, and that takes up to two thirds of the time that it will sound."""
_LONGEST = 15 * SECOND
"""And what is longer than this, between any two words."""

_PIECE = 300

_CLOSERS = r"""["'”’»)\]」』）]*"""
_BREAK = re.compile(
    rf"""(?P<end> [。！？!?।॥]+{_CLOSERS}(?=\s|[^\W\d_]|$) | [.!?…]+{_CLOSERS}(?=\s|[㐀-鿿]) | \n )"""
    rf"""|(?P<soft> [，；：、] | [,;:—–](?=\s|[㐀-鿿]) )""",
    re.VERBOSE,
)
_WORD_BEFORE = re.compile(r"[^\s(¿¡\"'“‘]+\.$")
_JOINS = re.compile(
    r"\s(?=(?:and|or|but|because|which|that|if|when|so|unless|y|o|pero|porque|que|si|cuando|para|aunque"
    r"|और|या|लेकिन|क्योंकि|कि|अगर|तो|जब|ताकि)\s)"
)
_BRIEF_JOINS = re.compile(
    r"\s(?=(?:from|until|on|in|at|for|with|to|before|after|by|near|desde|hasta|en|con|por|a|al|antes|después|de)\s)"
    r"|(?:(?<=\sसे)|(?<=\sमें)|(?<=\sको)|(?<=\sपर)|(?<=\sतक)|(?<=\sलिए))\s"
    r"|(?=上午|下午|早上|晚上|中午|星期|如果|因为|但是|或者|并且|而且|可以|需要|(?<![现正存])在|(?<![服自])从|(?<![申聘邀])请)"
    r"|(?<=是)(?=[一二三四五六七八九十])"
)
"""Where a voice does not breathe but may: for a clause that must be short."""
_HAN = re.compile(r"[㐀-鿿]")


class Clauses:
    """Text in pieces of any size goes in, clauses come out; the same ones however it was cut into pieces."""

    def __init__(self, *, brief: bool = False) -> None:
        """``brief``: the first clauses are short even where the sentence has no sign early enough."""
        self._longest = _BRIEF if brief else _LONG
        self._rest = ""
        self._first = True

    def feed(self, piece: str) -> list[str]:
        self._rest += piece
        return list(self._taken(ended=False))

    def end(self) -> list[str]:
        """What was left."""
        return list(self._taken(ended=True))

    def _taken(self, *, ended: bool) -> Iterator[str]:
        while (at := _cut(self._rest, self._longest, first=self._first, ended=ended)) is not None:
            clause, self._rest = self._rest[:at].strip(), self._rest[at:]
            if re.search(r"\w", clause):
                self._first = False
                if self._longest < _LONG:
                    self._longest = min(_LONG, max(_BRIEF, int(_weight(clause) * _GROWTH)))
                yield clause


def clauses(text: str, *, brief: bool = False) -> list[str]:
    stream = Clauses(brief=brief)
    pieces = (
        text[at : at + _PIECE] for at in range(0, len(text), _PIECE)
    )  # a long text at once would be gone over often
    return [clause for piece in pieces for clause in stream.feed(piece)] + stream.end()


def _cut(text: str, longest: int, *, first: bool, ended: bool) -> int | None:
    """Where the next clause ends; None if that is not known yet."""
    if not text.strip():
        return None
    least = _FIRST if first else min(_LATER, longest // 2)
    at = next(_breaks(text, least, ended=ended), None)
    if at is not None and _weight(text[:at]) <= longest:
        return at
    open_end = text.rstrip() if at is None else text[:at]
    if _weight(open_end) > longest + SECOND:  # a second of text is enough to see a word whole
        return _joint(open_end, longest) or at or _between_words(text) or (len(text) if ended else None)
    return at or (len(text) if ended else None)


def _breaks(text: str, least: int, *, ended: bool) -> Iterator[int]:
    for found in _BREAK.finditer(text):
        after = text[found.end() :].lstrip()[:1]
        if not after and not ended:
            return  # what follows decides
        before = text[: found.end()]
        if found["end"] is not None:
            if not _abbreviated(before.rstrip("\n"), after):
                yield found.end()
        elif _weight(before) >= least and not _in_number(text, found.start(), after):
            yield found.end()


def _abbreviated(before: str, after: str) -> bool:
    """The full stop belongs to "Dr." or "3.", or to "p.m." with the sentence going on."""
    word = _WORD_BEFORE.search(before)
    if not word:
        return False
    if word[0][:-1].isdigit():
        return before[: word.start()].rstrip(" \t")[-1:] in ("", "\n")  # a number in a list
    if word[0].lower() in _abbreviations():
        return not (word[0][0].islower() and after.isupper())  # "at 5 p.m. Call us": a new sentence
    return len(word[0]) == 2 and word[0][0].isalpha() and not _HAN.match(word[0])  # an initial


def _in_number(text: str, at: int, after: str) -> bool:
    return text[at] == "," and after.isdigit() and text[:at][-1:].isdigit()


def _joint(text: str, longest: int) -> int | None:
    """The last place before ``longest``, where clauses are joined if there is one; else the next place of any kind."""
    patterns = (_JOINS, _BRIEF_JOINS) if longest < _LONG else (_JOINS,)
    late = []
    for pattern in patterns:
        weights = {found.start(): _weight(text[: found.start()]) for found in pattern.finditer(text)}
        if early := [at for at, weight in weights.items() if _BRIEF_FIRST <= weight <= longest]:
            return early[-1]
        late += [at for at, weight in weights.items() if longest < weight <= 3 * longest]
    return min(late, default=None)


def _between_words(text: str) -> int | None:
    if _weight(text) <= _LONGEST + SECOND:
        return None
    spots = [found.start() for found in re.finditer(r"\s|(?<=[㐀-鿿])(?=[㐀-鿿])", text)]
    return next((at for at in reversed(spots) if 0 < _weight(text[:at]) <= _LONGEST), None)


def _weight(text: str) -> int:
    return len(text) + 3 * len(_HAN.findall(text))


@functools.cache
def _abbreviations() -> frozenset[str]:
    """Of all languages: a stream does not say which one it is in."""
    files = Path(__file__).with_name("spoken").glob("*.toml")
    tables = (tomllib.loads(file.read_text("utf-8")).get("abbreviations", {}) for file in files)
    return frozenset(part.lower() for table in tables for word in table for part in word.split() if part.endswith("."))
