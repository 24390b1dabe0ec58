"""The fixed phrases of each language, and which language an answer is given in. Knows no document and no model."""

from __future__ import annotations

import string
import tomllib
from importlib import resources
from typing import Final

from appliance.errors import BadConfig
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


def answering_language(message: Message, *, hint: Language | None = None) -> Language:
    """The language of the words; where they do not tell, the one the patient chose."""
    return detect(message.text, hint=message.language or hint)


def _same_keys(tables: dict[Language, dict[str, str]]) -> None:
    wanted = {key: _names(text) for key, text in tables["en"].items()}
    for code, table in tables.items():
        found = {key: _names(text) for key, text in table.items()}
        if found != wanted:
            wrong = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
            raise BadConfig(f"assistant/phrases/{code}.toml differs from en.toml in: {', '.join(wrong)}")


def _names(text: str) -> frozenset[str]:
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name)
