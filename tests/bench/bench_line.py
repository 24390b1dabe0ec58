"""How many calls one process holds, and what each costs: `python tests/bench/bench_line.py --calls 10,30,60`.

sipp calls, streams sound both ways and listens; each call is spoken to without a pause and read to the last frame. sipp runs on
the same machine and takes its own share of it. Informs, proves nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import uvloop

from tests.peers.conftest import desk
from tests.peers.programs import free_port
from tests.peers.sipp import ends_well, sipp
from voice.audio import mulaw
from voice.sip import SipCall

AHEAD_S = 0.4
TONE = (8000 * np.sin(2 * np.pi * 400 * np.arange(8000) / 8000)).astype(np.int16)


async def spoken(call: SipCall) -> None:
    """Says a tone without end, and listens."""
    await call.answer()
    at = 0
    while True:
        missing = round((AHEAD_S - call.buffered_s) * call.rate)
        at = (at + (call.write(TONE[at : at + missing]) if missing > 0 else 0)) % len(TONE)
        await call.read()


async def measured(calls: int, seconds: float) -> str:
    """A line of the table."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "caller.ul").write_bytes(mulaw(TONE))
        async with desk(free_port(), spoken, most_calls=calls) as here:
            async with sipp(folder, "streaming", here.port, seconds=seconds, calls=calls, rate=20) as callers:
                await here.call(calls, seconds=calls / 10 + 20)
                begun, used = time.monotonic(), time.process_time()
                late = await _lateness(seconds - calls / 20 - 1)
                share = (time.process_time() - used) / (time.monotonic() - begun)
                memory, threads = _of_process("VmRSS") / 1024, _of_process("Threads")
                await ends_well(callers, folder, seconds=60)
            await asyncio.gather(*(asyncio.wait_for(call.ended.wait(), 10) for call in here.calls))
            stats = [call.stats() for call in here.calls]
    lost = max(one.lost for one in stats)
    starved, dropped = sum(one.starved for one in stats), sum(one.dropped for one in stats)
    return (
        f"{calls:5d} {100 * share:6.1f} {100 * share / calls:8.2f} {lost:8.4f} {starved:8d} {dropped:8d} "
        f"{late:8.1f} {memory:8.0f} {threads:8d}"
    )


async def _lateness(seconds: float) -> float:
    """How late the loop was, at the 99th of a hundred, in milliseconds."""
    loop = asyncio.get_running_loop()
    end, late = loop.time() + max(1.0, seconds), []
    while (due := loop.time() + 0.02) < end:
        await asyncio.sleep(0.02)
        late.append(1000 * (loop.time() - due))
    return float(np.quantile(late, 0.99))


def _of_process(name: str) -> int:
    found = re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) if found else 0


async def main(counts: Sequence[int], seconds: float) -> None:
    print("calls  cpu %  a call %     lost  starved  dropped  late ms   MB rss  threads")  # noqa: T201 - a table
    for count in counts:
        print(await measured(count, seconds), flush=True)  # noqa: T201 - its lines


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", default="1,10,30,60")
    parser.add_argument("--seconds", type=float, default=15)
    given = parser.parse_args()
    uvloop.run(main([int(one) for one in given.calls.split(",")], given.seconds))
