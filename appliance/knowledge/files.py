"""Which files of a folder are documents, and what stands beside them. Knows names, not contents."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath
from typing import Final

import msgspec

from appliance.errors import BadDocument, NotFound
from appliance.knowledge.parsed import Metadata, known_fields, metadata_of
from appliance.knowledge.reading import KINDS

OFFICE: Final = frozenset(
    (
        ".doc",
        ".docm",
        ".dot",
        ".rtf",
        ".odt",
        ".pages",
        ".xls",
        ".xlsx",
        ".ods",
        ".csv",
        ".ppt",
        ".pptx",
        ".odp",
        ".epub",
    )
)
"""Documents that cannot be read: in a folder they are named as failed. Pictures, scripts and the like are passed over."""


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A file to be learnt."""

    path: Path
    source: str
    """Its name, or its path inside the folder that was given."""
    size: int

    def content(self) -> tuple[bytes, Metadata]:
        """The bytes, and what the file ``NAME.toml`` beside it says. Raises BadDocument, OSError."""
        return self.path.read_bytes(), _beside(self.path)


def files(paths: Sequence[Path]) -> list[File]:
    """The documents at these paths, by name, each once. Raises NotFound."""
    found: dict[Path, File] = {}
    for path in paths:
        if not path.exists():
            raise NotFound(f"{path}: there is no such file or folder")
        for file, source in _within(path):
            whole = file.resolve()
            found.setdefault(whole, File(path=whole, source=source, size=whole.stat().st_size))
    return list(found.values())


def relevant(path: PurePath) -> bool:
    """Whether a file inside a folder is to be learnt: not hidden, not a program's own lock or copy, of a kind of documents."""
    hidden = any(part.startswith((".", "~$", "._")) for part in path.parts) or path.name.endswith("~")
    return not hidden and path.suffix.lower() in KINDS.keys() | OFFICE


def _within(path: Path) -> Iterator[tuple[Path, str]]:
    if path.is_file():
        yield path, path.name
        return
    for folder, inner, names in os.walk(path):
        inner.sort()
        for name in sorted(names):
            source = (Path(folder) / name).relative_to(path)
            if relevant(source):
                yield Path(folder) / name, source.as_posix()


def _beside(path: Path) -> Metadata:
    beside = path.with_name(path.name + ".toml")
    if not beside.is_file():
        return Metadata()
    try:
        said = tomllib.loads(beside.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadDocument(f"has {beside.name} beside it, which is not TOML: {error}") from None
    if unknown := sorted(said.keys() - set(known_fields())):
        raise BadDocument(f"{beside.name} says {', '.join(unknown)}; it can say {', '.join(known_fields())}")
    return metadata_of(said, where=beside.name)
