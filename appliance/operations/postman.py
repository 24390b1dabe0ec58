"""Delivers what the outbox holds: at least once, in order, for as long as it takes. Knows no channel, and of a letter whose it is.

Letters of one conversation go to one deliverer one after the other; another conversation, or another deliverer, waits for none of
them. A deliverer that fails or hangs is tried again after 1, 2, 4 … 60 seconds; what it delivers again it knows by the letter's id.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final

import msgspec

from appliance.errors import ApplianceError
from appliance.records.outbox import Letter, Outbox

log = logging.getLogger(__name__)

Deliver = Callable[[Letter], Awaitable[None]]

FIRST_S: Final = 1.0
MOST_S: Final = 60.0
LIMIT_S: Final = 10.0
"""What one delivery may take."""
LOOK_S: Final = 1.0
"""Letters of another process are seen this late; our own wake us."""
AT_ONCE: Final = 8
"""Deliveries at the same time to one deliverer."""
READ_AT_ONCE: Final = 500


class Postman:
    """``deliver``: by kind of letter, who is told. A kind with an empty list is told to nobody; others wait."""

    def __init__(
        self,
        outbox: Outbox,
        deliver: Mapping[str, Sequence[Deliver]],
        *,
        first_s: float = FIRST_S,
        most_s: float = MOST_S,
        limit_s: float = LIMIT_S,
        look_s: float = LOOK_S,
    ) -> None:
        self._outbox = outbox
        self._deliver = deliver
        self._pause = _Pause(first_s, most_s)
        self._limit_s = limit_s
        self._look_s = look_s
        self._seen = 0
        self._woken = asyncio.Event()
        self._lanes: dict[tuple[Deliver, str], deque[_Owed]] = {}
        self._doors = {one: _Door() for many in deliver.values() for one in many}

    def wake(self) -> None:
        """There may be a letter."""
        self._woken.set()

    @property
    def waiting(self) -> int:
        """Deliveries that are owed."""
        return sum(map(len, self._lanes.values()))

    async def run(self) -> None:
        """Until it is cancelled. What was not delivered then waits in the outbox."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                self._woken.clear()
                more = await self._look(tasks)
                if not more:
                    try:
                        async with asyncio.timeout(self._look_s):
                            await self._woken.wait()
                    except TimeoutError:
                        continue

    async def _look(self, tasks: asyncio.TaskGroup) -> bool:
        """Take what is new; whether there may be more at once."""
        try:
            letters = await self._outbox.after(self._seen, READ_AT_ONCE)
            for letter in letters:
                await self._sort(letter, tasks)
                self._seen = letter.id
        except ApplianceError as error:
            log.error("outbox=unread error=%s reason=%s", type(error).__name__, error)
            return False
        return len(letters) == READ_AT_ONCE

    async def _sort(self, letter: Letter, tasks: asyncio.TaskGroup) -> None:
        """Into the lane of its conversation, for each who is told."""
        deliverers = self._deliver.get(letter.kind)
        if deliverers is None:
            return
        if not deliverers:
            if letter.kind == "page":
                log.error("page=undeliverable letter=%d: nobody can be paged", letter.id)
            await self._outbox.settle(letter.id)
            return
        owed = _Owed(letter, len(deliverers))
        for deliver in deliverers:
            lane = (deliver, _conversation(letter))
            if lane in self._lanes:
                self._lanes[lane].append(owed)
            else:
                self._lanes[lane] = deque([owed])
                tasks.create_task(self._walk(lane))

    async def _walk(self, lane: tuple[Deliver, str]) -> None:
        """All letters of a lane, one after the other, until none is left."""
        deliver, letters = lane[0], self._lanes[lane]
        try:
            while letters:
                await self._brought(letters[0].letter, deliver)
                owed = letters.popleft()
                owed.left -= 1
                if not owed.left:
                    await self._settled(owed.letter)
        finally:
            del self._lanes[lane]

    async def _brought(self, letter: Letter, deliver: Deliver) -> None:
        """Delivered at last."""
        door, failed = self._doors[deliver], 0
        while not await self._tried(letter, deliver, door):
            failed += 1
            await door.wait(self._pause.after(failed))

    async def _tried(self, letter: Letter, deliver: Deliver, door: _Door) -> bool:
        async with door.room:
            try:
                async with asyncio.timeout(self._limit_s):
                    await deliver(letter)
            except Exception as error:  # noqa: BLE001 - whatever a deliverer does, the letter stays
                log.warning("letter=%d kind=%s undelivered error=%s", letter.id, letter.kind, type(error).__name__)
                await self._counted(letter)
                return False
        door.open()
        return True

    async def _counted(self, letter: Letter) -> None:
        """For the operator; a store that fails too is no reason to stop."""
        try:
            await self._outbox.failed(letter.id)
        except ApplianceError as error:
            log.debug("letter=%d uncounted error=%s", letter.id, type(error).__name__)

    async def _settled(self, letter: Letter) -> None:
        """Written down as delivered; until it is, a restart would deliver it again."""
        failed = 0
        while True:
            try:
                await self._outbox.settle(letter.id)
                return
            except ApplianceError as error:
                failed += 1
                log.error("letter=%d delivered, not recorded error=%s", letter.id, type(error).__name__)
                await asyncio.sleep(self._pause.after(failed))


class _Owed:
    """A letter, and how many are still to be told."""

    def __init__(self, letter: Letter, left: int) -> None:
        self.letter = letter
        self.left = left


class _Door:
    """One deliverer: how many may go in at once, and a bell for who waits outside."""

    def __init__(self) -> None:
        self.room = asyncio.Semaphore(AT_ONCE)
        self._bell = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """So long, or until something was delivered here: then it is up again."""
        try:
            async with asyncio.timeout(seconds):
                await self._bell.wait()
        except TimeoutError:
            return

    def open(self) -> None:
        self._bell.set()
        self._bell = asyncio.Event()


class _Pause(msgspec.Struct, frozen=True):
    first_s: float
    most_s: float

    def after(self, failed: int) -> float:
        """Longer each time, and never the same for two: else all come back at once."""
        whole = min(self.most_s, self.first_s * 2 ** min(failed - 1, 30))
        return float(whole * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, keeps no secret


class _OfWhom(msgspec.Struct):
    conversation: str = ""


def _conversation(letter: Letter) -> str:
    """Whose it is; letters that name no conversation keep their order too."""
    try:
        return msgspec.json.decode(letter.payload, type=_OfWhom).conversation
    except msgspec.DecodeError:
        return ""
