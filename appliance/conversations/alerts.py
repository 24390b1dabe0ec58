"""Emergencies that were recognised, open until somebody of the clinic closes them. Knows no rule, no script and no patient's words.

What is flagged is also remembered here, because a store that is down must not silence the reminder of how to get help. The
store decides whenever it can be read: staff may close an alert from another process.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Iterable
from datetime import datetime
from typing import Final

import msgspec

from appliance.errors import ApplianceError, BadInput, NotFound
from appliance.message import ChannelName, ConversationId, Language, now
from appliance.records import audit, outbox
from appliance.records.database import Connection, Database, iso

log = logging.getLogger(__name__)

PATIENCE_S: Final = 0.5
REMEMBERED: Final = 4096
"""Conversations; the one flagged longest ago is forgotten first."""


class Flag(msgspec.Struct, frozen=True, kw_only=True):
    """Danger recognised in a conversation."""

    conversation: ConversationId
    kind: str
    language: Language
    channel: ChannelName
    at: datetime = msgspec.field(default_factory=now)


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """All the danger in one conversation since it was calm. Outlives the conversation."""

    id: int
    conversation: ConversationId
    kinds: tuple[str, ...]
    """In the order in which they were recognised."""
    language: Language
    """The patient's, when danger was recognised last."""
    count: int
    """How often danger was recognised."""
    opened_at: datetime
    last_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    note: str | None


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """What the outbox says of an alert: one letter when it opens, one for each further kind of danger."""

    alert: int
    conversation: ConversationId
    kind: str
    language: Language
    channel: ChannelName
    at: datetime


class Alerts:
    """The only writer of alerts; every change is one transaction, with its entry in the outbox or the audit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._flagged: OrderedDict[ConversationId, _Known] = OrderedDict()

    async def sound(self, flag: Flag) -> None:
        """Open an alert, or count on the one that is open. Remembered at once, even when the store cannot keep it."""
        if not _rehearsal(flag):
            log.warning("alert=open kind=%s conversation=%s", flag.kind, flag.conversation)
        known = self._flagged.get(flag.conversation, _Known())
        self._remember(flag.conversation, (*known.kinds, flag.kind), (*known.owed, flag))
        await self._keep(flag)

    async def standing(self, conversation: ConversationId) -> tuple[str, ...]:
        """The kinds of the open alert, none without one. What the store does not say within half a second is remembered."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                kept = await self._database.read(lambda connection: _open_kinds(connection, conversation))
                await self._settle(conversation, kept)
        except (ApplianceError, TimeoutError) as error:
            log.error("alert=unread error=%s reason=%s", type(error).__name__, error)
        known = self._flagged.get(conversation)
        return known.kinds if known else ()

    async def list(self, *, closed: bool = False) -> list[Alert]:
        """Those that are open, or with ``closed`` all there ever were; newest first."""
        only = "" if closed else "WHERE closed_at IS NULL"
        rows = await self._database.read(
            lambda c: c.execute(f"SELECT {_COLUMNS} FROM alert {only} ORDER BY id DESC").fetchall()  # noqa: S608 - constants of this module
        )
        return [_alert(row) for row in rows]

    async def close(self, alert: int, *, by: str, note: str = "") -> Alert:
        """Somebody has seen to it: reminders end with the next turn. Raises NotFound when it is not open."""
        if not by.strip():
            raise BadInput("say who closes the alert")

        def work(connection: Connection) -> Alert:
            row = connection.execute(
                f"{_CLOSE} RETURNING {_COLUMNS}",
                # As text: a number past 2**63 is not open either, and no error.
                (iso(now()), by.strip(), note.strip() or None, str(alert)),
            ).fetchone()
            if row is None:
                raise NotFound(f"there is no open alert {alert}; `medinovai alerts list --all` shows who closed which")
            closed = _alert(row)
            detail = f"{', '.join(closed.kinds)}; open since {iso(closed.opened_at)}"
            audit.record(connection, actor=by.strip(), act="alert.close", subject=str(alert), detail=detail)
            return closed

        return await self._database.write(work)

    async def _settle(self, conversation: ConversationId, kept: Iterable[str]) -> None:
        """Memory is brought up to what the store holds; what the store has lost is given to it again."""
        known = self._flagged.get(conversation, _Known())
        owed = tuple(flag for flag in known.owed if flag.kind not in kept)
        self._remember(conversation, (*kept, *(flag.kind for flag in owed)), owed)
        for flag in owed:
            await self._keep(flag)

    async def _keep(self, flag: Flag) -> None:
        await self._database.write(lambda connection: _sound(connection, flag))
        if known := self._flagged.get(flag.conversation):
            self._remember(flag.conversation, known.kinds, (one for one in known.owed if one.kind != flag.kind))

    def _remember(self, conversation: ConversationId, kinds: Iterable[str], owed: Iterable[Flag]) -> None:
        known = _Known(kinds=tuple(dict.fromkeys(kinds)), owed=tuple(owed))
        self._flagged.pop(conversation, None)
        if known.kinds:
            self._flagged[conversation] = known
        if len(self._flagged) > REMEMBERED:
            self._flagged.popitem(last=False)


class _Known(msgspec.Struct, frozen=True, kw_only=True):
    """A flagged conversation as memory has it."""

    kinds: tuple[str, ...] = ()
    owed: tuple[Flag, ...] = ()
    """What the store has not confirmed."""


_COLUMNS: Final = ", ".join(Alert.__struct_fields__)
_CLOSE: Final = "UPDATE alert SET closed_at = ?, closed_by = ?, note = ? WHERE id = ? AND closed_at IS NULL"


def _open_kinds(connection: Connection, conversation: ConversationId) -> tuple[str, ...]:
    row = connection.execute(
        "SELECT kinds FROM alert WHERE conversation = ? AND closed_at IS NULL", (conversation,)
    ).fetchone()
    return tuple(row[0].split(",")) if row else ()


def _sound(connection: Connection, flag: Flag) -> None:
    at = iso(flag.at)
    known = _open_kinds(connection, flag.conversation)
    connection.execute(
        "INSERT INTO alert (conversation, kinds, language, count, opened_at, last_at) VALUES (?, ?, ?, 1, ?, ?)"
        " ON CONFLICT (conversation) WHERE closed_at IS NULL DO UPDATE SET kinds = excluded.kinds,"
        " language = excluded.language, count = count + 1, last_at = max(last_at, excluded.last_at)",
        (flag.conversation, ",".join(dict.fromkeys((*known, flag.kind))), flag.language, at, at),
    )
    if flag.kind in known or _rehearsal(flag):
        return
    (number,) = connection.execute(
        "SELECT id FROM alert WHERE conversation = ? AND closed_at IS NULL", (flag.conversation,)
    ).fetchone()
    fields = msgspec.structs.asdict(flag)
    outbox.put(connection, kind="alert", payload=Told(alert=number, **fields))


def _rehearsal(flag: Flag) -> bool:
    """Somebody of the clinic at the terminal: nobody need come running."""
    return flag.channel == "terminal"


def _alert(row: tuple[object, ...]) -> Alert:
    values = dict(zip(Alert.__struct_fields__, row, strict=True))
    values["kinds"] = str(values["kinds"]).split(",")
    return msgspec.convert(values, Alert)
