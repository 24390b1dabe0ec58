"""Which written sentences the sources support: every fact, name, medicine and negation must stand there, and the sense with it.

Works without an embedder, on facts and words alone, and better with one. The words and the fitted weights stand in
grounding.toml. Knows no model that writes and no channel.
"""

from __future__ import annotations

import asyncio
import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Any, Final, Literal

import msgspec
import numpy as np

from appliance.assistant.facts import Fact, facts
from appliance.knowledge.glossary import Glossary
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import content_words, fold
from appliance.languages import detect
from appliance.message import Language
from models import Embedder, Vectors

Reason = Literal["fact", "name", "drug", "negation", "meaning"]


SAME_LANGUAGE: Final = 0.5
"""Who shares more of the words than this writes the source's language, whatever the few words of one sentence look like."""


ITSELF: Final = 0.1
"""How much likelier another source must be than one that holds all of the sentence's words and facts itself."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence that may bear out what was written."""

    text: str
    language: Language
    above: str = ""
    """Title, headings and introduction: what is said there holds for the sentence."""
    alone: bool = False
    """A row or an item: its neighbours are rivals (other days, other prices), not its context."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether one written sentence may be said."""

    supported: bool
    probability: float
    place: int | None
    """The source that speaks for it best."""
    reason: Reason | None = None
    """What is not in the sources."""


class Grounding:
    """Checks written sentences. ``embedder`` None: by facts, names, negations and words alone."""

    def __init__(self, words: _Words, glossary: Glossary, *, embedder: Embedder | None = None) -> None:
        self.words = words
        self.glossary = glossary
        self.embedder = embedder

    @classmethod
    def load(cls, glossary: Glossary | None = None, *, embedder: Embedder | None = None) -> Grounding:
        return cls(_Words.load(), glossary or _own_glossary(), embedder=embedder)

    def weighed(self, name: str, weights: Mapping[str, float], threshold: float) -> Grounding:
        """The same check with other weights: for the script that fits them."""
        return Grounding(self.words.with_weights(name, weights, threshold), self.glossary, embedder=self.embedder)

    async def sources(self, given: Sequence[Source]) -> Sources:
        """The sources of one answer, read once for all its sentences."""
        windows = await asyncio.to_thread(self._read, given)
        known = _union(_names(f"{one.text}\n{one.above}") for one in given)
        vectors = None
        if self.embedder and given:
            vectors = await self.embedder.queries([one.text for one in given], [one.language for one in given])
        return Sources(self, windows, known=known, vectors=vectors)

    def _read(self, given: Sequence[Source]) -> list[_Window]:
        texts = {(text, one.language) for one in given for text in (one.text, one.above)}
        parts = {(text, language): self._part(text, language) for text, language in texts}
        return [_window(given, parts, place) for place in range(len(given))]

    def _part(self, text: str, language: Language) -> _Part:
        return _Part(
            facts=facts(text, language),
            words=content_words(text),
            letters=frozenset(_LATIN.findall(fold(text))),
            named=bool(_names(_without(text, facts(text, language)))),
            drugs=_union(self.words.drugs_in(text)),
            concepts=self.glossary.carried(text, language).names,
            clauses=_clauses(self, text, language),
        )


class Sources:
    """What one answer may be borne out by."""

    def __init__(
        self, grounding: Grounding, windows: Sequence[_Window], *, known: frozenset[str], vectors: Vectors | None
    ) -> None:
        self._grounding = grounding
        self._windows = windows
        self._vectors = vectors
        self._known = known

    async def verdict(
        self, sentence: str, language: Language | None = None, *, among: Sequence[int] | None = None
    ) -> Verdict:
        """On one sentence; ``among`` the places of the sources to look at."""
        places = range(len(self._windows)) if among is None else among
        said = self._said(sentence, detect(sentence, hint=language))
        if not said.words and not said.facts:
            return _NOTHING
        near = await self._nearness(said)
        judged = [self._judged(said, place, near) for place in places]
        best = max(judged, key=lambda one: self._merit(said, one), default=_NOTHING)
        if best.supported and best.place is not None and _turned(said, self._windows[best.place]):
            return msgspec.structs.replace(best, supported=False, reason="negation")
        return best

    def _merit(self, said: _Said, verdict: Verdict) -> tuple[bool, bool, float]:
        """Of two that support it alike, the source that says it itself, not the one beside it."""
        own = self._windows[verdict.place].own if verdict.place is not None else _Part()
        held = len(said.words & own.words) + sum(_held(fact, own.facts) for fact in said.facts)
        itself = held / max(1, len(said.words) + len(said.facts))
        return verdict.supported, verdict.reason == "meaning", verdict.probability + ITSELF * itself

    def features(self, said: _Said, place: int, near: Sequence[float] | None) -> dict[str, float]:
        """What speaks for one source; between about 0 and 1."""
        window = self._windows[place]
        shared = len(said.words & window.words) / len(said.words) if said.words else 1.0
        same = window.language == said.language or shared > SAME_LANGUAGE
        missing = said.concepts - window.concepts
        cosine = (
            {}
            if near is None
            else {"cosine": near[place] if same else 0.0, "cosine_across": 0.0 if same else near[place]}
        )
        return {
            "bias": 1.0,
            "across": 0.0 if same else 1.0,
            "covered": shared if same else 0.0,
            "concepts": 1 - len(missing) / len(said.concepts) if said.concepts else 0.0,
            "no_concepts": 0.0 if said.concepts else 1.0,
            "concepts_missing": min(4, len(missing)) / 4,
            "facts": min(2, sum(fact.kind != "number" for fact in said.facts)) / 2,
            "length": min(30, len(said.words)) / 30,
            **cosine,
        }

    async def evidence(
        self, sentence: str, language: Language | None = None
    ) -> list[tuple[Reason | None, dict[str, float]]]:
        """Of each source what is missing there, and the features: for the script that fits the weights."""
        said = self._said(sentence, detect(sentence, hint=language))
        near = await self._nearness(said)
        return [(self._missing(said, place), self.features(said, place, near)) for place in range(len(self._windows))]

    def _said(self, sentence: str, language: Language) -> _Said:
        words = self._grounding.words
        found = facts(sentence, language)
        return _Said(
            language=language,
            text=sentence,
            facts=found,
            words=content_words(_without(sentence, found)),
            names=_names(_without(sentence, found), self._known),
            drugs=words.drugs_in(sentence),
            concepts=self._grounding.glossary.carried(sentence, language).names,
            clauses=_clauses(self._grounding, sentence, language),
        )

    async def _nearness(self, said: _Said) -> Sequence[float] | None:
        """The cosine with every source."""
        if self._vectors is None or self._grounding.embedder is None:
            return None
        vector = await self._grounding.embedder.queries([said.text], [said.language])
        cosines: list[float] = np.asarray(self._vectors @ vector[0], dtype=float).tolist()
        return cosines

    def _judged(self, said: _Said, place: int, near: Sequence[float] | None) -> Verdict:
        words = self._grounding.words
        weights, threshold = words.weights("words_only" if near is None else "with_meaning")
        features = self.features(said, place, near)
        odds = sum(weights.get(name, 0.0) * value for name, value in features.items())
        probability = 1 / (1 + math.exp(-max(-30.0, min(30.0, odds))))
        reason = self._missing(said, place) or ("meaning" if probability < threshold else None)
        return Verdict(supported=reason is None, probability=probability, place=place, reason=reason)

    def _missing(self, said: _Said, place: int) -> Reason | None:
        """The first kind of thing that the sentence says and this source does not."""
        window = self._windows[place]
        if any(not _held(fact, window.facts) for fact in said.facts):
            return "fact"
        if any(not drug & window.drugs for drug in said.drugs):
            return "drug"
        if any(not self._named(name, said, window) for name in said.names):
            return "name"
        return None

    def _named(self, name: str, said: _Said, window: _Window) -> bool:
        """A name stands in the source as it is, or the glossary knows it in both languages."""
        if name in window.letters:
            return True
        concepts = self._grounding.glossary.carried(name, said.language).names
        return bool(concepts & window.concepts)


_NOTHING: Final = Verdict(supported=False, probability=0.0, place=None, reason="meaning")


class _Clause(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch between two commas, to see what a negation turns round."""

    negated: bool
    speaks_of: frozenset[str]
    """Its words, facts and concepts."""


class _Said(msgspec.Struct, frozen=True, kw_only=True):
    """A written sentence as it is compared."""

    language: Language
    text: str
    facts: frozenset[Fact]
    words: frozenset[str]
    names: frozenset[str]
    drugs: tuple[frozenset[str], ...]
    concepts: frozenset[str]
    clauses: tuple[_Clause, ...]


class _Part(msgspec.Struct, frozen=True, kw_only=True):
    """A text of the sources, read."""

    facts: frozenset[Fact] = frozenset()
    words: frozenset[str] = frozenset()
    letters: frozenset[str] = frozenset()
    named: bool = False
    drugs: frozenset[str] = frozenset()
    concepts: frozenset[str] = frozenset()
    clauses: tuple[_Clause, ...] = ()


class _Window(msgspec.Struct, frozen=True, kw_only=True):
    """A source with what stands around it."""

    language: Language
    own: _Part
    around: tuple[_Part, ...]
    """What stands above, and the neighbours."""
    facts: frozenset[Fact]
    words: frozenset[str]
    letters: frozenset[str]
    drugs: frozenset[str]
    concepts: frozenset[str]


def _window(given: Sequence[Source], parts: Mapping[tuple[str, Language], _Part], place: int) -> _Window:
    """The sentence with its neighbours, unless they are rows of a table, and what stands above."""
    one = given[place]
    beside = [*given[max(0, place - 1) : place], *given[place + 1 : place + 2]]
    near = [other for other in beside if not (other.alone or one.alone) and other.above == one.above]
    own = parts[one.text, one.language]
    around = (parts[one.above, one.language], *(parts[other.text, other.language] for other in near))
    every = (own, *around)
    # Who is named once in a passage is spoken of until another is named.
    same = [own, *(parts[other.text, other.language] for other in given if other.above == one.above and not own.named)]
    return _Window(
        language=one.language,
        own=own,
        around=around,
        facts=own.facts | _supplementing(own, around),
        words=_union(part.words for part in every),
        letters=_union(part.letters for part in (*every, *same)),
        drugs=_union(part.drugs for part in every),
        concepts=_union(part.concepts for part in every),
    )


def _supplementing(own: _Part, around: Sequence[_Part]) -> frozenset[Fact]:
    """A neighbour's facts hold for the sentence where it states none of that kind itself: its own hours are not next day's."""
    kinds = {fact.kind for fact in own.facts}
    return frozenset(fact for part in around for fact in part.facts if fact.kind not in kinds)


def _union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    return frozenset().union(*sets)


# ---- facts ------------------------------------------------------------------------------------------------------------


def _held(fact: Fact, among: frozenset[Fact]) -> bool:
    return any(_same(fact, other) for other in among)


def _same(said: Fact, source: Fact) -> bool:
    """Whether the source states it. Of "younger than 15" and "menores de 15 años" one is a number, the other a duration."""
    if said.kind == source.kind:
        return _SAME.get(said.kind, str.__eq__)(said.value, source.value)
    if (said.kind, source.kind) == ("number", "duration") or (said.kind == "duration" and said.value[-1] == "Y"):
        return source.kind in ("number", "duration") and _amount(said.value) == _amount(source.value)
    return False


def _same_time(said: str, source: str) -> bool:
    """Where one leaves the half of the day open, either half will do."""
    if said[-1] != "?" and source[-1] != "?":
        return said == source
    return (int(said[:2]) % 12, said[3:5]) == (int(source[:2]) % 12, source[3:5])


def _same_date(said: str, source: str) -> bool:
    """Less may be said than the source states: the month of a day, a day without its year."""
    said_year, said_day = _year_and_day(said)
    year, day = _year_and_day(source)
    return day.startswith(said_day) and (said_year == year or not (said_year and year))


def _year_and_day(value: str) -> tuple[str, str]:
    """--07-04 has no year, 2026-07 no day."""
    return ("", value[2:]) if value.startswith("--") else (value[:4], value[5:])


def _same_phone(said: str, source: str) -> bool:
    return source.endswith(said) if len(said) >= 7 else source == said


def _same_duration(said: str, source: str) -> bool:
    return _measured(said) == _measured(source)


_SAME: Final = {"time": _same_time, "date": _same_date, "phone": _same_phone, "duration": _same_duration}
_WHOLE: Final = {"W": ("D", 7), "Y": ("M", 12), "TH": ("TM", 60), "D": ("D", 1), "M": ("M", 1), "TM": ("TM", 1)}


def _measured(value: str) -> tuple[str, float]:
    """Two weeks are fourteen days; a day is not taken for 24 hours."""
    unit = ("T" if value[1] == "T" else "") + value[-1]
    whole, times = _WHOLE[unit]
    return whole, float(_amount(value)) * times


def _amount(value: str) -> str:
    return value.strip("PTHMDWY")


def _without(text: str, found: frozenset[Fact]) -> str:
    """The text with its facts taken out: they are checked by themselves."""
    for fact in sorted(found, key=lambda one: one.span.start, reverse=True):
        text = text[: fact.span.start] + " " * (fact.span.end - fact.span.start) + text[fact.span.end :]
    return text


# ---- names and negations ----------------------------------------------------------------------------------------------

_LATIN: Final = re.compile(r"[a-z\u00e0-\u024f][a-z\u00e0-\u024f0-9]*")
_CAPITAL: Final = re.compile(r"(?<![\w'’-])[A-ZÀ-Þ][\w'’]*")
_FOREIGN: Final = re.compile(r"[\u0900-\u0dff\u3400-\u9fff]")
_BEGINS: Final = re.compile(r"(?:^|[.!?:;\n\"“¿¡(•*-])\s*$")


def _names(text: str, known: frozenset[str] = frozenset()) -> frozenset[str]:
    """Words that must be copied, folded: in Chinese and Hindi every Latin word, else what has a capital inside a sentence.

    At a sentence's start only what the sources show to be a name.
    """
    if len(_FOREIGN.findall(text)) > len(re.findall("[a-z]", text)) / 4:
        return frozenset(word for word in _LATIN.findall(fold(text)) if len(word) > 1)
    found = set()
    for one in _CAPITAL.finditer(text):
        folded = fold(one[0]).removesuffix("'s")
        if len(folded) < 2:
            continue
        begins = _BEGINS.search(text, 0, one.start())
        if not begins or folded in known:
            found.update(_LATIN.findall(folded))
    return frozenset(found)


def _clauses(grounding: Grounding, text: str, language: Language) -> tuple[_Clause, ...]:
    return tuple(_clause(grounding, part, language) for part in grounding.words.clauses(text)) if text else ()


def _clause(grounding: Grounding, text: str, language: Language) -> _Clause:
    stated = {f"{fact.kind} {fact.value.strip('?')}" for fact in facts(text, language)}
    concepts = {f"concept {name}" for name in grounding.glossary.carried(text, language).names}
    return _Clause(
        negated=grounding.words.negated(text),
        speaks_of=frozenset(stated | concepts) | {f"{language} {word}" for word in content_words(text)},
    )


def _turned(said: _Said, window: _Window) -> bool:
    """Whether a clause is negated and the source's clause that speaks of the same is not, or the other way."""
    near = [clause for part in window.around for clause in part.clauses]
    return any(_opposed(one, window.own.clauses, near) for one in said.clauses)


def _opposed(said: _Clause, own: Sequence[_Clause], near: Sequence[_Clause]) -> bool:
    """Where several clauses speak of it alike, one that is negated is enough; where none does, the source's own count."""
    shared = [(len(said.speaks_of & one.speaks_of), one) for one in (*own, *near)]
    most = max((count for count, _ in shared), default=0)
    nearest = [one for count, one in shared if count == most] if most else own
    return bool(nearest) and any(one.negated for one in nearest) != said.negated


# ---- the words and weights --------------------------------------------------------------------------------------------


class _Words:
    """grounding.toml."""

    def __init__(self, tables: Mapping[str, Any]) -> None:
        self._tables = tables
        negation = tables["negation"]
        self._negations = pattern(word for code in ("en", "es", "zh", "hi") for word in negation[code])
        self._none = pattern(negation["none"])
        self._clause = re.compile(
            rf"(?:[;()，；：。、—]|[,:](?!\d))+|{pattern(negation['clauses']).pattern}|(?= (?:without|sin) )"
        )
        self._drugs = [(str(place), pattern(names)) for place, names in enumerate(tables["drugs"]["names"])]
        self._endings = re.compile(rf"\b[a-z]{{2,}}(?:{'|'.join(tables['drugs']['endings'].split())})s?\b")
        self._weights = {name: tables[name] for name in ("with_meaning", "words_only")}
        self._thresholds = tables["thresholds"]

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> _Words:
        return cls(tomllib.loads((resources.files("appliance.assistant") / "grounding.toml").read_text("utf-8")))

    def weights(self, name: str) -> tuple[Mapping[str, float], float]:
        return self._weights[name], self._thresholds[name]

    def with_weights(self, name: str, weights: Mapping[str, float], threshold: float) -> _Words:
        """The same words, weighed otherwise: for the script that fits the weights."""
        return _Words({**self._tables, name: weights, "thresholds": {**self._thresholds, name: threshold}})

    def negated(self, text: str) -> bool:
        return bool(self._negations.search(self._none.sub(" ", fold(text))))

    def clauses(self, text: str) -> list[str]:
        """The parts between commas that say something; a text without any is one."""
        return [part for part in self._clause.split(fold(text)) if part and content_words(part)] or [text]

    def drugs_in(self, text: str) -> tuple[frozenset[str], ...]:
        """The medicines named: each by its number in the file, or by its letters without the last, which languages change."""
        folded = fold(text)
        known = [frozenset({name}) for name, names in self._drugs if names.search(folded)]
        others = [
            frozenset({found[0].rstrip("aeos")})
            for found in self._endings.finditer(folded)
            if not any(names.search(found[0]) for _, names in self._drugs)
        ]
        return (*known, *others)


@lru_cache(maxsize=1)
def _own_glossary() -> Glossary:
    return Glossary.load()
