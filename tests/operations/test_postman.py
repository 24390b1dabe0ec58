"""Letters are delivered at least once, in the order of their conversation, whatever deliverers and the process do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Literal

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from appliance.errors import StoreFailed
from appliance.operations.postman import Deliver, Postman, _Pause
from appliance.records import outbox
from appliance.records.database import Connection, Database
from appliance.records.outbox import Letter, Outbox


class Payload(msgspec.Struct, frozen=True):
    conversation: str
    number: int


class Deliverer:
    """Writes down what it was given; fails, hangs or breaks when told to."""

    def __init__(self) -> None:
        self.got: list[tuple[str, int]] = []
        self.tried = 0
        self.faults: list[Literal["raise", "hang"]] = []
        self.down = False
        self.news = asyncio.Event()

    async def __call__(self, letter: Letter) -> None:
        self.tried += 1
        self.news.set()
        fault = self.faults.pop(0) if self.faults else None
        if self.down or fault == "raise":
            raise ConnectionError("a text that quotes a patient")
        if fault == "hang":
            await asyncio.Event().wait()
        await asyncio.sleep(0)
        payload = msgspec.json.decode(letter.payload, type=Payload)
        self.got.append((payload.conversation, payload.number))

    async def until(self, reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not reached():
                self.news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await self.news.wait()

    def of(self, conversation: str) -> list[int]:
        return [number for whose, number in self.got if whose == conversation]


async def write(database: Database, *letters: tuple[str, int], kind: str = "case.opened") -> None:
    def work(connection: Connection) -> None:
        for conversation, number in letters:
            outbox.put(connection, kind=kind, payload=Payload(conversation, number))

    await database.write(work)


@asynccontextmanager
async def working(database: Database, *deliverers: Deliver, limit_s: float = 60) -> AsyncIterator[Postman]:
    """A postman in a hurry."""
    told = {"case.opened": deliverers}
    postman = Postman(Outbox(database), told, first_s=0.001, most_s=0.01, limit_s=limit_s, look_s=0.01)
    running = asyncio.create_task(postman.run())
    try:
        yield postman
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def waiting(database: Database) -> int:
    return len(await Outbox(database).waiting(10_000))


async def _until(many: Callable[[], Awaitable[int]], left: int) -> None:
    async with asyncio.timeout(60):
        while await many() > left:  # noqa: ASYNC110 - the store has no bell
            await asyncio.sleep(0.005)


async def emptied(database: Database) -> None:
    await _until(lambda: waiting(database), 0)


async def test_letters_are_delivered_in_order_and_once(database: Database) -> None:
    deliverer = Deliverer()
    letters = [(whose, number) for number in range(40) for whose in "abc"]
    await write(database, *letters)
    async with working(database, deliverer):
        await emptied(database)
    assert all(deliverer.of(whose) == list(range(40)) for whose in "abc") and deliverer.tried == 120


async def test_a_failing_letter_holds_up_its_own_conversation_only(database: Database) -> None:
    deliverer, others = Deliverer(), Deliverer()
    down = True

    async def only_a_is_down(letter: Letter) -> None:
        if down and msgspec.json.decode(letter.payload, type=Payload).conversation == "a":
            others.tried += 1
            raise ConnectionError
        await deliverer(letter)

    await write(database, ("a", 1), ("b", 1), ("a", 2), ("b", 2))
    async with working(database, only_a_is_down):
        await deliverer.until(lambda: deliverer.of("b") == [1, 2] and others.tried > 3)
        assert deliverer.of("a") == [] and await waiting(database) == 2
        assert max(letter.attempts for letter in await Outbox(database).waiting()) >= 3
        down = False
        await emptied(database)
    assert deliverer.of("a") == [1, 2]


async def test_a_deliverer_that_is_down_holds_up_no_other(database: Database) -> None:
    up, down = Deliverer(), Deliverer()
    down.down = True
    await write(database, ("a", 1), ("a", 2))
    async with working(database, up, down):
        await up.until(lambda: up.of("a") == [1, 2])
        await down.until(lambda: down.tried > 2)
        assert await waiting(database) == 2
        down.down = False
        await emptied(database)
    assert up.of("a") == down.of("a") == [1, 2] and up.tried == 2


async def test_a_deliverer_that_hangs_is_given_up_and_tried_again(database: Database) -> None:
    deliverer = Deliverer()
    deliverer.faults = ["hang", "raise", "hang"]
    await write(database, ("a", 1), ("a", 2))
    async with working(database, deliverer, limit_s=1):
        await emptied(database)
    assert deliverer.of("a") == [1, 2] and deliverer.tried == 5


async def test_after_a_restart_nothing_is_lost_and_the_order_stays(database: Database) -> None:
    deliverer = Deliverer()
    deliverer.down = True
    await write(database, ("a", 1), ("a", 2), ("b", 1))
    async with working(database, deliverer):
        await deliverer.until(lambda: deliverer.tried > 3)
    deliverer.down = False
    await write(database, ("a", 3))
    async with working(database, deliverer):
        await emptied(database)
    assert (deliverer.of("a"), deliverer.of("b")) == ([1, 2, 3], [1])


async def test_a_store_that_fails_to_record_does_not_deliver_again_until_a_restart(database: Database) -> None:
    class Broken(Outbox):
        fails = 3

        async def settle(self, letter: int) -> None:
            if self.fails:
                self.fails -= 1
                raise StoreFailed("the disk is full")
            await super().settle(letter)

    deliverer = Deliverer()
    await write(database, ("a", 1), ("a", 2))
    postman = Postman(Broken(database), {"case.opened": [deliverer]}, first_s=0.001, most_s=0.01, look_s=0.01)
    running = asyncio.create_task(postman.run())
    await emptied(database)
    running.cancel()
    assert deliverer.of("a") == [1, 2]


async def test_a_kind_that_is_told_to_nobody_is_done_and_one_that_is_not_known_waits(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await write(database, ("a", 1))
    await write(database, ("a", 2), kind="alert")
    await write(database, ("a", 3), kind="page")
    postman = Postman(Outbox(database), {"case.opened": [], "page": []}, look_s=0.01)
    running = asyncio.create_task(postman.run())
    await _until(lambda: waiting(database), 1)
    running.cancel()
    assert [letter.kind for letter in await Outbox(database).waiting()] == ["alert"]
    assert "nobody can be paged" in caplog.text


async def test_a_letter_is_seen_at_once_when_the_postman_is_woken(database: Database) -> None:
    deliverer = Deliverer()
    postman = Postman(Outbox(database), {"case.opened": [deliverer]}, look_s=3600)
    running = asyncio.create_task(postman.run())
    await asyncio.sleep(0.05)
    await write(database, ("a", 1))
    postman.wake()
    await deliverer.until(lambda: deliverer.of("a") == [1])
    running.cancel()


async def test_no_word_of_an_error_is_logged(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    deliverer = Deliverer()
    deliverer.faults = ["raise"]
    await write(database, ("a", 1))
    async with working(database, deliverer):
        await emptied(database)
    assert "ConnectionError" in caplog.text and "quotes a patient" not in caplog.text


def test_the_pause_doubles_to_a_minute_and_is_never_the_same_for_all() -> None:
    pause = _Pause(1.0, 60.0)
    for failed, whole in ((1, 1), (2, 2), (3, 4), (6, 32), (7, 60), (1000, 60)):
        many = {pause.after(failed) for _ in range(50)}
        assert len(many) > 1 and all(whole / 2 <= one <= whole for one in many)


faults = st.lists(st.sampled_from(["raise", "raise", "raise", "hang"]), max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    letters=st.lists(st.sampled_from("abc"), max_size=25),
    first=faults,
    second=faults,
    restarts=st.integers(0, 3),
)
async def test_whatever_fails_everything_arrives_in_order(
    database: Database, letters: list[str], first: list[str], second: list[str], restarts: int
) -> None:
    one, two = Deliverer(), Deliverer()
    one.faults, two.faults = list(first), list(second)  # type: ignore[arg-type]  # of these two words
    await write(database, *((whose, number) for number, whose in enumerate(letters)))
    for _ in range(restarts):
        async with working(database, one, two, limit_s=0.05):
            await asyncio.sleep(0.004)
    async with working(database, one, two, limit_s=0.05):
        await emptied(database)
    for deliverer in (one, two):
        for whose in "abc":
            first_times = list(dict.fromkeys(deliverer.of(whose)))
            assert first_times == [number for number, each in enumerate(letters) if each == whose]
    if not restarts:
        assert len(one.got) == len(two.got) == len(letters)
