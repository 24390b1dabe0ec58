"""The fixed phrases of each language, and which language an answer is given in: the words', the one chosen, the one asked for.

Knows no document and no model.
"""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import resources
from typing import Final

import msgspec

from appliance.errors import BadConfig
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import fold
from appliance.languages import detect
from appliance.message import LANGUAGES, Language, Message


class Phrases:
    """What the assistant says in its own words: one reviewable file a language, all with the same keys."""

    def __init__(self, tables: dict[Language, dict[str, str]]) -> None:
        _same_keys(tables)
        self._tables: Final = tables

    @classmethod
    def load(cls) -> Phrases:
        folder = resources.files("appliance.assistant") / "phrases"
        return cls({code: tomllib.loads((folder / f"{code}.toml").read_text("utf-8")) for code in LANGUAGES})

    def say(self, key: str, language: Language, **names: str) -> str:
        return self._tables[language][key].format(**names)


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """A patient asks for a language: "please answer in Spanish"."""

    language: Language
    rest: str
    """What else was said with it; empty where that was all."""

    def __repr__(self) -> str:
        return f"Wish({self.language!r}, {len(self.rest)} characters besides)"


class Wishes:
    """Hears which language a patient asks for. The words stand in wishes.toml."""

    def __init__(self, words: _WishWords) -> None:
        self._alone = {code: pattern(_filled(words.alone, words.names[code])) for code in LANGUAGES}
        self._within = {code: pattern(_filled(words.within, words.names[code])) for code in LANGUAGES}
        self._others = pattern(words.others)
        self._filler = pattern(words.filler)

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> Wishes:
        text = (resources.files("appliance.assistant") / "wishes.toml").read_text("utf-8")
        return cls(msgspec.convert(tomllib.loads(text), _WishWords))

    def wish(self, text: str) -> Wish | None:
        """The language asked for last, and the message without the words that ask for one."""
        bare = self._bare(fold(text))
        if alone := next((code for code in LANGUAGES if self._alone[code].fullmatch(bare)), None):
            return Wish(language=alone, rest="")
        clauses = [self._clause(clause) for clause in _CLAUSE.findall(text)]
        wanted = [code for code, _ in clauses if code]
        rest = "".join(left for _, left in clauses).strip()
        return Wish(language=wanted[-1], rest=rest if self._bare(fold(rest)) else "") if wanted else None

    def _clause(self, clause: str) -> tuple[Language | None, str]:
        """The language that a clause asks for, and what it says besides."""
        folded = fold(clause)
        asked = [] if self._others.search(folded) else [one for one in LANGUAGES if self._within[one].search(folded)]
        if not asked:
            return None, clause
        left = self._within[asked[0]].sub(" ", folded)
        return asked[0], left if self._bare(left) else ""

    def _bare(self, folded: str) -> str:
        """Without marks, courtesies and what only leads to a wish; empty where nothing else was said."""
        return " ".join(self._filler.sub(" ", _MARKS.sub(" ", folded)).split())


class _WishWords(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file wishes.toml; it says what each table is for."""

    names: dict[Language, tuple[str, ...]]
    alone: tuple[str, ...]
    within: tuple[str, ...]
    others: tuple[str, ...]
    filler: tuple[str, ...]


def _filled(asks: Sequence[str], names: Iterable[str]) -> list[str]:
    return [ask.replace("{}", name) for name in names for ask in asks]


_CLAUSE: Final = re.compile(r"[^.,;:!?。，；：！？।\n]+[.,;:!?。，；：！？।\n]*\s*")
_MARKS: Final = re.compile(r"[.,;:!?¡¿。，；：！？।]")


def asked_language(message: Message, *, hint: Language | None = None) -> Language:
    """The language of the words; where they do not tell, the one the patient chose."""
    return detect(message.text, hint=message.language or hint)


def answering_language(message: Message) -> Language:
    """The language in which the patient is answered: that of the words, unless another was chosen for good."""
    return message.language if message.locked and message.language else asked_language(message)


def _same_keys(tables: dict[Language, dict[str, str]]) -> None:
    wanted = {key: _names(text) for key, text in tables["en"].items()}
    for code, table in tables.items():
        found = {key: _names(text) for key, text in table.items()}
        if found != wanted:
            wrong = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
            raise BadConfig(f"assistant/phrases/{code}.toml differs from en.toml in: {', '.join(wrong)}")


def _names(text: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name)
