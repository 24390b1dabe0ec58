"""What the documents said, remembered for whoever asks the same again, until a document changes or the clinic's day ends.

Only questions that could be anybody's, and of those no word: a digest of what makes the question this one and no other
(likeness.py), under a key that is never written down, and its vector; in memory only. Knows no channel, and nothing of signed
answers: those are looked for before, on every message.
"""

from __future__ import annotations

import asyncio
import re
import secrets
import tomllib
import unicodedata
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import lru_cache
from hashlib import blake2b
from importlib import resources
from typing import Final, Literal

import msgspec
from prometheus_client import Counter

from appliance.assistant.approved import Asking
from appliance.assistant.likeness import Reader
from appliance.assistant.quote import Quote
from appliance.knowledge.wording import pattern
from appliance.knowledge.words import fold
from models import Vectors

How = Literal["same", "alike", "anew", "personal"]
"""``same``: word for word. ``alike``: the same question in other words. ``anew``: looked up. ``personal``: looked up, not kept."""

LOOKED_UP = Counter("medinovai_looked_up", "Questions to the documents, by what was remembered of them", ["how"])
ALIKE: Final = 0.75
"""Cosine from which two questions with the same slots are one. It alone tells no near miss: they reach .97."""


class Remembered:
    """Quotes, and that nothing was found, by question. ``most`` are kept, those not asked for longest go first; 0: none."""

    def __init__(self, reader: Reader, edition: Callable[[], Awaitable[str]], *, most: int) -> None:
        self._reader = reader
        self._edition = edition
        self._most = most
        self._key = secrets.token_bytes(32)
        self._of = ""
        self._tables = _Tables.load()  # read here, not on the way of a message
        self._same: OrderedDict[bytes, _Kept] = OrderedDict()
        self._alike: OrderedDict[bytes, _Kept] = OrderedDict()
        self.counts: dict[How, int] = {"same": 0, "alike": 0, "anew": 0, "personal": 0}

    def __len__(self) -> int:
        return len(self._alike)

    async def quote(self, asking: Asking, look: Callable[[], Awaitable[Quote | None]]) -> Quote | None:
        """What is remembered of this very question, else what ``look`` finds now."""
        if not self._most:
            return await look()
        if personal(asking.text):
            return await self._looked(look, "personal")
        self._begin(await self._edition())  # before anything is looked up: what changes meanwhile is not kept
        of, same = self._of, self._digest(asking, _written(asking))
        if kept := self._same.get(same):
            return self._said(kept, same, "same")
        slots, named = await asyncio.to_thread(self._slots, asking)
        if named:
            return await self._looked(look, "personal")
        if (kept := self._alike.get(slots)) and float(kept.meaning @ asking.meaning[0]) >= ALIKE:
            return self._said(kept, same, "alike")
        quote = await self._looked(look, "anew")
        if of == self._of:
            kept = _Kept(slots=slots, meaning=asking.meaning[0].copy(), quote=quote)
            self._keep(self._alike, slots, kept)
            self._keep(self._same, same, kept)
        return quote

    def words(self) -> str:
        """How it goes, for an operator."""
        asked = sum(self.counts.values())
        again = self.counts["same"] + self.counts["alike"]
        return f"{again} of {asked} answers from memory, {len(self)} kept" if self._most else "nothing is remembered"

    def _begin(self, edition: str) -> None:
        if edition != self._of:
            self._of = edition
            self._same.clear()
            self._alike.clear()

    async def _looked(self, look: Callable[[], Awaitable[Quote | None]], how: How) -> Quote | None:
        self._count(how)
        return await look()

    def _said(self, kept: _Kept, same: bytes, how: How) -> Quote | None:
        self._count(how)
        self._keep(self._same, same, kept)
        if kept.slots in self._alike:
            self._alike.move_to_end(kept.slots)
        return kept.quote

    def _keep(self, book: OrderedDict[bytes, _Kept], key: bytes, kept: _Kept) -> None:
        book[key] = kept
        book.move_to_end(key)
        while len(book) > self._most:
            book.popitem(last=False)

    def _count(self, how: How) -> None:
        self.counts[how] += 1
        LOOKED_UP.labels(how).inc()

    def _slots(self, asking: Asking) -> tuple[bytes, bool]:
        """A digest of what must be equal, and whether the question names somebody."""
        told = self._reader.told(asking.text, asking.language, sites=asking.sites)
        strange = self._reader.left(told, told.concepts)
        words = self._reader.left(told, self._tables.one_thing)
        names = frozenset(fold(word) for word in _CAPITAL.findall(asking.text))
        named = any(word.startswith(stem) for word in names for stem in strange if not stem.isdigit())
        apart = {name for name, words in self._tables.apart.items() if words.search(told.rest)}
        parts = (told.sites, told.exact, told.intents, told.concepts, words, apart, _signs(asking))
        ordered = max(len(told.sites), len(told.exact)) > 1 or "no" in told.exact or apart & self._tables.ordered
        return self._digest(asking, repr([*map(sorted, parts), _written(asking) if ordered else ""])), named

    def _digest(self, asking: Asking, text: str) -> bytes:
        where = repr((asking.language, asking.at, asking.sites, asking.today))
        return blake2b(f"{where}\n{text}".encode(), key=self._key, digest_size=16).digest()


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    slots: bytes
    meaning: Vectors
    quote: Quote | None


def personal(text: str) -> bool:
    """Whether it may tell of one person: words of remembered.toml, an address, or a long number."""
    digits = max(map(_digits, _NUMBER.findall(unicodedata.normalize("NFKC", text))), default=0)
    return digits >= _MANY_DIGITS or "@" in text or bool(_Tables.load().personal.search(fold(text)))


def _written(asking: Asking) -> str:
    """As it is written, but for case, accents, spaces and common marks."""
    return " ".join(_WORD.findall(fold(asking.text)))


def _signs(asking: Asking) -> list[str]:
    """What is neither a word nor a common mark: "<", "%", a picture of a baby."""
    return [word for word in _WORD.findall(fold(asking.text)) if not word[0].isalnum()]


def _digits(number: str) -> int:
    return sum(map(str.isdecimal, number))


class _Tables(msgspec.Struct, frozen=True, kw_only=True):
    """The file remembered.toml, compiled."""

    personal: re.Pattern[str]
    one_thing: frozenset[str]
    ordered: frozenset[str]
    apart: dict[str, re.Pattern[str]]

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> _Tables:
        tables = tomllib.loads((resources.files("appliance.assistant") / "remembered.toml").read_text("utf-8"))
        personal = pattern(word for words in tables["personal"].values() for word in words)
        apart = {name: pattern(words) for name, words in tables["apart"].items()}
        return cls(
            personal=personal,
            one_thing=frozenset(tables["one_thing"]),
            ordered=frozenset(tables["ordered"]),
            apart=apart,
        )


_MANY_DIGITS: Final = 5
_NUMBER: Final = re.compile(r"\d[\d\s./()+-]*")
_WORD: Final = re.compile(
    r"[^\W_][\w\u0900-\u0963\u0971-\u097f]*|[^\w\s\u0900-\u097f\u200b-\u200f\ufe00-\ufe0f.,;:!?¡¿'\"‘’“”()\[\]{}…·–—/。、，；：！？（）「」《》-]"
)
_CAPITAL: Final = re.compile(r"(?<![.?!¿¡\s])\s+([A-ZÀ-Þ][\w'’-]+)")
"""A word with a capital in the middle of a sentence."""
