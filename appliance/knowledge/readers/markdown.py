"""Markdown (CommonMark with tables and struck-out words) as blocks, with its front matter. Knows no other format."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from appliance.errors import BadDocument
from appliance.knowledge.parsed import Block, Metadata, Parsed, metadata_of, tidy
from appliance.knowledge.readers.tables import rows

if TYPE_CHECKING:
    from markdown_it.token import Token


DEEPEST: Final = 60


def read(text: str) -> Parsed:
    from markdown_it import MarkdownIt

    metadata, body = _front_matter(text)
    tokens = MarkdownIt("commonmark", {"maxNesting": DEEPEST}).enable(["table", "strikethrough"]).parse(body)
    if any(token.level >= DEEPEST - 1 for token in tokens):  # the parser passes over what is deeper
        raise BadDocument("is nested too deeply to be read: lists in lists in lists; save it in a simpler form")
    return Parsed(blocks=tuple(_Walk().blocks(tokens)), metadata=metadata)


def _front_matter(text: str) -> tuple[Metadata, str]:
    """The lines between two ``---`` at the very top; the rest. Lines that are no ``key: value`` are other tools'."""
    found = _FRONT.match(text)
    if not found or not all(_FRONT_LINE.match(line) for line in found["said"].splitlines()):
        return Metadata(), text
    said = dict(_KEY_VALUE.findall(found["said"]))
    values = {key: value.strip().strip("\"'") for key, value in said.items()}
    return metadata_of(values, where="front matter"), text[found.end() :]


_FRONT: Final = re.compile(r"\A---[ \t]*\r?\n(?P<said>(?:[^\n]*\n){1,60}?)---[ \t]*(?:\r?\n|\Z)")
_FRONT_LINE: Final = re.compile(r"[A-Za-z][\w-]*[ \t]*:|[ \t]+\S|- |#")
_KEY_VALUE: Final = re.compile(r"^([A-Za-z][\w-]*)[ \t]*:[ \t]+([^\r\n]*)", re.MULTILINE)


class _Walk:
    """Goes through the tokens once; remembers the lists and the cells it is in."""

    def __init__(self) -> None:
        self._lists: list[int | None] = []
        self._fresh = False
        self._table: list[list[str]] = []

    def blocks(self, tokens: Sequence[Token]) -> Iterator[Block]:
        heading: int | None = None
        for token in tokens:
            match token.type:
                case "heading_open":
                    heading = int(token.tag[1])
                case "heading_close":
                    heading = None
                case "bullet_list_open":
                    self._lists.append(None)
                case "ordered_list_open":
                    self._lists.append(int(token.attrs.get("start", 1)) - 1)
                case "bullet_list_close" | "ordered_list_close":
                    self._lists.pop()
                case "list_item_open":
                    self._begin_item()
                case "table_open":
                    self._table = []
                case "tr_open":
                    self._table.append([])
                case "table_close":
                    yield from rows(self._table, headed=any(self._table[0]))
                    self._table = []
                case "inline" if self._table:
                    self._table[-1].append(" ".join(_lines(token)))
                case "inline":
                    for line in _lines(token):
                        yield self._block(line, heading)
                case "fence" | "code_block":
                    yield from (
                        Block(kind="paragraph", text=line) for line in map(tidy, token.content.splitlines()) if line
                    )
                case "html_block":
                    yield from _html(token.content)

    def _begin_item(self) -> None:
        number = self._lists[-1]
        self._lists[-1] = None if number is None else number + 1
        self._fresh = True

    def _block(self, line: str, heading: int | None) -> Block:
        if heading:
            return Block(kind="heading", text=line, level=heading)
        if not self._lists:
            return Block(kind="paragraph", text=line)
        number, self._fresh = self._lists[-1] if self._fresh else None, False
        return Block(kind="item", text=f"{number}. {line}" if number is not None else line, level=len(self._lists))


def _lines(token: Token) -> list[str]:
    """The words of a paragraph; a hard break begins a new line, a soft one is a space. Struck-out words are left out."""
    words: list[str] = []
    struck = 0
    for child in token.children or ():
        match child.type:
            case "s_open":
                struck += 1
            case "s_close":
                struck -= 1
            case "text" | "code_inline" if not struck:
                words.append(child.content)
            case "softbreak":
                words.append(" ")
            case "hardbreak":
                words.append("\n")
            case "html_inline" if child.content.lower().startswith("<br"):
                words.append("\n")
    return [line for line in map(tidy, "".join(words).split("\n")) if line]


def _html(text: str) -> Sequence[Block]:
    if text.startswith("<!--"):
        return ()
    from appliance.knowledge.readers.html import read as read_html

    return read_html(text).blocks
