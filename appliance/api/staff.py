"""The clinic's staff over HTTP: signing in, the queue, a case and what may be done with it. Knows no rule and no channel.

A member of staff is known by a random token in a cookie that scripts cannot read and other sites cannot send. What is told on
the line (`api/staff_live.py`) holds no words: the page asks here for what it may show.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, Router, delete, get, post, put
from litestar.connection import ASGIConnection
from litestar.datastructures import Cookie
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from appliance.api.recordings import Heard, Recordings
from appliance.attachment import LARGEST, FileName, FileOperation, handed_out, posted
from appliance.conversations.case import Case, CaseEvent, Note, Staffer, Word
from appliance.conversations.cases import Desk
from appliance.conversations.files import Attached, Files
from appliance.conversations.turns import Conversations, Turn
from appliance.errors import NotAllowed
from appliance.message import MessageId, now
from appliance.people.staff import Member, Session, Staff
from appliance.problems import described

COOKIE: Final = "staff"
BROWSER: Final = "staff_browser"
BROWSER_S: Final = 180 * 24 * 3600
SHOWN: Final = 200
"""Turns of a conversation that staff see."""

Text = Annotated[str, Meta(min_length=1, max_length=4_000)]
WordName = Annotated[str, Meta(pattern=r"^[0-9a-fA-F-]{36}$", description="A UUID chosen by the page.")]
Audit = Callable[[str, str, str], Awaitable[None]]


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody wants in."""

    name: Annotated[str, Meta(max_length=100)]
    password: Annotated[str, Meta(max_length=500)]

    def __repr__(self) -> str:
        return "SignIn()"


class NewPassword(msgspec.Struct, frozen=True, kw_only=True):
    """A password of one's own. ``old`` unless a one-time password was used just now."""

    new: Annotated[str, Meta(max_length=500)]
    old: Annotated[str, Meta(max_length=500)] = ""

    def __repr__(self) -> str:
        return "NewPassword()"


class Duty(msgspec.Struct, frozen=True, kw_only=True):
    """Whether somebody takes conversations."""

    on_duty: bool


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What is said to the patient."""

    id: WordName
    text: Text


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """A note, or other words in place of earlier ones."""

    text: Text


class Taking(msgspec.Struct, frozen=True, kw_only=True):
    """Which version of the case the page showed when the button was pressed."""

    version: int | None = None


class Later(msgspec.Struct, frozen=True, kw_only=True):
    """For how long nobody answers."""

    minutes: Annotated[int, Meta(ge=5, le=3 * 24 * 60)]


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """What the clinic's people have before them."""

    me: Member
    cases: list[Case]
    """Open ones: the most urgent first, then who came first."""
    closed: list[Case]
    """The newest of those that are over."""
    seq: int
    """The last happening that this shows: the line goes on from there."""
    now: datetime
    """The server's clock, by which waiting times count."""


class Why(msgspec.Struct, frozen=True, kw_only=True):
    """What the rules see in a patient's message, told to staff."""

    rule: str
    kind: str


class CaseView(msgspec.Struct, frozen=True, kw_only=True):
    """One case with all that is known of it."""

    case: Case
    place: int
    """In the queue: 1 is next; 0 when it does not wait."""
    turns: list[Turn]
    why: dict[MessageId, Why]
    """Messages of the patient in which a rule sees danger."""
    notes: list[Note]
    events: list[CaseEvent]
    files: list[Attached]
    recordings: list[Heard]
    """Voice messages and recorded calls: what a caller said, where it was not understood."""
    seq: int


class StaffRoom:
    """What the routes share."""

    def __init__(
        self,
        staff: Staff,
        desk: Desk,
        conversations: Conversations,
        files: Files,
        recordings: Recordings,
        *,
        own_page: Callable[[ASGIConnection[Any, Any, Any, Any]], bool],
        danger: Callable[[str], tuple[str, str] | None],
        audit: Audit,
        secure: bool,
    ) -> None:
        """``danger`` tells kind and rule of a red flag in a text."""
        self.staff = staff
        self.desk = desk
        self.conversations = conversations
        self.files = files
        self.recordings = recordings
        self.own_page = own_page
        self.danger = danger
        self.audit = audit
        self.cookie = f"__Host-{COOKIE}" if secure else COOKIE
        self._secure = secure
        self._seen: set[tuple[str, int]] = set()

    def token(self, connection: ASGIConnection[Any, Any, Any, Any]) -> str:
        return connection.cookies.get(self.cookie, "")

    async def session(self, connection: ASGIConnection[Any, Any, Any, Any], *, seen: bool = False) -> Session:
        """Who has signed in. Raises NotAuthorizedException (401)."""
        token = self.token(connection)
        found = await self.staff.session(token, seen=seen) if token else None
        if found is None:
            raise NotAuthorizedException
        return found

    def session_cookie(self, token: str) -> Cookie:
        """Without a date: it ends with the browser, and before that with the session."""
        return Cookie(
            self.cookie,
            value=token,
            path="/",
            httponly=True,
            secure=self._secure,
            samesite="strict",
            max_age=None if token else 0,
        )

    def browser_cookie(self, token: str) -> Cookie:
        """Says only that a member has signed in here before; it opens nothing."""
        return Cookie(
            BROWSER,
            value=token,
            path="/api/staff/session",
            httponly=True,
            secure=self._secure,
            samesite="strict",
            max_age=BROWSER_S,
        )

    async def looked_at(self, member: Member, case: int) -> None:
        """Who has read a patient's words is on record, once for each case."""
        key = (member.id, case)
        if key not in self._seen:
            await self.audit(member.id, "case.view", str(case))
            if len(self._seen) > 10_000:
                self._seen.clear()
            self._seen.add(key)

    async def off_duty(self, member: Member) -> None:
        """Nobody may wait for somebody who has gone: their cases go back into the queue."""
        for case in await self.desk.queue():
            if case.state == "person" and case.accepted_by == member.id:
                await self.desk.leave(case.id, staffer(member))
        await self.staff.on_duty(member.id, False)


def staffer(member: Member) -> Staffer:
    return Staffer(id=member.id, name=member.name, role=member.role)


def staff_routes(room: StaffRoom) -> list[ControllerRouterHandler]:
    """All routes of staff but the line."""
    return [
        Router(
            "/api/staff",
            route_handlers=[
                *(sign_in, who_am_i, still_here, sign_out, choose_password),
                *(duty, queue, case_view, attached, recording, accept, reply, attach, edit, take_back, note),
                *(give_back, resolve, snooze, wake, leave, read),
            ],
            guards=[_own_page(room), _signed_in(room)],
            dependencies={"room": Provide(lambda: room, sync_to_thread=False)},
            security=[{"staff": []}],
            tags=["staff"],
        )
    ]


ANYBODY: Final = {"needs": "nothing"}
UNSETTLED: Final = {"needs": "a session"}
"""Also with a one-time password, until another is chosen."""


# ---- signing in -----------------------------------------------------------------------------------------------------


@post("/session", opt=ANYBODY, security=[{}], responses=described(403))
async def sign_in(
    request: Request[Any, Any, Any], data: JSONBody[SignIn], room: NamedDependency[StaffRoom]
) -> Response[Session]:
    """Sign in. 403: the name or the password is wrong. 429: several were wrong, wait."""
    signed = await room.staff.sign_in(
        data.name,
        data.password,
        host=request.client.host if request.client else None,
        browser=request.cookies.get(BROWSER, ""),
    )
    return Response(signed.session, cookies=[room.session_cookie(signed.token), room.browser_cookie(signed.browser)])


@get("/session", opt=UNSETTLED, responses=described(401))
async def who_am_i(request: Request[Session, Any, Any]) -> Session:
    """Who has signed in, and until when. Asking does not make a session longer."""
    return request.user


@put("/session", opt=UNSETTLED, responses=described(401, 403))
async def still_here(request: Request[Session, Any, Any]) -> Session:
    """Somebody uses the page: the session does not end for being idle."""
    return request.user


@delete("/session", opt=UNSETTLED, status_code=204, responses=described(401, 403))
async def sign_out(request: Request[Session, Any, Any], room: NamedDependency[StaffRoom]) -> Response[None]:
    """Sign out. Whoever was on duty is no more, and their patients wait for another."""
    if request.user.member.on_duty:
        await room.off_duty(request.user.member)
    await room.staff.sign_out(room.token(request))
    return Response(None, status_code=204, cookies=[room.session_cookie("")])


@post("/password", opt=UNSETTLED, status_code=204, responses=described(401, 403))
async def choose_password(
    request: Request[Session, Any, Any], data: JSONBody[NewPassword], room: NamedDependency[StaffRoom]
) -> Response[None]:
    """Choose a password of one's own; all other sessions of the member end."""
    token = await room.staff.change_password(room.token(request), data.new, old=data.old)
    return Response(None, status_code=204, cookies=[room.session_cookie(token)])


@put("/duty", status_code=204, responses=described(401, 403))
async def duty(request: Request[Session, Any, Any], data: JSONBody[Duty], room: NamedDependency[StaffRoom]) -> None:
    """Take conversations from now on, or no longer; then one's patients wait for another."""
    if data.on_duty:
        await room.staff.on_duty(request.user.member.id, True)
    else:
        await room.off_duty(request.user.member)


# ---- looking --------------------------------------------------------------------------------------------------------


@get("/queue", responses=described(401, 403))
async def queue(request: Request[Session, Any, Any], room: NamedDependency[StaffRoom]) -> Queue:
    """All open cases, and the newest closed ones."""
    seq = room.desk.seq  # first: what happens meanwhile is told again rather than missed
    cases, closed = await room.desk.queue(), await room.desk.closed(20)
    return Queue(me=request.user.member, cases=cases, closed=closed, seq=seq, now=now())


@get("/cases/{case:int}", responses=described(401, 403, 404))
async def case_view(
    request: Request[Session, Any, Any], case: FromPath[int], room: NamedDependency[StaffRoom]
) -> CaseView:
    """The conversation with its sources, what the rules see in it, and the notes. Who reads it is on record."""
    seq, found = room.desk.seq, await room.desk.case(case)
    await room.looked_at(request.user.member, case)
    turns = await room.conversations.history(found.conversation, SHOWN)
    flags = {one.message_id: room.danger(one.text) for one in turns if one.role == "patient" and one.text}
    return CaseView(
        case=found,
        place=await room.desk.place(case),
        turns=turns,
        why={id: Why(kind=flag[0], rule=flag[1]) for id, flag in flags.items() if flag},
        notes=await room.desk.notes(case),
        events=await room.desk.events(case),
        files=await room.files.of(found.conversation),
        recordings=await room.recordings.of(found.conversation),
        seq=seq,
    )


@get("/cases/{case:int}/files/{id:str}", responses=described(401, 404), media_type="application/octet-stream")
async def attached(
    request: Request[Session, Any, Any], case: FromPath[int], id: FromPath[str], room: NamedDependency[StaffRoom]
) -> Response[bytes]:
    """A file of a case's conversation. Who opens it is on record as who reads it."""
    found = await room.desk.case(case)
    await room.looked_at(request.user.member, case)
    return handed_out(*await room.files.open(found.conversation, id))


@get("/cases/{case:int}/recordings/{id:int}", responses=described(401, 403, 404), media_type="audio/wav")
async def recording(
    request: Request[Session, Any, Any], case: FromPath[int], id: FromPath[int], room: NamedDependency[StaffRoom]
) -> Response[bytes]:
    """A voice message or recorded call of a case, as sound. Who hears it is on record. 404: it is not kept any longer."""
    found, by = await room.desk.case(case), request.user.member
    await room.looked_at(by, case)
    sound = await room.recordings.hear(found.conversation, id, by.id)
    return Response(sound, media_type="audio/wav", headers={"cache-control": "no-store"})


# ---- acting ---------------------------------------------------------------------------------------------------------


@post("/cases/{case:int}/accept", status_code=200, responses=described(401, 403, 404, 409))
async def accept(
    request: Request[Session, Any, Any], case: FromPath[int], data: JSONBody[Taking], room: NamedDependency[StaffRoom]
) -> Case:
    """Take it. 409: somebody else was first."""
    return await room.desk.accept(case, staffer(request.user.member), version=data.version)


@post("/cases/{case:int}/reply", status_code=200, responses=described(401, 403, 404, 409))
async def reply(
    request: Request[Session, Any, Any], case: FromPath[int], data: JSONBody[Reply], room: NamedDependency[StaffRoom]
) -> Word:
    """Say something to the patient; the case is the speaker's from now on. The same id twice is said once."""
    found = await room.desk.case(case)
    by = staffer(request.user.member)
    return await room.desk.say(found.conversation, by, data.text, id=MessageId(data.id), via="page")


@put(
    "/cases/{case:int}/files/{word:str}",
    responses=described(401, 403, 404, 409, 413),
    request_max_body_size=LARGEST,
    operation_class=FileOperation,
)
async def attach(
    request: Request[Session, Any, Any],
    case: FromPath[int],
    word: FromPath[WordName],
    name: FromQuery[FileName],
    room: NamedDependency[StaffRoom],
) -> Word:
    """Send the patient a photo or a PDF, as a word of its own; the case is the sender's from now on."""
    found, id, by = await room.desk.case(case), MessageId(word), staffer(request.user.member)
    if found.channel == "sms":
        raise NotAllowed("this patient writes by text message, which carries no files")
    content = await posted(request, room.files.most_bytes)
    kept = await room.files.keep(found.conversation, id, name, content, source=f"page-{word}")
    return await room.desk.say(found.conversation, by, kept.name, id=id, via="page")


@put("/words/{word:str}", responses=described(401, 403, 404))
async def edit(
    request: Request[Session, Any, Any],
    word: FromPath[WordName],
    data: JSONBody[Words],
    room: NamedDependency[StaffRoom],
) -> Word:
    """Other words in place of one's own; the patient sees that they were changed."""
    return await room.desk.edit(MessageId(word), staffer(request.user.member), data.text)


@delete("/words/{word:str}", status_code=200, responses=described(401, 403, 404))
async def take_back(
    request: Request[Session, Any, Any], word: FromPath[WordName], room: NamedDependency[StaffRoom]
) -> Word:
    """The patient sees the words no more, only that there were some."""
    return await room.desk.take_back(MessageId(word), staffer(request.user.member))


@post("/cases/{case:int}/note", status_code=200, responses=described(401, 403, 404))
async def note(
    request: Request[Session, Any, Any], case: FromPath[int], data: JSONBody[Words], room: NamedDependency[StaffRoom]
) -> Note:
    """A private word among staff."""
    return await room.desk.note(case, staffer(request.user.member), data.text)


@post("/cases/{case:int}/return", status_code=200, responses=described(401, 403, 404, 409))
async def give_back(request: Request[Session, Any, Any], case: FromPath[int], room: NamedDependency[StaffRoom]) -> Case:
    """The assistant answers again."""
    return await room.desk.give_back(case, staffer(request.user.member))


@post("/cases/{case:int}/resolve", status_code=200, responses=described(401, 403, 404, 409))
async def resolve(request: Request[Session, Any, Any], case: FromPath[int], room: NamedDependency[StaffRoom]) -> Case:
    """Done."""
    return await room.desk.resolve(case, staffer(request.user.member))


@post("/cases/{case:int}/snooze", status_code=200, responses=described(401, 403, 404, 409))
async def snooze(
    request: Request[Session, Any, Any], case: FromPath[int], data: JSONBody[Later], room: NamedDependency[StaffRoom]
) -> Case:
    """Nobody answers for a while; the patient is told, and wakes it with a word."""
    return await room.desk.snooze(case, staffer(request.user.member), now() + timedelta(minutes=data.minutes))


@post("/cases/{case:int}/wake", status_code=200, responses=described(401, 403, 404, 409))
async def wake(request: Request[Session, Any, Any], case: FromPath[int], room: NamedDependency[StaffRoom]) -> Case:
    """It waits again, at once."""
    return await room.desk.wake(case)


@post("/cases/{case:int}/leave", status_code=200, responses=described(401, 403, 404, 409))
async def leave(request: Request[Session, Any, Any], case: FromPath[int], room: NamedDependency[StaffRoom]) -> Case:
    """One cannot go on with it: the patient waits for another."""
    return await room.desk.leave(case, staffer(request.user.member))


@post("/cases/{case:int}/read", status_code=204, responses=described(401, 403, 404))
async def read(request: Request[Session, Any, Any], case: FromPath[int], room: NamedDependency[StaffRoom]) -> None:
    """All that the patient said was seen."""
    await room.desk.read(case, staffer(request.user.member))


# ---- guards ---------------------------------------------------------------------------------------------------------


def _own_page(room: StaffRoom) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], None]:
    def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        """What changes something, or brings a cookie, comes from our page."""
        if connection.scope.get("method") != "GET" and not room.own_page(connection):
            raise NotAllowed("this request does not come from a page of this server (server.allowed_origins)")

    return guard


def _signed_in(
    room: StaffRoom,
) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]:
    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        """Before a byte of the body is read. A page that looks by itself does not keep a session from ending."""
        needs = handler.opt.get("needs")
        if needs == ANYBODY["needs"]:
            return
        session = await room.session(connection, seen=connection.scope.get("method") != "GET")
        if session.must_change and needs != UNSETTLED["needs"]:
            raise NotAllowed("choose a password of your own first")
        connection.scope["user"] = session

    return guard
