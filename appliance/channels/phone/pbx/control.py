"""3CX's Call Control API: who is at our route point, what is done with them, their sound both ways. Decides nothing.

Its WebSocket tells that something happened, not reliably what: events are lost with a broken line, and nothing is replayed. So an
event only says "look", and who is there is read from 3CX itself; what comes twice or out of order does no harm.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

import msgspec

from appliance.channels.phone.pbx.token import Access
from appliance.errors import Unavailable

log = logging.getLogger(__name__)

T = TypeVar("T")

DIGITS: Final = 2
"""The kind of an event; others are 0 Upset, 1 Remove and 3 PromptPlaybackFinished."""
OPEN_S: Final = 4.0
"""For the first byte of an answer that is sound."""
REMEMBERED: Final = 256
"""Numbers of events, so that none counts twice."""
SOME: Final = 3
"""Tries after which somebody should look; one break is nothing."""
FIRST_S: Final = 0.5
MOST_S: Final = 20.0
"""The longest pause between two tries."""


class Participant(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody at our end of a call."""

    id: int
    status: str = ""
    """Ringing, Connected, Dialing and others."""
    party_caller_id: str | None = None
    party_did: str | None = None
    callid: int | None = None

    @property
    def connected(self) -> bool:
        return self.status == "Connected"

    def __repr__(self) -> str:
        return f"Participant({self.id}, {self.status!r})"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """Something happened to a participant of ours. ``digits``: keys that were pressed, if any."""

    participant: int
    digits: str = ""

    def __repr__(self) -> str:
        return f"Event({self.participant})"


class _Inner(msgspec.Struct, frozen=True):
    event_type: int
    entity: str
    attached_data: Any = None
    """By the kind of event; of keys an object with ``dtmf_input``."""


class _Frame(msgspec.Struct, frozen=True):
    event: _Inner
    sequence: int | None = None


class _Dn(msgspec.Struct, frozen=True):
    dn: str
    participants: list[Participant] | None
    """Without a default: an answer that does not say who is there must not end calls."""


class _Done(msgspec.Struct, frozen=True):
    finalstatus: str = ""
    reason: str | None = None


class NotDone(Unavailable):
    """3CX has tried, and it came to nothing; ``reason`` is 3CX's word for why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"3CX did not do it: {reason or 'no reason given'}")
        self.reason = reason


class Control:
    """The calls of one route point."""

    def __init__(self, access: Access, dn: str) -> None:
        self._access = access
        self._root = f"/callcontrol/{dn}"
        self._entities = f"{self._root}/participants/".lower()
        self.connected = False

    async def participants(self) -> list[Participant]:
        """Who is there now. Raises Unavailable."""
        return _read(await self._access.asked("GET", self._root), _Dn).participants or []

    async def act(self, participant: int, action: str, *, timeout_s: float | None = None, **body: Any) -> None:
        """answer, drop, divert, routeto, transferto, attach_participant_data. Raises Refused, NotDone, Unavailable."""
        path = f"{self._root}/participants/{participant}/{action}"
        content = await self._access.asked("POST", path, body=body, timeout_s=timeout_s)
        done = _read(content, _Done) if content.strip() else _Done()
        if done.finalstatus not in ("", "Success"):
            raise NotDone(done.reason or "")

    @asynccontextmanager
    async def heard(self, participant: int) -> AsyncIterator[AsyncIterator[bytes]]:
        """Their sound as it comes: 16 bit, 8 kHz, mono, little-endian, cut anywhere."""
        path = f"{self._root}/participants/{participant}/stream"
        async with self._access.opened("GET", path, within_s=OPEN_S) as answer:
            yield answer.content.iter_any()

    async def say(self, participant: int, sound: Callable[[], AsyncIterator[bytes]]) -> None:
        """Until the sound ends, or 3CX wants no more of it."""
        async with self._access.opened("POST", f"{self._root}/participants/{participant}/stream", data=sound):
            pass

    async def listen(self, look: Callable[[], None], happened: Callable[[Event], None]) -> None:
        """Until it is cancelled. ``look``: at each beginning, because meanwhile much may have happened, and with each event."""
        failed = 0
        while True:
            began = time.monotonic()
            try:
                await self._listened(look, happened)
                reason = "closed"
            except Unavailable as error:
                reason = str(error)
            finally:
                self.connected = False
            failed = 1 if time.monotonic() - began > MOST_S else failed + 1
            log.log(logging.WARNING if failed == SOME else logging.DEBUG, "pbx=disconnected reason=%s", reason)
            await asyncio.sleep(pause(failed))

    async def _listened(self, look: Callable[[], None], happened: Callable[[Event], None]) -> None:
        seen: deque[int | None] = deque(maxlen=REMEMBERED)
        async with self._access.frames("/callcontrol/ws") as following:
            self.connected = True
            look()
            while (frame := await following()) is not None:
                if event := self._event(frame, seen):
                    happened(event)
                look()

    def _event(self, frame: str | bytes, seen: deque[int | None]) -> Event | None:
        """None for what came before, is not of a participant of ours, or cannot be read: it may have been anything."""
        try:
            told = msgspec.json.decode(frame, type=_Frame)
        except msgspec.MsgspecError:
            return None
        if told.sequence is not None and told.sequence in seen:  # a key that is told twice was pressed once
            return None
        seen.append(told.sequence)
        inner = told.event
        entity = inner.entity.lower()
        number = entity.removeprefix(self._entities)
        if number == entity or not number.isdecimal():
            return None
        attached = inner.attached_data if isinstance(inner.attached_data, dict) else {}
        digits = str(attached.get("dtmf_input") or "") if inner.event_type == DIGITS else ""
        return Event(participant=int(number), digits=digits)


def pause(failed: int) -> float:
    """Before the next try, after so many that failed."""
    return min(MOST_S, FIRST_S * 2.0 ** min(failed - 1, 10)) * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret


def _read(content: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError:
        raise Unavailable("3CX gave an answer that cannot be read") from None
