"""A route point of 3CX as a telephone: its calls, with their sound, as any other call. Knows no words and no HTTP.

Who is there is read from 3CX after each event and every few seconds, and compared with whom we know: so a call is taken once, and
not later than the next look, whatever was told of it or not.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Final

import numpy as np

from appliance.channels.phone.pbx.control import Control, Event, NotDone, Participant, pause
from appliance.channels.phone.pbx.token import Access, Refused
from appliance.errors import Unavailable
from appliance.problems import where
from voice.line import CannotConsult, HungUp, LineStatus, Pcm, Stats, TransferFailed

log = logging.getLogger(__name__)

NAME: Final = "route point"
RATE: Final = 8000
FRAME: Final = RATE // 50
"""Samples of 20 milliseconds."""
AHEAD_S: Final = 0.2
"""So much is given to 3CX before it is due. It takes half a second; but what is with 3CX cannot be taken back."""
SILENCE_S: Final = 0.04
"""The same of silence, behind which words would have to wait."""
LATE_S: Final = 0.5
"""Who is so far behind begins anew instead of hurrying after."""
MOST_WAITING: Final = 10 * RATE
"""Samples that `write` takes before they are sent."""
MOST_UNREAD: Final = 100
"""Frames of the caller's; the oldest are dropped."""
LOOK_S: Final = 10.0
"""Without any event; more often where 3CX tells none."""
CONNECT_S: Final = 15.0
"""Who is not connected by then is given to people."""
HANDING_S: Final = 5.0
"""For 3CX's answer, after whoever was called had their time."""
ANSWER_S: Final = 4.0
AGAIN_S: Final = 1.0
STEADY_S: Final = 5.0
"""Sound that came or went for so long was well until then. Longer than a try to begin it may take."""
MUTE_S: Final = 15.0
"""A call whose sound cannot be had for so long is given to people."""
LINGER_S: Final = 3.0
"""3CX still shows a call that we have left; after so long we leave it again."""


class RouteCall:
    """One call at the route point; a `voice.line.Call`. It cannot consult: 3CX connects who is called by itself."""

    def __init__(self, control: Control, dn: str, overflow: str, seen: Participant, look: Callable[[], None]) -> None:
        self.participant = seen.id
        self.id = f"{dn}-{seen.callid or 0}-{seen.id}"
        self.line = NAME
        self.caller = seen.party_caller_id or ""
        self.called = seen.party_did or dn
        self.headers: Mapping[str, str] = {}
        self.rate = RATE
        self.digits: asyncio.Queue[str] = asyncio.Queue()
        self.ended = asyncio.Event()
        self.reason = ""
        self.left_at: float | None = None
        """When we left it, of our own accord."""
        self._leave: Callable[[], Awaitable[None]] = self._dropped_there
        self._control = control
        self._overflow = overflow
        self._look = look
        self._connected = False
        self._decided = asyncio.Event()
        """Connected, or over."""
        self._heard: deque[Pcm] = deque()
        self._came = asyncio.Event()
        self._half = b""
        self._waiting = bytearray()
        self._starved = self._dropped = 0
        self._streams: list[asyncio.Task[None]] = []
        self.seen(seen)

    # ---- what the clinic's side does --------------------------------------------------------------------------------

    async def answer(self) -> None:
        """3CX connects callers to most route points by itself; where it does not, it is asked to."""
        try:
            async with asyncio.timeout(CONNECT_S):
                await self._until_connected()
        except TimeoutError:
            self.over("3CX did not connect the caller")
            await self._given_away()
        if self.ended.is_set():
            raise HungUp
        self._streams = [
            asyncio.create_task(self._kept_open(work), name=f"{work.__name__} {self.id}")
            for work in (self._hear, self._speak)
        ]

    async def refuse(self, code: int = 486) -> None:
        """Whoever takes calls over our limit gets it; else it is dropped."""
        if not self.ended.is_set():
            self.over(f"refused {code}")
            await self._given_away()

    async def read(self) -> Pcm:
        while not self._heard:
            if self.ended.is_set():
                raise HungUp
            self._came.clear()
            await self._came.wait()
        return self._heard.popleft()

    def write(self, pcm: Pcm) -> int:
        if self.ended.is_set():
            raise HungUp
        room = max(0, MOST_WAITING - len(self._waiting) // 2)
        self._waiting += pcm[:room].astype("<i2").tobytes()
        return min(room, len(pcm))

    @property
    def buffered_s(self) -> float:
        return len(self._waiting) / 2 / RATE

    def flush(self) -> float:
        thrown = self.buffered_s
        self._waiting.clear()
        return thrown

    async def hang_up(self) -> None:
        if not self.ended.is_set():
            self.over("we hung up")
            await self._dropped_there()

    async def transfer(self, to: str, timeout_s: float) -> None:
        """Returns when it was taken; meanwhile the caller hears us."""
        if self.ended.is_set():
            raise HungUp
        try:
            await self._control.act(
                *(self.participant, "routeto"),
                timeout_s=timeout_s + HANDING_S,
                destination=to,
                timeout=round(timeout_s),
                reason="NoAnswer",
            )
        except NotDone as failed:
            raise TransferFailed(480, failed.reason) from None
        except Refused as failed:
            raise TransferFailed(failed.status) from None
        except Unavailable:
            await self._without_answer()
        self.over(f"transferred to {to}")
        await self._dropped_there()

    async def consult(self, to: str, timeout_s: float) -> RouteCall:
        raise CannotConsult(501)

    async def join(self, other: object) -> None:
        raise TransferFailed(501)

    async def hold(self) -> None:
        """Nobody is consulted, so nobody waits."""

    async def resume(self) -> None:
        """As `hold`."""

    def stats(self) -> Stats:
        return Stats(starved=self._starved, dropped=self._dropped)

    # ---- what 3CX tells ---------------------------------------------------------------------------------------------

    def seen(self, now: Participant) -> None:
        if now.connected:
            self._connected = True
            self._decided.set()

    def over(self, reason: str) -> None:
        """The call has ended for us; `read` gives what had come before."""
        if self.ended.is_set():
            return
        self.reason = reason
        self.ended.set()
        self._came.set()
        self._decided.set()
        self._waiting.clear()
        for stream in self._streams:
            stream.cancel()

    async def close(self) -> None:
        """Nothing of it runs any more."""
        self.over("closed")
        if self._streams:
            await asyncio.wait(self._streams)

    async def left_again(self) -> None:
        """3CX still shows it, long after we have left."""
        await self._leave()

    @property
    def lingers(self) -> bool:
        return self.left_at is not None and time.monotonic() - self.left_at > LINGER_S

    # ---- below ------------------------------------------------------------------------------------------------------

    async def _until_connected(self) -> None:
        while not self._decided.is_set():
            with suppress(Unavailable):  # refused or lost: what counts is whether the caller is connected
                await self._control.act(self.participant, "answer", timeout_s=ANSWER_S)
            self._look()
            with suppress(TimeoutError):
                async with asyncio.timeout(AGAIN_S):
                    await self._decided.wait()

    async def _given_away(self) -> None:
        """To whoever takes calls over our limit. Where 3CX does not tell whether it was done, it is asked again later."""
        self.left_at, self._leave = time.monotonic(), self._given_away
        action = "routeto" if self._connected else "divert"
        try:
            if self._overflow:
                await self._control.act(self.participant, action, destination=self._overflow, reason="NoAnswer")
                if action == "divert":  # it is not at our route point any more
                    return
        except (Refused, NotDone) as error:
            log.warning("call=dropped id=%s reason=pbx.overflow did not take it: %s", self.id, error)
        except Unavailable:
            return
        await self._dropped_there()

    async def _dropped_there(self) -> None:
        self.left_at, self._leave = time.monotonic(), self._dropped_there
        with suppress(Unavailable):  # gone already, or it is dropped again at a later look
            await self._control.act(self.participant, "drop")
        self._look()

    async def _without_answer(self) -> None:
        """Whether the caller was handed over, nobody has told: then it counts who is still here. Raises TransferFailed."""
        try:
            here = [one.id for one in await self._control.participants()]
        except Unavailable:
            raise TransferFailed(503) from None
        if self.participant in here:
            raise TransferFailed(408)

    async def _kept_open(self, stream: Callable[[], Awaitable[None]]) -> None:
        """A stream that ends before the call does is begun again."""
        failed, well_at = 0, time.monotonic()
        while not self.ended.is_set():
            began = time.monotonic()
            try:
                await stream()
            except Unavailable as error:
                log.info("call=stream id=%s %s", self.id, error)
            if (now := time.monotonic()) - began > STEADY_S:
                failed, well_at = 0, now
            if now - well_at > MUTE_S:
                log.error("call=mute id=%s", self.id)
                await self._given_away()
                self.over("its sound could not be had")
                return
            failed += 1
            self._look()
            await asyncio.sleep(pause(failed) / 5)

    async def _hear(self) -> None:
        self._half = b""
        async with self._control.heard(self.participant) as pieces:
            async for piece in pieces:
                self._arrived(piece)

    def _arrived(self, piece: bytes) -> None:
        whole = self._half + piece
        cut = len(whole) - len(whole) % (2 * FRAME)
        self._half = whole[cut:]
        for start in range(0, cut, 2 * FRAME):
            self._heard.append(np.frombuffer(whole, "<i2", FRAME, start).astype(np.int16))
        while len(self._heard) > MOST_UNREAD:
            self._heard.popleft()
            self._dropped += 1
        self._came.set()

    async def _speak(self) -> None:
        await self._control.say(self.participant, self._due)

    async def _due(self) -> AsyncIterator[bytes]:
        """What is to be sent, when it is to be sent; silence between words, so that nobody takes the line for dead."""
        began, sent = time.monotonic(), 0
        while not self.ended.is_set():
            due = round((time.monotonic() - began + SILENCE_S) * RATE) - sent
            if due > LATE_S * RATE:
                self._starved += bool(self._waiting)
                began, sent, due = time.monotonic(), 0, FRAME
            most = due + round((AHEAD_S - SILENCE_S) * RATE)
            samples = max(due, min(most, len(self._waiting) // 2))
            if samples >= FRAME:
                sound = bytes(self._waiting[: 2 * samples])
                del self._waiting[: 2 * samples]
                sent += samples
                yield sound.ljust(2 * samples, b"\0")
            await asyncio.sleep(FRAME / RATE)


class RoutePoint:
    """Takes the calls of one route point: a telephone as `voice.sip.Telephone` is, with one line."""

    def __init__(
        self, access: Access, dn: str, on_call: Callable[[RouteCall], Awaitable[None]], *, overflow: str = ""
    ) -> None:
        """``overflow``: who gets the calls that we refuse."""
        self._access = access
        self._control = Control(access, dn)
        self._dn = dn
        self._overflow = overflow
        self._on_call = on_call
        self._known: dict[int, RouteCall] = {}
        """Whom 3CX shows, also those whom we have left."""
        self._dirty = asyncio.Event()
        self._looked_at: float | None = None
        self._why = "not connected yet"
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Returns at once; `lines` tells when it works."""
        self._begun(self._unceasing(lambda: self._control.listen(self._dirty.set, self._happened)))
        self._begun(self._unceasing(self._look))

    async def stop(self) -> None:
        """Calls under way end."""
        for task in (tasks := list(self._tasks)):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        calls = list(self._known.values())
        self._known.clear()
        await asyncio.gather(*(call.hang_up() for call in calls))
        await asyncio.gather(*(call.close() for call in calls))
        await self._access.close()

    def lines(self) -> list[LineStatus]:
        calls = sum(not call.ended.is_set() for call in self._known.values())
        age = None if self._looked_at is None else time.monotonic() - self._looked_at
        works = self._control.connected and not self._why
        why = self._why or ("" if works else "3CX tells nothing: calls are found by looking")
        return [LineStatus(name=NAME, registered=works, last_ok_s=age, calls=calls, why=why)]

    # ---- below ------------------------------------------------------------------------------------------------------

    def _happened(self, event: Event) -> None:
        call = self._known.get(event.participant)
        if call and not call.ended.is_set():
            for key in event.digits:
                call.digits.put_nowait(key)

    async def _look(self) -> None:
        failed = 0
        while True:
            self._dirty.clear()
            try:
                self._compared(await self._control.participants())
                failed, self._why, self._looked_at = 0, "", time.monotonic()
            except Unavailable as error:
                failed += 1
                if str(error) != self._why:
                    log.warning("pbx=unseen %s", error)
                self._why = str(error)
                await asyncio.sleep(pause(failed))
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S if self._control.connected else LOOK_S / 5):
                    await self._dirty.wait()

    def _compared(self, there: list[Participant]) -> None:
        """Who came, who is connected by now, who has gone."""
        for one in there:
            if call := self._known.get(one.id):
                call.seen(one)
                if call.lingers:
                    self._begun(call.left_again())
            elif one.status != "Dialing":  # a call of ours
                self._came(one)
        for gone in self._known.keys() - {one.id for one in there}:
            call = self._known.pop(gone)
            call.over("the caller hung up")
            self._begun(call.close())

    def _came(self, one: Participant) -> None:
        call = RouteCall(self._control, self._dn, self._overflow, one, self._dirty.set)
        self._known[one.id] = call
        self._begun(self._offered(call))

    async def _offered(self, call: RouteCall) -> None:
        try:
            await self._on_call(call)
        except Exception as error:  # noqa: BLE001 - an edge: other callers are still taken
            log.error("call=failed id=%s %s", call.id, where(error))
            await call.refuse(500)

    async def _unceasing(self, work: Callable[[], Awaitable[None]]) -> None:
        """A mistake of ours does not end the line."""
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 - whatever it is, callers are still taken
                log.error("pbx=failed %s", where(error))
            await asyncio.sleep(AGAIN_S)

    def _begun(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
