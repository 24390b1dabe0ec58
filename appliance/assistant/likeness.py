"""How alike a patient's question and a signed answer's question are: what must be the same, and readable features from 0 to 1.

A near miss often differs in one word: another site, day or number, a "not". So these must agree exactly before anything is
weighed. Knows no answer, no weights and no vectors; the words stand in likeness.toml.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib import resources
from typing import Final

import msgspec

from appliance.assistant.asked import Asked
from appliance.knowledge.glossary import Glossary
from appliance.knowledge.sites import spoken
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import content_words, fold
from appliance.message import Language


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A question as it is compared."""

    plain: str
    """Letters and digits alone, folded: the same here is the same question."""
    rest: str
    """Folded, without the sites' names."""
    sites: frozenset[str]
    exact: frozenset[str]
    """Days, numbers, a "no", days that depend on today, and for whom: a child, somebody old."""
    intents: frozenset[str]
    words: frozenset[str]
    concepts: frozenset[str]

    def __repr__(self) -> str:
        return f"Told({len(self.rest)} characters)"


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """All questions of one signed answer in one language, taken together."""

    words: frozenset[str]
    concepts: frozenset[str]
    intents: frozenset[str]
    core: frozenset[str]
    """What nearly all of them speak of."""


def agree(asked: Told, signed: Told, *, at: str | None, only_at: str | None) -> bool:
    """Whether days, numbers, negation and site are the same. ``at``: where the patient is; ``only_at``: where the answer holds."""
    if asked.exact != signed.exact:
        return False
    meant = signed.sites or frozenset(filter(None, [only_at]))
    if asked.sites or not meant:
        return asked.sites == meant
    return meant == {at}


class Reader:
    """Reads questions for the comparison."""

    def __init__(self, glossary: Glossary) -> None:
        self._glossary = glossary
        self._asked = Asked.load()
        self._tables = _Tables.load()

    def told(self, question: str, language: Language, *, sites: Sequence[str]) -> Told:
        folded = _A_NOT_A.sub(r"\1", fold(question))
        named, rest = _without_sites(folded, sites)
        concepts = self._tables.as_one(self._glossary.carried(rest, language).names)
        days = {f"day {day}" for day in self._asked.days(rest)}
        return Told(
            plain="".join(sign for sign in folded if unicodedata.category(sign)[0] in "LMN"),
            rest=rest,
            sites=named,
            exact=frozenset(days | self._tables.exact(rest) | self._tables.groups & concepts),
            intents=self._asked.kinds(rest) - _WEAK | self._tables.intents(rest),
            words=self._words(rest),
            concepts=concepts,
        )

    def known(self, questions: Sequence[Told]) -> Known:
        counted = Counter(term for one in questions for term in one.concepts | self.left(one, one.concepts))
        return Known(
            words=frozenset[str]().union(*(one.words for one in questions)),
            concepts=frozenset[str]().union(*(one.concepts for one in questions)),
            intents=frozenset[str]().union(*(one.intents for one in questions)),
            core=frozenset(term for term, count in counted.items() if count >= _CORE * len(questions)),
        )

    def features(self, asked: Told, signed: Told, known: Known) -> dict[str, float]:
        """What speaks against, and how far the intents are the same; the nearness of meanings is added by who has vectors.

        All but ``strange`` are shares; that counts the words that none of the answer's questions has.
        """
        unknown = self.left(asked, known.concepts | self._tables.anything) - known.words
        missing = self.left(signed, asked.concepts) - asked.words
        intents = asked.intents | signed.intents
        return {
            "unknown": _share(unknown, asked.words),
            "strange": sum(0.5 if _HAN.match(word) else 1.0 for word in unknown),
            "missing": _share(missing, signed.words),
            "foreign": _share(asked.concepts - known.concepts - self._tables.anything, asked.concepts),
            "lacking": _share(signed.concepts - asked.concepts, signed.concepts),
            "core": _share(known.core - asked.concepts - asked.words, known.core),
            "intent": _share(asked.intents & signed.intents, intents) if intents else 1.0,
            "other_intent": 1.0 if asked.intents - known.intents else 0.0,
        }

    def _words(self, folded: str) -> frozenset[str]:
        """The words that carry meaning, without their endings; of Chinese the characters."""
        text = self._tables.of_weight(folded)
        return frozenset(_HAN.findall(text)) | frozenset(_stem(word) for word in content_words(_HAN.sub(" ", text)))

    def left(self, told: Told, concepts: frozenset[str]) -> frozenset[str]:
        """The words that are in none of these concepts."""
        rest = told.rest
        for concept in told.concepts & concepts:
            for name in self._tables.names(concept):
                rest = self._glossary.concept(name).concepts[0].sub(" ", rest)
        return self._words(rest)


_CORE: Final = 0.75
_WEAK: Final = frozenset({"whether"})
"""Every question for a price or a time may also be put as a "can I"."""


class _Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file likeness.toml; it says what each table is for."""

    anything: frozenset[str]
    groups: frozenset[str]
    light: tuple[str, ...]
    no_negation: tuple[str, ...]
    negation: tuple[str, ...]
    same: dict[str, str]
    intents: dict[str, tuple[str, ...]]
    when: dict[str, tuple[str, ...]]
    numbers: dict[str, tuple[str, ...]]


class _Tables:
    """The file's words, compiled."""

    def __init__(self, words: _Words) -> None:
        self.anything = words.anything
        self.groups = words.groups
        self._same = words.same
        self._light = pattern(words.light)
        self._no_negation = pattern(words.no_negation)
        self._negation = pattern(words.negation)
        self._intents = _patterns(words.intents)
        self._exact = _patterns({**words.when, **words.numbers})

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> _Tables:
        text = (resources.files("appliance.assistant") / "likeness.toml").read_text("utf-8")
        return cls(msgspec.convert(tomllib.loads(text), _Words))

    def as_one(self, concepts: Iterable[str]) -> frozenset[str]:
        return frozenset(self._same.get(one, one) for one in concepts)

    def names(self, concept: str) -> list[str]:
        """The glossary's names of what is one concept here."""
        return [concept, *(name for name, same in self._same.items() if same == concept)]

    def of_weight(self, folded: str) -> str:
        """Without what says nothing of the subject, and without what is compared by itself."""
        for words in (self._light, *self._exact.values(), _DIGITS):
            folded = words.sub(" ", folded)
        return folded

    def intents(self, folded: str) -> frozenset[str]:
        return _found(self._intents, folded)

    def exact(self, folded: str) -> frozenset[str]:
        negated = {"no"} if self._negation.search(self._no_negation.sub(" ", folded)) else set()
        return _found(self._exact, folded) | negated | {_number(digits) for digits in _DIGITS.findall(folded)}


_DIGITS: Final = re.compile(r"\d+")


def _patterns(tables: Mapping[str, Iterable[str]]) -> dict[str, re.Pattern[str]]:
    return {name: pattern(words) for name, words in tables.items()}


def _found(patterns: Mapping[str, re.Pattern[str]], folded: str) -> frozenset[str]:
    return frozenset(name for name, words in patterns.items() if words.search(folded))


def _number(digits: str) -> str:
    """Of any script: "१०" is 10."""
    return "".join(str(unicodedata.decimal(digit)) for digit in digits).lstrip("0") or "0"


def _without_sites(folded: str, sites: Sequence[str]) -> tuple[frozenset[str], str]:
    """The sites a question names, in full or by a first word that is long enough to be a name, and the rest of it."""
    named = set()
    for site in sites:
        rest = pattern(spoken(site, long_enough=_LONG_ENOUGH)).sub(" ", folded)
        if rest != folded:
            named.add(site)
            folded = rest
    return frozenset(named), folded


_LONG_ENOUGH: Final = 4
_A_NOT_A: Final = re.compile(r"([\u3400-\u9fff])[不没](?=\1)\1")
"""开不开门 asks whether it is open: neither a "no" nor closed."""


def _stem(word: str) -> str:
    """Rather too short than too long: two words that meet here by mistake cost little, for meanings are compared as well."""
    if "\u0900" <= word[0] <= "\u097f":
        return _HINDI_ENDING.sub("", word)
    return word[:5]


_HAN: Final = re.compile(r"[\u3400-\u9fff]")
_HINDI_ENDING: Final = re.compile(r"(?<=..)(?:[\u0902\u093e-\u094d]|ए|वा|(?:ने|ना|नी|ता|ती|ते|गा|गी|गे|कर)$)+$")


def _share(some: frozenset[str], of: frozenset[str]) -> float:
    return min(1.0, len(some) / len(of)) if of else 0.0
