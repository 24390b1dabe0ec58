"""Whether a patient needs a person, and why: asked for, anger, failure, doubt, or a topic on the clinic's list.

The words stand in handing.toml. Pure: it is told what was said and what was answered, and opens nothing. Emergencies are the
triage's; a tool that needs a human says so itself.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from importlib import resources
from typing import Final

import msgspec

from appliance.config import Handover
from appliance.conversations.case import Reason
from appliance.conversations.turns import Turn
from appliance.knowledge.glossary import Glossary
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import fold
from appliance.message import LANGUAGES, AnswerKind, Citation, MessageId, Opening, Part, Text

SUMMED_UP: Final = 3
"""Messages of the patient that staff see at a glance."""
FEW_LETTERS: Final = 16
"""Beside "never mind": what holds more is a question of its own."""

FAILED: Final[frozenset[AnswerKind]] = frozenset({"unknown", "trouble"})
URGENCY: Final[dict[Reason, int]] = {"emergency": 0, "asked": 1, "anger": 1}
CALM: Final = 2


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """What a person is needed for."""

    reason: Reason
    detail: str = ""
    """For staff and the record: a topic, a probability. Never a patient's words."""

    @property
    def urgency(self) -> int:
        return URGENCY.get(self.reason, CALM)


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What a patient said and how it was answered."""

    text: str
    asked: bool
    """A person was asked for."""
    kind: AnswerKind
    before: Sequence[Turn] = ()
    """What was said before, oldest first; looked at where the answer failed."""
    probability: float | None = None
    """Of a quote."""

    def __repr__(self) -> str:
        return f"Exchange({self.kind}, {len(self.text)} characters)"


class Handing:
    """The clinic's triggers."""

    def __init__(self, words: _Words, settings: Handover, glossary: Glossary) -> None:
        self._anger = _pattern(words.anger)
        self._never_mind = _pattern(words.never_mind)
        self._topics = {topic: _topic(topic, glossary) for topic in settings.topics}
        self._unsure = settings.unsure

    @classmethod
    def load(cls, settings: Handover, glossary: Glossary) -> Handing:
        text = (resources.files("appliance.assistant") / "handing.toml").read_text("utf-8")
        return cls(msgspec.convert(tomllib.loads(text), _Words), settings, glossary)

    def why(self, exchange: Exchange) -> Why | None:
        """The gravest trigger, if any."""
        folded = fold(exchange.text)
        if exchange.asked:
            return Why(reason="asked")
        if self._anger.search(folded):
            return Why(reason="anger")
        if exchange.kind in FAILED and _failed_before(exchange.before):
            return Why(reason="failed")
        if topic := next((name for name, words in self._topics.items() if words.search(folded)), None):
            return Why(reason="topic", detail=f"topic={topic}")
        sure = exchange.probability
        if exchange.kind == "quoted" and sure is not None and sure < self._unsure:
            return Why(reason="unsure", detail=f"probability={sure:.2f}")
        return None

    def never_mind(self, text: str) -> bool:
        """Whether who waits for a person needs none any more, and says little else."""
        folded = fold(text)
        rest = self._never_mind.sub(" ", folded)
        return rest != folded and len("".join(_LETTERS.findall(rest))) <= FEW_LETTERS


def summary(turns: Sequence[Turn]) -> str:
    """What the patient said last, word for word: a small model's summary cannot be trusted with it."""
    said = [turn.text for turn in turns if turn.role == "patient" and turn.text]
    return "\n".join(said[-SUMMED_UP:])


def suggested(parts: Sequence[Part]) -> str:
    """A reply that staff may send or change: the documents' words, if any were found, else signed ones.

    None where the patient was told how to reach the clinic: that is no answer to what they want.
    """
    if any(isinstance(part, Opening) and part.kind in ("contact", "emergency") for part in parts):
        return ""
    quotes = [part.quote for part in parts if isinstance(part, Citation)]
    if quotes:
        return "\n".join(quotes)
    return "".join(part.text for part in parts if isinstance(part, Text) and part.voice == "written").strip()


def earlier(turns: Sequence[Turn], message: MessageId) -> list[Turn]:
    """What was said before this message."""
    return [turn for turn in turns if turn.message_id != message]


class _Table(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    en: tuple[str, ...]
    es: tuple[str, ...]
    zh: tuple[str, ...]
    hi: tuple[str, ...]


class _Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file handing.toml; it says what each table is for."""

    anger: _Table
    never_mind: _Table


_LETTERS: Final = re.compile(r"\w")


def _pattern(table: _Table) -> re.Pattern[str]:
    return pattern(phrase for code in LANGUAGES for phrase in getattr(table, code))


def _topic(topic: str, glossary: Glossary) -> re.Pattern[str]:
    """The words of the glossary's concept of that name, in four languages; else the topic's own."""
    try:
        return glossary.concept(topic).concepts[0]
    except KeyError:
        return pattern([topic])


def _failed_before(turns: Sequence[Turn]) -> bool:
    """Whether the answer before failed too; a word of staff in between ends the row."""
    spoken = [turn for turn in turns if turn.role in ("assistant", "staff")]
    return bool(spoken) and spoken[-1].kind in FAILED
