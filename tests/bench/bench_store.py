"""How fast the store is on this machine: `python tests/bench/bench_store.py`. Informs, proves nothing."""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from itertools import count
from pathlib import Path

from appliance.conversations.turns import Conversations
from appliance.message import ConversationId, Message, MessageId, Opening, Text
from appliance.records.database import Database

PARTS = (Opening(kind="quoted", language="en"), Text(text="The clinic opens at eight o'clock. " * 8))


async def timed(ask: Callable[[int], Awaitable[object]], times: int, *, together: int) -> tuple[float, float]:
    """Milliseconds of one (median), and how many a second, so many at once."""
    took: list[float] = []

    async def worker(first: int) -> None:
        for number in range(first, times, together):
            begin = time.perf_counter()
            await ask(number)
            took.append(time.perf_counter() - begin)

    begin = time.perf_counter()
    await asyncio.gather(*(worker(first) for first in range(together)))
    return statistics.median(took) * 1000, times / (time.perf_counter() - begin)


def resident_mb() -> int:
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmRSS"))


async def main() -> None:
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as directory:
        database = await Database.open(Path(directory) / "clinic.db", bytes(32))
        conversations = Conversations(database)
        mine: list[ConversationId] = [(await conversations.create("web"))[0] for _ in range(50)]
        tokens = [(await conversations.create("web"))[1] for _ in range(50)]

        numbers = count()

        def message(number: int) -> Message:
            return Message(
                id=MessageId(str(next(numbers))),
                conversation=mine[number % 50],
                channel="web",
                text="When do you open? " * 4,
            )

        async def turn(number: int) -> None:
            asked = message(number)
            await conversations.begin(asked)
            await conversations.finish(asked, PARTS, kind="quoted", language="en", complete=True)

        async def history(number: int) -> None:
            await conversations.history(mine[number % 50], limit=20)

        async def by_token(number: int) -> None:
            await conversations.by_token(tokens[number % 50])

        async def nothing(_: int) -> None:
            await database.read(lambda c: c.execute("SELECT 1").fetchone())

        for name, ask, times in (
            ("message and answer (2 commits)", turn, 1000),
            ("conversation of a token", by_token, 5000),
            ("history of 20 turns", history, 2000),
            ("empty read (threads alone)", nothing, 5000),
        ):
            for together in (1, 8):
                one, rate = await timed(ask, times, together=together)
                sys.stdout.write(f"{name:32} {together} at once: {one:7.2f} ms, {rate:7.0f} a second\n")
        sys.stdout.write(f"resident {resident_mb()} MB\n")
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
