"""Answers being said: each runs once, whoever listens, leaves or comes back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.channels.live import WAITING, Answer, Ended, Event, Live, Said
from appliance.channels.scripted import ScriptedAssistant
from appliance.conversations.turns import Conversations, Turn
from appliance.errors import Busy, NotFound, StoreFailed
from appliance.message import AnswerKind, ConversationId, Language, Message, MessageId, Part, Text
from appliance.records.database import Database


async def a_message(conversations: Conversations, text: str = "When do you open?") -> Message:
    conversation, _ = await conversations.create("web")
    return another(conversation, text)


def another(conversation: ConversationId, text: str = "And on Sunday?") -> Message:
    return Message(id=MessageId(str(uuid4())), conversation=conversation, channel="web", text=text)


async def heard(live: Live, answer: Answer, after: int = 0) -> list[Event]:
    events: list[Event] = []
    with live.listening(answer):
        while news := await answer.after(after):
            events += news
            after = news[-1].seq
    return events


async def until(answer: Answer, events: int) -> None:
    while answer.last_seq < events:
        await answer.after(answer.last_seq)


def words(events: Sequence[Event]) -> str:
    return "".join(e.part.text for e in events if isinstance(e, Said) and isinstance(e.part, Text))


async def test_events_count_from_one_and_end_once(live: Live, conversations: Conversations):
    events = await heard(live, await live.say(await a_message(conversations)))
    assert [event.seq for event in events] == [1, 2, 3, 4, 5]
    assert words(events) == "One two three."
    assert [isinstance(event, Ended) for event in events] == [False] * 4 + [True]
    assert isinstance(events[-1], Ended) and events[-1].complete


async def test_a_message_sent_twice_is_answered_once(
    live: Live, assistant: ScriptedAssistant, conversations: Conversations
):
    message = await a_message(conversations)
    first, second = await asyncio.gather(live.say(message), live.say(message))
    assert await heard(live, first) == await heard(live, second)
    await heard(live, await live.say(message))
    assert len(assistant.asked) == 1


async def test_a_message_answered_before_a_restart_is_told_from_the_store(
    live: Live, assistant: ScriptedAssistant, conversations: Conversations
):
    message = await a_message(conversations)
    before = await heard(live, await live.say(message))
    restarted = Live(assistant.answer, conversations, urgent=lambda _: False, at_most=10)
    assert await heard(restarted, await restarted.say(message)) == before
    assert await heard(restarted, await restarted.resume(message.conversation, message.id, after=2), 2) == before[2:]
    assert len(assistant.asked) == 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 12), max_size=6), restart=st.booleans(), pause=st.integers(0, 9))
async def test_no_word_is_lost_or_doubled_wherever_the_line_is_cut(
    live: Live, assistant: ScriptedAssistant, conversations: Conversations, cuts: list[int], restart: bool, pause: int
):
    assistant.words = [f"word{n} " for n in range(9)]
    assistant.pause_after, assistant.go_on = pause, asyncio.Event()
    message = await a_message(conversations)
    answer, told, seq = await live.say(message), list[Event](), 0
    for cut in cuts:
        with live.listening(answer):
            if answer.last_seq > seq:
                news = (await answer.after(seq))[:cut]
                told += news
                seq = told[-1].seq if told else 0
        assistant.go_on.set()
        if restart and answer.ended:
            live._answers.clear()  # what a restart does to the memory of ended answers
        answer = await live.resume(message.conversation, message.id, after=seq)
    assistant.go_on.set()
    told += await heard(live, answer, seq)
    assert [event.seq for event in told] == list(range(1, 12))
    assert words(told) == "".join(assistant.words)


async def test_stopping_closes_the_answer_at_once_and_records_what_was_said(
    live: Live, assistant: ScriptedAssistant, conversations: Conversations
):
    assistant.pause_after = 2
    message = await a_message(conversations)
    answer = await live.say(message)
    await until(answer, 2)
    await live.stop(message.conversation, message.id)
    assert assistant.closed == 1
    turn = await conversations.answer(message.conversation, message.id)
    assert turn is not None and turn.text == "One " and not turn.complete
    assert answer.events[-1] == Ended(id=message.id, seq=3, complete=False)


class SlowStore(Conversations):
    """Records only when it may."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.may = asyncio.Event()

    async def finish(
        self, message: Message, parts: Sequence[Part], *, kind: AnswerKind, language: Language, complete: bool
    ) -> None:
        await self.may.wait()
        await super().finish(message, parts, kind=kind, language=language, complete=complete)


async def test_stopping_twice_does_not_cut_short_the_recording(database: Database):
    store = SlowStore(database)
    assistant = ScriptedAssistant(store)
    assistant.pause_after = 2
    live = Live(assistant.answer, store, urgent=lambda _: False, at_most=10)
    message = await a_message(store)
    await until(await live.say(message), 2)
    stops = []
    for _ in range(3):
        stops.append(asyncio.ensure_future(live.stop(message.conversation, message.id)))
        for _ in range(5):
            await asyncio.sleep(0)
    store.may.set()
    await asyncio.gather(*stops)
    turn = await store.answer(message.conversation, message.id)
    assert turn is not None and turn.text == "One "


async def test_an_answer_nobody_listens_to_goes_on_for_a_while_and_is_then_closed(
    assistant: ScriptedAssistant, conversations: Conversations
):
    live = Live(assistant.answer, conversations, urgent=lambda _: False, at_most=10, grace_s=0.05)
    assistant.pause_after = 3
    message = await a_message(conversations)
    answer = await live.say(message)
    with live.listening(answer):
        await until(answer, 3)
    assert not answer.ended
    await answer.after(3)
    assert answer.ended and assistant.closed == 1
    turn = await conversations.answer(message.conversation, message.id)
    assert turn is not None and turn.text == "One two "


async def test_an_answer_is_closed_when_its_last_listener_leaves_however_long_he_stayed(
    assistant: ScriptedAssistant, conversations: Conversations
):
    live = Live(assistant.answer, conversations, urgent=lambda _: False, at_most=10, grace_s=0.03)
    assistant.pause_after = 1
    answer = await live.say(await a_message(conversations))
    with live.listening(answer):
        await until(answer, 1)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await answer.after(1)
    async with asyncio.timeout(60):
        await answer.after(1)
    assert answer.ended


async def test_a_listener_who_comes_back_in_time_keeps_the_answer_going(
    assistant: ScriptedAssistant, conversations: Conversations
):
    live = Live(assistant.answer, conversations, urgent=lambda _: False, at_most=10, grace_s=0.05)
    assistant.pause_after = 1
    message = await a_message(conversations)
    answer = await live.say(message)
    with live.listening(answer):
        await until(answer, 1)
    back = asyncio.ensure_future(heard(live, await live.resume(message.conversation, message.id, after=1), 1))
    asyncio.get_running_loop().call_later(0.1, assistant.go_on.set)
    events = await back
    assert isinstance(events[-1], Ended) and events[-1].complete


async def test_a_second_message_waits_for_the_first_and_is_kept_meanwhile(
    live: Live, assistant: ScriptedAssistant, conversations: Conversations
):
    assistant.pause_after = 1
    first = await a_message(conversations)
    await until(await live.say(first), 1)
    second = await live.say(another(first.conversation))
    assert second.waits and len(assistant.asked) == 1
    assert [turn.text for turn in await conversations.history(first.conversation)] == [first.text, second.message.text]
    assistant.go_on.set()
    assert words(await heard(live, second)) == "One two three."
    assert [message.id for message in assistant.asked] == [first.id, second.message.id]


async def test_an_emergency_waits_for_nobody(live: Live, assistant: ScriptedAssistant, conversations: Conversations):
    assistant.pause_after = 1
    first = await a_message(conversations)
    slow = await live.say(first)
    await until(slow, 1)
    for _ in range(WAITING):
        await live.say(another(first.conversation))
    assistant.pause_after = None
    assert words(await heard(live, await live.say(another(first.conversation, "an emergency")))) == "One two three."
    assert not slow.ended


class DeadStore(Conversations):
    """Neither reads nor writes."""

    async def answer(self, conversation: ConversationId, message: MessageId) -> Turn | None:
        raise StoreFailed("the disk is gone")


async def test_an_emergency_is_answered_with_the_store_dead_and_other_messages_are_refused(
    assistant: ScriptedAssistant, conversations: Conversations, database: Database
):
    live = Live(assistant.answer, DeadStore(database), urgent=lambda text: "emergency" in text, at_most=10)
    answer = await live.say(await a_message(conversations, "an emergency"))
    assert words(await heard(live, answer)) == "One two three."
    with pytest.raises(StoreFailed):
        await live.say(await a_message(conversations))


async def test_stopping_a_waiting_message_does_not_let_the_next_one_overtake(
    live: Live, assistant: ScriptedAssistant, conversations: Conversations
):
    assistant.pause_after = 1
    first = await a_message(conversations)
    await until(await live.say(first), 1)
    second, third = [await live.say(another(first.conversation)) for _ in range(2)]
    await live.stop(first.conversation, second.message.id)
    for _ in range(20):
        await asyncio.sleep(0)
    assert [message.id for message in assistant.asked] == [first.id]
    assistant.go_on.set()
    assert words(await heard(live, third)) == "One two three."


async def test_too_many_waiting_messages_are_told_to_wait(
    live: Live, assistant: ScriptedAssistant, conversations: Conversations
):
    assistant.pause_after = 0
    first = await a_message(conversations)
    await live.say(first)
    for _ in range(WAITING):
        await live.say(another(first.conversation))
    with pytest.raises(Busy) as refused:
        await live.say(another(first.conversation))
    assert refused.value.retry_after > 0


async def test_too_many_answers_at_once_are_told_to_wait_but_not_an_emergency(
    assistant: ScriptedAssistant, conversations: Conversations
):
    live = Live(assistant.answer, conversations, urgent=lambda text: "emergency" in text, at_most=2)
    assistant.pause_after = 0
    for _ in range(2):
        await live.say(await a_message(conversations))
    with pytest.raises(Busy):
        await live.say(await a_message(conversations))
    assistant.pause_after = None
    assert words(await heard(live, await live.say(await a_message(conversations, "an emergency"))))
    await live.drain(0)


async def test_draining_lets_answers_end_and_refuses_new_ones(
    live: Live, assistant: ScriptedAssistant, conversations: Conversations
):
    assistant.pause_after = 1
    answer = await live.say(await a_message(conversations))
    await until(answer, 1)
    draining = asyncio.ensure_future(live.drain(10))
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await live.say(await a_message(conversations))
    assistant.go_on.set()
    await draining
    assert answer.events[-1] == Ended(id=answer.message.id, seq=5, complete=True)


async def test_draining_closes_what_does_not_end_in_time_and_it_is_recorded(
    live: Live, assistant: ScriptedAssistant, conversations: Conversations
):
    assistant.pause_after = 2
    message = await a_message(conversations)
    await until(await live.say(message), 2)
    await live.drain(0.01)
    turn = await conversations.answer(message.conversation, message.id)
    assert turn is not None and turn.text == "One " and not turn.complete


async def test_a_fault_ends_the_answer_and_the_log_does_not_quote_the_patient(
    live: Live, assistant: ScriptedAssistant, conversations: Conversations, caplog: pytest.LogCaptureFixture
):
    assistant.fails_after = 2
    events = await heard(live, await live.say(await a_message(conversations, "my secret illness")))
    assert events[-1] == Ended(id=events[0].id, seq=3, complete=False)
    assert "RuntimeError" in caplog.text and "secret" not in caplog.text


async def test_a_message_never_heard_of_is_not_resumed(live: Live, conversations: Conversations):
    message = await a_message(conversations)
    with pytest.raises(NotFound):
        await live.resume(message.conversation, message.id)


async def test_another_conversations_answer_is_not_found(live: Live, conversations: Conversations):
    message = await a_message(conversations)
    await heard(live, await live.say(message))
    other, _ = await conversations.create("web")
    with pytest.raises(NotFound):
        await live.resume(other, message.id)


async def test_a_message_kept_but_never_answered_is_answered_when_the_page_comes_back(
    live: Live, conversations: Conversations
):
    message = await a_message(conversations)
    await conversations.begin(message)  # and then the power went
    assert words(await heard(live, await live.resume(message.conversation, message.id))) == "One two three."


async def test_an_answer_cut_off_by_a_crash_is_ended_and_not_continued_with_other_words(
    live: Live, assistant: ScriptedAssistant, conversations: Conversations
):
    message = await a_message(conversations)
    await conversations.begin(message)  # and then the power went, after two events
    events = await heard(live, await live.resume(message.conversation, message.id, after=2), 2)
    assert events == [Ended(id=message.id, seq=3, complete=False)]
    assert assistant.asked == []


async def test_an_event_is_written_as_the_page_reads_it(live: Live, conversations: Conversations):
    message = await a_message(conversations)
    events = await heard(live, await live.say(message))
    first, last = (msgspec.json.decode(msgspec.json.encode(event)) for event in (events[0], events[-1]))
    opening = {"type": "opening", "kind": "quoted", "language": "en"}
    assert first == {"type": "part", "id": message.id, "seq": 1, "part": opening}
    assert last == {"type": "end", "id": message.id, "seq": 5, "complete": True}
