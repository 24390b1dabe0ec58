"""Turns the rules' notation into patterns and finds them among the words of a message, in linear time. Knows no meaning.

The notation, for whoever edits a rule file:

    heart attack       these words next to each other, in this order
    breath*            a word that starts so
    seizure|fit        one of these words, where no other word stands beside them
    (so|very) bad      one of these, beside other words; each may be a phrase: (at home|here) alone
    <chest>            one of the phrases of the concept "chest"
    [really] bad       "really" may be there or not; [so|very] bad
    chest .. pain      in this order, with up to the file's `gap` other words between (characters in Chinese)
    chest ..8 pain     with up to 8 other words between
    chest + pain       near each other in either order (+8: up to 8 words between)
    #  #10+  #50-      a number; one of 10 or more; one of 50 or less (#10-50: from 10 to 50)
    MATCH PART         in guards: what a rule has found, as a whole; each of its parts alone
    START END          the start and the end of a clause

A gap never reaches into the next sentence. In a rule it reads across commas, but never across one of the file's
`walls` (not, without, …). In a guard it stays inside its clause unless written with a comma: ``,..8``.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise, product
from math import prod
from typing import Final, NamedTuple

from appliance.assistant.redflags.words import Words

MATCH, PART, START, END = -1, -2, -3, -4
_SLOTS: Final = {"MATCH": MATCH, "PART": PART, "START": START, "END": END}
_GAP: Final = re.compile(r"(,?)(\.\.|\+)(\d*)")
_NUMBER: Final = re.compile(r"#(?:(?P<least>[\d.]+)(?:\+|-(?P<most>[\d.]+))|(?P<at_most>[\d.]+)-)?")
_MOST_PHRASES: Final = 4000
_LONGEST_PHRASE: Final = 16
_REACH: Final = 40

Span = tuple[int, int]
Phrase = tuple[str, ...]


class NotationError(ValueError):
    """A pattern that cannot be read; the text says which and why."""


class Gap(NamedTuple):
    """How far the next element may stand from what was found so far."""

    words: int = 0
    ordered: bool = True
    commas: bool = False


class Pattern(NamedTuple):
    """Elements by number, each with its distance from those before it."""

    elements: tuple[int, ...]
    gaps: tuple[Gap, ...]
    needs: frozenset[int]


class Found(NamedTuple):
    """Where a pattern stands: from ``start`` to before ``end``, of which the ``spans`` are its own words."""

    start: int
    end: int
    spans: tuple[Span, ...]

    def touches(self, positions: frozenset[int]) -> bool:
        return any(not positions.isdisjoint(range(*span)) for span in self.spans)


class _Node:
    __slots__ = ("ids", "numbers", "stems", "words")

    def __init__(self) -> None:
        self.words: dict[str, _Node] = {}
        self.stems: dict[str, _Node] = {}
        self.numbers: dict[str, tuple[float, float, _Node]] = {}
        self.ids: list[int] = []


class Lexicon:
    """All phrases of all rules in one tree, so that a message is read once."""

    def __init__(self) -> None:
        self._root: Final = _Node()
        self._words: Final[set[str]] = set()
        self._count = 0

    def add(self, phrases: Iterable[Phrase]) -> int:
        """The number by which occurrences of any of these phrases will be found."""
        self._count += 1
        for phrase in phrases:
            node = self._root
            for word in phrase:
                node = self._next(node, word)
            node.ids.append(self._count)
        return self._count

    def knows(self, token: str) -> bool:
        """Whether a rule names this very word."""
        return token in self._words

    def occurrences(self, words: Words) -> dict[int, list[Span]]:
        """Where each element stands, by its number, in the order of the text."""
        found: dict[int, list[Span]] = {}
        first: dict[str, list[_Node]] = {}
        for start, token in enumerate(words.tokens):
            if token not in first:
                first[token] = _children(self._root, token)
            if first[token]:
                self._follow(words, start, first[token], found)
        return found

    def _follow(self, words: Words, start: int, nodes: list[_Node], found: dict[int, list[Span]]) -> None:
        tokens, sentences = words.tokens, words.sentences
        last = bisect_right(sentences, sentences[start])
        waiting = [(start + 1, node) for node in nodes]
        while waiting:
            at, node = waiting.pop()
            for number in node.ids:
                found.setdefault(number, []).append((start, at))
            if at < last:
                waiting.extend([(at + 1, child) for child in _children(node, tokens[at])])

    def _next(self, node: _Node, word: str) -> _Node:
        if number := _NUMBER.fullmatch(word):
            least, most = float(number["least"] or 0), float(number["most"] or number["at_most"] or "inf")
            return node.numbers.setdefault(word, (least, most, _Node()))[2]
        if word.endswith("*"):
            return node.stems.setdefault(word[:-1], _Node())
        self._words.add(word)
        return node.words.setdefault(word, _Node())


def _children(node: _Node, token: str) -> list[_Node]:
    children = [node.words[token]] if token in node.words else []
    if not (node.stems or node.numbers):
        return children
    if node.stems:
        stems = (node.stems.get(token[:length]) for length in range(2, len(token) + 1))
        children.extend(stem for stem in stems if stem)
    if node.numbers and token[0].isdecimal():
        value = float(token.replace(",", "."))
        children.extend(child for least, most, child in node.numbers.values() if least <= value <= most)
    return children


class Notation:
    """Reads the patterns of one rule file: its concepts, its gap, its spelling."""

    def __init__(
        self,
        lexicon: Lexicon,
        *,
        concepts: Mapping[str, Sequence[str]],
        gap: int,
        spell: Callable[[str], Sequence[str]],
    ) -> None:
        self._lexicon: Final = lexicon
        self._entries: Final = concepts
        self._gap: Final = gap
        self._spell: Final = spell
        self._concepts: Final[dict[str, tuple[Phrase, ...]]] = {}
        self._elements: Final[dict[str, int]] = {}
        for name in concepts:
            self._concept(name, ())

    def all(self, texts: Iterable[str]) -> list[Pattern]:
        return [pattern for text in texts for pattern in self.patterns(text)]

    def patterns(self, text: str) -> list[Pattern]:
        """One pattern for each choice of the optional words."""
        choices = [("", f"({item[1:-1]})") if item[0] == "[" else (item,) for item in _items(text)]
        texts = dict.fromkeys(tuple(filter(None, choice)) for choice in product(*choices))
        return [self._pattern(items, text) for items in texts]

    def element(self, text: str) -> int:
        """The number of a run of words or of one concept or choice."""
        if text in _SLOTS:
            return _SLOTS[text]
        if text not in self._elements:
            self._elements[text] = self._lexicon.add(self._phrases(text, ()))
        return self._elements[text]

    def _pattern(self, items: Sequence[str], text: str) -> Pattern:
        elements: list[int] = []
        gaps: list[Gap] = []
        gap: Gap | None = None
        for item in _runs(items):
            if sign := _GAP.fullmatch(item):
                if gap or not elements:
                    raise NotationError(f"{text!r}: a gap needs words on both sides")
                gap = Gap(int(sign[3] or self._gap), sign[2] == "..", bool(sign[1]))
            else:
                elements.append(self.element(item))
                gaps.append(gap or Gap())
                gap = None
        if gap or not elements:
            raise NotationError(f"{text!r}: a gap needs words on both sides")
        return Pattern(tuple(elements), tuple(gaps), frozenset(number for number in elements if number > 0))

    def _concept(self, name: str, inside: tuple[str, ...]) -> tuple[Phrase, ...]:
        if name not in self._entries:
            raise NotationError(f"<{name}> is not among the concepts")
        if name in inside:
            raise NotationError(f"<{name}> is defined by itself")
        if name not in self._concepts:
            phrases = [phrase for entry in self._entries[name] for phrase in self._phrases(entry, (*inside, name))]
            self._concepts[name] = tuple(dict.fromkeys(phrases))
        return self._concepts[name]

    def _phrases(self, choice: str, inside: tuple[str, ...]) -> list[Phrase]:
        return [phrase for text in _split(choice, "|") for phrase in self._sequence(text, inside)]

    def _sequence(self, text: str, inside: tuple[str, ...]) -> list[Phrase]:
        units = [self._unit(item, inside) for item in _items(text)]
        if prod(map(len, units)) > _MOST_PHRASES:
            raise NotationError(f"{text!r} stands for too many phrases")
        return [tuple(word for phrase in choice for word in phrase) for choice in product(*units)]

    def _unit(self, item: str, inside: tuple[str, ...]) -> Sequence[Phrase]:
        if item[0] in "([":
            return [*([()] if item[0] == "[" else []), *self._phrases(item[1:-1], inside)]
        if item[0] == "<" and item[-1] == ">" and "|" not in item:
            return self._concept(item[1:-1], inside)
        return self._phrases(item, inside) if "|" in item else [self._word(item)]

    def _word(self, word: str) -> Phrase:
        if _NUMBER.fullmatch(word):
            return (word,)
        stem = word.removesuffix("*")
        tokens = tuple(self._spell(stem))
        if not tokens or _GAP.fullmatch(word) or any(sign in stem for sign in "<>*#.,"):
            raise NotationError(f"{word!r} is not a word")
        return tokens if stem == word else (*tokens[:-1], f"{tokens[-1]}*")


def _items(text: str) -> list[str]:
    """Words, choices and gaps. 'severe|bad pain' would leave open what is chosen from, so it is refused."""
    items = _split(text, " ")
    for left, right in pairwise(items):
        bare = [item for item in (left, right) if len(_split(item, "|")) > 1]
        if bare and not any(_GAP.fullmatch(item) for item in (left, right)):
            raise NotationError(f"{text!r}: put the choices {bare[0]!r} in parentheses")
    if not items:
        raise NotationError("a pattern or choice is empty")
    return items


def _split(text: str, separator: str) -> list[str]:
    """The parts of a text, parentheses and brackets kept whole."""
    parts, depth = [""], 0
    for sign in text:
        depth += (sign in "([") - (sign in ")]")
        if sign == separator and depth == 0:
            parts.append("")
        else:
            parts[-1] += sign
    if depth:
        raise NotationError(f"{text!r}: a parenthesis is not closed")
    return [part.strip() for part in parts if part.strip()]


def _runs(items: Sequence[str]) -> Iterator[str]:
    """Plain words that stand together become one element."""
    run: list[str] = []
    for item in items:
        if any(sign in item for sign in "<|(") or item in _SLOTS or _GAP.fullmatch(item):
            if run:
                yield " ".join(run)
            yield item
            run = []
        else:
            run.append(item)
    if run:
        yield " ".join(run)


class Reading:
    """One message: its words and which elements stand where."""

    def __init__(self, words: Words, occurrences: Mapping[int, list[Span]]) -> None:
        self._words: Final = words
        self._found: Final = {**occurrences, START: _starts(words), END: _ends(words)}
        self._possible: Final[dict[int, list[Pattern]]] = {}
        self._covered: Final[dict[int, frozenset[int]]] = {}
        self.present: Final = frozenset(occurrences)

    def possible(self, patterns: Sequence[Pattern]) -> list[Pattern]:
        """Those whose elements are all somewhere in the message."""
        if id(patterns) not in self._possible:
            self._possible[id(patterns)] = [pattern for pattern in patterns if pattern.needs <= self.present]
        return self._possible[id(patterns)]

    def find(self, pattern: Pattern, *, walls: int) -> list[Found]:
        """Every place where a rule's pattern stands, ``walls`` being the element that no gap may cross."""
        standing = self._found.get(walls, [])
        sentences = self._words.sentences

        def clear(left: Span, right: Span, _: Gap) -> bool:
            crossed = any(wall[1] <= right[0] for wall in _between(standing, left[1], right[0]))
            return not crossed and _together(left, right, sentences)

        return _find(pattern, self._found, clear)

    def around(self, match: Found) -> Mapping[int, list[Span]]:
        """What stands near a match, and the match itself in its slots."""
        return _Around(self._found, match)

    def stands(self, pattern: Pattern, around: Mapping[int, list[Span]]) -> bool:
        """Whether a guard's pattern stands around a match."""
        near = all(around[number] for number in pattern.elements)
        return near and bool(_find(pattern, around, self._clear_in_guard))

    def covered(self, pattern: Pattern) -> frozenset[int]:
        """The positions of all words of a guard without MATCH."""
        if id(pattern) not in self._covered:
            found = _find(pattern, self._found, self._clear_in_guard)
            self._covered[id(pattern)] = frozenset(at for one in found for span in one.spans for at in range(*span))
        return self._covered[id(pattern)]

    def _clear_in_guard(self, left: Span, right: Span, gap: Gap) -> bool:
        return _together(left, right, self._words.sentences if gap.commas else self._words.clauses)


class _Around(dict[int, list[Span]]):
    """Filled as it is asked: the elements in reach of a match, without the match's own words.

    The "not" of "not breathing" denies nothing.
    """

    def __init__(self, found: Mapping[int, list[Span]], match: Found) -> None:
        super().__init__({MATCH: [(match.start, match.end)], PART: sorted(match.spans)})
        self._found = found
        self._match = match

    def __missing__(self, number: int) -> list[Span]:
        near = _between(self._found[number], self._match.start - _REACH, self._match.end + _REACH)
        own = self._match.spans
        self[number] = [span for span in near if not any(one[0] < span[1] and span[0] < one[1] for one in own)]
        return self[number]


def _find(pattern: Pattern, found: Mapping[int, list[Span]], clear: Callable[[Span, Span, Gap], bool]) -> list[Found]:
    so_far: Collection[Found] = [Found(*span, (span,)) for span in found[pattern.elements[0]]]
    for number, gap in zip(pattern.elements[1:], pattern.gaps[1:], strict=True):
        spans = found[number] if so_far else []
        longer = (more for one in so_far for more in _longer(one, spans, gap, clear))
        so_far = {(one.start, one.end): one for one in longer}.values()
    return list(so_far)


def _longer(one: Found, spans: list[Span], gap: Gap, clear: Callable[[Span, Span, Gap], bool]) -> Iterator[Found]:
    hull = (one.start, one.end)
    for span in _between(spans, one.end, one.end + gap.words):
        if clear(hull, span, gap):
            yield Found(one.start, span[1], (*one.spans, span))
    if gap.ordered:
        return
    for span in _between(spans, one.start - gap.words - _LONGEST_PHRASE, one.start):
        if one.start - gap.words <= span[1] <= one.start and clear(span, hull, gap):
            yield Found(span[0], one.end, (*one.spans, span))


def _between(spans: list[Span], first: int, last: int) -> list[Span]:
    """Those that start from ``first`` to ``last``."""
    return spans[bisect_left(spans, (first, -1)) : bisect_left(spans, (last + 1, -1))]


def _together(left: Span, right: Span, parts: list[int]) -> bool:
    """Whether the last word of the left and the first of the right are in the same part; an edge of a clause always fits."""
    if left[0] == left[1] or right[0] == right[1]:
        return True
    return parts[left[1] - 1] == parts[right[0]]


def _starts(words: Words) -> list[Span]:
    clauses = words.clauses
    return [(at, at) for at in range(len(clauses)) if at == 0 or clauses[at - 1] != clauses[at]]


def _ends(words: Words) -> list[Span]:
    clauses, size = words.clauses, len(words.clauses)
    return [(at, at) for at in range(1, size + 1) if at == size or clauses[at - 1] != clauses[at]]
