"""The pages as files, read once at start and held in memory with their gzip. Knows nothing of what they show."""

from __future__ import annotations

import asyncio
import gzip
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
}
"""Only these are served, whatever else lies in the folder."""
CACHE = "public, max-age=60, must-revalidate"


class _File(msgspec.Struct, frozen=True, kw_only=True):
    body: bytes
    zipped: bytes
    media_type: str
    etag: str


class Pages:
    """The files of ui/ by their path."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, _File] = {}

    async def load(self) -> None:
        """Read them all; called once, before the first request."""
        self._files = await asyncio.to_thread(_read, self._folder)

    def routes(self) -> list[ControllerRouterHandler]:
        """The chat page, the page of one document, the staff page, their parts and their words."""

        @get("/", include_in_schema=False)
        async def chat(request: Request[Any, Any, Any]) -> Response[bytes]:
            return self._served("index.html", request)

        @get("/documents/{document:str}", include_in_schema=False)
        async def document_page(request: Request[Any, Any, Any], document: FromPath[str]) -> Response[bytes]:
            return self._served("document.html", request)

        @get("/staff", include_in_schema=False)
        async def staff(request: Request[Any, Any, Any]) -> Response[bytes]:
            return self._served("staff.html", request)

        @get(
            "/staff-worker.js", include_in_schema=False
        )  # beside /staff: a worker sees only what lies below its own place
        async def staff_worker(request: Request[Any, Any, Any]) -> Response[bytes]:
            return self._served("staff-worker.js", request)

        @get("/words/{file:str}", include_in_schema=False)
        async def words(request: Request[Any, Any, Any], file: FromPath[str]) -> Response[bytes]:
            return self._served(f"words/{file}", request)

        @get("/static/{file:path}", include_in_schema=False)
        async def static(request: Request[Any, Any, Any], file: FromPath[str]) -> Response[bytes]:
            return self._served(str(file).lstrip("/"), request)

        return [chat, document_page, staff, staff_worker, words, static]

    def _served(self, path: str, request: Request[Any, Any, Any]) -> Response[bytes]:
        file = self._files.get(path)
        if file is None:
            raise NotFoundException
        headers = {"etag": file.etag, "cache-control": CACHE, "vary": "accept-encoding"}
        if file.etag in request.headers.get("if-none-match", ""):
            return Response(b"", status_code=304, headers=headers, media_type=file.media_type)
        if "gzip" in request.headers.get("accept-encoding", "") and len(file.zipped) < len(file.body):
            return Response(file.zipped, headers=headers | {"content-encoding": "gzip"}, media_type=file.media_type)
        return Response(file.body, headers=headers, media_type=file.media_type)


def _read(folder: Path) -> dict[str, _File]:
    found = (file for file in folder.rglob("*") if file.suffix in MEDIA_TYPES and "node_modules" not in file.parts)
    return {file.relative_to(folder).as_posix(): _file(file) for file in found if file.is_file()}


def _file(file: Path) -> _File:
    body = file.read_bytes()
    return _File(
        body=body,
        zipped=gzip.compress(body, mtime=0),
        media_type=MEDIA_TYPES[file.suffix],
        etag=f'"{sha256(body).hexdigest()[:20]}"',
    )
