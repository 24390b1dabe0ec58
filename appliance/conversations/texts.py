"""Text messages in and out, each kept before it is acknowledged or sent. Knows no sender, no phrase and no rule of when to send.

A phone number is never stored in the clear, even inside the encrypted file: a keyed digest finds it, its letters are sealed.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Literal
from uuid import uuid4

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from appliance.message import ConversationId, Language, now
from appliance.records import audit
from appliance.records.database import Connection, Database, iso
from appliance.records.keys import derive

Origin = Literal["answer", "notice", "staff", "page", "test"]
State = Literal["waiting", "sending", "unknown", "handed", "refused", "dropped"]

KNOWN_DAYS: Final = 400
"""How long the id of a message is known, so that nobody sends it again: Twilio's signatures carry no time."""


class Numbers:
    """Phone numbers as the tables hold them."""

    def __init__(self, master: bytes, clinic: str) -> None:
        self._digest_key = derive(master, f"sms-digest:{clinic}")
        self._seal = AESGCM(derive(master, f"sms-number:{clinic}"))

    def digest(self, text: str) -> bytes:
        """The same for the same text, and telling nothing of it without the key."""
        return hmac.digest(self._digest_key, text.encode(), sha256)

    def sealed(self, number: str) -> bytes:
        nonce = secrets.token_bytes(12)
        return nonce + self._seal.encrypt(nonce, number.encode(), None)

    def opened(self, sealed: bytes) -> str:
        return self._seal.decrypt(sealed[:12], sealed[12:], None).decode()


class Received(msgspec.Struct, frozen=True, kw_only=True):
    """A patient's text message, as it came."""

    sid: str
    number: str
    text: str
    media: int
    segments: int
    language: Language | None = None
    """A guess from the words, for a conversation that begins with them."""
    wish: msgspec.Raw = msgspec.Raw(b"null")
    """JSON: what the patient wants of text messages as such."""
    agreed: bool | None = None
    """Whether that says yes or no to getting them."""

    def __repr__(self) -> str:
        return f"Received({self.sid!r}, {len(self.text)} characters)"


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """One that waits for its answer."""

    sid: str
    digest: bytes
    conversation: ConversationId
    text: str
    media: int
    wish: msgspec.Raw
    attempts: int
    at: datetime
    language: Language | None
    introduced: bool

    def __repr__(self) -> str:
        return f"Incoming({self.sid!r}, {len(self.text)} characters)"


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be sent. ``name`` says what it is: the same name is sent once."""

    name: str
    text: str
    segments: int
    origin: Origin
    always: bool = False
    """Whatever limits, quiet hours and the ledger say: an emergency's words, the last word to who wants no more."""
    not_before: datetime | None = None

    def __repr__(self) -> str:
        return f"Draft({self.name!r}, {len(self.text)} characters)"


class Outgoing(msgspec.Struct, frozen=True, kw_only=True):
    """One that waits to be sent, or of which nobody knows whether it was."""

    id: int
    number: str
    digest: bytes
    conversation: ConversationId | None
    text: str
    body: bytes
    origin: Origin
    always: bool
    segments: int
    state: State
    secret: str
    attempts: int
    tried_at: datetime | None
    created_at: datetime
    agreed: bool
    """Whether the number gets text messages at all."""

    def __repr__(self) -> str:
        return f"Outgoing({self.id}, {self.state}, {len(self.text)} characters)"


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """How far one has come that was handed over."""

    id: int
    digest: bytes
    conversation: ConversationId | None
    origin: Origin
    sid: str | None
    status: str | None
    error: int | None


class Phone(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the phone behind a conversation."""

    number: str
    digest: bytes
    language: Language | None
    last_at: datetime

    def __repr__(self) -> str:
        return "Phone()"


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Counts for whoever looks after the box."""

    received: int
    """Messages, since then."""
    segments: int
    """Sent, since then."""
    states: dict[str, int]
    """Messages by how far they came, since then."""
    errors: dict[int, int]
    """Twilio's error codes, since then."""
    waiting: int
    """That wait to be sent now."""
    unanswered: int
    """That wait for an answer now."""
    opted_out: int
    """Numbers that want no messages now."""


class Texts:
    """The only writer of text messages; every method is one transaction."""

    def __init__(self, database: Database, numbers: Numbers, *, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._numbers = numbers
        self._now = clock

    # ---- in ---------------------------------------------------------------------------------------------------------

    async def receive(self, received: Received) -> bool:
        """Keep a message that came in. False when it came before: then nothing changes."""
        digest, at = self._numbers.digest(received.number), self._now()
        sealed = self._numbers.sealed(received.number)

        def work(connection: Connection) -> bool:
            if connection.execute("SELECT 1 FROM sms_in WHERE sid = ?", (received.sid,)).fetchone():
                return False
            conversation = _conversation(connection, digest, sealed, received.language, at)
            connection.execute(
                "INSERT INTO sms_in (sid, digest, conversation, text, media, wish, segments, state, at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, 'waiting', ?)",
                (
                    *(received.sid, digest, conversation, received.text, received.media),
                    *(bytes(received.wish).decode(), received.segments, iso(at)),
                ),
            )
            if received.agreed is not None:
                _agree(connection, digest, received.agreed, "patient", at)
            return True

        return await self._database.write(work)

    async def unanswered(self, limit: int = 200) -> list[Incoming]:
        """What waits for an answer, oldest first."""
        rows = await self._database.read(
            lambda c: c.execute(
                "SELECT sid, i.digest, i.conversation, text, media, wish, attempts, at, language, coalesce(introduced, 0)"
                " FROM sms_in AS i LEFT JOIN sms_number AS n ON n.digest = i.digest"
                " WHERE state = 'waiting' ORDER BY at, sid LIMIT ?",
                (limit,),
            ).fetchall()
        )
        return [_incoming(row) for row in rows]

    async def received_since(self, digest: bytes, since: datetime) -> int:
        """How many messages of one number came since then."""
        sql = "SELECT count(*) FROM sms_in WHERE digest = ? AND at >= ?"
        return int(await self._database.read(lambda c: c.execute(sql, (digest, iso(since))).fetchone()[0]))

    async def answer(
        self,
        incoming: Incoming,
        drafts: Sequence[Draft],
        *,
        language: Language | None = None,
        introduced: bool = False,
        limited: bool = False,
    ) -> None:
        """The message is answered by these, all in one."""

        def work(connection: Connection) -> None:
            connection.execute(
                "UPDATE sms_in SET text = '', state = ? WHERE sid = ? AND state = 'waiting'",
                ("limited" if limited else "answered", incoming.sid),
            )
            number = connection.execute(
                "UPDATE sms_number SET language = coalesce(?, language), introduced = max(introduced, ?)"
                " WHERE digest = ? RETURNING number",
                (language, introduced, incoming.digest),
            ).fetchone()
            if language:
                connection.execute(
                    "UPDATE conversation SET language = ? WHERE id = ? AND NOT locked",
                    (language, incoming.conversation),
                )
            if number:  # none: the patient's conversation was forgotten meanwhile
                self._put(connection, drafts, incoming.digest, number[0], incoming.conversation)

        await self._database.write(work)

    async def failed(self, sid: str) -> None:
        """It could not be answered and goes on waiting."""
        await self._database.write(
            lambda c: c.execute("UPDATE sms_in SET attempts = attempts + 1 WHERE sid = ?", (sid,))
        )

    # ---- whose number, and whether it wants any -----------------------------------------------------------------------

    async def phone(self, conversation: ConversationId) -> Phone | None:
        """The phone behind a conversation; none for one that is not held by text message."""
        sql = "SELECT number, digest, language, last_at FROM sms_number WHERE conversation = ?"
        row = await self._database.read(lambda c: c.execute(sql, (conversation,)).fetchone())
        if row is None:
            return None
        number, digest, language, last_at = row
        values = {"digest": digest, "language": language, "last_at": datetime.fromisoformat(last_at)}
        return Phone(number=self._numbers.opened(number), **values)

    async def agreed(self, number: str) -> bool:
        """Whether this number gets text messages."""
        digest = self._numbers.digest(number)
        return await self._database.read(lambda c: _agreed(c, digest))

    async def opted_out_at_twilio(self, digest: bytes) -> None:
        """A message was refused because the number wants none: what we did not hear ourselves is recorded."""
        at = self._now()
        await self._database.write(lambda c: _agree(c, digest, False, "twilio", at))

    # ---- out --------------------------------------------------------------------------------------------------------

    async def put(self, drafts: Sequence[Draft], number: str, conversation: ConversationId | None = None) -> None:
        """Keep what is to be sent. What was put before under the same name stays as it is."""
        digest, sealed = self._numbers.digest(number), self._numbers.sealed(number)
        await self._database.write(lambda c: self._put(c, drafts, digest, sealed, conversation))

    async def drop(self, name: str) -> bool:
        """Take back what was not sent yet, and its further pieces. Says whether there was any such."""
        sql = (
            "UPDATE sms_out SET text = '', number = x'', state = 'dropped'"
            " WHERE (name = ? OR substr(name, 1, ?) = ?) AND state = 'waiting'"
        )
        values = (name, len(name) + 1, f"{name}#")
        return await self._database.write(lambda c: c.execute(sql, values).rowcount > 0)

    async def due(self, at: datetime) -> list[Outgoing]:
        """What may be sent now: of each number one, the most pressing first, then in the order in which they were put."""

        def work(connection: Connection) -> list[tuple[object, ...]]:
            rows = connection.execute(
                "SELECT o.id, o.number, o.digest, o.conversation, o.text, o.body, o.origin, o.always, o.segments, o.state,"
                " o.secret, o.attempts, o.tried_at, o.created_at, o.not_before, o.digest FROM sms_out AS o"
                " WHERE o.state IN ('waiting', 'sending', 'unknown') ORDER BY o.always DESC, o.id"
            ).fetchall()
            first: dict[tuple[object, object], tuple[object, ...]] = {}
            for row in rows:
                first.setdefault((row[15], row[7]), row)
            ready = [row for row in first.values() if row[9] != "sending" and str(row[14]) <= iso(at)]
            return [(*row[:14], _agreed(connection, bytes(row[2]))) for row in ready]  # type: ignore[call-overload]  # a row is untyped

        return [self._outgoing(row) for row in await self._database.read(work)]

    async def trying(self, id: int) -> bool:
        """About to be sent: from here on, until `handed` or `postponed`, nobody knows whether it was."""
        sql = (
            "UPDATE sms_out SET state = 'sending', attempts = attempts + 1, tried_at = ?"
            " WHERE id = ? AND state IN ('waiting', 'unknown')"
        )
        at = iso(self._now())
        return await self._database.write(lambda c: c.execute(sql, (at, id)).rowcount == 1)

    async def handed(self, id: int, sid: str, status: str) -> None:
        """Twilio has it."""
        at = iso(self._now())

        def work(connection: Connection) -> None:
            connection.execute(
                "UPDATE sms_out SET state = 'handed', text = '', number = x'', sid = ?, status = coalesce(status, ?),"
                " error = NULL, last_at = ? WHERE id = ? AND state <> 'handed'",
                (sid, status, at, id),
            )

        await self._database.write(work)

    async def postponed(self, id: int, until: datetime, *, unknown: bool, error: int | None = None) -> None:
        """It was not sent, or nobody knows; to be looked at again then."""
        values = ("unknown" if unknown else "waiting", iso(until), error, id)
        sql = "UPDATE sms_out SET state = ?, not_before = ?, error = ? WHERE id = ? AND state IN ('waiting', 'sending', 'unknown')"
        await self._database.write(lambda c: c.execute(sql, values))

    async def refused(self, id: int, error: int | None, *, dropped: bool = False) -> Sent | None:
        """It will never be sent: Twilio refuses it, or (dropped) we do."""
        left = "id = ? AND state IN ('waiting', 'sending', 'unknown')"
        sql = f"UPDATE sms_out SET state = ?, text = '', number = x'', error = ?, last_at = ? WHERE {left} RETURNING {_SENT}"  # noqa: S608 - constants
        values = ("dropped" if dropped else "refused", error, iso(self._now()), id)
        row = await self._database.write(lambda c: c.execute(sql, values).fetchone())
        return _sent(row) if row else None

    async def unsettled(self) -> int:
        """After a start: what was being sent when the process died may have been sent. Returns how many."""
        sql = "UPDATE sms_out SET state = 'unknown', not_before = ? WHERE state = 'sending'"
        at = iso(self._now())
        return await self._database.write(lambda c: c.execute(sql, (at,)).rowcount)

    async def known_sids(self, sids: Iterable[str]) -> set[str]:
        """Those of our messages among these."""
        asked = list(sids)
        marks = ", ".join("?" * len(asked))
        rows = await self._database.read(
            lambda c: c.execute(f"SELECT sid FROM sms_out WHERE sid IN ({marks})", asked).fetchall()  # noqa: S608 - only question marks
        )
        return {row[0] for row in rows}

    async def sent(self, id: int, secret: str) -> Sent | None:
        """The message that a callback tells of."""
        sql = f"SELECT {_SENT} FROM sms_out WHERE id = ? AND secret = ?"  # noqa: S608 - a constant of this module
        row = await self._database.read(lambda c: c.execute(sql, (str(id), secret)).fetchone())
        return _sent(row) if row else None

    async def came_to(self, id: int, sid: str, status: str, error: int | None, *, from_status: str | None) -> bool:
        """A callback tells how far it is. False when another callback was quicker: then look again.

        A callback can be quicker than the reply to our request, or come where that was lost: then it says that Twilio has it.
        """
        sql = (
            "UPDATE sms_out SET status = ?, error = ?, sid = coalesce(sid, ?), state = 'handed', text = '', number = x'',"
            " last_at = ? WHERE id = ? AND status IS ? AND (sid IS NULL OR sid = ?)"
        )
        values = (status, error, sid, iso(self._now()), id, from_status, sid)
        return await self._database.write(lambda c: c.execute(sql, values).rowcount == 1)

    # ---- for whoever looks after the box ------------------------------------------------------------------------------

    async def segments_since(self, since: datetime) -> int:
        """Segments that were sent since then or are about to be."""
        sql = "SELECT coalesce(sum(segments), 0) FROM sms_out WHERE created_at >= ? AND state NOT IN ('refused', 'dropped')"
        return int(await self._database.read(lambda c: c.execute(sql, (iso(since),)).fetchone()[0]))

    async def waiting_since(self) -> datetime | None:
        """The oldest message that should have been answered or sent by now. None: nothing waits."""
        sql = (
            "SELECT min(at) FROM (SELECT at FROM sms_in WHERE state = 'waiting' UNION ALL SELECT coalesce(not_before, created_at)"
            " FROM sms_out WHERE state IN ('waiting', 'sending', 'unknown') AND coalesce(not_before, '') <= ?)"
        )
        (oldest,) = await self._database.read(lambda c: c.execute(sql, (iso(self._now()),)).fetchone())
        return datetime.fromisoformat(oldest) if oldest else None

    async def figures(self, since: datetime) -> Figures:
        at = iso(since)

        def work(connection: Connection) -> Figures:
            def one(sql: str, *values: object) -> int:
                return int(connection.execute(sql, values).fetchone()[0])

            states = connection.execute(
                "SELECT CASE WHEN state = 'handed' THEN coalesce(status, 'queued') ELSE state END AS name, count(*)"
                " FROM sms_out WHERE created_at >= ? GROUP BY name ORDER BY name",
                (at,),
            ).fetchall()
            errors = connection.execute(
                "SELECT error, count(*) FROM sms_out WHERE error IS NOT NULL AND created_at >= ? GROUP BY error", (at,)
            ).fetchall()
            return Figures(
                received=one("SELECT count(*) FROM sms_in WHERE at >= ?", at),
                segments=one(
                    "SELECT coalesce(sum(segments), 0) FROM sms_out WHERE tried_at >= ? AND state = 'handed'", at
                ),
                states={str(name): int(count) for name, count in states},
                errors={int(error): int(count) for error, count in errors},
                waiting=one("SELECT count(*) FROM sms_out WHERE state IN ('waiting', 'sending', 'unknown')"),
                unanswered=one("SELECT count(*) FROM sms_in WHERE state = 'waiting'"),
                opted_out=one(
                    "SELECT count(*) FROM sms_consent WHERE id IN (SELECT max(id) FROM sms_consent GROUP BY digest)"
                    " AND NOT agreed"
                ),
            )

        return await self._database.read(work)

    async def forget(self, *, at: datetime | None = None) -> int:
        """Delete the ids and counts of messages that are old. Consent stays."""
        before = iso((at or self._now()) - timedelta(days=KNOWN_DAYS))

        def work(connection: Connection) -> int:
            gone = connection.execute("DELETE FROM sms_in WHERE at < ? AND state <> 'waiting'", (before,)).rowcount
            closed = "state IN ('handed', 'refused', 'dropped')"
            return gone + connection.execute(f"DELETE FROM sms_out WHERE last_at < ? AND {closed}", (before,)).rowcount  # noqa: S608 - a constant

        return await self._database.write(work)

    def _put(
        self,
        connection: Connection,
        drafts: Sequence[Draft],
        digest: bytes,
        sealed: bytes,
        conversation: ConversationId | None,
    ) -> None:
        at = self._now()
        for draft in drafts:
            connection.execute(
                "INSERT INTO sms_out (name, digest, number, conversation, text, body, origin, always, segments, state,"
                " secret, not_before, created_at, last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'waiting', ?, ?, ?, ?)"
                " ON CONFLICT (name) DO NOTHING",
                (
                    *(draft.name, digest, sealed, conversation, draft.text, self.body(draft.text)),
                    *(draft.origin, draft.always, draft.segments, secrets.token_urlsafe(12)),
                    *(iso(draft.not_before or at), iso(at), iso(at)),
                ),
            )

    def body(self, text: str) -> bytes:
        """A text by its keyed digest, however its blanks are set."""
        return self._numbers.digest(" ".join(text.split()))

    def _outgoing(self, row: tuple[object, ...]) -> Outgoing:
        values = dict(zip(Outgoing.__struct_fields__, row, strict=True))
        values["number"] = self._numbers.opened(values["number"])  # type: ignore[arg-type]  # a row is untyped
        return msgspec.convert(values | {"always": bool(values["always"])}, Outgoing)


_SENT: Final = ", ".join(Sent.__struct_fields__)


def _sent(row: tuple[object, ...]) -> Sent:
    return msgspec.convert(dict(zip(Sent.__struct_fields__, row, strict=True)), Sent)


def _incoming(row: tuple[object, ...]) -> Incoming:
    values = dict(zip(Incoming.__struct_fields__, row, strict=True))
    wish = msgspec.Raw(str(values.pop("wish")).encode())
    values["at"] = datetime.fromisoformat(str(values["at"]))
    return Incoming(wish=wish, **values | {"introduced": bool(values["introduced"])})  # type: ignore[arg-type]  # a row is untyped


def _conversation(
    connection: Connection, digest: bytes, sealed: bytes, language: Language | None, at: datetime
) -> ConversationId:
    """The one conversation of a number; the first message begins it."""
    known = connection.execute(
        "UPDATE sms_number SET last_at = ? WHERE digest = ? RETURNING conversation", (iso(at), digest)
    ).fetchone()
    if known:
        return ConversationId(known[0])
    conversation = ConversationId(str(uuid4()))
    nobodys = sha256(secrets.token_bytes(32)).digest()  # no browser opens it
    connection.execute(
        "INSERT INTO conversation (id, token_sha256, language, channel, created_at, last_at) VALUES (?, ?, ?, 'sms', ?, ?)",
        (conversation, nobodys, language, iso(at), iso(at)),
    )
    connection.execute(
        "INSERT INTO sms_number (digest, number, conversation, language, last_at) VALUES (?, ?, ?, ?, ?)",
        (digest, sealed, conversation, language, iso(at)),
    )
    return conversation


def _agreed(connection: Connection, digest: bytes) -> bool:
    """Who never said no gets answers to what they ask."""
    row = connection.execute(
        "SELECT agreed FROM sms_consent WHERE digest = ? ORDER BY id DESC LIMIT 1", (digest,)
    ).fetchone()
    return row is None or bool(row[0])


def _agree(connection: Connection, digest: bytes, agreed: bool, source: str, at: datetime) -> None:
    """One row and one entry in the audit for each change; what was waiting to be sent to who wants none is dropped."""
    if _agreed(connection, digest) != agreed:
        connection.execute(
            "INSERT INTO sms_consent (digest, agreed, source, at) VALUES (?, ?, ?, ?)",
            (digest, agreed, source, iso(at)),
        )
        act = "sms.opt_in" if agreed else "sms.opt_out"
        audit.record(connection, actor=source, act=act, subject=digest.hex()[:16])
    if not agreed:
        connection.execute(
            "UPDATE sms_out SET text = '', number = x'', state = 'dropped', error = 21610"
            " WHERE digest = ? AND state = 'waiting' AND NOT always AND origin <> 'page'",
            (digest,),
        )
