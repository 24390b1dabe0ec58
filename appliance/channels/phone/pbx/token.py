"""Who we are at 3CX: the token that opens its interfaces, and requests that carry it. Knows no call.

Only the newest token of a client is alive. So there is one `Access` a process: whoever asks shares its token, it is renewed by one
at a time, and what was asked with a token that died meanwhile is asked again with the new one.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final
from urllib.parse import quote

import aiohttp
import msgspec
from yarl import URL

from appliance.errors import Busy, Unavailable

TIMEOUT_S: Final = 10.0
EARLY_S: Final = 15.0
"""So long before its end a token is renewed, and never later than at half of its time."""
HEARTBEAT_S: Final = 20.0
HOLD_S: Final = 1.0
"""So long nobody asks again after no token was given."""
AGAIN_S: Final = 5.0
"""So long a token is used whose renewal failed."""
LARGEST: Final = 8 * 2**20
"""Bytes of an answer that is no sound."""

REMEDY: Final[Mapping[int, str]] = {
    400: "compare pbx.client_id and its key with Admin Console > Integrations > API",
    401: "compare pbx.client_id and its key with Admin Console > Integrations > API",
    402: "this needs the licence 3CX Enterprise",
    403: "tick the permission of this client in Admin Console > Integrations > API; it needs the licence 3CX Enterprise",
    404: "compare pbx.url and pbx.dn with the client in Admin Console > Integrations > API",
}


class Refused(Unavailable):
    """3CX has answered that it will not do this; ``status`` is HTTP's. The text says what to do."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(f"3CX refused {what} with HTTP {status}: {REMEDY.get(status, 'see docs/3cx.md')}")
        self.status = status


class _Token(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float = 60.0
    """The documentation's example says 60, its text 60 minutes: believed to be seconds."""


class Access:
    """One client of 3CX's API. The key is in no repr, and no token in any log or error."""

    def __init__(
        self,
        url: str,
        client: str,
        key: str,
        *,
        certificate: str = "",
        timeout_s: float = TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url.rstrip("/")
        self._client = client
        self._key = key
        self._certificate = certificate
        self._timeout_s = timeout_s
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token = ""
        self._good_until = 0.0
        self._not_before = 0.0
        self._opened: aiohttp.ClientSession | None = None

    async def asked(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        timeout_s: float | None = None,
    ) -> bytes:
        """What 3CX answers. Raises Refused, Busy, or Unavailable where there is no answer that tells."""
        seconds = timeout_s or self._timeout_s
        try:
            async with asyncio.timeout(seconds), self.opened(method, path, query=query, json=body) as answer:
                return await _whole(answer, path)
        except TimeoutError:
            raise Unavailable(f"3CX did not answer {path} within {seconds:.0f} s") from None

    @asynccontextmanager
    async def opened(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        json: Mapping[str, Any] | None = None,
        data: Callable[[], AsyncIterator[bytes]] | None = None,
        within_s: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """An answer that begins in time; its content may take any. ``data``: makes what is sent, anew at each try."""
        http, token = await self._http(), await self.token()
        try:
            for last in (False, True):
                headers = {"authorization": f"Bearer {token}", "accept": "*/*"}
                if data:
                    headers["content-type"] = "application/octet-stream"
                content = data() if data else None
                place = self._place(path, query)
                async with (
                    asyncio.timeout(within_s) as begins,
                    http.request(
                        method, place, headers=headers, json=json, data=content, allow_redirects=False
                    ) as answer,
                ):
                    if answer.status == 401 and not last:
                        token = await self.renewed(token)
                        continue
                    _check(answer.status, path, answer.headers.get("retry-after", ""))
                    begins.reschedule(None)
                    yield answer
                    return
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"3CX does not answer {path} ({type(error).__name__})") from None

    @asynccontextmanager
    async def frames(self, path: str) -> AsyncIterator[Callable[[], Awaitable[str | bytes | None]]]:
        """What gives the next frame of a WebSocket; None when it has ended, as it does where nobody answers its pings."""
        socket = await self._socket(path)

        async def following() -> str | bytes | None:
            message = await socket.receive()
            return message.data if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY) else None

        try:
            yield following
        finally:
            await socket.close()

    async def token(self) -> str:
        """The one that is alive, renewed before its end. Where that fails it is used until it is refused."""
        if self._token and self._clock() < self._good_until:
            return self._token
        try:
            return await self.renewed(self._token)
        except Unavailable:
            if not self._token:
                raise
            self._good_until = self._clock() + AGAIN_S
            return self._token

    async def renewed(self, dead: str) -> str:
        """Another one than this. Of many who ask for it at once, one fetches it, for all."""
        async with self._lock:
            if self._token == dead:
                if self._clock() < self._not_before:
                    raise Unavailable("3CX has just given no token")
                self._not_before = self._clock() + HOLD_S
                await self._fetch()
                self._not_before = 0.0
            return self._token

    async def close(self) -> None:
        http, self._opened = self._opened, None
        if http:
            await http.close()

    # ---- below ------------------------------------------------------------------------------------------------------

    async def _socket(self, path: str) -> aiohttp.ClientWebSocketResponse:
        http, token = await self._http(), await self.token()
        for last in (False, True):
            headers = {"authorization": f"Bearer {token}"}
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await http.ws_connect(
                        self._place(path, None), headers=headers, heartbeat=HEARTBEAT_S, max_msg_size=LARGEST
                    )
            except aiohttp.WSServerHandshakeError as error:
                if error.status == 401 and not last:
                    token = await self.renewed(token)
                    continue
                _check(error.status, path)
                raise Unavailable(f"3CX opens no WebSocket at {path}") from None
            except (aiohttp.ClientError, OSError) as error:
                raise Unavailable(f"3CX does not answer {path} ({type(error).__name__})") from None
        raise AssertionError("the second try returns or raises")

    async def _fetch(self) -> None:
        form = {"client_id": self._client, "client_secret": self._key, "grant_type": "client_credentials"}
        http = await self._http()
        try:
            async with (
                asyncio.timeout(self._timeout_s),
                http.post(self._place("/connect/token", None), data=form, allow_redirects=False) as answer,
            ):
                _check(answer.status, "/connect/token")
                token = msgspec.json.decode(await _whole(answer, "/connect/token"), type=_Token)
        except msgspec.MsgspecError:
            raise Unavailable("3CX gave no token that can be read") from None
        except (aiohttp.ClientError, OSError) as error:  # OSError: that it takes too long, too
            raise Unavailable(f"3CX does not answer /connect/token ({type(error).__name__})") from None
        left = max(token.expires_in - EARLY_S, token.expires_in / 2)
        self._token, self._good_until = token.access_token, self._clock() + left

    async def _http(self) -> aiohttp.ClientSession:
        if self._opened is None:
            # The authorities' certificates are read from files: not in the loop.
            trust = await asyncio.to_thread(ssl.create_default_context, cafile=self._certificate or None)
            if self._opened is None:
                connector = aiohttp.TCPConnector(ssl=trust, limit=0)  # each call holds two
                self._opened = aiohttp.ClientSession(
                    connector=connector, timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._timeout_s)
                )
        return self._opened

    def _place(self, path: str, query: Mapping[str, str] | None) -> URL:
        """Spelt here: brackets and quotes of OData stay what they are."""
        asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in (query or {}).items())
        return URL(f"{self.url}{path}{'?' + asked if asked else ''}", encoded=True)


def _check(status: int, path: str, retry_after: str = "") -> None:
    if status == 429:
        seconds = float(retry_after) if retry_after.isdecimal() else 5.0
        raise Busy("3CX is asked too often", retry_after=seconds)
    if 400 <= status < 500:
        raise Refused(status, path)
    if not 200 <= status < 300:
        raise Unavailable(f"3CX answered {path} with HTTP {status}")


async def _whole(answer: aiohttp.ClientResponse, path: str) -> bytes:
    content = bytearray()
    async for piece in answer.content.iter_any():
        content += piece
        if len(content) > LARGEST:
            raise Unavailable(f"3CX answered {path} with more than {LARGEST >> 20} MB")
    return bytes(content)
