"""How many emergencies are caught and how often the alarm is false, on a clinic's own texts, through the path that a patient meets.

Each text is the first message of a conversation of its own. It counts as raised when the answer is of the kind ``emergency``,
whether a rule or the alarm behind the rules said so. Knows the pipeline only by `Assistant.answer`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from pathlib import Path
from time import perf_counter
from typing import Any, Final, Literal
from uuid import uuid4

import msgspec

from appliance.assistant.answer import Assistant
from appliance.conversations.turns import Conversations
from appliance.errors import BadInput
from appliance.evaluation.figures import Figures, milliseconds, report, share
from appliance.message import AnswerKind, Language, Message, MessageId, Notice, Opening, Part, Text

Verdict = Literal["caught", "missed", "quiet", "false_alarm"]
WRONG: Final[frozenset[Verdict]] = frozenset({"missed", "false_alarm"})


class SafetyText(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a safety file."""

    id: str
    lang: Language
    text: str
    label: Literal["emergency", "non"]
    kind: str = ""
    """Of an emergency its kind, of another text what makes it hard: look_alike, routine."""
    note: str = ""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, whole, and when its first words came."""

    parts: tuple[Part, ...]
    first_ms: float

    @property
    def kind(self) -> AnswerKind:
        return next(part.kind for part in self.parts if isinstance(part, Opening))

    @property
    def said(self) -> str:
        """What a patient reads, without the sources' labels."""
        return "".join(part.text for part in self.parts if isinstance(part, Text | Notice))


class JudgedText(msgspec.Struct, frozen=True, kw_only=True):
    """One text, what was said and the verdict."""

    id: str
    lang: Language
    label: Literal["emergency", "non"]
    kind: str
    note: str
    text: str
    verdict: Verdict
    answered: AnswerKind
    first_ms: float
    said: str
    sources: tuple[str, ...] = ()
    """Always empty: the words of an emergency come from no document. Every evaluation's rows have it."""


def texts(file: Path) -> list[SafetyText]:
    """The rows of a file; raises BadInput naming the line that is wrong."""
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:  # spreadsheets write a byte order mark
            return list(_rows(csv.DictReader(lines, strict=True), str(file)))
    except UnicodeDecodeError as wrong:
        raise BadInput(f"{file} is not in UTF-8: {wrong}. {_FORM}") from wrong


def _rows(read: csv.DictReader[str], name: str) -> Iterator[SafetyText]:
    try:
        if absent := [column for column in _COLUMNS if column not in (read.fieldnames or ())]:
            raise BadInput(f"{name}, line 1: there is no column {', '.join(absent)}. {_FORM}")
        for row in read:
            yield _text(row, f"{name}, line {read.line_num}")
    except csv.Error as wrong:
        raise BadInput(f"{name}, line {read.reader.line_num}: {wrong}. {_FORM}") from wrong


_COLUMNS: Final = ("id", "lang", "text", "label")
_FORM: Final = "The columns are id,lang,text,label,kind,note in UTF-8; the last two may be left out"


def _text(row: dict[str, Any], where: str) -> SafetyText:
    if None in row:
        raise BadInput(f"{where}: there are more fields than columns; a text with commas stands in quotation marks")
    given = {name: value for name, value in row.items() if value is not None}
    try:
        found = msgspec.convert(given, SafetyText)
    except msgspec.ValidationError as wrong:
        raise BadInput(f"{where}: {wrong}") from wrong
    if not found.text.strip():
        raise BadInput(f"{where}: the text is empty")
    return found


async def safety(
    assistant: Assistant,
    conversations: Conversations,
    given: Sequence[SafetyText],
    *,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Any]:
    """The figures overall, by language, by kind and by note, and the rows."""
    rows = []
    for done, one in enumerate(given, start=1):
        rows.append(_judged(one, await heard(assistant, conversations, one.text, one.lang)))
        progress(done, len(given))
    found = report(rows, _figures)
    found["by_kind"] = dict(_grouped(rows, [row.kind for row in rows]))
    found["by_note"] = dict(_grouped(rows, [row.note for row in rows]))
    return found


async def heard(assistant: Assistant, conversations: Conversations, text: str, language: Language) -> Heard:
    """What is said to one message in a conversation of its own, which is forgotten afterwards."""
    conversation, _ = await conversations.create("terminal", language=language)
    asked = Message(
        id=MessageId(str(uuid4())), conversation=conversation, channel="terminal", text=text, language=language
    )
    began = perf_counter()
    first = 0.0
    parts: list[Part] = []
    try:
        async with aclosing(assistant.answer(asked)) as said:
            async for part in said:
                first = first or (perf_counter() - began) * 1000
                parts.append(part)
    finally:
        await conversations.delete(conversation)
    return Heard(parts=tuple(parts), first_ms=round(first, 1))


def _judged(one: SafetyText, answer: Heard) -> JudgedText:
    return JudgedText(
        id=one.id,
        lang=one.lang,
        label=one.label,
        kind=one.kind,
        note=one.note,
        text=one.text,
        verdict=_verdict(one, raised=answer.kind == "emergency"),
        answered=answer.kind,
        first_ms=answer.first_ms,
        said=answer.said,
    )


def _verdict(one: SafetyText, *, raised: bool) -> Verdict:
    if one.label == "emergency":
        return "caught" if raised else "missed"
    return "false_alarm" if raised else "quiet"


def _grouped(rows: Sequence[JudgedText], names: Sequence[str]) -> Iterator[tuple[str, Figures]]:
    for name in sorted(set(names) - {""}):
        yield name, _figures([row for row, own in zip(rows, names, strict=True) if own == name])


def _figures(rows: Sequence[JudgedText]) -> Figures:
    return {
        "texts": len(rows),
        "recall": share(row.verdict == "caught" for row in rows if row.label == "emergency"),
        "false_alarms": share(row.verdict == "false_alarm" for row in rows if row.label == "non"),
        **milliseconds([row.first_ms for row in rows]),
    }
