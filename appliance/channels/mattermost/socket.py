"""Mattermost's WebSocket: that something happened, the moment it does. Knows no case; what happened is fetched by REST.

Shaped as mattermostdriver wants its ``websocket_cls``. Its own never connects over TLS, notices no line that is half open, and
comes back without saying that it was away. This one pings and gives up on silence, comes back after longer and longer pauses, and
tells of every new beginning (``hello``) and of every number that is missing (``gap``): nothing is replayed by the server.
"""

from __future__ import annotations

import asyncio
import logging
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

log = logging.getLogger(__name__)

LARGEST: Final = 2**20


class Pulse(msgspec.Struct, frozen=True, kw_only=True):
    """How long is waited for what, in seconds."""

    ping_s: float = 20.0
    pong_s: float = 15.0
    open_s: float = 10.0
    first_s: float = 1.0
    most_s: float = 60.0


class _Cast(msgspec.Struct, frozen=True):
    channel_id: str = ""
    user_id: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened, ours (``gap``) or Mattermost's."""

    event: str = ""
    data: dict[str, Any] = {}
    broadcast: _Cast = _Cast()
    seq: int = -1
    status: str = ""

    def __repr__(self) -> str:
        return f"Event({self.event!r}, {self.seq})"


Handler = Callable[[Event], Awaitable[None]]


class Socket:
    """One line to Mattermost, kept open."""

    pulse = Pulse()

    def __init__(self, options: Mapping[str, Any], token: str) -> None:
        scheme = "wss" if options["scheme"] == "https" else "ws"
        self._address = f"{scheme}://{options['url']}:{options['port']}{options['basepath']}/websocket"
        self._authority = options["verify"] if isinstance(options["verify"], str) else None
        self._secure = scheme == "wss"
        self._token = token
        self._alive = True
        self.connected = False

    def disconnect(self) -> None:
        """After what is being heard now."""
        self._alive = False

    async def connect(self, event_handler: Handler) -> None:
        """Until `disconnect`, or until it is cancelled. The handler only takes notice: while it works nothing is heard."""
        context = await asyncio.to_thread(ssl.create_default_context, cafile=self._authority) if self._secure else None
        failed = 0
        while self._alive:
            began = time.monotonic()
            try:
                await self._once(context, event_handler)
                reason = "closed"
            except (OSError, WebSocketException, TimeoutError, _Refused) as error:
                reason = type(error).__name__
            finally:
                self.connected = False
            failed = 1 if time.monotonic() - began > self.pulse.most_s else failed + 1
            if self._alive:
                log.warning("mattermost=disconnected reason=%s", reason)
                await asyncio.sleep(self._pause(failed))

    def _pause(self, failed: int) -> float:
        whole = min(self.pulse.most_s, self.pulse.first_s * 2 ** min(failed - 1, 30))
        return float(whole * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, keeps no secret

    async def _once(self, context: ssl.SSLContext | None, handler: Handler) -> None:
        pulse = self.pulse
        async with connect(
            self._address,
            ssl=context,
            open_timeout=pulse.open_s,
            ping_interval=pulse.ping_s,
            ping_timeout=pulse.pong_s,
            close_timeout=1,
            max_size=LARGEST,
        ) as line:
            challenge = {"seq": 1, "action": "authentication_challenge", "data": {"token": self._token}}
            await line.send(msgspec.json.encode(challenge).decode())
            async with asyncio.timeout(pulse.open_s):
                await self._greeted(line, handler)
            await self._heard(line, handler)

    async def _greeted(self, line: ClientConnection, handler: Handler) -> None:
        """Its OK and its hello come in either order."""
        while not self.connected:
            event = _event(await line.recv())
            if event.status not in ("", "OK"):
                log.error(
                    "mattermost=refused reason=the token does not open the WebSocket: run medinovai mattermost check"
                )
                raise _Refused
            self.connected = event.event == "hello"
            if self.connected:
                log.info("mattermost=connected")
            await handler(event)

    async def _heard(self, line: ClientConnection, handler: Handler) -> None:
        last = 0
        async for frame in line:
            event = _event(frame)
            if event.seq >= 0 and event.event:
                if event.seq != last + 1:
                    await handler(Event(event="gap"))
                last = max(last, event.seq)
            await handler(event)
            if not self._alive:
                return


class _Refused(Exception):
    """The token does not open it."""


_EVENT: Final = msgspec.json.Decoder(Event)


def _event(frame: str | bytes) -> Event:
    """What cannot be read may have been anything."""
    try:
        return _EVENT.decode(frame)
    except msgspec.DecodeError:
        return Event(event="gap")
