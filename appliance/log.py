"""One line an event on stderr, as key=value. Knows nobody's words: what a patient said is never handed to a logger.

log.info("learnt document=%s passages=%d", name, count)
2026-11-22T15:00:00.123Z info appliance.knowledge.library request=3f9a learnt document=hours.md passages=4
"""

from __future__ import annotations

import logging
import secrets
import sys
import traceback
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

request: ContextVar[str] = ContextVar("request", default="")
"""The id of the request or message being worked on; empty outside of one."""

CHATTY = (
    "apscheduler",
    "httpx",
    "httpcore",
    "huggingface_hub",
    "filelock",
    "multipart",
    "markdown_it",
    "sentence_transformers",
    "urllib3",
)
"""Libraries whose info lines say nothing to an operator, and whose debug lines may hold what was sent."""
MOST_LINES: Final = 200
"""Of a trace, causes included."""


def set_up(level: str = "info") -> None:
    """Send every logger to stderr. Calling it again changes the level."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Line())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def new_request() -> str:
    """Name a new request; every line logged in its context carries the name."""
    name = secrets.token_hex(4)
    request.set(name)
    return name


class _Line(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
        name = f" request={request.get()}" if request.get() else ""
        line = f"{at}Z {record.levelname.lower()} {record.name}{name} {_one_line(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line

    def formatException(self, ei: Any) -> str:
        """Kinds and places. Never the texts: a library's may quote what was said."""
        lines: list[str] = []
        error: BaseException | None = ei[1]
        while error is not None and len(lines) < MOST_LINES:
            lines += [*traceback.format_tb(error.__traceback__), f"{type(error).__name__}\n"]
            error = error.__cause__ or error.__context__
        return "".join(lines).rstrip()


def _one_line(message: str) -> str:
    """One event stays one line, whatever a file name or a header holds."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in message)
