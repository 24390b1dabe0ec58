"""Messages that are not for the documents: a greeting, thanks, the wish for a person, and what we must never answer.

The words stand in smalltalk.toml. Knows no document and no model; emergencies were looked for before (triage.py).
"""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from typing import Final, Literal

import msgspec

from appliance.knowledge.wording import pattern
from appliance.knowledge.words import fold
from appliance.message import LANGUAGES

Topic = Literal["dose", "diagnosis", "records", "person", "greeting", "thanks"]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    en: tuple[str, ...]
    es: tuple[str, ...]
    zh: tuple[str, ...]
    hi: tuple[str, ...]

    def pattern(self) -> re.Pattern[str]:
        return pattern(phrase for code in LANGUAGES for phrase in getattr(self, code))


class Smalltalk:
    """The compiled tables; what we must never answer is tried first."""

    def __init__(self, tables: dict[Topic, _Table]) -> None:
        self._tables = {topic: table.pattern() for topic, table in tables.items()}

    @classmethod
    def load(cls) -> Smalltalk:
        text = (resources.files("appliance.assistant") / "smalltalk.toml").read_text("utf-8")
        return cls(msgspec.convert(tomllib.loads(text), dict[Topic, _Table]))

    def topic(self, text: str) -> Topic | None:
        folded = rest = fold(text)
        if found := next((topic for topic in _ANYWHERE if self._tables[topic].search(folded)), None):
            return found
        for topic in _ALONE:
            rest = self._tables[topic].sub(" ", rest)
        if _LETTERS.search(rest):
            return None
        return next((topic for topic in _ALONE if self._tables[topic].search(folded)), None)


_ANYWHERE: Final[tuple[Topic, ...]] = ("dose", "diagnosis", "records", "person")
_ALONE: Final[tuple[Topic, ...]] = ("greeting", "thanks")
"""Only where the message holds nothing else: a greeting before a question is no greeting."""
_LETTERS: Final = re.compile(r"\w")
