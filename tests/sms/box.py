"""A text line with a scripted assistant, joined as app.py joins it, and Twilio's twin at its other end.

Run as a program it takes one text and dies at a point that is named: what the next process makes of it is what is tested.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
from litestar import Litestar, Request, Response

from appliance.channels.live import Live
from appliance.channels.scripted import ScriptedAssistant
from appliance.channels.sms.carrier import Carrier, Found, Handed
from appliance.channels.sms.carrier import Twilio as Real
from appliance.channels.sms.line import TextLine
from appliance.config import Clinic, Config, Server, Sms
from appliance.conversations.cases import Desk
from appliance.conversations.files import Files
from appliance.conversations.texts import Numbers, Texts
from appliance.conversations.turns import Conversations
from appliance.errors import ApplianceError
from appliance.message import now
from appliance.problems import problem
from appliance.records.database import Connection, Database
from tests.twins.twilio import ACCOUNT, CLINIC, PUBLIC, TOKEN, Twilio

PATIENT = "+15035550177"
SETTLE_S = 0.8
"""The twin, as slow as it may be, tells of no messages while it has one in hand."""


def config(**sms: Any) -> Config:
    given = {"account_sid": ACCOUNT, "number": CLINIC, "quiet_hours": ""} | sms
    return Config(
        clinic=Clinic(name="Riverside", phone="(503) 555-0100"), server=Server(public_url=PUBLIC), sms=Sms(**given)
    )


class Box:
    def __init__(
        self,
        database: Database,
        api: str,
        settings: Config,
        *,
        clock: Callable[[], datetime] = now,
        wrapped: Callable[[Carrier], Carrier] = lambda carrier: carrier,
        settle_s: float = SETTLE_S,
        timeout_s: float = 60,
    ) -> None:
        self.database = database
        self.conversations = Conversations(database)
        self.desk = Desk(database)
        self.files = Files(database, most_bytes=1024**2)
        self.assistant = ScriptedAssistant(self.conversations)
        self.assistant.words = ["We open ", "at nine."]
        self.live = Live(
            self.assistant.answer, self.conversations, urgent=lambda text: "chest pain" in text, at_most=100
        )
        self.texts = Texts(database, Numbers(bytes(32), "clinic"), clock=clock)
        self.real = Real(
            ACCOUNT, TOKEN, number=CLINIC, service=settings.sms.messaging_service, api=api, timeout_s=timeout_s
        )
        self.line = TextLine(
            *(self.texts, self.live, self.conversations, self.desk, self.files, settings),
            token=TOKEN,
            carrier=wrapped(self.real),
            clock=clock,
            settle_s=settle_s,
        )
        self.http = Litestar(
            self.line.routes(), exception_handlers={ApplianceError: _told}, openapi_config=None, logging_config=None
        )

    def client(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(cast(Any, self.http)), base_url=PUBLIC)

    async def answered(self) -> None:
        """Everything that came in has its answer, kept to be sent."""
        await self.line.replying.begin()
        await self.line.replying.all_answered()

    async def sent(self) -> None:
        """... and sent, as far as that can be done now."""
        await self.answered()
        while await self.line.sending.round():
            pass

    async def tried(self) -> None:
        """... and tried once: what became of it is not looked up, however long it took."""
        await self.answered()
        await self.line.sending.round()

    async def rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        def work(connection: Connection) -> list[tuple[Any, ...]]:
            return connection.execute(sql, values).fetchall()

        return await self.database.read(work)

    async def drained(self, seconds: float = 120) -> None:
        """With the line running: until nothing waits."""
        async with asyncio.timeout(seconds):
            while True:
                figures = await self.texts.figures(datetime.min.replace(tzinfo=now().tzinfo))
                if not (figures.waiting or figures.unanswered):
                    return
                await asyncio.sleep(0.05)  # the tables tell nobody when they change


def _told(_request: Request[Any, Any, Any], error: ApplianceError) -> Response[dict[str, str]]:
    return Response({"detail": problem(error).detail}, status_code=problem(error).status)


@asynccontextmanager
async def box(data: Path, api: str, settings: Config | None = None, **more: Any) -> AsyncIterator[Box]:
    database = await Database.open(data / "clinic.db", bytes(32))
    made = await asyncio.to_thread(lambda: Box(database, api, settings or config(), **more))
    try:
        yield made
    finally:
        await made.real.close()
        await database.close()


# ---- the process that is killed ---------------------------------------------------------------------------------------

POINTS = ("received", "answering", "answered", "posting", "posted")


class _Deadly:
    """The carrier at whose hands the process dies."""

    def __init__(self, carrier: Carrier, point: str) -> None:
        self._carrier = carrier
        self._point = point

    async def send(self, number: str, text: str, *, callback: str) -> Handed:
        if self._point == "posting":
            _die()
        handed = await self._carrier.send(number, text, callback=callback)
        if self._point == "posted":
            _die()
        return handed

    async def newest(self, number: str) -> Sequence[Found]:
        return await self._carrier.newest(number)

    async def media(self, sid: str, most_bytes: int) -> Sequence[bytes]:
        return await self._carrier.media(sid, most_bytes)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def _main(data: Path, api: str, point: str, form: dict[str, str]) -> None:
    async with box(data, api, wrapped=lambda carrier: _Deadly(carrier, point)) as made:
        if form:
            async with made.client() as client:
                reply = await Twilio().post(client, form)
                print(reply.status_code, flush=True)  # noqa: T201 - for the test that started us
        if point == "received":
            _die()
        if point == "answering":
            made.assistant.pause_after = 2
            await made.line.replying.begin()
            while not made.assistant.asked:  # noqa: ASYNC110 - about to be killed: no time for manners
                await asyncio.sleep(0.01)
            _die()
        if point == "answered":
            await made.answered()
            _die()
        async with made.line.running():
            await made.drained()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], msgspec.json.decode(sys.argv[4])))
