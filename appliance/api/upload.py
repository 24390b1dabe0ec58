"""A form with one file, read into memory under a limit as it arrives. Knows no document and writes nothing to a disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
from litestar import Request
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.openapi.spec import OpenAPIMediaType, OpenAPIType, Operation, Reference, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat
from multipart import MultipartError, MultipartSegment, ParserLimitReached, PushMultipartParser  # type: ignore[import-untyped]  # it has none

from appliance.errors import BadInput, TooLarge
from appliance.message import LANGUAGES

FORM_BYTES = 64 * 1024
"""What a form may weigh besides its file."""
FIELDS = 20


class Upload(msgspec.Struct, frozen=True, kw_only=True):
    """A file and what was said about it."""

    name: str
    """The last part of the file's name, whatever path came with it."""
    content: bytes
    fields: dict[str, str]

    def __repr__(self) -> str:
        return f"Upload({self.name!r}, {len(self.content)} bytes)"


async def upload(request: Request[Any, Any, Any], most: int) -> Upload:
    """The form of a request whose file has at most ``most`` bytes. Raises TooLarge, BadInput."""
    kind, options = request.content_type
    if kind != "multipart/form-data" or not options.get("boundary"):
        raise BadInput("send the document as a form (multipart/form-data) with the field `file`")
    parts = _Parts()
    try:
        with PushMultipartParser(options["boundary"], max_segment_count=FIELDS, max_segment_size=most) as parser:
            async for chunk in request.stream():
                for event in parser.parse(chunk) if chunk and not parser.closed else ():
                    parts.take(event)
    except (RequestEntityTooLarge, ParserLimitReached):
        raise TooLarge(f"A document has at most {most // 1024**2} MB (limits.upload_mb).") from None
    except MultipartError as error:
        raise BadInput(f"this is not a whole form (multipart/form-data): {error}") from None
    return parts.whole()


class _Parts:
    """What has come of a form so far."""

    def __init__(self) -> None:
        self._name = ""
        self._file = bytearray()
        self._fields: dict[str, bytearray] = {}
        self._into = bytearray()

    def take(self, event: MultipartSegment | bytes | bytearray | None) -> None:
        if isinstance(event, MultipartSegment):
            self._into = self._begun(event)
        elif event:
            self._into += event

    def _begun(self, segment: MultipartSegment) -> bytearray:
        if segment.name == "file" and segment.filename:
            self._name = segment.filename.replace("\\", "/").rsplit("/", 1)[-1]
            self._file = bytearray()
            return self._file
        return self._fields.setdefault(segment.name or "", bytearray())

    def whole(self) -> Upload:
        if not self._name:
            raise BadInput("the form has no file: send the field `file` with a file name")
        fields = {name: bytes(text).decode("utf-8", "replace") for name, text in self._fields.items()}
        return Upload(name=self._name, content=bytes(self._file), fields=fields)


@dataclass
class UploadOperation(Operation):
    """How /schema describes such a form."""

    def __post_init__(self) -> None:
        text, day = Schema(type=OpenAPIType.STRING), Schema(type=OpenAPIType.STRING, format=OpenAPIFormat.DATE)
        properties: dict[str, Reference | Schema] = {
            "file": Schema(type=OpenAPIType.STRING, content_media_type="application/octet-stream"),
            "title": text,
            "site": text,
            "language": Schema(type=OpenAPIType.STRING, enum=LANGUAGES),
            "valid_from": day,
            "valid_until": day,
            "supersedes": text,
        }
        form = Schema(type=OpenAPIType.OBJECT, required=["file"], properties=properties)
        self.request_body = RequestBody(
            required=True,
            description="The document. Empty fields are found out from the document itself.",
            content={"multipart/form-data": OpenAPIMediaType(schema=form)},
        )
