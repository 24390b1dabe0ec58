"""Who waits too long is called for again, group by group, and only while somebody is there; the wait is told as it was."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from appliance.conversations.calendar import Calendar
from appliance.conversations.case import Case, Staffer
from appliance.conversations.cases import Desk
from appliance.conversations.ladder import Ladder
from appliance.conversations.turns import Conversations
from appliance.message import ConversationId, Message, MessageId
from appliance.records.database import Database
from appliance.records.outbox import Outbox

ANA = Staffer(id="ana", name="Ana", role="nurse")
MONDAY = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)  # 10:00 in Los Angeles
NIGHT = MONDAY + timedelta(hours=12)
HOURS = "[hours]\n" + "".join(f'{day} = [["08:00", "17:00"]]\n' for day in ("mon", "tue", "wed", "thu", "fri"))


class Clock:
    def __init__(self) -> None:
        self.at = MONDAY

    def __call__(self) -> datetime:
        return self.at

    def passes(self, **time: float) -> None:
        self.at += timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def desk(database: Database, clock: Clock) -> Desk:
    return Desk(database, clock=clock)


@pytest.fixture
def ladder(desk: Desk, clock: Clock, tmp_path: Path) -> Ladder:
    (tmp_path / "clinic.toml").write_text(HOURS, "utf-8")
    calendar = Calendar.load(tmp_path / "clinic.toml", ZoneInfo("America/Los_Angeles"))
    return Ladder(desk, calendar, ack_s=(60, 120, 180), answer_s=900, clock=clock)


async def waits(desk: Desk, database: Database, urgency: int = 1) -> Case:
    conversation, _ = await Conversations(database).create("web", "en")
    return await desk.open(conversation, reason="asked", urgency=urgency, language="en", channel="web")


async def letters(database: Database) -> list[str]:
    return [letter.kind for letter in await Outbox(database).waiting(1000)]


async def levels(desk: Desk, ladder: Ladder, clock: Clock, case: Case, seconds: int) -> list[tuple[int, int]]:
    """The seconds at which the level rose, second by second."""
    found, level = [], 1
    for second in range(1, seconds + 1):
        clock.passes(seconds=1)
        await ladder.step()
        if (now := (await desk.case(case.id)).level) != level:
            level = now
            found.append((second, level))
    return found


async def test_the_next_group_is_called_after_60_and_120_seconds_and_the_page_goes_out_after_180(
    desk: Desk, ladder: Ladder, clock: Clock, database: Database
) -> None:
    case = await waits(desk, database)
    assert await levels(desk, ladder, clock, case, 200) == [(60, 2), (120, 3), (180, 4)]
    assert await letters(database) == ["case.opened", "case.level", "case.level", "page"]


async def test_a_case_that_was_accepted_rises_no_more_and_one_that_was_left_begins_anew(
    desk: Desk, ladder: Ladder, clock: Clock, database: Database
) -> None:
    case = await waits(desk, database)
    assert await levels(desk, ladder, clock, case, 70) == [(60, 2)]
    await desk.accept(case.id, ANA)
    await desk.read(case.id, ANA)
    clock.passes(hours=1)
    await ladder.step()
    assert (await desk.case(case.id)).level == 2
    await desk.leave(case.id, ANA)
    assert await levels(desk, ladder, clock, case, 130) == [(60, 2), (120, 3)]


async def test_at_night_nobody_is_called_but_for_an_emergency(
    desk: Desk, ladder: Ladder, clock: Clock, database: Database
) -> None:
    clock.at = NIGHT
    calm, grave = await waits(desk, database), await waits(desk, database, urgency=0)
    clock.passes(seconds=60)
    await ladder.step()
    assert [(await desk.case(one.id)).level for one in (calm, grave)] == [1, 2]
    clock.at = MONDAY + timedelta(hours=22, seconds=30)  # Tuesday, half a minute after the doors opened
    await ladder.step()
    assert (await desk.case(calm.id)).level == 1
    clock.passes(seconds=30)
    await ladder.step()
    assert (await desk.case(calm.id)).level == 2


async def test_a_case_put_off_wakes_when_its_time_has_come(
    desk: Desk, ladder: Ladder, clock: Clock, database: Database
) -> None:
    case = await waits(desk, database)
    await desk.snooze(case.id, ANA, clock.at + timedelta(minutes=30))
    clock.passes(minutes=29)
    await ladder.step()
    assert (await desk.case(case.id)).state == "snoozed"
    clock.passes(minutes=1)
    await ladder.step()
    awake = await desk.case(case.id)
    assert (awake.state, awake.level, awake.snoozed_until) == ("waiting", 1, None)


async def test_who_has_a_case_and_reads_nothing_for_too_long_has_it_no_more(
    desk: Desk, ladder: Ladder, clock: Clock, database: Database
) -> None:
    case = await waits(desk, database)
    await desk.say(case.conversation, ANA, "Hello", id=_id(), via="page")
    clock.passes(hours=2)
    await ladder.step()
    assert (await desk.case(case.id)).state == "person"  # all is read
    await desk.patient_said(case.conversation, _id())
    clock.passes(seconds=899)
    await desk.patient_said(case.conversation, _id())
    await ladder.step()
    assert (await desk.case(case.id)).state == "person"
    clock.passes(seconds=1)
    await ladder.step()
    left = await desk.case(case.id)
    assert (left.state, left.level, left.unread) == ("waiting", 1, 2)
    assert await levels(desk, ladder, clock, case, 70) == [(60, 2)]


async def test_the_wait_is_the_median_of_those_accepted_last_and_nothing_with_fewer_than_five(
    desk: Desk, ladder: Ladder, clock: Clock, database: Database
) -> None:
    for minutes in (1, 2, 4, 30):
        case = await waits(desk, database)
        clock.passes(minutes=minutes)
        await desk.accept(case.id, ANA)
    assert await ladder.expected() is None
    case = await waits(desk, database)
    clock.passes(minutes=5)
    await desk.say(case.conversation, ANA, "Hello", id=_id(), via="page")  # answered without being accepted first
    assert await ladder.expected() == timedelta(minutes=4)
    await desk.leave(case.id, ANA)
    clock.passes(minutes=50)
    await desk.accept(case.id, ANA)  # the second time is no measure of the wait
    assert await ladder.expected() == timedelta(minutes=4)


async def test_who_came_while_it_was_closed_does_not_count(
    desk: Desk, ladder: Ladder, clock: Clock, database: Database
) -> None:
    for _ in range(6):
        clock.at = NIGHT
        case = await waits(desk, database)
        clock.passes(hours=10)
        await desk.accept(case.id, ANA)
    assert await ladder.expected() is None


async def test_the_outlook_tells_place_opening_and_when_staff_are_back(
    desk: Desk, ladder: Ladder, clock: Clock, database: Database
) -> None:
    first, second = await waits(desk, database), await waits(desk, database)
    clock.passes(minutes=3)
    outlook = await ladder.outlook(second)
    assert (outlook.place, outlook.waited, outlook.closed) == (2, timedelta(minutes=3), False)
    clock.at = NIGHT
    outlook = await ladder.outlook(first)
    assert (outlook.closed, outlook.opens) == (True, MONDAY + timedelta(hours=22))
    until = clock.at + timedelta(hours=11)
    await desk.snooze(first.id, ANA, until)
    await Conversations(database).begin(_message(first.conversation))
    awake = await desk.case(first.id)
    assert (awake.state, (await ladder.outlook(awake)).back) == ("waiting", until)


def _id() -> MessageId:
    return MessageId(str(uuid4()))


def _message(conversation: ConversationId) -> Message:
    return Message(id=_id(), conversation=conversation, channel="web", text="Hello?")
