"""What somebody outside is still to be told: written with the act that it tells of, delivered later.

Knows no channel, and holds no patient's words.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

import msgspec

from appliance.errors import NotFound
from appliance.message import now
from appliance.records.database import Connection, Database, iso


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One thing to be told."""

    id: int
    kind: str
    payload: msgspec.Raw
    """JSON, as whoever wrote it defines it for this kind."""
    created_at: datetime
    attempts: int
    """How often delivery has failed."""


def put(connection: Connection, *, kind: str, payload: msgspec.Struct) -> None:
    """Called inside the write that does the act, so that neither is there without the other."""
    connection.execute(
        "INSERT INTO outbox (kind, payload, created_at) VALUES (?, ?, ?)",
        (kind, msgspec.json.encode(payload).decode(), iso(now())),
    )


class Outbox:
    """For whoever delivers. A letter may be delivered twice when ``done`` was not reached: its id tells."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def waiting(self, limit: int = 100) -> list[Letter]:
        """Oldest first; one that has failed more often comes later, so that it holds nobody up."""
        rows = await self._database.read(
            lambda c: c.execute(
                "SELECT id, kind, payload, created_at, attempts FROM outbox WHERE delivered_at IS NULL"
                " ORDER BY attempts, id LIMIT ?",
                (limit,),
            ).fetchall()
        )
        return [_letter(row) for row in rows]

    async def after(self, letter: int, limit: int = 100) -> list[Letter]:
        """Those that wait and were written after this one, in the order in which they were."""
        rows = await self._database.read(
            lambda c: c.execute(
                "SELECT id, kind, payload, created_at, attempts FROM outbox WHERE delivered_at IS NULL AND id > ?"
                " ORDER BY id LIMIT ?",
                (letter, limit),
            ).fetchall()
        )
        return [_letter(row) for row in rows]

    async def settle(self, letter: int) -> None:
        """As `done`, and as well where that was said before."""
        with suppress(NotFound):
            await self.done(letter)

    async def done(self, letter: int) -> None:
        """It was delivered. Raises NotFound when it does not wait."""
        await self._change(
            "UPDATE outbox SET delivered_at = ? WHERE id = ? AND delivered_at IS NULL", iso(now()), letter
        )

    async def failed(self, letter: int) -> None:
        """It could not be delivered and goes on waiting. Raises NotFound when it does not wait."""
        await self._change("UPDATE outbox SET attempts = attempts + 1 WHERE id = ? AND delivered_at IS NULL", letter)

    async def _change(self, sql: str, *values: object) -> None:
        def work(connection: Connection) -> None:
            if connection.execute(sql, values).rowcount == 0:
                raise NotFound("this letter does not wait in the outbox")

        await self._database.write(work)


def _letter(row: tuple[int, str, str, str, int]) -> Letter:
    number, kind, payload, created_at, attempts = row
    return Letter(
        id=number,
        kind=kind,
        payload=msgspec.Raw(payload.encode()),
        created_at=datetime.fromisoformat(created_at),
        attempts=attempts,
    )
