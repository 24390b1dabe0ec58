"""Telephone calls: how each went, how long everything took, which recordings there are. Holds no words and knows no telephone.

A caller's number is kept as a keyed digest: it tells that somebody called before, not who.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Literal, TypeVar

import msgspec

from appliance.errors import NotFound
from appliance.message import ConversationId, Language, now
from appliance.records import audit
from appliance.records.database import Connection, Database, iso
from appliance.records.keys import derive

Outcome = Literal[
    "running", "answered", "nothing_said", "transferred", "voicemail", "callback", "unheard", "failed", "lost"
]
"""``answered``: one answer at least, and nobody was needed. ``nothing_said``: the caller hung up before a word. ``unheard``: people
were needed, nobody answered, and the caller left nothing. ``lost``: our process ended in it."""
Kept = Literal["call", "voicemail"]

T = TypeVar("T", bound=msgspec.Struct)


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of the caller and our answer. Times in milliseconds after the caller's last word."""

    at_ms: int
    """From the ring to the caller's last word."""
    kind: str
    """The answer's; ``quiet``: nothing was said, ``unclear``: nothing was understood, ``person``: a person was wanted."""
    language: Language | None = None
    speech_ms: int | None = None
    ended_ms: int | None = None
    """Until it was certain that they had ended."""
    heard_ms: int | None = None
    text_ms: int | None = None
    audio_ms: int | None = None
    stopped_ms: int | None = None
    """From the caller's interruption until we were silent."""
    said: str = ""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """What else happened: a key of the menu, a language, an attempt at people. Never what a caller said or typed in."""

    at_ms: int
    what: str
    detail: str = ""


class Quality(msgspec.Struct, frozen=True, kw_only=True):
    """How the line was."""

    lost: float | None = None
    jitter_ms: float | None = None
    mos: float | None = None
    starved: int | None = None
    dropped: int | None = None


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A call that is over."""

    outcome: Outcome
    reason: str = ""
    language: Language | None = None
    answered_ms: int | None = None
    greeted_ms: int | None = None
    rate: int | None = None
    barge_ins: int = 0
    quality: Quality = Quality()
    turns: Sequence[Exchange] = ()
    events: Sequence[Event] = ()


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One call."""

    id: int
    conversation: ConversationId
    line: str
    language: Language | None
    site: str | None
    started_at: datetime
    ended_at: datetime | None
    outcome: Outcome
    reason: str
    answered_ms: int | None
    greeted_ms: int | None
    rate: int | None
    barge_ins: int
    lost: float | None
    jitter_ms: float | None
    mos: float | None
    starved: int | None
    dropped: int | None


class Recording(msgspec.Struct, frozen=True, kw_only=True):
    """A sealed file of sound."""

    id: int
    call: int
    conversation: ConversationId
    kind: Kept
    file: str
    rate: int
    channels: int
    seconds: float
    at: datetime


class Whole(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known of a call."""

    call: Call
    turns: tuple[Exchange, ...]
    events: tuple[Event, ...]
    recordings: tuple[Recording, ...]
    before: int
    """How often this number has called before."""


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """Counts and times for whoever looks after the box."""

    calls: int
    outcomes: dict[str, int]
    waited_ms: tuple[int, ...]
    """From a caller's last word to our first sound, of each turn; shortest first."""


class Calls:
    """The only writer of calls; every method is one transaction."""

    def __init__(self, database: Database, master: bytes, clinic: str) -> None:
        self._database = database
        self._digest_key = derive(master, f"call-number:{clinic}")

    async def begin(self, conversation: ConversationId, *, line: str, caller: str, site: str | None) -> int:
        """A call came in; its number here."""
        digest = hmac.digest(self._digest_key, caller.encode(errors="replace"), sha256)
        row = (conversation, line, digest, site, iso(now()))
        return await self._database.write(
            lambda c: int(
                c.execute(
                    "INSERT INTO call (conversation, line, caller, site, started_at, outcome)"
                    " VALUES (?, ?, ?, ?, ?, 'running') RETURNING id",
                    row,
                ).fetchone()[0]
            )
        )

    async def end(self, call: int, ended: Ended) -> None:
        """It is over: how it went."""
        at = iso(now())

        def work(connection: Connection) -> None:
            values = (
                at,
                *(getattr(ended, name) for name in _OF_THE_END),
                *msgspec.structs.astuple(ended.quality),
                call,
            )
            columns = ", ".join(f"{name} = ?" for name in ("ended_at", *_OF_THE_END, *Quality.__struct_fields__))
            connection.execute(f"UPDATE call SET {columns} WHERE id = ?", values)  # noqa: S608 - the Structs' own names
            _insert(connection, "call_turn", call, ended.turns, Exchange)
            _insert(connection, "call_event", call, ended.events, Event)

        await self._database.write(work)

    async def settle(self) -> int:
        """At a start: what was running when the process ended is lost. Returns how many."""
        sql = "UPDATE call SET outcome = 'lost' WHERE outcome = 'running'"
        return await self._database.write(lambda c: c.execute(sql).rowcount)

    async def newest(self, limit: int = 50) -> list[Call]:
        """The last calls, newest first."""
        rows = await self._database.read(
            lambda c: c.execute(f"SELECT {_CALL} FROM call ORDER BY id DESC LIMIT ?", (limit,)).fetchall()  # noqa: S608 - a constant of this module
        )
        return [_as(Call, row) for row in rows]

    async def show(self, call: int) -> Whole:
        """Raises NotFound."""

        def work(connection: Connection) -> Whole:
            # As text: a number past 2**63 is no call either, and no error.
            row = connection.execute(f"SELECT {_CALL} FROM call WHERE id = ?", (str(call),)).fetchone()  # noqa: S608 - a constant of this module
            if row is None:
                raise NotFound(f"there is no call {call}; `medinovai calls list` shows those there are")
            (before,) = connection.execute(
                "SELECT count(*) FROM call WHERE id < ?1 AND caller = (SELECT caller FROM call WHERE id = ?1)", (call,)
            ).fetchone()
            return Whole(
                call=_as(Call, row),
                turns=_rows(connection, "call_turn", call, Exchange),
                events=_rows(connection, "call_event", call, Event),
                recordings=tuple(_recordings(connection, "WHERE call = ? ORDER BY id", call)),
                before=before,
            )

        return await self._database.read(work)

    async def figures(self, since: datetime) -> Figures:
        """What came in since then."""

        def work(connection: Connection) -> Figures:
            outcomes = connection.execute(
                "SELECT outcome, count(*) FROM call WHERE started_at >= ? GROUP BY outcome ORDER BY 2 DESC",
                (iso(since),),
            ).fetchall()
            waited = connection.execute(
                "SELECT audio_ms FROM call_turn JOIN call ON call.id = call WHERE started_at >= ? AND audio_ms IS NOT NULL"
                " ORDER BY audio_ms",
                (iso(since),),
            ).fetchall()
            return Figures(
                calls=sum(count for _, count in outcomes),
                outcomes=dict(outcomes),
                waited_ms=tuple(one for (one,) in waited),
            )

        return await self._database.read(work)

    # ---- recordings -------------------------------------------------------------------------------------------------

    async def recorded(
        self,
        call: int,
        conversation: ConversationId,
        *,
        kind: Kept,
        file: str,
        rate: int,
        channels: int,
    ) -> int:
        """A file is about to be written: known before its first byte, so that none is ever forgotten on the disk."""
        row = (call, conversation, kind, file, rate, channels, iso(now()))
        return await self._database.write(
            lambda c: int(
                c.execute(
                    "INSERT INTO call_recording (call, conversation, kind, file, rate, channels, seconds, at)"
                    " VALUES (?, ?, ?, ?, ?, ?, 0, ?) RETURNING id",
                    row,
                ).fetchone()[0]
            )
        )

    async def lasted(self, recording: int, seconds: float) -> None:
        """It is whole."""
        await self._database.write(
            lambda c: c.execute("UPDATE call_recording SET seconds = ? WHERE id = ?", (seconds, recording))
        )

    async def recording(self, recording: int) -> Recording:
        """Raises NotFound."""
        found = await self._database.read(lambda c: _recordings(c, "WHERE id = ?", str(recording)))
        if not found:
            raise NotFound(f"there is no recording {recording}; `medinovai calls show CALL` lists a call's")
        return found[0]

    async def recordings(self, conversation: ConversationId) -> list[Recording]:
        """Of the calls of a conversation, the oldest first; none where the patient has deleted it."""
        kept = "WHERE conversation = ? AND conversation IN (SELECT id FROM conversation) ORDER BY id"
        return await self._database.read(lambda c: _recordings(c, kept, conversation))

    async def played(self, recording: int, by: str) -> None:
        """Somebody takes a recording out: that stands in the audit."""
        await self._database.write(lambda c: audit.record(c, actor=by, act="recording.export", subject=str(recording)))

    async def due(self, *, older_than_days: int) -> list[Recording]:
        """Recordings that are kept no longer: too old, or of a conversation that was deleted."""
        before = iso(now() - timedelta(days=older_than_days))
        return await self._database.read(
            lambda c: _recordings(
                c, "WHERE at < ? OR conversation NOT IN (SELECT id FROM conversation) ORDER BY id", before
            )
        )

    async def forgot(self, recordings: Iterable[int]) -> None:
        """Their files are gone."""
        gone = [(one,) for one in recordings]

        def work(connection: Connection) -> None:
            connection.executemany("DELETE FROM call_recording WHERE id = ?", gone)
            if gone:
                detail = f"{len(gone)} kept no longer"
                audit.record(connection, actor="retention", act="recording.delete", subject="old", detail=detail)

        await self._database.write(work)

    async def forget(self, *, older_than_days: int) -> int:
        """How calls went is kept as long as conversations are. Returns how many were forgotten."""
        before = iso(now() - timedelta(days=older_than_days))
        return await self._database.write(
            lambda c: c.execute("DELETE FROM call WHERE started_at < ?", (before,)).rowcount
        )


_CALL: Final = ", ".join(Call.__struct_fields__)
_RECORDING: Final = ", ".join(Recording.__struct_fields__)
_OF_THE_END: Final = ("outcome", "reason", "language", "answered_ms", "greeted_ms", "rate", "barge_ins")


def _insert(
    connection: Connection, table: str, call: int, rows: Sequence[msgspec.Struct], kind: type[msgspec.Struct]
) -> None:
    names = kind.__struct_fields__
    sql = f"INSERT INTO {table} (call, number, {', '.join(names)}) VALUES (?, ?{', ?' * len(names)})"  # noqa: S608 - the Struct's own names
    connection.executemany(sql, [(call, at, *msgspec.structs.astuple(row)) for at, row in enumerate(rows, start=1)])


def _rows(connection: Connection, table: str, call: int, kind: type[T]) -> tuple[T, ...]:
    sql = f"SELECT {', '.join(kind.__struct_fields__)} FROM {table} WHERE call = ? ORDER BY number"  # noqa: S608 - the Struct's own names
    return tuple(_as(kind, row) for row in connection.execute(sql, (call,)).fetchall())


def _recordings(connection: Connection, which: str, *values: object) -> list[Recording]:
    rows = connection.execute(f"SELECT {_RECORDING} FROM call_recording {which}", values).fetchall()  # noqa: S608 - constants of this module
    return [_as(Recording, row) for row in rows]


def _as(kind: type[T], row: tuple[object, ...]) -> T:
    return msgspec.convert(dict(zip(kind.__struct_fields__, row, strict=True)), kind)
