"""How soon a hand-over is seen: python tests/bench/bench_handover.py [HOW_MANY]

From opening a case to its news in this process and to its delivered letter, and from a word of staff to the assistant's silence,
while as many cases wait as were opened before. A real store, a deliverer that takes 20 ms.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from contextlib import aclosing
from pathlib import Path
from statistics import quantiles
from time import monotonic
from uuid import uuid4

import msgspec

from appliance.conversations.attending import TakenOver
from appliance.conversations.case import Staffer
from appliance.conversations.cases import Desk
from appliance.conversations.letters import KINDS
from appliance.conversations.turns import Conversations
from appliance.message import MessageId
from appliance.operations.postman import Postman
from appliance.records.database import Database
from appliance.records.outbox import Letter, Outbox

ANA = Staffer(id="ana", name="Ana", role="nurse")


class Whose(msgspec.Struct):
    case: int


async def measure(folder: Path, how_many: int) -> dict[str, list[float]]:
    database = await Database.open(folder / "clinic.db", bytes(range(32)))
    desk, conversations = Desk(database), Conversations(database)
    told: dict[int, float] = {}
    delivered: dict[int, float] = {}

    async def deliver(letter: Letter) -> None:
        await asyncio.sleep(0.02)
        delivered.setdefault(msgspec.json.decode(letter.payload, type=Whose).case, monotonic())

    postman = Postman(Outbox(database), {kind: [deliver] for kind in KINDS})

    async def follow() -> None:
        async with aclosing(desk.news()) as news:
            async for one in news:
                told.setdefault(one.case_id, monotonic())
                postman.wake()

    running = [asyncio.create_task(follow()), asyncio.create_task(postman.run())]
    await asyncio.sleep(0)
    found: dict[str, list[float]] = {"case to news": [], "case to delivered letter": [], "word to silence": []}
    for _ in range(how_many):
        conversation, _ = await conversations.create("web", "en")
        began = monotonic()
        case = await desk.open(conversation, reason="asked", urgency=1, language="en", channel="web")
        while case.id not in told or case.id not in delivered:  # noqa: ASYNC110 - as a person would look
            await asyncio.sleep(0.0005)
        found["case to news"].append(told[case.id] - began)
        found["case to delivered letter"].append(delivered[case.id] - began)
        with desk.attending(conversation) as attending:
            answering = asyncio.create_task(attending.unless_taken(asyncio.Event().wait))
            await asyncio.sleep(0)
            began = monotonic()
            saying = asyncio.create_task(desk.say(conversation, ANA, "Hello", id=MessageId(str(uuid4())), via="page"))
            try:
                await answering
            except TakenOver:
                found["word to silence"].append(monotonic() - began)
            await saying
        await desk.leave(case.id, ANA)
    for task in running:
        task.cancel()
    await database.close()
    return found


def main(how_many: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), how_many))
    for name, times in found.items():
        cuts = quantiles(times, n=100)
        p50, p99, most = (1000 * value for value in (cuts[49], cuts[98], max(times)))
        print(f"{name:26} p50 {p50:6.1f} ms   p99 {p99:6.1f} ms   most {most:6.1f} ms")  # noqa: T201 - a script's answer


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 300)
