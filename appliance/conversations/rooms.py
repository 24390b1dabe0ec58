"""Where in Mattermost a case is, and what has passed between: so that each thing passes once. Keeps no words; knows no network."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable
from hashlib import sha256
from typing import Final, Literal

import msgspec

from appliance.message import ConversationId, now
from appliance.records.database import Connection, Database, iso

Became = Literal["word", "note", "nothing"]
Act = Literal["accept", "reply", "return", "resolve", "say"]


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """A private channel, or a thread in one."""

    handover: int
    conversation: ConversationId
    name: str
    channel: str | None
    """None until it is made."""
    root: str | None
    heard: int
    left_at: str | None


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """A post of staff as we know it."""

    changed_at: int
    became: Became


class Tried(msgspec.Struct, frozen=True, kw_only=True):
    """A post of ours that was tried, and where it stands if that is known."""

    since: int
    post: str | None


class Button(msgspec.Struct, frozen=True, kw_only=True):
    """What a button may do, once its case has not moved on."""

    handover: int
    act: Act
    version: int


class RoomBook:
    """The only writer of these tables; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ---- rooms ------------------------------------------------------------------------------------------------------

    async def room(self, case: int) -> Room | None:
        return await self._database.read(lambda c: _first(c, "handover = ?", case))

    async def thread(self, root: str) -> Room | None:
        """The room whose first post this is, also one that was left."""
        return await self._database.read(lambda c: _first(c, "root = ?", root))

    async def open(self) -> list[Room]:
        """Those in which is listened."""
        return await self._database.read(lambda c: _rooms(c, "left_at IS NULL AND channel IS NOT NULL"))

    async def begin(self, case: int, conversation: ConversationId, name: str) -> Room:
        """Its name is kept before it is made, so that it is found again; an earlier name stands."""

        def work(connection: Connection) -> Room:
            connection.execute(
                "INSERT INTO mattermost_room (handover, conversation, name) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (case, conversation, name),
            )
            return _one(connection, case)

        return await self._database.write(work)

    async def placed(self, case: int, *, channel: str, root: str | None, heard: int) -> Room:
        """It is there."""
        return await self._changed(
            case, "channel = ?, root = coalesce(?, root), heard = max(heard, ?)", channel, root, heard
        )

    async def move(self, case: int, name: str) -> None:
        """Its channel is gone: another one of that name will be made."""

        def work(connection: Connection) -> None:
            connection.execute("DELETE FROM mattermost_post WHERE name = ?", (f"case:{case}",))
            connection.execute(
                "UPDATE mattermost_room SET name = ?, channel = NULL, root = NULL, heard = 0 WHERE handover = ?",
                (name, case),
            )

        await self._database.write(work)

    async def leave(self, case: int) -> Room:
        """Nothing is heard there any more, and no button works."""

        def work(connection: Connection) -> Room:
            connection.execute("DELETE FROM mattermost_action WHERE handover = ?", (case,))
            connection.execute("UPDATE mattermost_room SET left_at = ? WHERE handover = ?", (iso(now()), case))
            return _one(connection, case)

        return await self._database.write(work)

    async def _changed(self, case: int, change: str, *values: object) -> Room:
        def work(connection: Connection) -> Room:
            connection.execute(f"UPDATE mattermost_room SET {change} WHERE handover = ?", (*values, case))  # noqa: S608 - constants of this module
            return _one(connection, case)

        return await self._database.write(work)

    # ---- our own posts ----------------------------------------------------------------------------------------------

    async def trying(self, name: str, case: int, since: int) -> Tried | None:
        """Before a post is tried. What is known of an earlier try; None: this is the first."""

        def work(connection: Connection) -> Tried | None:
            found = _tried(connection, name)
            if found is None:
                connection.execute(
                    "INSERT INTO mattermost_post (name, handover, tried_since) VALUES (?, ?, ?)", (name, case, since)
                )
            return found

        return await self._database.write(work)

    async def posted(self, name: str, post: str) -> None:
        sql = "UPDATE mattermost_post SET post = ? WHERE name = ?"
        await self._database.write(lambda c: c.execute(sql, (post, name)))

    async def post(self, name: str) -> str | None:
        """Where a post of ours stands."""
        found = await self._database.read(lambda c: _tried(c, name))
        return found.post if found else None

    # ---- posts of staff ---------------------------------------------------------------------------------------------

    async def heard(self, posts: Iterable[str]) -> dict[str, Heard]:
        """What is known of these."""
        names = list(posts)
        marks = ", ".join("?" * len(names))
        sql = f"SELECT post, changed_at, became FROM mattermost_heard WHERE post IN ({marks})"  # noqa: S608 - question marks
        rows = await self._database.read(lambda c: c.execute(sql, names).fetchall())
        return {post: Heard(changed_at=changed_at, became=became) for post, changed_at, became in rows}

    async def hear(self, post: str, case: int, *, changed_at: int, became: Became) -> None:
        """It is dealt with, as it was then."""
        sql = (
            "INSERT INTO mattermost_heard (post, handover, changed_at, became) VALUES (?, ?, ?, ?) ON CONFLICT DO"
            " UPDATE SET changed_at = excluded.changed_at, became = excluded.became"
        )
        await self._database.write(lambda c: c.execute(sql, (post, case, changed_at, became)))

    async def heard_until(self, cases: Iterable[int], at: int) -> None:
        """All before is dealt with."""
        rows = [(at, case) for case in cases]
        await self._database.write(
            lambda c: c.executemany("UPDATE mattermost_room SET heard = max(heard, ?) WHERE handover = ?", rows)
        )

    # ---- buttons ----------------------------------------------------------------------------------------------------

    async def buttons(self, case: int, version: int, acts: Iterable[Act]) -> dict[Act, str]:
        """A new secret for each; those of earlier versions of the case are forgotten, they could do nothing any more."""
        made: dict[Act, str] = {act: secrets.token_urlsafe(32) for act in acts}

        def work(connection: Connection) -> None:
            connection.execute("DELETE FROM mattermost_action WHERE handover = ? AND version < ?", (case, version))
            connection.executemany(
                "INSERT INTO mattermost_action (token_sha256, handover, act, version) VALUES (?, ?, ?, ?)",
                [(_digest(token), case, act, version) for act, token in made.items()],
            )

        await self._database.write(work)
        return made

    async def button(self, token: str) -> Button | None:
        """What this secret opens. Looked up by its digest, so that no clock tells how much of it was right."""
        digest = _digest(token)
        sql = "SELECT token_sha256, handover, act, version FROM mattermost_action WHERE token_sha256 = ?"
        row = await self._database.read(lambda c: c.execute(sql, (digest,)).fetchone())
        if row is None or not hmac.compare_digest(row[0], digest):
            return None
        return Button(handover=row[1], act=row[2], version=row[3])


_ROOM: Final = ", ".join(Room.__struct_fields__)


def _rooms(connection: Connection, which: str, *values: object) -> list[Room]:
    rows = connection.execute(f"SELECT {_ROOM} FROM mattermost_room WHERE {which}", values).fetchall()  # noqa: S608 - constants of this module
    return [msgspec.convert(dict(zip(Room.__struct_fields__, row, strict=True)), Room) for row in rows]


def _first(connection: Connection, which: str, *values: object) -> Room | None:
    found = _rooms(connection, which, *values)
    return found[0] if found else None


def _one(connection: Connection, case: int) -> Room:
    return _rooms(connection, "handover = ?", case)[0]


def _tried(connection: Connection, name: str) -> Tried | None:
    row = connection.execute("SELECT tried_since, post FROM mattermost_post WHERE name = ?", (name,)).fetchone()
    return Tried(since=row[0], post=row[1]) if row else None


def _digest(token: str) -> bytes:
    # Strangers send anything: what is not valid Unicode must be an unknown token, not an encoding error.
    return sha256(token.encode(errors="surrogatepass")).digest()
