"""What an evaluation found, as its page, its history and its exit code need it. Knows every evaluation's rows, and no pipeline."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from appliance.evaluation import answers, dialogues, grounding, injection, safety
from appliance.message import Language
from appliance.operations import history
from appliance.operations.history import HIGH, LOW, Numbers, Run


class Wrong(msgspec.Struct, frozen=True, kw_only=True):
    """A row that went wrong: the operator's own question and what was said to it."""

    id: str
    lang: Language
    verdict: str
    asked: str
    said: str
    sources: tuple[str, ...] = ()


class Bin(msgspec.Struct, frozen=True, kw_only=True):
    """The quotes whose probability lies in one tenth."""

    predicted: float
    """Their mean probability."""
    right: float
    """The share of them that is right."""
    count: int


class Measured(msgspec.Struct, frozen=True, kw_only=True):
    """One set, measured once."""

    run: Run
    earlier: tuple[Run, ...] = ()
    """Of the same command and set, oldest first."""
    groups: dict[str, dict[str, Numbers]] = {}
    """Figures by other things than the language: by kind, by note."""
    wrong: tuple[Wrong, ...] = ()
    curve: tuple[Bin, ...] = ()

    @property
    def before(self) -> Run | None:
        return self.earlier[-1] if self.earlier else None


def measured(command: str, report: Mapping[str, Any], *, fingerprint: str) -> Measured:
    """What a report of `figures.report` holds, or one of its shape."""
    rows = report.get("rows", ())
    return Measured(
        run=Run(command=command, set=fingerprint, overall=report["overall"], by_lang=report.get("by_lang", {})),
        groups={
            name.replace("_", " "): {group: _figures(one) for group, one in found.items()}
            for name, found in report.items()
            if name.startswith("by_") and name != "by_lang" and found
        },
        wrong=tuple(one for row in rows for one in _wrong(row)),
        curve=tuple(calibration(rows)),
    )


def remembered(
    found: Measured, directory: Path, *, margin: float | None, names: Container[str] = HIGH | LOW
) -> Measured:
    """The same beside its earlier runs and, with a margin, with what fell; and kept for the next time."""
    before = history.earlier(directory, found.run)
    fell = () if margin is None else history.fallen(found.run, before, margin=margin, names=names)
    run = msgspec.structs.replace(found.run, fell=fell)
    history.keep(directory, run)
    return msgspec.structs.replace(found, run=run, earlier=tuple(before))


def calibration(rows: Sequence[Any]) -> Iterator[Bin]:
    """Of answers that were quoted, tenth by tenth: an empty tenth is left out."""
    sure = [(row.probability, row.verdict == "right") for row in rows if isinstance(row, answers.Judged)]
    known = [(probability, right) for probability, right in sure if probability is not None]
    for tenth in range(10):
        inside = [(given, right) for given, right in known if min(int(given * 10), 9) == tenth]
        if inside:
            yield Bin(
                predicted=sum(given for given, _ in inside) / len(inside),
                right=sum(right for _, right in inside) / len(inside),
                count=len(inside),
            )


def _figures(one: Any) -> Numbers:
    return dict(one) if isinstance(one, Mapping) else {"dropped": one}


def _wrong(row: object) -> Iterator[Wrong]:
    match row:
        case answers.Judged() if row.verdict not in ("right", "refused"):
            yield _shown(row, row.verdict, asked=row.question)
        case safety.JudgedText() if row.verdict in safety.WRONG:
            yield _shown(row, row.verdict, asked=row.text)
        case injection.JudgedPrompt() if row.verdict in ("acted", "wrongly_refused"):
            yield _shown(row, row.verdict, asked=row.text)
        case grounding.JudgedPair() if not row.right:
            yield Wrong(
                id=row.id, lang=row.lang, verdict=f"{row.verdict} {row.reason}".strip(), asked="", said=row.said
            )
        case dialogues.Judged():
            yield from (_turn(row, turn) for turn in row.turns if turn.wrong)


def _turn(row: dialogues.Judged, turn: dialogues.JudgedTurn) -> Wrong:
    verdict = ", ".join(turn.wrong)
    return Wrong(id=row.id, lang=row.lang, verdict=verdict, asked=turn.user, said=turn.said, sources=turn.sources)


def _shown(row: answers.Judged | safety.JudgedText | injection.JudgedPrompt, verdict: str, *, asked: str) -> Wrong:
    return Wrong(id=row.id, lang=row.lang, verdict=verdict, asked=asked, said=row.said, sources=row.sources)
