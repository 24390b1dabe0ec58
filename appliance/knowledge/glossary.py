"""Carry a question's terms into the documents' languages: a front desk's concepts, each in the words of four languages.

The words stand in glossary*.toml (and a clinic's own <data>/glossary.toml). Translates nothing that a patient reads.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from appliance.errors import BadConfig
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import content_words, fold
from appliance.message import LANGUAGES, Language


class Concept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing of a front desk, as the four languages say it; the plain word first."""

    en: tuple[str, ...]
    es: tuple[str, ...]
    zh: tuple[str, ...]
    hi: tuple[str, ...]

    def words(self, language: Language) -> tuple[str, ...]:
        return tuple(word.removesuffix("*") for word in getattr(self, language))


class Carried(msgspec.Struct, frozen=True, kw_only=True):
    """A question's concepts in the other languages' words."""

    words: str = ""
    """For the search by words: every other language's words, and names and numbers that need no carrying."""
    names: frozenset[str] = frozenset()
    """The concepts' names in the file."""
    concepts: tuple[re.Pattern[str], ...] = ()
    """One pattern a concept: finds any of its words, in any language, in folded text."""

    def share_in(self, folded: str) -> float:
        """The share of the concepts that a folded text speaks of; 0 when the question holds none."""
        return sum(bool(one.search(folded)) for one in self.concepts) / len(self.concepts) if self.concepts else 0.0


NOTHING_CARRIED: Final = Carried()


class Glossary:
    """The compiled concepts."""

    def __init__(self, concepts: Mapping[str, _Compiled]) -> None:
        self._concepts = concepts

    @classmethod
    def load(cls, own: Path | None = None) -> Glossary:
        """Ours, and the clinic's own file where there is one; raises BadConfig with the file and what is wrong."""
        concepts = _ours()
        if own and own.exists():
            concepts = {**concepts, **_compiled(_read(own.read_text("utf-8"), str(own)))}
        return cls(concepts)

    def concept(self, name: str) -> Carried:
        """One concept by its name in the file, to be looked for in texts."""
        return Carried(names=frozenset({name}), concepts=(self._concepts[name][1],))

    def plain(self, name: str, language: Language) -> str:
        """The plain word for a concept."""
        return self._concepts[name][0].words(language)[0]

    def term(self, words: str, language: Language, *, to: Language) -> str | None:
        """The plain word, in another language, of the one concept whose plain word this is; None for none or several."""
        folded = fold(words)
        named = [one for one, _ in self._concepts.values() if fold(one.words(language)[0]) == folded]
        return named[0].words(to)[0] if len(named) == 1 else None

    def carried(self, question: str, language: Language) -> Carried:
        folded = fold(question)
        found = {name: (one, words) for name, (one, words) in self._concepts.items() if words.search(folded)}
        others = [other for other in LANGUAGES if other != language]
        words = [word for concept, _ in found.values() for other in others for word in concept.words(other)]
        return Carried(
            words=" ".join([*words, *_as_they_are(question)]),
            names=frozenset(found),
            concepts=tuple(pattern for _, pattern in found.values()),
        )


_Compiled = tuple[Concept, re.Pattern[str]]


@cache
def _ours() -> Mapping[str, _Compiled]:
    """Compiled once a process: a thousand patterns take a second or two."""
    concepts: dict[str, Concept] = {}
    for file in sorted(resources.files("appliance.knowledge").iterdir(), key=lambda file: file.name):
        if file.name.startswith("glossary") and file.name.endswith(".toml"):
            concepts |= _read(file.read_text("utf-8"), file.name)
    return _compiled(concepts)


def _compiled(concepts: Mapping[str, Concept]) -> dict[str, _Compiled]:
    return {name: (one, pattern(_all_words(one))) for name, one in concepts.items()}


def _read(text: str, name: str) -> dict[str, Concept]:
    try:
        lines = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise _bad(name, wrong) from wrong
    return {concept: _concept(words, f"{name}, {concept}") for concept, words in lines.items()}


def _concept(words: object, name: str) -> Concept:
    try:
        concept = msgspec.convert(words, Concept)
        pattern(_all_words(concept))
    except (msgspec.ValidationError, re.error) as wrong:
        raise _bad(name, wrong) from wrong
    return concept


def _bad(name: str, wrong: Exception) -> BadConfig:
    return BadConfig(f"{name}: {wrong}. A line is: name = {{en=[…], es=[…], zh=[…], hi=[…]}}")


def _all_words(concept: Concept) -> Iterable[str]:
    return (word for language in LANGUAGES for word in getattr(concept, language))


def _as_they_are(question: str) -> Iterable[str]:
    """Numbers and Latin names in a Chinese or Hindi question ('WIC', 'Medi-Cal') are the same in every document."""
    return (word for word in content_words(question) if word.isascii())
