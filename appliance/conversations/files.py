"""Files that patients and staff send each other while people have the conversation: their only writer. Reads none of them.

A file is what its first bytes say, not what its name says. It is kept in the encrypted database and goes with its conversation.
"""

from __future__ import annotations

import secrets
from typing import Final

import msgspec

from appliance.errors import BadInput, NotFound, TooLarge
from appliance.message import ConversationId, MessageId, now
from appliance.records.database import Connection, Database, iso

MOST: Final = 20
"""Of one conversation."""
NAME_CHARACTERS: Final = 80


class Kind(msgspec.Struct, frozen=True):
    """A kind of file that is taken: its first bytes, from ``at`` on."""

    media_type: str
    suffix: str
    begins: bytes
    at: int = 0


KINDS: Final = (
    Kind("application/pdf", ".pdf", b"%PDF-"),
    Kind("image/jpeg", ".jpg", b"\xff\xd8\xff"),
    Kind("image/png", ".png", b"\x89PNG\r\n\x1a\n"),
    Kind("image/webp", ".webp", b"WEBP", 8),
    Kind("image/heic", ".heic", b"ftyphei", 4),
)


class Attached(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a conversation, without its content."""

    id: str
    message_id: MessageId
    """The patient's message, or the word of staff, to which it belongs."""
    name: str
    media_type: str
    size: int
    """Bytes."""

    def __repr__(self) -> str:
        return f"Attached({self.id!r}, {self.media_type}, {self.size} bytes)"


class Files:
    """``most_bytes``: of one file."""

    def __init__(self, database: Database, *, most_bytes: int) -> None:
        self._database = database
        self.most_bytes = most_bytes

    async def keep(
        self, conversation: ConversationId, message: MessageId, name: str, content: bytes, *, source: str
    ) -> Attached:
        """Keep it once: the same ``source`` again is the file that was kept. Raises BadInput, TooLarge, NotFound."""
        if len(content) > self.most_bytes:
            raise TooLarge(f"a file has at most {self.most_bytes // 1024**2} MB (files.most_mb)")
        kind = kind_of(content)
        if kind is None:
            raise BadInput("only photos (JPEG, PNG, WebP, HEIC) and PDF files can be sent")
        row = (secrets.token_urlsafe(18), message, _name(name, kind), kind.media_type, len(content))

        def work(connection: Connection) -> Attached:
            sql = f"SELECT {_COLUMNS} FROM file WHERE conversation = ? AND source = ?"  # noqa: S608 - the Struct's own names
            if known := connection.execute(sql, (conversation, source)).fetchone():
                return _attached(known)
            if not connection.execute("SELECT 1 FROM conversation WHERE id = ?", (conversation,)).fetchone():
                raise NotFound("there is no such conversation")
            (count,) = connection.execute(
                "SELECT count(*) FROM file WHERE conversation = ?", (conversation,)
            ).fetchone()
            if count >= MOST:
                raise BadInput(f"a conversation has at most {MOST} files")
            connection.execute(
                f"INSERT INTO file ({_COLUMNS}, conversation, source, content, at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - the Struct's own names
                (*row, conversation, source, content, iso(now())),
            )
            return _attached(row)

        return await self._database.write(work)

    async def of(self, conversation: ConversationId, message: MessageId | None = None) -> list[Attached]:
        """All of a conversation, or of one message in it; oldest first."""
        sql = f"SELECT {_COLUMNS} FROM file WHERE conversation = ? AND message_id = coalesce(?, message_id) ORDER BY rowid"  # noqa: S608 - the Struct's own names
        rows = await self._database.read(lambda c: c.execute(sql, (conversation, message)).fetchall())
        return [_attached(row) for row in rows]

    async def open(self, conversation: ConversationId, id: str) -> tuple[Attached, bytes]:
        """Raises NotFound."""
        sql = f"SELECT {_COLUMNS}, content FROM file WHERE conversation = ? AND id = ?"  # noqa: S608 - the Struct's own names
        row = await self._database.read(lambda c: c.execute(sql, (conversation, id)).fetchone())
        if row is None:
            raise NotFound("there is no such file in this conversation")
        return _attached(row[:-1]), bytes(row[-1])


def kind_of(content: bytes) -> Kind | None:
    """What its bytes say it is."""
    return next((one for one in KINDS if content[one.at : one.at + len(one.begins)] == one.begins), None)


def _name(given: str, kind: Kind) -> str:
    """Its last part, printable, short, and with the ending of what it really is."""
    last = given.replace("\\", "/").rsplit("/", 1)[-1]
    stem = "".join(
        letter for letter in last.rsplit(".", 1)[0] if letter.isprintable() and letter not in '"<>|:*?'
    ).strip(" .")
    return (stem[: NAME_CHARACTERS - len(kind.suffix)] or "file") + kind.suffix


_COLUMNS: Final = ", ".join(Attached.__struct_fields__)


def _attached(row: tuple[object, ...]) -> Attached:
    return msgspec.convert(dict(zip(Attached.__struct_fields__, row, strict=True)), Attached)
