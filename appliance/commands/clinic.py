"""What happens in an opened clinic: ask, learn, documents, user."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import click
import msgspec

from appliance.commands import printed
from appliance.commands.given import EXISTING, as_json_option, in_clinic
from appliance.errors import BadInput, NotFound

if TYPE_CHECKING:
    from appliance.app import Clinic
    from appliance.assistant.answer import Assistant
    from appliance.knowledge import DocumentStatus
    from appliance.message import DocumentId, Language
    from models import ChatModel

LANGUAGE = click.Choice(["en", "es", "zh", "hi"])


@click.command()
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

    if generate and not unqualified:
        raise BadInput(
            "--generate shows a model that may not have passed: add --unqualified. It is never for patients."
        )
    assistant = writing(clinic)[0] if generate else clinic.assistant
    conversation, _ = await clinic.conversations.create("terminal", language=lang, site=site)
    message = Message(
        id=MessageId(str(uuid4())),
        conversation=conversation,
        channel="terminal",
        text=question,
        language=lang,
        locked=lang is not None,
        site=site,
    )
    try:
        async with aclosing(assistant.answer(message)) as parts:
            await terminal.write(parts, printed.console())
    finally:
        await clinic.conversations.delete(conversation)


@click.command()
@click.argument("paths", nargs=-1, required=True, type=EXISTING)
@click.option("--site", help="The site these documents are about.")
@click.option("--language", type=LANGUAGE, help="Their language. [default: found out]")
@click.option("--valid-from", metavar="DATE", help="In force from this day (YYYY-MM-DD).")
@click.option("--valid-until", metavar="DATE", help="In force until this day.")
@click.option("--supersedes", metavar="DOCUMENT", help="The document whose place it takes.")
@in_clinic
async def learn(clinic: Clinic, /, paths: tuple[Path, ...], **metadata: str | None) -> None:
    """Learn documents: files and folders of Markdown, HTML, text, PDF, DOCX. What changed is replaced."""
    _print_documents(await learnt(clinic, paths, metadata))


@click.group(invoke_without_command=True)
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
        printed.as_json(known)
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


@click.group()
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
async def user_list(clinic: Clinic, /) -> None:
    """Who is an administrator, and who was."""
    known = await clinic.admins.list()
    rows = [(one.name, f"{one.created_at:%F}", f"{one.revoked_at:%F}" if one.revoked_at else "") for one in known]
    printed.table(("name", "since", "revoked"), rows)


async def learnt(
    clinic: Clinic, paths: Sequence[Path], metadata: Mapping[str, str | None] | None = None
) -> list[DocumentStatus]:
    """Learn, with a progress bar."""
    from appliance.knowledge.parsed import Metadata

    said = msgspec.convert({name: value for name, value in (metadata or {}).items() if value}, Metadata)
    with printed.bar("Learning") as told:
        return await clinic.library.learn(paths, said, progress=told)


def writing(clinic: Clinic) -> tuple[Assistant, ChatModel]:
    """An assistant whose answers the local model writes, whatever that has passed: never for patients."""
    from appliance.app import Unqualified

    if clinic.chat is None:
        raise BadInput("No model writes here: set models.chat, then see `medinovai models list`.")
    return clinic.assistant_with(Unqualified(clinic.chat)), clinic.chat


def _print_documents(known: Sequence[DocumentStatus]) -> None:
    printed.table(("document", "language", "state"), ((each.source, each.language or "", each.words) for each in known))


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
