"""Hand-overs without end in a child process, with a postman beside them, to be killed by the test beside it. Not a test itself."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import msgspec

from appliance.conversations.case import Case, Staffer
from appliance.conversations.cases import Desk
from appliance.conversations.letters import KINDS
from appliance.conversations.turns import Conversations
from appliance.errors import ApplianceError
from appliance.message import Message, MessageId, Opening, Text
from appliance.operations.postman import Postman
from appliance.records import database as module
from appliance.records.database import Connection, Database
from appliance.records.outbox import Letter, Outbox

KEY = bytes(range(32))
STAFF = [Staffer(id=f"s{n}", name=f"S {n}", role="nurse") for n in range(3)]


def acts(desk: Desk, case: Case, by: Staffer, word: MessageId) -> list[Callable[[], Awaitable[Any]]]:
    """What a member of staff may do with a case."""
    return [
        lambda: desk.accept(case.id, by),
        lambda: desk.say(case.conversation, by, "Hello", id=word, via="page"),
        lambda: desk.leave(case.id, by),
        lambda: desk.give_back(case.id, by),
        lambda: desk.raise_level(case.id),
    ]


async def work(path: Path, acknowledged: BinaryIO, delivered: BinaryIO) -> None:
    """A line is written once a patient's message or a word of staff is kept."""
    module.LOCK_WAIT_S = 60.0  # the disk may be slow
    database = await Database.open(path, KEY, readers=1)
    desk, conversations, chance = Desk(database), Conversations(database), random.Random()  # noqa: S311 - a test's

    async def deliver(letter: Letter) -> None:
        delivered.write(b"%d\n" % letter.id)
        delivered.flush()

    async def patient() -> None:
        while True:
            conversation, _ = await conversations.create("web", "en")
            for _ in range(6):
                message = Message(id=MessageId(str(uuid4())), conversation=conversation, channel="web", text="Hello?")
                await conversations.begin(message)
                acknowledged.write(f"patient {message.id}\n".encode())
                acknowledged.flush()
                if await desk.patient_said(conversation, message.id) is None:
                    answer = (Opening(kind="quoted", language="en"), Text(text="Yes."))
                    await conversations.finish(message, answer, kind="quoted", language="en", complete=True)
                    await desk.open(conversation, reason="asked", urgency=1, language="en", channel="web")

    async def staff(by: Staffer) -> None:
        while True:
            await asyncio.sleep(0)
            for case in (await desk.queue())[:3]:
                word = MessageId(str(uuid4()))
                act = chance.choice(acts(desk, case, by, word))
                try:
                    done = await act()
                except ApplianceError:
                    continue  # somebody was first
                if hasattr(done, "role_of_staff"):
                    acknowledged.write(f"staff {word}\n".encode())
                    acknowledged.flush()

    postman = Postman(Outbox(database), {kind: [deliver] for kind in KINDS}, look_s=0.01)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(postman.run())
        tasks.create_task(patient())
        for by in STAFF:
            tasks.create_task(staff(by))


def killed_after(path: Path, acknowledgements: int) -> list[str]:
    """What was acknowledged when the process was killed without warning."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        with os.fdopen(writes, "wb") as acknowledged, path.with_name("delivered").open("ab") as delivered:
            asyncio.run(work(path, acknowledged, delivered))
        os._exit(1)
    os.close(writes)
    with os.fdopen(reads, "rb") as acknowledged:
        lines = [acknowledged.readline() for _ in range(acknowledgements)]
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return [line.decode().strip() for line in (*lines, *acknowledged) if line.endswith(b"\n")]


def kept(connection: Connection) -> dict[str, Any]:
    """All that the file holds of hand-overs."""

    def rows(sql: str) -> list[tuple[Any, ...]]:
        return connection.execute(sql).fetchall()

    return {
        "turns": rows("SELECT role, message_id FROM turn"),
        "answers": {row[0] for row in rows("SELECT message_id FROM turn WHERE role = 'assistant'")},
        "counted": {row[0] for row in rows("SELECT detail FROM case_event WHERE event = 'patient_said'")},
        "said": [row[0] for row in rows("SELECT detail FROM case_event WHERE event = 'said'")],
        "letters": rows("SELECT id, kind, payload FROM outbox"),
        "events": rows("SELECT handover, event, from_state, to_state FROM case_event ORDER BY id"),
        "cases": rows("SELECT id, state FROM handover"),
    }


def wrongs(held: dict[str, Any], acknowledged: set[str]) -> list[str]:
    """What is lost, doubled or without an owner."""
    wrong = []
    turns = Counter(held["turns"])
    wrong += [f"twice: {turn}" for turn, times in turns.items() if times > 1]
    wrong += [f"lost: {line}" for line in acknowledged if tuple(line.split(" ")) not in turns]
    unowned = {id for role, id in turns if role == "patient"} - held["answers"] - held["counted"]
    # One that was being answered by the assistant when the process died is due when the page comes back.
    wrong += ["unowned"] * max(0, len(unowned) - held["kills"])
    said = Counter(held["said"])
    words = {id for role, id in turns if role == "staff"}
    wrong += [] if set(said) == words and set(said.values()) <= {1} else ["words and their events differ"]
    letters = Counter(
        msgspec.json.decode(payload)["message_id"] for _, kind, payload in held["letters"] if kind == "case.staff_said"
    )
    wrong += [] if letters == said else ["words and their letters differ"]
    state: dict[int, str] = {}
    for case, event, before, after in held["events"]:
        if state.get(case, before) != before:
            wrong.append(f"case {case}: {event} came from {before}, not from {state[case]}")
        state[case] = after
    wrong += [
        f"case {case} is {now}, its last event says {state[case]}" for case, now in held["cases"] if state[case] != now
    ]
    return wrong


async def looked_at(path: Path, delivered: Path) -> dict[str, Any]:
    """The file after the last kill; then the letters that are left go out."""
    database = await Database.open(path, KEY, readers=1)
    held = await database.read(kept)
    again: list[int] = []

    async def deliver(letter: Letter) -> None:
        again.append(letter.id)

    outbox = Outbox(database)
    running = asyncio.create_task(Postman(outbox, {kind: [deliver] for kind in KINDS}, look_s=0.01).run())
    async with asyncio.timeout(240):
        while await outbox.waiting(1):  # noqa: ASYNC110 - the store has no bell
            await asyncio.sleep(0.01)
    running.cancel()
    await database.close()
    ever = {int(line) for line in (await asyncio.to_thread(delivered.read_text)).split()} | set(again)
    return {**held, "undelivered": [id for id, _, _ in held["letters"] if id not in ever]}


def main(directory: Path, kills: int) -> None:
    path, acknowledged = directory / "clinic.db", set[str]()
    for _ in range(kills):
        acknowledged |= set(killed_after(path, random.randint(3, 60)))  # noqa: S311 - a test's
    held = {**asyncio.run(looked_at(path, directory / "delivered")), "kills": kills}
    report = {
        "acknowledged": len(acknowledged),
        "cases": len(held["cases"]),
        "letters": len(held["letters"]),
        "undelivered": held["undelivered"],
        "wrong": wrongs(held, acknowledged),
    }
    print(json.dumps(report))  # noqa: T201 - read by the test


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
