"""People take over, over every channel of patients: silence while they answer, emergencies all the same, the place in the queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec
import pytest
import pytest_asyncio

from appliance.assistant.handing import Handing
from appliance.assistant.waiting import Waiting
from appliance.config import Handover
from appliance.conversations.calendar import Calendar
from appliance.conversations.case import Case, Staffer
from appliance.conversations.cases import Desk
from appliance.conversations.ladder import Ladder, Outlook
from appliance.errors import StoreFailed
from appliance.message import (
    LANGUAGES,
    ConversationId,
    Language,
    Message,
    MessageId,
    Notice,
    Opening,
    Part,
)
from appliance.records.database import Connection, Database
from tests.say import Appliance, Channel, Said, appliance, message

pytestmark = pytest.mark.asyncio(loop_scope="session")

T = TypeVar("T")

WEB: tuple[Channel, ...] = ("socket", "stream")
ANA = Staffer(id="ana", name="Ana", role="nurse")
BEN = Staffer(id="ben", name="Ben", role="front desk")
WANTED: dict[Language, str] = {
    "en": "I want to talk to a person",
    "es": "Quiero hablar con una persona",
    "zh": "转人工",
    "hi": "मुझे किसी व्यक्ति से बात करनी है",
}
FLAGS: dict[Language, str] = {
    "en": "I have crushing chest pain and I can't breathe",
    "es": "Me duele mucho el pecho y no puedo respirar",
    "zh": "我胸口剧痛，喘不过气来",
    "hi": "मेरे सीने में बहुत तेज़ दर्द है और साँस नहीं आ रही",
}
ASKED: dict[Language, str] = {
    "en": "How much is a sports physical?",
    "es": "¿Cuánto cuesta un examen físico deportivo?",
    "zh": "針灸初诊多少钱？",
    "hi": "योग कक्षा कब होती है?",
}
NEVER_MIND: dict[Language, str] = {"en": "never mind", "es": "no importa", "zh": "算了", "hi": "रहने दो"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Appliance]:
    """With somebody to hand patients to."""
    documents = Path(__file__).parent / "documents"
    async with appliance(tmp_path_factory.mktemp("staffed"), documents=[documents]) as opened:
        await opened.clinic.staff.create("ana", "Ana", "nurse")
        yield opened


async def open_case(house: Appliance, conversation: ConversationId) -> Case:
    case = await house.clinic.desk.open_case(conversation)
    assert case
    return case


async def speak(house: Appliance, conversation: ConversationId, text: str = "I am here.", by: Staffer = ANA) -> None:
    await house.clinic.desk.say(conversation, by, text, id=MessageId(str(uuid4())), via="page")


def codes(said: Said) -> list[str]:
    return [notice.code for notice in said.notices]


# ---- asking, waiting ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("via", WEB)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_who_asks_for_a_person_stands_in_the_queue_and_hears_it(
    house: Appliance, language: Language, via: Channel
) -> None:
    async with house.conversing(via) as patient:
        said = await patient.say(WANTED[language])
        case = await open_case(house, patient.id)
        handed = house.clinic.phrases.say("handed", language)
    assert (said.kind, said.language, codes(said)[-1]) == ("contact", language, "waiting")
    assert handed in said.notices[-1].text
    assert (case.state, case.reason, case.urgency, case.language, case.unread) == ("waiting", "asked", 1, language, 1)
    assert case.summary == WANTED[language]
    await house.clinic.desk.resolve(case.id, ANA)


async def test_while_it_waits_the_documents_answer_and_the_place_is_told(house: Appliance) -> None:
    async with house.conversing("socket") as first, house.conversing("socket") as second:
        await first.say(WANTED["en"])
        await second.say(WANTED["en"])
        said = await second.say(ASKED["en"])
        case = await open_case(house, second.id)
        assert (said.kind, codes(said)[-1]) == ("quoted", "waiting")
        place = await house.clinic.desk.place(case.id)
        assert place >= 2 and house.clinic.phrases.say("place", "en", place=str(place)) in said.notices[-1].text
        assert case.unread == 2
        for patient in (first, second):
            await house.clinic.desk.resolve((await open_case(house, patient.id)).id, ANA)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_who_needs_nobody_any_more_leaves_the_queue(house: Appliance, language: Language) -> None:
    async with house.conversing("socket") as patient:
        await patient.say(WANTED[language])
        said = await patient.say(NEVER_MIND[language], language=language)
        assert await house.clinic.desk.open_case(patient.id) is None
        assert said.notices[-1].text == house.clinic.phrases.say("returned", language)
        again = await patient.say(ASKED[language])
        assert "waiting" not in codes(again)


# ---- a person has it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("via", WEB)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_while_a_person_answers_we_say_once_where_the_message_went_and_are_silent(
    house: Appliance, language: Language, via: Channel
) -> None:
    async with house.conversing(via) as patient:
        await patient.say(WANTED[language])
        await speak(house, patient.id)
        first = await patient.say(ASKED[language])
        second, third = await patient.say(ASKED[language]), await patient.say("hello")
        assert (first.kind, first.language, codes(first)) == ("person", language, ["person"])
        assert first.notices[0].text == house.clinic.phrases.say("sent_to", language, name="Ana")
        assert [(one.kind, one.text, one.complete) for one in (second, third)] == [("person", "", True)] * 2
        assert (await open_case(house, patient.id)).unread == 3
        await speak(house, patient.id, by=BEN)
        told = await patient.say("And you?")
        assert "Ben" in told.text
        assert (await open_case(house, patient.id)).unread == 1


@pytest.mark.parametrize("close", ["give_back", "resolve"])
async def test_we_answer_again_when_it_is_given_back(house: Appliance, close: str) -> None:
    async with house.conversing("socket") as patient:
        await speak(house, patient.id)
        assert (await patient.say(ASKED["en"])).kind == "person"
        await getattr(house.clinic.desk, close)((await open_case(house, patient.id)).id, ANA)
        said = await patient.say(ASKED["en"])
        assert (said.kind, codes(said)) == ("quoted", [])


@pytest.mark.parametrize("via", WEB)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_an_emergency_is_answered_whoever_has_the_conversation(
    house: Appliance, language: Language, via: Channel
) -> None:
    async with house.conversing(via) as patient:
        await speak(house, patient.id)
        said = await patient.say(FLAGS[language])
        case = await open_case(house, patient.id)
        assert (said.kind, said.language, said.numbers[0]) == ("emergency", language, "911")
        assert (case.state, case.accepted_by, case.urgency, case.reason) == ("person", "ana", 0, "emergency")
        assert case.kinds and case.unread == 1
        assert await house.clinic.alerts.standing(patient.id)
        after = await patient.say(ASKED[language])
        assert after.kind == "person" and after.numbers[0] == "911"  # the reminder stands until staff close the alert


async def test_an_emergency_opens_a_case_that_comes_first(house: Appliance) -> None:
    async with house.conversing("socket") as calm, house.conversing("socket") as grave:
        await calm.say(WANTED["en"])
        said = await grave.say(FLAGS["en"])
        case = await open_case(house, grave.id)
        assert (said.kind, "waiting" in codes(said)) == ("emergency", False)
        assert (case.urgency, case.reason, await house.clinic.desk.place(case.id)) == (0, "emergency", 1)
        assert any("rule=" in event.detail for event in await house.clinic.desk.events(case.id))
        for patient in (calm, grave):
            await house.clinic.desk.resolve((await open_case(house, patient.id)).id, ANA)


@pytest.mark.parametrize("how", ["down", "stuck"])
async def test_an_emergency_is_answered_while_the_store_is_gone_and_its_case_is_opened_later(
    house: Appliance, how: str, impatient: Callable[[], AbstractContextManager[None]]
) -> None:
    store = Gone(house.clinic.database, how)
    desk = Desk(store)  # type: ignore[arg-type]  # a twin: the desk only reads and writes

    async def unsaid() -> bool:
        await store.read(lambda _: None)
        return True

    clinic = msgspec.structs.replace(house.clinic, desk=desk, staffed=unsaid)
    assistant = clinic.assistant_with(clinic.qualified)
    conversation, _ = await house.conversations.create("web", "es")
    with impatient():  # one that is stuck never comes back: what is said all the same did not wait for it
        async with asyncio.timeout(60), aclosing(assistant.answer(web_message(conversation, FLAGS["es"]))) as parts:
            said = Said(parts=tuple([part async for part in parts]))
    assert (said.kind, said.numbers[0]) == ("emergency", "911")
    assert await house.clinic.desk.open_case(conversation) is None
    store.how = "well"
    await desk.settle()
    case = await open_case(house, conversation)
    assert (case.urgency, case.reason, case.summary) == (0, "emergency", FLAGS["es"])
    await house.clinic.desk.resolve(case.id, ANA)


async def test_a_word_of_staff_ends_the_answer_that_is_being_made(house: Appliance) -> None:
    async with house.conversing("socket") as patient:
        with house.ear.waiting() as reached:
            asking = asyncio.create_task(patient.say(ASKED["en"]))
            await reached.wait()
            await speak(house, patient.id)
            async with asyncio.timeout(60):
                said = await asking
        assert (said.kind, codes(said)) == ("person", ["person"])
        assert (await open_case(house, patient.id)).unread == 1
        assert (await patient.say("Thanks")).kind == "person"


async def test_a_word_of_staff_ends_the_answer_that_is_being_said_in_the_middle(house: Appliance) -> None:
    conversation, _ = await house.conversations.create("web", "en")
    asked = web_message(conversation, ASKED["en"])
    said: list[Part] = []
    async with aclosing(house.assistant.answer(asked)) as parts:
        async for part in parts:
            said.append(part)
            if len(said) == 3:
                await speak(house, conversation)
    assert len(said) == 4 and isinstance(said[0], Opening) and said[0].kind == "quoted"
    assert said[3] == Notice(code="person", text=house.clinic.phrases.say("person_here", "en", name="Ana"))
    assert (await open_case(house, conversation)).unread == 1
    roles = [(turn.role, turn.kind) for turn in await house.history(conversation)]
    assert roles == [("patient", None), ("assistant", "quoted"), ("staff", None)]


async def test_an_emergency_that_is_being_said_is_said_to_its_end_though_staff_speak(house: Appliance) -> None:
    conversation, _ = await house.conversations.create("web", "en")
    said: list[Part] = []
    async with aclosing(house.assistant.answer(web_message(conversation, FLAGS["en"]))) as parts:
        async for part in parts:
            said.append(part)
            if len(said) == 2:
                await speak(house, conversation)
    alone, _ = await house.conversations.create("web", "en")
    async with aclosing(house.assistant.answer(web_message(alone, FLAGS["en"]))) as parts:
        assert said == [part async for part in parts]


async def test_what_a_process_that_died_had_heard_is_with_the_person(house: Appliance) -> None:
    conversation, _ = await house.conversations.create("web", "en")
    await speak(house, conversation)
    await house.conversations.begin(web_message(conversation, "Are you there?"))  # and here it was killed
    assert (await open_case(house, conversation)).unread == 1


async def test_the_patient_may_delete_the_conversation_while_a_person_has_it(house: Appliance) -> None:
    async with house.conversing("socket") as patient:
        await patient.say(WANTED["en"])
        await speak(house, patient.id)
        await house.conversations.delete(patient.id)
        case = await open_case(house, patient.id)
        assert (case.state, case.summary) == ("person", "")


# ---- why ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
async def test_two_failures_in_a_row_bring_a_person(house: Appliance, language: Language) -> None:
    nonsense = {
        "en": "Do you sell bicycles?",
        "es": "¿Venden bicicletas?",
        "zh": "你们卖自行车吗？",
        "hi": "क्या आप साइकिल बेचते हैं?",
    }
    async with house.conversing("socket") as patient:
        first = await patient.say(nonsense[language])
        assert (first.kind, await house.clinic.desk.open_case(patient.id)) == ("unknown", None)
        second = await patient.say(nonsense[language])
        assert (second.kind, codes(second)[-1]) == ("unknown", "waiting")
        assert (await open_case(house, patient.id)).reason == "failed"


@pytest.mark.parametrize(
    ("language", "text"),
    [("en", "This is ridiculous!"), ("es", "¡Es el colmo!"), ("zh", "气死我了！"), ("hi", "मुझे बहुत गुस्सा आ रहा है")],
)
async def test_anger_brings_a_person(house: Appliance, language: Language, text: str) -> None:
    async with house.conversing("socket") as patient:
        said = await patient.say(text)
        case = await open_case(house, patient.id)
    assert (case.reason, case.urgency, codes(said)[-1]) == ("anger", 1, "waiting")


async def test_a_topic_and_a_doubtful_quote_bring_a_person_who_sees_what_was_found(house: Appliance) -> None:
    settings = Handover(topics=("sports physical",), unsure=0)
    for wanted, reason in ((settings, "topic"), (Handover(unsure=1), "unsure")):
        handing = await asyncio.to_thread(Handing.load, wanted, house.clinic.glossary)
        assistant = msgspec.structs.replace(house.clinic, handing=handing).assistant_with(house.clinic.qualified)
        conversation, _ = await house.conversations.create("web", "en")
        async with aclosing(assistant.answer(web_message(conversation, ASKED["en"]))) as parts:
            said = Said(parts=tuple([part async for part in parts]))
        case = await open_case(house, conversation)
        assert (said.kind, case.reason, case.urgency) == ("quoted", reason, 2)
        assert case.suggested == "\n".join(one.quote for one in said.citations) and case.suggested


# ---- what is promised -----------------------------------------------------------------------------------------------------


async def test_without_staff_nothing_is_promised_and_no_case_is_opened(tmp_path: Path) -> None:
    async with appliance(tmp_path / "alone") as alone, alone.conversing("socket") as patient:
        for text in (WANTED["en"], FLAGS["en"], "This is ridiculous!"):
            assert "waiting" not in codes(await patient.say(text))
        assert await alone.clinic.desk.queue() == []


async def test_a_rehearsal_at_the_terminal_calls_nobody(house: Appliance) -> None:
    before = await house.clinic.desk.queue()
    for text in (WANTED["en"], FLAGS["en"], "This is ridiculous!"):
        await house.say(text)
    assert await house.clinic.desk.queue() == before


@pytest.mark.parametrize("language", LANGUAGES)
async def test_out_of_hours_the_patient_hears_when_somebody_is_there(
    house: Appliance, language: Language, tmp_path: Path
) -> None:
    (tmp_path / "clinic.toml").write_text('[hours]\nmon = [["08:00", "17:00"]]\n', "utf-8")
    zone = ZoneInfo("America/Los_Angeles")
    night = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
    calendar = await asyncio.to_thread(Calendar.load, tmp_path / "clinic.toml", zone)
    ladder = Ladder(house.clinic.desk, calendar, ack_s=(60,), clock=lambda: night)
    assistant = msgspec.structs.replace(house.clinic, ladder=ladder).assistant_with(house.clinic.qualified)
    conversation, _ = await house.conversations.create("web")
    async with aclosing(assistant.answer(web_message(conversation, WANTED[language]))) as parts:
        said = Said(parts=tuple([part async for part in parts]))
    waiting = await asyncio.to_thread(Waiting, house.clinic.phrases, zone, emergency_number="911")
    when = waiting.moment(datetime(2026, 11, 23, 16, 0, tzinfo=UTC), language)
    assert when in said.notices[-1].text and "911" in said.notices[-1].text
    assert "2026" in when and "8:00" in when


@pytest.mark.parametrize(
    ("expected", "waited", "key", "minutes"),
    [
        (None, 0, None, ""),
        (4, 0, "wait", "5"),
        (4, 2, "wait", "2"),
        (4, 5, "wait_longer", ""),
        (90, 0, "wait_hours", ""),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
async def test_the_wait_is_never_told_shorter_than_it_was(
    house: Appliance, language: Language, expected: int | None, waited: int, key: str | None, minutes: str
) -> None:
    waiting = await asyncio.to_thread(Waiting, house.clinic.phrases, UTC, emergency_number="911")
    outlook = Outlook(
        place=1,
        waited=timedelta(minutes=waited),
        expected=None if expected is None else timedelta(minutes=expected),
    )
    text = waiting.queued(outlook, language, first=True).text
    say = house.clinic.phrases.say
    begins = [say("handed", language), say("place_next", language)]
    ends = [say(key, language, minutes=minutes)] if key else []
    assert text == ("" if language == "zh" else " ").join([*begins, *ends])


class Gone:
    """A store that is down, or never comes back, until it is well."""

    def __init__(self, database: Database, how: str) -> None:
        self._database = database
        self.how = how

    async def read(self, work: Callable[[Connection], T]) -> T:
        await self._wait()
        return await self._database.read(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        await self._wait()
        return await self._database.write(work)

    async def _wait(self) -> None:
        if self.how == "down":
            raise StoreFailed("the disk is full")
        if self.how == "stuck":
            await asyncio.Event().wait()


def web_message(conversation: ConversationId, text: str) -> Message:
    return msgspec.structs.replace(message(text, conversation), channel="web")
