"""The chat page's line: messages in, events out, over one WebSocket. Knows no route but its own and no store.

A reader that does not read is let go after a while; what it was being told is kept by the answer, not by the socket.
"""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import Any

import msgspec
from litestar import WebSocket, websocket
from litestar.di import NamedDependency, Provide
from litestar.handlers import WebsocketRouteHandler
from prometheus_client import Gauge

from appliance.channels.live import Answer
from appliance.channels.staffed import StaffEvent
from appliance.channels.web import MessageName, NewMessage, PersonWanted, Seq, Web
from appliance.conversations.turns import Conversation
from appliance.errors import ApplianceError, BadInput, Busy, NotAllowed, TooOften
from appliance.message import ConversationId, Language, MessageId
from appliance.people.pace import Pace, stranger
from appliance.problems import ours, problem, where
from appliance.wire import Over, Wire
from models import ModelError

log = logging.getLogger(__name__)

IDLE_S = 3600.0
ASLEEP_S = 90.0
"""The page pings every 25 seconds: one silent for longer gives its place to a newcomer when all are taken."""
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


class Typing(msgspec.Struct, frozen=True, kw_only=True, tag="typing"):
    """The patient is writing; told to the staff who have the conversation."""

    id: None = None


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


Frame = Say | Resume | Stop | Person | Typing | Ping
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
        silent = min(self._lines, key=lambda line: line.wire.heard_at)
        if monotonic() - silent.wire.heard_at < ASLEEP_S:
            raise Busy("as many pages are connected as limits.sockets allows")
        await silent.close(1001, "place given to another")

    async def close(self) -> None:
        """Say goodbye to all: the page comes back by itself once we are up again."""
        await asyncio.gather(*(line.close(1012, "restarting") for line in list(self._lines)))

    async def hang_up(self, conversation: ConversationId) -> None:
        """Close the lines of one conversation: it is no more."""
        lines = [line for line in self._lines if line.conversation.id == conversation]
        await asyncio.gather(*(line.close(1000, "conversation deleted") for line in lines))


class _Line:
    """One open socket of one conversation."""

    def __init__(self, socket: WebSocket[Any, Any, Any], conversation: Conversation, web: Web, who: str) -> None:
        self.conversation = conversation
        self.who = who
        # JSON may write one character as two escapes of six bytes
        self.wire = Wire(socket, silent_s=IDLE_S, longest=12 * web.limits.message_characters + 1000)
        self._web = web
        self._frames = Pace(FRAMES_A_MINUTE)
        self._followers = asyncio.TaskGroup()
        self._following: dict[str, asyncio.Task[None]] = {}
        self._of_staff: asyncio.Queue[StaffEvent] = asyncio.Queue()

    async def serve(self) -> None:
        """Until either side ends it. What is being said goes on without us."""
        async with self.wire.open(), self._followers:
            with self._web.staffed.listening(self.conversation.id, self._of_staff.put_nowait):
                self._followers.create_task(self._told_of_staff())
                await self._listen()

    async def close(self, code: int, reason: str) -> None:
        """Let what was said go out, then close."""
        if self._following:
            await asyncio.wait(list(self._following.values()), timeout=1)
        await self.wire.close(code, reason)

    async def _listen(self) -> None:
        while True:
            text = await self.wire.hear()
            try:
                self._frames.take("frames")
                frame = _FRAME.decode(text)
            except TooOften:
                raise Over(1008, "too many frames") from None
            except msgspec.DecodeError:  # its text may quote the patient
                await self._refuse(None, BadInput("this frame is not one of those described for the socket"))
                continue
            try:
                await self._obey(frame)
            except (ApplianceError, ModelError) as error:
                await self._refuse(frame.id, error)

    async def _obey(self, frame: Frame) -> None:
        match frame:
            case Ping():
                await self.wire.send(Pong())
            case Typing():
                if (await self._web.staffed.whose(self.conversation.id)).owner == "person":
                    self._web.desk.typing(self.conversation.id, None)
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
                    await self.wire.send(event)
                seq = news[-1].seq

    async def _told_of_staff(self) -> None:
        """Whose the conversation is where it is not ours, then all that is new."""
        try:
            whose = await self._web.staffed.whose(self.conversation.id)
            if whose.owner != "assistant":
                self._web.staffed.first(self.conversation.id, whose)
                await self.wire.send(whose)
        except ApplianceError as error:  # an emergency is answered on this line without the store
            log.error("whose=unknown %s", where(error))
        while True:
            await self.wire.send(await self._of_staff.get())

    async def _refuse(self, name: str | None, error: Exception) -> None:
        told = problem(error)
        if ours(error):
            log.error("refused=%d %s", told.status, where(error))
        await self.wire.send(
            Refusal(id=name, title=told.title, detail=told.detail, code=told.code, retry_after=told.retry_after)
        )
