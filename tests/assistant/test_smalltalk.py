"""What is a greeting, a wish for a person or something never to be answered, and what is a question to the documents."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

import appliance
from appliance.assistant.smalltalk import Smalltalk, Topic
from appliance.message import LANGUAGES

EXAMPLES = tomllib.loads((Path(__file__).parent / "smalltalk.toml").read_text("utf-8"))
QUESTIONS = Path(appliance.__file__).parent / "demo" / "questions.jsonl"


@pytest.fixture(scope="module")
def smalltalk() -> Smalltalk:
    return Smalltalk.load()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("topic", EXAMPLES)
def test_a_message_is_what_a_reader_takes_it_for(smalltalk: Smalltalk, topic: str, language: str):
    taken_for = {text: smalltalk.topic(text) or "none" for text in EXAMPLES[topic][language]}
    assert {text: found for text, found in taken_for.items() if found != topic} == {}


@pytest.mark.parametrize("topic", EXAMPLES)
def test_capitals_and_marks_around_it_change_nothing(smalltalk: Smalltalk, topic: str):
    texts = [text for texts in EXAMPLES[topic].values() for text in texts]
    changed = [text for text in texts if smalltalk.topic(f"  {text.upper()} !! \n") != smalltalk.topic(text)]
    assert changed == []


def test_no_question_that_the_demonstration_answers_is_turned_away(smalltalk: Smalltalk):
    rows = [json.loads(line) for line in QUESTIONS.read_text("utf-8").splitlines()]
    turned_away = {row["question"]: smalltalk.topic(row["question"]) for row in rows if row["answerable"]}
    assert {text: topic for text, topic in turned_away.items() if topic} == {}


@pytest.mark.parametrize("text", ["", " ", "👋", "???", "123", "\x00", "।", "？"])
def test_what_holds_no_word_is_no_small_talk(smalltalk: Smalltalk, text: str):
    assert smalltalk.topic(text) is None


def test_each_topic_has_examples_in_four_languages():
    topics: set[Topic] = {"dose", "diagnosis", "records", "person", "greeting", "thanks"}
    assert set(EXAMPLES) == topics | {"none"}
    assert all(len(EXAMPLES[topic][code]) >= 8 for topic in EXAMPLES for code in LANGUAGES)
