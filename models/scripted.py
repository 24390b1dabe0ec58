"""Models without weights: one says what a test enqueued, one embeds by shared letters. Know nothing of the test."""

from __future__ import annotations

import asyncio
import re
import zlib
from collections import deque
from collections.abc import AsyncGenerator, Sequence

import msgspec
import numpy as np

from models import ChatTurn, ModelBusy, ModelError, ModelTimeout, Vectors

DIMENSIONS = 384


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One answer of the script."""

    text: str = ""
    raises: Exception | None = None
    """Raised after ``at`` words, or after all of them."""
    at: int | None = None
    held: asyncio.Event | None = None
    """The answer waits for it before its first word."""


class ScriptedChat:
    """The ChatModel's twin. Says the enqueued answers in order, word by word; with nothing enqueued it raises."""

    def __init__(self, name: str = "scripted", *, queue: int = 8) -> None:
        self.name = name
        self.sha256 = zlib.crc32(name.encode()).to_bytes(4).hex() * 8
        self.history: list[tuple[ChatTurn, ...]] = []
        """What it was asked, in order."""
        self.tokens_written = 0
        self._script: deque[Line] = deque()
        self._queue = queue
        self._open = 0
        self._turn = asyncio.Lock()
        self._closed = False

    def enqueue(self, *lines: str | Exception | Line) -> None:
        self._script += [_line(line) for line in lines]

    async def load(self) -> None:
        self._check_open()

    async def write(
        self, turns: Sequence[ChatTurn], *, max_tokens: int = 160, deadline_s: float = 30.0
    ) -> AsyncGenerator[str, None]:
        self._check_open()
        if self._open >= self._queue:
            raise ModelBusy(f"{self.name} has {self._open} answers to write; try again", retry_after=1.0)
        if deadline_s <= 0:
            raise ModelTimeout(f"{self.name} was asked with no time left")
        self._open += 1
        try:
            line = await self._next(turns, deadline_s)
            for place, word in enumerate(_words(line)[:max_tokens]):
                if line.raises is not None and place == line.at:
                    raise line.raises
                self.tokens_written += 1
                yield word
                await asyncio.sleep(0)
            if line.raises is not None:
                raise line.raises
        finally:
            self._open -= 1

    async def close(self) -> None:
        self._closed = True

    def _check_open(self) -> None:
        if self._closed:
            raise ModelError(f"{self.name} has been closed; nothing more can be asked of it")

    async def _next(self, turns: Sequence[ChatTurn], deadline_s: float) -> Line:
        self.history.append(tuple(turns))
        if not self._script:
            raise ModelError(f"{self.name} has nothing more to say: enqueue an answer for each question of the test")
        line = self._script.popleft()
        if line.held is not None:
            try:
                await asyncio.wait_for(line.held.wait(), deadline_s)
            except TimeoutError as wrong:
                raise ModelTimeout("The model did not finish in time (models.deadline_s)") from wrong
        return line


class ScriptedEmbedder:
    """The Embedder's twin: counts words and runs of three letters, so that texts which share them are near each other.

    It knows no language: translations are far apart unless a test teaches them with ``means``.
    """

    name = "scripted"
    dimensions = DIMENSIONS

    def __init__(self, means: dict[str, str] | None = None) -> None:
        """``means``: a word and what it is to be read as, such as ``{"laboratorio": "laboratory"}``."""
        self._means = means or {}

    async def passages(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        return self._embed(texts)

    async def queries(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        return self._embed(texts)

    async def close(self) -> None:
        return None

    def _embed(self, texts: Sequence[str]) -> Vectors:
        rows = np.zeros((len(texts), DIMENSIONS), np.float32)
        for row, text in zip(rows, texts, strict=True):
            for feature in self._features(text):
                row[zlib.crc32(feature.encode("utf-8", "replace")) % DIMENSIONS] += 1.0
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    def _features(self, text: str) -> list[str]:
        words = [self._means.get(word, word) for word in re.findall(r"\w+", text.lower())]
        runs = [f"^{word}$"[i : i + 3] for word in words for i in range(len(word))]
        return [*words, *runs, ""]  # never nothing: an empty text has a direction too


def _line(line: str | Exception | Line) -> Line:
    if isinstance(line, str):
        return Line(text=line)
    return line if isinstance(line, Line) else Line(raises=line)


def _words(line: Line) -> list[str]:
    return re.findall(r"\s*\S+", line.text)
