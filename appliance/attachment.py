"""A file as HTTP takes it and hands it out: saved or looked at, never run. For the patients' page and for staff's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import quote

from litestar import Request, Response
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, RequestBody, Schema
from msgspec import Meta

from appliance.conversations.files import Attached
from appliance.errors import TooLarge

LARGEST: Final = 26 * 1024**2
"""Bytes of a request: what files.most_mb can be, and some."""
SHOWN: Final = frozenset({"image/jpeg", "image/png", "image/webp"})
"""May be looked at in the page; everything else is saved."""


FileName = Annotated[str, Meta(min_length=1, max_length=255, description="The file's name; its last part is kept.")]


@dataclass
class FileOperation(Operation):
    """How /schema describes a request whose body is a file."""

    def __post_init__(self) -> None:
        anything = Schema(type=OpenAPIType.STRING, content_media_type="application/octet-stream")
        self.request_body = RequestBody(
            required=True,
            description="The file: JPEG, PNG, WebP, HEIC or PDF.",
            content={"application/octet-stream": OpenAPIMediaType(schema=anything)},
        )


async def posted(request: Request[Any, Any, Any], most: int) -> bytes:
    """The body of a request: one file. Raises TooLarge."""
    try:
        content = await request.body()
    except RequestEntityTooLarge:
        content = bytes(most + 1)
    if len(content) > most:
        raise TooLarge(f"a file has at most {most // 1024**2} MB (files.most_mb)")
    return content


def handed_out(file: Attached, content: bytes) -> Response[bytes]:
    """What strangers sent is never run, framed, guessed at or kept by the browser."""
    kind = "inline" if file.media_type in SHOWN else "attachment"
    headers = {
        "content-disposition": f"{kind}; filename*=UTF-8''{quote(file.name, safe='')}",
        "content-security-policy": "default-src 'none'; sandbox; frame-ancestors 'none'",
        "cache-control": "private, no-store",
    }
    return Response(content, media_type=file.media_type, headers=headers)
