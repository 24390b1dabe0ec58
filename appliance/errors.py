"""Every error as one tree. ``str(error)`` is for operators and says what to do; ``say`` names the phrase a patient hears.

    ApplianceError
    ├── BadInput            what was given cannot be used            (HTTP 400; exit code 2)
    │   ├── BadConfig       config.toml, environment or flag
    │   ├── BadDocument     a document that cannot be read
    │   └── TooLarge        over a limit                             (HTTP 413)
    ├── NotAllowed          no token, a wrong one, or a foreign origin (HTTP 401/403)
    ├── NotFound            no such document, conversation, model    (HTTP 404)
    ├── Taken               somebody else was first                  (HTTP 409)
    ├── Unavailable         something of ours is down or full        (HTTP 503)
    │   ├── Busy            too much to do right now; try again      (HTTP 503 with Retry-After)
    │   │   └── TooOften    one caller asks more often than allowed  (HTTP 429 with Retry-After)
    │   └── StoreFailed     the database could not be read or written (disk full, damaged, wrong key)
    └── NotQualified        a model that may not speak to patients

Model errors (ModelError and its leaves) stand in models/__init__.py, because models/ knows nothing of the appliance.
"""

from __future__ import annotations


class ApplianceError(Exception):
    """The root. ``say`` is the key of the phrase (assistant/phrases) that a patient is told."""

    say: str = "trouble"


class BadInput(ApplianceError):
    """What was given cannot be used; the text says what to give instead."""


class BadConfig(BadInput):
    """A setting is unknown or has a wrong value; the text holds its path and the nearest match."""


class BadDocument(BadInput):
    """A document cannot be read; the text is the status that anyone can read."""


class TooLarge(BadInput):
    """Over a limit; the text names the limit and the setting that changes it."""


class NotAllowed(ApplianceError):
    """The caller may not do this."""


class NotFound(ApplianceError):
    """No such thing."""


class Taken(ApplianceError):
    """Somebody else was first: the case is another's, or closed meanwhile. Look at it again."""


class Unavailable(ApplianceError):
    """A part of ours cannot do its work now."""


class Busy(Unavailable):
    """Too much to do; ``retry_after`` seconds."""

    say = "busy"

    def __init__(self, message: str, *, retry_after: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooOften(Busy):
    """One caller asks more often than allowed; others are served."""


class StoreFailed(Unavailable):
    """The database could not be read or written."""


class NotQualified(ApplianceError):
    """This model has not passed on this box and may not speak to patients."""
