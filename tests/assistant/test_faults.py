"""What patients hear when parts of the house fail: an emergency's words always, else what to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, aclosing, contextmanager
from pathlib import Path
from time import monotonic

import pytest
import pytest_asyncio
from sqlcipher3 import dbapi2

from appliance.assistant.answer import Assistant
from appliance.conversations.alerts import Alerts, Flag
from appliance.conversations.turns import Conversations
from appliance.errors import NotFound, StoreFailed
from appliance.message import AnswerKind, ConversationId, Language, Message, Opening, Part, Text
from appliance.records.keys import derive, master_key
from models import ModelBusy, ModelError
from tests.say import CHANNELS, Appliance, Channel, answered, appliance, message

pytestmark = pytest.mark.asyncio(loop_scope="session")

EMERGENCIES: dict[Language, str] = {
    "en": "I have crushing chest pain and I can't breathe",
    "es": "Me duele mucho el pecho y no puedo respirar",
    "zh": "我胸口剧痛，喘不过气来",
    "hi": "मेरे सीने में बहुत तेज़ दर्द है और साँस नहीं आ रही",
}
QUESTIONS: dict[Language, str] = {
    "en": "How much is a sports physical?",
    "es": "¿Cuánto cuesta la vacuna contra la gripe?",
    "zh": "针灸初诊多少钱？",
    "hi": "योग कक्षा कब होती है?",
}
TROUBLE: dict[Language, str] = {"en": "not working", "es": "no funciona", "zh": "出了点问题", "hi": "काम नहीं कर"}
BUSY: dict[Language, str] = {"en": "Many people", "es": "muchas personas", "zh": "询问的人很多", "hi": "बहुत लोग"}
DEAD = ModelError("the embedder's file is gone")
WRITES = ("begin", "alert", "finish")


class Failing(Conversations):
    """A record that fails in some of its writes, or never comes back from them."""

    def __init__(self, clinic: Appliance, writes: Sequence[str], *, stuck: bool = False) -> None:
        super().__init__(clinic.clinic.database)
        self._writes = writes
        self._stuck = stuck

    async def begin(self, message: Message) -> bool:
        await self._fail("begin")
        return await super().begin(message)

    async def finish(
        self, message: Message, said: Sequence[Part], *, kind: AnswerKind, language: Language, complete: bool
    ) -> None:
        await self._fail("finish")
        await super().finish(message, said, kind=kind, language=language, complete=complete)

    async def _fail(self, write: str) -> None:
        if write in self._writes:
            await failing(stuck=self._stuck)


class Unheard(Alerts):
    """Alerts that reach no store."""

    def __init__(self, clinic: Appliance, *, stuck: bool = False) -> None:
        super().__init__(clinic.clinic.database)
        self._stuck = stuck

    async def sound(self, flag: Flag) -> None:
        await failing(stuck=self._stuck)


async def failing(*, stuck: bool) -> None:
    if stuck:
        await asyncio.Event().wait()
    raise StoreFailed("the disk is full")


def unrecorded(clinic: Appliance, writes: Sequence[str], *, stuck: bool = False) -> Assistant:
    alerts = Unheard(clinic, stuck=stuck) if "alert" in writes else clinic.clinic.alerts
    return clinic.recording(Failing(clinic, writes, stuck=stuck), alerts)


@contextmanager
def answering_as(clinic: Appliance, assistant: Assistant) -> Iterator[None]:
    before, clinic.assistant = clinic.assistant, assistant
    try:
        yield
    finally:
        clinic.assistant = before


async def alerts(clinic: Appliance, conversation: ConversationId) -> list[tuple[str, str]]:
    rows = await clinic.clinic.database.read(
        lambda c: c.execute("SELECT kinds, language FROM alert WHERE conversation = ?", (conversation,)).fetchall()
    )
    return [(row[0], row[1]) for row in rows]


# ---- emergencies --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("via", CHANNELS)
@pytest.mark.parametrize("language", EMERGENCIES)
async def test_an_emergency_is_answered_with_the_models_dead_and_the_store_failing(
    clinic: Appliance, language: Language, via: Channel
):
    with (
        clinic.ear.failing(RuntimeError("segmentation fault")),
        answering_as(clinic, unrecorded(clinic, WRITES)),
    ):
        said = await clinic.say(EMERGENCIES[language], via=via)
    assert (said.kind, said.language, said.numbers[0]) == ("emergency", language, "911")
    assert "911" in said.text and said.complete


@pytest.mark.parametrize("write", WRITES)
async def test_each_write_may_fail_in_an_emergency_and_the_others_are_done(clinic: Appliance, write: str):
    conversation, _ = await clinic.conversations.create("terminal")
    assistant = unrecorded(clinic, [write])
    said = await answered(assistant, message(EMERGENCIES["en"], conversation))
    assert said.kind == "emergency"
    assert bool(await alerts(clinic, conversation)) == (write != "alert")
    roles = [turn.role for turn in await clinic.history(conversation)]
    assert roles == {"begin": ["assistant"], "alert": ["patient", "assistant"], "finish": ["patient"]}[write]


async def test_a_store_that_hangs_keeps_an_emergencys_words_back_for_two_seconds_at_most(
    clinic: Appliance, impatient: Callable[[], AbstractContextManager[None]]
):
    conversation, _ = await clinic.conversations.create("terminal")
    assistant = unrecorded(clinic, WRITES, stuck=True)
    took = []
    for _ in range(3):  # the quickest: a busy machine may wake us late
        began = monotonic()
        with impatient():
            async with aclosing(assistant.answer(message(EMERGENCIES["es"], conversation))) as parts:
                first = await anext(parts)
                words = await anext(parts)
                took.append(monotonic() - began)
        assert isinstance(first, Opening) and first.kind == "emergency" and isinstance(words, Text)
    assert min(took) < 2


async def test_an_emergency_is_answered_in_time_while_another_process_holds_the_store(
    clinic: Appliance, other_process: dbapi2.Connection, impatient: Callable[[], AbstractContextManager[None]]
):
    conversation, _ = await clinic.conversations.create("terminal")
    other_process.execute("BEGIN IMMEDIATE")
    began = monotonic()
    try:
        with impatient():  # a write waits a whole minute here: what is said before that did not wait for it
            async with aclosing(clinic.assistant.answer(message(EMERGENCIES["zh"], conversation))) as parts:
                kinds = [part.kind async for part in parts if isinstance(part, Opening)]
                took = monotonic() - began
    finally:
        other_process.execute("ROLLBACK")
    assert kinds == ["emergency"] and took < 3
    await clinic.clinic.database.write(lambda _: None)  # what waited was done once it could be
    assert await alerts(clinic, conversation) == [("medical", "zh")]
    assert [turn.role for turn in await clinic.history(conversation)] == ["patient", "assistant"]


@pytest.fixture
def other_process(clinic: Appliance) -> Iterator[dbapi2.Connection]:
    path = clinic.clinic.database.path
    connection = dbapi2.connect(str(path), isolation_level=None)
    key = derive(master_key(path.parent), f"db:{clinic.clinic.config.clinic.id}")
    connection.execute(f"PRAGMA key = \"x'{key.hex()}'\"")
    yield connection
    connection.close()


@pytest.mark.parametrize("language", EMERGENCIES)
async def test_staff_are_told_of_an_emergency_once(clinic: Appliance, language: Language):
    conversation, _ = await clinic.conversations.create("terminal")
    one = message(EMERGENCIES[language], conversation)
    for _ in range(2):
        await answered(clinic.assistant, one)
    assert await alerts(clinic, conversation) == [("medical", language)]


async def test_an_emergency_in_a_conversation_that_was_deleted_is_answered(clinic: Appliance):
    said = await answered(clinic.assistant, message(EMERGENCIES["en"], ConversationId("gone")))
    assert said.kind == "emergency"


# ---- everything else ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("via", CHANNELS)
@pytest.mark.parametrize("language", QUESTIONS)
async def test_a_dead_embedder_is_told_in_the_patients_language(clinic: Appliance, language: Language, via: Channel):
    with clinic.ear.failing(DEAD):
        said = await clinic.say(QUESTIONS[language], via=via)
    assert (said.kind, said.language) == ("trouble", language) and TROUBLE[language] in said.text


@pytest.mark.parametrize("language", QUESTIONS)
async def test_a_busy_embedder_is_told_in_the_patients_language(clinic: Appliance, language: Language):
    with clinic.ear.failing(ModelBusy("64 questions wait", retry_after=1)):
        said = await clinic.say(QUESTIONS[language])
    assert (said.kind, said.language) == ("trouble", language) and BUSY[language] in said.text


@pytest.mark.parametrize("via", CHANNELS)
async def test_a_store_that_cannot_keep_a_message_says_so_instead_of_nothing(clinic: Appliance, via: Channel):
    with answering_as(clinic, clinic.recording(Failing(clinic, ["begin"]))):
        said = await clinic.say(QUESTIONS["en"], via=via)
    assert said.kind == "trouble" and TROUBLE["en"] in said.text


async def test_an_answer_that_cannot_be_kept_was_said_and_the_failure_is_heard_of(clinic: Appliance):
    conversation, _ = await clinic.conversations.create("terminal")
    said = ""
    assistant = clinic.recording(Failing(clinic, ["finish"]))
    with pytest.raises(StoreFailed):
        async with aclosing(assistant.answer(message(QUESTIONS["en"], conversation))) as parts:
            async for part in parts:
                said += part.text if isinstance(part, Text) else ""
    assert "$40" in said


async def test_a_question_in_a_conversation_that_was_deleted_is_refused(clinic: Appliance):
    with pytest.raises(NotFound):
        await answered(clinic.assistant, message(QUESTIONS["en"], ConversationId("forgotten")))


async def test_a_mistake_of_ours_is_not_swallowed(clinic: Appliance):
    """Only errors of our trees are spoken; a bug must reach the edge, where it is logged with its place."""
    conversation, _ = await clinic.conversations.create("terminal")
    with clinic.ear.failing(ZeroDivisionError()), pytest.raises(ZeroDivisionError):
        await answered(clinic.assistant, message(QUESTIONS["en"], conversation))
    assert [turn.complete for turn in await clinic.history(conversation)] == [True, False]


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def unheard(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Appliance]:
    """An appliance whose embedder has never worked."""
    documents = [Path(__file__).parent / "documents" / "contact.md"]
    async with appliance(tmp_path_factory.mktemp("unheard"), documents=documents) as opened:
        with opened.ear.failing(DEAD):
            yield opened


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("I want to talk to a person", "contact", "front desk"),
        ("How much ibuprofen can I take?", "declined", "how much of a medicine"),
        ("我得了什么病？", "declined", "什么病"),
        ("hola", "greeting", "asistente automático"),
    ],
)
async def test_fixed_words_need_no_embedder(unheard: Appliance, text: str, kind: str, words: str):
    said = await unheard.say(text)
    assert said.kind == kind and words in said.text and said.citations == []


async def test_how_to_reach_the_clinic_is_looked_up_again_once_the_embedder_works(unheard: Appliance):
    assert (await unheard.say("I want to talk to a person")).numbers == []
    unheard.ear.fails = None
    assert (await unheard.say("I want to talk to a person")).numbers == ["(541) 555-0100"]
