"""Members of the clinic's staff: add, list, disable, reset."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from appliance.commands import printed
from appliance.commands.given import as_json_option, in_clinic

if TYPE_CHECKING:
    from appliance.app import Clinic
    from appliance.people.staff import Account

HEADS = ("name", "patients see", "role", "group", "state", "since")


@click.group()
def staff() -> None:
    """Who of the clinic answers patients on the staff page (/staff)."""


@staff.command("add")
@click.argument("name")
@click.option("--shown", metavar="NAME", help="As patients see it, usually the first name. [default: NAME]")
@click.option("--role", default="Staff", show_default=True, help="As patients see it: Nurse, Front desk …")
@click.option("--group", "level", type=click.IntRange(1, 3), default=1, show_default=True, help="1 is called first.")
@in_clinic
async def staff_add(clinic: Clinic, /, name: str, shown: str | None, role: str, level: int) -> None:
    """Make an account; its one-time password is printed once."""
    _told(name, await clinic.staff.create(name, shown or name.strip().capitalize(), role, level))


@staff.command("reset")
@click.argument("name")
@in_clinic
async def staff_reset(clinic: Clinic, /, name: str) -> None:
    """A new one-time password; whoever is signed in with this name is signed out."""
    _told(name, await clinic.staff.reset(name))


@staff.command("disable")
@click.argument("name")
@in_clinic
async def staff_disable(clinic: Clinic, /, name: str) -> None:
    """The account opens nothing any more. What was said stays under its name."""
    await clinic.staff.disable(name)
    click.echo(f"{name} can sign in no more. `medinovai staff reset {name}` would open the account again.")


@staff.command("list")
@as_json_option
@in_clinic
async def staff_list(clinic: Clinic, /, as_json: bool) -> None:
    """All accounts, never a password."""
    known = await clinic.staff.list()
    if as_json:
        printed.as_json(known)
    else:
        printed.table(HEADS, (_as_row(one) for one in known))


def _told(name: str, password: str) -> None:
    click.echo(f"The one-time password of {name}, shown only this once:\n  {password}")
    click.echo("It opens /staff once, within three days, and only to choose a password there.")


def _as_row(one: Account) -> tuple[str, ...]:
    state = "disabled" if one.disabled_at else "one-time password" if one.one_time_until else "off duty"
    return (
        *(one.id, one.name, one.role, str(one.level)),
        *("on duty" if one.on_duty else state, f"{one.created_at:%F}"),
    )
