"""The alarm behind the rules: it adds what they miss, takes nothing back, and is quiet where the front desk is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from appliance.assistant.alarm import KINDS, Alarm, Network
from appliance.assistant.triage import Triage
from appliance.evaluation.fit_alarm import danger, embedded, fitted, messages
from appliance.message import LANGUAGES

HERE = Path(__file__).parent
LEAST_CAUGHT = 0.94
MOST_ROUTINE = 0.04


def test_what_is_likelier_no_danger_raises_no_alarm() -> None:
    hidden, out = np.zeros((3, 1)), np.zeros((2, 1 + len(KINDS)))
    out[1, 3] = 2.0  # pregnancy, whatever the message
    network = Network(hidden=hidden, out=out)
    vectors = np.ones((1, 2), np.float32)
    sure = float(danger(network, vectors)[0])
    assert Alarm(network, sure - 0.01).kind(vectors) == "pregnancy_infant"
    assert Alarm(network, sure + 0.01).kind(vectors) is None


def test_the_network_learns_what_it_is_shown() -> None:
    chance = np.random.default_rng(3)
    places = np.arange(1200) % (1 + len(KINDS))
    vectors = (np.eye(8)[places] + chance.normal(0, 0.2, (1200, 8))).astype(np.float32)
    found = fitted(vectors, places).probabilities(vectors)
    assert (found.argmax(axis=1) == places).mean() > 0.95
    assert np.allclose(found.sum(axis=1), 1.0)


@pytest.mark.models
@pytest.mark.parametrize("language", LANGUAGES)
def test_rules_and_alarm_catch_strangers_emergencies(language: str) -> None:
    rows = messages(HERE / f"judging_{language}.csv")
    alarm, triage, vectors = Alarm.load(), Triage(), asyncio.run(embedded(rows))
    fired = [bool(triage.red_flag(row.text) or alarm.kind(vectors[i : i + 1])) for i, row in enumerate(rows)]
    emergencies = [one for one, row in zip(fired, rows, strict=True) if row.place]
    routine = [one for one, row in zip(fired, rows, strict=True) if row.kind == "routine"]
    assert sum(emergencies) / len(emergencies) >= LEAST_CAUGHT
    assert sum(routine) / len(routine) <= MOST_ROUTINE
