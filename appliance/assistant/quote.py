"""The answer in the documents' own words: which sentences answer a question, and how likely they do.

A small logistic ranker over readable features; its coefficients stand in quote_weights.toml, fitted by `fit_quotes`. It writes
nothing: every quote is a span of a document. Knows no channel and no language model.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Final

import msgspec

from appliance.assistant.asked import Asked
from appliance.knowledge import Passage, Sentence
from appliance.knowledge.glossary import NOTHING_CARRIED, Carried
from appliance.knowledge.search import Hit
from appliance.knowledge.words import content_words, fold
from appliance.message import Citation, Language, Span

MOST_WORDS: Final = 70
"""A patient reads at most about eighty words; the lead-in takes the rest. A Chinese character counts as half a word."""
PASSAGES: Final = 6


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence that may answer, with what speaks for and against it."""

    passage: Passage
    sentence: Sentence
    features: dict[str, float]
    score: float = 0.0
    """The ranker's log-odds that this sentence answers."""

    @property
    def span(self) -> Span:
        """What is quoted: the sentence, with its introduction where that stands right before it."""
        lead = self.sentence.lead
        return Span(start=lead.start if lead and self._adjacent(lead) else self.sentence.start, end=self.sentence.end)

    @property
    def text(self) -> str:
        """The span's text, verbatim."""
        return self._said(self.span)

    @property
    def introduction(self) -> str:
        """What introduces an item further down a list ("Bring with you:"), verbatim; empty where ``text`` holds it."""
        lead = self.sentence.lead
        if lead is None or self._adjacent(lead) or lead.start < self.passage.start:
            return ""
        return self._said(lead)

    def _adjacent(self, lead: Span) -> bool:
        return self.passage.start <= lead.start and self.sentence.start - lead.end <= _GAP

    def _said(self, span: Span) -> str:
        return self.passage.text[span.start - self.passage.start : span.end - self.passage.start]


_GAP: Final = 3
"""Characters between an introduction and its first item: a line break and a bullet."""


class Quote(msgspec.Struct, frozen=True, kw_only=True):
    """The chosen sentences, in the order in which they are read, and the probability that they hold the answer."""

    chosen: tuple[Candidate, ...]
    probability: float
    asked: frozenset[str]


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """Logistic coefficients by feature name; ``bias`` is the constant."""

    ranker: dict[str, float]
    gate: dict[str, float]
    threshold: float
    """Below this probability the answer is 'I don't know'."""

    @classmethod
    def load(cls) -> Weights:
        text = (resources.files("appliance.assistant") / "quote_weights.toml").read_text("utf-8")
        return msgspec.convert(tomllib.loads(text), cls)


class Quoting:
    """Chooses quotes."""

    def __init__(self, weights: Weights, *, asked: Asked | None = None) -> None:
        self._weights = weights
        self._asked = asked or Asked.load()

    @property
    def threshold(self) -> float:
        return self._weights.threshold

    def quote(
        self,
        question: str,
        language: Language,
        *,
        hits: Sequence[Hit],
        carried: Carried = NOTHING_CARRIED,
        sites: Sequence[str] = (),
    ) -> Quote | None:
        """The best sentences and how likely they answer; None when there is nothing at all to quote."""
        ranked = self.ranked(question, language, hits=hits, carried=carried, sites=sites)
        return self.chosen(ranked, self._asked.kinds(question)) if ranked else None

    def chosen(self, candidates: Sequence[Candidate], asked: frozenset[str]) -> Quote:
        """What is quoted of these, and the probability that it answers."""
        ranked = self.scored(candidates)
        probability = _sigmoid(_sum(self._weights.gate, gate_features(ranked)))
        return Quote(chosen=_reading_order(self._joined(ranked)), probability=probability, asked=asked)

    def scored(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Best first, by these weights."""
        weighed = [msgspec.structs.replace(one, score=_sum(self._weights.ranker, one.features)) for one in candidates]
        return sorted(weighed, key=lambda one: one.score, reverse=True)

    def ranked(
        self,
        question: str,
        language: Language,
        *,
        hits: Sequence[Hit],
        carried: Carried = NOTHING_CARRIED,
        sites: Sequence[str] = (),
    ) -> list[Candidate]:
        """Every sentence of the best passages, best first."""
        view = _Question(question, language, carried, sites, self._asked)
        best = hits[0].score if hits else 0.0
        candidates = []
        for place, hit in enumerate(hits[:PASSAGES]):
            for one in hit.sentences:
                features = view.features(hit, one.sentence, dense=one.dense, place=place, best=best)
                candidates.append(Candidate(passage=hit.passage, sentence=one.sentence, features=features))
        return self.scored(candidates)

    def _joined(self, ranked: Sequence[Candidate]) -> list[Candidate]:
        """The best sentence, and those of the same passage that are nearly as good, while they stay short."""
        best = ranked[0]
        chosen = [best]
        length = _words(best)
        for other in ranked[1:]:
            if other.score < best.score - self._weights.ranker["join_within"]:
                break
            if other.passage.id != best.passage.id and len(chosen) > 1:
                continue
            if len(chosen) == 3 or length + _words(other) > MOST_WORDS:
                continue
            chosen.append(other)
            length += _words(other)
        return chosen


class _Question:
    """A question looked at once, compared with many sentences."""

    def __init__(self, question: str, language: Language, carried: Carried, sites: Sequence[str], asked: Asked) -> None:
        self._language = language
        self._asked = asked
        self._kinds = asked.kinds(question)
        self._days = asked.days(question)
        self._words = content_words(question)
        self._carried = carried
        folded = fold(question)
        self._sites = {site for site in sites if fold(site) in folded or _short_name(site) in folded}

    def features(self, hit: Hit, sentence: Sentence, *, dense: float, place: int, best: float) -> dict[str, float]:
        passage = hit.passage
        around = " ".join((passage.title, *passage.heading))
        words = self._words if passage.language == self._language else frozenset()
        return {
            "bias": 1.0,
            "dense": dense,
            "passage": hit.score,
            "behind": best - hit.score,
            "first": 1.0 if place == 0 else 0.0,
            "words": hit.words,
            "covered": _covered(words, content_words(sentence.text)),
            "covered_above": _covered(words, content_words(around)),
            "concepts": self._carried.share_in(fold(sentence.text)),
            "concepts_near": self._carried.share_in(fold(f"{around} {passage.text}")),
            "concepts_above": self._carried.share_in(fold(around)),
            "fact": self._fact(sentence.text),
            "no_fact": self._no_fact(sentence.text),
            "day": self._day(sentence.text),
            "site": self._site(passage),
            "row": 1.0 if sentence.kind == "row" else 0.0,
            "short": 1.0 if len(sentence.text) < 25 else 0.0,
            "own": 1.0 if passage.language == self._language else 0.0,
        }

    def _fact(self, text: str) -> float:
        sharp = self._kinds & _SHARP
        return 1.0 if any(self._asked.holds(kind, text) for kind in sharp) else 0.0

    def _no_fact(self, text: str) -> float:
        sharp = self._kinds & _SHARP
        return 1.0 if sharp and not any(self._asked.holds(kind, text) for kind in sharp) else 0.0

    def _day(self, text: str) -> float:
        if not self._days:
            return 0.0
        named = self._asked.days(text)
        return 1.0 if self._days & named else -1.0 if named else 0.0

    def _site(self, passage: Passage) -> float:
        if not self._sites or not passage.site:
            return 0.0
        return 1.0 if passage.site in self._sites else -1.0


_SHARP: Final = frozenset({"phone", "price", "duration", "time", "place", "bring"})
"""Kinds whose facts can be seen in a sentence."""


def gate_features(ranked: Sequence[Candidate]) -> dict[str, float]:
    """What tells whether the best candidate answers at all."""
    best = ranked[0]
    kept = {name: best.features[name] for name in _GATE_KEEPS}
    second = next((other for other in ranked[1:] if other.passage.id != best.passage.id), None)
    return {**kept, "score": best.score, "margin": best.score - second.score if second else 0.0}


_GATE_KEEPS: Final = (
    *("bias", "dense", "passage", "words", "covered", "covered_above"),
    *("concepts", "concepts_near", "concepts_above", "fact", "no_fact", "day", "own"),
)


def citation(passage: Passage, span: Span, *, text: str, number: int) -> Citation:
    """The source of a text that is this span of this passage's document."""
    return Citation(
        number=number,
        document=passage.document,
        revision=passage.revision,
        title=passage.title,
        heading=passage.heading,
        page=passage.page,
        language=passage.language,
        span=span,
        quote=text,
        valid_from=passage.valid_from,
    )


def _covered(words: frozenset[str], among: frozenset[str]) -> float:
    return len(words & among) / len(words) if words else 0.0


def _short_name(site: str) -> str:
    """'North Clinic' is called 'North'."""
    return fold(site).split()[0]


def _words(candidate: Candidate) -> float:
    text = candidate.sentence.text
    han = sum("\u3400" <= character <= "\u9fff" for character in text)
    return len(text.split()) + han / 2


def _reading_order(chosen: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The best one's passage first, inside a passage as it is written."""
    first = chosen[0].passage.id
    return tuple(sorted(chosen, key=lambda one: (one.passage.id != first, one.passage.id, one.sentence.start)))


def _sum(weights: Mapping[str, float], features: Mapping[str, float]) -> float:
    return sum(weights.get(name, 0.0) * value for name, value in features.items())


def _sigmoid(log_odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, log_odds))))
