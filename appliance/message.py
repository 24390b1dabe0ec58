"""The values that travel: what a patient says, and the parts an answer is made of. Knows no channel, no store, no model."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal, NewType

import msgspec

Language = Literal["en", "es", "zh", "hi"]
LANGUAGES: tuple[Language, ...] = ("en", "es", "zh", "hi")

ChannelName = Literal["web", "sms", "phone", "terminal"]

ConversationId = NewType("ConversationId", str)
MessageId = NewType("MessageId", str)
DocumentId = NewType("DocumentId", str)
PassageId = NewType("PassageId", int)

AnswerKind = Literal[
    "quoted", "signed", "generated", "unknown", "declined", "greeting", "emergency", "contact", "person", "trouble"
]
"""What the patient is looking at. ``declined``: a diagnosis, a dose or somebody else's data was asked for.
``contact``: how to reach a person. ``person``: staff answer, and we say no more than that. ``trouble``: something of ours failed;
the words say what to do."""


Voice = Literal["ours", "told", "quote", "written"]


def now() -> datetime:
    """The one clock: aware, UTC."""
    return datetime.now(UTC)


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a patient, the same from every channel."""

    id: MessageId
    """Chosen by the sender's side, so that a message sent twice is answered once."""
    conversation: ConversationId
    channel: ChannelName
    text: str
    language: Language | None = None
    """The language the patient chose; None lets the words themselves decide."""
    locked: bool = False
    """Whether answers are in that language whatever language the words are in."""
    site: str | None = None
    """The site of the clinic the patient asks about, when the channel knows it."""
    at: datetime = msgspec.field(default_factory=now)

    def __repr__(self) -> str:
        return f"Message(id={self.id!r}, channel={self.channel!r}, {len(self.text)} characters)"


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a document's text: Unicode code points, end exclusive."""

    start: int
    end: int


# ---- the parts of an answer, in the order in which they are said -------------------------------------------------


class Opening(msgspec.Struct, frozen=True, kw_only=True, tag="opening"):
    """Always the first part: what kind of answer follows, and in which language we speak."""

    kind: AnswerKind
    language: Language


class Text(msgspec.Struct, frozen=True, kw_only=True, tag="text"):
    """Words to show or speak, to be joined as they are: spaces and line breaks are in the text."""

    text: str
    voice: Voice = "ours"
    """``ours``: a fixed phrase. ``told``: what a quote in another language says, by templates. ``quote``: a document's own
    words, verbatim. ``written``: by a model."""
    language: Language | None = None
    """The language of these words where it differs from the opening's."""
    cites: int | None = None
    """On the last words of a line that is told: the number of the citation, further down, that bears it out."""

    def __repr__(self) -> str:
        return f"Text({len(self.text)} characters, {self.voice})"


class Citation(msgspec.Struct, frozen=True, kw_only=True, tag="citation"):
    """The source of the words just before it: a span that really is in the document."""

    number: int
    document: DocumentId
    revision: int
    title: str
    heading: tuple[str, ...] = ()
    page: int | None = None
    language: Language
    span: Span
    quote: str
    """The text of the span, verbatim."""
    valid_from: str | None = None
    """ISO date from which the document is in force."""

    def __repr__(self) -> str:
        return f"Citation({self.number}, {self.document!r}, {self.span})"


class Signature(msgspec.Struct, frozen=True, kw_only=True, tag="signature"):
    """Who answers for the words just before it, and which version of the signed answer they are. Days are ISO dates."""

    answer: str
    version: int
    signed_by: str
    role: str
    signed_on: str
    valid_until: str


class Notice(msgspec.Struct, frozen=True, kw_only=True, tag="notice"):
    """A word about the answer, not of it: e.g. the source's language differs. ``code`` names the phrase."""

    code: str
    text: str


class Call(msgspec.Struct, frozen=True, kw_only=True, tag="call"):
    """A number to call, shown as a button: an emergency line, a crisis line, the clinic."""

    label: str
    number: str
    urgent: bool = False


Part = Opening | Text | Citation | Signature | Notice | Call
