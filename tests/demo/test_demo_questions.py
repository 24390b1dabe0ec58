"""The demonstration clinic's questions: each answer stands in the document named, and a wrong one would be noticed."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import appliance
from appliance.evaluation.answers import Question, questions
from appliance.knowledge import Sentence
from appliance.knowledge.passages import Cut
from appliance.knowledge.reading import Order, read
from appliance.message import LANGUAGES

DEMO = Path(appliance.__file__).parent / "demo"
SETS = {name: questions(DEMO / f"{name}.jsonl") for name in ("questions", "heldout")}
ASKED = [one for rows in SETS.values() for one in rows]
ANSWERABLE = [one for one in ASKED if one.answerable]
REFERENCE = {
    row["id"]: row.get("answer")
    for name in SETS
    for row in map(json.loads, (DEMO / f"{name}.jsonl").read_text("utf-8").splitlines())
}
TOGETHER = 3
"""How many sentences side by side may hold an answer."""


@cache
def language(file: str) -> str:
    return learnt(file).language


@cache
def learnt(file: str) -> Cut:
    return read((DEMO / "documents" / file).read_bytes(), Order(name=file))


def quotes(file: str) -> Iterator[str]:
    """Every run of one to three neighbouring sentences within a passage."""
    for passage in learnt(file).passages:
        sentences = [unicodedata.normalize("NFKC", one.text) for one in passage.sentences]
        for length in range(1, TOGETHER + 1):
            for start in range(len(sentences) - length + 1):
                yield " ".join(sentences[start : start + length])


def right(question: Question, said: str) -> bool:
    facts = all(re.search(one, said, re.IGNORECASE) for one in question.answer_facts)
    return facts and not any(re.search(one, said, re.IGNORECASE) for one in question.must_not)


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda one: one.id)
def test_the_named_document_answers_in_its_own_words(question):
    assert question.doc
    assert question.answer_facts
    for file in question.doc:
        assert any(right(question, said) for said in quotes(file))


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda one: one.id)
def test_a_natural_answer_in_the_patients_language_is_right_too(question):
    assert right(question, unicodedata.normalize("NFKC", REFERENCE[question.id]))


@pytest.mark.parametrize("question", ANSWERABLE, ids=lambda one: one.id)
def test_not_knowing_is_no_right_answer(question):
    """Facts that any sentence holds would measure nothing."""
    elsewhere = sum(right(question, said.text) for said in every_sentence())
    assert elsewhere <= 12
    assert not right(question, "I don't know. Call (541) 555-0100.")


@cache
def every_sentence() -> list[Sentence]:
    files = sorted(file.name for file in (DEMO / "documents").iterdir())
    return [one for file in files for passage in learnt(file).passages for one in passage.sentences]


@pytest.mark.parametrize("question", [one for one in ANSWERABLE if "fees.md" in one.doc], ids=lambda one: one.id)
def test_the_superseded_price_list_is_a_wrong_answer(question):
    assert not any(right(question, said) for said in quotes("fees-2024.md"))


def test_no_answer_is_looked_for_in_a_document_out_of_force():
    assert not {"fees-2024.md", "summer-hours-2026.md"} & {file for one in ANSWERABLE for file in one.doc}


def test_ids_and_questions_are_unique():
    assert len({one.id for one in ASKED}) == len(ASKED)
    assert len({one.question for one in ASKED}) == len(ASKED)


@pytest.mark.parametrize(("name", "least"), [("questions", 120), ("heldout", 60)])
def test_languages_crossings_and_unanswerable_ones_have_their_share(name, least):
    rows = SETS[name]
    asked = [one for one in rows if one.answerable]
    by_language = Counter(one.lang for one in rows)
    crossing = sum(one.lang not in {language(file) for file in one.doc} for one in asked)
    assert len(rows) >= least
    assert set(by_language) == set(LANGUAGES)
    assert max(by_language.values()) - min(by_language.values()) <= 2
    assert crossing >= len(asked) / 2
    assert 0.2 <= 1 - len(asked) / len(rows) <= 0.3
    assert all({one.answerable for one in rows if one.lang == code} == {True, False} for code in LANGUAGES)
