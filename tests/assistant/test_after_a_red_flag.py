"""After a red flag the conversation goes on, and every answer begins with how to get help until staff close the alert."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, aclosing, asynccontextmanager
from datetime import timedelta
from io import StringIO
from time import monotonic
from typing import TypeVar, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from appliance.assistant.redflags.rules import KINDS_BY_RANK, Kind
from appliance.assistant.saying import Saying
from appliance.assistant.signatures import SignedAnswer, Wording
from appliance.assistant.triage import script
from appliance.channels import terminal
from appliance.conversations.alerts import Alerts
from appliance.conversations.turns import Conversations
from appliance.errors import StoreFailed
from appliance.message import LANGUAGES, Call, Language, Notice, Opening, Part, Text, now
from appliance.records.database import Connection, Database
from models import ModelError
from models.scripted import ScriptedChat
from tests.say import CHANNELS, Appliance, Channel, Conversing, Said, answered, message

pytestmark = pytest.mark.asyncio(loop_scope="session")

T = TypeVar("T")

FLAGS: dict[Language, str] = {
    "en": "I have crushing chest pain and I can't breathe",
    "es": "Me duele mucho el pecho y no puedo respirar",
    "zh": "我胸口剧痛，喘不过气来",
    "hi": "मेरे सीने में बहुत तेज़ दर्द है और साँस नहीं आ रही",
}
REMINDERS: dict[Language, str] = {
    "en": "If this is still an emergency, call 911 now.",
    "es": "Si todavía es una emergencia, llame al 911 ahora.",
    "zh": "如果情况仍然紧急，请马上拨打 911。",
    "hi": "अगर अब भी आपात स्थिति है, तो अभी 911 पर कॉल करें।",
}
AFTERWARDS: dict[str, str] = {
    "How much is a sports physical?": "quoted",
    "Do you sell bicycles?": "unknown",
    "hello": "greeting",
    "thanks": "greeting",
    "I want to talk to a person": "contact",
    "How much ibuprofen can I take?": "declined",
    "我得了什么病？": "declined",
    "針灸初诊多少钱？": "quoted",
    "योग कक्षा कब होती है?": "quoted",
}
SUICIDE = "I want to kill myself"


@asynccontextmanager
async def flagged(clinic: Appliance, via: Channel = "terminal") -> AsyncIterator[Conversing]:
    async with clinic.conversing(via) as patient:
        assert (await patient.say(FLAGS["en"])).kind == "emergency"
        yield patient


async def closed(clinic: Appliance, patient: Conversing) -> None:
    (here,) = [one for one in await clinic.clinic.alerts.list() if one.conversation == patient.id]
    await clinic.clinic.alerts.close(here.id, by="Ana")


def reminded(said: Said) -> bool:
    """How to get help comes right after the opening: the words, then the button."""
    opening, words, button, *_ = (*said.parts, None, None)
    return (
        isinstance(opening, Opening)
        and isinstance(words, Notice)
        and words.code == "emergency"
        and "911" in words.text
        and isinstance(button, Call)
        and (button.number, button.urgent) == ("911", True)
    )


def helped(said: Said) -> bool:
    return "911" in said.numbers and "911" in said.text


# ---- every kind of answer, every channel --------------------------------------------------------------------------------


@pytest.mark.parametrize("via", CHANNELS)
async def test_every_later_answer_begins_with_how_to_get_help_until_staff_close_the_alert(
    clinic: Appliance, via: Channel
):
    async with flagged(clinic, via) as patient:
        for text, kind in AFTERWARDS.items():
            said = await patient.say(text)
            assert (said.kind, reminded(said), said.complete) == (kind, True, True), text
        await closed(clinic, patient)
        for text, kind in AFTERWARDS.items():
            said = await patient.say(text)
            assert (said.kind, reminded(said)) == (kind, False), text


@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_reminder_is_in_the_language_of_the_answer(clinic: Appliance, language: Language):
    questions: dict[Language, str] = {
        "en": "How much is a sports physical?",
        "es": "¿Cuánto cuesta la vacuna contra la gripe?",
        "zh": "针灸初诊多少钱？",
        "hi": "योग कक्षा कब होती है?",
    }
    async with flagged(clinic) as patient:
        said = await patient.say(questions[language])
    assert said.language == language and reminded(said)
    assert said.notices[0].text == REMINDERS[language]


async def test_a_later_red_flag_says_the_whole_script_and_the_gravest_kind_is_reminded_of(clinic: Appliance):
    async with flagged(clinic) as patient:
        again = await patient.say(FLAGS["en"])
        assert again.kind == "emergency" and again.notices == []
        assert "I am an automatic assistant" in again.text
        worse = await patient.say(SUICIDE)
        assert worse.kind == "emergency" and "988" in worse.text
        await patient.say(FLAGS["en"])
        said = await patient.say("hello")
    assert reminded(said) and "988" in said.notices[0].text and said.numbers == ["911", "988"]
    (alert,) = [one for one in await clinic.clinic.alerts.list() if one.conversation == patient.id]
    assert (alert.kinds, alert.count) == (("medical", "suicide"), 4)


async def test_the_person_button_reminds_too(clinic: Appliance):
    async with flagged(clinic) as patient, aclosing(clinic.assistant.person(message("", patient.id))) as parts:
        said = Said(parts=tuple([part async for part in parts]))
    assert said.kind == "contact" and reminded(said) and "(541) 555-0100" in said.numbers


async def test_a_signed_answer_reminds_too(clinic: Appliance):
    question, today = "May I bring my parrot to the waiting room?", now().date()
    signed = SignedAnswer(
        id="parrots",
        signed_by="Dr. Elena Marsh",
        role="Medical director",
        signed_on=today,
        valid_from=today - timedelta(days=2),  # wherever the clinic's day is
        valid_until=today + timedelta(days=2),
        review_by=today + timedelta(days=2),
        en=Wording(questions=(question,), answer="No parrots, please."),
    )
    await clinic.clinic.approved.take([signed], by="Ana")
    try:
        async with flagged(clinic) as patient:
            said = await patient.say(question)
    finally:
        await clinic.clinic.approved.withdraw("parrots", by="Ana")
    assert said.kind == "signed" and reminded(said) and "No parrots" in said.text


async def test_a_written_answer_reminds_too(clinic: Appliance):
    chat = ScriptedChat()
    chat.enqueue("A sports physical costs $40 [1].")
    async with flagged(clinic) as patient:
        said = await answered(clinic.writing(chat), message("How much is a sports physical?", patient.id))
    assert said.kind == "generated" and reminded(said)


async def test_trouble_reminds_too(clinic: Appliance):
    async with flagged(clinic) as patient:
        with clinic.ear.failing(ModelError("gone")):
            said = await patient.say("How much is a sports physical?")
    assert said.kind == "trouble" and reminded(said)


async def test_in_a_terminal_the_reminder_stands_on_lines_of_its_own(clinic: Appliance):
    seen = StringIO()
    async with flagged(clinic) as patient, aclosing(clinic.assistant.answer(message("thanks", patient.id))) as parts:
        await terminal.write(parts, Console(file=seen, width=200))
    heading, words, button, answer, *_ = [line for line in seen.getvalue().splitlines() if line]
    assert heading and REMINDERS["en"] in words and (button, answer[:15]) == ("Call 911: 911", "You are welcome")


async def test_other_conversations_are_not_reminded(clinic: Appliance):
    async with flagged(clinic):
        assert not reminded(await clinic.say("hello"))


async def test_a_reminded_answer_is_recorded_as_it_was_said_and_told_again_the_same(clinic: Appliance):
    name = "11111111-2222-4333-8444-555555555555"
    async with flagged(clinic, "stream") as patient:
        said = await patient.say("hello", name=name)
        assert await patient.say("hello", name=name) == said and reminded(said)
        turn = (await clinic.history(patient.id))[-1]
    assert turn.parts == said.parts and turn.text == "".join(p.text for p in said.parts if isinstance(p, Text))


@given(
    texts=st.lists(
        st.sampled_from([*AFTERWARDS, *FLAGS.values(), SUICIDE, "", "😀", "911?"]) | st.text(max_size=30), max_size=5
    ),
    first=st.sampled_from([*FLAGS.values(), SUICIDE]),
)
@settings(deadline=None, max_examples=40)
async def test_between_a_flag_and_its_closing_every_answer_has_the_emergency_number(
    clinic: Appliance, first: str, texts: list[str]
):
    conversation, _ = await clinic.conversations.create("terminal")
    for text in (first, *(one.encode(errors="ignore").decode() for one in texts)):
        said = await answered(clinic.assistant, message(text, conversation))
        assert helped(said), said.kind
        assert said.kind == "emergency" or reminded(said)


# ---- a store that fails ----------------------------------------------------------------------------------------------


class Failing:
    """The clinic's database, which can be made to fail or never to come back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.how = "well"

    async def read(self, work: Callable[[Connection], T]) -> T:
        await self._as()
        return await self._database.read(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        await self._as()
        return await self._database.write(work)

    async def _as(self) -> None:
        if self.how == "stuck":
            await asyncio.Event().wait()
        if self.how == "down":
            raise StoreFailed("the disk is full")


@pytest.mark.parametrize("how", ["down", "stuck"])
async def test_a_dead_store_does_not_silence_the_reminder(
    clinic: Appliance, how: str, impatient: Callable[[], AbstractContextManager[None]]
):
    store = Failing(clinic.clinic.database)
    assistant = clinic.recording(Conversations(store), Alerts(store))  # type: ignore[arg-type]  # a twin
    conversation, _ = await clinic.conversations.create("terminal")
    store.how = how
    took = []
    with impatient():
        assert (await answered(assistant, message(FLAGS["es"], conversation))).kind == "emergency"
        for _ in range(3):  # the quickest: a busy machine may wake us late
            began = monotonic()
            async with aclosing(assistant.answer(message("hola", conversation))) as parts:
                said: list[Part] = [await anext(parts) for _ in range(3)]
                took.append(monotonic() - began)
            assert reminded(Said(parts=tuple(said))) and said[0] == Opening(kind="greeting", language="es")
    assert min(took) < 3
    store.how = "well"
    assert reminded(await answered(assistant, message("hello", conversation)))
    (kept,) = [one for one in await clinic.clinic.alerts.list() if one.conversation == conversation]
    assert kept.kinds == ("medical",)


@pytest.mark.parametrize("how", ["down", "well"])
async def test_who_was_never_flagged_is_answered_as_before(clinic: Appliance, how: str):
    store = Failing(clinic.clinic.database)
    assistant = clinic.recording(clinic.conversations, Alerts(store))  # type: ignore[arg-type]  # a twin
    conversation, _ = await clinic.conversations.create("terminal")
    store.how = how
    said = await answered(assistant, message("How much is a sports physical?", conversation))
    assert said.kind == "quoted" and not reminded(said) and "$40" in said.text


# ---- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("country", ["US", "FR"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", get_args(Kind))
async def test_every_reminder_is_short_and_names_the_clinics_number(kind: Kind, language: Language, country: str):
    words = script(kind, language, country, "112-x")
    assert "112-x" in words.reminder and "{" not in words.reminder
    assert len(words.reminder) < 0.6 * len(words.text) and len(words.reminder.split()) <= 30
    foreign = [number for number in ("988", "1-800") if number in words.reminder]
    assert country == "US" or foreign == []


async def test_kinds_of_a_newer_or_older_version_are_reminded_of_as_medical(clinic: Appliance):
    saying: Saying = clinic.assistant._with.saying
    assert saying.reminder(["unheard_of"], "en") == saying.reminder(["medical"], "en")
    assert saying.reminder(KINDS_BY_RANK, "en") == saying.reminder(["suicide"], "en")


async def test_a_partial_is_looked_at_by_the_rules_and_recorded_nowhere(clinic: Appliance):
    before = await clinic.clinic.alerts.list(closed=True)
    with clinic.ear.failing(RuntimeError("no model is asked")):
        raised = clinic.assistant.partial("i have crushing chest pain and i can't")
    assert raised and raised.kind == "medical"
    assert clinic.assistant.partial("when are you") is None
    assert await clinic.clinic.alerts.list(closed=True) == before
