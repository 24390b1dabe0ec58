"""A question read as slots: what it is about, for whom, at which site, when; and whether it begins or points like a follow-up.

The words stand in followup.toml. Knows no conversation; followup.py puts questions together.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from importlib import resources
from typing import Final, Literal

import msgspec

from appliance.assistant.asked import Asked
from appliance.assistant.facts import facts
from appliance.knowledge.glossary import Glossary
from appliance.knowledge.sites import spoken
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import content_words, fold
from appliance.message import Language

Slot = Literal[
    "subject", "site", "when", "who", "it", "there", "other_site", "no_pointer", "you", "whole", "asking", "light"
]
CARRIED: Final[tuple[Slot, ...]] = ("subject", "who", "site", "when")
"""Those that a follow-up may leave out, in the order in which they are said."""
ENDS: Final = " ?？.。!！¿¡।,，"


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a question, and what it says."""

    slot: Slot
    name: str
    """The concept or site; empty where the words are of no list."""
    text: str
    start: int = -1
    """Where it stands; -1 in no question."""
    end: int = -1
    sure: bool = True
    """Whether a name is a site's: the clinic's documents list it, or it is said as of a place."""


class Read(msgspec.Struct, frozen=True, kw_only=True):
    """A question as slots."""

    text: str
    language: Language
    pieces: tuple[Piece, ...]
    kinds: frozenset[str]
    """What is asked for (assistant/asked.py)."""
    start: int
    """Where it begins, after "and" …"""
    opened: bool
    """Whether it begins, or ends, as follow-ups do."""

    def __repr__(self) -> str:
        return f"Read({len(self.text)} characters)"

    @property
    def rest(self) -> str:
        """Without opener and question mark."""
        return self.text[self.start :].strip(ENDS)

    @property
    def subjects(self) -> tuple[Piece, ...]:
        return self.of("subject")

    @property
    def runs(self) -> list[list[Piece]]:
        """The subjects, those side by side as one: "flu shot"."""
        runs: list[list[Piece]] = []
        for one in self.subjects:
            if runs and not self.text[runs[-1][-1].end : one.start].strip():
                runs[-1].append(one)
            else:
                runs.append([one])
        return runs

    def of(self, *slots: Slot) -> tuple[Piece, ...]:
        return tuple(one for one in self.pieces if one.slot in slots)

    def names(self, slot: Slot) -> frozenset[str]:
        return frozenset(one.name for one in self.pieces if one.slot == slot)

    def only(self, names: frozenset[str]) -> bool:
        """Whether it has subjects, and all are of these."""
        return bool(self.subjects) and self.names("subject") <= names


class Reader:
    """Reads questions."""

    def __init__(self, glossary: Glossary) -> None:
        self.words: Final = Words.load()
        self._glossary = glossary
        self._asked = Asked.load()

    def read(self, question: str, language: Language, *, sites: Sequence[str]) -> Read:
        """Takes a millisecond or two."""
        text = unicodedata.normalize("NFKC", question)
        folded, places = _folded(text)
        start, closed = self.words.edges(folded)
        found = [*self._found(folded, language, sites), *_days_and_times(text, places, language)]
        kept = _apart(found, start)
        pieces = _pieces([*kept, *_unexplained(folded, kept, start)], text, places)
        return Read(
            text=text,
            language=language,
            pieces=tuple(self._with_names(pieces, text, language)),
            kinds=self._asked.kinds(folded[start:]),
            start=places[start],
            opened=closed or start > 0,
        )

    def plain(self, piece: Piece, language: Language) -> str | None:
        """The piece in this language: by the word lists, or as it is when it is a name; None where nobody knows it."""
        if own := self.words.own_words.get(piece.name):
            return own[language][0]
        if piece.slot == "site" or not piece.name:
            return piece.text if piece.slot == "site" or _NAME.fullmatch(piece.text) else None
        return self._glossary.plain(piece.name, language)

    def _with_names(self, pieces: Iterable[Piece], text: str, language: Language) -> Iterator[Piece]:
        """Capitalised words that no list explains are a name, most often that of a site that no document lists."""
        end = 0
        for one in pieces:
            if one.start < end:
                continue
            if self._a_name(one, text, language):
                named = _NAMED.match(text, one.start)
                end = named.end() if named else one.end
                yield self._name(one.start, end, text)
            else:
                yield one

    def _a_name(self, piece: Piece, text: str, language: Language) -> bool:
        if piece.slot != "subject" or piece.name or not _CAPITALISED.fullmatch(piece.text):
            return False
        begins = not text[: piece.start].strip(ENDS)  # the first word of a sentence is written large for that alone
        return not (begins and language in ("en", "es")) and not self.words.title.search(fold(text[: piece.start]))

    def _name(self, start: int, end: int, text: str) -> Piece:
        placed = self.words.placed(fold(text[:start]), fold(text[end:]))
        return Piece(slot="site", name="", text=text[start:end], start=start, end=end, sure=placed)

    def _found(self, folded: str, language: Language, sites: Sequence[str]) -> Iterator[_Found]:
        for site in sites:
            yield from (("site", site, *one.span()) for one in pattern(spoken(site)).finditer(folded))
        yield from self.words.found(folded)
        for name in self._glossary.carried(folded, language).names:
            slot = self.words.slot(name)
            for words in self._glossary.concept(name).concepts:
                yield from ((slot, name, *one.span()) for one in words.finditer(folded))


_Found = tuple[Slot, str, int, int]
"""Slot, name, start and end in the folded text."""
_NAME: Final = re.compile(r"[A-Z0-9][\w.-]*")
_NAMED: Final = re.compile(r"[A-ZÁÉÍÓÚÑ][a-záéíóúñü]+(?:\s+[A-Z][a-z]+)*")
_CAPITALISED: Final = re.compile(r"[A-ZÁÉÍÓÚÑ][a-záéíóúñü]+(?:['’-]\w+)*")
_FIRST: Final[tuple[Slot, ...]] = ("site", "no_pointer", "other_site", "there", "it", "you")
"""These are seen first, in this order; of the others the longest."""
_THEN: Final[tuple[Slot, ...]] = ("subject", "who", "when", "whole", "asking", "light")
"""Of two that are as long, this order decides."""


def _folded(text: str) -> tuple[str, list[int]]:
    """Folded letter by letter, and where each letter stands in the text."""
    letters = [(letter, place) for place, sign in enumerate(text) for letter in fold(sign)]
    return "".join(letter for letter, _ in letters), [*(place for _, place in letters), len(text)]


def _days_and_times(text: str, places: Sequence[int], language: Language) -> Iterator[_Found]:
    where = {place: index for index, place in reversed(list(enumerate(places)))}
    for fact in facts(text, language):
        if fact.kind in ("day", "date", "time") and fact.span.start in where and fact.span.end in where:
            yield ("when", "", where[fact.span.start], where[fact.span.end])


def _apart(found: Iterable[_Found], start: int) -> list[_Found]:
    """Those that do not overlap."""
    kept: list[_Found] = []
    for one in sorted(found, key=_rank):
        if one[2] >= start and all(one[3] <= other[2] or one[2] >= other[3] for other in kept):
            kept.append(one)
    return kept


def _rank(one: _Found) -> tuple[int, int, int, bool]:
    """Of one length and kind one with a name, which can be translated, comes first."""
    slot, name, start, end = one
    first = _FIRST.index(slot) if slot in _FIRST else len(_FIRST)
    return first, start - end, _THEN.index(slot) if slot in _THEN else 0, not name


def _unexplained(folded: str, kept: Sequence[_Found], start: int) -> Iterator[_Found]:
    """Words of no list that carry meaning: what they mean nobody knows, so they count as what is asked about."""
    left = list(folded)
    for _, _, begin, end in kept:
        left[begin:end] = " " * (end - begin)
    for word in _WORD.finditer("".join(left), start):
        if content_words(word[0]) and not word[0].isdecimal():
            yield ("subject", "", *word.span())


_WORD: Final = re.compile(r"[\u3400-\u9fff]+|(?<!')[\w\u0900-\u0963\u0966-\u097f][\w\u0900-\u0963\u0966-\u097f'-]*")


def _pieces(found: Sequence[_Found], text: str, places: Sequence[int]) -> Iterator[Piece]:
    for slot, name, begin, end in sorted(found, key=lambda one: one[2]):
        start, stop = places[begin], places[end]
        yield Piece(slot=slot, name=name, text=text[start:stop].strip(), start=start, end=stop)


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file followup.toml; it says what each list is for."""

    openers: tuple[str, ...]
    closers: tuple[str, ...]
    there: tuple[str, ...]
    it: tuple[str, ...]
    last_it: tuple[str, ...]
    no_pointer: tuple[str, ...]
    other_site: tuple[str, ...]
    you: tuple[str, ...]
    whole: tuple[str, ...]
    light: tuple[str, ...]
    when: tuple[str, ...]
    when_words: tuple[str, ...]
    who: tuple[str, ...]
    titles: tuple[str, ...]
    before_a_place: tuple[str, ...]
    behind_a_place: tuple[str, ...]
    thing_words: dict[str, dict[Language, tuple[str, ...]]]
    who_words: dict[str, dict[Language, tuple[str, ...]]]
    lists: dict[str, frozenset[str]]
    rivals: dict[str, frozenset[str]]
    asked: dict[str, dict[Language, str]]


class Words:
    """The file's words, compiled, with the words of asking from asked.toml and the light words of likeness.toml."""

    def __init__(self, file: _File, asking: Sequence[str], light: Sequence[str]) -> None:
        self.rivals = tuple(file.rivals.values())
        self.departments = file.rivals["departments"]
        self.asked = file.asked
        self.own_words = file.who_words | file.thing_words
        self.of_a_thing = file.lists["of_a_thing"] | file.thing_words.keys()
        self.of_a_place = file.lists["of_a_place"]
        self._slots: dict[str, Slot] = {
            **dict.fromkeys(file.lists["asking"], "asking"),
            **dict.fromkeys(file.when, "when"),
            **dict.fromkeys(file.who, "who"),
        }
        self._openers, self._closers = pattern(file.openers), pattern(file.closers)
        self._last_it = pattern(file.last_it)
        self.title = re.compile(rf"(?:{pattern(file.titles).pattern})\W*$")
        self._before_a_place = re.compile(rf"(?:{pattern(file.before_a_place).pattern})\s*$")
        self._behind_a_place = re.compile(rf"\s*(?:{pattern(file.behind_a_place).pattern})")
        lists: list[tuple[Slot, str, Sequence[str]]] = [
            *(("who", name, sum(words.values(), ())) for name, words in file.who_words.items()),
            ("when", "", file.when_words),
            ("it", "", file.it),
            ("there", "", file.there),
            ("other_site", "", file.other_site),
            ("no_pointer", "", file.no_pointer),
            *(("subject", name, sum(words.values(), ())) for name, words in file.thing_words.items()),
            ("you", "", file.you),
            ("whole", "", file.whole),
            ("asking", "", asking),
            ("light", "", (*light, *file.light, *file.closers)),
        ]
        self._lists = [(slot, name, pattern(words)) for slot, name, words in lists]

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> Words:
        file, asked, likeness = (_toml(name) for name in ("followup", "asked", "likeness"))
        asking = [one for table in asked.values() for key, words in table.items() if key[:4] == "ask_" for one in words]
        return cls(msgspec.convert(file, _File), asking, list(likeness["light"]))

    def slot(self, concept: str) -> Slot:
        return self._slots.get(concept, "subject")

    def edges(self, folded: str) -> tuple[int, bool]:
        """Where the question begins after its opener, and whether it closes as follow-ups do."""
        whole = folded.rstrip(ENDS)
        start = 0
        while opener := self._openers.match(whole, start + len(whole[start:]) - len(whole[start:].lstrip(ENDS))):
            start = opener.end()
        closed = any(one.end() == len(whole) for one in self._closers.finditer(whole))
        return min(start, len(folded)), closed

    def placed(self, before: str, behind: str) -> bool:
        """Whether a name between these is said as a place's."""
        return bool(self._before_a_place.search(before) or self._behind_a_place.match(behind))

    def found(self, folded: str) -> Iterator[_Found]:
        for slot, name, words in self._lists:
            yield from ((slot, name, *one.span()) for one in words.finditer(folded))
        whole = folded.rstrip(ENDS)
        yield from (("it", "", *one.span()) for one in self._last_it.finditer(whole) if one.end() == len(whole))


def _toml(name: str) -> dict[str, dict[str, list[str]]]:
    return tomllib.loads((resources.files("appliance.assistant") / f"{name}.toml").read_text("utf-8"))
