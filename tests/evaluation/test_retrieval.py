"""The figures of retrieval, against examples worked out by hand, through the product's own search."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from blockbuster import BlockBuster

from appliance.errors import BadInput
from appliance.evaluation.retrieval import Remembering, Retrieval
from appliance.message import LANGUAGES
from models import Vectors
from models.scripted import ScriptedEmbedder


@pytest.fixture(autouse=True)
def _may_read_its_sets(blockbuster: BlockBuster) -> None:
    """A command line tool that serves nobody meanwhile."""
    blockbuster.functions["io.BufferedReader.read"].can_block_in("appliance/evaluation/retrieval.py", "_rows")
    blockbuster.functions["io.TextIOWrapper.read"].can_block_in("appliance/evaluation/retrieval.py", "_judgements")


class Counting(ScriptedEmbedder):
    def __init__(self) -> None:
        super().__init__()
        self.languages: list[str] = []

    async def passages(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        self.languages += languages
        return await super().passages(texts, languages)


def rows(file: Path, *values: Mapping[str, object]) -> None:
    file.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values), "utf-8")


@pytest.fixture
def liveqa(tmp_path: Path) -> Path:
    folder = tmp_path / "liveqa"
    folder.mkdir()
    rows(
        folder / "corpus.jsonl",
        {"aid": "first", "title": "", "text": "knee pain treatment at home with ice"},
        {"aid": "second", "title": "", "text": "knee pain treatment"},
        {"aid": "third", "title": "", "text": "knee surgery costs"},
        {"aid": "unjudged", "title": "", "text": "yellow bananas"},
    )
    rows(
        folder / "questions.dev.jsonl",
        {"qid": "q1", "message": "knee pain treatment at home with ice", "subject": ""},
        {"qid": "q2", "message": "yellow bananas"},
        {"qid": "nobody judged", "message": "knee"},
    )
    lines = [("q1", "first", 2), ("q1", "second", 4), ("q1", "third", 1), ("q2", "unjudged", 1), ("q2", "first", 1)]
    (folder / "qrels.dev.tsv").write_text("".join(f"{q}\t{a}\t{score}\n" for q, a, score in lines))
    return folder


async def test_ndcg_is_what_one_gets_by_hand(liveqa: Path, tmp_path: Path):
    """Ranked first (gain 2^1-1 = 1), second (2^3-1 = 7), third (0): DCG = 1 + 7/log2(3) = 5.4165.

    Ideal: 7 + 1/log2(3) = 7.6309. So nDCG = 0.7098. q2 has no good answer and does not count.
    """
    told = await Retrieval(ScriptedEmbedder(), tmp_path).liveqa(liveqa)
    assert told == {"overall": {"ndcg10": 0.7098, "questions": 1}}


@pytest.fixture
def xquad(tmp_path: Path) -> Path:
    """Eight paragraphs in four languages; each question is its paragraph's words, but one that is another's."""
    folder = tmp_path / "xquad"
    folder.mkdir()
    words = ["apple", "brick", "cloud", "dragon", "engine", "forest", "garden", "hammer"]
    for code in LANGUAGES:
        rows(
            folder / f"paragraphs.{code}.jsonl",
            *({"pid": f"p{i}", "text": f"{word} {code}{i} {word}{code}"} for i, word in enumerate(words)),
        )
        rows(
            folder / f"questions.{code}.dev.jsonl",
            *({"qid": f"{i}", "pid": f"p{i}", "question": f"{word} {code}{i}"} for i, word in enumerate(words)),
            {"qid": "wrong", "pid": "p0", "question": f"brick {code}1 brick{code}"},
        )
    return folder


async def test_ranks_are_counted_in_each_language_and_across(xquad: Path, tmp_path: Path):
    embedder = Counting()
    told = await Retrieval(embedder, tmp_path).xquad(xquad, mixed=False)
    assert set(told["by_lang"]) == set(LANGUAGES) and set(told["to_en"]["by_lang"]) == {"es", "zh", "hi"}
    for code in LANGUAGES:
        figures = told["by_lang"][code]
        assert (figures["questions"], figures["r1"], figures["r10"]) == (9, 0.8889, 1.0)
        assert 8 / 9 < figures["mrr10"] < 1
    assert told["overall"]["questions"] == 36


async def test_the_mixed_pool_keeps_each_paragraph_in_one_language(xquad: Path, tmp_path: Path):
    embedder = Counting()
    told = await Retrieval(embedder, tmp_path).xquad(xquad, mixed=True)
    assert len(embedder.languages) == 8
    assert told["overall"]["questions"] == 36 and "to_en" not in told


async def test_each_question_of_medquad_is_looked_for_among_all_answers(tmp_path: Path):
    folder = tmp_path / "medquad"
    folder.mkdir()
    rows(
        folder / "qa.dev.jsonl",
        *(
            {"qid": word, "question": f"what is {word}", "answer": f"{word} is {word}"}
            for word in ("gout", "asthma", "mumps")
        ),
    )
    told = await Retrieval(ScriptedEmbedder(), tmp_path).medquad(folder)
    assert told["overall"]["r1"] == told["overall"]["mrr10"] == 1.0 and told["overall"]["questions"] == 3


async def test_a_text_is_embedded_once():
    embedder = Counting()
    remembering = Remembering(embedder)
    first = await remembering.passages(["a", "b", "a"], ["en", "en", "en"])
    again = await remembering.passages(["b", "a"], ["en", "en"])
    assert embedder.languages == ["en", "en"]
    assert (first[0] == first[2]).all() and (again[0] == first[1]).all()
    await remembering.passages(["a"], ["es"])
    assert embedder.languages == ["en", "en", "es"]


async def test_a_set_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(BadInput, match=r"paragraphs\.en\.jsonl"):
        await Retrieval(ScriptedEmbedder(), tmp_path).xquad(tmp_path, mixed=False)
