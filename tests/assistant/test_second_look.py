"""The alarm in the pipeline: danger in words that no rule foresaw is answered like any other, and nothing else changes."""

from __future__ import annotations

import logging

import msgspec
import numpy as np
import pytest

from appliance.assistant.alarm import KINDS, Alarm, Network
from appliance.assistant.answer import Assistant
from models import ModelError
from models.scripted import ScriptedEmbedder
from tests.say import Appliance, answered, message

pytestmark = pytest.mark.asyncio(loop_scope="session")

UNFORESEEN = "The purple kettle sings to the moon"
HOURS = "What time is Main Street open on Wednesday?"


async def watched(clinic: Appliance) -> Assistant:
    """With an alarm that knows one message."""
    vector = (await ScriptedEmbedder().queries([UNFORESEEN], ["en"]))[0]
    hidden = np.append(vector, -0.9)[:, None].astype(np.float32)  # only a message that is nearly this one passes 0
    out = np.zeros((2, 1 + len(KINDS)), np.float32)
    out[0, 1 + KINDS.index("suicide")] = 300.0
    out[1, 0] = 3.0
    changed = msgspec.structs.replace(clinic.clinic, alarm=Alarm(Network(hidden=hidden, out=out), 0.5))
    return changed.assistant_with(clinic.clinic.qualified)


async def conversation(clinic: Appliance):
    return (await clinic.conversations.create("terminal", language="en"))[0]


async def test_words_that_only_the_alarm_knows_are_answered_as_an_emergency(clinic: Appliance) -> None:
    here = await conversation(clinic)
    said = await answered(await watched(clinic), message(UNFORESEEN, here, language="en"))
    assert (said.kind, said.language) == ("emergency", "en")
    assert "988" in said.numbers
    alerts = "SELECT kind FROM alert WHERE conversation = ?"
    kinds = await clinic.clinic.database.read(lambda connection: connection.execute(alerts, (here,)).fetchall())
    assert kinds == [("suicide",)]


async def test_other_questions_are_answered_as_before(clinic: Appliance) -> None:
    said = await answered(await watched(clinic), message(HOURS, await conversation(clinic), language="en"))
    assert said.kind == "quoted"


async def test_a_dead_embedder_silences_the_alarm_and_neither_rules_nor_small_talk(
    clinic: Appliance, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    assistant = await watched(clinic)
    for text, kind in (("I can't breathe", "emergency"), ("hello", "greeting"), (UNFORESEEN, "trouble")):
        with clinic.ear.failing(ModelError("gone")):
            said = await answered(assistant, message(text, await conversation(clinic), language="en"))
            assert said.kind == kind
    assert "alarm=silent" in caplog.text and "kettle" not in caplog.text


async def test_the_alarm_is_left_out_with_an_embedder_it_was_not_fitted_on(clinic: Appliance) -> None:
    assert clinic.clinic.embedder.name == "scripted" and clinic.clinic.alarm is None
