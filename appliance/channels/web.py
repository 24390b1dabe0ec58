"""The clinic's chat page: its conversation over HTTP, and the same events as a stream where no socket can be opened.

Knows cookies, origins and limits; not how an answer is found. A patient is known by a random token in a cookie that
scripts cannot read and other sites cannot send.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, Router, delete, get, post, put
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, HeaderParameter, JSONBody
from litestar.response import Stream
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from appliance.attachment import LARGEST, FileName, FileOperation, handed_out, posted
from appliance.channels.live import Answer, Answering, Event, Live
from appliance.channels.staffed import Staffed, Whose
from appliance.config import Limits, Server
from appliance.conversations.cases import Desk
from appliance.conversations.files import Attached, Files
from appliance.conversations.turns import Conversation, Conversations, Turn
from appliance.errors import BadInput, NotAllowed, NotFound, TooLarge
from appliance.message import ConversationId, Language, Message, MessageId, Opening
from appliance.people.pace import Pace, stranger
from appliance.problems import described

HangUp = Callable[[ConversationId], Awaitable[None]]

COOKIE = "conversation"
KEEP_ALIVE_S = 15.0
"""A stream says something at least this often: proxies close a silent one, and we learn that the reader is gone."""

MessageName = Annotated[str, Meta(pattern=r"^[0-9a-fA-F-]{36}$", description="A UUID chosen by the page.")]
Seq = Annotated[int, Meta(ge=0, le=1_000_000)]


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """When the clinic is open, by its own clock."""

    timezone: str
    week: dict[str, list[tuple[str, str]]]
    """``{"mon": [["08:00", "17:00"]]}``"""
    holidays: dict[str, tuple[tuple[str, str], ...]] = {}
    """The coming days that are otherwise: ``{"2026-12-25": []}``"""


class ClinicCard(msgspec.Struct, frozen=True, kw_only=True):
    """What the page shows of the clinic."""

    name: str
    languages: tuple[Language, ...]
    emergency_number: str
    examples: dict[Language, list[str]]
    retention_days: int
    accent: str
    phone: str | None = None
    hours: Hours | None = None
    sites: tuple[str, ...] = ()
    files: bool = False
    """Whether patients may send files while a person has the conversation."""


class NewConversation(msgspec.Struct, frozen=True, kw_only=True):
    """A patient opens the page."""

    language: Language | None = None
    site: Annotated[str, Meta(max_length=80)] | None = None


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation just begun."""

    id: ConversationId
    clinic: ClinicCard


class Speaking(msgspec.Struct, frozen=True, kw_only=True):
    """The answer being said now."""

    message_id: MessageId
    last_seq: int


class History(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation as the page shows it after a reload."""

    id: ConversationId
    language: Language | None
    turns: list[Turn]
    live: Speaking | None
    whose: Whose
    files: list[Attached]


class NewMessage(msgspec.Struct, frozen=True, kw_only=True):
    """What a patient writes."""

    id: MessageName
    text: Annotated[str, Meta(pattern=r"[^\s\u0000-\u001f\u007f]", description="At least one letter.")]
    language: Language | None = None


class PersonWanted(msgspec.Struct, frozen=True, kw_only=True):
    """A patient presses "Talk to a person"."""

    id: MessageName
    language: Language | None = None


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """The message is kept; its events are at /api/conversation/events."""

    message_id: MessageId


class ChosenLanguage(msgspec.Struct, frozen=True, kw_only=True):
    language: Language


class Feedback(msgspec.Struct, frozen=True, kw_only=True):
    """A thumb."""

    up: bool
    reason: Annotated[str, Meta(max_length=1000)] | None = None


class Web:
    """What the chat page's routes share."""

    def __init__(
        self,
        live: Live,
        conversations: Conversations,
        *,
        desk: Desk,
        files: Files,
        person: Answering,
        clinic: Callable[[], Awaitable[ClinicCard]],
        server: Server,
        limits: Limits,
        secure: bool,
    ) -> None:
        self.live = live
        self.conversations = conversations
        self.desk = desk
        self.files = files
        self.staffed = Staffed(desk, files)
        self.clinic = clinic
        self.server = server
        self.limits = limits
        self.secure = secure or server.public_url.startswith("https://")  # then something before us speaks TLS
        self._person = person
        self._pace = Pace(limits.messages_per_minute)
        self._newcomers = Pace(max(1, limits.requests_per_minute // 5))

    async def conversation(self, cookies: Mapping[str, str]) -> Conversation:
        """The conversation that the caller's cookie opens. Raises NotFound."""
        token = cookies.get(COOKIE, "")
        found = await self.conversations.by_token(token) if token else None
        if found and (conversation := await self.conversations.find(found)):
            return conversation
        raise NotFound("there is no conversation yet: open one with POST /api/conversations")

    async def open(self, new: NewConversation, host: str | None) -> tuple[ConversationId, str]:
        """A new conversation and its token. Raises TooOften: each costs the store a row for weeks."""
        if who := stranger(host):
            self._newcomers.take(who)
        return await self.conversations.create("web", new.language, new.site)

    async def say(self, conversation: Conversation, message: NewMessage) -> Answer:
        """The answer to what the patient wrote. Raises TooLarge, BadInput, TooOften, Busy."""
        if len(message.text) > (most := self.limits.message_characters):
            raise TooLarge(f"a message has at most {most} characters (limits.message_characters)")
        words = _printable(message.text)
        if not words:
            raise BadInput("the message is empty: type a question")
        if not self.live.urgent(words):
            self._pace.take(conversation.id)
        return await self.live.say(_message(conversation, message.id, words, message.language))

    async def person(self, conversation: Conversation, wanted: PersonWanted) -> Answer:
        """The answer that says how to reach a person."""
        self._pace.take(conversation.id)
        return await self.live.say(_message(conversation, wanted.id, "", wanted.language), self._person)

    async def attach(self, conversation: Conversation, message: str, name: str, content: bytes) -> Attached:
        """A file of the patient's, for the people who have the conversation. Raises NotAllowed, BadInput, TooLarge, TooOften."""
        whose = await self.staffed.whose(conversation.id)
        if not (await self.clinic()).files or whose.owner not in ("waiting", "person"):
            raise NotAllowed("no files are taken here now")
        self._pace.take(conversation.id)
        kept = await self.files.keep(conversation.id, MessageId(message), name, content, source=f"page-{message}")
        told = _message(conversation, message, kept.name, None)
        if await self.conversations.begin(told):
            language = conversation.language or "en"
            opening = Opening(kind="person", language=language)
            await self.conversations.finish(told, [opening], kind="person", language=language, complete=True)
        await self.desk.patient_said(conversation.id, told.id)
        return kept

    async def resume(self, conversation: Conversation, message: str, *, after: int) -> Answer:
        """The answer to an earlier message, past event ``after``. Raises NotFound."""
        return await self.live.resume(conversation.id, MessageId(message), after=after, site=conversation.site)

    def own_page(self, connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
        """Does this come from a page of ours? A browser names the page's origin when it writes or opens a socket."""
        origin = connection.headers.get("origin")
        if origin is None:
            return connection.headers.get("sec-fetch-site") == "same-origin"
        if origin.lower() in {own.lower() for own in (self.server.public_url, *self.server.allowed_origins) if own}:
            return True
        scheme, _, host = origin.lower().partition("://")
        return scheme in ("http", "https") and host == connection.headers.get("host", "").lower()


def routes(web: Web, hang_up: HangUp) -> list[ControllerRouterHandler]:
    """The routes of the chat page's conversation. ``hang_up`` closes the open lines of one that is deleted."""
    handlers: list[ControllerRouterHandler] = [
        clinic_card,
        open_conversation,
        history,
        delete_conversation,
        choose_language,
        say,
        events,
        stop,
        give_feedback,
        want_person,
        need_nobody,
        attach,
        attached,
    ]
    return [
        Router(
            path="/api",
            route_handlers=handlers,
            guards=[_from_own_page(web)],
            dependencies={
                "web": Provide(lambda: web, sync_to_thread=False),
                "hang_up": Provide(lambda: hang_up, sync_to_thread=False),
                "conversation": Provide(_conversation),
            },
            tags=["conversation"],
        )
    ]


_COOKIE_NEEDED = [{"conversation": list[str]()}]


@get("/clinic", responses=described())
async def clinic_card(web: NamedDependency[Web]) -> ClinicCard:
    """The clinic as the page shows it."""
    return await web.clinic()


@post("/conversations", responses=described(403))
async def open_conversation(
    request: Request[Any, Any, Any], data: JSONBody[NewConversation], web: NamedDependency[Web]
) -> Response[Opened]:
    """Begin a conversation; its token comes as a cookie that ends with the browser."""
    conversation, token = await web.open(data, request.client.host if request.client else None)
    card = await web.clinic()
    return Response(Opened(id=conversation, clinic=card), cookies=[_cookie(web, token)])


@get("/conversation", security=_COOKIE_NEEDED, responses=described(404))
async def history(conversation: NamedDependency[Conversation], web: NamedDependency[Web]) -> History:
    """Everything said so far, and the answer being said now."""
    turns = await web.conversations.history(conversation.id)
    answer = web.live.current(conversation.id)
    live = Speaking(message_id=answer.message.id, last_seq=answer.last_seq) if answer else None
    whose = await web.staffed.whose(conversation.id)
    return History(
        id=conversation.id,
        language=conversation.language,
        turns=turns,
        live=live,
        whose=whose,
        files=await web.files.of(conversation.id),
    )


@delete(
    "/conversation",
    security=_COOKIE_NEEDED,
    responses=described(403, 404),
    response_cookies=[Cookie(COOKIE, value="", path="/", max_age=0, httponly=True, samesite="strict")],
)
async def delete_conversation(
    conversation: NamedDependency[Conversation], web: NamedDependency[Web], hang_up: NamedDependency[HangUp]
) -> None:
    """Forget this conversation with everything said in it."""
    await web.live.stop_all(conversation.id)
    await web.conversations.delete(conversation.id)
    await hang_up(conversation.id)


@put("/conversation/language", security=_COOKIE_NEEDED, status_code=204, responses=described(403, 404))
async def choose_language(
    conversation: NamedDependency[Conversation], data: JSONBody[ChosenLanguage], web: NamedDependency[Web]
) -> None:
    """Remember the language the patient chose."""
    await web.conversations.set_language(conversation.id, data.language)


@post("/conversation/messages", security=_COOKIE_NEEDED, status_code=202, responses=described(403, 404, 413))
async def say(
    conversation: NamedDependency[Conversation], data: JSONBody[NewMessage], web: NamedDependency[Web]
) -> Accepted:
    """Say something. The same id twice is answered once."""
    return await _accepted(web, await web.say(conversation, data))


@post("/conversation/person", security=_COOKIE_NEEDED, status_code=202, responses=described(403, 404))
async def want_person(
    conversation: NamedDependency[Conversation], data: JSONBody[PersonWanted], web: NamedDependency[Web]
) -> Accepted:
    """Ask how to reach a person."""
    return await _accepted(web, await web.person(conversation, data))


@delete("/conversation/person", security=_COOKIE_NEEDED, status_code=200, responses=described(403, 404))
async def need_nobody(conversation: NamedDependency[Conversation], web: NamedDependency[Web]) -> Whose:
    """The patient waits for nobody any more. A person who has the conversation already keeps it."""
    await web.desk.patient_returns(conversation.id)
    return await web.staffed.whose(conversation.id)


@put(
    "/conversation/files/{message_id:str}",
    security=_COOKIE_NEEDED,
    responses=described(403, 404, 413),
    request_max_body_size=LARGEST,
    operation_class=FileOperation,
)
async def attach(
    request: Request[Any, Any, Any],
    conversation: NamedDependency[Conversation],
    message_id: FromPath[MessageName],
    name: FromQuery[FileName],
    web: NamedDependency[Web],
) -> Attached:
    """A photo or a PDF for the people who have the conversation, as a message of its own. The same id twice is kept once."""
    content = await posted(request, web.files.most_bytes)
    return await web.attach(conversation, message_id, name, content)


@get(
    "/conversation/files/{id:str}",
    security=_COOKIE_NEEDED,
    responses=described(404),
    media_type="application/octet-stream",
)
async def attached(
    conversation: NamedDependency[Conversation], id: FromPath[str], web: NamedDependency[Web]
) -> Response[bytes]:
    """A file of this conversation."""
    return handed_out(*await web.files.open(conversation.id, id))


@get(
    "/conversation/events",
    security=_COOKIE_NEEDED,
    media_type="text/event-stream",
    responses=described(404),
)
async def events(
    conversation: NamedDependency[Conversation],
    web: NamedDependency[Web],
    message_id: FromQuery[MessageName],
    after: FromQuery[Seq] = 0,
    last_event_id: Annotated[Seq | None, HeaderParameter(name="Last-Event-ID")] = None,
) -> Response[Any]:
    """The events of one answer past number ``after``, as they come. 204: there are none left, stop asking."""
    seq = max(after, last_event_id or 0)
    answer = await web.resume(conversation, message_id, after=seq)
    if answer.ended and answer.last_seq <= seq:
        return Response(None, status_code=204)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return Stream(_stream(web.live, answer, seq), media_type="text/event-stream", headers=headers)


@post(
    "/conversation/messages/{message_id:str}/stop",
    security=_COOKIE_NEEDED,
    status_code=204,
    responses=described(403, 404),
)
async def stop(
    conversation: NamedDependency[Conversation], message_id: FromPath[MessageName], web: NamedDependency[Web]
) -> None:
    """Stop the answer to this message; what was said of it stays."""
    await web.live.stop(conversation.id, MessageId(message_id))


@put(
    "/conversation/messages/{message_id:str}/feedback",
    security=_COOKIE_NEEDED,
    status_code=204,
    responses=described(403, 404),
)
async def give_feedback(
    conversation: NamedDependency[Conversation],
    message_id: FromPath[MessageName],
    data: JSONBody[Feedback],
    web: NamedDependency[Web],
) -> None:
    """A thumb up or down for one answer; the last one counts."""
    await web.conversations.feedback(conversation.id, MessageId(message_id), data.up, data.reason)


def _from_own_page(web: Web) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        """The cookie comes with whatever a browser sends; so what changes something must come from our page."""
        reads = connection.scope.get("method") == "GET"
        nothing_to_steal = COOKIE not in connection.cookies and "origin" not in connection.headers
        if not (reads or nothing_to_steal or web.own_page(connection)):
            raise NotAllowed("this request does not come from a page of this server (server.allowed_origins)")

    return guard


async def _conversation(request: Request[Any, Any, Any], web: NamedDependency[Web]) -> Conversation:
    return await web.conversation(request.cookies)


async def _accepted(web: Web, answer: Answer) -> Accepted:
    """Only what is kept is accepted: the first event comes after the message was written to the store."""
    if not answer.waits:
        await answer.after(0)
    return Accepted(message_id=answer.message.id)


async def _stream(live: Live, answer: Answer, seq: int) -> AsyncGenerator[bytes, None]:
    with live.listening(answer):
        while True:
            try:
                async with asyncio.timeout(KEEP_ALIVE_S):
                    news = await answer.after(seq)
            except TimeoutError:
                yield b": still here\n\n"
                continue
            if not news:
                return
            for event in news:
                yield _sse(event)
            seq = news[-1].seq


def _sse(event: Event) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (event.seq, msgspec.json.encode(event))


def _cookie(web: Web, token: str) -> Cookie:
    """Without a date: on a shared computer it is gone with the browser."""
    return Cookie(COOKIE, value=token, path="/", httponly=True, secure=web.secure, samesite="strict")


def _message(conversation: Conversation, name: str, text: str, language: Language | None) -> Message:
    return Message(
        id=MessageId(name),
        conversation=conversation.id,
        channel="web",
        text=text,
        language=language,
        locked=language is not None,  # the page names one only when the patient chose it
        site=conversation.site,
    )


def _printable(text: str) -> str:
    """Without control characters, which no patient types and no store or screen wants."""
    return "".join(c for c in text if c >= " " or c in "\n\t").strip()
