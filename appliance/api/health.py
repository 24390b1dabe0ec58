"""Is it alive, is it ready, what is wrong, how much is going on. Knows no patient; asks what app.py gives it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Literal

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotAuthorizedException
from litestar.openapi.datastructures import ResponseSpec
from litestar.types import ControllerRouterHandler
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest

from appliance.api.documents import admin_of
from appliance.people.admins import Admins
from appliance.problems import described

State = Literal["ok", "warning", "failing"]
WORST: tuple[State, ...] = ("failing", "warning", "ok")
LOOPBACK = ("127.0.0.1", "::1")


class Component(msgspec.Struct, frozen=True, kw_only=True):
    """One part of the house."""

    name: str
    state: State
    words: str = ""
    """What is wrong and what to do, for an operator."""


class Health(msgspec.Struct, frozen=True, kw_only=True):
    state: State
    components: tuple[Component, ...]


class Alive(msgspec.Struct, frozen=True, kw_only=True):
    live: Literal[True] = True


class Ready(msgspec.Struct, frozen=True, kw_only=True):
    ready: bool


def health(
    ready: Callable[[], bool], components: Callable[[], Awaitable[Sequence[Component]]], admins: Admins
) -> list[ControllerRouterHandler]:
    """The routes for whoever watches the box."""

    @get("/live", tags=["health"], responses=described())
    async def live() -> Alive:
        """The process answers."""
        return Alive()

    @get("/ready", tags=["health"], responses=described() | {503: _spec(Ready, "Not yet")})
    async def is_ready() -> Response[Ready]:
        """A first token has really come out of the pipeline."""
        now = ready()
        return Response(Ready(ready=now), status_code=200 if now else 503)

    @get("/health", tags=["health"], responses=described() | {503: _spec(Health, "A part is failing")})
    async def state(request: Request[Any, Any, Any]) -> Response[Health]:
        """How each part is; in words on this machine or with an admin token."""
        found = tuple(await components())
        worst: State = min((one.state for one in found), key=WORST.index, default="ok")
        if not await _trusted(request, admins):  # the words name files, models and what to attack
            found = tuple(msgspec.structs.replace(one, words="") for one in found)
        return Response(Health(state=worst, components=found), status_code=503 if worst == "failing" else 200)

    @get("/metrics", tags=["health"], responses=described(401), media_type="text/plain")
    async def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Counts and times in Prometheus' format: on this machine, or with an admin token."""
        if not await _trusted(request, admins):
            raise NotAuthorizedException(headers={"www-authenticate": "Bearer"})
        told = await asyncio.to_thread(generate_latest, REGISTRY)  # it reads /proc
        return Response(told, media_type=CONTENT_TYPE_LATEST)

    return [live, is_ready, state, metrics]


async def _trusted(request: Request[Any, Any, Any], admins: Admins) -> bool:
    if request.client and request.client.host in LOOPBACK:
        return True
    with suppress(NotAuthorizedException):
        return bool(await admin_of(request, admins))
    return False


def _spec(body: type[msgspec.Struct], description: str) -> ResponseSpec:
    return ResponseSpec(body, description=description, generate_examples=False)
