"""Many calls, a process that is busy, a thread that dies: with sipp at the other end."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path
from time import monotonic, process_time

import numpy as np
import pytest

from tests.peers.conftest import desk
from tests.peers.programs import free_port, running, said
from tests.peers.sipp import ends_well, sipp
from tests.peers.sound import Sound
from voice.audio import mulaw, unmulaw
from voice.sip import SipCall

pytestmark = [pytest.mark.peers, pytest.mark.slow]

SECOND = (8000 * np.sin(2 * np.pi * 400 * np.arange(8000) / 8000)).astype(np.int16)
"""A tone that can be said again and again: it ends where it begins."""
AHEAD_S = 0.6


async def spoken(call: SipCall) -> None:
    """The tone, without end, written ahead of time; the caller is listened to meanwhile."""
    await call.answer()
    at = 0
    while True:
        while call.buffered_s < AHEAD_S and (taken := call.write(SECOND[at : at + 160])):
            at = (at + taken) % len(SECOND)
        await call.read()


async def test_thirty_calls_lose_nothing(folder: Path, pbx_port: int):
    (folder / "caller.ul").write_bytes(mulaw(SECOND))
    async with desk(pbx_port, spoken, most_calls=30) as here:
        async with sipp(folder, "streaming", here.port, seconds=8, calls=30, rate=15) as callers:
            await here.call(30)
            began, cpu = monotonic(), process_time()
            await ends_well(callers, folder, seconds=60)
            share = (process_time() - cpu) / (monotonic() - began) / 30
        await asyncio.gather(*(asyncio.wait_for(call.ended.wait(), 60) for call in here.calls))
        stats = [call.stats() for call in here.calls]
        sent = [call.native.final_stats.tx_packets for call in here.calls if call.native.final_stats]
    assert [one.lost for one in stats] == [0] * 30
    assert sum(one.dropped for one in stats) == 0
    assert sum(one.starved for one in stats) == 0
    assert min(sent) > 350  # of 400
    assert share < 0.05


async def test_a_process_that_holds_the_gil_for_400_ms_is_not_heard(folder: Path, pbx_port: int):
    """Packets go out on time, by the kernel's clock, and the tone in them is whole."""
    with Sound() as sound:
        async with (
            desk(pbx_port, spoken) as here,
            sipp(folder, "plain", here.port, pts=0, sound=sound.port, seconds=6) as caller,
        ):
            await here.call()
            await sound.peer()
            await asyncio.sleep(0.7)
            since = sound.came[-1][0]
            for _ in range(5):
                _hold_the_gil(0.4)
                await asyncio.sleep(0.4)
            until = sound.came[-1][0]
            await ends_well(caller, folder)
    gaps = sound.gaps_ms(since=since)
    assert np.quantile(gaps, 0.9) < 60
    assert max(gaps) < 300  # other work on this machine may keep any thread waiting; the stall itself would be 400
    during = [packet for at, packet in sound.came if since <= at <= until]
    assert len(during) > 150
    assert all(unmulaw(packet[12:]).max() > 6000 for packet in during), "there was silence in the tone"


async def test_three_hundred_calls_leave_nothing_behind(folder: Path, pbx_port: int):
    async with desk(pbx_port, spoken, most_calls=20) as here:
        async with sipp(folder / "first", "uac", here.port, seconds=0.5, calls=60, rate=20, at_once=15) as callers:
            await ends_well(callers, folder / "first", seconds=60)
        before = await _used()
        async with sipp(folder / "all", "uac", here.port, seconds=0.5, calls=300, rate=20, at_once=15) as callers:
            await ends_well(callers, folder / "all", seconds=120)
        after = await _used()
        assert len(here.calls) == 360
        assert here.telephone.lines()[0].calls == 0
    descriptors, threads, megabytes = (new - old for new, old in zip(after, before, strict=True))
    assert (descriptors, threads) == (0, 0)
    assert megabytes < 8


async def test_a_telephone_that_dies_says_so(folder: Path):
    """In a process of its own: after that there can be no other in it."""
    words = _DEATH.format(port=free_port())
    async with running(sys.executable, "-c", words, folder=folder) as process:
        await said(folder, "died: its thread has ended", seconds=60)
        assert await asyncio.wait_for(process.wait(), 60) == 70


_DEATH = """
import asyncio, os
from voice.sip import Line, PhoneSettings, Telephone
from baresip._native import ffi, lib

async def main():
    def died(why):
        print("died:", why, flush=True)
        os._exit(70)
    async def refuse(call):
        await call.refuse()
    line = Line(name="a", user="100", password="x")
    telephone = Telephone(PhoneSettings(pbx="127.0.0.1:9", lines=(line,), listen="127.0.0.1:{port}"), refuse, died)
    await telephone.start()
    lib.bp_cmd(lib.BP_CMD_STOP, 0, ffi.NULL)
    await asyncio.Event().wait()

asyncio.run(main())
"""


def _hold_the_gil(seconds: float) -> None:
    """As a library does that computes without letting others run."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        end = monotonic() + seconds
        while monotonic() < end:
            pass
    finally:
        sys.setswitchinterval(usual)


async def _used() -> tuple[int, int, float]:
    """Descriptors, threads, megabytes, once all has calmed down."""
    await asyncio.sleep(3)
    status = Path("/proc/self/status").read_text()
    threads, kilobytes = (int(re.search(rf"{name}:\s+(\d+)", status)[1]) for name in ("Threads", "VmRSS"))  # type: ignore[index]  # they are there
    return len(os.listdir("/proc/self/fd")), threads, kilobytes / 1024  # noqa: PTH208 - names are enough
