"""Carry a question's terms into the documents' languages: a front desk's concepts, each in the words of four languages.

The words stand in glossary*.toml (and a clinic's own <data>/glossary.toml). Translates nothing that a patient reads.
"""

from __future__ import annotations

import logging
import re
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Final

import msgspec

from appliance.errors import BadConfig
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import content_words, fold
from appliance.message import LANGUAGES, Language

log = logging.getLogger(__name__)

OWN_KILOBYTES: Final = 256
OWN_CONCEPTS: Final = 500
"""A clinic's own file may be as large as ours; more is a mistake, and costs time with every question."""

_Words = Annotated[tuple[Annotated[str, msgspec.Meta(max_length=80)], ...], msgspec.Meta(min_length=1, max_length=30)]


class Concept(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing of a front desk, as the four languages say it; the plain word first."""

    en: _Words
    es: _Words
    zh: _Words
    hi: _Words

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
        """Ours, and the clinic's own file over it; raises BadConfig with the file, the concept and what to do."""
        return cls({**_ours(), **(_own(own) if own else {})})

    @classmethod
    def of_the_clinic(cls, own: Path) -> Glossary:
        """As `load`, but ours alone where the clinic's file cannot be used: a slip in a word list silences no box."""
        try:
            return cls.load(own)
        except BadConfig as wrong:
            log.error("the clinic's own glossary is left out: %s", wrong)
            return cls.load()

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


def examined(own: Path) -> tuple[int, str]:
    """How many concepts the clinic's own file holds, and what is wrong with it ("" for nothing)."""
    try:
        return len(_own(own)), ""
    except BadConfig as wrong:
        return 0, str(wrong)


_Compiled = tuple[Concept, re.Pattern[str]]


@cache
def _ours() -> Mapping[str, _Compiled]:
    """Compiled once a process: a thousand patterns take a second or two."""
    concepts: dict[str, _Compiled] = {}
    for file in sorted(resources.files("appliance.knowledge").iterdir(), key=lambda file: file.name):
        if file.name.startswith("glossary") and file.name.endswith(".toml"):
            concepts |= _read(file.read_bytes(), file.name)
    return concepts


def _own(file: Path) -> dict[str, _Compiled]:
    """A clinic's own concepts, none where there is no file. Written by whoever has a text editor, so with limits."""
    try:
        with file.open("rb") as opened:
            text = opened.read(OWN_KILOBYTES * 1024 + 1)
    except FileNotFoundError:
        return {}
    except OSError as wrong:
        raise _bad(str(file), f"cannot be read ({wrong.strerror})") from wrong
    if len(text) > OWN_KILOBYTES * 1024:
        raise _bad(str(file), f"is larger than {OWN_KILOBYTES} KB: keep what patients ask for")
    concepts = _read(text, str(file))
    if len(concepts) > OWN_CONCEPTS:
        raise _bad(str(file), f"holds more than {OWN_CONCEPTS} concepts: keep what patients ask for")
    for name, (concept, _) in concepts.items():
        _refuse_slips(concept, f"{file}, {name}")
    return concepts


def _read(text: bytes, name: str) -> dict[str, _Compiled]:
    try:
        lines = tomllib.loads(text.decode())
    except UnicodeDecodeError as wrong:
        raise _bad(name, "is not UTF-8: save it as UTF-8") from wrong
    except (tomllib.TOMLDecodeError, RecursionError) as wrong:
        raise _bad(name, wrong) from wrong
    return {concept: _concept(words, f"{name}, {concept}") for concept, words in lines.items()}


def _concept(words: object, name: str) -> _Compiled:
    try:
        concept = msgspec.convert(words, Concept)
        return concept, pattern(word for language in LANGUAGES for word in getattr(concept, language))
    except (msgspec.ValidationError, re.error) as wrong:
        raise _bad(name, wrong) from wrong


def _refuse_slips(concept: Concept, name: str) -> None:
    for language in LANGUAGES:
        for word in getattr(concept, language):
            if slip := _slip(word):
                raise _bad(f"{name}, {language}", f"{word!r} {slip}")


def _slip(word: str) -> str | None:
    """What would make a word be found everywhere, or take long to look for."""
    if sum(unicodedata.category(sign)[0] in "LMN" for sign in word) < 2:
        return "is too short and would be found inside others: write the whole word or a phrase"
    if _STRAY_STAR.search(word) or word.count("..") > 2:
        return "has too many signs: * stands at the end of a word only, and .. at most twice"
    if pattern([word]).search(" ") or not (" " in word or _HAN.search(word) or content_words(word)):
        return "would be found in every sentence: write it inside a phrase"
    return None


# Within (…) or twice in a row a star has many readings of one long word, and a stranger's text would take minutes.
_STRAY_STAR: Final = re.compile(r"(?:^|[\s)*])\*|\*(?!$|\s)")
_HAN: Final = re.compile(r"[\u3400-\u9fff]")


def _bad(name: str, wrong: Exception | str) -> BadConfig:
    return BadConfig(f"{name}: {wrong}. A line is: name = {{en=[…], es=[…], zh=[…], hi=[…]}}")


def _as_they_are(question: str) -> Iterable[str]:
    """Numbers and Latin names in a Chinese or Hindi question ('WIC', 'Medi-Cal') are the same in every document."""
    return (word for word in content_words(question) if word.isascii())
