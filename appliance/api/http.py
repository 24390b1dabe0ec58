"""The front door: every request gets a name, limits, a deadline and headers here, and every error becomes a problem.

Knows no route's business. The channels' routes are handed in by the composition root.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, cast

import msgspec
from litestar import Litestar, MediaType, Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.openapi.spec import Components, License, SecurityScheme, Tag
from litestar.plugins.prometheus import PrometheusConfig
from litestar.types import ControllerRouterHandler, LifeSpanReceive, LifeSpanScope, LifeSpanSend, Receive, Scope, Send

from appliance import __version__
from appliance.api.alerts import alerts
from appliance.api.documents import Audit, Library, documents
from appliance.api.health import Component, health
from appliance.api.pages import Pages
from appliance.config import Limits
from appliance.conversations.alerts import Alerts
from appliance.errors import TooOften
from appliance.log import new_request
from appliance.people.admins import Admins
from appliance.people.pace import Pace, stranger
from appliance.problems import MEDIA_TYPE, Problem, ours, plain, problem, where

log = logging.getLogger(__name__)
access = logging.getLogger("appliance.access")

BODY_BYTES = 256 * 1024
"""Largest body of a request that is no upload."""
BODY_S = 20.0
BODY_BYTES_A_SECOND = 50_000
"""A body has 20 seconds, and one more for every 50 kB that came: a slow phone may finish, a slow attacker not."""
HEARD_OUT_S = 10.0
"""How long the rest of a body is thrown away before a refusal is sent."""

HEADERS: tuple[tuple[bytes, bytes], ...] = (
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; connect-src 'self';"
        b" manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; require-trusted-types-for 'script'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
HSTS = (b"strict-transport-security", b"max-age=31536000")


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """What the front door needs of the house."""

    channels: tuple[ControllerRouterHandler, ...]
    library: Library
    alerts: Alerts
    admins: Admins
    audit: Audit
    limits: Limits
    ui: Path
    ready: Callable[[], bool]
    """A first token has really come out of the pipeline."""
    health: Callable[[], Awaitable[Sequence[Component]]]
    secure: bool
    """Served over TLS."""


def create_http(parts: Parts) -> Litestar:
    """All routes behind the front door."""
    pages = Pages(parts.ui)
    return _FrontDoor(
        parts,
        route_handlers=[
            *parts.channels,
            *documents(parts.library, parts.admins, parts.audit, parts.limits),
            *alerts(parts.alerts, parts.admins),
            *health(parts.ready, parts.health, parts.admins),
            *pages.routes(),
        ],
        on_startup=[pages.load],
        exception_handlers={Exception: _told},
        after_exception=[_logged],
        middleware=[PrometheusConfig(prefix="medinovai_http", app_name="medinovai", group_path=True).middleware],
        openapi_config=_openapi(),
        request_max_body_size=BODY_BYTES,
        logging_config=None,
        debug=False,
    )


class _FrontDoor(Litestar):
    """What must happen to a request whether or not a route is found for it."""

    def __init__(self, parts: Parts, **litestar: Any) -> None:
        super().__init__(**litestar)
        self._headers = (*HEADERS, HSTS) if parts.secure else HEADERS
        self._pace = Pace(parts.limits.requests_per_minute)

    async def __call__(
        self, scope: Scope | LifeSpanScope, receive: Receive | LifeSpanReceive, send: Send | LifeSpanSend
    ) -> None:
        if scope["type"] == "lifespan":
            await super().__call__(scope, receive, send)
        else:
            await self._visited(cast("dict[str, Any]", scope), cast(Receive, receive), cast(Send, send))

    async def _visited(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        visit = _Visit(scope, self._headers, receive, send)
        try:
            if who := stranger(scope["client"][0] if scope.get("client") else None):
                self._pace.take(who)
            if scope["type"] == "websocket":
                await super().__call__(cast(Scope, scope), receive, send)
            else:
                scope["method"] = "GET" if visit.head else scope["method"]
                await super().__call__(cast(Scope, scope), visit.body.receive, visit.send)
        except TooOften as error:
            await visit.refuse(problem(error))
        except Exception as error:  # noqa: BLE001 - the last edge: nothing may reach the server's own log with its text
            log.error("request=failed %s", where(error))
            await visit.refuse(problem(error))
        finally:
            visit.log()


class _Visit:
    """One request: its name, its body, the headers and status of its reply, its line in the log."""

    def __init__(
        self, scope: dict[str, Any], headers: tuple[tuple[bytes, bytes], ...], receive: Receive, send: Send
    ) -> None:
        self.head = scope.get("method") == "HEAD"
        """As GET without the body (RFC 9110, section 9.3.2)."""
        self.body = _Body(receive, expects=any(name == b"expect" for name, _ in scope["headers"]))
        self._scope = scope
        self._name = new_request()
        self._headers = headers
        self._send = send
        self._began = monotonic()
        self._status = 0

    async def send(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            if self._status >= 400:
                await self.body.hear_out()
            given = list(message.get("headers", ()))
            if not any(name.lower() == b"cache-control" for name, _ in given):
                given.append((b"cache-control", b"no-store"))
            message["headers"] = [*given, *self._headers, (b"x-request-id", self._name.encode())]
        elif self.head and message["type"] == "http.response.body":
            message["body"] = b""
        await self._send(message)

    async def refuse(self, told: Problem) -> None:
        """Answer with a problem where no route could, unless an answer has begun."""
        if self._scope["type"] == "websocket":
            await self._send({"type": "websocket.close", "code": 1013, "reason": told.title})
            return
        if self._status:
            return
        body = msgspec.json.encode(told)
        headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", b"%d" % len(body))]
        if told.retry_after:
            headers.append((b"retry-after", b"%d" % told.retry_after))
        await self.send({"type": "http.response.start", "status": told.status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": False})

    def log(self) -> None:
        """The route, never path or query: they may hold what a patient typed. Nor the address, which points at one."""
        access.debug(
            "method=%s route=%s status=%d ms=%.1f",
            self._scope.get("method", "WS"),
            self._scope.get("path_template", "-"),
            self._status,
            (monotonic() - self._began) * 1000,
        )


class _TooSlow(HTTPException):
    status_code = 408


class _Body:
    """The way in of one request's body: it must arrive in time, and is heard out before a refusal."""

    def __init__(self, receive: Receive, *, expects: bool) -> None:
        self._receive = receive
        self._expects = expects
        self._loop = asyncio.get_running_loop()
        self._began: float | None = None
        self._got = 0
        self._complete = False

    async def receive(self) -> Any:
        if self._complete:  # what comes now is the end of the connection, which may take as long as it likes
            return await self._receive()
        self._began = self._began or self._loop.time()
        try:
            async with asyncio.timeout_at(self._began + BODY_S + self._got / BODY_BYTES_A_SECOND):
                message: Any = await self._receive()
        except TimeoutError:
            self._complete = True
            raise _TooSlow(detail="the body came too slowly", headers={"connection": "close"}) from None
        self._got += len(message.get("body", b""))
        self._complete = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    async def hear_out(self) -> None:
        """Throw the rest away. Closing on a sender that still sends would reset it before it reads why."""
        with suppress(_TooSlow, TimeoutError):
            async with asyncio.timeout(HEARD_OUT_S):
                while not (self._complete or self._expects):
                    await self.receive()


def _told(_request: Request[Any, Any, Any], error: Exception) -> Response[Problem]:
    """Any error as RFC 9457 wants it."""
    if isinstance(error, HTTPException):
        told, headers = _of_litestar(error), dict(error.headers or {})
    else:
        told, headers = problem(error), {}
    if told.retry_after:
        headers["retry-after"] = str(told.retry_after)
    return Response(told, status_code=told.status, media_type=MEDIA_TYPE, headers=headers)


def _of_litestar(error: HTTPException) -> Problem:
    """Litestar's own words may quote what was sent: only names of fields are taken from them."""
    if isinstance(error, ValidationException) and isinstance(error.extra, list):
        fields = sorted({str(one["key"]) for one in error.extra if isinstance(one, dict) and one.get("key")})
        if fields:
            return plain(400, f"not as /schema describes: {', '.join(fields)}")
    return plain(error.status_code, _LITESTAR.get(error.status_code, ""))


_LITESTAR = {
    400: "The request is not as /schema describes.",
    401: "Sign in on the staff page, or send `Authorization: Bearer` with a token from `medinovai user`.",
    404: "There is nothing at this address.",
    405: "This address does not take this method; the header `Allow` says which.",
    408: "The request came too slowly.",
    413: "The request is larger than this address takes.",
}


async def _logged(error: Exception, _scope: Scope) -> None:
    """What is ours to mend is logged; what a stranger did wrong is told to the stranger."""
    if isinstance(error, HTTPException) and (error.status_code < 500 or "disconnected" in error.detail):
        return
    if ours(error):
        log.error("request=failed %s", where(error))


def _openapi() -> OpenAPIConfig:
    return OpenAPIConfig(
        title="MedinovAI",
        version=__version__,
        description="The clinic's assistant. Every error is a problem (RFC 9457). A request that changes something and"
        " carries the cookie must name its page in `Origin`, as browsers do.",
        license=License(name="GPL-3.0-or-later", identifier="GPL-3.0-or-later"),
        path="/schema",
        render_plugins=[JsonRenderPlugin(path="/", media_type=MediaType.JSON)],
        use_handler_docstrings=True,
        components=Components(
            security_schemes={
                "conversation": SecurityScheme(
                    type="apiKey",
                    name="conversation",
                    security_scheme_in="cookie",
                    description="Set by POST /api/conversations.",
                ),
                "staff": SecurityScheme(
                    type="apiKey",
                    name="staff",
                    security_scheme_in="cookie",
                    description="Set by POST /api/staff/session; over TLS its name begins with __Host-.",
                ),
                "admin": SecurityScheme(type="http", scheme="bearer", description="From `medinovai user`."),
            }
        ),
        tags=[
            Tag(name="conversation", description="What the chat page uses."),
            Tag(name="staff", description="What the staff page uses."),
            Tag(name="documents", description="The clinic's documents."),
            Tag(name="alerts", description="Emergencies, for the clinic's staff."),
            Tag(name="health", description="For whoever watches the box."),
        ],
    )
