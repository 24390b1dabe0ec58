"""A telephone call and the line it came by, as everything above the SIP library sees them. Knows no library and no words.

PCM is mono, 16 bit, as `numpy.int16` arrays, at the call's own rate.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

Pcm = NDArray[np.int16]


class HungUp(Exception):
    """The call is over."""


class NotAnswered(Exception):
    """A call of ours came to nothing; ``status`` is SIP's (RFC 3261), 408 where nobody answered in time."""

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(f"{status} {reason}".strip())
        self.status = status


class TransferFailed(NotAnswered):
    """Whoever the caller was to be given to did not take the call; the caller is still here."""


class CannotConsult(NotAnswered):
    """A call that came in this way can be handed on, but nobody asked before."""


class Stats(msgspec.Struct, frozen=True, kw_only=True):
    """How well a call was carried."""

    lost: float = 0.0
    """Share of packets that never came."""
    jitter_ms: float = 0.0
    mos: float | None = None
    """Mean opinion score, estimated (1 to 5)."""
    starved: int = 0
    """How often nothing was there to be sent in the middle of speech."""
    dropped: int = 0
    """Frames of the caller's that nobody had read in time."""


class LineStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One line at the PBX."""

    name: str
    registered: bool
    last_ok_s: float | None
    """Seconds since the last good REGISTER."""
    calls: int
    why: str = ""
    """Why it is not registered, in the operator's words."""


class Call(Protocol):
    """One call. Every method may raise HungUp."""

    id: str
    line: str
    """The name of the line by which it came."""
    caller: str
    called: str
    headers: Mapping[str, str]
    rate: int
    """Hertz; known once it is answered."""
    digits: asyncio.Queue[str]
    """Keys pressed (RFC 4733 or INFO), in order."""
    ended: asyncio.Event
    reason: str
    """Why it ended."""

    async def answer(self) -> None: ...

    async def refuse(self, code: int = 486) -> None: ...

    async def read(self) -> Pcm:
        """The next 20 milliseconds of the caller."""
        ...

    def write(self, pcm: Pcm) -> int:
        """Say it after what is waiting. Returns how many samples were taken."""
        ...

    @property
    def buffered_s(self) -> float:
        """Written and not sent yet."""
        ...

    def flush(self) -> float:
        """Throw away what was not sent. Returns its seconds."""
        ...

    async def hang_up(self) -> None: ...

    async def transfer(self, to: str, timeout_s: float) -> None:
        """Blind: the PBX connects the caller there (REFER, RFC 3515). Raises TransferFailed."""
        ...

    async def consult(self, to: str, timeout_s: float) -> Call:
        """A call of our own to whoever is to take the caller. Raises NotAnswered."""
        ...

    async def join(self, other: Call) -> None:
        """Give the caller to that call (REFER with Replaces, RFC 3891). Raises TransferFailed."""
        ...

    async def hold(self) -> None: ...

    async def resume(self) -> None: ...

    def stats(self) -> Stats: ...
