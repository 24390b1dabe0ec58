"""A document cut into passages and sentences whose offsets are exact. Knows headings, lists and tables, but no file format.

The text of a document is what its reader found, block by block: ``text[start:end]`` is the passage, the sentence, the quote.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

import msgspec

from appliance.knowledge import PlacedBlock, Sentence, SentenceKind
from appliance.knowledge.parsed import Block, Metadata, Parsed, name_as_title
from appliance.knowledge.sentences import sentences, weight
from appliance.languages import detect
from appliance.message import Language, Span

WORDS: Final = 120
"""About as long as a passage gets; a section up to a quarter longer stays whole."""
LONGEST_ITEM: Final = 45
"""Words of an item that is quoted as a whole; a longer one sentence by sentence."""

LONGEST_QUESTION: Final = 10
LONGEST_LEAD: Final = 12
"""Words of what only introduces; a longer one says something of its own, too."""


class PassageDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A passage before it has a number."""

    start: int
    end: int
    heading: tuple[str, ...]
    page: int | None
    language: Language
    sentences: tuple[Sentence, ...]


class Cut(msgspec.Struct, frozen=True, kw_only=True):
    """A document as it is learnt."""

    title: str
    language: Language
    metadata: Metadata
    text: str
    blocks: tuple[PlacedBlock, ...]
    passages: tuple[PassageDraft, ...]
    note: str = ""


def cut(parsed: Parsed, *, name: str = "", words: int = WORDS) -> Cut:
    """``name``: the file's, a title when there is no better one."""
    text, blocks = _placed(parsed.blocks)
    title = parsed.metadata.title
    if title is None:
        title = _first_heading(parsed.blocks) or name_as_title(name)
    language = parsed.metadata.language or detect(text[:20_000])
    cutting = _Cutting(text, zip(parsed.blocks, blocks, strict=True), title=title, language=language, words=words)
    return Cut(
        title=title,
        language=language,
        metadata=parsed.metadata,
        text=text,
        blocks=blocks,
        passages=tuple(cutting.passages()),
        note=parsed.note,
    )


def _placed(blocks: Sequence[Block]) -> tuple[str, tuple[PlacedBlock, ...]]:
    """The whole text, and where in it each block stands. Items and rows close up, the rest has a blank line before it."""
    text: list[str] = []
    placed: list[PlacedBlock] = []
    end = 0
    for block in blocks:
        between = "" if not end else "\n" if block.kind in ("item", "row") else "\n\n"
        start = end + len(between)
        end = start + len(block.text)
        text += (between, block.text)
        placed.append(PlacedBlock(kind=block.kind, start=start, end=end, level=block.level, page=block.page))
    return "".join(text), tuple(placed)


def _first_heading(blocks: Sequence[Block]) -> str | None:
    return next((block.text for block in blocks if block.kind == "heading"), None)


class _Unit(msgspec.Struct, frozen=True):
    """What no passage cuts apart: a sentence and the block it stands in."""

    sentence: Sentence
    page: int | None
    weight: float
    bound: bool
    """It stays with the unit before it, which introduces it."""
    quotable: bool
    """Not "Bring with you:" alone, nor a table's caption: they are quoted with what they introduce."""


class _Cutting:
    """One document being cut."""

    def __init__(
        self, text: str, blocks: Iterable[tuple[Block, PlacedBlock]], *, title: str, language: Language, words: int
    ) -> None:
        self._text = text
        self._blocks = blocks
        self._title = title
        self._language = language
        self._words = words

    def passages(self) -> Iterator[PassageDraft]:
        for path, section in self._sections():
            for units in _portions(list(self._units(section)), self._words):
                yield self._passage(path, units)

    def _sections(self) -> Iterator[tuple[tuple[str, ...], list[tuple[Block, PlacedBlock]]]]:
        """The blocks under one heading with the path of headings over them; a heading with nothing under it stands alone."""
        path: list[tuple[int, str]] = []
        alone: tuple[Block, PlacedBlock] | None = None
        for is_heading, run in groupby(self._blocks, key=lambda pair: pair[0].kind == "heading"):
            if not is_heading:
                yield self._heading(path), list(run)
                alone = None
                continue
            for pair in run:
                level = pair[0].level or 1
                if alone and level <= path[-1][0]:
                    yield self._heading(path[:-1]), [alone]
                path = [upper for upper in path if upper[0] < level] + [(level, pair[0].text)]
                alone = pair
        if alone:
            yield self._heading(path[:-1]), [alone]

    def _heading(self, path: Sequence[tuple[int, str]]) -> tuple[str, ...]:
        """Without a first heading that only repeats the title."""
        texts = [text for _, text in path]
        return tuple(texts[1:] if texts and texts[0] == self._title else texts)

    def _units(self, section: Sequence[tuple[Block, PlacedBlock]]) -> Iterator[_Unit]:
        leads: dict[int, Span] = {}
        for place, (block, placed) in enumerate(section):
            followed = place + 1 < len(section) and _depth(section[place + 1][0]) > _depth(block)
            level = _depth(block)
            lead = _nearest(leads, level)
            for number, (start, end) in enumerate(_inside(block)):
                sentence = Sentence(
                    start=placed.start + start,
                    end=placed.start + end,
                    text=block.text[start:end],
                    kind=_kind(block),
                    lead=lead,
                )
                bound = number == 0 and lead is not None and lead.end >= placed.start - 1
                length = weight(sentence.text)
                introduces = length <= LONGEST_LEAD and (block.introduces or sentence.text.endswith((":", "：")))
                yield _Unit(sentence, block.page, length, bound, not (introduces and followed))
            _remember(leads, block, placed)

    def _passage(self, path: tuple[str, ...], units: Sequence[_Unit]) -> PassageDraft:
        first, last = units[0].sentence, units[-1].sentence
        text = self._text[first.start : last.end]
        heading = path
        if first.lead:  # what introduces the passage stands in the one before it
            heading = (*path, self._text[first.lead.start : first.lead.end].rstrip(" :："))
        return PassageDraft(
            start=first.start,
            end=last.end,
            heading=heading,
            page=units[0].page,
            language=detect(text, hint=self._language),
            sentences=tuple(unit.sentence for unit in units if unit.quotable),
        )


def _kind(block: Block) -> SentenceKind:
    return block.kind if block.kind in ("item", "row") else "sentence"


def _depth(block: Block) -> int:
    """0 for what stands by itself, 1 for rows and for items of a list, 2 for items of a list inside it …"""
    return (block.level or 1) if block.kind == "item" else 1 if block.kind == "row" else 0


def _nearest(leads: dict[int, Span], level: int) -> Span | None:
    return next((leads[depth] for depth in range(level - 1, -1, -1) if depth in leads), None)


def _remember(leads: dict[int, Span], block: Block, placed: PlacedBlock) -> None:
    """What introduces the blocks after this one: a caption, a last sentence that ends in a colon, an item over its own items."""
    level = _depth(block)
    for deeper in [depth for depth in leads if depth >= level]:
        del leads[deeper]
    if block.kind == "row":
        return
    *_, (start, end) = _inside(block) or [(0, 0)]
    if block.kind == "item":
        leads[level] = Span(start=placed.start + start, end=placed.start + end)
    elif block.introduces:
        leads[0] = Span(start=placed.start, end=placed.end)
    elif block.text.endswith((":", "：")):
        leads[0] = Span(start=placed.start + start, end=placed.end)


def _inside(block: Block) -> list[tuple[int, int]]:
    """The sentences of a block. A row is one; an item is one, without its number, unless it is long."""
    if block.kind == "row":
        return [(0, len(block.text))]
    marker = _MARKER.match(block.text) if block.kind == "item" else None
    first = marker.end() if marker and marker.end() < len(block.text) else 0
    if block.kind == "item" and weight(block.text) <= LONGEST_ITEM:
        return [(first, len(block.text))]
    return _joined([(first + start, first + end) for start, end in sentences(block.text[first:])], block.text)


def _joined(found: Sequence[tuple[int, int]], text: str) -> list[tuple[int, int]]:
    """A short question or a bare "Yes." with the sentence after it: neither says anything alone."""
    kept: list[tuple[int, int]] = []
    for start, end in found:
        before = text[slice(*kept[-1])] if kept else ""
        if before and (_BARE.fullmatch(before) or (before[-1] in "?？" and weight(before) <= LONGEST_QUESTION)):
            kept[-1] = (kept[-1][0], end)
        else:
            kept.append((start, end))
    return kept


_BARE: Final = re.compile(r"(?:yes|no|sí|是|是的|不是|不|可以|हाँ|हां|जी हाँ|नहीं)\s?[.!。！।]", re.IGNORECASE)
_MARKER: Final = re.compile(r"(?:\d{1,3}|[a-zA-Z])[.)]\s+")


def _portions(units: Sequence[_Unit], words: int) -> Iterator[list[_Unit]]:
    """A section in even portions of about ``words``, so that none has a stub of a passage at its end."""
    total = sum(unit.weight for unit in units)
    aim = total / max(1, math.ceil(total / words - 0.25))
    portion: list[_Unit] = []
    length = 0.0
    for unit in units:
        if portion and length + unit.weight / 2 >= aim and not unit.bound:
            yield portion
            portion, length = [], 0.0
        portion.append(unit)
        length += unit.weight
    if portion:
        yield portion
