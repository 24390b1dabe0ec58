"""Fit the quote ranker and its gate: `python -m appliance.evaluation.fit_quotes --clinic DIR --clinic DIR`.

A clinic's folder holds documents/ and one or more *.jsonl of questions.

Prints coefficients for assistant/quote_weights.toml and what they would have reached on questions they were not fitted on; a
person decides. The ranker is a conditional logit (McFadden 1974): of one question's candidates, those that hold every fact
against the rest. The gate is a logistic regression: is the ranker's choice right, unanswerable questions included?
Both in numpy with an L2 penalty: few features, few hundred questions.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import click
import msgspec
import numpy as np
from numpy.typing import NDArray

from appliance.app import Clinic, open_clinic
from appliance.assistant.quote import Candidate, Quoting, Weights, gate_features
from appliance.config import Config, Data
from appliance.evaluation.answers import Question, questions
from appliance.evaluation.retrieval import MIXED
from appliance.knowledge.parsed import Block, Metadata, Parsed
from appliance.message import LANGUAGES
from appliance.records.keys import create_master_key

T = TypeVar("T")
Floats = NDArray[np.float64]

FOLDS = 5
STEPS = 600


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A question, what the product finds for it, and which candidates would be judged right."""

    question: Question
    candidates: tuple[Candidate, ...]
    right: tuple[bool, ...]


async def examples(asked: Sequence[Question], documents: Path) -> list[Example]:
    """Over freshly learnt documents, by the product's own search."""
    with tempfile.TemporaryDirectory(prefix="medinovai-fit-") as folder:
        create_master_key(Path(folder))
        async with open_clinic(Config(data=Data(directory=folder))) as clinic:
            await clinic.library.learn([documents])
            sites = await clinic.search.sites()
            return [await _example(clinic, one, sites) for one in asked]


async def xquad_examples(data: Path) -> list[Example]:
    """Strangers' questions over strangers' paragraphs: XQuAD's mixed pool, every seventh paragraph withheld.

    A question whose paragraph is withheld is unanswerable, however near its neighbours are.
    """
    paragraphs = {code: _rows(data / f"paragraphs.{code}.jsonl", _Paragraph) for code in LANGUAGES}
    asked = {code: _rows(data / f"questions.{code}.dev.jsonl", _Asked) for code in LANGUAGES}
    answers = {code: {one.qid: one.answers for one in rows} for code, rows in asked.items()}
    kept = {one.pid: MIXED[i % len(MIXED)] for i, one in enumerate(paragraphs["en"])}
    withheld = {one.pid for i, one in enumerate(paragraphs["en"]) if i % 7 == _WITHHELD}
    with tempfile.TemporaryDirectory(prefix="medinovai-fit-") as folder:
        create_master_key(Path(folder))
        async with open_clinic(Config(data=Data(directory=folder))) as clinic:
            for code in LANGUAGES:
                for one in paragraphs[code]:
                    if kept[one.pid] == code and one.pid not in withheld:
                        block = Block(kind="paragraph", text=one.text)
                        await clinic.library.learn_parsed(
                            one.pid, Parsed(blocks=(block,), metadata=Metadata(title="", language=code))
                        )
            rows = [
                Question(
                    id=f"{code}-{one.qid}",
                    lang=code,
                    question=one.question,
                    answerable=one.pid not in withheld,
                    answer_facts=(re.escape(answers[kept[one.pid]][one.qid][0]),),
                )
                for code in LANGUAGES
                for one in asked[code]
            ]
            return [await _example(clinic, one, ()) for one in rows]


_WITHHELD = 3


class _Paragraph(msgspec.Struct, frozen=True):
    pid: str
    text: str


class _Asked(msgspec.Struct, frozen=True):
    qid: str
    pid: str
    question: str
    answers: tuple[str, ...]


def _rows(file: Path, kind: type[T]) -> list[T]:
    return [msgspec.json.decode(line, type=kind) for line in file.read_bytes().splitlines()]


async def _example(clinic: Clinic, one: Question, sites: Sequence[str]) -> Example:
    carried = clinic.glossary.carried(one.question, one.lang)
    hits = await clinic.search.passages(one.question, one.lang, limit=12, extra_words=carried.words)
    ranked = clinic.quoting.ranked(one.question, one.lang, hits=hits, carried=carried, sites=sites)
    right = tuple(_holds_answer(one, f"{each.introduction} {each.text}") for each in ranked)
    return Example(question=one, candidates=tuple(ranked), right=right)


def fitted(found: Sequence[Example], start: Weights, *, penalty: float) -> Weights:
    """Both parts, fitted on these examples; joining and the threshold stay.

    The gate sees each question as a ranker sees it that was not fitted on it: else it would trust scores too much.
    """
    rows, labels = [], []
    for fold in range(FOLDS):
        others = [one for i, one in enumerate(found) if i % FOLDS != fold]
        quoting = Quoting(msgspec.structs.replace(start, ranker=_ranker(others, penalty=penalty)))
        for one in found[fold::FOLDS]:
            if one.candidates:
                rows.append(gate_features(quoting.scored(one.candidates)))
                labels.append(one.question.answerable and _outcome(one, quoting)[1])
    names = list(rows[0])
    gate = _logistic(
        np.array([[row[name] for name in names] for row in rows]), np.array(labels, float), penalty=penalty
    )
    return msgspec.structs.replace(
        start,
        ranker=_ranker(found, penalty=penalty),
        gate=dict(zip(names, gate.round(3).tolist(), strict=True)),
    )


def curve(found: Sequence[Example], start: Weights, *, penalty: float) -> list[tuple[float, float, float, float]]:
    """Cross-validated over FOLDS: (threshold, right of answerable, unanswerable refused, answerable refused)."""
    outcomes: list[tuple[bool, bool, float]] = []
    for fold in range(FOLDS):
        weights = fitted([one for i, one in enumerate(found) if i % FOLDS != fold], start, penalty=penalty)
        outcomes += [_outcome(one, Quoting(weights)) for i, one in enumerate(found) if i % FOLDS == fold]
    return [_at(threshold, outcomes) for threshold in np.arange(0.1, 0.95, 0.05).round(2).tolist()]


def _outcome(example: Example, quoting: Quoting) -> tuple[bool, bool, float]:
    """Answerable? Right? Probability."""
    quote = quoting.chosen(example.candidates, frozenset())
    said = "\n".join(f"{one.introduction} {one.text}" for one in quote.chosen)
    return example.question.answerable, _holds_answer(example.question, said), quote.probability


def _at(threshold: float, outcomes: Sequence[tuple[bool, bool, float]]) -> tuple[float, float, float, float]:
    answerable = [(right, sure) for can, right, sure in outcomes if can]
    others = [sure for can, _, sure in outcomes if not can]
    right = sum(right and sure >= threshold for right, sure in answerable) / len(answerable)
    refused = sum(sure < threshold for sure in others) / max(1, len(others))
    wrongly = sum(sure < threshold for _, sure in answerable) / len(answerable)
    return threshold, round(right, 3), round(refused, 3), round(wrongly, 3)


def _ranker(found: Sequence[Example], *, penalty: float) -> dict[str, float]:
    """The conditional logit's weights."""
    usable = [one for one in found if any(one.right) and not all(one.right)]
    names = [name for name in usable[0].candidates[0].features if name != "bias"]
    rows = np.array([[each.features[name] for name in names] for one in usable for each in one.candidates])
    right = np.array([each for one in usable for each in one.right])
    counts = [len(one.candidates) for one in usable]
    starts, group = np.cumsum([0, *counts[:-1]]), np.repeat(np.arange(len(usable)), counts)
    weights = np.zeros(len(names))
    moment, square = np.zeros_like(weights), np.zeros_like(weights)
    for step in range(1, STEPS + 1):  # Adam (Kingma and Ba 2015); the function is smooth and tiny
        scores = rows @ weights
        odds = np.exp(scores - np.maximum.reduceat(scores, starts)[group])
        among_all = odds / np.add.reduceat(odds, starts)[group]
        among_right = odds * right / np.add.reduceat(odds * right, starts)[group]
        gradient = (among_right - among_all) @ rows - 2 * penalty * weights
        moment = 0.9 * moment + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        weights += 0.04 * (moment / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-9)
    return dict(zip(names, weights.round(3).tolist(), strict=True))


def _logistic(rows: Floats, labels: Floats, *, penalty: float) -> Floats:
    """Newton-Raphson; the first column is the constant and is not penalised."""
    found = np.zeros(rows.shape[1])
    ridge = np.full(rows.shape[1], 2 * penalty)
    ridge[0] = 1e-6
    for _ in range(50):
        odds = 1 / (1 + np.exp(-np.clip(rows @ found, -30, 30)))
        gradient = rows.T @ (labels - odds) - ridge * found
        curvature = (rows * (odds * (1 - odds))[:, None]).T @ rows + np.diag(ridge)
        found += np.linalg.solve(curvature, gradient)
    return found


def _holds_answer(question: Question, text: str) -> bool:
    """Whether these words would be judged right."""
    plain = unicodedata.normalize("NFKC", text)
    if any(re.search(one, plain, re.IGNORECASE) for one in question.must_not):
        return False
    return question.answerable and all(re.search(one, plain, re.IGNORECASE) for one in question.answer_facts)


@click.command()
@click.option("--clinic", "clinics", type=click.Path(path_type=Path), multiple=True, help="documents/ and *.jsonl.")
@click.option("--xquad", type=click.Path(path_type=Path), help="XQuAD's folder, to learn from strangers too.")
@click.option("--penalty", default=0.1, show_default=True)
def main(clinics: Sequence[Path], xquad: Path | None, penalty: float) -> None:
    """Fit and show."""
    found: list[Example] = []
    for clinic in clinics:
        asked = [one for file in sorted(clinic.glob("*.jsonl")) for one in questions(file)]
        found += asyncio.run(examples(asked, clinic / "documents"))
    if xquad:
        found += asyncio.run(xquad_examples(xquad))
    start = Weights.load()
    click.echo("threshold  right  refused  wrongly refused   (cross-validated)")
    for row in curve(found, start, penalty=penalty):
        click.echo("  ".join(f"{value:.3f}" for value in row))
    weights = fitted(found, start, penalty=penalty)
    for name, table in (("ranker", weights.ranker), ("gate", weights.gate)):
        click.echo(f"\n[{name}]\n" + "\n".join(f"{key} = {value}" for key, value in table.items()))


if __name__ == "__main__":
    main()
