"""Conversations and their turns, each recorded exactly once. Knows what was said, not how an answer is found.

A patient's browser is known by a random token of which only the SHA-256 is kept.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal
from uuid import uuid4

import msgspec

from appliance.conversations.casework import heard
from appliance.errors import NotFound
from appliance.message import AnswerKind, ChannelName, ConversationId, Language, Message, MessageId, Part, Text, now
from appliance.records import audit
from appliance.records.database import Connection, Database, iso

Role = Literal["patient", "assistant", "system", "staff"]


class Conversation(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a conversation without what was said in it."""

    id: ConversationId
    channel: ChannelName
    language: Language | None
    site: str | None
    created_at: datetime
    last_at: datetime


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One thing said. An answer has the id of the message it answers; a word of staff has one of its own."""

    message_id: MessageId
    role: Role
    text: str
    parts: tuple[Part, ...] = ()
    kind: AnswerKind | None = None
    language: Language | None = None
    complete: bool = True
    """False while an answer is being said, or when it was stopped."""
    at: datetime
    by_name: str | None = None
    """Who of the clinic said it, and in which role."""
    by_role: str | None = None
    edited_at: datetime | None = None
    deleted_at: datetime | None = None
    """When staff took it back; then the text is empty."""

    def __repr__(self) -> str:
        return f"Turn({self.message_id!r}, {self.role}, {len(self.text)} characters)"


class Conversations:
    """The only writer of conversations; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self, channel: ChannelName, language: Language | None = None, site: str | None = None
    ) -> tuple[ConversationId, str]:
        """A new conversation and the token that opens it, which is not kept."""
        conversation, token, at = ConversationId(str(uuid4())), secrets.token_urlsafe(32), iso(now())
        row = (conversation, _digest(token), language, site, channel, at, at)
        await self._database.write(
            lambda c: c.execute(
                "INSERT INTO conversation (id, token_sha256, language, site, channel, created_at, last_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                row,
            )
        )
        return conversation, token

    async def by_token(self, token: str) -> ConversationId | None:
        """The conversation that this token opens."""
        row = await self._database.read(
            lambda c: c.execute("SELECT id FROM conversation WHERE token_sha256 = ?", (_digest(token),)).fetchone()
        )
        return ConversationId(row[0]) if row else None

    async def find(self, conversation: ConversationId) -> Conversation | None:
        """What is known of this conversation."""
        columns = ", ".join(Conversation.__struct_fields__)
        row = await self._database.read(
            lambda c: c.execute(f"SELECT {columns} FROM conversation WHERE id = ?", (conversation,)).fetchone()  # noqa: S608 - the names are the Struct's own
        )
        return (
            msgspec.convert(dict(zip(Conversation.__struct_fields__, row, strict=True)), Conversation) if row else None
        )

    async def set_language(self, conversation: ConversationId, language: Language) -> None:
        """The language the patient chose: answers are in it from now on."""
        await self._change("UPDATE conversation SET language = ?, locked = 1 WHERE id = ?", language, conversation)

    async def chosen_language(self, conversation: ConversationId) -> Language | None:
        """The language the patient chose for good, if any."""
        sql = "SELECT language FROM conversation WHERE id = ? AND locked"
        row = await self._database.read(lambda c: c.execute(sql, (conversation,)).fetchone())
        return msgspec.convert(row[0], Language) if row else None

    async def begin(self, message: Message) -> bool:
        """Record the patient's turn. False if this message was recorded before: then the first one stands.

        Where a case is open it counts as unread in the same transaction.
        """
        at = iso(message.at)

        def work(connection: Connection) -> bool:
            touched = connection.execute(
                "UPDATE conversation SET last_at = max(last_at, ?) WHERE id = ?", (at, message.conversation)
            )
            if touched.rowcount == 0:
                raise NotFound(_UNKNOWN)
            recorded = connection.execute(
                "INSERT INTO turn (conversation, message_id, role, text, language, complete, at)"
                " VALUES (?, ?, 'patient', ?, ?, 1, ?) ON CONFLICT DO NOTHING",
                (message.conversation, message.id, message.text, message.language, at),
            )
            if recorded.rowcount:
                heard(connection, message.conversation, message.id, now())
            return recorded.rowcount == 1

        return await self._database.write(work)

    async def finish(
        self, message: Message, parts: Sequence[Part], *, kind: AnswerKind, language: Language, complete: bool
    ) -> None:
        """Record the answer to a message, or as much of it as was said; the latest stands until a complete one does.

        A conversation that was deleted meanwhile stays deleted: then nothing is recorded.
        """
        said = tuple(parts)
        text = "".join(part.text for part in said if isinstance(part, Text))
        at = iso(now())

        def work(connection: Connection) -> None:
            connection.execute(
                "INSERT INTO turn (conversation, message_id, role, text, parts, kind, language, complete, at)"
                " SELECT id, ?, 'assistant', ?, ?, ?, ?, ?, ? FROM conversation WHERE id = ?"
                " ON CONFLICT (conversation, message_id, role) DO UPDATE SET text = excluded.text,"
                " parts = excluded.parts, kind = excluded.kind, language = excluded.language,"
                " complete = excluded.complete, at = excluded.at WHERE NOT turn.complete",
                (
                    message.id,
                    text,
                    msgspec.json.encode(said).decode(),
                    kind,
                    language,
                    complete,
                    at,
                    message.conversation,
                ),
            )
            connection.execute(
                "UPDATE conversation SET last_at = max(last_at, ?) WHERE id = ?", (at, message.conversation)
            )

        await self._database.write(work)

    async def heard(self, conversation: ConversationId, message: MessageId, parts: Sequence[Part]) -> None:
        """Of an answer that was interrupted only this much was heard: the rest was never said. Without a word: no answer."""
        said = tuple(parts)
        text = "".join(part.text for part in said if isinstance(part, Text))
        row = (text, msgspec.json.encode(said).decode(), conversation, message)
        sql = (
            "UPDATE turn SET text = ?, parts = ?, complete = 0"
            " WHERE conversation = ? AND message_id = ? AND role = 'assistant'"
        )
        await self._database.write(lambda c: c.execute(sql, row))

    async def history(self, conversation: ConversationId, limit: int = 50) -> list[Turn]:
        """The newest turns, oldest first; an answer follows its message whatever was said in between."""
        rows = await self._database.read(
            lambda c: c.execute(
                f"SELECT {_TURN}, min(id) OVER (PARTITION BY message_id) AS first FROM turn WHERE conversation = ?"  # noqa: S608 - the names are the Struct's own
                " ORDER BY first DESC, role = 'patient' LIMIT ?",
                (conversation, limit),
            ).fetchall()
        )
        return [_turn(row[:-1]) for row in reversed(rows)]

    async def answer(self, conversation: ConversationId, message: MessageId) -> Turn | None:
        """The recorded answer to one message."""
        row = await self._database.read(
            lambda c: c.execute(
                f"SELECT {_TURN} FROM turn WHERE conversation = ? AND message_id = ? AND role = 'assistant'",  # noqa: S608 - the names are the Struct's own
                (conversation, message),
            ).fetchone()
        )
        return _turn(row) if row else None

    async def feedback(
        self, conversation: ConversationId, message: MessageId, up: bool, reason: str | None = None
    ) -> None:
        """The patient's thumb for one answer; a second one replaces the first."""
        await self._change(
            "INSERT INTO feedback (conversation, message_id, up, reason, at)"
            " SELECT conversation, message_id, ?, ?, ? FROM turn"
            " WHERE conversation = ? AND message_id = ? AND role = 'assistant'"
            " ON CONFLICT DO UPDATE SET up = excluded.up, reason = excluded.reason, at = excluded.at",
            up,
            reason,
            iso(now()),
            conversation,
            message,
        )

    async def delete(self, conversation: ConversationId) -> None:
        """Forget it with everything said in it."""
        await self._change("DELETE FROM conversation WHERE id = ?", conversation)

    async def forget(self, *, older_than_days: int, at: datetime | None = None) -> int:
        """Delete what the clinic keeps no longer: conversations whose last word is older. Returns how many."""
        before = iso((at or now()) - timedelta(days=older_than_days))

        def work(connection: Connection) -> int:
            gone = connection.execute("DELETE FROM conversation WHERE last_at < ?", (before,)).rowcount
            if gone:
                detail = f"{gone} with no word since {before}"
                audit.record(connection, actor="retention", act="conversation.delete", subject="old", detail=detail)
            return gone

        return await self._database.write(work)

    async def _change(self, sql: str, *values: object) -> None:
        def work(connection: Connection) -> None:
            if connection.execute(sql, values).rowcount == 0:
                raise NotFound(_UNKNOWN)

        await self._database.write(work)


_UNKNOWN = "there is no such conversation or answer"
_TURN = ", ".join(Turn.__struct_fields__)
_PARTS = msgspec.json.Decoder(tuple[Part, ...])


def _turn(row: tuple[object, ...]) -> Turn:
    values = dict(zip(Turn.__struct_fields__, row, strict=True))
    values["parts"] = _PARTS.decode(values["parts"]) if isinstance(values["parts"], str) else ()
    values["complete"] = bool(values["complete"])
    return msgspec.convert(values, Turn)


def _digest(token: str) -> bytes:
    # Strangers send anything: what is not valid Unicode must be an unknown token, not an encoding error.
    return sha256(token.encode(errors="surrogatepass")).digest()
