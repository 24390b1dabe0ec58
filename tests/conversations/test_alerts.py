"""Alerts: one a conversation, open until somebody of the clinic closes it, remembered when the store is not there."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from time import monotonic
from typing import TypeVar

import msgspec
import pytest

from appliance.conversations import alerts as module
from appliance.conversations.alerts import Alerts, Flag, Told
from appliance.conversations.turns import Conversations
from appliance.errors import BadInput, NotFound, StoreFailed
from appliance.message import ChannelName, ConversationId
from appliance.records import audit
from appliance.records.database import Connection, Database
from appliance.records.outbox import Outbox

T = TypeVar("T")

HERE = ConversationId("here")
ELSEWHERE = ConversationId("elsewhere")


class Failing:
    """A database that can be made to fail, or never to come back."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.reads = self.writes = "well"

    async def read(self, work: Callable[[Connection], T]) -> T:
        await self._as(self.reads)
        return await self._database.read(work)

    async def write(self, work: Callable[[Connection], T]) -> T:
        await self._as(self.writes)
        return await self._database.write(work)

    async def _as(self, how: str) -> None:
        if how == "stuck":
            await asyncio.Event().wait()
        if how == "down":
            raise StoreFailed("the disk is full")


@pytest.fixture
def store(database: Database) -> Failing:
    return Failing(database)


@pytest.fixture
def alerts(store: Failing) -> Alerts:
    return Alerts(store)  # type: ignore[arg-type]  # a twin: alerts only read and write


def flag(kind: str = "medical", conversation: ConversationId = HERE, channel: ChannelName = "web") -> Flag:
    return Flag(conversation=conversation, kind=kind, language="es", channel=channel)


async def letters(database: Database) -> list[Told]:
    return [msgspec.json.decode(one.payload, type=Told) for one in await Outbox(database).waiting()]


# ---- opening and counting --------------------------------------------------------------------------------------------


async def test_an_alert_stands_in_its_conversation_only(alerts: Alerts) -> None:
    await alerts.sound(flag())
    assert await alerts.standing(HERE) == ("medical",)
    assert await alerts.standing(ELSEWHERE) == ()


async def test_the_same_kind_is_counted_and_another_is_added_to_the_one_alert(alerts: Alerts) -> None:
    first, again, last = flag(), flag(), flag("suicide")
    for one in (first, again, last):
        await alerts.sound(one)
    (alert,) = await alerts.list()
    assert (alert.kinds, alert.count, alert.language) == (("medical", "suicide"), 3, "es")
    assert (alert.opened_at, alert.last_at, alert.closed_at) == (first.at, last.at, None)


async def test_the_outbox_tells_of_each_kind_once_and_in_the_same_transaction(
    alerts: Alerts, database: Database
) -> None:
    for kind in ("medical", "medical", "suicide", "medical"):
        await alerts.sound(flag(kind))
    (alert,) = await alerts.list()
    told = await letters(database)
    assert [(one.alert, one.kind, one.conversation) for one in told] == [
        (alert.id, "medical", HERE),
        (alert.id, "suicide", HERE),
    ]


async def test_without_a_place_in_the_outbox_there_is_no_alert(alerts: Alerts, database: Database) -> None:
    await database.write(lambda c: c.execute("DROP TABLE outbox"))
    with pytest.raises(StoreFailed):
        await alerts.sound(flag())
    assert await alerts.list() == []


async def test_a_line_in_the_log_says_the_kind_and_the_conversation(
    alerts: Alerts, caplog: pytest.LogCaptureFixture
) -> None:
    await alerts.sound(flag("poison"))
    (line,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert line.getMessage() == "alert=open kind=poison conversation=here"


async def test_an_alert_outlives_its_conversation(alerts: Alerts, database: Database) -> None:
    conversations = Conversations(database)
    conversation, _ = await conversations.create("web")
    await alerts.sound(flag(conversation=conversation))
    await conversations.delete(conversation)
    assert [one.conversation for one in await alerts.list()] == [conversation]


async def test_a_rehearsal_at_the_terminal_is_reminded_calls_nobody_and_leaves_nothing(
    alerts: Alerts, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    conversations = Conversations(database)
    conversation, _ = await conversations.create("terminal")
    await alerts.sound(flag(conversation=conversation, channel="terminal"))
    assert await alerts.standing(conversation) == ("medical",)
    assert await letters(database) == [] and caplog.records == []
    await conversations.delete(conversation)
    assert await alerts.list(closed=True) == []


async def test_whether_an_alert_stands_costs_one_search_in_an_index(alerts: Alerts, database: Database) -> None:
    await alerts.sound(flag())
    asked: list[str] = []

    def watched(connection: Connection) -> list[str]:
        connection.set_trace_callback(asked.append)
        module._open_kinds(connection, HERE)
        connection.set_trace_callback(None)
        return [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {asked[0]}")]

    assert await database.read(watched) == ["SEARCH alert USING INDEX one_open_alert (conversation=?)"]
    assert len(asked) == 1


# ---- closing ----------------------------------------------------------------------------------------------------------


async def test_closing_says_who_and_when_and_ends_what_stands(alerts: Alerts, database: Database) -> None:
    await alerts.sound(flag())
    (alert,) = await alerts.list()
    closed = await alerts.close(alert.id, by=" Ana Ruiz ", note="called back")
    assert (closed.closed_by, closed.note) == ("Ana Ruiz", "called back")
    assert closed.closed_at and closed.closed_at >= closed.opened_at
    assert await alerts.standing(HERE) == () and await alerts.list() == []
    assert await alerts.list(closed=True) == [closed]
    (entry,) = await audit.entries(database)
    assert (entry.actor, entry.act, entry.subject) == ("Ana Ruiz", "alert.close", str(alert.id))
    assert "called back" not in entry.detail


async def test_danger_after_the_closing_opens_another_alert(alerts: Alerts) -> None:
    await alerts.sound(flag())
    (first,) = await alerts.list()
    await alerts.close(first.id, by="Ana")
    await alerts.sound(flag())
    assert await alerts.standing(HERE) == ("medical",)
    assert [(one.id == first.id, one.count) for one in await alerts.list(closed=True)] == [(False, 1), (True, 1)]


@pytest.mark.parametrize("which", [-1, 0, 2, 2**64])
async def test_what_is_not_open_cannot_be_closed(alerts: Alerts, which: int) -> None:
    await alerts.sound(flag())
    with pytest.raises(NotFound, match="alerts list"):
        await alerts.close(which, by="Ana")
    await alerts.close(1, by="Ana")
    with pytest.raises(NotFound):
        await alerts.close(1, by="Ana")


async def test_nobody_closes_namelessly(alerts: Alerts) -> None:
    await alerts.sound(flag())
    with pytest.raises(BadInput):
        await alerts.close(1, by=" ")
    assert await alerts.standing(HERE)


async def test_what_another_process_opened_or_closed_counts(alerts: Alerts, database: Database) -> None:
    other = Alerts(database)
    await other.sound(flag("violence"))
    assert await alerts.standing(HERE) == ("violence",)
    await other.close(1, by="Ana")
    assert await alerts.standing(HERE) == ()


# ---- a store that fails -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["down", "stuck"])
async def test_what_is_flagged_is_remembered_when_the_store_cannot_be_read(
    alerts: Alerts, store: Failing, how: str, impatient: Callable[[], AbstractContextManager[None]]
) -> None:
    await alerts.sound(flag())
    store.reads = how
    took = []
    with impatient():
        for _ in range(3):  # the quickest: a busy machine may wake us late
            began = monotonic()
            assert await alerts.standing(HERE) == ("medical",)
            assert await alerts.standing(ELSEWHERE) == ()
            took.append(monotonic() - began)
        assert min(took) < 2 * module.PATIENCE_S + 0.5


async def test_what_the_store_said_once_is_remembered_too(alerts: Alerts, store: Failing, database: Database) -> None:
    await Alerts(database).sound(flag("poison"))
    assert await alerts.standing(HERE) == ("poison",)
    store.reads = "down"
    assert await alerts.standing(HERE) == ("poison",)


async def test_what_the_store_could_not_keep_is_given_to_it_with_the_next_turn(
    alerts: Alerts, store: Failing, database: Database
) -> None:
    store.writes = "down"
    lost = flag()
    with pytest.raises(StoreFailed):
        await alerts.sound(lost)
    assert await alerts.standing(HERE) == ("medical",) and await Alerts(database).list() == []
    store.writes = "well"
    assert await alerts.standing(HERE) == ("medical",)
    assert await alerts.standing(HERE) == ("medical",)
    (kept,) = await alerts.list()
    assert (kept.opened_at, kept.count) == (lost.at, 1) and len(await letters(database)) == 1
    await alerts.close(kept.id, by="Ana")
    assert await alerts.standing(HERE) == ()


async def test_a_further_kind_that_was_not_kept_stands_beside_the_kept_one(
    alerts: Alerts, store: Failing, impatient: Callable[[], AbstractContextManager[None]]
) -> None:
    await alerts.sound(flag())
    store.writes = "stuck"
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(alerts.sound(flag("suicide")), 0.05)
    with impatient():
        assert await alerts.standing(HERE) == ("medical", "suicide")
    store.writes = "well"
    assert await alerts.standing(HERE) == ("medical", "suicide")
    assert [one.kinds for one in await alerts.list()] == [("medical", "suicide")]


async def test_a_write_that_came_late_is_not_counted_twice(alerts: Alerts, database: Database) -> None:
    sounding = asyncio.create_task(alerts.sound(flag()))
    await asyncio.sleep(0)
    sounding.cancel()
    await asyncio.wait([sounding])
    await database.write(lambda _: None)
    assert sounding.cancelled() and await alerts.standing(HERE) == ("medical",)
    assert [one.count for one in await alerts.list()] == [1]


async def test_memory_is_bounded_and_forgets_whom_it_flagged_first(
    alerts: Alerts, store: Failing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    for name in ("one", "two", "three"):
        await alerts.sound(flag(conversation=ConversationId(name)))
    store.reads = "down"
    standing = [await alerts.standing(ConversationId(name)) for name in ("one", "two", "three")]
    assert standing == [(), ("medical",), ("medical",)]
