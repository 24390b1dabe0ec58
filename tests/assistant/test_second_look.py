"""The alarm in the pipeline: danger in words that no rule foresaw is answered like any other, and nothing else changes."""

from __future__ import annotations

import logging

import msgspec
import numpy as np
import pytest

from appliance.assistant.alarm import KINDS, Alarm, Thresholds, Words
from appliance.assistant.answer import Assistant
from appliance.assistant.ngrams import PLACES
from appliance.assistant.redflags.rules import Kind
from appliance.assistant.triage import script
from appliance.message import LANGUAGES, Language, Notice
from models import ModelError, Vectors
from tests.say import Appliance, answered, message

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNFORESEEN = "The purple kettle sings to the moon"
HINTING = "What time is Main Street open on Wednesday? It is for the heart attack talk"
HOURS = "What time is Main Street open on Wednesday?"


class Network:
    """Knows one message as danger, and that one only."""

    fails = False

    async def probabilities(self, texts: list[str], /) -> Vectors:
        if self.fails:
            raise ModelError("gone")
        calm, suicide = [1.0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 1.0]
        return np.array([suicide if text == UNFORESEEN else calm for text in texts], np.float32)

    async def close(self) -> None:
        """Nothing is open."""


class Dead(Network):
    fails = True


def watched(clinic: Appliance, network: Network) -> Assistant:
    """With an alarm whose words say nothing."""
    words = Words(weights=np.zeros((PLACES + 1, 1 + len(KINDS)), np.float32))
    alarm = Alarm(words, network, Thresholds(words=dict.fromkeys(LANGUAGES, 9.0), both=dict.fromkeys(LANGUAGES, 5.0)))
    return msgspec.structs.replace(clinic.clinic, alarm=alarm).assistant_with(clinic.clinic.qualified)


async def conversation(clinic: Appliance):
    return (await clinic.conversations.create("terminal", language="en"))[0]


async def test_words_that_only_the_alarm_knows_are_answered_as_an_emergency(clinic: Appliance) -> None:
    here = await conversation(clinic)
    said = await answered(watched(clinic, Network()), message(UNFORESEEN, here, language="en"))
    assert (said.kind, said.language) == ("emergency", "en")
    assert "988" in said.numbers
    alerts = "SELECT kinds FROM alert WHERE conversation = ?"
    kinds = await clinic.clinic.database.read(lambda connection: connection.execute(alerts, (here,)).fetchall())
    assert kinds == [("suicide",)]


async def test_other_questions_are_answered_as_before(clinic: Appliance) -> None:
    said = await answered(watched(clinic, Network()), message(HOURS, await conversation(clinic), language="en"))
    assert said.kind == "quoted"


async def test_a_dead_network_silences_neither_rules_nor_answers(
    clinic: Appliance, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assistant = watched(clinic, Dead())
    for text, kind in (("I can't breathe", "emergency"), ("hello", "greeting"), (HOURS, "quoted")):
        said = await answered(assistant, message(text, await conversation(clinic), language="en"))
        assert said.kind == kind
    assert (await answered(assistant, message(UNFORESEEN, await conversation(clinic)))).kind != "emergency"
    assert "alarm=by words alone" in caplog.text and "kettle" not in caplog.text


@pytest.mark.parametrize(("network", "kind"), [(Network(), "quoted"), (Dead(), "emergency")])
async def test_a_rules_hint_that_the_alarm_takes_for_harmless_is_answered_with_whom_to_call(
    clinic: Appliance, network: Network, kind: str
) -> None:
    flag = clinic.clinic.triage.red_flag(HINTING)
    assert flag and not flag.sure
    said = await answered(watched(clinic, network), message(HINTING, await conversation(clinic), language="en"))
    assert said.kind == kind
    notices = [part for part in said.parts if isinstance(part, Notice) and part.code == "precaution"]
    assert ["911" in one.text for one in notices] == ([True] if kind == "quoted" else [])


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
async def test_every_precaution_is_one_short_sentence_with_the_clinics_number(
    clinic: Appliance, kind: Kind, language: Language
) -> None:
    words = script(kind, language, "US", "112-x")
    assert words.precaution.count("112-x") == 1 and len(words.precaution.split()) <= 14
