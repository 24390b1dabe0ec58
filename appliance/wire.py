"""A WebSocket of one of our pages: frames in and out with their limits, and a goodbye that arrives. Knows no frame's meaning."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from time import monotonic
from typing import Any, Final

import msgspec
from litestar import WebSocket
from litestar.exceptions import WebSocketDisconnect

log = logging.getLogger(__name__)

SEND_S: Final = 10.0


class Over(Exception):
    """This line ends, with this close code (RFC 6455, section 7.4.1)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Wire:
    """One accepted socket. ``silent_s``: who is not heard for so long is let go; ``longest``: characters of a frame."""

    def __init__(self, socket: WebSocket[Any, Any, Any], *, silent_s: float, longest: int) -> None:
        self.heard_at = monotonic()
        self._socket = socket
        self._silent_s = silent_s
        self._longest = longest
        self._sending = asyncio.Lock()
        self._patience: asyncio.Timeout | None = None
        self._end: Over | None = None
        self._ended = asyncio.Event()

    @asynccontextmanager
    async def open(self) -> AsyncIterator[None]:
        """Until either side ends it: what is raised inside as `Over` is said to the other side."""
        over: Over | None = None
        try:
            yield
        except* WebSocketDisconnect:
            pass
        except* Over as group:
            over = next(error for error in group.exceptions if isinstance(error, Over))
        finally:
            if over:
                await self._goodbye(over)
            self._ended.set()

    async def hear(self) -> str:
        """The next frame. Raises Over and WebSocketDisconnect."""
        try:
            async with asyncio.timeout(0 if self._end else self._silent_s) as self._patience:
                text = await self._socket.receive_text()
        except TimeoutError:
            raise self._end or Over(1000, "nothing heard for a while") from None
        finally:
            self._patience = None
            self.heard_at = monotonic()
        if len(text) > self._longest:
            raise Over(1009, "frame too long")
        return text

    async def send(self, frame: msgspec.Struct) -> None:
        """As JSON. A reader that does not read is let go."""
        text = msgspec.json.encode(frame).decode()
        try:
            async with asyncio.timeout(SEND_S), self._sending:
                await self._socket.send_text(text)
        except TimeoutError:
            raise Over(1008, "the reader does not read") from None

    async def close(self, code: int, reason: str) -> None:
        """Called from outside; returns when it is closed, or soon."""
        self._end = Over(code, reason)
        if self._patience:  # granian cannot send a close while we wait for a frame: stop waiting first
            self._patience.reschedule(asyncio.get_running_loop().time())
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                await self._ended.wait()

    async def _goodbye(self, over: Over) -> None:
        log.debug("socket=closed code=%d reason=%s", over.code, over)
        try:
            async with asyncio.timeout(1):
                await self._socket.close(over.code, str(over))
        except (TimeoutError, WebSocketDisconnect):
            log.debug("socket=gone before its goodbye")
