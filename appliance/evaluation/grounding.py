"""How well the check of written sentences tells supported from unsupported, on pairs of a source and a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from appliance.assistant.grounding import Grounding, Source
from appliance.errors import BadInput
from appliance.evaluation.figures import Figures, report, share
from appliance.knowledge.sentences import sentences
from appliance.languages import detect
from appliance.message import Language


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One row of a pairs file."""

    id: str
    source: str
    text: str
    supported: bool
    lang: Language | None = None
    """The text's; None lets the words tell."""
    perturbation: str = ""
    """What was made wrong in the text, in sets that say so."""
    half: str = ""
    """Which half of the set it belongs to: weights are fitted on one and reported on the other."""


class _HaluEval(msgspec.Struct, frozen=True, kw_only=True):
    """A row of HaluEval's general set: an answer without a source, so that the query must do."""

    id: str = msgspec.field(name="ID")
    user_query: str
    chatgpt_response: str
    hallucination: str


class JudgedPair(msgspec.Struct, frozen=True, kw_only=True):
    """One pair and the check's verdict."""

    id: str
    lang: Language
    supported: bool
    verdict: str
    """kept | dropped."""
    right: bool
    reason: str
    """What the source lacks: fact, name, drug, negation or meaning."""
    probability: float
    perturbation: str
    said: str


def pairs(file: Path) -> list[Pair]:
    """The rows of a file, ours or HaluEval's; raises BadInput naming the line that is wrong."""
    rows = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            rows.append(_pair(line))
        except msgspec.MsgspecError as wrong:
            raise BadInput(f"{file}, line {number}: {wrong}") from wrong
    return rows


def _pair(line: str) -> Pair:
    if '"chatgpt_response"' not in line:
        return msgspec.json.decode(line, type=Pair)
    row = msgspec.json.decode(line, type=_HaluEval)
    supported = row.hallucination == "no"
    return Pair(id=row.id, source=row.user_query, text=row.chatgpt_response, supported=supported)


async def judged_pairs(
    grounding: Grounding, given: Sequence[Pair], *, progress: Callable[[int, int], None] = lambda _done, _total: None
) -> dict[str, Any]:
    """Each text sentence by sentence: it is supported when every sentence is."""
    rows = []
    for done, pair in enumerate(given, start=1):
        rows.append(await _judged(grounding, pair))
        progress(done, len(given))
    kinds = sorted({row.perturbation for row in rows} - {""})
    found = report(rows, _figures)
    if kinds:
        found["by_perturbation"] = {
            kind: share(row.right for row in rows if row.perturbation == kind) for kind in kinds
        }
    return found


async def _judged(grounding: Grounding, pair: Pair) -> JudgedPair:
    language = pair.lang or detect(pair.text)
    sources = await grounding.sources(sources_of(pair.source))
    verdicts = [await sources.verdict(pair.text[start:end], language) for start, end in sentences(pair.text)]
    wrong = next((one for one in verdicts if not one.supported), None)
    kept = bool(verdicts) and wrong is None
    return JudgedPair(
        id=pair.id,
        lang=language,
        supported=pair.supported,
        verdict="kept" if kept else "dropped",
        right=kept == pair.supported,
        reason=(wrong.reason or "") if wrong else "",
        probability=round(min((one.probability for one in verdicts), default=0.0), 3),
        perturbation=pair.perturbation,
        said=pair.text,
    )


def sources_of(text: str) -> list[Source]:
    """A source's sentences; lines of a list or a table stand alone."""
    return [
        Source(text=line[start:end], language=detect(line), alone=line.startswith(("-", "*", "|", "•")))
        for line in text.splitlines()
        for start, end in sentences(line)
    ]


def _figures(rows: Sequence[JudgedPair]) -> Figures:
    sides = [[row.right for row in rows if row.supported is side] for side in (True, False)]
    balanced = sum(sum(side) / len(side) for side in sides) / 2 if all(sides) else None
    return {
        "pairs": len(rows),
        "balanced_accuracy": None if balanced is None else round(balanced, 4),
        "supported_kept": share(sides[0]),
        "unsupported_dropped": share(sides[1]),
    }
