"""Conversations: each turn once, the answer as far as it was said, and nothing left of what is deleted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from appliance.conversations.turns import Conversations
from appliance.errors import BadInput, NotFound
from appliance.message import (
    Call,
    Citation,
    ConversationId,
    DocumentId,
    Message,
    MessageId,
    Notice,
    Opening,
    Part,
    Span,
    Text,
    now,
)
from appliance.records import audit
from appliance.records.database import Database

PARTS: tuple[Part, ...] = (
    Opening(kind="quoted", language="zh"),
    Text(text="诊所早上", voice="quote", language="zh"),
    Text(text=" 8 点开门"),
    Citation(
        number=1,
        document=DocumentId("d"),
        revision=2,
        title="時間",
        heading=("Hours", "घंटे"),
        page=3,
        language="zh",
        span=Span(start=1, end=9),
        quote="诊所早上 8 点开门",
        valid_from="2026-01-01",
    ),
    Notice(code="source-language", text="…"),
    Call(label="Clinic", number="+1 555 0100", urgent=True),
)


@pytest.fixture
def conversations(database: Database) -> Conversations:
    return Conversations(database)


@pytest.fixture
async def conversation(conversations: Conversations) -> ConversationId:
    return (await conversations.create("web", "en"))[0]


def asked(
    conversation: ConversationId, id: str = "m1", text: str = "When do you open?", at: datetime | None = None
) -> Message:
    return Message(id=MessageId(id), conversation=conversation, channel="web", text=text, language="en", at=at or now())


async def answered(
    conversations: Conversations, message: Message, parts: Sequence[Part] = PARTS, *, complete: bool = True
) -> None:
    await conversations.finish(message, parts, kind="quoted", language="zh", complete=complete)


# ---- who opens what ----------------------------------------------------------------------------------------------


async def test_a_token_opens_its_conversation_and_no_other(conversations: Conversations) -> None:
    (mine, my_token), (theirs, their_token) = [await conversations.create("web") for _ in range(2)]
    assert await conversations.by_token(my_token) == mine
    assert await conversations.by_token(their_token) == theirs
    for wrong in ("", my_token[:-1], my_token + "x", "\ud800", "\0", mine):
        assert await conversations.by_token(wrong) is None


async def test_the_token_is_not_kept(conversations: Conversations, database: Database) -> None:
    _, token = await conversations.create("web")
    rows = await database.read(lambda c: c.execute("SELECT * FROM conversation").fetchall())
    assert token not in repr(rows) and token.encode() not in [v for row in rows for v in row]


async def test_what_is_known_of_a_conversation_is_found(conversations: Conversations) -> None:
    conversation, _ = await conversations.create("phone", "es", "north")
    found = await conversations.find(conversation)
    assert found is not None
    assert (found.id, found.channel, found.language, found.site) == (conversation, "phone", "es", "north")
    await conversations.set_language(conversation, "hi")
    changed = await conversations.find(conversation)
    assert changed is not None and changed.language == "hi"
    assert await conversations.find(ConversationId("other")) is None


# ---- turns -------------------------------------------------------------------------------------------------------


async def test_a_message_and_its_answer_come_back_as_they_were(
    conversations: Conversations, conversation: ConversationId
) -> None:
    message = asked(conversation)
    assert await conversations.begin(message)
    await answered(conversations, message)
    question, answer = await conversations.history(conversation)
    assert (question.role, question.text, question.language, question.at) == ("patient", message.text, "en", message.at)
    assert (answer.role, answer.message_id, answer.text) == ("assistant", "m1", "诊所早上 8 点开门")
    assert (answer.parts, answer.kind, answer.language, answer.complete) == (PARTS, "quoted", "zh", True)
    assert await conversations.answer(conversation, MessageId("m1")) == answer
    assert "开门" not in repr(answer)


async def test_a_message_sent_twice_is_recorded_once_and_the_first_stands(
    conversations: Conversations, conversation: ConversationId
) -> None:
    assert await conversations.begin(asked(conversation))
    assert not await conversations.begin(asked(conversation, text="something else"))
    assert [turn.text for turn in await conversations.history(conversation)] == ["When do you open?"]


async def test_the_same_message_id_in_two_conversations_is_two_messages(
    conversations: Conversations, conversation: ConversationId
) -> None:
    other, _ = await conversations.create("web")
    assert await conversations.begin(asked(conversation))
    assert await conversations.begin(asked(other))


async def test_what_was_said_so_far_stands_until_the_whole_is_said(
    conversations: Conversations, conversation: ConversationId
) -> None:
    message = asked(conversation)
    await conversations.begin(message)
    await answered(conversations, message, PARTS[:2], complete=False)
    stopped = await conversations.answer(conversation, message.id)
    assert stopped is not None and (stopped.text, stopped.complete) == ("诊所早上", False)
    await answered(conversations, message)
    await answered(conversations, message, PARTS[:1], complete=False)
    whole = await conversations.answer(conversation, message.id)
    assert whole is not None and (whole.parts, whole.complete) == (PARTS, True)


async def test_the_newest_turns_come_in_the_order_of_the_messages(
    conversations: Conversations, conversation: ConversationId
) -> None:
    first, second, third = (asked(conversation, id) for id in ("a", "b", "c"))
    await conversations.begin(first)
    await conversations.begin(second)
    await answered(conversations, second)
    await answered(conversations, first)
    await answered(conversations, third)  # before its message: a slow disk, a retry
    await conversations.begin(third)
    order = [(turn.message_id, turn.role) for turn in await conversations.history(conversation)]
    assert order == [(id, role) for id in ("a", "b", "c") for role in ("patient", "assistant")]
    newest = await conversations.history(conversation, limit=3)
    assert [(turn.message_id, turn.role) for turn in newest] == order[-3:]


async def test_a_message_for_no_conversation_is_refused(conversations: Conversations) -> None:
    with pytest.raises(NotFound):
        await conversations.begin(asked(ConversationId("other")))


async def test_half_a_character_is_refused_and_nothing_is_recorded(
    conversations: Conversations, conversation: ConversationId
) -> None:
    with pytest.raises(BadInput):
        await conversations.begin(asked(conversation, text="pain \ud83d"))
    with pytest.raises(BadInput):
        await answered(conversations, asked(conversation), (Text(text="\udc00"),))
    assert await conversations.history(conversation) == []


# ---- thumbs ------------------------------------------------------------------------------------------------------


async def test_a_second_thumb_replaces_the_first(
    conversations: Conversations, conversation: ConversationId, database: Database
) -> None:
    message = asked(conversation)
    await answered(conversations, message)
    await conversations.feedback(conversation, message.id, True)
    await conversations.feedback(conversation, message.id, False, "wrong day")
    rows = await database.read(lambda c: c.execute("SELECT message_id, up, reason FROM feedback").fetchall())
    assert rows == [("m1", 0, "wrong day")]


async def test_a_thumb_for_no_answer_is_refused(conversations: Conversations, conversation: ConversationId) -> None:
    await conversations.begin(asked(conversation))
    with pytest.raises(NotFound):
        await conversations.feedback(conversation, MessageId("m1"), True)


# ---- forgetting --------------------------------------------------------------------------------------------------


async def left(database: Database) -> tuple[int, ...]:
    counts = "SELECT (SELECT count(*) FROM conversation), (SELECT count(*) FROM turn), (SELECT count(*) FROM feedback)"
    return await database.read(lambda c: tuple(c.execute(counts).fetchone()))


async def test_nothing_said_is_left_of_a_deleted_conversation(
    conversations: Conversations, conversation: ConversationId, database: Database
) -> None:
    message = asked(conversation)
    await conversations.begin(message)
    await answered(conversations, message)
    await conversations.feedback(conversation, message.id, True)
    await conversations.delete(conversation)
    assert await left(database) == (0, 0, 0)
    with pytest.raises(NotFound):
        await conversations.delete(conversation)


async def test_an_answer_that_ends_after_the_deletion_is_not_recorded(
    conversations: Conversations, conversation: ConversationId, database: Database
) -> None:
    message = asked(conversation)
    await conversations.begin(message)
    await conversations.delete(conversation)
    await answered(conversations, message)
    assert await left(database) == (0, 0, 0)


async def test_only_conversations_with_no_recent_word_are_forgotten(
    conversations: Conversations, database: Database
) -> None:
    today = now()
    old, recent = [(await conversations.create("web"))[0] for _ in range(2)]
    await conversations.begin(asked(old, at=today))
    await conversations.begin(asked(recent, at=today + timedelta(days=20)))
    assert await conversations.forget(older_than_days=30, at=today + timedelta(days=29)) == 0
    assert await conversations.forget(older_than_days=30, at=today + timedelta(days=31)) == 1
    assert await conversations.find(old) is None and await conversations.find(recent) is not None
    (entry,) = await audit.entries(database)
    assert (entry.actor, entry.act) == ("retention", "conversation.delete") and "1 with no word" in entry.detail


async def test_a_message_from_the_past_does_not_make_a_conversation_older(conversations: Conversations) -> None:
    conversation, _ = await conversations.create("web")
    before = await conversations.find(conversation)
    await conversations.begin(asked(conversation, at=datetime(2001, 1, 1, tzinfo=UTC)))
    assert await conversations.find(conversation) == before


async def test_parts_are_kept_as_tagged_json(
    conversations: Conversations, conversation: ConversationId, database: Database
) -> None:
    await answered(conversations, asked(conversation))
    kept = await database.read(lambda c: c.execute("SELECT parts FROM turn").fetchone()[0])
    assert [part["type"] for part in json.loads(kept)] == ["opening", "text", "text", "citation", "notice", "call"]
