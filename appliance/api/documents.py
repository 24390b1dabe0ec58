"""The clinic's documents: anyone reads what is quoted, an administrator learns and removes. Knows no file format."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import msgspec
from litestar import Request, Router, delete, get, post
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotAuthorizedException
from litestar.handlers import BaseRouteHandler
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from appliance.api.upload import FORM_BYTES, UploadOperation, upload
from appliance.config import Limits
from appliance.errors import NotAllowed, NotFound
from appliance.knowledge import Document, DocumentStatus, PlacedBlock
from appliance.knowledge.parsed import Metadata, metadata_of
from appliance.message import DocumentId, Language
from appliance.people.admins import Admins
from appliance.problems import described

MEGABYTE = 1024 * 1024

Audit = Callable[[str, str, str], Awaitable[None]]
"""Writes actor, act and subject down. It comes before the act: no audit, no act."""


@runtime_checkable  # Litestar checks what it hands to a route
class Library(Protocol):
    """What is known, as this module needs it."""

    async def documents(self) -> Sequence[DocumentStatus]: ...

    async def document(self, document: DocumentId, /) -> Document: ...

    async def learn_bytes(self, name: str, data: bytes, metadata: Metadata, /) -> DocumentStatus: ...

    async def remove(self, document: DocumentId, /) -> None: ...


class DocumentText(msgspec.Struct, frozen=True, kw_only=True):
    """A document as the page shows it. Offsets count Unicode code points of ``text``."""

    id: DocumentId
    revision: int
    title: str
    language: Language
    valid_from: str | None
    text: str
    blocks: tuple[PlacedBlock, ...]


def documents(library: Library, admins: Admins, audit: Audit, limits: Limits) -> list[ControllerRouterHandler]:
    """The routes of documents."""
    desk = _Desk(2)
    shared = {
        "library": Provide(lambda: library, sync_to_thread=False),
        "audit": Provide(lambda: audit, sync_to_thread=False),
        "limits": Provide(lambda: limits, sync_to_thread=False),
        "desk": Provide(lambda: desk, sync_to_thread=False),
    }
    return [
        Router("/api/documents", route_handlers=[document_text], dependencies=shared, tags=["documents"]),
        Router(
            "/api/admin/documents",
            route_handlers=[listed, learnt, removed],
            dependencies=shared,
            guards=[admins_only(admins)],
            request_max_body_size=limits.upload_mb * MEGABYTE + FORM_BYTES,
            security=[{"admin": []}],
            tags=["documents"],
        ),
    ]


async def admin_of(connection: ASGIConnection[Any, Any, Any, Any], admins: Admins) -> str:
    """The administrator whose token the caller shows. Raises NotAuthorizedException (401)."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() == "bearer":
            return await admins.check(token.strip())
    except NotAllowed:
        pass
    raise NotAuthorizedException(headers={"www-authenticate": "Bearer"})


class _Desk(asyncio.Semaphore):
    """Two documents at a time: each may take 50 MB here and a processor in its child."""


@get("/{document:str}", responses=described(404))
async def document_text(document: FromPath[str], library: NamedDependency[Library]) -> DocumentText:
    """The text an answer quotes, with its headings and pages."""
    try:
        found = await library.document(DocumentId(document))
    except NotFound:
        raise NotFound("the clinic has no such document") from None  # the library's words are for an operator
    return msgspec.convert(found, DocumentText, from_attributes=True)


@get("/", responses=described(401))
async def listed(library: NamedDependency[Library]) -> list[DocumentStatus]:
    """What is known, and what could not be read and why."""
    return list(await library.documents())


@post("/", responses=described(401, 413), operation_class=UploadOperation)
async def learnt(
    request: Request[str, Any, Any],
    library: NamedDependency[Library],
    audit: NamedDependency[Audit],
    limits: NamedDependency[Limits],
    desk: NamedDependency[_Desk],
) -> DocumentStatus:
    """Learn a document; one of the same name is replaced. What became of it stands in ``status`` and ``words``."""
    async with desk:
        form = await upload(request, limits.upload_mb * MEGABYTE)
        metadata = metadata_of(form.fields, where="the form")
        await audit(request.user, "document.learn", form.name)
        return await library.learn_bytes(form.name, form.content, metadata)


@delete("/{document:str}", responses=described(401, 404))
async def removed(
    request: Request[str, Any, Any],
    document: FromPath[str],
    library: NamedDependency[Library],
    audit: NamedDependency[Audit],
) -> None:
    """Forget a document; it answers no more."""
    found = await library.document(DocumentId(document))
    await audit(request.user, "document.remove", found.id)
    await library.remove(found.id)


def admins_only(admins: Admins) -> Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]:
    async def guard(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
        """Before a byte of the body is read."""
        connection.scope["user"] = await admin_of(connection, admins)

    return guard
