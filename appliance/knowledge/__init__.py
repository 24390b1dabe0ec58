"""What the clinic's documents say: documents, their passages and sentences. Knows nothing of patients or of answers."""

from __future__ import annotations

from typing import Literal

import msgspec

from appliance.message import DocumentId, Language, PassageId, Span

BlockKind = Literal["heading", "paragraph", "item", "row"]
SentenceKind = Literal["sentence", "row", "item"]
Status = Literal["parsing", "searchable", "superseded", "not_in_force", "failed", "removed"]


class PlacedBlock(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a document's text as it stands there; offsets count code points, end exclusive."""

    kind: BlockKind
    start: int
    end: int
    level: int | None = None
    """Of a heading 1 to 6, of an item how deep it is nested, from 1."""
    page: int | None = None


class Sentence(msgspec.Struct, frozen=True, kw_only=True):
    """The smallest thing that can be quoted: a sentence, a table's row, a list's item. Offsets are the document's."""

    start: int
    end: int
    text: str
    kind: SentenceKind = "sentence"
    lead: Span | None = None
    """What introduces it: the line before a list ("Bring with you:"), a table's caption."""
    site: str | None = None
    """The clinic's site with which it begins ("Northgate — Monday: 8 to 5"); None: its passage's, if that has one."""


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """Some sentences under one heading, as they are found and shown together. Offsets are the document's."""

    id: PassageId
    document: DocumentId
    revision: int
    title: str
    heading: tuple[str, ...]
    """Outermost first; what the title says already is left out."""
    page: int | None
    language: Language
    site: str | None
    start: int
    end: int
    text: str
    valid_from: str | None = None
    """ISO date from which the document is in force."""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A document as a patient may read it."""

    id: DocumentId
    revision: int
    title: str
    source: str
    language: Language
    site: str | None
    valid_from: str | None
    valid_until: str | None
    text: str
    blocks: tuple[PlacedBlock, ...]


class DocumentStatus(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a document, for anyone to read."""

    id: DocumentId
    revision: int
    title: str
    source: str
    """The file's name, or its path inside the folder that was learnt."""
    language: Language | None
    site: str | None
    valid_from: str | None
    valid_until: str | None
    status: Status
    words: str
    """The state in words: "searchable: 12 passages, 41 sentences", or why not and what to do."""
    passages: int
    sentences: int
    learnt_at: str
