"""Reads one file and cuts it; this is what runs in the child process. Knows the kinds of files, and no database.

``python -m appliance.knowledge.reading ORDER`` takes the file on standard input and answers on standard output, JSON both.
It first gives up memory, time and the right to write files: a file from a stranger may want all of them.
"""

from __future__ import annotations

import os
import resource
import sys
from pathlib import PurePosixPath
from typing import Final

import msgspec

from appliance.errors import BadDocument
from appliance.knowledge.parsed import Metadata, Parsed
from appliance.knowledge.passages import WORDS, Cut, cut
from appliance.knowledge.stated import stated

KINDS: Final = {
    ".md": "Markdown", ".markdown": "Markdown", ".html": "HTML", ".htm": "HTML", ".xhtml": "HTML", ".txt": "text", ".text": "text",
    ".pdf": "PDF", ".docx": "DOCX",
}  # fmt: skip
KINDS_IN_WORDS: Final = "Markdown (.md), HTML (.html), text (.txt), PDF (.pdf) and DOCX (.docx)"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What the child is asked to do."""

    name: str
    given: Metadata = Metadata()
    words: int = WORDS
    memory_mb: int = 1024
    seconds: int = 60


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the child found, or in words why it could not."""

    cut: Cut | None = None
    bad: str = ""
    out_of_memory: bool = False


def read(data: bytes, order: Order) -> Cut:
    """The file, read and cut, in this process. Raises BadDocument in words."""
    found = parsed(data, order.name, memory_mb=order.memory_mb)
    if not any(block.text for block in found.blocks):
        raise BadDocument("holds no text")
    said = order.given.over(found.metadata).over(stated(found.blocks))
    whole = msgspec.structs.replace(found, metadata=said)
    return cut(whole, name=order.name, words=order.words)


def parsed(data: bytes, name: str, *, memory_mb: int = 1024) -> Parsed:
    """The blocks of a file of any kind, and what it says of itself."""
    kind = KINDS.get(PurePosixPath(name).suffix.lower())
    if not data.strip():
        raise BadDocument("is empty")
    match kind:
        case "PDF":
            from appliance.knowledge.readers import pdf

            return pdf.read(data)
        case "DOCX":
            from appliance.knowledge.readers import docx

            return docx.read(data, memory_mb=memory_mb)
        case None:
            raise BadDocument(f"is of a kind that cannot be read. These can: {KINDS_IN_WORDS}")
    return _text(data, kind)


def _text(data: bytes, kind: str) -> Parsed:
    from appliance.knowledge.readers import plain

    for beginning, other in _OTHERS:
        if data.startswith(beginning):
            raise BadDocument(f"is not {kind} although its name says so: it looks like {other}")
    if kind == "HTML":
        from appliance.knowledge.readers import html

        return html.read(html.decoded(data))
    text = plain.decoded(data)
    if kind == "Markdown":
        from appliance.knowledge.readers import markdown

        return markdown.read(text)
    return plain.read(text)


_OTHERS: Final = (
    (b"%PDF-", "a PDF (.pdf)"),
    (b"PK\x03\x04", "a DOCX (.docx) or another archive"),
    (b"\xd0\xcf\x11\xe0", "an old Word file (.doc)"),
    (b"{\\rtf", "a rich text (.rtf)"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
)


def main() -> None:
    order = msgspec.json.decode(sys.argv[1].encode("utf-8", "surrogateescape"), type=Order)
    _give_up(order)
    outcome = _outcome(order)
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
    sys.stdout.flush()
    os._exit(0)  # nothing to put away; freeing a large tree can take seconds


def _give_up(order: Order) -> None:
    os.nice(10)  # a patient who waits for an answer goes before a document
    memory = order.memory_mb << 20
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (order.seconds, order.seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _outcome(order: Order) -> Outcome:
    try:
        return Outcome(cut=read(sys.stdin.buffer.read(), order))
    except BadDocument as error:
        return Outcome(bad=str(error))
    except MemoryError:
        return Outcome(out_of_memory=True)
    except RecursionError:
        return Outcome(bad="is nested too deeply to be read; save it anew in the program it was made with, or as text")


if __name__ == "__main__":
    main()
