"""An answer as a text message: what of it is said, what is said besides, and how it is cut. Phrases in words.toml."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from typing import Final

from appliance.assistant.language import Phrases
from appliance.channels.sms.segments import plain, shortened
from appliance.config import Config
from appliance.message import LANGUAGES, AnswerKind, Call, Language, Notice, Opening, Part, Text

GENERAL: Final[frozenset[AnswerKind]] = frozenset(
    {
        *("quoted", "signed", "generated", "unknown", "declined"),
        *("greeting", "emergency", "contact", "person", "trouble"),
    }
)
"""Answers that say nothing of one patient. Any other kind is sent by text only where the clinic allows clinical detail."""


class Wording:
    """Words of one clinic, for text messages."""

    def __init__(self, config: Config, *, phone: str | None = None) -> None:
        self._sms = config.sms
        self._phrases = _phrases()
        self._names = {
            "clinic": config.clinic.name,
            "emergency": config.clinic.emergency_number,
            "link": f"{config.server.public_url}/",
            "phone": phone or config.clinic.phone,
        }

    def say(self, key: str, language: Language, **names: str) -> str:
        """A phrase; the one without a number where the clinic has named none."""
        known = self._phrases.keys(language)
        chosen = f"{key}_plain" if f"{key}_plain" in known and not self._names["phone"] else key
        return plain(self._phrases.say(chosen, language, **(self._names | names)))

    def answer(self, parts: Sequence[Part], *, introduced: bool) -> str:
        """What is sent of an answer; nothing where nothing was said. An emergency's words are never cut."""
        opening = next((part for part in parts if isinstance(part, Opening)), None)
        said = written(parts)
        if opening is None or not said:
            return ""
        if opening.kind == "emergency":
            return said
        if opening.kind not in GENERAL and not self._sms.clinical_detail:
            return self.say("elsewhere", opening.language)
        ours = "" if introduced else "\n" + self.say("introduction", opening.language)
        tail = self.say("more", opening.language)
        short = shortened(said + ours, tail + ours, most=self._sms.segments)
        return plain(short)


class _Table(Phrases):
    """Phrases that can be asked which there are."""

    def keys(self, language: Language) -> frozenset[str]:
        return frozenset(self._tables[language])


@lru_cache(maxsize=1)
def _phrases() -> _Table:
    text = (resources.files("appliance.channels.sms") / "words.toml").read_text("utf-8")
    return _Table({code: tomllib.loads(text)[code] for code in LANGUAGES})


def written(parts: Sequence[Part]) -> str:
    """The words of an answer: what is said, what is noticed, whom to call. Sources are a link away."""
    words = "".join(_words(part) for part in parts)
    return plain(_LINES.sub("\n", _BLANKS.sub(" ", words)).strip())


def _words(part: Part) -> str:
    match part:
        case Text():
            return part.text
        case Notice():
            return f"\n{part.text}\n"
        case Call():
            return f"\n{part.label}: {part.number}\n"
        case _:
            return ""


_BLANKS: Final = re.compile(r"[ \t]+")
_LINES: Final = re.compile(r"\s*\n\s*")
