"""What speaks for and against each sentence as the answer to a question: a handful of readable features between about -1 and 1.

Knows no weights: quote.py weighs. A word or concept counts by how rare it is among the sentences looked at, so that "tooth
pulled" tells one row of a price list from the next, and "price" does not.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from appliance.assistant.asked import Asked
from appliance.knowledge import Sentence
from appliance.knowledge.glossary import Carried
from appliance.knowledge.search import Hit
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


class _Looked(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence with what is compared."""

    hit: Hit
    sentence: Sentence
    place: int
    dense: float
    folded: str
    """Sentence and introduction, folded."""
    above: str
    """Title and headings, folded."""
    words: frozenset[str]


def evidence(asking: Asking, hits: Sequence[Hit], asked: Asked) -> list[tuple[Hit, Sentence, dict[str, float]]]:
    """Every sentence of the hits with its features."""
    looked = [_looked(hit, place, one.sentence, one.dense) for place, hit in enumerate(hits) for one in hit.sentences]
    compared = _Compared(asking, looked, asked)
    return [(one.hit, one.sentence, compared.features(one)) for one in looked]


def _looked(hit: Hit, place: int, sentence: Sentence, dense: float) -> _Looked:
    lead = sentence.lead
    start = hit.passage.start
    introduction = hit.passage.text[lead.start - start : lead.end - start] if lead and lead.start >= start else ""
    text = f"{introduction} {sentence.text}"
    return _Looked(
        hit=hit,
        sentence=sentence,
        place=place,
        dense=dense,
        folded=fold(text),
        above=fold(" ".join((hit.passage.title, *hit.passage.heading))),
        words=content_words(text),
    )


class _Compared:
    """A question compared with all sentences at once: what is rare among them counts most."""

    def __init__(self, asking: Asking, looked: Sequence[_Looked], asked: Asked) -> None:
        self._asking = asking
        self._asked = asked
        self._kinds = asked.kinds(asking.text) & SHARP
        self._days = asked.days(asking.text)
        self._words = content_words(asking.text)
        self._names = frozenset(name.casefold() for name in _NAMES.findall(asking.text))
        self._sites = _sites(asking)
        self._best = looked[0].hit.score if looked else 0.0
        self._word_rarity = _rarity(Counter(word for one in looked for word in one.words & self._words), len(looked))
        self._concepts = asking.carried.concepts
        self._found = {id(one): self._concepts_in(one.folded) for one in looked}
        self._concept_rarity = _rarity(Counter(c for found in self._found.values() for c in found), len(looked))
        self._documents: dict[str, float] = {}
        for one in looked:
            known = self._documents.get(one.hit.passage.document, -1.0)
            self._documents[one.hit.passage.document] = max(known, one.hit.score)

    def features(self, one: _Looked) -> dict[str, float]:
        passage = one.hit.passage
        own = passage.language == self._asking.language
        concepts = self._found[id(one)]
        above = self._concepts_in(one.above)
        near = concepts | above | self._concepts_in(fold(passage.text))
        everything = range(len(self._concepts))
        return {
            "bias": 1.0,
            "dense": one.dense,
            "passage": one.hit.score,
            "behind": self._best - one.hit.score,
            "document": self._best - self._documents[passage.document],
            "first": 1.0 if one.place == 0 else 0.0,
            "words": one.hit.words,
            "covered": _share(self._words, one.words, self._word_rarity) if own else 0.0,
            "covered_above": _share(self._words, content_words(one.above), self._word_rarity) if own else 0.0,
            "names": _share(self._names, frozenset(one.folded.split()) | one.words, {}),
            "concepts": _share(everything, concepts, self._concept_rarity),
            "concepts_above": _share(everything, above, self._concept_rarity),
            "concepts_near": _share(everything, near, self._concept_rarity),
            "unknown": self._unknown(),
            **self._facts(one),
            "site": self._site(one),
            "row": 1.0 if one.sentence.kind == "row" else 0.0,
            "item": 1.0 if one.sentence.kind == "item" else 0.0,
            "short": 1.0 if len(one.sentence.text) < 25 else 0.0,
            "own": 1.0 if own else 0.0,
        }

    def _facts(self, one: _Looked) -> dict[str, float]:
        held = [kind for kind in self._kinds if self._asked.holds(kind, one.sentence.text)]
        named = self._asked.days(one.sentence.text)
        day = 0.0 if not self._days else 1.0 if self._days & named else -1.0 if named else 0.0
        return {
            "fact": 1.0 if held else 0.0,
            "no_fact": 1.0 if self._kinds and not held else 0.0,
            "day": day,
        }

    def _site(self, one: _Looked) -> float:
        site = one.hit.passage.site
        if not self._sites:
            return 0.0
        if site:
            return 1.0 if site in self._sites else -1.0
        return 0.5 if any(fold(named) in one.folded for named in self._sites) else 0.0

    def _concepts_in(self, folded: str) -> frozenset[int]:
        return frozenset(place for place, words in enumerate(self._concepts) if words.search(folded))

    def _unknown(self) -> float:
        """The share of the question's words that no concept explains: what it may be about, and we know nothing of."""
        if not self._words:
            return 0.0
        explained = fold(self._asking.text)
        for words in self._concepts:
            explained = words.sub(" ", explained)
        left = content_words(explained) - self._word_rarity.keys()
        return min(1.0, len(left) / len(self._words))


def _rarity(counted: Mapping[str, int] | Mapping[int, int], among: int) -> dict[object, float]:
    """As inverse document frequency, over the sentences looked at; what stands in none of them is as rare as can be."""
    return {key: math.log((among + 1) / (count + 0.5)) for key, count in counted.items()}


def _share(
    of: Sequence[object] | frozenset[str] | range,
    among: frozenset[object] | frozenset[str] | frozenset[int],
    rarity: Mapping[object, float],
) -> float:
    """How much of what is asked is found, each weighed by its rarity."""
    most = max(rarity.values(), default=1.0)
    weights = {one: rarity.get(one, most) for one in of}
    total = sum(weights.values())
    return sum(weight for one, weight in weights.items() if one in among) / total if total > 0 else 0.0


def _sites(asking: Asking) -> frozenset[str]:
    """The sites a question names: in full, or by a first word long enough to be a name ('north', 'cedar')."""
    folded = f" {fold(asking.text)} "
    named = set()
    for site in asking.sites:
        first = fold(site).split()[0]
        if fold(site) in folded or (len(first) >= 5 and first in folded):
            named.add(site)
    return frozenset(named)
