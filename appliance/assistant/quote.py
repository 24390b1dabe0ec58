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

from appliance.assistant import facts
from appliance.assistant.asked import Asked
from appliance.assistant.evidence import Asking, evidence
from appliance.assistant.planted import sound
from appliance.knowledge import Passage, Sentence
from appliance.knowledge.glossary import NOTHING_CARRIED, Carried
from appliance.knowledge.search import Hit
from appliance.knowledge.words import content_words
from appliance.message import Citation, Language, Span

MOST_WORDS: Final = 70
"""A patient reads at most about eighty words; the lead-in takes the rest. A Chinese character counts as half a word."""
MOST_SENTENCES: Final = 3


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
    def words(self) -> str:
        """The sentence alone, verbatim."""
        return self._said(Span(start=self.sentence.start, end=self.sentence.end))

    @property
    def site(self) -> str | None:
        """The one site of which it speaks."""
        return self.sentence.site or self.passage.site

    @property
    def of_any_site(self) -> bool:
        """Whether it speaks of one site although none was asked for."""
        return self.site is not None and not self.features.get("site")

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
    join: dict[str, float]
    """How far behind the best sentence, in log-odds, another may be and still be quoted with it."""
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
        facts.ready()

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
        at: str | None = None,
    ) -> Quote | None:
        """The best sentences and how likely they answer; None when there is nothing at all to quote.

        ``at``: the site at which the patient is, unless the question names another.
        """
        asking = Asking(text=question, language=language, carried=carried, sites=tuple(sites), at=at)
        candidates = self._candidates(asking, hits)
        return self.chosen(candidates, self._asked.kinds(question)) if candidates else None

    def chosen(self, candidates: Sequence[Candidate], asked: frozenset[str]) -> Quote:
        """What is quoted of these, and the probability that it answers."""
        ranked = self.scored(candidates)
        probability = _sigmoid(_sum(self._weights.gate, gate_features(ranked)))
        chosen = self._of_each_site(ranked) or self._joined(ranked)
        return Quote(chosen=_reading_order(chosen), probability=probability, asked=asked)

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
        asking = Asking(text=question, language=language, carried=carried, sites=tuple(sites))
        return self.scored(self._candidates(asking, hits))

    def _candidates(self, asking: Asking, hits: Sequence[Hit]) -> list[Candidate]:
        found = evidence(asking, sound(hits), self._asked)
        return [Candidate(passage=hit.passage, sentence=one, features=features) for hit, one, features in found]

    def _of_each_site(self, ranked: Sequence[Candidate]) -> list[Candidate]:
        """What the sites say of the same thing, where no site was asked for and they say it nearly as well; else nothing.

        All such sites or none: who is told of two of three takes them for all.
        """
        best = ranked[0]
        if not best.of_any_site:
            return []
        near = [one for one in ranked if best.score - one.score <= self._weights.join["sites"] and _parallel(one, best)]
        of_each: dict[str | None, Candidate] = {}
        for one in near:
            of_each.setdefault(one.site, one)
        chosen = list(of_each.values())
        fit = 1 < len(chosen) <= MOST_SENTENCES and sum(map(_words, chosen)) <= MOST_WORDS
        return chosen if fit else []

    def _joined(self, ranked: Sequence[Candidate]) -> list[Candidate]:
        """The best sentence, and what belongs to it, while it stays short: its neighbours, and others nearly as good.

        Rows of one table are rivals (other days, other prices): they join only when they are as good as the best.
        """
        best = ranked[0]
        chosen = [best]
        length = _words(best)
        for other in ranked[1:]:
            if len(chosen) < MOST_SENTENCES and length + _words(other) <= MOST_WORDS and self._belongs(other, best):
                chosen.append(other)
                length += _words(other)
        return chosen

    def _belongs(self, other: Candidate, best: Candidate) -> bool:
        if other.passage.id != best.passage.id:
            return False
        behind = best.score - other.score
        join = self._weights.join
        if best.sentence.kind == "row" or other.sentence.kind == "row":
            return behind <= join["row"]
        beside = (
            min(abs(other.sentence.start - best.sentence.end), abs(best.sentence.start - other.sentence.end)) <= _GAP
        )
        return behind <= (join["beside"] if beside else join["apart"])


def gate_features(ranked: Sequence[Candidate]) -> dict[str, float]:
    """What tells whether the best candidate answers at all. What another site says of the same thing is no rival to it."""
    best = ranked[0]
    kept = {name: best.features[name] for name in _GATE_KEEPS}
    second = next(
        (
            other
            for other in ranked[1:]
            if other.passage.id != best.passage.id and not (best.of_any_site and _parallel(other, best))
        ),
        None,
    )
    return {**kept, "score": best.score, "margin": best.score - second.score if second else 0.0}


_GATE_KEEPS: Final = (
    *("bias", "dense", "passage", "words", "names", "said", "above", "near", "says", "unsaid", "missing", "uncarried"),
    *("nothing_known", "terms", "fact", "no_fact", "day", "date", "number", "site", "row", "item", "own"),
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


def _parallel(one: Candidate, best: Candidate) -> bool:
    """Whether it says of one site what ``best`` says of another: a row of the same table, a line of a page like its page."""
    if one.site is None or one.sentence.kind != best.sentence.kind or one.passage.language != best.passage.language:
        return False
    if any(one.features[name] != best.features[name] for name in _SAME):
        return False
    return _alike(one.sentence.text, best.sentence.text, (one, best)) >= _ALIKE and (
        one.passage.document == best.passage.document or _alike(_page(one), _page(best), (one, best)) >= _ALIKE
    )


def _alike(one: str, other: str, of: Sequence[Candidate]) -> float:
    """The share of words that two texts have in common, the sites' names and numbers left out."""
    sites = content_words(" ".join(each.site or "" for each in of))
    mine, theirs = ({word for word in content_words(text) - sites if not word[0].isdigit()} for text in (one, other))
    return len(mine & theirs) / max(1, len(mine | theirs))


def _page(one: Candidate) -> str:
    return " ".join((one.passage.title, *one.passage.heading))


_SAME: Final = ("fact", "no_fact", "day", "date")
_ALIKE: Final = 0.5


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
