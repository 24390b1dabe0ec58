"""The command line. Reads what was typed, calls the parts, prints; decides nothing itself.

What costs time to import is imported inside the command that needs it: `medinovai --help` answers at once.
"""

from __future__ import annotations

import difflib
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec
from uuid import uuid4

import click
import msgspec

from appliance import __version__
from appliance.errors import ApplianceError, BadInput, NotFound

if TYPE_CHECKING:
    from rich.console import Console

    from appliance.app import Clinic
    from appliance.assistant.answer import Assistant
    from appliance.config import Config, Loaded
    from appliance.knowledge import DocumentStatus
    from appliance.message import DocumentId, Language
    from models.catalog import CatalogModel
    from models.store import Store

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

    def store(self) -> Store:
        """The models of this box; needs no key and no database."""
        from appliance.app import model_store

        return model_store(self.config())


Typed = ParamSpec("Typed")


def in_clinic(act: Callable[Concatenate[Clinic, Typed], Awaitable[None]]) -> Callable[Typed, None]:
    """A command that works in an opened clinic: ``async def act(clinic, …what was typed)``."""

    def command(given: _Given, /, *args: Typed.args, **typed: Typed.kwargs) -> None:
        import uvloop

        from appliance.app import open_clinic

        async def opened() -> None:
            async with open_clinic(given.config()) as clinic:
                await act(clinic, *args, **typed)

        uvloop.run(opened())

    command.__name__, command.__doc__ = act.__name__, act.__doc__
    return click.pass_obj(command)


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
    """Make the data directory, its key, the starter models and the first administrator. Takes up an interrupted one."""
    from appliance import app
    from appliance.records.keys import KEY_FILE, create_master_key

    config = ctx.obj.config()
    directory = Path(config.data.directory)
    if not (directory / KEY_FILE).exists():
        click.echo(f"Making the data directory {directory} and its key")
        create_master_key(directory)
    _with_progress("Checking the starter models", app.model_store(config).assemble)
    ctx.invoke(_furnish, demo=demo)


@click.command()
@in_clinic
async def _furnish(clinic: Clinic, /, demo: bool) -> None:
    if await clinic.admins.list():
        click.echo(f"{clinic.config.data.directory} is set up.")
        return
    if demo:
        await _learnt(clinic, [DEMO])
    # last, so that an interrupted init is taken up where it was
    token = await clinic.admins.create("first administrator")
    click.echo(f"\nThe administrator's token, shown only this once:\n  {token}")
    click.echo("Keep a copy of master.key in a safe place: without it the data cannot be read.\n")


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
    from appliance import app
    from appliance.operations.checks import checks, exit_code

    config = given.config()
    found = [*checks(config, app.model_store(config))]
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
    clinic: Clinic, /, question: str, lang: Language | None, site: str | None, generate: bool, unqualified: bool
) -> None:
    """Ask as a patient would; the answer streams into the terminal."""
    from appliance.channels import terminal
    from appliance.message import Message, MessageId

    assistant = _writing(clinic) if generate else clinic.assistant
    if generate and not unqualified:
        raise BadInput(
            "--generate shows a model that may not have passed: add --unqualified. It is never for patients."
        )
    conversation, _ = await clinic.conversations.create("terminal", language=lang, site=site)
    message = Message(
        id=MessageId(str(uuid4())),
        conversation=conversation,
        channel="terminal",
        text=question,
        language=lang,
        site=site,
    )
    try:
        async with aclosing(assistant.answer(message)) as parts:
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
async def learn(clinic: Clinic, /, paths: tuple[Path, ...], **metadata: str | None) -> None:
    """Learn documents: files and folders of Markdown, HTML, text, PDF, DOCX. What changed is replaced."""
    await _learnt(clinic, paths, metadata)


@main.group(invoke_without_command=True)
@click.pass_context
def documents(ctx: click.Context) -> None:
    """What is known, and what could not be read and why."""
    if ctx.invoked_subcommand is None:
        ctx.invoke(documents_list)


@documents.command("list")
@as_json_option
@in_clinic
async def documents_list(clinic: Clinic, /, as_json: bool = False) -> None:
    """Every document and its state."""
    known = await clinic.library.documents()
    if as_json:
        _print_json(known)
    else:
        _print_documents(known)


@documents.command("show")
@click.argument("document")
@in_clinic
async def documents_show(clinic: Clinic, /, document: str) -> None:
    """The text of a document, as it was read."""
    click.echo((await clinic.library.document(await _document_id(clinic, document))).text)


@documents.command("remove")
@click.argument("document")
@in_clinic
async def documents_remove(clinic: Clinic, /, document: str) -> None:
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
async def user_add(clinic: Clinic, /, name: str) -> None:
    """Make a token for a new administrator; it is printed once."""
    click.echo(await clinic.admins.create(name))


@user.command("revoke")
@click.argument("name")
@in_clinic
async def user_revoke(clinic: Clinic, /, name: str) -> None:
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


# ---- models ----------------------------------------------------------------------------------------------------------


@main.group()
def models() -> None:
    """Local models: which are here, whether they are whole, and what they have passed."""


@models.command("list")
@as_json_option
@click.pass_obj
def models_list(given: _Given, as_json: bool) -> None:
    """Every model of the catalogue, and what has passed on this box."""
    store = given.store()
    known = [_standing(store, model) for model in store.models()]
    if as_json:
        _print_json(known)
    else:
        heads = ("model", "kind", "size", "here", "may speak to patients", "what it is")
        _table(heads, (tuple(row.values()) for row in known))


@models.command("verify")
@click.pass_obj
def models_verify(given: _Given) -> None:
    """Read every model file and compare its SHA-256."""
    from models import ModelDamaged

    store, damaged = given.store(), []
    for name in (model.name for model in store.models() if store.installed(model.name)):
        try:
            store.verify(name)
            click.echo(f"{name}: whole")
        except ModelDamaged as error:
            damaged.append(name)
            click.echo(f"{name}: DAMAGED. {error}")
    if damaged:
        raise ModelDamaged(f"Damaged: {', '.join(damaged)}. They are not loaded.")


@models.command("pull")
@click.argument("name", default="standard")
@click.pass_obj
def models_pull(given: _Given, name: str) -> None:
    """Fetch a set (starter, standard) or one model, at its pinned revision."""
    _with_progress("Fetching", given.store().pull, name)


@models.command("import")
@click.argument("folder", type=FOLDER)
@click.pass_obj
def models_import(given: _Given, folder: Path) -> None:
    """Bring models from a folder, such as one copied from a box that has internet."""
    _with_progress("Importing", given.store().import_dir, folder)


# ---- measuring -------------------------------------------------------------------------------------------------------


@main.group("eval")
def evaluate() -> None:
    """How good the answers are, measured on sets of questions; in a throw-away directory unless --data-dir is given."""


@evaluate.command("answers")
@click.option("--documents", "folder", type=FOLDER, required=True, help="The documents to learn first.")
@click.option("--questions", "file", type=FILE, required=True, help="JSON lines: id, lang, question, answerable, …")
@click.option("--generate", is_flag=True, help="What the local model writes, whatever it has passed.")
@as_json_option
@click.pass_obj
def eval_answers(given: _Given, folder: Path, file: Path, generate: bool, as_json: bool) -> None:
    """Right answers and honest refusals, through the path that a patient meets."""
    import uvloop

    from appliance.evaluation.answers import answers, questions

    async def measured() -> dict[str, Any]:
        async with _trial(given) as clinic:
            await _learnt(clinic, [folder], quiet=as_json)
            sources = {document.id: document.source for document in await clinic.library.documents()}
            assistant = _writing(clinic) if generate else clinic.assistant
            with _bar("Asking") as told:
                return await answers(assistant, clinic.conversations, asked, sources=sources, progress=told)

    asked = questions(file)
    _print_figures(uvloop.run(measured()), as_json=as_json)


# ---- printing --------------------------------------------------------------------------------------------------------


async def _learnt(
    clinic: Clinic, paths: Sequence[Path], metadata: Mapping[str, str | None] | None = None, *, quiet: bool = False
) -> None:
    from appliance.knowledge.parsed import Metadata

    given = msgspec.convert({name: value for name, value in (metadata or {}).items() if value}, Metadata)
    with _bar("Learning") as told:
        learnt = await clinic.library.learn(paths, given, progress=told)
    if not quiet:
        _print_documents(learnt)


def _with_progress(words: str, work: Callable[..., list[str]], *given: Any) -> None:
    """What the model store does, with a bar."""
    with _bar(words) as told:
        names = work(*given, progress=lambda model, act, done, total: told(done, total, f"{model}: {act}"))
    click.echo(f"Ready: {', '.join(names)}")


@contextmanager
def _bar(words: str) -> Iterator[Callable[..., None]]:
    """A progress bar on stderr, told (done, of how many, words)."""
    from rich.console import Console
    from rich.progress import BarColumn, TaskProgressColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(words, total=None)
        yield lambda done, total, now=words: bar.update(task, completed=done, total=total, description=now)


@asynccontextmanager
async def _trial(given: _Given) -> AsyncIterator[Clinic]:
    """A clinic in a throw-away directory, or in the one that was named; with the models of this box."""
    from appliance.app import installed, open_clinic
    from appliance.config import Data
    from appliance.records.keys import KEY_FILE, create_master_key

    config = given.config()
    with tempfile.TemporaryDirectory(prefix="medinovai-eval-") as folder:
        place = Path(config.data.directory if given.data_dir else folder)
        if not (place / KEY_FILE).exists():
            create_master_key(place)
        trial = msgspec.structs.replace(config, data=Data(directory=str(place)))
        async with open_clinic(trial, models=installed(config)) as clinic:
            yield clinic


def _print_figures(report: dict[str, Any], *, as_json: bool) -> None:
    """Figures overall and per language; the rows only as JSON."""
    if as_json:
        return _print_json(report)
    columns = {"overall": report["overall"], **report["by_lang"]}
    names = list(report["overall"])
    _table(("", *columns), ((name, *(_figure(column.get(name)) for column in columns.values())) for name in names))


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:g}"


def _standing(store: Store, model: CatalogModel) -> dict[str, str]:
    """A model as a row: what it is, whether it is here, what it may do."""
    here = store.installed(model.name)
    verdict = store.verdict(store.sha256(model.name)) if here else None
    speaks = {None: "not examined", True: ", ".join(verdict.languages if verdict else ()), False: "no: it did not pass"}
    return {
        "name": model.name,
        "kind": model.kind,
        "size": f"{model.bytes / 1e6:.0f} MB" if model.bytes else "",
        "here": "yes" if here else "no",
        "speaks": speaks[verdict.passed if verdict else None] if model.kind == "chat" else "",
        "title": model.title,
    }


def _print_documents(known: Sequence[DocumentStatus]) -> None:
    _table(("document", "language", "state"), ((each.source, each.language or "", each.words) for each in known))


def _writing(clinic: Clinic) -> Assistant:
    """An assistant whose answers the local model writes, whatever it has passed: for this terminal only."""
    from appliance.app import Unqualified

    if clinic.chat is None:
        raise BadInput("No model writes here: set models.chat, then see `medinovai models list`.")
    return clinic.assistant_with(Unqualified(clinic.chat))


async def _document_id(clinic: Clinic, name: str) -> DocumentId:
    """A document by its id or by the name it was learnt under."""
    known = await clinic.library.documents()
    for document in known:
        if name in (document.id, document.source):
            return document.id
    near = difflib.get_close_matches(name, [document.source for document in known], n=1)
    raise NotFound(
        f"There is no document {name}. " + (f"Did you mean {near[0]}?" if near else "See: medinovai documents")
    )


def _coloured(state: str) -> str:
    return f"[{ {'ok': 'green', 'warning': 'yellow', 'failing': 'red'}[state] }]{state}[/]"


def _console() -> Console:
    from rich.console import Console

    # a table written into a file or a pipe is not squeezed into 80 columns
    return Console(highlight=False, width=None if sys.stdout.isatty() else 160)


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    from rich.table import Table

    table = Table(*heads, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*row)
    _console().print(table)


def _print_json(value: object) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(value)))


if __name__ == "__main__":
    main()
