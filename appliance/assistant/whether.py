"""Yes or no: a question that asks nothing but whether a thing is to be had, and a sentence that plainly says or denies it.

The words stand in whether.toml, the things in the glossary. A wrong yes is worse than none: what is restricted, dated or
counted is not answered here. Knows no passage and writes no words.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final, Literal

import msgspec

from appliance.assistant.facts import facts
from appliance.knowledge.glossary import Glossary
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import fold
from appliance.message import LANGUAGES, Language

Answer = Literal["offer_yes", "offer_no", "accept_yes", "accept_no"]

_ByLanguage = Mapping[Language, re.Pattern[str]]


class _Class(msgspec.Struct, frozen=True):
    """One way to ask for yes or no: is it offered, is it accepted."""

    name: str
    asked: _ByLanguage
    said: _ByLanguage
    denied: _ByLanguage


class Whether:
    """Answers with yes or no, or not at all."""

    def __init__(self, glossary: Glossary, *, asking: frozenset[str]) -> None:
        """``asking``: concepts that tell what is asked, and are no thing that is to be had."""
        self._glossary = glossary
        self._asking = asking
        self._classes, self._plain, self._stop, self._denied = _tables()

    def answer(self, question: str, language: Language, *, sentence: str, source: Language) -> Answer | None:
        for one in self._classes:
            things = self._things(question, language, one.asked[language])
            if things and (verdict := self._verdict(one, things, sentence, source)):
                answer: dict[str, Answer] = {name: name for name in _ANSWERS}
                return answer[f"{one.name}_{verdict}"]
        return None

    def _things(self, question: str, language: Language, asked: re.Pattern[str]) -> Collection[str]:
        """What is asked for, when nothing else is said."""
        folded = fold(question)
        things = self._glossary.carried(question, language).names - self._asking
        known = [*self._patterns(things), asked, self._plain[language]]
        return things if asked.search(folded) and not _left(folded, known) else ()

    def _verdict(self, one: _Class, things: Collection[str], sentence: str, source: Language) -> str:
        folded = fold(sentence)
        if self._stop[source].search(folded) or facts(sentence, source):
            return ""
        if not all(words.search(folded) for words in self._patterns(things)):
            return ""
        rest, denials = one.denied[source].subn(" ", folded)
        if bool(denials) == bool(one.said[source].search(rest)):  # neither, or both
            return ""
        known = [self._denied if denials else one.said[source], self._plain[source]]
        if not self._plainly(things, rest, known):
            return ""
        return "no" if denials else "yes"

    def _plainly(self, things: Collection[str], folded: str, known: Sequence[re.Pattern[str]]) -> bool:
        """Of a list, what names the thing names nothing else: "Medicare and Medicaid", not "Medicaid children"."""
        patterns = list(self._patterns(things))
        listed = [one for one in _LISTED.split(folded) if any(words.search(one) for words in patterns)]
        return bool(listed) and not any(_left(one, [*patterns, *known]) for one in listed)

    def _patterns(self, things: Collection[str]) -> Iterator[re.Pattern[str]]:
        return (words for name in things for words in self._glossary.concept(name).concepts)


_LISTED: Final = re.compile(r"[,;、，；]|和|及|\s(?:and|or|y|e|o|u|और|या)\s")
_ANSWERS: Final[Sequence[Answer]] = ("offer_yes", "offer_no", "accept_yes", "accept_no")


def _left(folded: str, known: Sequence[re.Pattern[str]]) -> str:
    """The letters that stay when all known words are taken away."""
    for words in known:
        folded = words.sub(" \ue000 ", folded)
    return "".join(letter for letter in folded if letter.isalnum())


@cache
def _tables() -> tuple[Sequence[_Class], _ByLanguage, _ByLanguage, re.Pattern[str]]:
    tables = tomllib.loads((resources.files("appliance.assistant") / "whether.toml").read_text("utf-8"))
    classes = [
        _Class(name, *(_by_language(tables[name][key]) for key in ("asked", "said", "denied"))) for name in _NAMES
    ]
    return (
        classes,
        _by_language(tables["plain"]),
        _by_language(tables["stop"]),
        pattern(tables["denied_again"]["words"]),
    )


_NAMES: Final = ("offer", "accept")


def _by_language(table: Mapping[str, Any]) -> _ByLanguage:
    return {language: pattern(table[language]) for language in LANGUAGES}
