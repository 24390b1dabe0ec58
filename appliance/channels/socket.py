"""The chat page's line: messages in, events out, over one WebSocket. Knows no route but its own and no store.

A reader that does not read is let go after a while; what it was being told is kept by the answer, not by the socket.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from time import monotonic
from typing import Any

import msgspec
from litestar import WebSocket, websocket
from litestar.di import NamedDependency, Provide
from litestar.exceptions import WebSocketDisconnect
from litestar.handlers import WebsocketRouteHandler
from prometheus_client import Gauge

from appliance.channels.live import Answer, Event
from appliance.channels.web import MessageName, NewMessage, PersonWanted, Seq, Web
from appliance.conversations.turns import Conversation
from appliance.errors import ApplianceError, BadInput, Busy, NotAllowed, TooOften
from appliance.message import ConversationId, Language, MessageId
from appliance.people.pace import Pace, stranger
from appliance.problems import ours, problem, where
from models import ModelError

log = logging.getLogger(__name__)

IDLE_S = 3600.0
ASLEEP_S = 90.0
"""The page pings every 25 seconds: one silent for longer gives its place to a newcomer when all are taken."""
SEND_S = 10.0
FRAMES_A_MINUTE = 240

SOCKETS = Gauge("medinovai_sockets", "Chat pages connected")


class Say(msgspec.Struct, frozen=True, kw_only=True, tag="say"):
    id: MessageName
    text: str
    language: Language | None = None


class Resume(msgspec.Struct, frozen=True, kw_only=True, tag="resume"):
    id: MessageName
    after: Seq = 0


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag="stop"):
    id: MessageName


class Person(msgspec.Struct, frozen=True, kw_only=True, tag="person"):
    id: MessageName
    language: Language | None = None


class Ping(msgspec.Struct, frozen=True, kw_only=True, tag="ping"):
    id: None = None


class Pong(msgspec.Struct, frozen=True, kw_only=True, tag="pong"):
    pass


class Refusal(msgspec.Struct, frozen=True, kw_only=True, tag="problem"):
    """Why a frame had no effect; ``id`` is its message, if it had one."""

    id: str | None
    title: str
    detail: str
    code: str
    retry_after: int | None = None


Frame = Say | Resume | Stop | Person | Ping
_FRAME = msgspec.json.Decoder(Frame)


class Sockets:
    """The open lines."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._lines: set[_Line] = set()

    def route(self) -> WebsocketRouteHandler:
        """The socket's route."""

        @websocket(
            "/api/conversation/socket",
            dependencies={"sockets": Provide(lambda: self, sync_to_thread=False)},
            include_in_schema=False,
        )
        async def socket_(socket: WebSocket[Any, Any, Any], sockets: NamedDependency[Sockets]) -> None:
            await sockets.serve(socket)

        return socket_

    async def serve(self, socket: WebSocket[Any, Any, Any]) -> None:
        """One line, from the knock to the goodbye. A stranger's knock is refused before the door opens."""
        if not self._web.own_page(socket):
            raise NotAllowed("this socket is not opened by a page of this server (server.allowed_origins)")
        conversation = await self._web.conversation(socket.cookies)
        who = stranger(socket.client.host if socket.client else None)
        await self._room(who)
        line = _Line(socket, conversation, self._web, who)
        self._lines.add(line)
        SOCKETS.inc()
        try:
            await socket.accept()
            await line.serve()
        finally:
            self._lines.discard(line)
            SOCKETS.dec()

    async def _room(self, who: str) -> None:
        """For one more line. One stranger may not take more than half of all."""
        most = self._web.limits.sockets
        if who and sum(line.who == who for line in self._lines) >= max(1, most // 2):
            raise Busy("one address may connect half as many pages as limits.sockets allows")
        if len(self._lines) < most:
            return
        silent = min(self._lines, key=lambda line: line.heard_at)
        if monotonic() - silent.heard_at < ASLEEP_S:
            raise Busy("as many pages are connected as limits.sockets allows")
        await silent.close(1001, "place given to another")

    async def close(self) -> None:
        """Say goodbye to all: the page comes back by itself once we are up again."""
        await asyncio.gather(*(line.close(1012, "restarting") for line in list(self._lines)))

    async def hang_up(self, conversation: ConversationId) -> None:
        """Close the lines of one conversation: it is no more."""
        lines = [line for line in self._lines if line.conversation.id == conversation]
        await asyncio.gather(*(line.close(1000, "conversation deleted") for line in lines))


class _Over(Exception):
    """This line ends, with this close code (RFC 6455, section 7.4.1)."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class _Line:
    """One open socket of one conversation."""

    def __init__(self, socket: WebSocket[Any, Any, Any], conversation: Conversation, web: Web, who: str) -> None:
        self.conversation = conversation
        self.who = who
        self.heard_at = monotonic()
        self._socket = socket
        self._web = web
        self._frames = Pace(FRAMES_A_MINUTE)
        self._sending = asyncio.Lock()
        self._followers = asyncio.TaskGroup()
        self._following: dict[str, asyncio.Task[None]] = {}
        self._patience: asyncio.Timeout | None = None
        self._end: _Over | None = None
        self._ended = asyncio.Event()
        # JSON may write one character as two escapes of six bytes
        self._longest = 12 * web.limits.message_characters + 1000

    async def serve(self) -> None:
        """Until either side ends it. What is being said goes on without us."""
        over: _Over | None = None
        try:
            async with self._followers:
                await self._listen()
        except* WebSocketDisconnect:
            pass
        except* _Over as group:
            over = next(error for error in group.exceptions if isinstance(error, _Over))
        finally:
            if over:
                await self._goodbye(over)
            self._ended.set()

    async def close(self, code: int, reason: str) -> None:
        """Let what was said go out, then close."""
        if self._following:
            await asyncio.wait(list(self._following.values()), timeout=1)
        self._end = _Over(code, reason)
        if self._patience:  # granian cannot send a close while we wait for a frame: stop waiting first
            self._patience.reschedule(asyncio.get_running_loop().time())
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                await self._ended.wait()

    async def _listen(self) -> None:
        while True:
            text = await self._heard()
            try:
                self._frames.take("frames")
                frame = _FRAME.decode(text)
            except TooOften:
                raise _Over(1008, "too many frames") from None
            except msgspec.DecodeError:  # its text may quote the patient
                await self._refuse(None, BadInput("this frame is not one of those described for the socket"))
                continue
            try:
                await self._obey(frame)
            except (ApplianceError, ModelError) as error:
                await self._refuse(frame.id, error)

    async def _heard(self) -> str:
        try:
            async with asyncio.timeout(0 if self._end else IDLE_S) as self._patience:
                text = await self._socket.receive_text()
        except TimeoutError:
            raise self._end or _Over(1000, "nothing heard for a while") from None
        finally:
            self._patience = None
            self.heard_at = monotonic()
        if len(text) > self._longest:
            raise _Over(1009, "frame too long")
        return text

    async def _obey(self, frame: Frame) -> None:
        match frame:
            case Ping():
                await self._send(Pong())
            case Say():
                message = NewMessage(id=frame.id, text=frame.text, language=frame.language)
                self._follow(await self._web.say(self.conversation, message), after=0)
            case Person():
                wanted = PersonWanted(id=frame.id, language=frame.language)
                self._follow(await self._web.person(self.conversation, wanted), after=0)
            case Resume():
                self._follow(await self._web.resume(self.conversation, frame.id, after=frame.after), after=frame.after)
            case Stop():
                await self._web.live.stop(self.conversation.id, MessageId(frame.id))

    def _follow(self, answer: Answer, *, after: int) -> None:
        """Tell the page this answer from here on; if it is being told already, from here on instead."""
        name = answer.message.id
        if earlier := self._following.pop(name, None):
            earlier.cancel()
        task = self._followers.create_task(self._told(answer, after))
        self._following[name] = task
        task.add_done_callback(lambda done: self._following.get(name) is done and self._following.pop(name))

    async def _told(self, answer: Answer, seq: int) -> None:
        with self._web.live.listening(answer):
            while news := await answer.after(seq):
                for event in news:
                    await self._send(event)
                seq = news[-1].seq

    async def _refuse(self, name: str | None, error: Exception) -> None:
        told = problem(error)
        if ours(error):
            log.error("refused=%d %s", told.status, where(error))
        await self._send(
            Refusal(id=name, title=told.title, detail=told.detail, code=told.code, retry_after=told.retry_after)
        )

    async def _send(self, frame: Event | Refusal | Pong) -> None:
        text = msgspec.json.encode(frame).decode()
        try:
            async with asyncio.timeout(SEND_S), self._sending:
                await self._socket.send_text(text)
        except TimeoutError:
            raise _Over(1008, "the reader does not read") from None

    async def _goodbye(self, over: _Over) -> None:
        log.debug("socket=closed code=%d reason=%s", over.code, over)
        try:
            async with asyncio.timeout(1):
                await self._socket.close(over.code, str(over))
        except (TimeoutError, WebSocketDisconnect):
            log.debug("socket=gone before its goodbye")
