"""What is spoken of an answer, and what callers and staff hear besides. Phrases in words.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import resources
from typing import Final, get_args

import msgspec

from appliance.assistant.language import Phrases
from appliance.assistant.redflags.rules import Kind
from appliance.assistant.triage import script
from appliance.config import Config
from appliance.message import LANGUAGES, AnswerKind, Language, Notice, Part, Text

SPOKEN_NOTICES: Final = frozenset({"emergency", "precaution", "understood_as", "source_language"})
"""The others speak of a queue in a chat."""
SAID_BY_US: Final[frozenset[AnswerKind]] = frozenset({"unknown", "declined"})
"""Answers that end with how to reach the clinic: who calls has reached it."""
_FOR_STAFF_TO_READ: Final = ("case_", "ask_")


class Wording:
    """Words of one clinic, for callers."""

    def __init__(self, config: Config, phrases: Phrases) -> None:
        self._clinic = config.clinic
        self._phone = config.phone
        self._ours = phrases
        self._words = _phrases()
        self.languages: tuple[Language, ...] = config.clinic.languages

    @property
    def of_staff(self) -> Language:
        """What staff hear is in the clinic's first language."""
        return self.languages[0]

    def say(self, key: str, language: Language, **names: str) -> str:
        clinic = {"clinic": self._clinic.name, "emergency": self._clinic.emergency_number}
        return self._words.say(key, language, **(clinic | names))

    def disclosure(self, language: Language) -> str:
        """Who speaks and whether it is recorded: said before anything else, whole."""
        recording = {"off": (), "ask": ("ask_recording",), "announce": ("announce",)}[self._phone.recording]
        return _joined(language, (self.say(key, language) for key in ("greeting", *recording)))

    def choices(self) -> list[tuple[Language, str]]:
        """Each language's own sentence of how to choose it, with its key."""
        return [(one, self.say("choose", one, digit=str(at))) for at, one in enumerate(self.languages, start=1)]

    def emergency(self, language: Language) -> str:
        """The fixed words for any danger, for when the pipeline itself fails."""
        return self._script("medical", language)

    def joined(self, sentences: Sequence[str], language: Language) -> str:
        """One after the other, as the language sets them; empty ones are left out."""
        return _joined(language, [one for one in sentences if one])

    def without_contact(self, words: str, language: Language) -> str:
        """An "I don't know" without how to reach the clinic by phone, and how to reach a person in this call."""
        for key in ("reach_us", "reach_us_plain"):
            words = words.split(self._ours.say(key, language))[0]
        then = "press_0" if language in self._phone.by_people else "not_here"
        return _joined(language, (words.strip(), self.say(then, language)))

    def fixed(self, language: Language) -> Iterator[str]:
        """All that can be made into sound before anybody calls."""
        yield self.disclosure(language)
        for key in self._words.keys(language):
            if not key.startswith(_FOR_STAFF_TO_READ) and self._complete(key, language):
                yield self.say(key, language)
        for kind in get_args(Kind):
            yield self._script(kind, language)
        for one, words in self.choices():
            if one == language:
                yield words
        for key in ("lead", "lead_time", "lead_price", "lead_phone", "lead_place", "greeting", "thanks"):
            yield self._ours.say(key, language)

    def _complete(self, key: str, language: Language) -> bool:
        try:
            self.say(key, language)
        except KeyError:
            return False
        return True

    def _script(self, kind: Kind, language: Language) -> str:
        return script(kind, language, self._clinic.country, self._clinic.emergency_number).text


def spoken(part: Part) -> str:
    """What is said of a part: no buttons, no sources, no places in a queue."""
    match part:
        case Text():
            return part.text
        case Notice() if part.code in SPOKEN_NOTICES:
            return f"\n{part.text}\n"
        case _:
            return ""


def as_heard(parts: Sequence[Part], heard: str) -> list[Part]:
    """The answer as far as the caller heard it: the unspoken rest, and what stands after it, is gone."""
    left = _letters(heard)
    kept: list[Part] = []
    for part in parts:
        words = spoken(part)
        if (long := _letters(words)) <= left:
            left -= long
            kept.append(part)
            continue
        if left and isinstance(part, Text):
            kept.append(_cut(part, left))
        break
    return kept


def _cut(part: Text, letters: int) -> Text:
    for at, letter in enumerate(part.text):
        if not letter.isspace():
            letters -= 1
        if letters < 0:
            return msgspec.structs.replace(part, text=part.text[:at].rstrip())
    return part


def _letters(text: str) -> int:
    """Blanks do not count: they are spoken as nothing."""
    return sum(not letter.isspace() for letter in text)


def _joined(language: Language, sentences: Iterator[str] | Sequence[str]) -> str:
    return ("" if language == "zh" else " ").join(sentences)


class _Table(Phrases):
    """Phrases that can be asked which there are."""

    def keys(self, language: Language) -> tuple[str, ...]:
        return tuple(self._tables[language])


@lru_cache(maxsize=1)
def _phrases() -> _Table:
    text = (resources.files("appliance.channels.phone") / "words.toml").read_text("utf-8")
    tables = tomllib.loads(text)
    return _Table({code: tables[code] for code in LANGUAGES})
