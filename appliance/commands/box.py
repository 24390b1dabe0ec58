"""The box itself: init, serve, doctor, config."""

from __future__ import annotations

import shutil
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.commands import printed
from appliance.commands.answers import taken
from appliance.commands.clinic import learnt
from appliance.commands.given import Given, as_json_option, in_clinic
from appliance.commands.models import told_by_the_store

if TYPE_CHECKING:
    from appliance.app import Clinic
    from appliance.config import Server

DEMO = Path(__file__).parents[1] / "demo" / "documents"
PAGE_WORDS = "clinic.toml"
"""The first questions and the week's hours that the page shows; a clinic edits its own in the data directory."""


@click.command()
@click.option("--demo", is_flag=True, help="With the documents and signed answers of a demonstration clinic.")
@click.pass_context
def init(ctx: click.Context, demo: bool) -> None:
    """Make the data directory, its key, the starter models and the first administrator. May be repeated."""
    from appliance import app
    from appliance.records import secrets
    from appliance.records.keys import KEY_FILE, create_master_key

    config = ctx.obj.config()
    directory = Path(config.data.directory)
    if not (directory / KEY_FILE).exists():
        click.echo(f"Making the data directory {directory} and its key")
        create_master_key(directory)
    (directory / secrets.FOLDER).mkdir(mode=0o700, exist_ok=True)
    if demo and not (directory / PAGE_WORDS).exists():
        shutil.copyfile(DEMO.parent / PAGE_WORDS, directory / PAGE_WORDS)
    told_by_the_store("Checking the starter models", app.model_store(config).assemble)
    ctx.invoke(_furnish, demo=demo)


@click.command()
@in_clinic
async def _furnish(clinic: Clinic, /, demo: bool) -> None:
    if await clinic.admins.list():
        click.echo(f"{clinic.config.data.directory} is set up.")
        return
    if demo:
        found = [each.status for each in await learnt(clinic, [DEMO])]
        click.echo(f"Documents that answer now: {found.count('searchable')} of {len(found)} (see: medinovai documents)")
        await taken(clinic, DEMO.parent / "answers.toml", by="init --demo")
    # last, so that an interrupted init is taken up where it was
    token = await clinic.admins.create("first administrator")
    click.echo(f"\nThe administrator's token, shown only this once:\n  {token}")
    click.echo("Keep a copy of master.key in a safe place: without it the data cannot be read.\n")


@click.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on.")
@click.pass_obj
def serve(given: Given, host: str | None, port: int | None) -> None:
    """Serve the chat page until stopped."""
    import uvloop

    from appliance import app
    from appliance.evaluation.nightly import self_test

    config = given.config(quiet=False, server__host=host, server__port=port)
    click.echo(f"The chat page: {address(config.server)}  (stop with Ctrl+C)")
    uvloop.run(app.serve(config, self_test=self_test))


def address(server: Server) -> str:
    """What to type into a browser."""
    from appliance.api.certificate import on_this_machine

    if server.public_url:
        return server.public_url
    scheme = "http" if on_this_machine(server.host) and not server.certificate else "https"
    host = socket.gethostname() if server.host in ("0.0.0.0", "::") else server.host  # noqa: S104 - only compared
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{server.port}"


@click.command()
@as_json_option
@click.pass_obj
def doctor(given: Given, as_json: bool) -> None:
    """Look whether all is well. Exit code: 0 well, 1 somebody should look, 2 it will not work."""
    import uvloop

    from appliance import app
    from appliance.operations.checks import checks, exit_code

    config = given.config()
    found = [*checks(config, app.model_store(config)), *uvloop.run(app.clinic_checks(config))]
    if as_json:
        printed.as_json({"state": ("ok", "warning", "failing")[exit_code(found)], "checks": found})
    else:
        printed.table(("", "check", "found", "what to do"), ((c.state, c.name, c.words, c.remedy) for c in found))
    sys.exit(exit_code(found))


@click.group()
def config() -> None:
    """What the settings are and where they come from."""


@config.command("explain")
@click.argument("key")
@click.pass_obj
def config_explain(given: Given, key: str) -> None:
    """One setting: its value, where that comes from, what it is for."""
    from appliance.config import explain

    told = explain(given.loaded(), key)
    click.echo(f"{told.key} = {told.value!r}\n  from     {told.origin}\n  default  {told.default!r}")
    click.echo(f"  expects  {told.expects}\n  {told.description}")


@config.command("show")
@click.pass_obj
def config_show(given: Given) -> None:
    """Every setting as it counts now, as a config.toml."""
    from appliance.config import render

    click.echo(render(given.config()), nl=False)
