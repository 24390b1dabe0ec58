"""Emergencies for the clinic's staff: which are open, and closing one. Knows no rule, and nothing of what was said."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from litestar import Request, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import ControllerRouterHandler
from msgspec import Meta

from appliance.api.documents import admins_only
from appliance.conversations.alerts import Alert, Alerts
from appliance.people.admins import Admins
from appliance.problems import described


class Closing(msgspec.Struct, frozen=True, kw_only=True):
    """What the clinic wants to remember of it."""

    note: Annotated[str, Meta(max_length=500, description="Never a patient's words.")] = ""


def alerts(known: Alerts, admins: Admins) -> list[ControllerRouterHandler]:
    """The routes of alerts."""
    return [
        Router(
            "/api/alerts",
            route_handlers=[listed, closed],
            dependencies={"known": Provide(lambda: known, sync_to_thread=False)},
            guards=[admins_only(admins)],
            security=[{"admin": []}],
            tags=["alerts"],
        )
    ]


@get("/", responses=described(401))
async def listed(known: NamedDependency[Alerts], every: FromQuery[bool] = False) -> list[Alert]:
    """The alerts that are open, newest first; with ``every`` also those that somebody has closed."""
    return await known.list(closed=every)


@post("/{alert:int}/close", status_code=200, responses=described(401, 404))
async def closed(
    request: Request[str, Any, Any],
    alert: FromPath[int],
    data: JSONBody[Closing],
    known: NamedDependency[Alerts],
) -> Alert:
    """Somebody has seen to it: the conversation's answers remind of help no more. 404: it is not open."""
    return await known.close(alert, by=request.user, note=data.note)
