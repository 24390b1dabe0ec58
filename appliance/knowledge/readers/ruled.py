"""Tables that a PDF draws with lines: which words stand in which cell. Knows lines and words, not how they were drawn."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from appliance.knowledge.readers.letters import Rule, Word
from appliance.knowledge.readers.plain import joined

_NEAR: Final = 3.0


class Ruled(msgspec.Struct, frozen=True):
    """A table: the places of its lines, from the left and from the bottom."""

    across: tuple[float, ...]
    up: tuple[float, ...]
    rules: tuple[Rule, ...]

    def holds(self, word: Word) -> bool:
        middle = (word.left + word.right) / 2
        return self.across[0] < middle < self.across[-1] and self.up[0] < word.base + word.size / 3 < self.up[-1]

    def texts(self, words: Sequence[Word]) -> list[list[str | None]]:
        """The rows from the top; None continues a cell that spans columns."""
        cells: dict[tuple[int, int], str] = {}
        for word in words:
            place = self._place(word)
            before = cells.get(place, "")
            parted = re.search(r"\w-$", before) is not None  # at the hyphen of a number or a word
            cells[place] = before + word.text if parted or not before else joined(before, word.text)
        rows = range(len(self.up) - 2, -1, -1)
        columns = range(len(self.across) - 1)
        return [
            [None if self._spanned(row, column) else cells.get((row, column), "") for column in columns] for row in rows
        ]

    def is_bold(self, words: Sequence[Word]) -> bool:
        """Whether the first row is in bold and the others are not."""
        top = [word.bold for word in words if self._place(word)[0] == len(self.up) - 2]
        rest = [word.bold for word in words if self._place(word)[0] != len(self.up) - 2]
        return bool(top) and all(top) and not all(rest)

    def _place(self, word: Word) -> tuple[int, int]:
        row = bisect(self.up, word.base + word.size / 3) - 1
        column = bisect(self.across, (word.left + word.right) / 2) - 1
        while self._spanned(row, column):
            column -= 1
        return row, column

    def _spanned(self, row: int, column: int) -> bool:
        """There is no line between this cell and the one on its left."""
        if column <= 0:
            return False
        middle = (self.up[row] + self.up[row + 1]) / 2
        at = self.across[column]
        return not any(
            rule.upright and abs(rule.at - at) < _NEAR and rule.start < middle < rule.end for rule in self.rules
        )


def tables(rules: Sequence[Rule]) -> list[Ruled]:
    """Lines that touch each other and make at least two rows of two cells."""
    found = []
    for group in _touching(rules):
        across = _places(rule.at for rule in group if rule.upright)
        up = _places(rule.at for rule in group if not rule.upright)
        if len(across) > 2 and len(up) > 2:
            found.append(Ruled(across, up, tuple(group)))
    return found


def _touching(rules: Sequence[Rule]) -> list[list[Rule]]:
    groups: list[list[Rule]] = []
    for rule in rules:
        mine = [group for group in groups if any(_touch(rule, other) for other in group)]
        rest = [group for group in groups if not any(group is one for one in mine)]
        groups = [*rest, [rule, *(other for group in mine for other in group)]]
    return groups


def _touch(one: Rule, other: Rule) -> bool:
    if one.upright == other.upright:
        return abs(one.at - other.at) < _NEAR and one.start < other.end + _NEAR and other.start < one.end + _NEAR
    return one.start - _NEAR < other.at < one.end + _NEAR and other.start - _NEAR < one.at < other.end + _NEAR


def _places(all_: Iterator[float]) -> tuple[float, ...]:
    """Sorted, those that hardly differ as one."""
    places: list[float] = []
    for place in sorted(all_):
        if not places or place - places[-1] > _NEAR:
            places.append(place)
    return tuple(places)
