"""A clinic's writer as a child process, to be killed or starved of disk by the tests beside it. Not a test itself."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from pathlib import Path
from typing import BinaryIO

from appliance.conversations.turns import Conversations
from appliance.errors import StoreFailed
from appliance.message import ConversationId, Message, MessageId, Opening, Text
from appliance.records.database import Database

KEY = bytes(range(32))
WORDS = ("my chest hurts since breakfast", "me duele el pecho desde ayer", "我从昨天起胸口很痛", "मुझे कल से सीने में दर्द है")
ANSWERS = ("the clinic opens at eight", "la clínica abre a las ocho", "诊所早上八点开门", "क्लिनिक सुबह आठ बजे खुलता है")


async def write(path: Path, conversation: ConversationId, begin: int, acknowledged: BinaryIO) -> None:
    """Messages without end; a line is written once a turn is recorded."""
    database = await Database.open(path, KEY, readers=1)
    conversations = Conversations(database)
    for number in range(begin, sys.maxsize):
        message = Message(
            id=MessageId(str(number)), conversation=conversation, channel="web", text=f"{WORDS[number % 4]} {number}"
        )
        assert await conversations.begin(message)
        acknowledged.write(b"begin %d\n" % number)
        acknowledged.flush()
        answer = (Opening(kind="quoted", language="en"), Text(text=f"{ANSWERS[number % 4]} {number}"))
        await conversations.finish(message, answer, kind="quoted", language="en", complete=True)
        acknowledged.write(b"finish %d\n" % number)
        acknowledged.flush()


def killed_after(path: Path, conversation: ConversationId, begin: int, acknowledgements: int) -> list[str]:
    """What a writer had acknowledged when it was killed without warning."""
    reads, writes = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reads)
        with os.fdopen(writes, "wb") as acknowledged:
            asyncio.run(write(path, conversation, begin, acknowledged))
        os._exit(1)
    os.close(writes)
    with os.fdopen(reads, "rb") as acknowledged:
        lines = [acknowledged.readline() for _ in range(acknowledgements)]
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return [line.decode().strip() for line in (*lines, *acknowledged) if line.endswith(b"\n")]


async def recorded(path: Path) -> tuple[set[str], list[str]]:
    """What the file holds after a crash, in the writer's words, and everything that is wrong with it."""
    database = await Database.open(path, KEY, readers=1)
    turns = await database.read(lambda c: c.execute("SELECT role, message_id, text, complete, at FROM turn").fetchall())
    last = await database.read(lambda c: c.execute("SELECT last_at FROM conversation").fetchone()[0])
    check = await database.read(lambda c: c.execute("PRAGMA integrity_check").fetchone()[0])
    wrong = list(await database.faults())
    await database.close()
    for role, number, text, complete, _ in turns:
        if not complete or text != f"{(WORDS if role == 'patient' else ANSWERS)[int(number) % 4]} {number}":
            wrong.append(f"{role} {number} is not what was said")
    if len({turn[:2] for turn in turns}) != len(turns):
        wrong.append("a turn is there twice")
    if turns and last != max(turn[4] for turn in turns):
        wrong.append("a turn without its conversation's time: half a transaction")
    if check != "ok":
        wrong.append(check)
    return {f"{'begin' if role == 'patient' else 'finish'} {number}" for role, number, *_ in turns}, wrong


async def new_conversation(path: Path) -> ConversationId:
    database = await Database.open(path, KEY, readers=1)
    conversation, _ = await Conversations(database).create("web")
    await database.close()
    return conversation


def kill_often(path: Path, kills: int) -> dict[str, object]:
    """Kill a writer again and again; the last time leave everything as the dead process left it."""
    conversation = asyncio.run(new_conversation(path))
    chance = random.Random(5)  # noqa: S311 - repeatable, not secret
    acknowledged, lost, wrong = 0, 0, list[str]()
    everything: set[str] = set()
    for kill in range(kills):
        begin = 1_000_000 * kill
        said = killed_after(path, conversation, begin, chance.randrange(1, 24))
        acknowledged += len(said)
        everything |= set(said)
        held, found = asyncio.run(recorded(path))
        lost += len(everything - held)
        wrong += found
    killed_after(path, conversation, 1_000_000 * kills, 8)
    return {"acknowledged": acknowledged, "lost": lost, "wrong": wrong}


async def fill(directory: Path) -> dict[str, object]:
    """Write until the disk is full, read, make room, write on."""
    path, ballast = directory / "clinic.db", directory / "ballast"
    conversation = await new_conversation(path)
    ballast.write_bytes(b"\0" * 2**20)
    database = await Database.open(path, KEY, readers=1)
    conversations = Conversations(database)

    async def say(number: int) -> None:
        text = f"{number} " + "word " * 2000
        await conversations.begin(
            Message(id=MessageId(str(number)), conversation=conversation, channel="web", text=text)
        )

    told, acknowledged = [], 0
    try:
        while acknowledged < 10_000:
            await say(acknowledged)
            acknowledged += 1
    except StoreFailed as error:
        told.append(str(error))
    try:
        await say(acknowledged)
    except StoreFailed as error:
        told.append(str(error))
    during = len(await conversations.history(conversation, limit=100_000))
    ballast.unlink()
    await say(acknowledged)
    after = len(await conversations.history(conversation, limit=100_000))
    await database.close()
    again, wrong = await Database.open(path, KEY, readers=1), []
    wrong += [*await again.faults(), await again.read(lambda c: c.execute("PRAGMA integrity_check").fetchone()[0])]
    await again.close()
    return {"told": told, "acknowledged": acknowledged, "during": during, "after": after, "wrong": wrong}


if __name__ == "__main__":
    task, place = sys.argv[1], Path(sys.argv[2])
    result = kill_often(place / "clinic.db", int(sys.argv[3])) if task == "kill" else asyncio.run(fill(place))
    sys.stdout.write(json.dumps(result))
