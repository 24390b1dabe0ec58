"""Twilio's REST API as this house needs it: send, look up, look at the account. The package is imported here only.

Its client blocks, logs numbers and quotes them in its errors: so it works in threads of its own with a time limit, gets a logger
that says nothing, and of its errors only numbers come out.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypeVar

import msgspec

from appliance.errors import Unavailable

T = TypeVar("T")

TIMEOUT_S: Final = 10.0
"""For one answer of Twilio's; twice that for all of a request."""
THREADS: Final = 4
MEDIA: Final = 10
"""Of one message, at most; Twilio takes no more."""
LOOKED_AT: Final = 50
"""Of a number's newest messages, when one is looked for."""


class Refused(Unavailable):
    """Twilio has answered that it will not do this. ``code`` is Twilio's, ``status`` HTTP's."""

    def __init__(self, status: int, code: int | None, *, retry_after: float | None = None) -> None:
        super().__init__(f"Twilio refused with HTTP {status}, code {code}")
        self.status = status
        self.code = code
        self.retry_after = retry_after


class Unknown(Unavailable):
    """No answer, or none that tells: what was asked may have been done."""


class Handed(msgspec.Struct, frozen=True, kw_only=True):
    """A message that Twilio has."""

    sid: str
    status: str
    error: int | None = None


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """A message that Twilio knows."""

    sid: str
    status: str
    text: str
    made_at: datetime | None

    def __repr__(self) -> str:
        return f"Found({self.sid!r}, {self.status!r})"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """The clinic's number as Twilio has it."""

    texts: bool
    webhook: str
    method: str


class Carrier(Protocol):
    """Who carries text messages."""

    async def send(self, number: str, text: str, *, callback: str) -> Handed: ...

    async def newest(self, number: str) -> Sequence[Found]: ...

    async def media(self, sid: str, most_bytes: int) -> Sequence[bytes]: ...


class Twilio:
    """The real one; another ``api`` is a twin."""

    def __init__(
        self, account: str, token: str, *, number: str, service: str, api: str, timeout_s: float = TIMEOUT_S
    ) -> None:
        self._account = account
        self._token = token
        self._sender = {"messaging_service_sid": service} if service else {}
        self._sender |= {"from_": number} if number else {}
        self._api = api
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(THREADS, "twilio")
        self._client: Any = None

    async def send(self, number: str, text: str, *, callback: str) -> Handed:
        """Raises Refused, or Unknown where nobody knows whether Twilio has it."""

        def work(client: Any) -> Handed:
            # Not smart_encoded: we count the segments, and must know our own words again.
            made = client.messages.create(
                to=number, body=text, status_callback=callback or None, smart_encoded=False, **self._sender
            )
            return Handed(sid=str(made.sid), status=str(made.status), error=made.error_code)

        return await self._asked(work)

    async def newest(self, number: str) -> Sequence[Found]:
        """The newest messages to a number. Not by DateSent: what is still queued there has none."""

        def work(client: Any) -> list[Found]:
            return [
                Found(sid=str(one.sid), status=str(one.status), text=one.body or "", made_at=one.date_created)
                for one in client.messages.list(to=number, limit=LOOKED_AT, page_size=LOOKED_AT)
                if str(one.direction).startswith("outbound")
            ]

        return await self._asked(work)

    async def message(self, sid: str) -> Handed:
        """How far a message is."""

        def work(client: Any) -> Handed:
            one = client.messages(sid).fetch()
            return Handed(sid=str(one.sid), status=str(one.status), error=one.error_code)

        return await self._asked(work)

    async def media(self, sid: str, most_bytes: int) -> Sequence[bytes]:
        """What came with a patient's message (MMS), by Twilio's own list and not the webhook's; what is larger is left out."""

        def work(client: Any) -> list[bytes]:
            listed = client.messages(sid).media.list(limit=MEDIA)
            fetched = (self._fetched(str(one.uri).removesuffix(".json"), most_bytes) for one in listed)
            return [content for content in fetched if content]

        return await self._asked(work)

    def _fetched(self, path: str, most_bytes: int) -> bytes:
        """In a thread. Where Twilio points on to its store, requests leaves the token behind; empty for what is too large."""
        import requests

        with requests.get(
            self._api + path, auth=(self._account, self._token), timeout=self._timeout_s, stream=True
        ) as response:
            response.raise_for_status()
            content = response.raw.read(most_bytes + 1, decode_content=True)
        return bytes(content) if len(content) <= most_bytes else b""

    async def account(self) -> str:
        """The state of the account: active, suspended, closed."""
        return await self._asked(lambda client: str(client.api.accounts(self._account).fetch().status))

    async def line(self, number: str) -> Line | None:
        """The clinic's number in this account."""

        def work(client: Any) -> Line | None:
            found = client.incoming_phone_numbers.list(phone_number=number, limit=1)
            if not found:
                return None
            able = found[0].capabilities or {}
            texts = bool(able.get("sms", able.get("SMS", False)))
            return Line(texts=texts, webhook=found[0].sms_url or "", method=found[0].sms_method or "")

        return await self._asked(work)

    async def close(self) -> None:
        """Waits for nobody: a thread that still hears from Twilio ends with its time limit."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _asked(self, work: Callable[[Any], T]) -> T:
        try:
            async with asyncio.timeout(2 * self._timeout_s):
                return await asyncio.get_running_loop().run_in_executor(self._threads, self._done, work)
        except TimeoutError:
            raise Unknown("Twilio did not answer in time") from None

    def _done(self, work: Callable[[Any], T]) -> T:
        """In a thread. Errors come out without their texts, which quote numbers."""
        from requests import RequestException
        from twilio.base.exceptions import TwilioException, TwilioRestException

        try:
            return work(self._made())
        except TwilioRestException as error:
            if error.status >= 500:  # a gateway's word: the message may have got through behind it
                raise Unknown(f"Twilio answered HTTP {error.status}") from None
            raise Refused(error.status, error.code) from None
        except (RequestException, TwilioException, ValueError, KeyError, TypeError, AttributeError) as error:
            # ValueError and its kin: an answer that is no JSON, or not Twilio's.
            raise Unknown(f"Twilio gave no answer that tells ({type(error).__name__})") from None

    def _made(self) -> Any:
        if self._client is None:
            from twilio.http.http_client import TwilioHttpClient
            from twilio.rest import Client

            silent = logging.Logger("twilio", level=logging.CRITICAL + 1)
            http = TwilioHttpClient(timeout=self._timeout_s, logger=silent, max_retries=0)
            client = Client(self._account, self._token, http_client=http)
            client.api.base_url = self._api
            client.get_hostname = lambda uri: uri  # it would read an edge and a region into a twin's address
            self._client = client
        return self._client


def signature_check(token: str) -> Callable[[str, Mapping[str, str], str], bool]:
    """Whether an address and a form were signed with our token, with or without the port in the address."""
    from twilio.request_validator import RequestValidator

    check: Callable[[str, Mapping[str, str], str], bool] = RequestValidator(token).validate
    return check


SKEW: Final = timedelta(minutes=2)
"""By how much Twilio's clock may be behind ours."""


def ours_among(found: Sequence[Found], *, tried_at: datetime) -> list[Found]:
    """Those that can be the message which was tried then."""
    return [one for one in found if one.made_at is None or one.made_at >= tried_at - SKEW]
