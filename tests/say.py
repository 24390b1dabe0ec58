"""Talk to a whole appliance, with twins in place of the models, over every channel that there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Protocol, cast, get_args
from uuid import uuid4

import httpx
import msgspec
from litestar import Litestar

from appliance import UI
from appliance.api.http import Parts as FrontDoor
from appliance.api.http import create_http
from appliance.app import Clinic, Models, Unqualified, open_clinic
from appliance.assistant.answer import Assistant
from appliance.assistant.contact import Contact
from appliance.assistant.quote import Quoting, Weights
from appliance.channels.live import Live
from appliance.channels.socket import Sockets
from appliance.channels.web import ClinicCard, Web, routes
from appliance.config import Config, Data, Limits
from appliance.conversations.alerts import Alerts
from appliance.conversations.turns import Conversations, Turn
from appliance.message import (
    AnswerKind,
    Call,
    Citation,
    ConversationId,
    Language,
    Message,
    MessageId,
    Notice,
    Opening,
    Part,
    Text,
)
from appliance.records.keys import create_master_key
from models import ChatModel, Vectors
from models.scripted import ScriptedChat, ScriptedEmbedder
from models.store import Store

Channel = Literal["terminal", "socket", "stream"]
CHANNELS: tuple[Channel, ...] = get_args(Channel)
ORIGIN = "http://clinic.test"

# The product's coefficients are fitted to the real embedder; these are for its twin, which counts letters.
WEIGHTS = Weights(
    ranker={"dense": 4.0, "said": 5.0, "above": 3.0, "uncarried": -1.0, "fact": 2.0, "no_fact": -2.0, "day": 2.0},
    join={"beside": 0.0, "apart": 0.0, "row": 0.0, "sites": 0.0},
    gate={"bias": -4.0, "dense": 4.0, "said": 6.0, "above": 3.0, "fact": 1.5, "no_fact": -3.0},
    threshold=0.5,
)  # fmt: skip


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """An answer, whole."""

    parts: tuple[Part, ...]
    complete: bool = True

    @property
    def kind(self) -> AnswerKind:
        return self._opening.kind

    @property
    def language(self) -> Language:
        return self._opening.language

    @property
    def text(self) -> str:
        """What a patient reads, without the sources' labels."""
        return "".join(part.text for part in self.parts if isinstance(part, Text | Notice))

    @property
    def citations(self) -> list[Citation]:
        return [part for part in self.parts if isinstance(part, Citation)]

    @property
    def notices(self) -> list[Notice]:
        return [part for part in self.parts if isinstance(part, Notice)]

    @property
    def numbers(self) -> list[str]:
        return [part.number for part in self.parts if isinstance(part, Call)]

    @property
    def _opening(self) -> Opening:
        first, *others = self.parts
        assert isinstance(first, Opening) and not any(isinstance(part, Opening) for part in others)
        return first


class Conversing(Protocol):
    """One patient's conversation over one channel."""

    id: ConversationId

    async def say(self, text: str, *, language: Language | None = None, name: str | None = None) -> Said: ...


class Held(asyncio.Event):
    """Who waits for it waits, and is seen waiting."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def wait(self) -> Literal[True]:
        self.reached.set()
        return await super().wait()


class Ear(ScriptedEmbedder):
    """The embedder's twin, which remembers the questions it heard, and fails or waits when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self.fails: Exception | None = None
        self._held: Held | None = None

    @contextmanager
    def failing(self, error: Exception) -> Iterator[None]:
        self.fails = error
        try:
            yield
        finally:
            self.fails = None

    @contextmanager
    def waiting(self) -> Iterator[asyncio.Event]:
        """Every question waits; the event is set when one does."""
        self._held = Held()
        try:
            yield self._held.reached
        finally:
            self._held = None

    async def queries(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        self.heard += texts
        if self._held:
            await self._held.wait()
        if self.fails:
            raise self.fails
        return await super().queries(texts, languages)


class Appliance:
    """A clinic and its doors."""

    def __init__(self, clinic: Clinic, chat: ScriptedChat, ear: Ear) -> None:
        self.clinic = clinic
        self.chat = chat
        self.ear = ear
        self.assistant = clinic.assistant
        self.conversations = clinic.conversations
        self.live, self.http = _doors(clinic, self.answering, self.person)

    def answering(self, message: Message) -> AsyncGenerator[Part, None]:
        return self.assistant.answer(message)

    def person(self, message: Message) -> AsyncGenerator[Part, None]:
        return self.assistant.person(message)

    async def say(
        self, text: str, *, via: Channel = "terminal", language: Language | None = None, site: str | None = None
    ) -> Said:
        """One message in a conversation of its own."""
        async with self.conversing(via, language=language, site=site) as patient:
            return await patient.say(text, language=language)

    @asynccontextmanager
    async def conversing(
        self, via: Channel, *, language: Language | None = None, site: str | None = None
    ) -> AsyncIterator[Conversing]:
        if via == "terminal":
            conversation, _ = await self.conversations.create("terminal", language, site)
            yield _InTerminal(conversation, self, site)
            return
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(cast(Any, self.http)), base_url=ORIGIN, headers={"origin": ORIGIN}
        ) as browser:
            opened = await browser.post("/api/conversations", json={"language": language, "site": site})
            assert opened.status_code == 201, opened.text
            conversation = ConversationId(opened.json()["id"])
            if via == "stream":
                yield _OverStream(conversation, browser)
                return
            async with _socket(self.http, browser) as line:
                yield _OverSocket(conversation, line)

    def writing(self, chat: ChatModel) -> Assistant:
        """The same assistant with a model that may write."""
        return self.clinic.assistant_with(Unqualified(chat))

    def recording(self, conversations: Conversations, alerts: Alerts | None = None) -> Assistant:
        """The same assistant with another record."""
        kept = alerts or self.clinic.alerts
        changed = msgspec.structs.replace(self.clinic, conversations=conversations, alerts=kept)
        return changed.assistant_with(self.clinic.qualified)

    async def history(self, conversation: ConversationId) -> list[Turn]:
        return await self.conversations.history(conversation)


@asynccontextmanager
async def appliance(
    data: Path, *, documents: Sequence[Path] = (), chat: ScriptedChat | None = None, weights: Weights = WEIGHTS
) -> AsyncIterator[Appliance]:
    """A fresh one in a directory, with these documents learnt."""
    await asyncio.to_thread(create_master_key, data)
    model = chat or ScriptedChat()
    config = Config(data=Data(directory=str(data)), limits=Limits(messages_per_minute=600))
    ear = Ear()
    store = await asyncio.to_thread(Store, data / "models")
    models = Models(store=store, embedder=ear, chat=model)
    async with open_clinic(config, models=models) as opened:
        await opened.library.learn(documents)
        yield Appliance(weighed(opened, weights), model, ear)


def weighed(clinic: Clinic, weights: Weights) -> Clinic:
    """The same clinic with other coefficients."""
    quoting = Quoting(weights)
    contact = Contact(clinic.search, quoting, clinic.phrases, clinic.glossary, phone=clinic.config.clinic.phone)
    changed = msgspec.structs.replace(clinic, quoting=quoting, contact=contact)
    return msgspec.structs.replace(changed, assistant=changed.assistant_with(clinic.qualified))


async def answered(assistant: Assistant, message: Message) -> Said:
    async with aclosing(assistant.answer(message)) as parts:
        return Said(parts=tuple([part async for part in parts]))


def message(
    text: str,
    conversation: ConversationId,
    *,
    language: Language | None = None,
    site: str | None = None,
    name: str | None = None,
) -> Message:
    return Message(
        id=MessageId(name or str(uuid4())),
        conversation=conversation,
        channel="terminal",
        text=text,
        language=language,
        site=site,
    )


# ---- the channels -----------------------------------------------------------------------------------------------------


class _InTerminal:
    def __init__(self, conversation: ConversationId, house: Appliance, site: str | None) -> None:
        self.id = conversation
        self._house = house
        self._site = site

    async def say(self, text: str, *, language: Language | None = None, name: str | None = None) -> Said:
        asked = message(text, self.id, language=language, site=self._site, name=name)
        return await answered(self._house.assistant, asked)


class _OverStream:
    """Without a socket: the message is posted, its events are streamed."""

    def __init__(self, conversation: ConversationId, browser: httpx.AsyncClient) -> None:
        self.id = conversation
        self._browser = browser

    async def say(self, text: str, *, language: Language | None = None, name: str | None = None) -> Said:
        asked = name or str(uuid4())
        body = {"id": asked, "text": text, "language": language}
        accepted = await self._browser.post("/api/conversation/messages", json=body)
        assert accepted.status_code == 202, accepted.text
        reply = await self._browser.get("/api/conversation/events", params={"message_id": asked})
        lines = [line.removeprefix("data: ") for line in reply.text.splitlines() if line.startswith("data: ")]
        return _said([msgspec.json.decode(line) for line in lines])


class _OverSocket:
    def __init__(self, conversation: ConversationId, line: _Line) -> None:
        self.id = conversation
        self._line = line

    async def say(self, text: str, *, language: Language | None = None, name: str | None = None) -> Said:
        asked = name or str(uuid4())
        self._line.tell({"type": "say", "id": asked, "text": text, "language": language})
        events: list[dict[str, Any]] = []
        while not events or events[-1]["type"] == "part":
            event = await self._line.hear()
            if event["type"] not in ("owner", "staff", "typing"):  # what people do meanwhile
                events.append(event)
        return _said(events)


class _Line:
    """The page's end of a socket, without a network in between (ASGI, websocket sub-specification)."""

    def __init__(self) -> None:
        self.to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.to_page: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    def tell(self, frame: dict[str, Any]) -> None:
        self.to_server.put_nowait({"type": "websocket.receive", "text": msgspec.json.encode(frame).decode()})

    async def hear(self) -> dict[str, Any]:
        async with asyncio.timeout(30):
            event = await self.to_page.get()
        assert event["type"] == "websocket.send", event
        return dict(msgspec.json.decode(event["text"]))


@asynccontextmanager
async def _socket(http: Litestar, browser: httpx.AsyncClient) -> AsyncIterator[_Line]:
    line = _Line()
    cookie = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    scope = {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": "/api/conversation/socket",
        "raw_path": b"/api/conversation/socket",
        "root_path": "",
        "query_string": b"",
        "headers": [(b"host", b"clinic.test"), (b"origin", ORIGIN.encode()), (b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 50_000),
        "server": ("clinic.test", 80),
        "subprotocols": [],
        "extensions": {},
    }
    line.to_server.put_nowait({"type": "websocket.connect"})
    serving = asyncio.create_task(http(cast(Any, scope), cast(Any, line.to_server.get), cast(Any, line.to_page.put)))
    try:
        accepted = await line.to_page.get()
        assert accepted["type"] == "websocket.accept", accepted
        yield line
    finally:
        line.to_server.put_nowait({"type": "websocket.disconnect", "code": 1000})
        with suppress(asyncio.CancelledError):
            await serving


def _said(events: Sequence[dict[str, Any]]) -> Said:
    """What the page is told; the numbers of the events have no gap."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1)), events
    parts = tuple(msgspec.convert(event["part"], Part) for event in events[:-1])
    return Said(parts=parts, complete=events[-1]["complete"])


def _doors(
    clinic: Clinic,
    answering: Callable[[Message], AsyncGenerator[Part, None]],
    person: Callable[[Message], AsyncGenerator[Part, None]],
) -> tuple[Live, Litestar]:
    """The web side, joined as app.py joins it for the server."""
    config = clinic.config
    urgent = clinic.triage.red_flag
    live = Live(answering, clinic.conversations, urgent=lambda text: urgent(text) is not None, at_most=100)
    web = Web(
        live,
        clinic.conversations,
        desk=clinic.desk,
        files=clinic.files,
        person=person,
        clinic=_card,
        server=config.server,
        limits=config.limits,
        secure=False,
    )
    sockets = Sockets(web)
    http = create_http(
        FrontDoor(
            channels=(*routes(web, sockets.hang_up), sockets.route()),
            library=clinic.library,
            alerts=clinic.alerts,
            admins=clinic.admins,
            audit=_no_audit,
            limits=config.limits,
            ui=UI,
            ready=lambda: True,
            health=_no_health,
            secure=False,
        )
    )
    return live, http


async def _card() -> ClinicCard:
    return ClinicCard(
        name="Riverside",
        languages=("en", "es", "zh", "hi"),
        emergency_number="911",
        examples={},
        retention_days=30,
        accent="#0f5f63",
    )


async def _no_audit(_actor: str, _act: str, _subject: str) -> None:
    """Nothing is administered here."""


async def _no_health() -> list[Any]:
    return []
