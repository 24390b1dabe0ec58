"""The outbox: what is put in waits until it is delivered, and is there only if its act was done."""

from __future__ import annotations

import msgspec
import pytest

from appliance.errors import NotFound
from appliance.message import now
from appliance.records import outbox
from appliance.records.database import Connection, Database
from appliance.records.outbox import Outbox


class News(msgspec.Struct, frozen=True):
    words: str


async def put(database: Database, *words: str) -> None:
    def work(connection: Connection) -> None:
        for each in words:
            outbox.put(connection, kind="news", payload=News(each))

    await database.write(work)


async def waiting(box: Outbox) -> list[str]:
    return [msgspec.json.decode(one.payload, type=News).words for one in await box.waiting()]


async def test_what_is_put_in_waits_oldest_first_until_it_is_delivered(database: Database) -> None:
    box, began = Outbox(database), now()
    await put(database, "one", "दो", "three")
    assert await waiting(box) == ["one", "दो", "three"]
    first, *_ = await box.waiting()
    assert (first.kind, first.attempts) == ("news", 0) and began <= first.created_at <= now()
    await box.done(first.id)
    assert await waiting(box) == ["दो", "three"]
    assert [one.id for one in await box.waiting(limit=1)] == [first.id + 1]


async def test_an_act_that_fails_leaves_nothing_to_be_told(database: Database) -> None:
    def work(connection: Connection) -> None:
        outbox.put(connection, kind="news", payload=News("one"))
        raise LookupError("the act")

    with pytest.raises(LookupError):
        await database.write(work)
    assert await waiting(Outbox(database)) == []


async def test_what_fails_is_counted_waits_on_and_holds_nobody_up(database: Database) -> None:
    box = Outbox(database)
    await put(database, "one", "two")
    first, _ = await box.waiting()
    await box.failed(first.id)
    await box.failed(first.id)
    assert await waiting(box) == ["two", "one"]
    assert [one.attempts for one in await box.waiting()] == [0, 2]


async def test_what_does_not_wait_is_neither_done_nor_failed(database: Database) -> None:
    box = Outbox(database)
    await put(database, "one")
    await box.done(1)
    for act in (box.done, box.failed):
        for letter in (1, 7):
            with pytest.raises(NotFound):
                await act(letter)
