"""Twilio's side of text messages: the REST API with its faults, the texts of patients, the callbacks. Keeps what it was told.

Its answers are held against Twilio's own OpenAPI description by `tests/sms/test_twin.py`. Its signatures are written from the
documentation, not with the package that the appliance checks them with.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import random
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

import httpx

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "12345-a-token-of-the-twin"  # noqa: S105 - opens the twin only
CLINIC = "+15035550100"
SERVICE = "MG" + "fedcba9876543210" * 2
PUBLIC = "https://assistant.clinic.example"

Fault = Literal[
    "500_before", "500_after", "503_before", "502_after", "hang_after", "hang_before", "late", "cut_after", "cut_before", "429",
    "nonsense_after", "empty_after", "401",
]  # fmt: skip
"""What goes wrong, before or after the message was taken. ``hang``: until the caller gives up. ``late``: it is taken only then."""

PROGRESS = ("queued", "sending", "sent", "delivered")


class Made:
    """A message to a patient."""

    def __init__(self, sid: str, form: Mapping[str, str]) -> None:
        self.sid = sid
        self.to = form["To"]
        self.body = form["Body"]
        self.form = dict(form)
        self.status = "queued"
        self.error: int | None = None
        self.at = datetime.now(UTC)

    def told(self) -> dict[str, Any]:
        at = format_datetime(self.at)
        uri = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{self.sid}"
        return {
            "account_sid": ACCOUNT,
            "api_version": "2010-04-01",
            "body": self.body,
            "date_created": at,
            "date_sent": None if self.status in ("queued", "accepted") else at,
            "date_updated": at,
            "direction": "outbound-api",
            "error_code": self.error,
            "error_message": None,
            "from": self.form.get("From"),
            "messaging_service_sid": self.form.get("MessagingServiceSid"),
            "num_media": "0",
            "num_segments": "1",
            "price": None,
            "price_unit": "USD",
            "sid": self.sid,
            "status": self.status,
            "subresource_uris": {"media": f"{uri}/Media.json", "feedback": f"{uri}/Feedback.json"},
            "to": self.to,
            "uri": f"{uri}.json",
        }


class Twilio:
    """The whole service for one account."""

    def __init__(self, seed: int = 7) -> None:
        self.made: list[Made] = []
        self.blocked: set[str] = set()
        self.refuses: dict[str, int] = {}
        """Numbers and the error code that a message to them gets at once."""
        self.faults: list[Fault] = []
        """Of the next posts of messages, one each."""
        self.down = False
        self.media: dict[str, list[bytes]] = {}
        """What came with a patient's message."""
        self.webhook = f"{PUBLIC}/api/sms/incoming"
        self.hang_s = 0.6
        """A caller with more patience than this is cut off."""
        self.hanging: list[socket.socket] = []
        """Who was kept waiting."""
        self._chance = random.Random(seed)  # noqa: S311 - no secret
        self._lock = threading.Lock()
        self._in_hand = 0
        self._out_of_hand = threading.Condition()

    # ---- what the appliance asks ------------------------------------------------------------------------------------

    def answered(
        self, method: str, path: str, query: str, form: Mapping[str, str], authorization: str
    ) -> tuple[int, dict[str, Any]]:
        if authorization != "Basic " + base64.b64encode(f"{ACCOUNT}:{TOKEN}".encode()).decode():
            return 401, _error(401, 20003, "Authenticate")
        root = f"/2010-04-01/Accounts/{ACCOUNT}"
        if path == f"{root}.json":
            return 200, _account()
        if path == f"{root}/IncomingPhoneNumbers.json":
            return 200, self._numbers(dict(parse_qsl(query)))
        if path == f"{root}/Messages.json" and method == "POST":
            return self._take(form)
        if path == f"{root}/Messages.json":
            return 200, self._page(dict(parse_qsl(query)))
        if path.startswith(f"{root}/Messages/") and path.endswith("/Media.json"):
            return 200, self._listed(path)
        if path.startswith(f"{root}/Messages/"):
            found = self.by_sid(path.rsplit("/", 1)[1].removesuffix(".json"))
            return (200, found.told()) if found else (404, _error(404, 20404, "not found"))
        return 404, _error(404, 20404, "The requested resource was not found")

    def _take(self, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        to = form.get("To", "")
        if not to or not form.get("Body") or len(form["Body"]) > 1600:
            return 400, _error(400, 21617 if form.get("Body") else 21602, "Message body is required")
        if to in self.blocked:
            return 400, _error(400, 21610, "Attempt to send to unsubscribed recipient")
        if to in self.refuses:
            return 400, _error(400, self.refuses[to], f"The number {to} is refused")
        with self._lock:
            made = Made("SM" + self._chance.randbytes(16).hex(), form)
            self.made.append(made)
        return 201, made.told()

    @contextmanager
    def in_hand(self) -> Iterator[None]:
        """A post that is about to be taken. However slow this machine is, no list is told without it."""
        with self._out_of_hand:
            self._in_hand += 1
        try:
            yield
        finally:
            with self._out_of_hand:
                self._in_hand -= 1
                self._out_of_hand.notify_all()

    def _page(self, asked: Mapping[str, str]) -> dict[str, Any]:
        with self._out_of_hand:
            self._out_of_hand.wait_for(lambda: not self._in_hand, 60)
        found = [one.told() for one in reversed(self.made) if asked.get("To") in (None, one.to)]
        size = int(asked.get("PageSize", "50"))
        uri = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        return _paged("messages", found[:size], uri, size)

    def _numbers(self, asked: Mapping[str, str]) -> dict[str, Any]:
        uri = f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers.json"
        known = [_number(self.webhook)] if asked.get("PhoneNumber") == CLINIC else []
        return _paged("incoming_phone_numbers", known, uri, 50)

    def _listed(self, path: str) -> dict[str, Any]:
        sid = path.split("/")[-2]
        return _paged("media_list", [_media(sid, number) for number in range(len(self.media.get(sid, [])))], path, 50)

    def fetched(self, path: str) -> bytes | None:
        """What is behind an address of its list."""
        parts = path.split("/")
        if len(parts) != 8 or parts[6] != "Media":
            return None
        return self.media[parts[5]][int(parts[7][2:], 16)]

    def by_sid(self, sid: str) -> Made | None:
        return next((one for one in self.made if one.sid == sid), None)

    def to(self, number: str) -> list[str]:
        """What this patient's phone got."""
        return [one.body for one in self.made if one.to == number]

    @contextmanager
    def serving(self) -> Iterator[str]:
        """On loopback, in threads: the package's client blocks."""
        twin = self

        class Handler(_Handler):
            twilio = twin

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            for caller in self.hanging:
                with suppress(OSError):
                    caller.shutdown(socket.SHUT_RDWR)
            server.shutdown()
            server.server_close()
            thread.join()

    # ---- what patients and networks do ------------------------------------------------------------------------------

    def text(self, number: str, body: str, *, media: int = 0, sid: str = "", **more: str) -> dict[str, str]:
        """A text message of a patient, as Twilio posts it."""
        name = sid or ("MM" if media else "SM") + self._chance.randbytes(16).hex()
        form = {
            "ToCountry": "US", "ToState": "OR", "SmsMessageSid": name, "NumMedia": str(media), "ToCity": "PORTLAND",
            "FromZip": "97201", "SmsSid": name, "FromState": "OR", "SmsStatus": "received", "FromCity": "PORTLAND",
            "Body": body, "FromCountry": "US", "To": CLINIC, "ToZip": "97201", "NumSegments": "1", "MessageSid": name,
            "AccountSid": ACCOUNT, "From": number, "ApiVersion": "2010-04-01",
        }  # fmt: skip
        if media:
            form |= {"MediaUrl0": "https://api.twilio.com/media/ME1", "MediaContentType0": "image/jpeg"}
        return form | more

    async def post(
        self, client: httpx.AsyncClient, form: Mapping[str, str], *, url: str = f"{PUBLIC}/api/sms/incoming"
    ) -> httpx.Response:
        """To the webhook, signed."""
        headers = {"x-twilio-signature": signature(url, form), "content-type": FORM}
        return await client.post(urlsplit(url).path, content=urlencode(form), headers=headers)

    def callbacks(
        self, made: Made, *, last: str = "delivered", error: int | None = None
    ) -> list[tuple[str, dict[str, str]]]:
        """The status callbacks of a message: address and form, in their true order."""
        url = made.form.get("StatusCallback", "")
        statuses: Sequence[str] = PROGRESS if last == "delivered" else (*PROGRESS[:2], last)
        made.status, made.error = last, error
        wrong = {"ErrorCode": str(error)} if error else {}
        return [(url, _progress(made, one, wrong if one == last else {})) for one in statuses] if url else []

    async def call_back(
        self, client: httpx.AsyncClient, made: Made, *, last: str = "delivered", error: int | None = None
    ) -> None:
        """All of them, out of order, each twice."""
        calls = self.callbacks(made, last=last, error=error) * 2
        self._chance.shuffle(calls)
        for url, form in calls:
            reply = await self.post(client, form, url=url)
            assert reply.status_code == 204, reply.text


FORM = "application/x-www-form-urlencoded; charset=UTF-8"


def signature(url: str, form: Mapping[str, str], token: str = TOKEN) -> str:
    """As https://www.twilio.com/docs/usage/security has it."""
    signed = url + "".join(name + form[name] for name in sorted(form))
    return base64.b64encode(hmac.new(token.encode(), signed.encode(), hashlib.sha1).digest()).decode()


class _Handler(BaseHTTPRequestHandler):
    twilio: Twilio
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.twilio.down:
            self._cut()
            return
        if (content := self.twilio.fetched(self.path)) is not None:
            self._send(200, content, "image/jpeg")
            return
        self._reply(*self._done("GET", {}))

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", "0"))
        form = dict(parse_qsl(self.rfile.read(length).decode(), keep_blank_values=True))
        fault = self.twilio.faults.pop(0) if self.twilio.faults else None
        if self.twilio.down:
            self._cut()
        elif fault is None:
            with self.twilio.in_hand():
                done = self._done("POST", form)
            self._reply(*done)
        else:
            self._fail(fault, lambda: self._done("POST", form))

    def _done(self, method: str, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        address = urlsplit(self.path)
        return self.twilio.answered(
            method, unquote(address.path), address.query, form, self.headers.get("authorization", "")
        )

    def _fail(self, fault: Fault, done: Callable[[], object]) -> None:
        if fault.endswith("_after"):
            with self.twilio.in_hand():
                done()
        kind = fault.split("_")[0]
        if kind in ("500", "502", "503"):
            self._reply(int(kind), _error(int(kind), 20500, "An internal server error has occurred"))
        elif kind == "429":
            self._reply(429, _error(429, 20429, "Too Many Requests"))
        elif kind == "401":
            self._reply(401, _error(401, 20003, "Authenticate"))
        elif kind == "nonsense":
            self._send(201, b"<html>a proxy's page</html>", "text/html")
        elif kind == "empty":
            self._send(201, b"{}", "application/json")
        elif kind == "cut":
            self._cut()
        elif kind == "late":
            with self.twilio.in_hand():
                self._hang()
                done()
            self._cut()
        else:
            self._hang()
            self._cut()

    def _hang(self) -> None:
        """Until the caller hangs up: it has said all that it has to say."""
        self.twilio.hanging.append(self.connection)
        self.connection.settimeout(self.twilio.hang_s)
        with suppress(OSError):
            self.connection.recv(1)

    def _cut(self) -> None:
        self.close_connection = True

    def _reply(self, status: int, body: Mapping[str, Any]) -> None:
        self._send(status, json.dumps(body).encode(), "application/json")

    def _send(self, status: int, body: bytes, kind: str) -> None:
        try:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


def _progress(made: Made, status: str, more: Mapping[str, str]) -> dict[str, str]:
    return {
        "SmsSid": made.sid, "SmsStatus": status, "MessageStatus": status, "To": made.to, "MessageSid": made.sid,
        "AccountSid": ACCOUNT, "From": CLINIC, "ApiVersion": "2010-04-01", **more,
    }  # fmt: skip


def _error(status: int, code: int, words: str) -> dict[str, Any]:
    return {"code": code, "message": words, "more_info": f"https://www.twilio.com/docs/errors/{code}", "status": status}


def _paged(name: str, found: list[dict[str, Any]], uri: str, size: int) -> dict[str, Any]:
    first = f"https://api.twilio.com{uri}?PageSize={size}&Page=0"
    return {
        "end": len(found), "first_page_uri": first, "next_page_uri": None, "page": 0, "page_size": size,
        "previous_page_uri": None, "start": 0, "uri": first, name: found,
    }  # fmt: skip


def _media(sid: str, number: int) -> dict[str, Any]:
    at, name = format_datetime(datetime(2026, 1, 2, tzinfo=UTC)), f"ME{number:032x}"
    uri = f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{sid}/Media/{name}.json"
    return {
        "account_sid": ACCOUNT, "content_type": "image/jpeg", "date_created": at, "date_updated": at, "parent_sid": sid,
        "sid": name, "uri": uri,
    }  # fmt: skip


def _account() -> dict[str, Any]:
    at = format_datetime(datetime(2026, 1, 2, tzinfo=UTC))
    return {
        "auth_token": "not told", "date_created": at, "date_updated": at, "friendly_name": "Clinic",
        "owner_account_sid": ACCOUNT, "sid": ACCOUNT, "status": "active", "subresource_uris": {}, "type": "Full",
        "uri": f"/2010-04-01/Accounts/{ACCOUNT}.json",
    }  # fmt: skip


def _number(webhook: str) -> dict[str, Any]:
    at = format_datetime(datetime(2026, 1, 2, tzinfo=UTC))
    return {
        "account_sid": ACCOUNT, "address_requirements": "none", "address_sid": None, "api_version": "2010-04-01",
        "beta": False, "capabilities": {"voice": True, "sms": True, "mms": True, "fax": False}, "date_created": at,
        "date_updated": at, "friendly_name": "Clinic", "phone_number": CLINIC, "sid": "PN" + "0" * 32, "sms_method": "POST",
        "sms_url": webhook, "status": "in-use", "uri": f"/2010-04-01/Accounts/{ACCOUNT}/IncomingPhoneNumbers/PN.json",
    }  # fmt: skip
