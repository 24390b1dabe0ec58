"""A caller waits for nobody who reads: calls go before chats, in the queue of answers and in the engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import pytest

from appliance.channels import live as live_module
from appliance.channels.live import Live
from appliance.conversations.turns import Conversations
from appliance.errors import Busy
from appliance.message import ChannelName, ConversationId, Message, MessageId, Opening, Part, Text
from appliance.records.database import Database
from models.engine_thread import PASSAGE, QUESTION, EngineThread, on_the_phone


class Assistant:
    """Says its first words when it is let, and remembers in which order it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.let = asyncio.Event()
        self.on_the_phone: dict[str, bool] = {}

    async def answer(self, message: Message) -> AsyncGenerator[Part, None]:
        self.asked.append(message.text)
        self.on_the_phone[message.text] = on_the_phone.get()
        yield Opening(kind="quoted", language="en")
        if message.channel == "phone":
            await self.let.wait()
        yield Text(text="words")


class Rig:
    def __init__(self, database: Database, at_most: int = 100) -> None:
        self.assistant = Assistant()
        self.conversations = Conversations(database)
        self.live = Live(
            self.assistant.answer, self.conversations, urgent=lambda text: text == "urgent", at_most=at_most
        )

    async def say(self, text: str, channel: ChannelName) -> None:
        conversation, _ = await self.conversations.create(channel)
        message = Message(id=MessageId(str(uuid4())), conversation=conversation, channel=channel, text=text)
        await self.live.say(message)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database, None]:
    opened = await Database.open(tmp_path / "clinic.db", bytes(32))
    yield opened
    await opened.close()


async def test_while_a_caller_waits_for_the_first_words_chats_begin_nothing(database: Database) -> None:
    rig = Rig(database)
    await rig.say("call", "phone")
    await rig.say("chat", "web")
    assert rig.assistant.asked == ["call"]
    rig.assistant.let.set()
    await rig.live.drain(60)
    assert rig.assistant.asked == ["call", "chat"]


async def test_an_emergency_in_a_chat_waits_for_no_call(database: Database) -> None:
    rig = Rig(database)
    await rig.say("call", "phone")
    await rig.say("urgent", "web")
    assert rig.assistant.asked == ["call", "urgent"]
    rig.assistant.let.set()
    await rig.live.drain(60)


async def test_calls_do_not_wait_for_calls(database: Database) -> None:
    rig = Rig(database)
    await rig.say("one", "phone")
    await rig.say("two", "phone")
    assert rig.assistant.asked == ["one", "two"]
    rig.assistant.let.set()
    await rig.live.drain(60)


async def test_a_chat_waits_only_so_long(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "CALLS_FIRST_S", 0.05)
    rig = Rig(database)
    await rig.say("call", "phone")
    await rig.say("chat", "web")
    async with asyncio.timeout(60):
        while "chat" not in rig.assistant.asked:  # noqa: ASYNC110 - the twin tells nobody
            await asyncio.sleep(0.01)
    rig.assistant.let.set()
    await rig.live.drain(60)


async def test_a_house_full_of_chats_still_answers_calls(database: Database) -> None:
    rig = Rig(database, at_most=1)
    await rig.say("call", "phone")
    with pytest.raises(Busy):
        await rig.say("chat", "web")
    await rig.say("another call", "phone")
    assert rig.assistant.asked == ["call", "another call"]
    rig.assistant.let.set()
    await rig.live.drain(60)


async def test_only_a_callers_questions_go_first_in_the_engines(database: Database) -> None:
    rig = Rig(database)
    rig.assistant.let.set()
    await rig.say("call", "phone")
    await rig.live.drain(60)
    rig = Rig(database)
    await rig.say("chat", "web")
    assert rig.assistant.on_the_phone == {"chat": False}
    await rig.live.drain(60)
    assert not on_the_phone.get()


async def test_an_engine_serves_callers_then_questions_then_documents() -> None:
    thread = EngineThread("engine")
    order: list[str] = []
    held = asyncio.Event()
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hold() -> None:
        loop.call_soon_threadsafe(begun.set)
        asyncio.run_coroutine_threadsafe(held.wait(), loop).result(5)

    async def asked(name: str, rank: int, *, calling: bool = False) -> None:
        on_the_phone.set(calling)
        await thread.run(lambda: order.append(name), rank=rank)

    first = asyncio.create_task(thread.run(hold, rank=QUESTION))
    await begun.wait()
    waiting = [
        asyncio.create_task(asked("document", PASSAGE)),
        asyncio.create_task(asked("document read while calling", PASSAGE, calling=True)),
        asyncio.create_task(asked("chat", QUESTION)),
        asyncio.create_task(asked("call", QUESTION, calling=True)),
    ]
    await asyncio.sleep(0)
    held.set()
    await asyncio.gather(first, *waiting)
    await thread.close()
    assert order == ["call", "chat", "document", "document read while calling"]


async def test_an_answer_is_as_long_as_it_was_heard(database: Database) -> None:
    conversations = Conversations(database)
    conversation, _ = await conversations.create("phone")
    message = Message(id=MessageId("m"), conversation=conversation, channel="phone", text="When?")
    await conversations.begin(message)
    parts: list[Part] = [Opening(kind="quoted", language="en"), Text(text="From nine "), Text(text="to five.")]
    await conversations.finish(message, parts, kind="quoted", language="en", complete=True)
    await conversations.heard(ConversationId(conversation), message.id, parts[:2])
    asked, answered = await conversations.history(conversation)
    assert (asked.text, answered.text, answered.complete) == ("When?", "From nine ", False)
    assert len(answered.parts) == 2
