"""Signed answers: import, export, list, check, withdraw."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.commands import printed
from appliance.commands.given import FILE, as_json_option, in_clinic

if TYPE_CHECKING:
    from datetime import date

    from appliance.app import Clinic
    from appliance.assistant.signatures import Version

NEW_FILE = click.Path(dir_okay=False, path_type=Path)
by_option = click.option("--by", metavar="NAME", required=True, help="Who does it; for the audit.")


@click.group()
def answers() -> None:
    """Answers that a clinician or manager has signed: said word for word, with the name."""


@answers.command("import")
@click.argument("file", type=FILE)
@by_option
@in_clinic
async def answers_import(clinic: Clinic, /, file: Path, by: str) -> None:
    """Take in a .toml or .csv file, all of it or nothing. What changed becomes a new version."""
    await taken(clinic, file, by=by)
    click.echo("Look for duplicates and contradictions with the documents: medinovai answers check")


@answers.command("export")
@click.argument("file", type=NEW_FILE)
@in_clinic
async def answers_export(clinic: Clinic, /, file: Path) -> None:
    """Write those that are not withdrawn into a .toml or .csv file, to be reviewed and imported again."""
    from appliance.assistant.answer_files import written

    known = [one.answer for one in await clinic.approved.newest() if not one.withdrawn]
    await asyncio.to_thread(file.write_bytes, written(file.name, known))
    click.echo(f"{len(known)} signed answers: {file}")


@answers.command("list")
@click.option("--expired", is_flag=True, help="Only those that answer no more, or whose review is due.")
@as_json_option
@in_clinic
async def answers_list(clinic: Clinic, /, expired: bool, as_json: bool) -> None:
    """Every signed answer: who signed it, and whether it answers today."""
    today = await clinic.approved.today()
    known = [one for one in await clinic.approved.newest() if not expired or one.standing(today) in ("expired", "due")]
    if as_json:
        printed.as_json([{"standing": one.standing(today), **_as_row(one, today)} for one in known])
    else:
        heads = ("answer", "version", "languages", "site", "signed by", "on", "state")
        printed.table(heads, (tuple(_as_row(one, today).values()) for one in known))


@answers.command("check")
@as_json_option
@in_clinic
async def answers_check(clinic: Clinic, /, as_json: bool) -> None:
    """Duplicates, languages that differ, contradictions with the documents. Exit code 1 when there are any."""
    from appliance.assistant.contradictions import findings

    found = await findings(clinic.approved, clinic.search, today=await clinic.approved.today())
    if as_json:
        printed.as_json(found)
    else:
        printed.table(
            ("answer", "language", "with", "what"), ((one.answer, one.language, one.kind, one.words) for one in found)
        )
        click.echo(f"{len(found)} to look at")
    sys.exit(1 if found else 0)


@answers.command("withdraw")
@click.argument("answer", metavar="ID")
@by_option
@in_clinic
async def answers_withdraw(clinic: Clinic, /, answer: str, by: str) -> None:
    """It answers no more, from now on. Its versions are kept."""
    await clinic.approved.withdraw(answer, by=by)
    click.echo(f"{answer} is withdrawn.")


async def taken(clinic: Clinic, file: Path, *, by: str) -> None:
    """Import, and say what came of it."""
    from appliance.assistant.answer_files import read

    found = await clinic.approved.take(read(file.name, await asyncio.to_thread(file.read_bytes)), by=by)
    new, changed, unchanged = (len(names) for names in (found.new, found.changed, found.unchanged))
    click.echo(f"Signed answers: {new} new, {changed} changed, {unchanged} as before")


def _as_row(one: Version, today: date) -> dict[str, str]:
    answer = one.answer
    return {
        "id": answer.id,
        "version": str(one.version),
        "languages": " ".join(answer.wordings),
        "site": answer.site or "",
        "signed_by": f"{answer.signed_by}, {answer.role}",
        "signed_on": answer.signed_on.isoformat(),
        "state": {
            "withdrawn": f"withdrawn by {one.put_by}",
            "expired": f"expired: answered until {answer.valid_until}",
            "later": f"answers from {answer.valid_from}",
            "due": f"answers until {answer.valid_until}; its review was due on {answer.review_by}",
            "answers": f"answers until {answer.valid_until}; review by {answer.review_by}",
        }[one.standing(today)],
    }
