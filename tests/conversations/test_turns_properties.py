"""Strangers write the text, networks repeat and reorder it: whatever comes, a turn is there once and as it was."""

from __future__ import annotations

from typing import Literal

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.conversations.turns import Conversations
from appliance.message import ConversationId, Message, MessageId, Opening, Part, Text
from appliance.records.database import Database

# The database is shared by the examples on purpose: each takes a conversation of its own.
shared = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

any_text = st.text(st.characters(codec="utf-8"), max_size=400)
acts = st.lists(st.tuples(st.sampled_from(["begin", "part", "whole"]), st.sampled_from(["a", "b", "c"])), max_size=14)
Act = tuple[Literal["begin", "part", "whole"], str]


def asked(conversation: ConversationId, id: str, text: str) -> Message:
    return Message(id=MessageId(id), conversation=conversation, channel="web", text=text)


@shared
@given(id=any_text, question=any_text, words=st.lists(any_text, max_size=5))
async def test_any_text_comes_back_as_it_was_said(database: Database, id: str, question: str, words: list[str]) -> None:
    conversations = Conversations(database)
    conversation, _ = await conversations.create("web")
    message = asked(conversation, id, question)
    parts: tuple[Part, ...] = (Opening(kind="quoted", language="en"), *(Text(text=word) for word in words))
    assert await conversations.begin(message)
    await conversations.finish(message, parts, kind="quoted", language="en", complete=True)
    said, answer = await conversations.history(conversation)
    assert (said.message_id, said.text) == (id, question)
    assert (answer.parts, answer.text) == (parts, "".join(words))


@shared
@given(done=acts)
async def test_no_order_and_no_repetition_doubles_a_turn(database: Database, done: list[Act]) -> None:
    conversations = Conversations(database)
    conversation, _ = await conversations.create("web")
    begun: set[str] = set()
    expected: dict[str, tuple[str, bool]] = {}
    for number, (act, id) in enumerate(done):
        message = asked(conversation, id, f"question {id}")
        if act == "begin":
            assert await conversations.begin(message) is (id not in begun)
            begun.add(id)
            continue
        words, complete = f"answer {number}", act == "whole"
        await conversations.finish(message, (Text(text=words),), kind="quoted", language="en", complete=complete)
        if not expected.get(id, ("", False))[1]:
            expected[id] = (words, complete)
    turns = await conversations.history(conversation)
    assert sorted(turn.message_id for turn in turns if turn.role == "patient") == sorted(begun)
    answers = [turn for turn in turns if turn.role == "assistant"]
    assert len(answers) == len(expected)
    assert {turn.message_id: (turn.text, turn.complete) for turn in answers} == expected
