"""What speaks for and against each sentence as the answer to a question: a handful of readable features between about -1 and 1.

Knows no weights: quote.py weighs.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from appliance.assistant.asked import Asked
from appliance.assistant.facts import facts
from appliance.knowledge import Sentence
from appliance.knowledge.glossary import Carried
from appliance.knowledge.search import Hit
from appliance.knowledge.sites import sites_named
from appliance.knowledge.words import content_words, fold
from appliance.message import Language

SHARP: Final = frozenset({"phone", "price", "duration", "time", "place", "bring"})
"""Kinds of fact that can be seen in a sentence."""
_NAMES: Final = re.compile(r"[A-Za-z][A-Za-z-]+|\b[A-Z]\b|\d+")


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """A question as it is compared with sentences."""

    text: str
    language: Language
    carried: Carried
    sites: tuple[str, ...] = ()
    at: str | None = None
    """The site at which the patient is, unless the question names another."""

    @property
    def named(self) -> frozenset[str]:
        """The sites that are asked about; none where any will do."""
        return sites_named(self.text, self.sites) or frozenset(filter(None, [self.at]))


class _Looked(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence with what is compared."""

    hit: Hit
    sentence: Sentence
    place: int
    dense: float
    text: str
    """Sentence and introduction."""
    own: bool
    """Whether it is in the asker's language."""
    said: _Searched
    """Sentence and introduction."""
    above: _Searched
    """Title and headings."""
    near: _Searched
    """The whole passage."""


class _Searched(msgspec.Struct, frozen=True):
    """A text in which terms are looked for."""

    folded: str
    words: frozenset[str]

    @classmethod
    def of(cls, text: str) -> _Searched:
        return cls(fold(text), content_words(text))


class _Term(msgspec.Struct, frozen=True):
    """One thing a question speaks of: a concept of the glossary, or a word that no concept explains."""

    meant: re.Pattern[str] | str

    def known(self, *, own: bool) -> bool:
        """Whether its absence says anything: a word that nobody carries cannot stand in another language."""
        return own or not isinstance(self.meant, str)

    def stands_in(self, text: _Searched) -> bool:
        return self.meant in text.words if isinstance(self.meant, str) else bool(self.meant.search(text.folded))


def evidence(asking: Asking, hits: Sequence[Hit], asked: Asked) -> list[tuple[Hit, Sentence, dict[str, float]]]:
    """Every sentence of the hits with its features."""
    looked = [one for place, hit in enumerate(hits) for one in _looked(hit, place, asking.language)]
    compared = _Compared(asking, looked, asked)
    return [(one.hit, one.sentence, compared.features(one)) for one in looked]


def _looked(hit: Hit, place: int, language: Language) -> Iterator[_Looked]:
    passage = hit.passage
    above, near = _Searched.of(" ".join((passage.title, *passage.heading))), _Searched.of(passage.text)
    for one in hit.sentences:
        lead = one.sentence.lead
        start = passage.start
        introduction = passage.text[lead.start - start : lead.end - start] if lead and lead.start >= start else ""
        text = f"{introduction} {one.sentence.text}"
        yield _Looked(
            hit=hit,
            sentence=one.sentence,
            place=place,
            dense=one.dense,
            text=text,
            own=passage.language == language,
            said=_Searched.of(text),
            above=above,
            near=near,
        )


class _Compared:
    """A question compared with all sentences at once."""

    def __init__(self, asking: Asking, looked: Sequence[_Looked], asked: Asked) -> None:
        self._asked = asked
        self._kinds = asked.kinds(asking.text) & SHARP
        self._days = asked.days(asking.text)
        self._names = frozenset(name.casefold() for name in _NAMES.findall(asking.text))
        self._sites = asking.named
        self._terms = _weighed(_terms(asking), looked)
        self._dates, self._numbers = _dates_and_numbers(asking.text, asking.language)
        self._best = looked[0].hit.score if looked else 0.0
        self._documents: dict[str, float] = {}
        for one in looked:
            known = self._documents.get(one.hit.passage.document, -1.0)
            self._documents[one.hit.passage.document] = max(known, one.hit.score)

    def features(self, one: _Looked) -> dict[str, float]:
        return {
            "bias": 1.0,
            "dense": one.dense,
            "passage": one.hit.score,
            "behind": self._best - one.hit.score,
            "document": self._best - self._documents[one.hit.passage.document],
            "first": 1.0 if one.place == 0 else 0.0,
            "words": one.hit.words,
            "names": _share(self._names, frozenset(one.said.folded.split()) | one.said.words),
            **self._covered(one),
            **self._facts(one),
            "site": self._site(one),
            "row": 1.0 if one.sentence.kind == "row" else 0.0,
            "item": 1.0 if one.sentence.kind == "item" else 0.0,
            "short": 1.0 if len(one.sentence.text) < 25 else 0.0,
            "own": 1.0 if one.own else 0.0,
        }

    def _covered(self, one: _Looked) -> dict[str, float]:
        """Which of the question's terms the sentence says, which stand above it, which only near it, and which nowhere."""
        weights = {"said": 0.0, "above": 0.0, "near": 0.0, "missing": 0.0, "uncarried": 0.0}
        count = 0
        for term, weight in self._terms.items():
            place = _place(term, one)
            weights[place] += weight
            count += place == "said"
        carried = weights.pop("uncarried")
        known = sum(weights.values())
        missing = weights.pop("missing")
        return {
            **{place: weight / known if known else 0.0 for place, weight in weights.items()},
            "says": min(count, ENOUGH_SAID) / ENOUGH_SAID,
            "unsaid": 1.0 if weights["near"] + missing else 0.0,
            "missing": 1.0 if missing else 0.0,
            "uncarried": 1.0 if carried else 0.0,
            "nothing_known": 0.0 if known else 1.0,
            "terms": min(len(self._terms), MANY_TERMS) / MANY_TERMS,
        }

    def _facts(self, one: _Looked) -> dict[str, float]:
        held = [kind for kind in self._kinds if self._asked.holds(kind, one.sentence.text)]
        named = self._asked.days(one.sentence.text)
        day = 0.0 if not self._days else 1.0 if self._days & named else -1.0 if named else 0.0
        return {
            "fact": 1.0 if held else 0.0,
            "no_fact": 1.0 if self._kinds and not held else 0.0,
            "day": day,
            **self._dated(one),
        }

    def _dated(self, one: _Looked) -> dict[str, float]:
        if not self._dates and not self._numbers:
            return {"date": 0.0, "number": 0.0}
        dates, numbers = _dates_and_numbers(one.text, one.hit.passage.language)
        date = 0.0 if not self._dates else 1.0 if self._dates & dates else -1.0 if dates else 0.0
        return {"date": date, "number": _share(self._numbers, numbers)}

    def _site(self, one: _Looked) -> float:
        if not self._sites:
            return 0.0
        if site := one.sentence.site or one.hit.passage.site:
            return 1.0 if site in self._sites else -1.0
        return 0.5 if any(fold(named) in one.said.folded for named in self._sites) else 0.0


ENOUGH_SAID: Final = 2
MANY_TERMS: Final = 4


def _terms(asking: Asking) -> tuple[_Term, ...]:
    concepts = asking.carried.concepts
    unexplained = fold(asking.text)
    for words in concepts:
        unexplained = words.sub(" ", unexplained)
    return (*map(_Term, concepts), *map(_Term, sorted(content_words(unexplained))))


def _weighed(terms: Sequence[_Term], looked: Sequence[_Looked]) -> dict[_Term, float]:
    """Each term by how rare it is among the sentences looked at, as inverse document frequency."""
    counts = {term: sum(term.stands_in(one.said) for one in looked) for term in terms}
    return {term: math.log((len(looked) + 1) / (count + 0.5)) for term, count in counts.items()}


def _place(term: _Term, one: _Looked) -> str:
    if term.stands_in(one.said):
        return "said"
    if term.stands_in(one.above):
        return "above"
    if term.stands_in(one.near):
        return "near"
    return "missing" if term.known(own=one.own) else "uncarried"


def _dates_and_numbers(text: str, language: Language) -> tuple[frozenset[str], frozenset[str]]:
    """Dates as month and day, whatever the year; numbers and sums of money."""
    found = facts(text, language)
    dates = frozenset(one.value[-5:] for one in found if one.kind == "date")
    return dates, frozenset(one.value for one in found if one.kind in ("number", "money"))


def _share(of: frozenset[str], among: frozenset[str]) -> float:
    return len(of & among) / len(of) if of else 0.0
