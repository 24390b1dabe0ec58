"""How many emergencies the gate catches and how often it cries wolf, on sets in four languages.

``apart_*.csv`` was written before the rules and nothing is ever tuned on it. ``tuned_*.csv`` is what the rules were improved with.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from appliance.assistant.triage import Triage
from appliance.message import LANGUAGES

HERE = Path(__file__).parent
# Read at import, because no test sees MEDINOVAI settings.
EVAL_DATA = Path(os.environ.get("MEDINOVAI_EVAL_DATA", HERE.parents[1] / "../shared/eval"))


class Row(NamedTuple):
    id: str
    language: str
    text: str
    label: str
    kind: str


class Score(NamedTuple):
    recall: float
    false_alarms: float
    kind_right: float
    wrong: list[str]


def rows(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return [Row(r["id"], r["lang"], r["text"], r["label"], r.get("kind", "")) for r in csv.DictReader(file)]


def score(triage: Triage, these: Iterable[Row]) -> Score:
    flags = [(row, triage.red_flag(row.text)) for row in these]
    emergencies = [(row, flag) for row, flag in flags if row.label == "emergency"]
    others = [(row, flag) for row, flag in flags if row.label == "non"]
    caught = [(row, flag) for row, flag in emergencies if flag]
    alarms = [row for row, flag in others if flag]
    wrong = [row.id for row, flag in flags if (flag is not None) != (row.label == "emergency")]
    kind_right = sum(flag.kind == row.kind for row, flag in caught) / len(caught)
    return Score(len(caught) / len(emergencies), len(alarms) / len(others), kind_right, wrong)


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_a_hundred_emergencies_and_a_hundred_others_in_its_own_words(language: str) -> None:
    these = rows(HERE / f"tuned_{language}.csv") + rows(HERE / f"apart_{language}.csv")
    labels = [row.label for row in these]
    assert labels.count("emergency") >= 100
    assert labels.count("non") >= 100
    assert {row.language for row in these} == {language}
    assert len({row.text for row in these}) == len(these)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_set_that_nothing_is_tuned_on_is_caught_with_few_false_alarms(triage: Triage, language: str) -> None:
    found = score(triage, rows(HERE / f"apart_{language}.csv"))
    assert found.recall >= 0.97, found.wrong
    assert found.false_alarms <= 0.03, found.wrong
    assert found.kind_right >= 0.95


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tuned_set_stays_caught_without_false_alarms(triage: Triage, language: str) -> None:
    found = score(triage, rows(HERE / f"tuned_{language}.csv"))
    assert found.recall >= 0.995, found.wrong
    assert found.false_alarms <= 0.01, found.wrong
    assert found.kind_right >= 0.93


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_emergency_between_polite_sentences_is_still_caught(triage: Triage, language: str) -> None:
    before, after = {
        "en": ("Hello, I have a question about my appointment. ", ". Thank you for your help."),
        "es": ("Hola, tengo una pregunta sobre mi cita. ", ". Muchas gracias."),
        "zh": ("您好，我想问一下我的预约。", "。谢谢您。"),
        "hi": ("नमस्ते, मेरी अपॉइंटमेंट के बारे में पूछना था। ", "। धन्यवाद।"),
    }[language]
    wrapped = [row._replace(text=before + row.text + after) for row in rows(HERE / f"tuned_{language}.csv")]
    emergencies = [row for row in wrapped if row.label == "emergency"]
    lost = [row.id for row in emergencies if not triage.red_flag(row.text)]
    assert len(lost) <= 0.01 * len(emergencies), lost


@pytest.mark.parametrize("language", LANGUAGES)
def test_capitals_or_the_lack_of_punctuation_lose_few_emergencies(triage: Triage, language: str) -> None:
    emergencies = [row for row in rows(HERE / f"tuned_{language}.csv") if row.label == "emergency"]
    shouted = [row.id for row in emergencies if not triage.red_flag(row.text.upper())]
    plain = str.maketrans(dict.fromkeys(",.;:!?¡¿，。！？；：、।", " "))
    dictated = [row.id for row in emergencies if not triage.red_flag(row.text.translate(plain).lower())]
    assert not shouted
    assert len(dictated) <= 0.02 * len(emergencies), dictated


def test_the_public_development_set_is_caught_with_few_false_alarms(triage: Triage) -> None:
    path = EVAL_DATA / "triage" / "emergency.dev.csv"
    if not path.is_file():
        pytest.skip(f"no evaluation data at {path}; set MEDINOVAI_EVAL_DATA to measure on it")
    found = score(triage, rows(path))
    assert found.recall == 1.0, found.wrong
    assert found.false_alarms <= 0.03, found.wrong
