"""Fit when a question counts as a signed one: `python -m appliance.evaluation.fit_signed --answers FILE --questions FILE --site …`.

Prints weights and threshold for assistant/approved.toml, and what they reach on the half they were not fitted on; a person
decides. A logistic regression over the product's own candidates, drawn towards a plain opinion where there is little to learn
from; the threshold is beyond every near miss of the fitted half, with a margin.
"""

from __future__ import annotations

import asyncio
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Final, Literal

import click
import msgspec
import numpy as np
from numpy.typing import NDArray

from appliance.app import open_clinic
from appliance.assistant.answer_files import read
from appliance.assistant.approved import Asking, Candidate
from appliance.assistant.signatures import SignedAnswer
from appliance.config import Config, Data
from appliance.message import LANGUAGES, Language
from appliance.records.keys import create_master_key

Part = Literal["fitted", "apart", "fresh"]
Floats = NDArray[np.float64]

OPINION: Final = {
    "bias": 0.0, "dense": 3.0, "gap": 2.0, "unknown": -3.0, "missing": -1.5, "lacking": -2.0, "core": -1.0, "intent": 1.0,
}  # fmt: skip
TOWARDS_OPINION: Final = 2.0
MARGIN: Final = 0.3
"""Log-odds between the best near miss of the fitted half and the threshold: another near miss may be a little better."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A question, and the answer it must get; None: none."""

    language: Language
    text: str
    right: str | None
    part: Part
    candidates: tuple[Candidate, ...] = ()


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a case gets."""

    case: Case
    candidate: Candidate | None
    score: float

    @property
    def right(self) -> bool:
        return self.candidate is not None and self.candidate.version.answer.id == self.case.right


def cases(file: Path) -> list[Case]:
    """The file's questions: odd places are fitted on, even ones kept apart, `fresh_…` only reported."""
    found = []
    for answer, languages in tomllib.loads(file.read_text("utf-8")).items():
        for language, kinds in languages.items():
            for kind, texts in kinds.items():
                right = answer if kind.endswith("match") else None
                for place, text in enumerate(texts):
                    part: Part = "fresh" if kind.startswith("fresh") else "apart" if place % 2 else "fitted"
                    found.append(Case(language=language, text=text, right=right, part=part))
    return found


async def looked_up(
    asked: Sequence[Case], answers: Sequence[SignedAnswer], *, sites: tuple[str, ...], today: date
) -> list[Case]:
    """Each with the product's own candidates."""
    with tempfile.TemporaryDirectory(prefix="medinovai-fit-") as folder:
        create_master_key(Path(folder))
        async with open_clinic(Config(data=Data(directory=folder))) as clinic:
            await clinic.approved.take(answers, by="fit")
            book = await clinic.approved.book(sites)
            vectors = await clinic.embedder.queries([one.text for one in asked], [one.language for one in asked])
            found = []
            for one, vector in zip(asked, vectors, strict=True):
                asking = Asking(text=one.text, language=one.language, meaning=vector[None], sites=sites, at=None)
                found.append(msgspec.structs.replace(one, candidates=tuple(book.candidates(asking, today=today))))
            return found


def fitted(asked: Iterable[Case]) -> dict[str, float]:
    """The weights. Which of an answer's questions is meant is not known: the best by the weights so far (hard EM)."""
    names = list(OPINION)
    opinion = np.array([OPINION[name] for name in names])
    weights = opinion
    for _ in range(6):
        rows = [
            (each, one.right) for one in asked for each in _best_of_each(one, dict(zip(names, weights, strict=True)))
        ]
        features = np.array([[each.features[name] for name in names] for each, _ in rows])
        labels = np.array([each.version.answer.id == right for each, right in rows], float)
        weights = _logistic(features, labels, opinion)
    return dict(zip(names, weights.round(2).tolist(), strict=True))


def _best_of_each(case: Case, weights: dict[str, float]) -> list[Candidate]:
    best: dict[str, Candidate] = {}
    for one in sorted(case.candidates, key=lambda one: _score(one, weights)):
        best[one.version.answer.id] = one
    return list(best.values())


def _logistic(rows: Floats, labels: Floats, opinion: Floats) -> Floats:
    """Newton-Raphson, penalised by the distance to the opinion; the constant is free."""
    found = opinion.copy()
    ridge = np.where(np.arange(len(found)) == 0, 1e-6, TOWARDS_OPINION)
    for _ in range(50):
        odds = 1 / (1 + np.exp(-np.clip(rows @ found, -30, 30)))
        gradient = rows.T @ (labels - odds) - ridge * (found - opinion)
        curvature = (rows * (odds * (1 - odds))[:, None]).T @ rows + np.diag(ridge)
        found = found + np.linalg.solve(curvature, gradient)
    return found


def found(case: Case, weights: dict[str, float]) -> Found:
    best = max(case.candidates, key=lambda one: _score(one, weights), default=None)
    return Found(case=case, candidate=best, score=_score(best, weights) if best else -np.inf)


def _score(one: Candidate, weights: dict[str, float]) -> float:
    return np.inf if one.same else sum(weight * one.features[name] for name, weight in weights.items())


@click.command()
@click.option("--answers", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--questions", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--site", "sites", multiple=True)
@click.option("--today", type=click.DateTime(["%Y-%m-%d"]), required=True, help="A day on which the answers hold.")
def main(answers: Path, questions: Path, sites: tuple[str, ...], today: date) -> None:
    """Fit and show."""
    day = date(today.year, today.month, today.day)
    asked = asyncio.run(looked_up(cases(questions), read(answers.name, answers.read_bytes()), sites=sites, today=day))
    weights = fitted([one for one in asked if one.part == "fitted"])
    all_found = [found(one, weights) for one in asked]
    wrong = [one.score for one in all_found if one.case.part == "fitted" and not one.right]
    threshold = round(max(wrong, default=0.0) + MARGIN, 2)
    click.echo(f"threshold = {threshold}\n\n[weights]\n" + "\n".join(f"{name} = {w}" for name, w in weights.items()))
    click.echo("\n" + "\n".join(_table(all_found, threshold)))


def _table(all_found: Sequence[Found], threshold: float) -> Iterable[str]:
    yield "part     lang  must match  found  wrong answer  near misses  answered"
    for part in ("fitted", "apart", "fresh"):
        for language in LANGUAGES:
            here = [one for one in all_found if one.case.part == part and one.case.language == language]
            said = [one for one in here if one.score >= threshold]
            must = [one for one in here if one.case.right]
            hits = sum(one.right for one in said)
            crossed = sum(not one.right and one.case.right is not None for one in said)
            misses = [one for one in said if one.case.right is None]
            yield f"{part:8} {language:5} {len(must):10} {hits:6} {crossed:13} {len(here) - len(must):12} {len(misses):9}"
    for one in all_found:
        if one.score >= threshold and not one.right and one.candidate:
            yield f"WRONG {one.case.part} {one.case.text!r} -> {one.candidate.version.answer.id}: {one.candidate.question!r}"


if __name__ == "__main__":
    main()
