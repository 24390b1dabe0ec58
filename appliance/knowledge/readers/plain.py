"""Plain text as blocks: paragraphs, lists, and headings where there can be little doubt. Knows encodings, no markup."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise
from typing import Final

from appliance.errors import BadDocument
from appliance.knowledge.parsed import Block, Parsed, tidy
from appliance.knowledge.sentences import weight

LONGEST_HEADING: Final = 10
"""Words."""


def decoded(data: bytes) -> str:
    """Bytes as text: what a mark at the beginning says, UTF-8, UTF-16, then the old encodings of China and of the West."""
    text = _guessed(data)
    if len(_CONTROL.findall(text[:20_000])) > len(text[:20_000]) / 50:
        raise BadDocument(
            "is not text: it holds bytes that no text has; if it is of another kind, give its name that ending"
        )
    return text


_CONTROL: Final = re.compile(r"[\x00-\x08\x0e-\x1b\x7f\ufffd]")


def _guessed(data: bytes) -> str:
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _strict(data, encoding)
    if b"\0" in data[:4096]:
        return _without_mark(data)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _old(data)


_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # begins like UTF-16's, so it is asked first
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def _strict(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise BadDocument(f"its text begins as {encoding} but is damaged; save it again as UTF-8") from None


def _without_mark(data: bytes) -> str:
    """UTF-16 has the zero bytes of Western letters in every other place; a file of another kind has them anywhere."""
    head = data[:4096]
    even, odd = head[::2].count(0), head[1::2].count(0)
    if max(even, odd) > 10 * min(even, odd) and max(even, odd) * 8 > len(head) // 2:
        return _strict(data, "utf-16-be" if even > odd else "utf-16-le")
    raise BadDocument(
        "is not text: it holds bytes that no text has; if it is of another kind, give its name that ending"
    )


def _old(data: bytes) -> str:
    """GB 18030 writes its characters as pairs of high bytes; in Western text a high byte stands between letters."""
    high = len(_HIGH.findall(data))
    paired = sum(len(run) for run in _HIGH_RUN.findall(data))
    if paired > 0.6 * high:
        try:
            return data.decode("gb18030")
        except UnicodeDecodeError:
            pass
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


_HIGH: Final = re.compile(rb"[\x81-\xfe]")
_HIGH_RUN: Final = re.compile(rb"(?:[\x81-\xfe]{2})+")


def read(text: str) -> Parsed:
    lines = [tidy(line) for line in text.splitlines()]
    full = max((len(line) for line in lines), default=0) * 0.75
    groups = [
        list(_paragraphs(list(run), full)) for blank, run in groupby(lines, key=lambda line: not line) if not blank
    ]
    return Parsed(blocks=tuple(_with_headings([group for group in groups if group])))


def _paragraphs(lines: Sequence[str], full: float) -> Iterator[Block]:
    """Lines that a writer or a program broke are joined; lines that end by themselves stand alone."""
    open_: Block | None = None
    for before, line in pairwise(["", *lines]):
        if _RULE.fullmatch(line):
            if open_ and set(line) <= set("=-") and not _ITEM.match(open_.text):
                open_ = Block(kind="heading", text=open_.text, level=1 if "=" in line else 2)
            continue
        item = _ITEM.match(line)
        if open_ and not item and open_.kind != "heading" and _goes_on(before, line, full):
            open_ = Block(kind=open_.kind, text=joined(open_.text, line), level=open_.level)
            continue
        if open_:
            yield open_
        open_ = _item(line, item) if item else Block(kind="paragraph", text=line)
    if open_:
        yield open_


def _item(line: str, found: re.Match[str]) -> Block:
    marker = f"{found['number']} " if found["number"] else ""
    return Block(kind="item", text=marker + line[found.end() :], level=1)


def _goes_on(before: str, line: str, full: float) -> bool:
    if line[0].islower():
        return True
    last = before[-1]
    if len(before) < full and len(before) < 60:
        return False
    return last not in _LINE_ENDS or len(before) >= 60


def joined(before: str, after: str) -> str:
    """Two lines as one; Chinese has no space between them."""
    return before + ("" if _HAN.match(before[-1]) and _HAN.match(after[0]) else " ") + after


def _with_headings(groups: Sequence[Sequence[Block]]) -> Iterator[Block]:
    first = True
    for place, group in enumerate(groups):
        followed = place + 1 < len(groups) and groups[place + 1][0].kind != "heading"
        for number, block in enumerate(group):
            alone = len(group) == 1 and followed and not _could_be_heading(groups[place + 1][0].text)
            over_text = number == 0 and len(group) > 1 and block.text.isupper() and len(block.text) > 3
            title = first and len(group) == 1 and followed
            if block.kind == "paragraph" and _could_be_heading(block.text) and (alone or over_text or title):
                yield Block(kind="heading", text=block.text.rstrip(":："), level=1 if first else 2)
            else:
                yield block
            first = False


def _could_be_heading(text: str) -> bool:
    shouted = text.isupper() and len(text) > 3
    ends = text[-1] in ".!;,。！；，、।" or (text[-1] in ":：" and not shouted)
    return not ends and weight(text) <= LONGEST_HEADING and not _FACT.search(text)


_RULE: Final = re.compile(r"[-=_*~#]{3,}")
_ITEM: Final = re.compile(r"(?:[•◦▪‣●○■□➢✓·*–—-]\s+|[•◦▪‣●○■➢✓](?=\S)|(?P<number>\(?\d{1,2}[.)])\s+(?=\S))")
_LINE_ENDS: Final = ".!?:;。！？：；।"
_HAN: Final = re.compile(r"[\u3000-\u303f\u3400-\u4dbf\u4e00-\u9fff\uff00-\uffef]")
_FACT: Final = re.compile(r"\d[\d.,: -]*\d|[$€@]|\d ?(?:am|pm|a\.m|p\.m)|[\d一二三四五六七八九十]点", re.IGNORECASE)
