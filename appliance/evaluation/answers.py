"""Ask a set of questions as a patient would and judge what the product says. Knows the pipeline only by `Assistant.answer`."""

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
from appliance.evaluation.figures import Figures, milliseconds, report, share
from appliance.message import (
    AnswerKind,
    Citation,
    DocumentId,
    Language,
    Message,
    MessageId,
    Notice,
    Opening,
    Part,
    Text,
)

REFUSALS: frozenset[AnswerKind] = frozenset({"unknown", "declined", "contact"})


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a question file."""

    id: str
    lang: Language
    question: str
    answerable: bool = True
    answer_facts: tuple[str, ...] = ()
    """Regular expressions, all of which the answer must hold."""
    must_not: tuple[str, ...] = ()
    """None of which it may hold: another site's hours, a superseded fee."""
    doc: tuple[str, ...] | str = ()
    """Files that hold the answer."""


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """One question, what was said and the verdict."""

    id: str
    lang: Language
    answerable: bool
    verdict: str
    """right | wrong | wrongly_refused for answerable ones, refused | invented for the others."""
    kind: AnswerKind
    must_not: bool
    cited_doc: bool | None
    first_ms: float
    question: str
    said: str
    sources: tuple[str, ...]
    probability: float | None = None
    """What the quote was thought to be right with; None where nothing was quoted, or nobody listened."""


def questions(file: Path) -> list[Question]:
    """The rows of a file; raises BadInput naming the line that is wrong."""
    rows = []
    for number, line in enumerate(file.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_checked(msgspec.json.decode(line, type=Question)))
        except (msgspec.MsgspecError, re.error) as wrong:
            raise BadInput(f"{file}, line {number}: {wrong}") from wrong
    return rows


def _checked(row: Question) -> Question:
    for pattern in (*row.answer_facts, *row.must_not):
        re.compile(pattern)
    return row


async def answers(
    assistant: Assistant,
    conversations: Conversations,
    asked: Sequence[Question],
    *,
    sources: Mapping[DocumentId, str],
    sure: Callable[[], float | None] = lambda: None,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Any]:
    """``sources`` gives each document id the file it was learnt from. Each question is a conversation of its own.

    ``sure`` tells how probable the last quote was (`rehearsal.overheard`).
    """
    rows = []
    for done, question in enumerate(asked, start=1):
        conversation, _ = await conversations.create("terminal", language=question.lang)
        message = Message(
            id=MessageId(question.id),
            conversation=conversation,
            channel="terminal",
            text=question.question,
            language=question.lang,
        )
        sure()
        try:
            row = await _judged(assistant, message, question, sources)
        finally:
            await conversations.delete(conversation)
        rows.append(msgspec.structs.replace(row, probability=sure() if row.kind == "quoted" else None))
        progress(done, len(asked))
    return report(rows, _figures)


async def _judged(
    assistant: Assistant, message: Message, question: Question, sources: Mapping[DocumentId, str]
) -> Judged:
    began = perf_counter()
    first = 0.0
    parts: list[Part] = []
    async with aclosing(assistant.answer(message)) as said:
        async for part in said:
            if not first and isinstance(part, Text):
                first = (perf_counter() - began) * 1000
            parts.append(part)
    return judged(question, parts, sources=sources, first_ms=first)


def judged(question: Question, parts: Sequence[Part], *, sources: Mapping[DocumentId, str], first_ms: float) -> Judged:
    """The verdict on an answer: every fact found and nothing that must not be, in the NFKC text without citation labels."""
    said = "".join(part.text for part in parts if isinstance(part, Text | Notice))
    text = unicodedata.normalize("NFKC", said)
    kind = next(part.kind for part in parts if isinstance(part, Opening))
    cited = tuple(dict.fromkeys(sources.get(part.document, "?") for part in parts if isinstance(part, Citation)))
    wrong = any(re.search(one, text, re.IGNORECASE) for one in question.must_not)
    facts = all(re.search(one, text, re.IGNORECASE) for one in question.answer_facts)
    return Judged(
        id=question.id,
        lang=question.lang,
        answerable=question.answerable,
        verdict=_verdict(question, kind, right=facts and not wrong),
        kind=kind,
        must_not=wrong,
        cited_doc=_cited(question, cited) if kind not in REFUSALS else None,
        first_ms=round(first_ms, 1),
        question=question.question,
        said=said,
        sources=cited,
    )


def _verdict(question: Question, kind: AnswerKind, *, right: bool) -> str:
    if not question.answerable:
        return "refused" if kind in REFUSALS else "invented"
    if kind in REFUSALS and not right:
        return "wrongly_refused"
    return "right" if right else "wrong"


def _cited(question: Question, cited: Sequence[str]) -> bool | None:
    wanted = {question.doc} if isinstance(question.doc, str) else set(question.doc)
    if not question.answerable or not wanted:
        return None
    return any(Path(one).name in {Path(name).name for name in wanted} for one in cited)


def _figures(rows: Sequence[Judged]) -> Figures:
    answerable = [row for row in rows if row.answerable]
    return {
        "questions": len(rows),
        "right": share(row.verdict == "right" for row in answerable),
        "must_not": share(row.must_not for row in answerable),
        "cited_doc": share(row.cited_doc for row in answerable if row.cited_doc is not None),
        "refused": share(row.verdict == "refused" for row in rows if not row.answerable),
        "wrongly_refused": share(row.verdict == "wrongly_refused" for row in answerable),
        **{f"kind_{kind}": sum(row.kind == kind for row in rows) for kind in sorted({row.kind for row in rows})},
        **milliseconds([row.first_ms for row in rows]),
    }
