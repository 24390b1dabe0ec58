"""Reads documents that may come from strangers: in a child process that gets so much memory and time and no more.

Knows how a child can die, and says each way in words; knows no file format and no database.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

import msgspec

import appliance
from appliance.errors import BadDocument, TooLarge
from appliance.knowledge.parsed import Metadata
from appliance.knowledge.passages import WORDS, Cut
from appliance.knowledge.reading import Order, Outcome


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one document may take, and how long a passage gets."""

    memory_mb: int = 1024
    seconds: int = 60
    upload_mb: int = 50
    words: int = WORDS
    sites: tuple[str, ...] = ()
    """Sites of the clinic besides those its documents name."""


async def read(name: str, data: bytes, *, given: Metadata | None = None, limits: Limits | None = None) -> Cut:
    """The document, read and cut in a child process. Raises BadDocument, or TooLarge, in words for whoever brought it."""
    limits = limits or Limits()
    if len(data) > limits.upload_mb << 20:
        raise too_large(len(data), limits)
    order = Order(
        name=name,
        given=given or Metadata(),
        words=limits.words,
        memory_mb=limits.memory_mb,
        seconds=limits.seconds,
    )
    answer, code = await _asked(order, data)
    return _cut(answer, code, limits)


def too_large(size: int, limits: Limits) -> TooLarge:
    return TooLarge(
        f"is {size / 2**20:.0f} MB large; the limit is {limits.upload_mb} MB (limits.upload_mb). "
        "Split it, or leave out its pictures"
    )


async def _asked(order: Order, data: bytes) -> tuple[bytes, int | None]:
    """What the child wrote, and how it ended; None: it was stopped because its time was over."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-P", "-B", "-m", "appliance.knowledge.reading", msgspec.json.encode(order).decode()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env={"PYTHONPATH": _HOUSE, "PATH": os.defpath, "LC_ALL": "C.UTF-8"},
    )
    try:
        async with asyncio.timeout(order.seconds + START_S):
            answer = await _conversed(child, data)
            return answer, await child.wait()
    except TimeoutError:
        return b"", None
    finally:
        if child.returncode is None:
            child.kill()
            await _emptied(child)
            await child.wait()


async def _conversed(child: asyncio.subprocess.Process, data: bytes) -> bytes:
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("the child was started without pipes")
    feeding = asyncio.ensure_future(_fed(child.stdin, data))
    try:
        parts: list[bytes] = []
        size = 0
        while part := await child.stdout.read(1 << 20):
            parts.append(part)
            if (size := size + len(part)) > MOST_ANSWER:
                raise BadDocument("holds more text than can be learnt as one document; split it")
        return b"".join(parts)
    finally:
        feeding.cancel()
        await asyncio.gather(feeding, return_exceptions=True)


async def _emptied(child: asyncio.subprocess.Process) -> None:
    """Reads what is left of a dead child's words: before Python 3.12 its end is told only when its pipe has been read out."""
    while child.stdout is not None and await child.stdout.read(1 << 20):
        pass


async def _fed(pipe: asyncio.StreamWriter, data: bytes) -> None:
    """The child may die before it has heard everything: its end tells why."""
    try:
        pipe.write(data)
        await pipe.drain()
    except (BrokenPipeError, ConnectionResetError):
        return
    finally:
        pipe.close()


def _cut(answer: bytes, code: int | None, limits: Limits) -> Cut:
    try:
        outcome = msgspec.json.decode(answer, type=Outcome) if code == 0 else _died(code)
    except msgspec.DecodeError:
        outcome = Outcome(bad=_CRASHED)
    if outcome.cut:
        return outcome.cut
    if outcome.out_of_memory:
        raise BadDocument(
            f"needs more than {limits.memory_mb} MB of memory to open (knowledge.parse_memory_mb); "
            "split it, or save it as a text or HTML file"
        )
    raise BadDocument(
        outcome.bad or f"took longer than {limits.seconds} seconds to read (knowledge.parse_seconds); split it"
    )


def _died(code: int | None) -> Outcome:
    if code is None or code in (-signal.SIGXCPU, -signal.SIGKILL):
        return Outcome()
    if code in (-signal.SIGABRT, -signal.SIGTRAP, -signal.SIGILL):  # how C++ ends when it gets no more memory
        return Outcome(out_of_memory=True)
    return Outcome(bad=_CRASHED)


START_S: Final = 5
MOST_ANSWER: Final = 256 << 20
_HOUSE: Final = str(Path(appliance.__file__).parents[1])
_CRASHED: Final = "is damaged: the reader broke off. Open it in the program it was made with and save it anew"
