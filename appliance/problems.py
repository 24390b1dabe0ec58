"""Every error as a stranger is told it (RFC 9457), and as the log may hold it. Repeats nobody's words."""

from __future__ import annotations

import traceback
from http import HTTPStatus
from pathlib import Path

import msgspec
from litestar.openapi.datastructures import ResponseSpec

from appliance.errors import (
    ApplianceError,
    BadInput,
    Busy,
    NotAllowed,
    NotFound,
    Taken,
    TooLarge,
    TooOften,
    Unavailable,
)
from appliance.log import request
from models import ModelBusy, ModelError

MEDIA_TYPE = "application/problem+json"


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, for whoever asked."""

    title: str
    """What happened, the same words each time."""
    status: int
    code: str
    """One word a program can decide by."""
    detail: str
    """What to do about it."""
    retry_after: int | None = None
    """Seconds after which the same request may succeed."""
    request: str | None = None
    """The name of the request, to be found in the log."""


_BUSY = (503, "busy", "Busy", "Many people are asking right now. Try again in a moment.")
_DOWN = (503, "trouble", "Not working", "A part of the assistant is not working. Try again in a minute.")
_OURS = (500, "trouble", "Something on our side failed", "Try again in a minute. If it stays, tell the clinic.")

# The most particular first. Without a detail of its own, the error's text says what to do.
_TOLD: tuple[tuple[type[Exception], tuple[int, str, str, str]], ...] = (
    (TooLarge, (413, "too_long", "Too large", "")),
    (BadInput, (400, "not_understood", "This was not understood", "")),
    (NotAllowed, (403, "not_allowed", "Not allowed", "")),
    (NotFound, (404, "unknown", "Not found", "")),
    (Taken, (409, "taken", "Somebody else was first", "")),
    (TooOften, (429, "rate", "Too many requests", "")),
    (Busy, _BUSY),
    (ModelBusy, _BUSY),
    (Unavailable, _DOWN),
    (ModelError, _DOWN),
)


def problem(error: Exception) -> Problem:
    """What whoever asked is told of it."""
    status, code, title, detail = next((told for kind, told in _TOLD if isinstance(error, kind)), _OURS)
    return Problem(
        title=title,
        status=status,
        code=code,
        detail=detail or str(error),
        retry_after=_seconds(getattr(error, "retry_after", None)),
        request=request.get() or None,
    )


def plain(status: int, detail: str = "", *, retry_after: float | None = None) -> Problem:
    """A problem that has no error of ours: the status says it all."""
    known = HTTPStatus(status)
    code = {413: "too_long", 429: "rate", 404: "unknown", 503: "busy"}.get(status, "not_understood")
    return Problem(
        title=known.phrase,
        status=status,
        code=code if status != 500 else "trouble",
        detail=detail or known.description or known.phrase,
        retry_after=_seconds(retry_after),
        request=request.get() or None,
    )


def described(*statuses: int) -> dict[int, ResponseSpec]:
    """The problems a route may answer with, for its OpenAPI description."""
    spec = ResponseSpec(Problem, media_type=MEDIA_TYPE, description="A problem (RFC 9457)", generate_examples=False)
    return dict.fromkeys((400, 429, 500, 503, *statuses), spec)


def ours(error: Exception) -> bool:
    """Must somebody mend it? Not what a stranger did wrong, nor that many ask at once."""
    told = problem(error)
    return told.status >= 500 and told.code != "busy"


def where(error: BaseException) -> str:
    """Kind and place of an error. Its text is added only where it is ours: a stranger's may quote what was said."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    place = " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))
    text = f" {error}" if isinstance(error, ApplianceError | ModelError) else ""
    cause = f" because of {where(error.__cause__)}" if error.__cause__ else ""
    return f"{type(error).__name__}{text} at {place or 'nowhere'}{cause}"


def _seconds(wait: float | None) -> int | None:
    return None if wait is None else max(1, round(wait + 0.499))
