"""3CX's side: tokens, its log and recordings (XAPI), and a route point with its events and its sound. Keeps what it was told.

Its XAPI is held against 3CX's own OpenAPI description by `tests/phone/test_pbx_twin.py`. For the Call Control API 3CX publishes
none: it is written from the documentation of its endpoints and the vendor's examples.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import ssl
import struct
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any, Literal

from aiohttp import web

CLIENT = "800"
KEY = "a-key-of-the-twin"
DN = "800"

Json = dict[str, Any]
Fault = Literal[
    "401", "403", "429", "500_before", "500_after", "hang", "hang_after", "cut_before", "cut_after", "nonsense", "empty"
]
"""What goes wrong with a request, before or after it was done."""


class Caller:
    """Somebody who calls the route point."""

    def __init__(self, number: int, caller: str, status: str) -> None:
        self.id = number
        self.number = caller
        self.status = status
        self.heard = bytearray()
        """What we have said to them."""
        self.to_say: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.gone = asyncio.Event()
        self.given_to: str | None = None
        self.asked: list[tuple[str, Json]] = []
        """What was asked to be done with them."""
        self.listeners = 0

    def told(self) -> Json:
        return {
            "id": self.id, "status": self.status, "dn": DN, "party_caller_name": "", "party_dn": "10001",
            "party_caller_id": self.number, "party_did": "5035550100", "device_id": "", "party_dn_type": "Wexternalline",
            "direct_control": False, "originated_by_dn": "", "originated_by_type": "None", "referred_by_dn": "",
            "referred_by_type": "None", "on_behalf_of_dn": "", "on_behalf_of_type": "None", "callid": 1000 + self.id,
            "legid": 1,
        }  # fmt: skip

    def done(self, action: str) -> int:
        return sum(one == action for one, _ in self.asked)


class ThreeCx:
    """A whole telephone system with one client of its API."""

    def __init__(self, seed: int = 7) -> None:
        self.url = ""
        self.expires_in = 60
        self.given: list[str] = []
        """Tokens; only the last one is alive."""
        self.asked: Counter[str] = Counter()
        self.faults: list[tuple[str, Fault]] = []
        """What end of a path gets which fault, once each, in order."""
        self.lost = self.doubled = self.swapped = 0.0
        """How probable it is for an event."""
        self.refuses_socket = False
        self.connects_itself = False
        """Whether callers are connected without being answered, as by a real route point."""
        self.extensions: dict[str, str] = {}
        """What becomes of a call that is routed there: answers, or 3CX's reason why not."""
        self.lingering = 0
        """How many drops 3CX forgets."""
        self.here: dict[int, Caller] = {}
        self.log: list[Json] = []
        self.recordings: list[Json] = []
        self.sounds: dict[int, bytes] = {}
        self.hang_s = 30.0
        self._chance = random.Random(seed)  # noqa: S311 - no secret
        self._sockets: list[web.WebSocketResponse] = []
        self._sequence = self._last = 0
        self._held: list[Json] = []
        self._hanging = asyncio.Event()

    # ---- what the world does ----------------------------------------------------------------------------------------

    async def ring(self, caller: str = "+15035550123", *, told: bool = True, status: str = "") -> Caller:
        self._last += 1
        one = Caller(self._last, caller, status or ("Connected" if self.connects_itself else "Ringing"))
        self.here[one.id] = one
        if told:
            await self._tell(0, one)
        return one

    async def press(self, caller: Caller, keys: str) -> None:
        await self._tell(2, caller, {"dtmf_input": keys})

    async def hangs_up(self, caller: Caller, *, told: bool = True) -> None:
        if self.here.pop(caller.id, None):
            caller.gone.set()
            caller.to_say.put_nowait(None)
            if told:
                await self._tell(1, caller)

    async def cut_sockets(self) -> None:
        for socket in self._sockets:
            if socket._req and socket._req.transport:
                socket._req.transport.abort()
        self._sockets.clear()

    @property
    def sockets(self) -> int:
        return len(self._sockets)

    def logged(self, number: int, *, at: datetime, dn: str = DN, answered: bool = True) -> None:
        """A leg of a call in its log."""
        self.log.append(_segment(number, at, dn, answered=answered))

    def recorded(self, number: int, *, at: datetime, seconds: int = 1, dn: str = DN) -> None:
        self.recordings.append(_recording(number, at, dn))
        self.sounds[number] = _wav(seconds)

    @asynccontextmanager
    async def serving(self, secure: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._request)
        runner = web.AppRunner(app, shutdown_timeout=0.5, access_log=None, handler_cancellation=True)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=secure)
        await site.start()
        try:
            self.url = f"{'https' if secure else 'http'}://127.0.0.1:{runner.addresses[0][1]}"
            yield self.url
        finally:
            self._hanging.set()
            for caller in list(self.here.values()):
                await self.hangs_up(caller, told=False)
            await self.cut_sockets()
            await runner.cleanup()

    # ---- what it is asked -------------------------------------------------------------------------------------------

    async def _request(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        self.asked[path] += 1
        fault = self._fault(path)
        if fault in ("401", "403", "429", "500_before"):
            headers = {"retry-after": "1"} if fault == "429" else {}
            return web.Response(status=int(fault[:3]), headers=headers, text="<html>a proxy's page</html>")
        if fault == "hang":
            await self._hang()
        if fault in ("cut_before", "hang"):
            return _cut(request)
        answer = await self._answered(request, path)
        if fault == "hang_after":
            await self._hang()
        if fault in ("cut_after", "hang_after"):
            return _cut(request)
        if fault == "500_after":
            return web.Response(status=500)
        if fault in ("nonsense", "empty"):
            return web.Response(
                text='{"dn": "800"}' if fault == "empty" else '{"dn": 5, "val', content_type="application/json"
            )
        return answer

    def _fault(self, path: str) -> Fault | None:
        for number, (part, fault) in enumerate(self.faults):
            if path.endswith(part) or (part + "(") in path:
                del self.faults[number]
                return fault
        return None

    async def _hang(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self.hang_s):
                await self._hanging.wait()

    async def _answered(self, request: web.Request, path: str) -> web.StreamResponse:
        if path == "/connect/token":
            return await self._token(request)
        if not self.given or request.headers.get("authorization") != f"Bearer {self.given[-1]}":
            return web.Response(status=401)
        if path == "/callcontrol/ws":
            return await self._websocket(request)
        if path.startswith("/xapi/v1/"):
            return self._xapi(request, path.removeprefix("/xapi/v1/"))
        parts = path.strip("/").split("/")
        if parts[:2] != ["callcontrol", DN]:
            return web.Response(status=403)
        if len(parts) == 2:
            there = [one.told() for one in self.here.values()]
            return web.json_response({"dn": DN, "type": "Wroutepoint", "devices": [], "participants": there})
        caller = self.here.get(int(parts[3])) if parts[2] == "participants" else None
        if caller is None:
            return web.Response(status=404)
        if len(parts) == 4:
            return web.json_response(caller.told())
        if parts[4] == "stream":
            return await (self._heard(request, caller) if request.method == "POST" else self._said(request, caller))
        return await self._done(parts[4], caller, await request.json())

    async def _token(self, request: web.Request) -> web.Response:
        form = await request.post()
        if (form.get("client_id"), form.get("client_secret"), form.get("grant_type")) != (
            CLIENT,
            KEY,
            "client_credentials",
        ):
            return web.json_response({"error": "invalid_client"}, status=400)
        self.given.append(f"token-{len(self.given)}-{self._chance.randrange(10**9)}")
        return web.json_response(
            {
                "token_type": "Bearer",
                "expires_in": self.expires_in,
                "access_token": self.given[-1],
                "refresh_token": None,
            }
        )

    async def _done(self, action: str, caller: Caller, given: Json) -> web.Response:
        caller.asked.append((action, given))
        if action == "answer":
            if caller.status == "Connected":
                return web.Response(status=422)
            caller.status = "Connected"
            await self._tell(0, caller)
        elif action == "drop":
            if self.lingering:
                self.lingering -= 1
            else:
                await self.hangs_up(caller)
        elif action in ("divert", "routeto", "transferto"):
            becomes = self.extensions.get(given["destination"], "NotFound")
            if becomes == "hangs_up":
                await self.hangs_up(caller)
                return web.Response(status=404)
            if becomes != "answers":
                return web.json_response({"finalstatus": "Failed", "reason": becomes, "result": caller.told()})
            caller.given_to = given["destination"]
            if action == "divert":
                await self.hangs_up(caller)
        else:
            return web.Response(status=404)
        return web.json_response({"finalstatus": "Success", "reason": "NotSpecified", "result": caller.told()})

    # ---- sound ------------------------------------------------------------------------------------------------------

    async def _said(self, request: web.Request, caller: Caller) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"content-type": "application/octet-stream"})
        await answer.prepare(request)
        while (sound := await caller.to_say.get()) is not None:
            if sound == b"cut":
                return _cut(request)
            await answer.write(sound)
        caller.to_say.put_nowait(None)
        return answer

    async def _heard(self, request: web.Request, caller: Caller) -> web.Response:
        caller.listeners += 1
        try:
            while piece := await request.content.readany():
                caller.heard += piece
                if caller.gone.is_set():
                    break
        except ConnectionError:
            pass
        finally:
            caller.listeners -= 1
        return web.Response(status=202)

    # ---- events -----------------------------------------------------------------------------------------------------

    async def _tell(self, kind: int, caller: Caller, attached: Json | None = None) -> None:
        self._sequence += 1
        entity = f"/callcontrol/{DN}/participants/{caller.id}"
        event = {"event_type": kind, "entity": entity, "attached_data": attached}
        told = {"sequence": self._sequence, "event": event}
        if self._chance.random() < self.lost:
            return
        if self._chance.random() < self.swapped:
            self._held.append(told)
            return
        for one in [told] * (2 if self._chance.random() < self.doubled else 1) + self._held:
            for socket in list(self._sockets):
                with suppress(ConnectionError):
                    await socket.send_str(json.dumps(one))
        self._held.clear()

    async def _websocket(self, request: web.Request) -> web.StreamResponse:
        if self.refuses_socket:
            return web.Response(status=503)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self._sockets.append(socket)
        try:
            async for _ in socket:
                pass
        finally:
            if socket in self._sockets:
                self._sockets.remove(socket)
        return socket

    # ---- XAPI -------------------------------------------------------------------------------------------------------

    def _xapi(self, request: web.Request, path: str) -> web.Response:
        if found := re.fullmatch(r"Recordings/Pbx\.DownloadRecording\(recId=(\d+)\)", path):
            sound = self.sounds.get(int(found[1]))
            return web.Response(body=sound, content_type="audio/wav") if sound else _odata_error(404)
        tables = {"CallHistoryView": self.log, "Recordings": self.recordings, "ActiveCalls": self._active()}
        if path not in tables:
            return _odata_error(404)
        rows = tables[path]
        if wanted := request.query.get("$filter"):
            matched = re.fullmatch(r"(\w+) ge (\S+Z) and \((\w+) eq '(.*)' or (\w+) eq '\4'\)", wanted)
            if not matched:
                return _odata_error(400)
            time, since, one, dn, other = matched.groups()
            at = datetime.fromisoformat(since)
            rows = [row for row in rows if datetime.fromisoformat(row[time]) >= at and dn in (row[one], row[other])]
        for order in reversed(request.query.get("$orderby", "").split(",")):
            name, _, way = order.partition(" ")
            rows = sorted(rows, key=itemgetter(name), reverse=way == "desc") if name else rows
        skip = int(request.query.get("$skip", "0"))
        page = rows[skip : skip + int(request.query.get("$top", "50"))]
        return web.json_response({"@odata.context": f"{self.url}/xapi/v1/$metadata#{path}", "value": page})

    def _active(self) -> list[Json]:
        at = _iso(datetime(2026, 1, 2, tzinfo=UTC))
        return [
            {
                "Id": one.id, "Caller": one.number, "Callee": f"{DN} assistant", "Status": "Talking", "LastChangeStatus": at,
                "EstablishedAt": at, "ServerNow": at,
            }
            for one in self.here.values()
        ]  # fmt: skip


def _cut(request: web.Request) -> web.Response:
    if request.transport:
        request.transport.abort()
    return web.Response()


def _odata_error(status: int) -> web.Response:
    return web.json_response({"error": {"code": str(status), "message": "not found"}}, status=status)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _segment(number: int, at: datetime, dn: str, *, answered: bool) -> Json:
    return {
        "SegmentId": number, "SegmentStartTime": _iso(at), "SegmentEndTime": _iso(at + timedelta(seconds=62)),
        "SegmentActionId": 6, "SegmentType": 1, "SrcId": number, "SrcExtendedDisplayName": "", "SrcDisplayName": "",
        "SrcInternal": False, "SrcExternal": True, "SrcDnType": 1, "SrcDn": "10001", "SrcCallerNumber": "+15035550123",
        "SrcParticipantId": 1, "SrcRecId": None, "DstId": number, "DstExtendedDisplayName": "", "DstDisplayName": "",
        "DstInternal": True, "DstExternal": False, "DstDnType": 13, "DstDn": dn, "DstCallerNumber": dn,
        "DstParticipantId": 2, "DstRecId": None, "CallTime": "PT1M2S", "CallAnswered": answered,
    }  # fmt: skip


def _recording(number: int, at: datetime, dn: str) -> Json:
    return {
        "CanBeTranscribed": True, "Id": number, "RefParticipantId": 1, "RecordingUrl": f"{dn}/{number}.wav",
        "StartTime": _iso(at), "EndTime": _iso(at + timedelta(seconds=62)), "Transcription": None, "IsTranscribed": False,
        "TranscriptionResult": 0, "IsArchived": False, "ArchivedUrl": None, "CallType": "InboundExternal",
        "FromIdParticipant": 1, "FromDnType": 1, "FromDn": "10001", "FromCallerNumber": "+15035550123",
        "FromDisplayName": "", "FromDidNumber": None, "FromCrmContact": None, "ToIdParticipant": 2, "ToDnType": 13,
        "ToDn": dn, "ToCallerNumber": dn, "ToDisplayName": "", "ToDidNumber": None, "ToCrmContact": None, "Summary": None,
        "SentimentScore": None,
    }  # fmt: skip


def _wav(seconds: int) -> bytes:
    content = b"\0\0" * 8000 * seconds
    head = struct.pack(
        "<4sI8sIHHIIHH4sI", b"RIFF", 36 + len(content), b"WAVEfmt ", 16, 1, 1, 8000, 16000, 2, 16, b"data", len(content)
    )
    return head + content
