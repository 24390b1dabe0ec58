"""A desk, its outbox and rooms in Mattermost, joined as app.py joins them, with short waits, and the twin at the other end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import httpx
import msgspec
from litestar import Litestar, Request, Response

from appliance.channels.mattermost.actions import Actions
from appliance.channels.mattermost.rest import Mattermost as Real
from appliance.channels.mattermost.room import ROOM_LETTERS, Rooms
from appliance.channels.mattermost.socket import Pulse
from appliance.config import Config, Server
from appliance.config import Mattermost as Settings
from appliance.conversations.case import Case, Staffer
from appliance.conversations.cases import Desk
from appliance.conversations.files import Files
from appliance.conversations.letters import KINDS
from appliance.conversations.rooms import RoomBook
from appliance.conversations.turns import Conversations, Turn
from appliance.errors import ApplianceError
from appliance.message import ConversationId, Message, MessageId
from appliance.operations.postman import Deliver, Postman
from appliance.people.staff import Member
from appliance.problems import problem
from appliance.records.database import Database
from appliance.records.outbox import Outbox
from tests.twins.mattermost import TEAM, TOKEN, Mattermost, eventually

PUBLIC = "https://assistant.clinic.example"
COMMAND_TOKEN = "the-token-of-the-command"  # noqa: S105 - the twin's
PAGE = Staffer(id="ana", name="Ana", role="nurse")
CALM = Pulse(ping_s=0.2, pong_s=60, open_s=60, first_s=0.05, most_s=0.2)
"""A line that is not given up because the machine is busy."""
QUICK = Pulse(ping_s=0.2, pong_s=0.2, open_s=60, first_s=0.05, most_s=0.2)
"""One that is given up as soon as it is silent."""


def config(url: str, **settings: Any) -> Config:
    return Config(server=Server(public_url=PUBLIC), mattermost=Settings(url=url, team=TEAM, **settings))


class Box:
    """``ana`` and ``ben`` are staff of the first and second group; ``joe`` is in the team, but no staff."""

    def __init__(
        self, database: Database, twin: Mattermost, url: str, settings: Config, *, timeout_s: float, pulse: Pulse
    ) -> None:
        self.database = database
        self.twin = twin
        self.config = settings
        self.staff: list[Member] = [
            Member(id="ana", name="Ana", role="nurse", level=1),
            Member(id="ben", name="Ben", role="doctor", level=2),
        ]
        self.ana, self.ben, self.joe = (_person(twin, name) for name in ("ana", "ben", "joe"))
        self.conversations = Conversations(database)
        self.desk = Desk(database)
        self.book = RoomBook(database)
        self.files = Files(database, most_bytes=1024**2)
        self.real = Real(url, TOKEN, timeout_s=timeout_s, first_s=0.02, patience_s=0.5)
        self.rooms = Rooms(
            *(self.real, self.book, self.desk, self.conversations, self.files, settings),
            members=self.members,
            poll_s=0.5,
            first_s=0.02,
        )
        self.rooms.socket.pulse = pulse
        self.actions = Actions(
            self.rooms, self.book, self.desk, self.rooms.wording, command_token=COMMAND_TOKEN, callback=PUBLIC
        )
        self.http = Litestar(
            self.actions.routes(), exception_handlers={ApplianceError: _told}, openapi_config=None, logging_config=None
        )
        told: dict[str, Sequence[Deliver]] = {kind: [] for kind in KINDS}
        told |= {kind: [self.rooms.told] for kind in ROOM_LETTERS}
        self.outbox = Outbox(database)
        self.postman = Postman(self.outbox, told, first_s=0.05, most_s=0.3, limit_s=60, look_s=0.05)

    async def members(self) -> list[Member]:
        return self.staff

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(cast(Any, self.http)), base_url=PUBLIC)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(work()) for work in (self.postman.run, self.rooms.run, self._waking)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            for one in await asyncio.gather(*tasks, return_exceptions=True):
                if not isinstance(one, asyncio.CancelledError):
                    raise AssertionError("what runs as long as the service has ended") from one

    async def _waking(self) -> None:
        async with aclosing(self.desk.news()) as news:
            async for _ in news:
                self.postman.wake()

    # ---- what a patient does, and what the assistant then does ------------------------------------------------------

    async def waiting(self, text: str = "I want to talk to a person", urgency: int = 1, **more: Any) -> Case:
        """A patient who is handed over."""
        conversation, _ = await self.conversations.create("web", "en")
        await self.writes(conversation, text)
        given: dict[str, Any] = {"reason": "asked", "summary": text, "suggested": "We open at nine."}
        given |= {"channel": "web"} | more
        return await self.desk.open(conversation, urgency=urgency, language="en", **given)

    async def writes(self, conversation: ConversationId, text: str, *, id: MessageId | None = None) -> MessageId:
        id = id or MessageId(str(uuid4()))
        await self.conversations.begin(Message(id=id, conversation=conversation, channel="web", text=text))
        await self.desk.patient_said(conversation, id)
        return id

    async def words(self, conversation: ConversationId) -> list[str]:
        """What staff said, as the patient sees it."""
        return [turn.text for turn in await self._staff(conversation) if not turn.deleted_at]

    async def _staff(self, conversation: ConversationId) -> list[Turn]:
        return [turn for turn in await self.conversations.history(conversation, 500) if turn.role == "staff"]

    # ---- what is waited for -----------------------------------------------------------------------------------------

    async def quiet(self, seconds: float = 120.0) -> None:
        """Every letter is delivered."""

        async def empty() -> bool:
            return not await self.outbox.waiting(1)

        await eventually(empty, seconds)

    async def channel(self, case: Case) -> str:
        """Where the case is, once it is there."""
        await self.quiet()
        room = await self.book.room(case.id)
        assert room and room.channel
        return room.channel

    async def control(self, case: Case) -> str:
        """The post with the buttons."""
        await self.quiet()
        room = await self.book.room(case.id)
        assert room and room.root
        return room.root

    async def until_said(self, case: Case, *words: str) -> None:
        """The patient sees these words of staff, in this order, and no others."""

        async def there() -> bool:
            return await self.words(case.conversation) == list(words)

        try:
            await eventually(there)
        except TimeoutError:
            assert await self.words(case.conversation) == list(words)

    def texts(self, channel: str) -> list[str]:
        """Everything our bot said in a channel, with what stands below the lines."""
        return [_text(post) for post in self.twin.said(channel, by=self.twin.bot)]


def _person(twin: Mattermost, name: str) -> str:
    known = [id for id, user in twin.users.items() if user["username"] == name]
    return known[0] if known else twin.person(name)


def _text(post: dict[str, Any]) -> str:
    parts = [post["message"], *(part.get("text", "") for part in post["props"].get("attachments", []))]
    return "\n".join(part for part in parts if part)


def _told(_request: Request[Any, Any, Any], error: ApplianceError) -> Response[dict[str, str]]:
    return Response({"detail": problem(error).detail}, status_code=problem(error).status)


@asynccontextmanager
async def box(
    data: Path,
    twin: Mattermost,
    url: str,
    *,
    timeout_s: float = 30,
    running: bool = True,
    pulse: Pulse = CALM,
    **settings: Any,
) -> AsyncIterator[Box]:
    database = await Database.open(data / "clinic.db", bytes(32))
    made = await asyncio.to_thread(
        lambda: Box(database, twin, url, config(url, **settings), timeout_s=timeout_s, pulse=pulse)
    )
    if made.config.mattermost.rooms == "threads":
        team = await made.real.team(TEAM)
        desk = await made.real.make_channel(team.id, made.config.mattermost.desk, "Patients waiting")
        twin.members[desk.id] |= {made.ana, made.ben, made.joe}
    try:
        if running:
            async with made.running():
                yield made
        else:
            yield made
    finally:
        await made.real.close()
        await database.close()


def answer(response: httpx.Response) -> str:
    """What who pressed reads."""
    assert response.status_code == 200, response.text
    told = msgspec.json.decode(response.content)
    return str(told.get("ephemeral_text") or told.get("error") or "")
