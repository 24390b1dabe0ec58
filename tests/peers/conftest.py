"""Our telephone, as the tests call it. One runtime a process: each test has its own, closed before the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.peers.kamailio import DOMAIN, PASSWORD
from tests.peers.programs import free_port
from voice.line import HungUp
from voice.sip import Line, PhoneSettings, SipCall, Telephone

Work = Callable[[SipCall], Awaitable[None]]


class Desk:
    """Takes the telephone's calls: answers each, and does with it what the test says."""

    def __init__(self, work: Work) -> None:
        self.calls: list[SipCall] = []
        self.died: list[str] = []
        self.port = 0
        self.telephone: Telephone
        self._work = work
        self._tasks: set[asyncio.Task[None]] = set()
        self._came = asyncio.Event()

    async def take(self, call: SipCall) -> None:
        self.calls.append(call)
        self._came.set()
        task = asyncio.create_task(self._serve(call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def call(self, number: int = 1, *, seconds: float = 60) -> SipCall:
        """The nth call, answered."""
        async with asyncio.timeout(seconds):
            while len(self.calls) < number:
                self._came.clear()
                await self._came.wait()
            call = self.calls[number - 1]
            while not call.native.audio or not call._answered:
                await asyncio.sleep(0.01)
        return call

    async def registered(self, *, line: int = 0, seconds: float = 60) -> None:
        async with asyncio.timeout(seconds):
            while not self.telephone.lines()[line].registered:
                await asyncio.sleep(0.02)

    async def _serve(self, call: SipCall) -> None:
        try:
            await self._work(call)
        except HungUp:
            return


async def answered(call: SipCall) -> None:
    await call.answer()


async def echoed(call: SipCall) -> None:
    """The caller hears himself."""
    await call.answer()
    while True:
        call.write(await call.read())


@asynccontextmanager
async def desk(pbx: int, work: Work = answered, **more: Any) -> AsyncIterator[Desk]:
    """Line ``a``, extension 100, at a PBX on this port of loopback."""
    one = Desk(work)
    one.port = more.pop("port", 0) or free_port()
    lines = more.pop("lines", (Line(name="a", user="100", password=PASSWORD),))
    settings = PhoneSettings(
        **{"pbx": f"127.0.0.1:{pbx}", "domain": DOMAIN, "lines": lines, "listen": f"127.0.0.1:{one.port}", **more}
    )
    one.telephone = Telephone(settings, one.take, one.died.append)
    await one.telephone.start()
    try:
        yield one
    finally:
        await one.telephone.stop()


@pytest.fixture
def pbx_port() -> int:
    return free_port()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
