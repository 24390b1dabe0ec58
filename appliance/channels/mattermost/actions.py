"""What Mattermost calls us with: buttons, the reply's form, the command /case. Believes nothing without a secret of ours.

Its calls are not signed. A button and a form carry a secret of their own, bound to how the case stood when it was made; the command
carries the token that Mattermost made for it. Answers come within what Mattermost waits for.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable
from hashlib import sha256
from typing import Any, Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from litestar import Request, post
from litestar.types import ControllerRouterHandler
from prometheus_client import Counter

from appliance.channels.mattermost.room import ACTION, Rooms
from appliance.channels.mattermost.wording import Wording, plain
from appliance.conversations.case import Case, Staffer
from appliance.conversations.cases import Desk
from appliance.conversations.rooms import Button, RoomBook
from appliance.errors import ApplianceError, BadInput, NotAllowed, NotFound, Taken, TooLarge, TooOften
from appliance.message import MessageId
from appliance.people.pace import Pace, stranger
from appliance.problems import where

log = logging.getLogger(__name__)
T = TypeVar("T")

DIALOG: Final = "/api/mattermost/dialog"
COMMAND: Final = "/api/mattermost/command"
LARGEST: Final = 64 * 1024
FIELDS: Final = 40
ANSWER_S: Final = 2.5
"""Mattermost waits about three seconds."""
A_MINUTE: Final = 600
"""Of all together: Mattermost is one address."""
OF_ONE_A_MINUTE: Final = 60
LISTED: Final = 20

REFUSED = Counter("medinovai_mattermost_refused_calls", "Calls of buttons and commands without a secret of ours")


class _Context(msgspec.Struct, frozen=True):
    token: str = ""


class Pressed(msgspec.Struct, frozen=True, kw_only=True):
    """A button, as Mattermost tells it."""

    user_id: str
    context: _Context
    trigger_id: str = ""


class _Submission(msgspec.Struct, frozen=True):
    text: str | None = ""


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """The reply's form."""

    user_id: str
    state: str = ""
    cancelled: bool = False
    submission: _Submission | None = None


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """To a button or a command: words that only who pressed sees."""

    ephemeral_text: str = ""
    response_type: str = ""
    text: str = ""


class FormAnswer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """To a form; ``error`` keeps it open."""

    error: str = ""


class Actions:
    """Made beside Rooms. Without a command's token /case answers nobody."""

    def __init__(
        self,
        rooms: Rooms,
        book: RoomBook,
        desk: Desk,
        wording: Wording,
        *,
        command_token: str | None,
        callback: str,
        answer_s: float = ANSWER_S,
    ) -> None:
        self._rooms = rooms
        self._book = book
        self._desk = desk
        self._wording = wording
        self._command_token = command_token
        self._form_url = callback + DIALOG
        self._answer_s = answer_s
        self._calls = Pace(A_MINUTE)
        self._each = Pace(OF_ONE_A_MINUTE)

    def routes(self) -> list[ControllerRouterHandler]:
        """What Mattermost posts to."""

        @post(ACTION, status_code=200, include_in_schema=False, request_max_body_size=LARGEST)
        async def action(request: Request[Any, Any, Any]) -> Answer:
            self._paced(request)
            return await self._told(self.pressed(_parsed(await request.body(), Pressed)))

        @post(DIALOG, status_code=200, include_in_schema=False, request_max_body_size=LARGEST)
        async def dialog(request: Request[Any, Any, Any]) -> FormAnswer:
            self._paced(request)
            return FormAnswer(error=(await self._told(self.submitted(_parsed(await request.body(), Submitted)))).text)

        @post(COMMAND, status_code=200, include_in_schema=False, request_max_body_size=LARGEST)
        async def command(request: Request[Any, Any, Any]) -> Answer:
            self._paced(request)
            form = _form(await request.body())
            return await self._told(self.commanded(form))

        return [action, dialog, command]

    def _paced(self, request: Request[Any, Any, Any]) -> None:
        """By address, so that a stranger uses up his own allowance and not Mattermost's."""
        self._calls.take(stranger(request.client.host if request.client else None))

    async def _told(self, work: Awaitable[str]) -> Answer:
        """Words for who pressed, whatever happens; a secret that is none is refused."""
        try:
            async with asyncio.timeout(self._answer_s):
                words = await work
        except NotAllowed:
            REFUSED.inc()
            log.warning("mattermost=refused reason=a call without a secret of ours")
            raise
        except TooOften:
            words = self._wording.answer("often")
        except (BadInput, NotFound, Taken, TooLarge) as error:
            words = str(error)
        except (ApplianceError, TimeoutError) as error:
            log.error("mattermost=action failed %s", where(error))
            words = self._wording.answer("slow")
        return Answer(ephemeral_text=words, response_type="ephemeral", text=words)

    # ---- buttons ----------------------------------------------------------------------------------------------------

    async def pressed(self, pressed: Pressed) -> str:
        button, case, by = await self._opened(pressed.context.token, pressed.user_id)
        match button.act:
            case "accept":
                await self._desk.accept(case.id, by, version=button.version)
                return self._wording.answer("accepted", case=case.id)
            case "return":
                await self._desk.give_back(case.id, by)
                return self._wording.answer("given_back", case=case.id)
            case "resolve":
                await self._desk.resolve(case.id, by)
                return self._wording.answer("resolved", case=case.id)
            case "reply":
                tokens = await self._book.buttons(case.id, case.version, ("say",))
                form = self._wording.dialog(case, tokens["say"])
                await self._rooms.form(pressed.trigger_id, self._form_url, form)
                return ""
            case _:
                raise NotAllowed("this secret is of a form")

    async def submitted(self, submitted: Submitted) -> str:
        """Empty when the words are said. Sent twice they are said once: the id comes from the form's secret."""
        if submitted.cancelled:
            return ""
        button, case, by = await self._opened(submitted.state, submitted.user_id, form=True)
        text = ((submitted.submission or _Submission()).text or "").strip()
        if not text:
            raise BadInput(self._wording.answer("unwritten"))
        id = MessageId("form-" + sha256(submitted.state.encode()).hexdigest()[:32])
        if button.act != "say":
            raise NotAllowed("this secret is of a button")
        await self._desk.say(case.conversation, by, text, id=id, via="form")
        return ""

    async def _opened(self, token: str, user: str, *, form: bool = False) -> tuple[Button, Case, Staffer]:
        """What a secret opens and who holds it. A form's own words do not make it out of date."""
        button = await self._book.button(token)
        if button is None:
            REFUSED.inc()
            raise Taken(self._wording.answer("old"))
        by = await self._staffer(user)
        case = await self._desk.case(button.handover)
        if not case.open or (case.version != button.version and not (form and case.accepted_by == by.id)):
            raise Taken(self._wording.answer("old"))
        return button, case, by

    async def _staffer(self, user: str) -> Staffer:
        self._each.take(user[:64])
        by = await self._rooms.crew.staffer(user) if user else None
        if by is None:
            raise BadInput(self._wording.answer("stranger"))
        return by

    # ---- the command ------------------------------------------------------------------------------------------------

    async def commanded(self, form: dict[str, str]) -> str:
        ours = self._command_token
        if not ours or not hmac.compare_digest(form.get("token", "").encode(errors="surrogatepass"), ours.encode()):
            raise NotAllowed("this is not the command that was set up (medinovai mattermost setup)")
        what, _, rest = form.get("text", "").strip().partition(" ")
        if what == "ping":
            return self._wording.answer("ping")
        by = await self._staffer(form.get("user_id", ""))
        if what in ("", "list"):
            return await self._listed()
        number, _, words = rest.strip().partition(" ")
        if not (number.isascii() and number.isdigit()):
            return self._wording.answer("unknown")
        return await self._done(what, int(number), words.strip(), by)

    async def _done(self, what: str, case: int, words: str, by: Staffer) -> str:
        match what:
            case "take":
                await self._desk.accept(case, by)
                return self._wording.answer("accepted", case=case)
            case "return":
                await self._desk.give_back(case, by)
                return self._wording.answer("given_back", case=case)
            case "resolve":
                await self._desk.resolve(case, by)
                return self._wording.answer("resolved", case=case)
            case "note":
                await self._desk.note(case, by, words)
                return self._wording.answer("noted")
        return self._wording.answer("unknown")

    async def _listed(self) -> str:
        """Numbers, urgency and who has it; nothing of a patient's."""
        queue = await self._desk.queue()
        lines = [
            f"{self._wording.shown(case)} · {plain(case.accepted_name or '–') if case.state == 'person' else case.state}"
            for case in queue[:LISTED]
        ]
        return "\n".join(lines) or self._wording.answer("none")


def _parsed(body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.DecodeError:
        raise NotAllowed("this is no call of a button") from None


def _form(body: bytes) -> dict[str, str]:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS, errors="strict"))
    except ValueError:  # UnicodeDecodeError is one
        raise NotAllowed("this is no call of a command") from None
