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


class _Table(msgspec.Struct, frozen=True, kw_only=True):
    whole: bool
    en: tuple[str, ...]
    es: tuple[str, ...]
    zh: tuple[str, ...]
    hi: tuple[str, ...]

    def pattern(self) -> re.Pattern[str]:
        return pattern(phrase for code in LANGUAGES for phrase in getattr(self, code))


class Smalltalk:
    """The compiled tables; what we must never answer is tried first."""

    def __init__(self, tables: dict[Topic, _Table]) -> None:
        self._tables = {topic: (table.pattern(), table.whole) for topic, table in tables.items()}

    @classmethod
    def load(cls) -> Smalltalk:
        text = (resources.files("appliance.assistant") / "smalltalk.toml").read_text("utf-8")
        return cls(msgspec.convert(tomllib.loads(text), dict[Topic, _Table]))

    def topic(self, text: str) -> Topic | None:
        folded = fold(text)
        for topic in _ORDER:
            found, whole = self._tables[topic]
            if whole and not _LETTERS.search(found.sub(" ", folded)) and _LETTERS.search(folded):
                return topic
            if not whole and found.search(folded):
                return topic
        return None


_ORDER: Final[tuple[Topic, ...]] = ("dose", "diagnosis", "records", "person", "greeting", "thanks")
_LETTERS: Final = re.compile(r"\w")
