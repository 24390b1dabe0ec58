"""What one transaction on a case does to the tables: with its event, its entry in the audit and its letter in the outbox.

Runs in the writer thread; `Desk` begins each transaction and tells the rest of the process once it is kept.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Final, Literal

import msgspec

from appliance.conversations.case import Asked, Case, Note, Staffer, What, Word
from appliance.conversations.letters import (
    CaseChanged,
    CaseLevel,
    CaseOpened,
    Kind,
    Page,
    PatientSaid,
    Payload,
    StaffSaid,
)
from appliance.conversations.ownership import Event, State, moved
from appliance.errors import BadInput, NotFound
from appliance.message import ConversationId, MessageId
from appliance.records import audit, outbox
from appliance.records.database import Connection, iso

log = logging.getLogger(__name__)


def heard(connection: Connection, conversation: ConversationId, message_id: MessageId, at: datetime) -> None:
    """A patient's message, counted in the very transaction that keeps it: none is ever without an owner. Wakes a case."""
    case = open_case(connection, conversation)
    if case is None:
        return
    act = Act(connection, at)
    if act.note_event(case, "patient_said", None, detail=message_id, once=True):
        act.change(case.id, unread=case.unread + 1, unread_since=iso(case.unread_since or at))
        act.letter(
            "case.patient_said", PatientSaid(case=case.id, conversation=conversation, message_id=message_id, at=at)
        )
        if case.state == "snoozed":
            act.waits(act.case(case.id), "wake", None, expected=case.snoozed_until)


class Telling(msgspec.Struct, frozen=True, kw_only=True):
    case: Case
    what: What
    by: Staffer | None
    message_id: MessageId | None


class Act:
    """One transaction at work: what it changes, and what is to be told once it is kept."""

    def __init__(self, connection: Connection, at: datetime) -> None:
        self.connection = connection
        self.at = at
        self.telling: list[Telling] = []

    def case(self, id: int) -> Case:
        return by_id(self.connection, id)

    def took(self, case: Case, event: Event, by: Staffer, *, tells: bool = True) -> Case:
        """It is theirs now."""
        waited = "waited" if case.state == "waiting" and case.accepted_at is None else ""
        taken = self._moved(
            case,
            event,
            by,
            detail=waited if event == "accept" else "",
            accepted_by=by.id,
            accepted_name=by.name,
            accepted_at=iso(self.at),
            snoozed_until=None,
        )
        if waited and event != "accept":  # spoken to without a word of acceptance: it counts as one
            self.note_event(taken, "accept", by, detail=waited)
        if tells:
            self.changed(taken, "accepted", by)
        return taken

    def closed(self, case: Case, event: Event, by: Staffer | None) -> Case:
        who = by.id if by else "patient"
        done = self._moved(case, event, by, closed_at=iso(self.at), closed_by=who, snoozed_until=None)
        self.changed(done, "resolved" if event == "resolve" else "given_back", by)
        return done

    def snoozed(self, case: Case, by: Staffer, until: datetime) -> Case:
        asleep = self._moved(case, "snooze", by, snoozed_until=iso(until))
        self.changed(asleep, "snoozed", by)
        return asleep

    def waits(self, case: Case, event: Event, by: Staffer | None, *, expected: datetime | None = None) -> Case:
        """In the queue again, and the first group is called again. ``expected``: when people meant to be back."""
        again = self._moved(
            case, event, by, level=1, level_at=iso(self.at), snoozed_until=iso(expected) if expected else None
        )
        self.changed(again, "left" if event == "leave" else "woken", by)
        return again

    def raised(self, case: Case, last: int) -> Case:
        if case.state != "waiting" or case.level > last:
            return case
        self.change(case.id, level=case.level + 1, level_at=iso(self.at))
        higher = self.case(case.id)
        self.note_event(higher, "level", None, detail=str(higher.level))
        if higher.level > last:
            self._log(higher, "page")
            self.letter(
                "page",
                Page(
                    case=case.id,
                    conversation=case.conversation,
                    level=higher.level,
                    urgency=case.urgency,
                    language=case.language,
                    channel=case.channel,
                    at=self.at,
                ),
            )
        else:
            letter = CaseLevel(
                case=case.id,
                conversation=case.conversation,
                level=higher.level,
                urgency=case.urgency,
                at=self.at,
            )
            self.letter("case.level", letter)
        audit.record(self.connection, actor="clock", act="case.level", subject=str(case.id), detail=str(higher.level))
        self.happened(higher, "level")
        return higher

    def noted(self, case: Case, by: Staffer, text: str) -> Note:
        if not _exists(self.connection, case.conversation):
            raise NotFound(_DELETED)
        (number,) = self.connection.execute(
            "INSERT INTO note (handover, author, author_name, text, at) VALUES (?, ?, ?, ?, ?) RETURNING id",
            (case.id, by.id, by.name, text, iso(self.at)),
        ).fetchone()
        self.note_event(case, "note", by)
        audit.record(self.connection, actor=by.id, act="case.note", subject=str(case.id))
        self.changed(case, "note", by, note=number)
        return Note(id=number, by=by.name, text=text, at=self.at)

    def reworded(self, word: Word, what: Literal["edited", "taken_back"], text: str, by: Staffer, via: str) -> Word:
        column = "edited_at" if what == "edited" else "deleted_at"
        self.connection.execute(
            f"UPDATE turn SET text = ?, {column} = ? WHERE message_id = ? AND role = 'staff'",  # noqa: S608 - one of two constants
            (text, iso(self.at), word.id),
        )
        if what == "taken_back":
            sql = "DELETE FROM file WHERE conversation = ? AND message_id = ?"
            self.connection.execute(sql, (word.conversation, word.id))
        case = _newest_case(self.connection, word.conversation)
        self.note_event(case, what, by, detail=word.id)
        audit.record(self.connection, actor=by.id, act=f"case.{what}", subject=str(case.id), detail=word.id)
        self.said(case, word.id, what, by, via)
        return word_of(self.connection, word.id)[0]

    def said(
        self, case: Case, id: MessageId, what: Literal["said", "edited", "taken_back"], by: Staffer, via: str
    ) -> None:
        letter = StaffSaid(
            case=case.id, conversation=case.conversation, message_id=id, what=what, by=by.id, via=via, at=self.at
        )
        self.letter("case.staff_said", letter)
        self.happened(case, what, by=by, message_id=id)

    def changed(self, case: Case, what: What, by: Staffer | None, *, note: int | None = None) -> None:
        letter = CaseChanged(
            case=case.id, conversation=case.conversation, what=what, by=by.id if by else None, note=note, at=self.at
        )
        self.letter("case.changed", letter)
        self.happened(case, what, by=by)

    def happened(
        self, case: Case, what: What, *, by: Staffer | None = None, message_id: MessageId | None = None
    ) -> None:
        self.telling.append(Telling(case=case, what=what, by=by, message_id=message_id))

    def letter(self, kind: Kind, payload: Payload) -> None:
        outbox.put(self.connection, kind=kind, payload=payload)

    def change(self, id: int, **values: object) -> None:
        columns = ", ".join(f"{name} = ?" for name in values)
        self.connection.execute(f"UPDATE handover SET {columns} WHERE id = ?", (*values.values(), id))  # noqa: S608 - our own column names

    def note_event(
        self,
        case: Case,
        event: str,
        by: Staffer | None,
        *,
        came_from: State | None = None,
        detail: str = "",
        once: bool = False,
    ) -> bool:
        """Its row in the history; False where ``once`` found one that says the same."""
        done = self.connection.execute(
            f"INSERT {'OR IGNORE ' if once else ''}INTO case_event"  # noqa: S608 - one of two constants
            " (handover, at, event, actor, from_state, to_state, detail) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (case.id, iso(self.at), event, by.id if by else None, came_from or case.state, case.state, detail),
        )
        return done.rowcount == 1

    def _moved(self, case: Case, event: Event, by: Staffer | None, *, detail: str = "", **values: object) -> Case:
        self.change(case.id, state=moved(case.state, event), version=case.version + 1, **values)
        after = self.case(case.id)
        self.note_event(after, event, by, came_from=case.state, detail=detail)
        actor = by.id if by else "patient" if event == "patient_returns" else "clock"
        audit.record(
            self.connection,
            actor=actor,
            act=f"case.{event}",
            subject=str(case.id),
            detail=f"{case.state} to {after.state}",
        )
        self._log(after, event)
        return after

    def _log(self, case: Case, event: str) -> None:
        log.info("case=%d event=%s state=%s urgency=%d level=%d", case.id, event, case.state, case.urgency, case.level)


_CASE: Final = ", ".join(Case.__struct_fields__)

WORD: Final = "message_id, conversation, by_name, by_role, text, at, edited_at, deleted_at"

_DELETED: Final = "the patient has deleted this conversation: nothing can be said in it"


def ask(act: Act, asked: Asked) -> Case:
    case = open_case(act.connection, asked.conversation)
    if case is None:
        return _opened(act, asked, "waiting")
    graver, kinds = asked.urgency < case.urgency, tuple(dict.fromkeys((*case.kinds, *asked.kinds)))
    after = moved(case.state, "ask")
    if after == case.state and not graver and kinds == case.kinds:
        return case
    if after != case.state:  # it slept
        case = act.waits(case, "ask", None)
    act.change(
        case.id,
        urgency=min(asked.urgency, case.urgency),
        reason=asked.reason if graver else case.reason,
        kinds=",".join(kinds),
        suggested=asked.suggested or case.suggested,
    )
    if graver and case.state == "waiting":  # the groups are called anew, as for a case as grave as this
        act.change(case.id, level=1, level_at=iso(act.at))
    case = act.case(case.id)
    act.note_event(case, "ask", None, detail=f"{asked.reason} {asked.why}".strip())
    audit.record(act.connection, actor="assistant", act="case.ask", subject=str(case.id), detail=asked.reason)
    act.changed(case, "opened", None)
    return case


def _opened(act: Act, asked: Asked, state: State, by: Staffer | None = None) -> Case:
    """A new case. What the patient said is kept with it only while the conversation is there."""
    known = _exists(act.connection, asked.conversation)
    at = iso(act.at)
    taken = (by.id, by.name, at) if by else (None, None, None)
    (number,) = act.connection.execute(
        "INSERT INTO handover (conversation, state, reason, urgency, kinds, language, channel, site, opened_at, level_at,"
        " accepted_by, accepted_name, accepted_at, summary, suggested, unread, unread_since)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        (
            *(asked.conversation, state, asked.reason, asked.urgency, ",".join(dict.fromkeys(asked.kinds))),
            *(asked.language, asked.channel, asked.site, at, at, *taken),
            *((asked.summary, asked.suggested) if known else ("", "")),
            *((0, None) if by else (1, at)),
        ),
    ).fetchone()
    case = act.case(number)
    act.note_event(case, "say" if by else "ask", by, detail=f"{asked.reason} {asked.why}".strip())
    actor = by.id if by else "assistant"
    audit.record(act.connection, actor=actor, act="case.open", subject=str(number), detail=asked.reason)
    log.info("case=%d event=open reason=%s urgency=%d", number, asked.reason, asked.urgency)
    letter = CaseOpened(
        case=number,
        conversation=case.conversation,
        reason=asked.reason,
        urgency=asked.urgency,
        language=asked.language,
        channel=asked.channel,
        at=act.at,
    )
    act.letter("case.opened", letter)
    act.happened(case, "opened", by=by)
    return case


def say(act: Act, conversation: ConversationId, by: Staffer, text: str, id: MessageId, via: str) -> Word:
    row = act.connection.execute(
        f"SELECT {WORD} FROM turn WHERE message_id = ? AND role = 'staff'",  # noqa: S608 - a constant of this module
        (id,),
    ).fetchone()
    if row:  # sent twice; it may have been given back since
        if (said := as_word(row)).conversation != conversation:
            raise BadInput("this message id was used in another conversation")
        return said
    case = _spoken_up(act, conversation, by)
    act.connection.execute(
        "INSERT INTO turn (conversation, message_id, role, text, complete, at, by_id, by_name, by_role)"
        " VALUES (?, ?, 'staff', ?, 1, ?, ?, ?, ?)",
        (conversation, id, text, iso(act.at), by.id, by.name, by.role),
    )
    act.connection.execute(
        "UPDATE conversation SET last_at = max(last_at, ?) WHERE id = ?", (iso(act.at), conversation)
    )
    act.change(case.id, unread=0, unread_since=None)  # who answers has read
    act.note_event(case, "said", by, detail=id)
    audit.record(act.connection, actor=by.id, act="case.say", subject=str(case.id), detail=id)
    act.said(act.case(case.id), id, "said", by, via)
    return word_of(act.connection, id)[0]


def _spoken_up(act: Act, conversation: ConversationId, by: Staffer) -> Case:
    """The case, in the hands of who speaks."""
    case = open_case(act.connection, conversation)
    if case and case.state == "person" and case.accepted_by == by.id:
        if not _exists(act.connection, conversation):
            raise NotFound(_DELETED)
        return case
    known = act.connection.execute(
        "SELECT channel, coalesce(language, 'en'), site FROM conversation WHERE id = ?", (conversation,)
    ).fetchone()
    if known is None:
        raise NotFound(_DELETED)
    if case:
        return act.took(case, "say", by)
    channel, language, site = known
    asked = Asked(conversation=conversation, reason="staff", urgency=2, language=language, channel=channel, site=site)
    return _opened(act, asked, moved(None, "say"), by)


def _exists(connection: Connection, conversation: ConversationId) -> bool:
    return connection.execute("SELECT 1 FROM conversation WHERE id = ?", (conversation,)).fetchone() is not None


def open_case(connection: Connection, conversation: ConversationId) -> Case | None:
    found = cases(connection, "WHERE conversation = ? AND closed_at IS NULL", conversation)
    return found[0] if found else None


def _newest_case(connection: Connection, conversation: ConversationId) -> Case:
    """A word of staff always has one."""
    return cases(connection, "WHERE conversation = ? ORDER BY id DESC LIMIT 1", conversation)[0]


def by_id(connection: Connection, id: int) -> Case:
    found = cases(connection, "WHERE id = ?", str(id))  # as text: a number past 2**63 is no case either, and no error
    if not found:
        raise NotFound(f"there is no case {id}")
    return found[0]


def cases(connection: Connection, which: str, *values: object) -> list[Case]:
    rows = connection.execute(f"SELECT {_CASE} FROM handover {which}", values).fetchall()  # noqa: S608 - constants of this module
    return [_as_case(row) for row in rows]


def _as_case(row: tuple[object, ...]) -> Case:
    values = dict(zip(Case.__struct_fields__, row, strict=True))
    values["kinds"] = [kind for kind in str(values["kinds"]).split(",") if kind]
    return msgspec.convert(values, Case)


def word_of(connection: Connection, id: MessageId) -> tuple[Word, str]:
    """A word of staff and whose it is."""
    row = connection.execute(
        f"SELECT {WORD}, by_id FROM turn WHERE message_id = ? AND role = 'staff'",  # noqa: S608 - a constant of this module
        (id,),
    ).fetchone()
    if row is None:
        raise NotFound("there is no such word of staff")
    return as_word(row[:-1]), str(row[-1])


def as_word(row: tuple[object, ...]) -> Word:
    return msgspec.convert(dict(zip(Word.__struct_fields__, row, strict=True)), Word)
