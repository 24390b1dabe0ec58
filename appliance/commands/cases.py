"""Conversations that were handed to people: list, show, close."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from appliance.commands import printed
from appliance.commands.given import as_json_option, in_clinic

if TYPE_CHECKING:
    from appliance.app import Clinic
    from appliance.conversations.case import Case

HEADS = ("case", "state", "why", "urgency", "language", "channel", "since", "level", "with", "unread")
URGENCY = ("emergency", "soon", "normal")


@click.group()
def cases() -> None:
    """Patients who were handed to people. Staff work on the staff page; this is for whoever looks after the box."""


@cases.command("list")
@click.option("--all", "every", is_flag=True, help="The last 50 that were closed too.")
@as_json_option
@in_clinic
async def cases_list(clinic: Clinic, /, every: bool, as_json: bool) -> None:
    """The open ones, the most urgent first. Times are UTC. Holds no patient's words."""
    known = [*await clinic.desk.queue(), *(await clinic.desk.closed() if every else ())]
    if as_json:
        printed.as_json([_without_words(one) for one in known])
    else:
        printed.table(HEADS, (_as_row(one) for one in known))


@cases.command("show")
@click.argument("case", metavar="ID", type=int)
@as_json_option
@in_clinic
async def cases_show(clinic: Clinic, /, case: int, as_json: bool) -> None:
    """All that happened to one case, oldest first."""
    one, events = await clinic.desk.case(case), await clinic.desk.events(case)
    if as_json:
        printed.as_json({"case": _without_words(one), "events": events})
        return
    printed.table(HEADS, [_as_row(one)])
    printed.table(
        ("at", "what", "by", "state", ""),
        ((f"{each.at:%F %T}", each.event, each.by or "", each.to_state, each.detail) for each in events),
    )


@cases.command("close")
@click.argument("case", metavar="ID", type=int)
@click.option("--by", metavar="NAME", required=True, help="Who has seen to it; for the audit.")
@in_clinic
async def cases_close(clinic: Clinic, /, case: int, by: str) -> None:
    """Close a case that nobody will answer any more; the assistant answers that patient again."""
    from appliance.conversations.case import Staffer
    from appliance.errors import BadInput

    if not by.strip():
        raise BadInput("say who closes the case")
    await clinic.desk.resolve(case, Staffer(id=by, name=by, role="operator"))
    click.echo(f"Case {case} is closed.")


def _without_words(one: Case) -> Case:
    import msgspec

    return msgspec.structs.replace(one, summary="", suggested="")


def _as_row(one: Case) -> tuple[str, ...]:
    return (
        *(str(one.id), one.state, one.reason, URGENCY[one.urgency], one.language, one.channel),
        *(f"{one.opened_at:%F %H:%M}", str(one.level), one.accepted_name or "", str(one.unread)),
    )
