"""Hold conversations as patients would and judge every turn. Knows the pipeline only by `Assistant.answer`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec

from appliance.assistant.answer import Assistant
from appliance.conversations.turns import Conversations
from appliance.errors import BadInput
from appliance.evaluation.answers import REFUSALS
from appliance.evaluation.figures import Figures, milliseconds, report, share
from appliance.message import (
    AnswerKind,
    Citation,
    ConversationId,
    DocumentId,
    Language,
    Message,
    MessageId,
    Notice,
    Opening,
    Part,
    Text,
)


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What one answer must be; what is left out is not looked at."""

    language: Language | None = None
    facts: tuple[str, ...] = ()
    """Regular expressions, all of which the answer must hold."""
    must_not: tuple[str, ...] = ()
    handoff: bool | None = None
    """Whether it must offer a person instead of an answer."""
    emergency: bool | None = None


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """What the patient says."""

    user: str
    expected: Expected = Expected()


class Dialogue(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a dialogue file."""

    id: str
    lang: Language
    turns: tuple[Turn, ...]


class JudgedTurn(msgspec.Struct, frozen=True, kw_only=True):
    """One answer and what was wrong with it."""

    user: str
    right: bool
    wrong: tuple[str, ...]
    """The fields of what was expected that the answer fails."""
    kind: AnswerKind
    language: Language
    understood: str | None
    """How a follow-up was taken; None where the message was taken as it stands."""
    first_ms: float
    said: str
    sources: tuple[str, ...]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One conversation; right when every turn is."""

    id: str
    lang: Language
    right: bool
    turns: tuple[JudgedTurn, ...]


def dialogues(file: Path) -> list[Dialogue]:
    """The rows of a file; raises BadInput naming the line that is wrong."""
    rows = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append(msgspec.json.decode(line, type=Dialogue))
        except msgspec.MsgspecError as wrong:
            raise BadInput(f"{file}, line {number}: {wrong}") from wrong
    return rows


async def held(
    assistant: Assistant,
    conversations: Conversations,
    asked: Sequence[Dialogue],
    *,
    sources: Mapping[DocumentId, str],
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Any]:
    """``sources`` gives each document id the file it was learnt from. Each dialogue is one conversation, its turns in order."""
    rows = []
    for done, dialogue in enumerate(asked, start=1):
        conversation, _ = await conversations.create("terminal", language=dialogue.lang)
        turns = []
        for number, turn in enumerate(dialogue.turns):
            message = _message(dialogue, number, conversation)
            parts, first_ms = await _answered(assistant, message)
            turns.append(judged(turn, parts, sources=sources, first_ms=first_ms))
        await conversations.delete(conversation)
        right = all(turn.right for turn in turns)
        rows.append(Judged(id=dialogue.id, lang=dialogue.lang, right=right, turns=tuple(turns)))
        progress(done, len(asked))
    return report(rows, _figures)


def judged(turn: Turn, parts: Sequence[Part], *, sources: Mapping[DocumentId, str], first_ms: float) -> JudgedTurn:
    """The verdict on one answer, read in NFKC without citation labels and without what we say of how we took it."""
    said = "".join(part.text for part in parts if isinstance(part, Text | Notice) and part is not _understood(parts))
    opening = next(part for part in parts if isinstance(part, Opening))
    understood = _understood(parts)
    wrong = tuple(_wrong(turn.expected, opening, unicodedata.normalize("NFKC", said)))
    return JudgedTurn(
        user=turn.user,
        right=not wrong,
        wrong=wrong,
        kind=opening.kind,
        language=opening.language,
        understood=understood.text if understood else None,
        first_ms=round(first_ms, 1),
        said=said,
        sources=tuple(dict.fromkeys(sources.get(part.document, "?") for part in parts if isinstance(part, Citation))),
    )


def _wrong(expected: Expected, opening: Opening, text: str) -> list[str]:
    told = all(re.search(one, text, re.IGNORECASE) for one in expected.facts)
    # Who is told how to reach us, and with it the very thing asked for, was not turned away.
    turned_away = opening.kind in REFUSALS and not (expected.facts and told)
    checks = {
        "language": expected.language in (None, opening.language),
        "facts": told,
        "must_not": not any(re.search(one, text, re.IGNORECASE) for one in expected.must_not),
        "handoff": expected.handoff in (None, turned_away),
        "emergency": expected.emergency in (None, opening.kind == "emergency"),
    }
    return [name for name, met in checks.items() if not met]


def _understood(parts: Sequence[Part]) -> Notice | None:
    return next((part for part in parts if isinstance(part, Notice) and part.code == "understood_as"), None)


def _message(dialogue: Dialogue, number: int, conversation: ConversationId) -> Message:
    return Message(
        id=MessageId(f"{dialogue.id}-{number}"),
        conversation=conversation,
        channel="terminal",
        text=dialogue.turns[number].user,
        language=dialogue.lang,
    )


async def _answered(assistant: Assistant, message: Message) -> tuple[list[Part], float]:
    began, first = perf_counter(), 0.0
    parts: list[Part] = []
    async with aclosing(assistant.answer(message)) as said:
        async for part in said:
            if not first and isinstance(part, Text):
                first = (perf_counter() - began) * 1000
            parts.append(part)
    return parts, first


def _figures(rows: Sequence[Judged]) -> Figures:
    turns = [turn for row in rows for turn in row.turns]
    return {
        "dialogues": len(rows),
        "turns": len(turns),
        "turns_right": share(turn.right for turn in turns),
        "dialogues_right": share(row.right for row in rows),
        "must_not": share("must_not" in turn.wrong for turn in turns),
        "understood": sum(turn.understood is not None for turn in turns),
        **milliseconds([turn.first_ms for turn in turns]),
    }
