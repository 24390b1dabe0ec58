"""No word of a patient is in a log line or in what a value shows of itself."""

from __future__ import annotations

import logging

import pytest

from appliance.message import Citation, Part
from models import ModelError
from models.scripted import Line, ScriptedChat
from tests.assistant.test_dialogues import DIALOGUES
from tests.say import CHANNELS, Appliance, Channel, answered, message

pytestmark = pytest.mark.asyncio(loop_scope="session")

CANARY = "Zwölfboxkämpfer"
"""A word that stands in no file of ours."""


def logged(caplog: pytest.LogCaptureFixture) -> str:
    """Every line with all it carries."""
    return "\n".join(f"{record.getMessage()} {record.exc_info or ''} {vars(record)}" for record in caplog.records)


def shown(parts: tuple[Part, ...]) -> str:
    """What a traceback or a debugger would show. A citation's quote and a notice are the clinic's words, not the patient's."""
    return "\n".join(repr(part) for part in parts)


@pytest.mark.parametrize("via", CHANNELS)
async def test_no_dialogue_leaves_a_patients_words_in_the_log(
    clinic: Appliance, caplog: pytest.LogCaptureFixture, via: Channel
):
    caplog.set_level(logging.DEBUG)
    logging.getLogger("appliance.assistant").debug("heard")
    texts = [turn.user for dialogue in DIALOGUES.values() for turn in dialogue.turns if turn.times == 1]
    for text in texts:
        said = await clinic.say(f"{text} {CANARY}", via=via)
        assert CANARY not in shown(said.parts) and CANARY not in said.text
    written = logged(caplog)
    assert "heard" in written and (via == "terminal" or len(caplog.records) > len(texts)), "this test sees no log"
    assert CANARY.casefold() not in written.casefold()
    assert [text for text in texts if len(text) > 12 and text in written] == []


async def test_no_failure_leaves_a_patients_words_in_the_log(clinic: Appliance, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    text = f"How much is a sports physical? {CANARY}"
    with clinic.ear.failing(ModelError("gone")):
        await clinic.say(text)
    with clinic.ear.failing(ZeroDivisionError("a mistake")):
        await clinic.say(text, via="stream")
    chat = ScriptedChat()
    chat.enqueue(Line(text="Half a", raises=ModelError("stopped"), at=1))
    conversation, _ = await clinic.conversations.create("terminal")
    await answered(clinic.writing(chat), message(text, conversation))
    assert {"answer=failed", "generation=failed"} <= {
        word for record in caplog.records for word in record.getMessage().split()
    }
    assert CANARY not in logged(caplog)


async def test_what_values_show_of_themselves_hides_the_words(clinic: Appliance):
    conversation, _ = await clinic.conversations.create("terminal")
    one = message(f"How much is a sports physical? {CANARY}", conversation)
    chat = ScriptedChat()
    chat.enqueue("A sports physical costs $40 [1].")
    said = await answered(clinic.writing(chat), one)
    assert said.kind == "generated"
    turns = await clinic.history(conversation)
    everything = [one, *said.parts, *turns, *chat.history[0]]
    assert CANARY not in repr(everything) and CANARY in turns[0].text
    assert "physical costs" not in repr(everything) and "physical costs" in turns[1].text
    assert all("$40" not in repr(part) for part in said.parts if isinstance(part, Citation))
