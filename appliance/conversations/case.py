"""The values of a hand-over: a conversation in the hands of people, who acts for the clinic, what they say, and what happened."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

import msgspec

from appliance.conversations.ownership import State
from appliance.message import ChannelName, ConversationId, Language, MessageId

Reason = Literal["asked", "emergency", "failed", "unsure", "anger", "topic", "tool", "staff"]
"""Why a person is needed. ``staff``: somebody of the clinic spoke up unasked."""

What = Literal[
    "opened",
    "level",
    "accepted",
    "said",
    "edited",
    "taken_back",
    "patient_said",
    "assistant_said",
    "note",
    "given_back",
    "resolved",
    "snoozed",
    "woken",
    "left",
    "typing",
]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation in the hands of people. Outlives the conversation, without its words."""

    id: int
    conversation: ConversationId
    state: State
    reason: Reason
    """The gravest there was."""
    urgency: int
    """0 an emergency, 1 asked for or angry, 2 other."""
    kinds: tuple[str, ...]
    """Of danger, where there was any."""
    language: Language
    channel: ChannelName
    site: str | None
    opened_at: datetime
    level: int
    """Which group has been called, from 1."""
    level_at: datetime
    """Since when it waits at this level."""
    accepted_by: str | None
    accepted_name: str | None
    """As patients see it."""
    accepted_at: datetime | None
    snoozed_until: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    unread: int
    """The patient's messages that nobody of the clinic has read."""
    unread_since: datetime | None
    version: int
    summary: str
    suggested: str

    @property
    def open(self) -> bool:
        return self.closed_at is None

    def __repr__(self) -> str:
        return f"Case({self.id}, {self.state}, urgency {self.urgency}, level {self.level})"


class Staffer(msgspec.Struct, frozen=True, kw_only=True):
    """Who acts for the clinic."""

    id: str
    name: str
    """As patients see it."""
    role: str


class Word(msgspec.Struct, frozen=True, kw_only=True):
    """What a member of staff said to a patient."""

    id: MessageId
    conversation: ConversationId
    by: str
    """Their name, as the patient sees it."""
    role_of_staff: str
    text: str
    """Empty once it was taken back."""
    at: datetime
    edited_at: datetime | None = None
    deleted_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Word({self.id!r}, {len(self.text)} characters)"


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """Staff's private word. A patient never sees it."""

    id: int
    by: str
    text: str
    at: datetime

    def __repr__(self) -> str:
        return f"Note({self.id}, {len(self.text)} characters)"


class CaseEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a case."""

    at: datetime
    event: str
    by: str | None
    from_state: State | None
    to_state: State
    detail: str


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """What has just been kept, for whoever shows it in this process. ``seq`` counts from 1 since the start."""

    seq: int
    case_id: int
    conversation: ConversationId
    what: What
    by: str | None = None
    """The member of staff's id; none: the patient, the assistant or the clock."""
    name: str | None = None
    """Their name, as the patient sees it."""
    message_id: MessageId | None = None


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A conversation that needs a person."""

    conversation: ConversationId
    reason: Reason
    urgency: int
    language: Language
    channel: ChannelName
    site: str | None = None
    kinds: tuple[str, ...] = ()
    summary: str = ""
    suggested: str = ""
    why: str = ""
    """The rule, topic or probability, for staff; never a patient's words."""

    def __repr__(self) -> str:
        return f"Asked({self.reason}, urgency {self.urgency})"
