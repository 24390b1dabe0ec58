"""The command line. Reads what was typed, calls the parts, prints; decides nothing itself.

What costs time to import is imported inside the command that needs it: `medinovai --help` answers at once.
"""

from __future__ import annotations

import asyncio
import difflib
import functools
import sys
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate
from uuid import uuid4

import click

from appliance import __version__
from appliance.errors import ApplianceError, BadInput, NotFound

if TYPE_CHECKING:
    from rich.console import Console

    from appliance.app import Clinic
    from appliance.config import Config, Loaded
    from appliance.knowledge import DocumentStatus
    from appliance.message import DocumentId, Language

DEMO = Path(__file__).parent / "demo" / "documents"

LANGUAGE = click.Choice(["en", "es", "zh", "hi"])
EXISTING = click.Path(exists=True, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
as_json_option = click.option("--json", "as_json", is_flag=True, help="As JSON.")


class _Commands(click.Group):
    """Our errors are one clear line; a traceback is for ``--debug``."""

    def invoke(self, ctx: click.Context) -> Any:
        from models import ModelError

        try:
            return super().invoke(ctx)
        except (ApplianceError, ModelError) as error:
            if ctx.params["debug"]:
                raise
            click.echo(f"medinovai: {error}", err=True)
            ctx.exit(2 if isinstance(error, BadInput) else 1)


class _Given:
    """What was typed before the command; read when a command needs it, so that `--help` always works."""

    def __init__(self, file: Path | None, data_dir: Path | None, *, debug: bool) -> None:
        self.file = file
        self.data_dir = data_dir
        self.debug = debug

    def loaded(self, **flags: Any) -> Loaded:
        """The settings; ``server__port=1`` is the flag of server.port, None was not typed."""
        from appliance import config

        typed = {name.replace("__", "."): value for name, value in flags.items() if value is not None}
        if self.data_dir is not None:
            typed["data.directory"] = str(self.data_dir)
        return config.load(self.file, flags=typed)

    def config(self, *, quiet: bool = True, **flags: Any) -> Config:
        """The settings, with logging set up: ``quiet`` for commands that answer in the terminal themselves."""
        from appliance import log

        config = self.loaded(**flags).config
        log.set_up("debug" if self.debug else "warning" if quiet else config.log.level)
        return config


def in_clinic[**P](act: Callable[Concatenate[Clinic, P], Awaitable[None]]) -> Callable[P, None]:
    """A command that works in an opened clinic: ``async def act(clinic, …what was typed)``."""

    @click.pass_obj
    @functools.wraps(act)
    def command(given: _Given, *args: P.args, **typed: P.kwargs) -> None:
        import uvloop

        from appliance.app import open_clinic

        async def opened() -> None:
            async with open_clinic(given.config()) as clinic:
                await act(clinic, *args, **typed)

        uvloop.run(opened())

    return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.option("--config", "file", type=click.Path(path_type=Path), help="Settings file. [default: ./config.toml]")
@click.option("--data-dir", type=click.Path(path_type=Path), help="Data directory, instead of data.directory.")
@click.option("--debug", is_flag=True, help="Log everything; show tracebacks.")
@click.version_option(__version__, prog_name="medinovai")
@click.pass_context
def main(ctx: click.Context, file: Path | None, data_dir: Path | None, debug: bool) -> None:
    """The clinic's assistant: answers patients from the clinic's own documents, on this machine."""
    ctx.obj = _Given(file, data_dir, debug=debug)


# ---- the clinic's box ------------------------------------------------------------------------------------------------


@main.command()
@click.option("--demo", is_flag=True, help="With the documents of a demonstration clinic.")
@click.pass_context
def init(ctx: click.Context, demo: bool) -> None:
    """Make the data directory, its key, the starter models and the first administrator."""
    from appliance.records.keys import KEY_FILE, create_master_key

    directory = Path(ctx.obj.config().data.directory)
    if not (directory / KEY_FILE).exists():
        click.echo(f"Making the data directory {directory} and its key")
        create_master_key(directory)
    ctx.invoke(_furnish, demo=demo)


@click.command()
@in_clinic
async def _furnish(clinic: Clinic, demo: bool) -> None:
    directory = clinic.config.data.directory
    if await clinic.admins.list():
        click.echo(f"{directory} is set up already.")
        return
    await _with_progress("Checking the starter models", clinic.models.assemble)
    if demo:
        await _learnt(clinic, [DEMO])
    # last, so that an interrupted init is taken up where it was
    token = await clinic.admins.create("first administrator")
    click.echo(f"\nThe administrator's token, shown only this once:\n  {token}")
    click.echo(f"Keep a copy of {directory}/master.key in a safe place: without it the data cannot be read.\n")


@main.command()
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=int, help="Port to listen on.")
@click.pass_obj
def serve(given: _Given, host: str | None, port: int | None) -> None:
    """Serve the chat page until stopped."""
    import uvloop

    from appliance import app

    uvloop.run(app.serve(given.config(quiet=False, server__host=host, server__port=port)))


@main.command()
@as_json_option
@click.pass_obj
def doctor(given: _Given, as_json: bool) -> None:
    """Look whether all is well. Exit code: 0 well, 1 somebody should look, 2 it will not work."""
    from appliance.operations.checks import checks, exit_code

    found = [*checks(given.config())]
    if as_json:
        _print_json({"state": ("ok", "warning", "failing")[exit_code(found)], "checks": found})
    else:
        _table(("", "check", "found", "what to do"), ((_coloured(c.state), c.name, c.words, c.remedy) for c in found))
    sys.exit(exit_code(found))


@main.group("config")
def config_() -> None:
    """What the settings are and where they come from."""


@config_.command()
@click.argument("key")
@click.pass_obj
def explain(given: _Given, key: str) -> None:
    """One setting: its value, where that comes from, what it is for."""
    from appliance import config

    told = config.explain(given.loaded(), key)
    click.echo(f"{told.key} = {told.value!r}\n  from     {told.origin}\n  default  {told.default!r}")
    click.echo(f"  expects  {told.expects}\n  {told.description}")


@config_.command("show")
@click.pass_obj
def config_show(given: _Given) -> None:
    """Every setting as it counts now, as a config.toml."""
    from appliance import config

    click.echo(config.render(given.config()), nl=False)


# ---- asking and learning ---------------------------------------------------------------------------------------------


@main.command()
@click.argument("question")
@click.option("--lang", type=LANGUAGE, help="Answer in this language. [default: the question's]")
@click.option("--site", help="The site of the clinic that is asked about.")
@click.option("--generate", is_flag=True, help="Let the local model write the answer.")
@click.option("--unqualified", is_flag=True, help="Even though it has not passed; never for patients.")
@in_clinic
async def ask(
    clinic: Clinic, question: str, lang: Language | None, site: str | None, generate: bool, unqualified: bool
) -> None:
    """Ask as a patient would; the answer streams into the terminal."""
    from appliance.channels import terminal
    from appliance.message import Message, MessageId

    if generate and not unqualified:
        raise BadInput("--generate shows a model that may not have passed: add --unqualified. It is never for patients.")
    conversation, _ = await clinic.conversations.create("terminal", language=lang, site=site)
    message = Message(
        id=MessageId(str(uuid4())), conversation=conversation, channel="terminal", text=question, language=lang, site=site
    )
    try:
        async with aclosing(clinic.assistant.answer(message)) as parts:
            await terminal.write(parts, _console())
    finally:
        await clinic.conversations.delete(conversation)


@main.command()
@click.argument("paths", nargs=-1, required=True, type=EXISTING)
@click.option("--site", help="The site these documents are about.")
@click.option("--language", type=LANGUAGE, help="Their language. [default: found out]")
@click.option("--valid-from", metavar="DATE", help="In force from this day (YYYY-MM-DD).")
@click.option("--valid-until", metavar="DATE", help="In force until this day.")
@click.option("--supersedes", metavar="DOCUMENT", help="The document whose place it takes.")
@in_clinic
async def learn(clinic: Clinic, paths: tuple[Path, ...], **metadata: str | None) -> None:
    """Learn documents: files and folders of Markdown, HTML, text, PDF, DOCX. What changed is replaced."""
    await _learnt(clinic, paths, **metadata)


@main.group(invoke_without_command=True)
@click.pass_context
def documents(ctx: click.Context) -> None:
    """What is known, and what could not be read and why."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(documents_list)


@documents.command("list")
@as_json_option
@in_clinic
async def documents_list(clinic: Clinic, as_json: bool = False) -> None:
    """Every document and its state."""
    known = await clinic.library.documents()
    if as_json:
        _print_json(known)
    else:
        _print_documents(known)


@documents.command("show")
@click.argument("document")
@in_clinic
async def documents_show(clinic: Clinic, document: str) -> None:
    """The text of a document, as it was read."""
    click.echo((await clinic.library.document(await _document_id(clinic, document))).text)


@documents.command("remove")
@click.argument("document")
@in_clinic
async def documents_remove(clinic: Clinic, document: str) -> None:
    """Forget a document; it answers no more."""
    await clinic.library.remove(await _document_id(clinic, document))
    click.echo(f"{document} is forgotten.")


# ---- people ----------------------------------------------------------------------------------------------------------


@main.group()
def user() -> None:
    """Administrators and their tokens."""


@user.command("add")
@click.argument("name")
@in_clinic
async def user_add(clinic: Clinic, name: str) -> None:
    """Make a token for a new administrator; it is printed once."""
    click.echo(await clinic.admins.create(name))


@user.command("revoke")
@click.argument("name")
@in_clinic
async def user_revoke(clinic: Clinic, name: str) -> None:
    """Take an administrator's token back."""
    await clinic.admins.revoke(name)
    click.echo(f"The token of {name} opens nothing any more.")


@user.command("list")
@in_clinic
async def user_list(clinic: Clinic) -> None:
    """Who is an administrator, and who was."""
    rows = (
        (admin.name, f"{admin.created_at:%Y-%m-%d}", f"{admin.revoked_at:%Y-%m-%d}" if admin.revoked_at else "")
        for admin in await clinic.admins.list()
    )
    _table(("name", "since", "revoked"), rows)
