"""How good past evaluations found the product: figures, one line a run, in the data directory. Knows no question and no answer."""

from __future__ import annotations

import logging
import os
from collections.abc import Container, Iterable, Sequence
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec

from appliance import __version__
from appliance.message import now

log = logging.getLogger(__name__)

FILE: Final = "eval.jsonl"
NIGHTLY: Final = ("nightly answers", "nightly safety")
"""The commands of the self-test."""

HIGH: Final = frozenset(
    ("right", "cited_doc", "refused", "turns_right", "dialogues_right", "recall", "r1", "r5", "r10", "mrr10", "ndcg10")
) | {"balanced_accuracy", "supported_kept", "unsupported_dropped", "digits_right"}
"""Shares that should be high."""
LOW: Final = frozenset(
    ("must_not", "wrongly_refused", "false_alarms", "success_rate", "success_direct", "success_poisoned")
) | {"error_rate", "error_rate_sure"}
"""Shares that should be low. What stands in neither set (counts, times) is told but not judged."""

Numbers = dict[str, float | None]


class Fall(msgspec.Struct, frozen=True, kw_only=True):
    """A figure that became worse."""

    figure: str
    before: float
    now: float

    def __str__(self) -> str:
        return f"{self.figure} fell: {self.before:g} before, {self.now:g} now"


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One evaluation's figures."""

    command: str
    """With the options that change what is measured, such as ``answers --generate``."""
    set: str
    """Fingerprint of the questions: figures of another set are not compared."""
    overall: Numbers
    by_lang: dict[str, Numbers] = {}
    fell: tuple[Fall, ...] = ()
    """What was worse than in the last good run."""
    version: str = __version__
    at: datetime = msgspec.field(default_factory=now)

    @property
    def figures(self) -> dict[str, float]:
        """Every figure that is known: ``right`` is the overall one, ``hi.right`` that of Hindi."""
        columns = (("", self.overall), *((f"{code}.", column) for code, column in self.by_lang.items()))
        return {
            f"{place}{name}": value for place, column in columns for name, value in column.items() if value is not None
        }


def fingerprint(paths: Iterable[Path]) -> str:
    """Of files, and of all files in folders."""
    digest = sha256()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else (path,):
            if file.is_file():
                digest.update(file.name.encode() + b"\0" + sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def keep(directory: Path, run: Run) -> None:
    """One more line, readable by its owner only."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(directory / FILE, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(handle, "ab") as file:
        file.write(msgspec.json.encode(run) + b"\n")


def runs(directory: Path) -> list[Run]:
    """All that are kept, oldest first. A line cut short by a power failure is passed over."""
    file = directory / FILE
    found = []
    for number, line in enumerate(file.read_bytes().splitlines() if file.exists() else (), start=1):
        try:
            found.append(msgspec.json.decode(line, type=Run))
        except msgspec.MsgspecError:
            log.warning("history=unreadable file=%s line=%d", file, number)
    return found


def earlier(directory: Path, run: Run) -> list[Run]:
    """The runs of the same command on the same set."""
    return [one for one in runs(directory) if (one.command, one.set) == (run.command, run.set)]


def fallen(run: Run, before: Sequence[Run], *, margin: float, names: Container[str] = HIGH | LOW) -> tuple[Fall, ...]:
    """Which figures of these names, overall and by language, are worse by more than ``margin`` than in the last good run.

    Not than in the last run: on the second day after a fall nothing falls any more, and all the same nothing is well.
    """
    good = next((one for one in reversed(before) if not one.fell), None)
    known = good.figures if good else {}
    return tuple(
        Fall(figure=name, before=known[name], now=value)
        for name, value in run.figures.items()
        if name in known and plain(name) in names and _worse(name, known[name], value) > margin + _ROUNDING
    )


def plain(name: str) -> str:
    """A figure's name without its language."""
    return name.rpartition(".")[2]


def _worse(name: str, before: float, now: float) -> float:
    """By how much; negative when it became better, and nothing for what is not judged."""
    return before - now if plain(name) in HIGH else now - before if plain(name) in LOW else 0.0


_ROUNDING: Final = 1e-9
"""0.83 - 0.80 is a little more than 0.03 to a computer."""
