"""Who did what, and when: rows that are added and never changed. Holds no patient's words."""

from __future__ import annotations

from datetime import datetime

import msgspec

from appliance.message import now
from appliance.records.database import Connection, Database, iso


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One act. ``id`` grows by one an entry: a gap means that something was taken out."""

    id: int
    at: datetime
    actor: str
    act: str
    subject: str
    detail: str


def record(connection: Connection, *, actor: str, act: str, subject: str, detail: str = "") -> None:
    """Called inside the write that does the act, so that there is no act without its entry."""
    connection.execute(
        "INSERT INTO audit (at, actor, act, subject, detail) VALUES (?, ?, ?, ?, ?)",
        (iso(now()), actor, act, subject, detail),
    )


async def entries(database: Database, limit: int = 100) -> list[Entry]:
    """The newest acts, newest first."""
    rows = await database.read(
        lambda c: c.execute(
            "SELECT id, at, actor, act, subject, detail FROM audit ORDER BY id DESC LIMIT ?", (limit,)
        ).fetchall()
    )
    return [msgspec.convert(dict(zip(Entry.__struct_fields__, row, strict=True)), Entry) for row in rows]
