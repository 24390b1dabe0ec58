"""Telephones of callers and staff, in the hands of a test: they dial, speak, press keys, follow a transfer, keep what they hear.

They are made of the library itself, not of `voice.sip`: one that the product gets wrong is not got wrong alike at both ends.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import baresip
import numpy as np
from numpy.typing import NDArray

from tests.peers.kamailio import DOMAIN, PASSWORD
from tests.peers.programs import free_port

CallFailed = baresip.CallFailed
Pcm = NDArray[np.int16]
RATE = 8000
FRAME = 160
AHEAD_S = 0.04
LOUD = 300
"""Root mean square of a frame of speech, at least; silence through µ-law has single digits."""


class Leg:
    """One call at this telephone. Times are of the machine's monotonic clock."""

    def __init__(self, native: baresip.Call) -> None:
        self.native = native
        self.began = time.monotonic()
        self.up = asyncio.Event()
        self.ended = asyncio.Event()
        self.ended_at = 0.0
        self.why = ""
        self.heard: list[tuple[float, Pcm]] = []
        """(when it came, what came)."""
        self._said: list[Pcm] = []
        self._silent = asyncio.Event()
        native.on(self._happened)
        self._sound = asyncio.create_task(self._flow())

    async def says(self, pcm: Pcm) -> float:
        """In real time. Returns when the last of it went out."""
        self._silent.clear()
        self._said += [pcm[at : at + FRAME] for at in range(0, len(pcm), FRAME)]
        await self._silent.wait()
        return time.monotonic()

    async def presses(self, keys: str) -> None:
        await self.native.send_dtmf(keys)

    async def hangs_up(self) -> None:
        with suppress(baresip.BaresipError):
            await self.native.hangup()
        await self.close()

    async def close(self) -> None:
        self._sound.cancel()
        await asyncio.gather(self._sound, return_exceptions=True)

    def sound(self, since: float = 0.0) -> Pcm:
        """All that was heard since then."""
        return np.concatenate([np.zeros(0, np.int16), *(pcm for at, pcm in self.heard if at >= since)])

    def loud_at(self, since: float) -> float | None:
        """When the first sound after that moment came."""
        return next((at for at, pcm in self.heard if at > since and _loud(pcm)), None)

    async def speaks(self, since: float, *, seconds: float = 30) -> float:
        """Until there is a sound after that moment; when it came."""
        return await self._until(lambda: self.loud_at(since), seconds)

    async def quiet(self, since: float, *, for_s: float = 1.5, seconds: float = 60) -> float:
        """Until the other side, which has spoken since then, has been silent for so long; when it became so."""
        return await self._until(lambda: self._quiet_at(since, for_s), seconds)

    async def over(self, *, seconds: float = 60) -> str:
        async with asyncio.timeout(seconds):
            await self.ended.wait()
        return self.why

    def _quiet_at(self, since: float, for_s: float) -> float | None:
        loud = [at for at, pcm in self.heard if at > since and _loud(pcm)]
        return loud[-1] if loud and self.heard[-1][0] - loud[-1] > for_s else None

    async def _until(self, seen: Callable[[], float | None], seconds: float) -> float:
        async with asyncio.timeout(seconds):
            while (found := seen()) is None:
                assert not self.ended.is_set(), f"the call is over: {self.why}"
                await asyncio.sleep(0.02)
        return found

    async def _flow(self) -> None:
        while True:
            with suppress(baresip.AudioNotActive, baresip.AudioRestarted):
                self._exchanged()
            await asyncio.sleep(0.01)

    def _exchanged(self) -> None:
        info = self.native.audio.info()
        if info.rx_ready and info.rx_buffered:
            pcm = np.frombuffer(self.native.audio.read(info.rx_buffered), np.int16)
            self.heard.append((time.monotonic(), pcm))
        if not info.tx_ready:
            return
        waiting = info.tx_buffered / 2 / RATE
        while self._said and waiting < AHEAD_S:
            self.native.audio.write(self._said.pop(0).tobytes())
            waiting += FRAME / RATE
        if not self._said and not waiting:
            self._silent.set()

    def _happened(self, event: baresip.StackEvent) -> None:
        if event.event is baresip.Event.CALL_ESTABLISHED:
            self.up.set()
        elif event.event is baresip.Event.CALL_CLOSED:
            self.why, self.ended_at = event.text or "", time.monotonic()
            self.ended.set()


class Handset:
    """One extension. ``answers``: whether somebody picks up; what it does with the call is ``does``."""

    def __init__(self, user: str, runtime: baresip.Runtime, agent: baresip.UserAgent, *, answers: bool) -> None:
        self.user = user
        self._runtime = runtime
        self.legs: list[Leg] = []
        self._agent = agent
        self._answers = answers
        self._tasks: set[asyncio.Task[None]] = set()
        agent.on_incoming(self._rang)
        agent.on_transfer_call(lambda native: self.legs.append(Leg(native)))

    async def dials(self, number: str, *, seconds: float = 30) -> Leg:
        """The call, once it is answered."""
        early: list[baresip.StackEvent] = []
        listen = early.append
        self._runtime.subscribe(listen)
        try:
            leg = Leg(await self._agent.dial(f"sip:{number}@{DOMAIN}"))
        finally:
            self._runtime.unsubscribe(listen)
        for event in early:  # an answer may come before the library has its call
            leg.native._on_stack_event(event)
        self.legs.append(leg)
        await leg.native.wait_established(seconds)
        return leg

    async def leg(self, number: int = 1, *, seconds: float = 60) -> Leg:
        """The nth call here, dialled, come in or transferred to, once it stands."""
        async with asyncio.timeout(seconds):
            while len(self.legs) < number:
                await asyncio.sleep(0.02)
            await self.legs[number - 1].up.wait()
        return self.legs[number - 1]

    async def rings(self, *, seconds: float = 60) -> None:
        """Until somebody calls, answered or not."""
        async with asyncio.timeout(seconds):
            while not self.legs:
                await asyncio.sleep(0.02)

    def _rang(self, native: baresip.Call) -> None:
        self.legs.append(Leg(native))
        if self._answers:
            task = asyncio.create_task(native.answer())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for leg in self.legs:
            await leg.hangs_up()


@asynccontextmanager
async def handsets(pbx: int, *users: str, unanswered: tuple[str, ...] = ()) -> AsyncIterator[dict[str, Handset]]:
    """Extensions at the PBX on this port of loopback; ``unanswered`` ring for ever."""
    logging.getLogger("baresip").setLevel(logging.ERROR)
    runtime = baresip.Runtime()
    config = baresip.Config(
        net_interface="127.0.0.1",
        max_concurrent_calls=50,
        extra_config_text=f"sip_listen 127.0.0.1:{free_port()}\ncall_hold_other_calls no\naudio_jitter_buffer_type off\n",
    )
    await runtime.start(config)
    made: dict[str, Handset] = {}
    try:
        for user in (*users, *unanswered):
            account = baresip.Account(
                *(user, DOMAIN, PASSWORD),
                registrar=f"127.0.0.1:{pbx}",
                reg_interval=600,
                audio_codecs=("pcmu",),
                extra_params=("video_codecs=none",),
            )
            agent = await baresip.UserAgent.create(runtime, account, transfer_policy="auto")
            await agent.register()
            made[user] = Handset(user, runtime, agent, answers=user not in unanswered)
        yield made
    finally:
        for one in made.values():
            await one.close()
        await runtime.close()


def _loud(pcm: Pcm) -> bool:
    return bool(np.sqrt(np.mean(pcm.astype(np.float64) ** 2)) > LOUD)
