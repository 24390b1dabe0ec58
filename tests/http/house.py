"""The HTTP side of the appliance with a scripted assistant, on loopback. Run as a program, it serves until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import msgspec

from appliance import UI
from appliance.api.certificate import tls
from appliance.api.health import Component
from appliance.api.http import Parts, create_http
from appliance.api.recordings import Recordings
from appliance.api.server import serve
from appliance.api.staff import StaffRoom, staff_routes
from appliance.api.staff_live import StaffLines
from appliance.channels.live import Live
from appliance.channels.phone.recording import Shelf as Recorded
from appliance.channels.scripted import ScriptedAssistant
from appliance.channels.socket import Sockets
from appliance.channels.web import ClinicCard, Web, routes
from appliance.config import Limits, Server
from appliance.conversations.alerts import Alerts
from appliance.conversations.calls import Calls
from appliance.conversations.cases import Desk
from appliance.conversations.files import Files
from appliance.conversations.turns import Conversations
from appliance.errors import BadDocument, NotFound
from appliance.knowledge import Document, DocumentStatus, PlacedBlock
from appliance.knowledge.parsed import Metadata
from appliance.message import DocumentId
from appliance.people.admins import Admins
from appliance.people.staff import Staff
from appliance.records import audit
from appliance.records.database import Database


class Shelf:
    """A library in memory."""

    def __init__(self) -> None:
        self.known: dict[DocumentId, DocumentStatus] = {}
        self.texts: dict[DocumentId, str] = {}

    async def documents(self) -> Sequence[DocumentStatus]:
        return list(self.known.values())

    async def document(self, document: DocumentId, /) -> Document:
        status = self.known.get(document)
        if status is None:
            raise NotFound(f"there is no document {document!r}; `medinovai documents` lists those there are")
        text = self.texts[document]
        return Document(
            id=document,
            revision=1,
            title=status.title,
            source=status.source,
            language="en",
            site=None,
            valid_from=status.valid_from,
            valid_until=None,
            text=text,
            blocks=(PlacedBlock(kind="paragraph", start=0, end=len(text)),),
        )

    async def learn_bytes(self, name: str, data: bytes, metadata: Metadata, /) -> DocumentStatus:
        if b"%PDF" in data:
            raise BadDocument(f"{name} is not a PDF that can be read")
        made = DocumentStatus(
            id=DocumentId(f"d{len(self.known) + 1}"),
            revision=1,
            title=metadata.title or name,
            source=name,
            language="en",
            site=metadata.site,
            valid_from=metadata.valid_from,
            valid_until=None,
            status="searchable",
            words="searchable: 1 passage, 1 sentence",
            passages=1,
            sentences=1,
            learnt_at="2026-11-22T00:00:00Z",
        )
        self.known[made.id] = made
        self.texts[made.id] = data.decode(errors="replace")
        return made

    async def remove(self, document: DocumentId, /) -> None:
        del self.known[document]


class House:
    """Everything joined as the composition root joins it."""

    def __init__(self, database: Database, server: Server, limits: Limits, data: Path) -> None:
        self.database = database
        self.server = server
        self.data = data
        self.ready = False
        self.components: list[Component] = [Component(name="store", state="ok")]
        self.conversations = Conversations(database)
        self.alerts = Alerts(database)
        self.admins = Admins(database)
        self.staff = Staff(database, clinic="Riverside")
        self.desk = Desk(database)
        self.files = Files(database, most_bytes=1024**2)
        self.calls = Calls(database, bytes(32), "clinic")
        self.recorded = Recorded(data, bytes(32), "clinic", self.calls)
        self.takes_files = False
        self.shelf = Shelf()
        self.assistant = ScriptedAssistant(self.conversations)
        self.live = Live(
            self.assistant.answer, self.conversations, urgent=lambda text: "emergency" in text, at_most=limits.sockets
        )
        self.tls = tls(server, data)
        self.web = Web(
            self.live,
            self.conversations,
            desk=self.desk,
            files=self.files,
            person=self.assistant.person,
            clinic=self._clinic,
            server=server,
            limits=limits,
            secure=self.tls is not None,
        )
        self.sockets = Sockets(self.web)
        self.room = StaffRoom(
            self.staff,
            self.desk,
            self.conversations,
            self.files,
            Recordings(self.calls, self.recorded.wav),
            own_page=self.web.own_page,
            danger=lambda text: ("heart", "chest pain") if "emergency" in text else None,
            audit=self._audit,
            secure=self.tls is not None,
        )
        self.lines = StaffLines(self.room)
        self.http = create_http(
            Parts(
                channels=(
                    *(*routes(self.web, self.sockets.hang_up), self.sockets.route()),
                    *(*staff_routes(self.room), self.lines.route()),
                ),
                library=self.shelf,
                alerts=self.alerts,
                admins=self.admins,
                audit=self._audit,
                limits=limits,
                ui=UI,
                ready=lambda: self.ready,
                health=self._health,
                secure=self.tls is not None,
            )
        )

    @property
    def origin(self) -> str:
        return f"http{'s' if self.tls else ''}://{self.server.host}:{self.server.port}"

    async def serve(self) -> None:
        await serve(self.http, self.server, self.tls, drain=self._drain)

    async def _drain(self) -> None:
        await self.live.drain(self.server.drain_s)
        await self.sockets.close()
        await self.lines.close()

    async def _clinic(self) -> ClinicCard:
        return ClinicCard(
            name="Riverside",
            languages=("en", "es"),
            emergency_number="911",
            examples={"en": ["When are you open?"]},
            retention_days=30,
            accent="#0f5f63",
            files=self.takes_files,
        )

    async def _health(self) -> Sequence[Component]:
        return self.components

    async def _audit(self, actor: str, act: str, subject: str) -> None:
        await self.database.write(lambda c: audit.record(c, actor=actor, act=act, subject=subject))


@asynccontextmanager
async def built(data: Path, server: Server, limits: Limits) -> AsyncIterator[House]:
    database = await Database.open(data / "clinic.db", bytes(32))
    try:
        yield await asyncio.to_thread(House, database, server, limits, data)
    finally:
        await database.close()


def free_port() -> int:
    """Below the ports that the kernel gives out: a connection to one of those may meet itself."""
    while True:
        port = random.randint(20_000, 32_000)  # noqa: S311 - no secret
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


async def _main(data: Path, settings: bytes) -> None:
    given = msgspec.json.decode(settings)
    async with built(data, msgspec.convert(given["server"], Server), msgspec.convert(given["limits"], Limits)) as house:
        house.assistant.words = given["words"]
        house.assistant.pause_after = given["pause_after"]
        house.ready = True
        if admin := given.get("admin"):
            print(await house.admins.create(admin), flush=True)  # noqa: T201 - for the test that started us
        await house.serve()


if __name__ == "__main__":
    import uvloop

    logging.basicConfig(level="DEBUG")
    uvloop.run(_main(Path(sys.argv[1]), os.environb[b"HOUSE"]))
