"""Carry a question's terms into the documents' languages: a front desk's concepts, each in the words of four languages.

The words stand in glossary.toml (and a clinic's own <data>/glossary.toml). Translates nothing that a patient reads.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
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
    concepts: tuple[re.Pattern[str], ...] = ()
    """One pattern a concept: finds any of its words, in any language, in folded text."""

    def share_in(self, folded: str) -> float:
        """The share of the concepts that a folded text speaks of; 0 when the question holds none."""
        return sum(bool(one.search(folded)) for one in self.concepts) / len(self.concepts) if self.concepts else 0.0


NOTHING_CARRIED: Final = Carried()


class Glossary:
    """The compiled concepts."""

    def __init__(self, concepts: dict[str, Concept]) -> None:
        self._concepts = [(one, pattern(_all_words(one))) for one in concepts.values()]

    @classmethod
    def load(cls, own: Path | None = None) -> Glossary:
        """Ours, and the clinic's own file where there is one; raises BadConfig with the file and what is wrong."""
        concepts = _read((resources.files("appliance.knowledge") / "glossary.toml").read_text("utf-8"), "glossary.toml")
        if own and own.exists():
            concepts |= _read(own.read_text("utf-8"), str(own))
        return cls(concepts)

    def carried(self, question: str, language: Language) -> Carried:
        folded = fold(question)
        found = [(concept, words) for concept, words in self._concepts if words.search(folded)]
        others = [other for other in LANGUAGES if other != language]
        words = [word for concept, _ in found for other in others for word in concept.words(other)]
        return Carried(words=" ".join([*words, *_as_they_are(question)]), concepts=tuple(words for _, words in found))


def _read(text: str, name: str) -> dict[str, Concept]:
    try:
        return msgspec.convert(tomllib.loads(text), dict[str, Concept])
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as wrong:
        raise BadConfig(f"{name}: {wrong}. A line is: name = {{en=[…], es=[…], zh=[…], hi=[…]}}") from wrong


def _all_words(concept: Concept) -> Iterable[str]:
    return (word for language in LANGUAGES for word in getattr(concept, language))


def _as_they_are(question: str) -> Iterable[str]:
    """Numbers and Latin names in a Chinese or Hindi question ('WIC', 'Medi-Cal') are the same in every document."""
    return (word for word in content_words(question) if word.isascii())
