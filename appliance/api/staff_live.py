"""The staff page's line: what has just happened to which case, told at once. Carries ids and names of staff, no patient's words."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import msgspec
from litestar import WebSocket, websocket
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import WebsocketRouteHandler

from appliance.api.staff import StaffRoom, staffer
from appliance.conversations.case import Happened
from appliance.errors import ApplianceError, Busy, NotAllowed, TooOften
from appliance.people.pace import Pace
from appliance.people.staff import Member
from appliance.problems import where
from appliance.wire import Over, Wire

log = logging.getLogger(__name__)

SILENT_S: Final = 60.0
"""The page pings every 20 seconds."""
FRAMES_A_MINUTE: Final = 240
LINES: Final = 200
LONGEST: Final = 1_000
SIGNED_OUT: Final = 4401


class Ping(msgspec.Struct, frozen=True, kw_only=True, tag="ping"):
    pass


class Typing(msgspec.Struct, frozen=True, kw_only=True, tag="typing"):
    """Somebody writes to the patient of this case."""

    case: int


class Pong(msgspec.Struct, frozen=True, kw_only=True, tag="pong"):
    pass


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag="hello"):
    """The first frame. What happened past ``seq`` follows; what was before is to be asked for."""

    seq: int


class News(msgspec.Struct, frozen=True, kw_only=True, tag="news"):
    happened: Happened


_FRAME = msgspec.json.Decoder(Ping | Typing)


class StaffLines:
    """The open lines of staff."""

    def __init__(self, room: StaffRoom) -> None:
        self._room = room
        self._lines: set[_Line] = set()

    def route(self) -> WebsocketRouteHandler:
        """The line's route."""

        @websocket(
            "/api/staff/live",
            dependencies={"lines": Provide(lambda: self, sync_to_thread=False)},
            include_in_schema=False,
        )
        async def live(socket: WebSocket[Any, Any, Any], lines: NamedDependency[StaffLines]) -> None:
            await lines.serve(socket)

        return live

    async def serve(self, socket: WebSocket[Any, Any, Any]) -> None:
        """One line. A stranger's knock is refused before the door opens."""
        if not self._room.own_page(socket):
            raise NotAllowed("this socket is not opened by a page of this server (server.allowed_origins)")
        session = await self._room.session(socket)
        if session.must_change:
            raise NotAllowed("choose a password of your own first")
        if len(self._lines) >= LINES:
            raise Busy("too many staff pages are open")
        line = _Line(socket, self._room, session.member)
        self._lines.add(line)
        try:
            await socket.accept()
            await line.serve()
        finally:
            self._lines.discard(line)

    async def close(self) -> None:
        """Say goodbye to all: the page comes back by itself once we are up again."""
        await asyncio.gather(*(line.wire.close(1012, "restarting") for line in list(self._lines)))


class _Line:
    def __init__(self, socket: WebSocket[Any, Any, Any], room: StaffRoom, member: Member) -> None:
        self.wire = Wire(socket, silent_s=SILENT_S, longest=LONGEST)
        self._socket = socket
        self._room = room
        self._member = member
        self._frames = Pace(FRAMES_A_MINUTE)

    async def serve(self) -> None:
        async with self.wire.open(), asyncio.TaskGroup() as tasks:
            telling = tasks.create_task(self._tell())
            try:
                await self._listen()
            finally:
                telling.cancel()

    async def _tell(self) -> None:
        seq = self._room.desk.seq
        await self.wire.send(Hello(seq=seq))
        async for happened in self._room.desk.news(after=seq):
            if not await self._still_signed_in():
                return  # the next frame heard ends the line
            await self.wire.send(News(happened=happened))

    async def _listen(self) -> None:
        while True:
            text = await self.wire.hear()
            if not await self._still_signed_in():
                raise Over(SIGNED_OUT, "signed out")
            try:
                self._frames.take("frames")
                frame = _FRAME.decode(text)
            except (TooOften, msgspec.DecodeError):
                raise Over(1008, "not a frame of this line, or too many") from None
            if isinstance(frame, Ping):
                await self.wire.send(Pong())
            else:
                await self._typing(frame.case)

    async def _typing(self, case: int) -> None:
        try:
            found = await self._room.desk.case(case)
        except ApplianceError as error:
            log.debug("typing=unheard %s", where(error))
            return
        if found.state == "person" and found.accepted_by == self._member.id:
            self._room.desk.typing(found.conversation, staffer(self._member))

    async def _still_signed_in(self) -> bool:
        try:
            return not (await self._room.session(self._socket)).must_change
        except NotAuthorizedException:
            return False
