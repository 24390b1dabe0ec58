"""Cases: one owner at a time, each step with its event, audit and letter; nothing said twice, no message without an owner."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from datetime import timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from appliance.conversations.attending import TakenOver
from appliance.conversations.case import Asked, Case, Happened, Staffer
from appliance.conversations.cases import Desk
from appliance.conversations.letters import StaffSaid
from appliance.conversations.turns import Conversations
from appliance.errors import BadInput, NotAllowed, NotFound, StoreFailed, Taken
from appliance.message import ConversationId, Message, MessageId, now
from appliance.records import audit
from appliance.records.database import Database
from appliance.records.outbox import Outbox

ANA = Staffer(id="ana", name="Ana", role="nurse")
BEN = Staffer(id="ben", name="Ben", role="front desk")


@pytest.fixture
def desk(database: Database) -> Desk:
    return Desk(database)


@pytest.fixture
def conversations(database: Database) -> Conversations:
    return Conversations(database)


async def begun(conversations: Conversations) -> ConversationId:
    return (await conversations.create("web", "en"))[0]


async def opened(desk: Desk, conversation: ConversationId, **given: Any) -> Case:
    asked: dict[str, Any] = {"reason": "asked", "urgency": 1, "language": "en", "channel": "web", **given}
    return await desk.open(conversation, **asked)


def message(conversation: ConversationId, text: str = "Hello?") -> Message:
    return Message(id=MessageId(str(uuid4())), conversation=conversation, channel="web", text=text)


def word() -> MessageId:
    return MessageId(f"staff-{uuid4()}")


async def kinds(database: Database) -> list[str]:
    return [letter.kind for letter in await Outbox(database).waiting(1000)]


# ---- opening ----------------------------------------------------------------------------------------------------------


async def test_a_case_is_opened_once_and_becomes_graver(desk: Desk, conversations: Conversations) -> None:
    conversation = await begun(conversations)
    first = await opened(desk, conversation, reason="failed", urgency=2)
    same = await opened(desk, conversation, reason="failed", urgency=2)
    graver = await opened(desk, conversation, reason="emergency", urgency=0, kinds=["medical"])
    calmer = await opened(desk, conversation, reason="topic", urgency=2)
    assert {one.id for one in (first, same, graver, calmer)} == {first.id}
    assert (calmer.reason, calmer.urgency, calmer.kinds, calmer.state) == ("emergency", 0, ("medical",), "waiting")
    assert same == first


async def test_the_queue_is_by_urgency_then_by_time_and_tells_the_place(
    desk: Desk, conversations: Conversations
) -> None:
    cases = [await opened(desk, await begun(conversations), urgency=urgency) for urgency in (2, 1, 0, 1)]
    assert [one.id for one in await desk.queue()] == [cases[n].id for n in (2, 1, 3, 0)]
    assert [await desk.place(one.id) for one in cases] == [4, 2, 1, 3]
    await desk.accept(cases[2].id, ANA)
    assert [await desk.place(one.id) for one in cases] == [3, 1, 0, 2]


async def test_what_a_failing_store_did_not_keep_is_opened_later(desk: Desk, database: Database) -> None:
    await database.write(lambda c: c.execute("ALTER TABLE outbox RENAME TO away"))
    with pytest.raises(StoreFailed):
        await opened(desk, ConversationId("gone"), reason="emergency", urgency=0, kinds=["medical"])
    assert await desk.queue() == []
    await database.write(lambda c: c.execute("ALTER TABLE away RENAME TO outbox"))
    await desk.settle()
    await desk.settle()
    (case,) = await desk.queue()
    assert (case.urgency, case.kinds, await kinds(database)) == (0, ("medical",), ["case.opened"])


# ---- whose it is ------------------------------------------------------------------------------------------------------


async def test_of_many_who_accept_at_once_exactly_one_wins(desk: Desk, conversations: Conversations) -> None:
    case = await opened(desk, await begun(conversations))
    crowd = [Staffer(id=f"s{n}", name=f"S {n}", role="nurse") for n in range(12)]
    results = await asyncio.gather(*(desk.accept(case.id, one) for one in crowd), return_exceptions=True)
    won = [one for one in results if isinstance(one, Case)]
    assert len(won) == 1 and sum(isinstance(one, Taken) for one in results) == 11
    assert (await desk.case(case.id)).accepted_by == won[0].accepted_by


async def test_accepting_twice_is_one_acceptance_and_an_old_button_does_nothing(
    desk: Desk, conversations: Conversations
) -> None:
    case = await opened(desk, await begun(conversations))
    taken = await desk.accept(case.id, ANA, version=case.version)
    assert await desk.accept(case.id, ANA, version=case.version) == taken
    left = await desk.leave(case.id, ANA)
    with pytest.raises(Taken, match="changed meanwhile"):
        await desk.accept(case.id, BEN, version=case.version)
    assert (await desk.accept(case.id, BEN, version=left.version)).accepted_by == "ben"


async def test_a_closed_case_stays_closed_and_the_next_one_is_new(desk: Desk, conversations: Conversations) -> None:
    conversation = await begun(conversations)
    case = await opened(desk, conversation)
    await desk.accept(case.id, ANA)
    closed = await desk.give_back(case.id, ANA)
    assert (closed.state, closed.closed_by, await desk.open_case(conversation)) == ("returned", "ana", None)
    for late in (desk.give_back, desk.resolve, desk.accept, desk.leave):
        with pytest.raises(Taken):
            await late(case.id, ANA)
    assert (await opened(desk, conversation)).id != case.id


async def test_a_patient_who_needs_nobody_any_more_leaves_the_queue_but_not_a_person(
    desk: Desk, conversations: Conversations
) -> None:
    conversation = await begun(conversations)
    case = await opened(desk, conversation)
    returned = await desk.patient_returns(conversation)
    assert returned and (returned.state, returned.closed_by) == ("returned", "patient")
    assert await desk.patient_returns(conversation) is None
    case = await opened(desk, conversation)
    await desk.accept(case.id, ANA)
    assert await desk.patient_returns(conversation) is None


async def test_a_word_of_the_patient_wakes_a_case_that_was_put_off(desk: Desk, conversations: Conversations) -> None:
    conversation = await begun(conversations)
    case = await opened(desk, conversation)
    until = now() + timedelta(hours=3)
    with pytest.raises(BadInput):
        await desk.snooze(case.id, ANA, now() - timedelta(seconds=1))
    assert (await desk.snooze(case.id, ANA, until)).state == "snoozed"
    await conversations.begin(message(conversation))
    awake = await desk.case(case.id)
    assert (awake.state, awake.unread, awake.snoozed_until) == ("waiting", 2, until)


async def test_only_who_has_a_case_can_leave_it(desk: Desk, conversations: Conversations) -> None:
    case = await opened(desk, await begun(conversations))
    await desk.accept(case.id, ANA)
    with pytest.raises(Taken, match="with Ana"):
        await desk.leave(case.id, BEN)
    left = await desk.leave(case.id, ANA)
    assert (left.state, left.level) == ("waiting", 1)


# ---- what is said -----------------------------------------------------------------------------------------------------


async def test_a_word_of_staff_takes_the_conversation_in_the_same_transaction(
    desk: Desk, conversations: Conversations, database: Database
) -> None:
    conversation = await begun(conversations)
    case = await opened(desk, conversation)
    said = await desk.say(conversation, ANA, " I am here. ", id=word(), via="page")
    taken = await desk.case(case.id)
    assert (said.text, said.by, said.role_of_staff) == ("I am here.", "Ana", "nurse")
    assert (taken.state, taken.accepted_by, taken.unread) == ("person", "ana", 0)
    await desk.say(conversation, BEN, "Me too.", id=word(), via="page")
    assert (await desk.case(case.id)).accepted_by == "ben"
    turns = await conversations.history(conversation)
    assert [(turn.role, turn.by_name, turn.by_role, turn.text) for turn in turns] == [
        ("staff", "Ana", "nurse", "I am here."),
        ("staff", "Ben", "front desk", "Me too."),
    ]
    assert await kinds(database) == ["case.opened", *["case.changed", "case.staff_said"] * 2]


async def test_staff_may_speak_first(desk: Desk, conversations: Conversations) -> None:
    conversation = await begun(conversations)
    await desk.say(conversation, ANA, "Your form is ready.", id=word(), via="page")
    case = await desk.open_case(conversation)
    assert case and (case.state, case.reason, case.unread) == ("person", "staff", 0)


async def test_the_same_word_twice_is_said_once_and_takes_nothing_over_again(
    desk: Desk, conversations: Conversations, database: Database
) -> None:
    conversation, id = await begun(conversations), word()
    first, again = await asyncio.gather(*(desk.say(conversation, ANA, "Yes.", id=id, via="page") for _ in "12"))
    assert first == again
    case = await desk.open_case(conversation)
    assert case
    await desk.give_back(case.id, ANA)
    before = await kinds(database)
    assert await desk.say(conversation, ANA, "Yes.", id=id, via="page") == first
    assert await desk.open_case(conversation) is None and await kinds(database) == before
    with pytest.raises(BadInput):
        await desk.say(await begun(conversations), ANA, "Yes.", id=id, via="page")


async def test_words_are_changed_by_who_said_them_and_taken_back(
    desk: Desk, conversations: Conversations, database: Database
) -> None:
    conversation, id = await begun(conversations), word()
    await desk.say(conversation, ANA, "Come at 9.", id=id, via="page")
    with pytest.raises(NotAllowed):
        await desk.edit(id, BEN, "Come at 8.")
    assert (await desk.edit(id, ANA, "Come at 10.")).edited_at
    await desk.edit(id, ANA, "Come at 10.")
    gone = await desk.take_back(id, BEN)
    assert (gone.text, gone.deleted_at is not None) == ("", True)
    await desk.take_back(id, ANA)
    with pytest.raises(NotFound):
        await desk.edit(id, ANA, "Come at 11.")
    (turn,) = await conversations.history(conversation)
    assert (turn.text, turn.deleted_at) == ("", gone.deleted_at)
    told = [letter for letter in await Outbox(database).waiting() if letter.kind == "case.staff_said"]
    assert [msgspec.json.decode(one.payload, type=StaffSaid).what for one in told] == ["said", "edited", "taken_back"]


@pytest.mark.parametrize("text", ["", "  \n", "x" * 4001])
async def test_an_empty_or_endless_word_is_refused(desk: Desk, conversations: Conversations, text: str) -> None:
    with pytest.raises(BadInput):
        await desk.say(await begun(conversations), ANA, text, id=word(), via="page")


async def test_a_patients_message_is_counted_once_in_the_transaction_that_keeps_it(
    desk: Desk, conversations: Conversations, database: Database
) -> None:
    conversation = await begun(conversations)
    case = await opened(desk, conversation)
    asked = message(conversation)
    assert await conversations.begin(asked)
    assert (await desk.case(case.id)).unread == 2  # the one that opened it, and this
    for _ in "12":
        assert not await conversations.begin(asked)
        assert await desk.patient_said(conversation, asked.id)
    assert (await desk.case(case.id)).unread == 2
    assert await kinds(database) == ["case.opened", "case.patient_said"]
    await desk.read(case.id, ANA)
    assert (await desk.case(case.id)).unread == 0
    assert await desk.patient_said(await begun(conversations), asked.id) is None


async def test_a_message_that_cannot_be_counted_is_not_kept_either(
    desk: Desk, conversations: Conversations, database: Database
) -> None:
    conversation = await begun(conversations)
    await opened(desk, conversation)
    await database.write(lambda c: c.execute("DROP TABLE outbox"))
    with pytest.raises(StoreFailed):
        await conversations.begin(message(conversation))
    assert await conversations.history(conversation) == []


async def test_a_case_outlives_its_conversation_without_its_words(desk: Desk, conversations: Conversations) -> None:
    conversation = await begun(conversations)
    case = await opened(desk, conversation, summary="My chest", suggested="Come in")
    note = await desk.note(case.id, ANA, "She has called before.")
    assert await desk.notes(case.id) == [note]
    await desk.say(conversation, ANA, "Hello", id=word(), via="page")
    await conversations.delete(conversation)
    after = await desk.case(case.id)
    assert (after.open, after.summary, after.suggested) == (True, "", "")
    assert await desk.notes(case.id) == [] and await desk.words(conversation) == []
    for late in (
        desk.say(conversation, ANA, "Still there?", id=word(), via="page"),
        desk.say(conversation, BEN, "Still there?", id=word(), via="page"),
        desk.note(case.id, ANA, "gone"),
    ):
        with pytest.raises(NotFound, match="deleted"):
            await late
    assert (await desk.resolve(case.id, ANA)).state == "resolved"
    assert (await opened(desk, conversation, summary="My chest")).summary == ""


async def test_every_step_has_its_event_and_its_entry_in_the_audit(
    desk: Desk, conversations: Conversations, database: Database
) -> None:
    conversation = await begun(conversations)
    case = await opened(desk, conversation)
    await desk.accept(case.id, ANA)
    await desk.say(conversation, ANA, "Hello", id=MessageId("w"), via="page")
    await desk.leave(case.id, ANA)
    await desk.raise_level(case.id)
    await desk.resolve(case.id, BEN)
    events = await desk.events(case.id)
    assert [(one.event, one.by, one.to_state) for one in events] == [
        ("ask", None, "waiting"),
        ("accept", "ana", "person"),
        ("said", "ana", "person"),
        ("leave", "ana", "waiting"),
        ("level", None, "waiting"),
        ("resolve", "ben", "resolved"),
    ]
    entries = [(one.actor, one.act) for one in reversed(await audit.entries(database)) if one.act.startswith("case.")]
    assert entries == [
        ("assistant", "case.open"),
        ("ana", "case.accept"),
        ("ana", "case.say"),
        ("ana", "case.leave"),
        ("clock", "case.level"),
        ("ben", "case.resolve"),
    ]


# ---- what is told in this process -------------------------------------------------------------------------------------


async def heard(desk: Desk, seq: int, many: int) -> list[Happened]:
    told: list[Happened] = []
    async with asyncio.timeout(60), aclosing(desk.news(seq)) as news:
        async for one in news:
            told.append(one)
            if len(told) == many:
                break
    return told


async def test_everybody_hears_all_that_happened_in_order(desk: Desk, conversations: Conversations) -> None:
    conversation = await begun(conversations)
    listeners = [asyncio.create_task(heard(desk, desk.seq, 6)) for _ in range(3)]
    case = await opened(desk, conversation)
    desk.typing(conversation, None)
    desk.typing(conversation, ANA)
    await desk.say(conversation, ANA, "Hello", id=MessageId("w"), via="page")
    await desk.resolve(case.id, ANA)
    told = await asyncio.gather(*listeners)
    assert [(one.what, one.by, one.case_id) for one in told[0]] == [
        ("opened", None, case.id),
        ("typing", None, case.id),
        ("typing", "ana", case.id),
        ("accepted", "ana", case.id),
        ("said", "ana", case.id),
        ("resolved", "ana", case.id),
    ]
    assert [one.seq for one in told[0]] == [1, 2, 3, 4, 5, 6] and told[0] == told[1] == told[2]
    assert await heard(desk, 4, 2) == told[0][4:]


async def test_news_come_even_when_the_asker_is_gone(desk: Desk, conversations: Conversations) -> None:
    conversation = await begun(conversations)
    asking = asyncio.create_task(opened(desk, conversation))
    await asyncio.sleep(0)
    asking.cancel()
    assert [one.what for one in await heard(desk, 0, 1)] == ["opened"]


async def test_who_answers_learns_at_once_that_a_person_has_taken_the_conversation(
    desk: Desk, conversations: Conversations
) -> None:
    conversation = await begun(conversations)
    with desk.attending(conversation) as attending:
        assert await attending.unless_taken(lambda: asyncio.sleep(0, "well")) == "well"
        waiting = asyncio.create_task(attending.unless_taken(asyncio.Event().wait))
        await asyncio.sleep(0)
        await desk.say(conversation, ANA, "Hello", id=word(), via="page")
        with pytest.raises(TakenOver):
            await asyncio.wait_for(waiting, 60)
        with pytest.raises(TakenOver):
            await attending.unless_taken(asyncio.Event().wait)


def test_reprs_hold_no_words(desk: Desk) -> None:
    assert "secret" not in repr(msgspec.convert({**_CASE, "summary": "secret", "suggested": "secret"}, Case))
    assert Asked.__struct_fields__


_CASE = {
    **{
        "id": 1,
        "conversation": "c",
        "state": "waiting",
        "reason": "asked",
        "urgency": 1,
        "kinds": [],
        "language": "en",
    },
    **{"channel": "web", "site": None, "opened_at": now(), "level": 1, "level_at": now(), "accepted_by": None},
    **{"accepted_name": None, "accepted_at": None, "snoozed_until": None, "closed_at": None, "closed_by": None},
    **{"unread": 0, "unread_since": None, "version": 1},
}
