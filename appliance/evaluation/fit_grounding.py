"""Fit the support check's weights: `python -m appliance.evaluation.fit_grounding`.

Prints the tables for assistant/grounding.toml and what they reach on the half they were not fitted on; a person decides. A logistic
regression (numpy, L2): supported sentences against invented ones and against the sources of other pairs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import numpy as np
from numpy.typing import NDArray

from appliance.app import installed
from appliance.assistant.grounding import Grounding
from appliance.config import Config
from appliance.evaluation.grounding import Pair, judged_pairs, pairs, sources_of

Floats = NDArray[np.float64]
Features = Mapping[str, float]

OWN = Path(__file__).parent / "grounding_pairs.jsonl"
OTHERS = 4
"""Sources of other pairs that each supported sentence is held against: none of them supports it."""


class _Example:
    """A sentence, the features of each source that lacks no fact, and whether one of them supports it."""

    def __init__(self, candidates: Sequence[Features], *, supported: bool, weight: float = 1.0) -> None:
        self.candidates = candidates
        self.supported = supported
        self.weight = weight


async def examples(grounding: Grounding, given: Sequence[Pair]) -> list[_Example]:
    found = []
    texts = list(dict.fromkeys(pair.source for pair in given))
    for pair in [*given, *_copies(given)]:
        clean = await _features(grounding, pair, pair.source, strict=True)
        if clean:
            found.append(_Example(clean, supported=pair.supported))
        place = texts.index(pair.source)
        others = [texts[(place + step) % len(texts)] for step in range(1, OTHERS + 1)] if pair.supported else []
        found += [
            _Example(await _features(grounding, pair, other, strict=False), supported=False, weight=1 / OTHERS)
            for other in others
        ]
    return found


def _copies(given: Sequence[Pair]) -> list[Pair]:
    """A sentence copied from its source is supported, whatever it speaks of."""
    whole = {pair.source: [one for one in sources_of(pair.source) if not one.alone] for pair in given}
    return [
        Pair(id="copy", source=source, text=one.text, supported=True, lang=one.language)
        for source, copied in whole.items()
        for one in copied
    ]


async def _features(grounding: Grounding, pair: Pair, source: str, *, strict: bool) -> list[Features]:
    sources = await grounding.sources(sources_of(source))
    return [features for missing, features in await sources.evidence(pair.text, pair.lang) if not (strict and missing)]


def fitted(found: Sequence[_Example], *, penalty: float) -> tuple[dict[str, float], float]:
    """The weights and the threshold. Of several sources the likeliest counts, so it is chosen anew after each fit."""
    names = list(found[0].candidates[0])
    start = {name: 1.0 for name in names if name in ("covered", "concepts", "cosine", "cosine_across")}
    labels = np.array([one.supported for one in found], float)
    counts = np.array([one.weight for one in found])
    weights: dict[str, float] = start
    for _ in range(6):
        best = [max(one.candidates, key=lambda each: _odds(weights, each)) for one in found]
        rows = np.array([[each[name] for name in names] for each in best])
        weights = dict(zip(names, _logistic(rows, labels, counts, penalty=penalty).round(3).tolist(), strict=True))
    odds = [max(_odds(weights, each) for each in one.candidates) for one in found]
    return weights, _threshold([1 / (1 + np.exp(-one)) for one in odds], labels, counts)


def _odds(weights: Mapping[str, float], features: Features) -> float:
    return sum(weights.get(name, 0.0) * value for name, value in features.items())


def _logistic(rows: Floats, labels: Floats, counts: Floats, *, penalty: float) -> Floats:
    """Newton-Raphson, both classes weighing the same; the first column is the constant and is not penalised."""
    found = np.zeros(rows.shape[1])
    ridge = np.full(rows.shape[1], 2 * penalty)
    ridge[0] = 1e-6
    both = counts * labels, counts * (1 - labels)
    weight = sum(one * counts.sum() / (2 * one.sum()) for one in both)
    for _ in range(50):
        odds = 1 / (1 + np.exp(-np.clip(rows @ found, -30, 30)))
        gradient = rows.T @ (weight * (labels - odds)) - ridge * found
        curvature = (rows * (weight * odds * (1 - odds))[:, None]).T @ rows + np.diag(ridge)
        found += np.linalg.solve(curvature, gradient)
    return found


def _threshold(sure: Sequence[float], labels: Floats, counts: Floats) -> float:
    """Where balanced accuracy is best on the examples it is fitted on."""
    steps = np.arange(0.2, 0.9, 0.02).round(2).tolist()
    values, good, bad = np.array(sure), counts * labels, counts * (1 - labels)
    return float(max(steps, key=lambda at: good[values >= at].sum() / good.sum() + bad[values < at].sum() / bad.sum()))


async def _fit(penalty: float, file: Path) -> None:
    config = Config()
    given = pairs(file)
    fit = [pair for pair in given if pair.half == "fit"]
    other = [pair for pair in given if pair.half != "fit"]
    embedder = (await asyncio.to_thread(installed, config)).embedder
    for name, grounding in (("with_meaning", Grounding.load(embedder=embedder)), ("words_only", Grounding.load())):
        weights, threshold = fitted(await examples(grounding, fit), penalty=penalty)
        click.echo(f"[{name}]\n" + "\n".join(f"{key} = {value}" for key, value in weights.items()))
        grounding = grounding.weighed(name, weights, threshold)
        for half, some in (("fit", fit), ("report", other)):
            told = await judged_pairs(grounding, some)
            click.echo(f"# {half}: threshold {threshold} {told['overall']} {told.get('by_perturbation')}")
            click.echo(f"#   { ({code: one['balanced_accuracy'] for code, one in told['by_lang'].items()}) }")
    await embedder.close()


@click.command()
@click.option("--pairs", "file", type=click.Path(path_type=Path), default=OWN)
@click.option("--penalty", default=0.3, show_default=True)
def main(file: Path, penalty: float) -> None:
    """Fit and show."""
    asyncio.run(_fit(penalty, file))


if __name__ == "__main__":
    main()
