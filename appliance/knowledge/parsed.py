"""What a reader makes of a file: its blocks, and what it says of itself. Knows no file format and no database."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final, get_args

import msgspec

from appliance.errors import BadDocument
from appliance.knowledge import BlockKind
from appliance.knowledge.dates import whole_date
from appliance.message import Language


class Block(msgspec.Struct, frozen=True, kw_only=True):
    """One heading, paragraph, list item or table row, in reading order."""

    kind: BlockKind
    text: str
    level: int | None = None
    page: int | None = None
    introduces: bool = False
    """Words that introduce the items or rows after it, such as a table's caption."""


class Metadata(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a document, or whoever learns it, says about it. None: nothing was said."""

    title: str | None = None
    site: str | None = None
    language: Language | None = None
    valid_from: str | None = None
    valid_until: str | None = None
    """The last day in force."""
    supersedes: str | None = None
    """The id, file name or title of the document whose place it takes."""
    superseded_by: str | None = None

    def over(self, other: Metadata) -> Metadata:
        """Mine, and the other's where I say nothing."""
        mine = {name: value for name, value in msgspec.structs.asdict(self).items() if value is not None}
        return msgspec.structs.replace(other, **mine)


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """A whole document, read."""

    blocks: tuple[Block, ...]
    metadata: Metadata = Metadata()
    note: str = ""
    """What could not be read although the rest could, for whoever learns it."""


def metadata_of(said: Mapping[str, object], *, where: str) -> Metadata:
    """The fields that are ours among ``said``; empty ones count as not said. Raises BadDocument on a bad value."""
    fields: dict[str, str] = {}
    for key, value in said.items():
        name = key.strip().lower().replace("-", "_")
        text = tidy(str(value))
        if text and name in _FIELDS:
            fields[_FIELDS[name]] = text
    for name in ("valid_from", "valid_until"):
        if name in fields:
            fields[name] = _date(fields[name], f"{where}: {name}")
    if "language" in fields:
        fields["language"] = _language(fields["language"], f"{where}: language")
    return msgspec.convert(fields, Metadata)


def known_fields() -> tuple[str, ...]:
    return Metadata.__struct_fields__


def tidy(text: str) -> str:
    """NFC, one space for each run of white space, nothing that cannot be seen. A newline counts as a space."""
    return unicodedata.normalize("NFC", _SPACES.sub(" ", text.translate(_UNSEEN)).strip())


def name_as_title(name: str) -> str:
    """'fees-2024.md' is called 'fees 2024'."""
    return re.sub(r"[-_\s]+", " ", PurePosixPath(name).stem).strip() or name


_FIELDS: Final = {name: name for name in Metadata.__struct_fields__} | {"lang": "language"}
_SPACES: Final = re.compile(r"[\s\u00a0\u3000]+")
# Soft hyphens, marks of direction, byte order marks, private-use bullets of Word's Symbol font, control characters and
# half characters. Joiners (U+200C, U+200D) stay: Hindi is spelt with them.
_UNSEEN: Final = dict.fromkeys(
    [
        *(0xAD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, 0xFFFE, 0xFFFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)),
        *(*range(0x00, 0x09), *range(0x0E, 0x1C), *range(0x7F, 0x85), *range(0x86, 0xA0)),
        *(*range(0xD800, 0xE000), *range(0xF000, 0xF100)),
    ]
)


def _date(text: str, what: str) -> str:
    if found := whole_date(text):
        return found
    raise BadDocument(f"{what} is {text!r}, which is not a day; write it as 2026-09-01")


def _language(text: str, what: str) -> str:
    code = re.split(r"[-_]", text.lower())[0]
    if code in get_args(Language):
        return code
    raise BadDocument(f"{what} is {text!r}; it can be {', '.join(get_args(Language))}")
