"""The alarm behind the rules: it adds what they miss, takes nothing back, and is quiet where the front desk is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.assistant.alarm import KINDS, NETWORK, Alarm, Thresholds, Words, both, danger
from appliance.assistant.ngrams import PLACES, grams
from appliance.assistant.triage import Triage
from appliance.evaluation.fit_alarm import fitted, messages
from appliance.message import LANGUAGES
from models import ModelError, Vectors
from models.bitfit import BitFit

HERE = Path(__file__).parent
LEAST_CAUGHT = 0.98
LEAST_BY_WORDS = 0.8
MOST_ALIKE = 0.13
MOST_ROUTINE = 0.03
HARMLESS = ("look_alike", "routine")
MESSAGE = "whatever it is that somebody says"
QUIET = Words(weights=np.zeros((PLACES + 1, 1 + len(KINDS)), np.float32))
"""As likely danger as not, for every text: log-odds of 1.6 for five kinds to one."""


class Says:
    """A network that says one thing of every text, or fails."""

    def __init__(self, *shares: float, fails: bool = False) -> None:
        self._shares = np.array([shares], np.float32)
        self._fails = fails
        self.asked = 0

    async def probabilities(self, texts: list[str], /) -> Vectors:
        self.asked += 1
        if self._fails:
            raise ModelError("gone")
        return self._shares

    async def close(self) -> None:
        """Nothing is open."""


POISON = Says(0.01, 0.01, 0.95, 0.01, 0.01, 0.01)
CALM = Says(0.99, 0.002, 0.002, 0.002, 0.002, 0.002)
UNSURE = Says(0.9, 0.02, 0.02, 0.02, 0.02, 0.02)
SURE = Says(0.9995, 0.0001, 0.0001, 0.0001, 0.0001, 0.0001)


def alarm(network: Says | None, *, words: float = 9.0, both: float = 4.0) -> Alarm:
    least = Thresholds(words=dict.fromkeys(LANGUAGES, words), both=dict.fromkeys(LANGUAGES, both))
    return Alarm(QUIET, network, least)


async def test_words_alone_raise_the_alarm_and_ask_no_network() -> None:
    network = Says(1, 0, 0, 0, 0, 0)
    hearing = alarm(network, words=1.0)
    assert await hearing.kind(MESSAGE) == hearing.heard(MESSAGE) == "medical"
    assert network.asked == 0


@pytest.mark.parametrize(
    ("network", "kind"), [(POISON, "poison"), (CALM, None), (Says(fails=True), None), (None, None)]
)
async def test_what_words_leave_open_the_network_tells(network: Says | None, kind: str | None) -> None:
    assert await alarm(network).kind(MESSAGE) == kind


@pytest.mark.parametrize(
    ("network", "kind"),
    [(POISON, "violence"), (UNSURE, "violence"), (Says(fails=True), "violence"), (None, "violence"), (SURE, None)],
)
async def test_a_hint_stands_unless_the_network_is_all_but_sure_of_the_contrary(
    network: Says | None, kind: str | None
) -> None:
    assert await alarm(network).kind(MESSAGE, hinted="violence") == kind


def test_the_words_learn_what_they_are_shown() -> None:
    said = [f"{one} {word} now" for word in ("alpha", "bravo", "carol", "delta", "eagle", "fiver") for one in range(40)]
    places = [at // 40 for at in range(240)]
    found = fitted([grams(one) for one in said], places).probabilities([grams(one) for one in said])
    assert (found.argmax(axis=1) == places).all()
    assert np.allclose(found.sum(axis=1), 1.0, atol=1e-5)


@given(st.text(max_size=200))
def test_any_text_has_grams_and_odds(text: str) -> None:
    found = grams(text)
    assert ((found.places >= 0) & (found.places < PLACES)).all() and len(found.places) == len(found.shares)
    assert np.isfinite(danger(QUIET.probabilities([found]))).all()


def test_grams_forgive_capitals_accents_and_width() -> None:
    plain, dressed = grams("no puedo respirar"), grams("NO PUEDÓ ｒｅｓｐｉｒａｒ")
    assert set(plain.places) == set(dressed.places)


@pytest.mark.models
@pytest.mark.parametrize("language", LANGUAGES)
def test_rules_and_alarm_catch_strangers_emergencies(language: str) -> None:
    network = BitFit(NETWORK)
    alarm, triage = Alarm.load(network), Triage()

    async def danger_in(text: str) -> bool:
        flag = triage.red_flag(text)
        return bool((flag and flag.sure) or await alarm.kind(text, hinted=flag.kind if flag else None))

    async def said() -> list[bool]:
        try:
            return [await danger_in(row.text) for row in rows]
        finally:
            await network.close()

    rows = messages(HERE / f"judging_{language}.csv")
    fired = asyncio.run(said())
    emergencies = [one for one, row in zip(fired, rows, strict=True) if row.place]
    alike, routine = ([one for one, row in zip(fired, rows, strict=True) if row.kind == kind] for kind in HARMLESS)
    assert sum(emergencies) / len(emergencies) >= LEAST_CAUGHT
    assert sum(alike) / len(alike) <= MOST_ALIKE
    assert sum(routine) / len(routine) <= MOST_ROUTINE


@pytest.mark.parametrize("language", LANGUAGES)
def test_rules_and_words_alone_catch_most_of_them_with_every_model_dead(language: str) -> None:
    rows = messages(HERE / f"judging_{language}.csv")
    alarm, triage = Alarm.load(None), Triage()
    caught = [bool(triage.red_flag(row.text) or alarm.heard(row.text)) for row in rows if row.place]
    assert sum(caught) / len(caught) >= LEAST_BY_WORDS


@pytest.mark.parametrize(
    ("text", "heard", "told"),
    [("today", False, False), ("我忘了", False, False), ("my left arm", False, True), (MESSAGE, True, True)],
)
async def test_of_few_words_little_is_known(text: str, heard: bool, told: bool) -> None:
    """Of one or two nothing at all, but for the rules; of three or four what is all but certain."""
    hearing = alarm(POISON, words=1.0, both=1.0)
    assert (bool(hearing.heard(text)), bool(await hearing.kind(text))) == (heard, told)
    assert await hearing.kind(text, hinted="poison") == "poison"


@pytest.mark.parametrize(
    "text",
    [
        *("something else", "I don't know", "my husband", "ahora no", "hoy", "no le oigo"),
        *("我儿子", "我忘了", "我听不见你", "कुछ और", "और कुछ नहीं", "आज", "मेरे पति"),
    ],
)
def test_short_replies_are_no_danger(text: str) -> None:
    assert Alarm.load(None).heard(text) is None and Triage().red_flag(text) is None


def test_log_odds_of_both_are_added() -> None:
    some = np.array([[0.9, 0.1, 0, 0, 0, 0]], np.float32)
    assert np.allclose(both(some, some), 2 * np.log(0.1 / 0.9), atol=1e-5)
