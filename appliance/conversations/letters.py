"""What the outbox says of cases: ids only. Whoever delivers reads the words from the store, as they are by then."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec

from appliance.message import ChannelName, ConversationId, Language, MessageId

Kind = Literal["case.opened", "case.level", "case.changed", "case.patient_said", "case.staff_said", "page"]
KINDS: Final[tuple[Kind, ...]] = (
    *("case.opened", "case.level", "case.changed", "case.patient_said", "case.staff_said"),
    "page",
)


class CaseOpened(msgspec.Struct, frozen=True, kw_only=True):
    """``case.opened``: a patient waits for somebody."""

    case: int
    conversation: ConversationId
    reason: str
    urgency: int
    language: Language
    channel: ChannelName
    at: datetime


class CaseLevel(msgspec.Struct, frozen=True, kw_only=True):
    """``case.level``: nobody has accepted in time, so the next group is called."""

    case: int
    conversation: ConversationId
    level: int
    urgency: int
    at: datetime


class CaseChanged(msgspec.Struct, frozen=True, kw_only=True):
    """``case.changed``: another owner or state, another urgency, or a note. The case itself says what is true now."""

    case: int
    conversation: ConversationId
    what: str
    """As in `cases.Happened`: accepted, given_back, resolved, snoozed, woken, left, opened (graver than before), note."""
    by: str | None
    """The member of staff; none: the patient or the clock."""
    note: int | None = None
    """The note's id, where it is one."""
    at: datetime


class PatientSaid(msgspec.Struct, frozen=True, kw_only=True):
    """``case.patient_said``: a patient whose case is open has written."""

    case: int
    conversation: ConversationId
    message_id: MessageId
    at: datetime


class StaffSaid(msgspec.Struct, frozen=True, kw_only=True):
    """``case.staff_said``: a word of staff, on its way to the patient and to the other staff."""

    case: int
    conversation: ConversationId
    message_id: MessageId
    what: Literal["said", "edited", "taken_back"]
    by: str
    via: str
    """Where it was said ("page", "mattermost"): there it need not be told again."""
    at: datetime


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """``page``: every group was called and nobody came."""

    case: int
    conversation: ConversationId
    level: int
    urgency: int
    language: Language
    channel: ChannelName
    at: datetime


Payload = CaseOpened | CaseLevel | CaseChanged | PatientSaid | StaffSaid | Page
