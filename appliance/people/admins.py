"""Administrators and their tokens. Keeps only a token's SHA-256: of 256 random bits nothing slower is needed."""

from __future__ import annotations

import secrets
from datetime import datetime
from hashlib import sha256

import msgspec

from appliance.errors import BadInput, NotAllowed, NotFound
from appliance.message import now
from appliance.records import audit
from appliance.records.database import Connection, Database, iso


class Admin(msgspec.Struct, frozen=True, kw_only=True):
    """One token that was given out."""

    name: str
    created_at: datetime
    revoked_at: datetime | None


class Admins:
    """The clinic's administrators, by the name each token was made for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self, name: str) -> str:
        """A new token, shown this once."""
        token = "mdv_" + secrets.token_urlsafe(32)

        def work(connection: Connection) -> None:
            if _in_force(connection, name):
                raise BadInput(f"{name} has a token already: revoke it first, or choose another name")
            connection.execute(
                "INSERT INTO admin_token (name, token_sha256, created_at) VALUES (?, ?, ?)",
                (name, _digest(token), iso(now())),
            )
            audit.record(connection, actor="operator", act="admin.create", subject=name)

        await self._database.write(work)
        return token

    async def check(self, token: str) -> str:
        """Whose token this is. Raises NotAllowed for an unknown or revoked one."""
        row = await self._database.read(
            lambda c: c.execute(
                "SELECT name FROM admin_token WHERE token_sha256 = ? AND revoked_at IS NULL", (_digest(token),)
            ).fetchone()
        )
        if row is None:
            raise NotAllowed("this token is not known or was revoked: make one with `medinovai user`")
        return str(row[0])

    async def revoke(self, name: str) -> None:
        """From now on the token of this name opens nothing."""

        def work(connection: Connection) -> None:
            if not _in_force(connection, name):
                raise NotFound(f"no token in force has the name {name}")
            connection.execute(
                "UPDATE admin_token SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL", (iso(now()), name)
            )
            audit.record(connection, actor="operator", act="admin.revoke", subject=name)

        await self._database.write(work)

    async def list(self) -> list[Admin]:
        """Every token ever given out, oldest first; never the tokens themselves."""
        rows = await self._database.read(
            lambda c: c.execute("SELECT name, created_at, revoked_at FROM admin_token ORDER BY id").fetchall()
        )
        return [msgspec.convert({"name": n, "created_at": c, "revoked_at": r}, Admin) for n, c, r in rows]


def _in_force(connection: Connection, name: str) -> bool:
    found = connection.execute("SELECT 1 FROM admin_token WHERE name = ? AND revoked_at IS NULL", (name,))
    return found.fetchone() is not None


def _digest(token: str) -> bytes:
    # A token is ASCII; whatever else a stranger sends must fail as unknown, not as an encoding error.
    return sha256(token.encode(errors="surrogatepass")).digest()
