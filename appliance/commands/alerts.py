"""Emergencies that were recognised: list, close."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from appliance.commands import printed
from appliance.commands.given import as_json_option, in_clinic

if TYPE_CHECKING:
    from appliance.app import Clinic
    from appliance.conversations.alerts import Alert

HEADS = ("alert", "danger", "times", "language", "since", "last", "conversation", "state")


@click.group()
def alerts() -> None:
    """Emergencies that were recognised. Until one is closed its conversation is reminded of how to get help."""


@alerts.command("list")
@click.option("--all", "every", is_flag=True, help="Those that were closed too.")
@as_json_option
@in_clinic
async def alerts_list(clinic: Clinic, /, every: bool, as_json: bool) -> None:
    """The open ones, newest first. Times are UTC."""
    known = await clinic.alerts.list(closed=every)
    if as_json:
        printed.as_json(known)
    else:
        printed.table(HEADS, (_as_row(one) for one in known))


@alerts.command("close")
@click.argument("alert", metavar="ID", type=int)
@click.option("--by", metavar="NAME", required=True, help="Who has seen to it; for the audit.")
@click.option("--note", default="", help="What was done. Never a patient's words.")
@in_clinic
async def alerts_close(clinic: Clinic, /, alert: int, by: str, note: str) -> None:
    """Somebody has seen to it: the next answer reminds no more."""
    await clinic.alerts.close(alert, by=by, note=note)
    click.echo(f"Alert {alert} is closed.")


def _as_row(one: Alert) -> tuple[str, ...]:
    state = f"closed {one.closed_at:%F %H:%M} by {one.closed_by}" if one.closed_at else "open"
    return (
        *(str(one.id), ", ".join(one.kinds), str(one.count), one.language),
        *(f"{one.opened_at:%F %H:%M}", f"{one.last_at:%F %H:%M}", one.conversation),
        f"{state}: {one.note}" if one.note else state,
    )
