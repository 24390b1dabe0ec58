"""What Twilio posts to us: texts of patients, and how far our own are. Believes nothing that is not signed.

The address that was signed is the public one of the settings; no header of a proxy is asked. Twilio signs names and values run
together, so a name that could be cut out of a patient's words is refused, and so is any name that comes twice.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

import msgspec
from litestar import MediaType, Request, Response, post
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler
from prometheus_client import Counter

from appliance.channels.sms.carrier import signature_check
from appliance.config import Config
from appliance.errors import BadInput, NotAllowed

log = logging.getLogger(__name__)

INCOMING: Final = "/api/sms/incoming"
STATUS: Final = "/api/sms/status"
FIELDS: Final = 100
CHARACTERS: Final = 10_000

REFUSED = Counter("medinovai_sms_refused_webhooks", "Posts to the SMS addresses that were not Twilio's, or not for us")


class Text(msgspec.Struct, frozen=True, kw_only=True):
    """A text message of a patient, checked."""

    sid: str
    number: str
    text: str
    media: int
    opt_out_type: str

    def __repr__(self) -> str:
        return f"Text({self.sid!r}, {len(self.text)} characters)"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a message of ours is, checked."""

    out: int
    secret: str
    sid: str
    status: str
    error: int | None


class Signed:
    """Tells Twilio's posts from everybody else's."""

    def __init__(self, config: Config, token: str) -> None:
        self._is_signed = signature_check(token)
        self._sms = config.sms
        self._public_url = config.server.public_url

    def text(self, query: bytes, body: bytes, signature: str) -> Text:
        """Raises NotAllowed, BadInput."""
        fields = self._fields(INCOMING, query, body, signature)
        if not self._ours(fields):
            raise NotAllowed("this text message was sent to another number")
        if not (_SID.fullmatch(fields.get("MessageSid", "")) and _NUMBER.fullmatch(fields.get("From", ""))):
            raise BadInput("this is no text message")
        media = fields.get("NumMedia", "0")
        return Text(
            sid=fields["MessageSid"],
            number=fields["From"],
            text=_printable(fields.get("Body", "")),
            media=int(media) if _COUNT.fullmatch(media) else 0,
            opt_out_type=fields.get("OptOutType", ""),
        )

    def progress(self, out: str, secret: str, query: bytes, body: bytes, signature: str) -> Progress:
        """Raises NotAllowed, BadInput."""
        fields = self._fields(f"{STATUS}/{out}/{secret}", query, body, signature)
        if not (_SID.fullmatch(fields.get("MessageSid", "")) and _ID.fullmatch(out)):
            raise BadInput("this is no word of a text message")
        error = fields.get("ErrorCode", "")
        return Progress(
            out=int(out),
            secret=secret,
            sid=fields["MessageSid"],
            status=fields.get("MessageStatus", ""),
            error=int(error) if _CODE.fullmatch(error) else None,
        )

    def _fields(self, path: str, query: bytes, body: bytes, signature: str) -> Mapping[str, str]:
        """The form, if Twilio has signed it with our token for our account at our address."""
        try:
            address = f"{self._public_url}{path}" + (f"?{query.decode('ascii')}" if query else "")
            pairs = parse_qsl(
                body.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=True,
                errors="strict",
                max_num_fields=FIELDS,
            )
        except ValueError:  # UnicodeDecodeError is one
            raise NotAllowed(_UNSIGNED) from None
        fields = dict(pairs)
        known = len(fields) == len(pairs) and all(_NAME.fullmatch(name) for name in fields)
        if not (known and self._is_signed(address, fields, signature)):
            raise NotAllowed(_UNSIGNED)
        if fields.get("AccountSid") != self._sms.account_sid:
            raise NotAllowed("this is not about the clinic's Twilio account")
        return fields

    def _ours(self, fields: Mapping[str, str]) -> bool:
        """Sent to the clinic's number, or through its Messaging Service."""
        to, service = fields.get("To", ""), fields.get("MessagingServiceSid", "")
        if self._sms.number and to == self._sms.number:
            return True
        return bool(self._sms.messaging_service) and service == self._sms.messaging_service and bool(_TO.fullmatch(to))


_UNSIGNED: Final = (
    "this is not signed by Twilio for this address (server.public_url, and the token: medinovai sms check)"
)
_SID: Final = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")
_NUMBER: Final = re.compile(r"\+[1-9][0-9]{4,14}")
_TO: Final = re.compile(r"\+?[0-9]{4,15}")
_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9_]{1,39}")
_COUNT: Final = re.compile(r"[0-9]{1,2}")
_ID: Final = re.compile(r"[0-9]{1,15}")
_CODE: Final = re.compile(r"[0-9]{1,6}")


def sms_routes(
    signed: Signed,
    *,
    received: Callable[[Text], Awaitable[str]],
    progressed: Callable[[Progress], Awaitable[None]],
) -> list[ControllerRouterHandler]:
    """The two addresses. ``received`` keeps a text and says what to answer at once: nothing, unless it cannot be kept."""

    @post(INCOMING, status_code=200, include_in_schema=False)
    async def incoming(request: Request[Any, Any, Any]) -> Response[str]:
        """A patient's text message. The answer goes out by REST, however long it takes."""
        with _counted():
            text = signed.text(*await _posted(request))
        return _twiml(await received(text))

    @post(STATUS + "/{out:str}/{secret:str}", status_code=204, include_in_schema=False)
    async def status(request: Request[Any, Any, Any], out: FromPath[str], secret: FromPath[str]) -> None:
        """How far a message of ours is."""
        with _counted():
            told = signed.progress(out, secret, *await _posted(request))
        await progressed(told)

    return [incoming, status]


async def _posted(request: Request[Any, Any, Any]) -> tuple[bytes, bytes, str]:
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise NotAllowed(_UNSIGNED)
    return request.scope["query_string"], await request.body(), request.headers.get("x-twilio-signature", "")


@contextmanager
def _counted() -> Iterator[None]:
    try:
        yield
    except (NotAllowed, BadInput) as error:
        REFUSED.inc()
        log.warning("sms=refused reason=%s", error)
        raise


def _twiml(words: str) -> Response[str]:
    message = f"<Message>{escape(words)}</Message>" if words else ""
    xml = f'<?xml version="1.0" encoding="UTF-8"?><Response>{message}</Response>'
    return Response(xml, media_type=MediaType.XML)


def _printable(text: str) -> str:
    """Without control characters, which no phone sends and no screen wants."""
    return "".join(letter for letter in text[:CHARACTERS] if letter >= " " or letter in "\n\t").strip()
