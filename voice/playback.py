"""What we say on a call: made clause by clause, written some way ahead, stopped and gone on with at any sample.

Knows how much of it was sent; does not know who interrupts, or why.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from typing import Final, Protocol

from voice.audio import Pcm
from voice.heard_words import heard_words
from voice.line import Call, HungUp
from voice.sentences import Clauses
from voice.talking import Talking

log = logging.getLogger(__name__)

FRAME_S: Final = 0.02
SOON_S: Final = 0.1
"""Who compares what comes in with what goes out knows it so long before: sound travels while we are busy elsewhere."""
_FINISHED = re.compile(r"\S.{15,}[.!?。！？।]\s*$", re.DOTALL)
"""A piece of text that was not generated word by word, and ends: nothing that follows belongs to its last sentence."""


class Saying(Protocol):
    """The clauses of one text, as sound."""

    def __aiter__(self) -> AsyncIterator[Pcm]: ...

    async def aclose(self) -> None: ...


class Speaker(Protocol):
    """What `voice.mouth.Mouth` is."""

    def say(self, text: str, language: str, rate_hz: int, *, within_s: float = 0.0) -> Saying: ...


class _Part:
    """Some text, and its sound as far as it is made."""

    def __init__(self, text: str, start: int) -> None:
        self.text, self.start = text, start
        self.pieces: list[Pcm] = []
        self.samples = 0
        self.whole = False

    def heard(self, language: str, rate: int, played: int) -> str:
        if self.whole and played >= self.samples:
            return self.text
        seconds = [len(piece) / rate for piece in self.pieces]
        return heard_words(self.text, language, seconds, played / rate, whole=self.whole)


class Playback:
    """One thing to say. ``stirred`` is called whenever something changed.

    ``going`` gets the sound just before it is sent, ``sent`` gets it after.
    """

    def __init__(
        self,
        call: Call,
        mouth: Speaker,
        text: str | AsyncIterator[str],
        language: str,
        *,
        settings: Talking,
        clock: Callable[[], float],
        stirred: Callable[[], None],
        going: Callable[[Pcm], None],
        sent: Callable[[Pcm], None],
    ) -> None:
        self._call, self._mouth, self._text, self._language = call, mouth, text, language
        self._settings, self._clock, self._stirred = settings, clock, stirred
        self._going, self._sent = going, sent
        self._rate = call.rate
        self._parts: list[_Part] = []
        self._made = self._at = self._soon = self._told = 0
        """Samples: made, written and not taken back, told as going, sent."""
        self._all_made = self._complete = False
        """Nothing more will be made; and that is because the text has ended."""
        self._change = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self.paused = self.done = False
        self.failure: Exception | None = None
        self.text_at: float | None = None
        self.audio_at: float | None = None

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._make()), asyncio.create_task(self._send())]

    def pause(self) -> None:
        """Silent at once: what was not sent yet is kept for later."""
        self.paused = True
        with suppress(HungUp):
            thrown = round(self._call.flush() * self._rate)
            self._at = max(self._told, self._at - thrown)
            self._note_sent(0)

    def resume(self) -> None:
        """Where it was left."""
        self.paused = False
        self._change.set()

    @property
    def left_s(self) -> float | None:
        """How long it will still sound; None where that is not known yet."""
        return (self._made - self._at) / self._rate + self._waiting_s() if self._all_made else None

    async def close(self) -> None:
        """Stop making it; whatever makes the words is closed when this returns."""
        if not self.done:
            self.pause()
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            await asyncio.wait([task])
        await _closed(self._text)  # a task that was never begun closed nothing

    def heard(self) -> str:
        """The words that the caller has heard to their end."""
        said = "".join(part.heard(self._language, self._rate, self._told - part.start) for part in self._begun())
        return said.strip()

    @property
    def whole(self) -> bool:
        return self._complete and self._told >= self._made

    # ---- made -----------------------------------------------------------------------------------------------------

    async def _make(self) -> None:
        try:
            async with aclosing(self._texts()) as texts:
                async for text in texts:
                    await self._say(text)
            self._complete = True
        except HungUp:
            pass
        except Exception as wrong:  # noqa: BLE001 - whatever makes words or sound may raise anything: told to who speaks
            self.failure = wrong
        finally:
            self._all_made = True
            self._change.set()

    async def _say(self, text: str) -> None:
        part = _Part(text, self._made)
        self._parts.append(part)
        ahead_s = (self._made - self._at) / self._rate + self._waiting_s()
        async with aclosing(self._mouth.say(text, self._language, self._rate, within_s=ahead_s)) as saying:
            async for pcm in saying:
                part.pieces.append(pcm)
                part.samples += len(pcm)
                self._made += len(pcm)
                self._change.set()
                await self._needed()
        part.whole = True

    async def _needed(self) -> None:
        """Until more is worth making."""
        while self._made - self._at > self._settings.made_s * self._rate:  # noqa: ASYNC110 - seconds of it: no hurry
            await asyncio.sleep(0.1)

    async def _texts(self) -> AsyncGenerator[str, None]:
        """As much text at once as is there: what was prepared as a whole is found as a whole. What comes word by word begins
        with a short clause, so that it is heard soon."""
        if isinstance(self._text, str):
            self.text_at = self._clock()
            yield self._text
            return
        whole, cut = Clauses(brief=True), 0
        said, ready_at, coming = "", 0.0, None
        try:
            while True:
                coming = coming or asyncio.ensure_future(_next(self._text))
                wait = ready_at + self._settings.gather_s - self._clock() if cut else None
                await asyncio.wait([coming], timeout=wait if wait is None else max(0.0, wait))
                if coming.done():
                    piece, coming = coming.result(), None
                    self.text_at = self.text_at or self._clock()
                    said += piece or ""
                    found = whole.feed(piece) if piece is not None else whole.end()
                    if piece and _FINISHED.search(piece):
                        found += whole.end()
                        whole = Clauses()
                    ready_at = ready_at if cut else self._clock()
                    for clause in found:
                        cut = said.index(clause, cut) + len(clause)
                    if piece is None:
                        if cut:
                            yield said
                        return
                    if not cut or self._clock() < ready_at + self._settings.gather_s:
                        continue
                yield said[:cut]
                said, cut = said[cut:], 0
        finally:
            if coming:
                coming.cancel()
                await asyncio.wait([coming])
            await _closed(self._text)

    # ---- sent -----------------------------------------------------------------------------------------------------

    async def _send(self) -> None:
        try:
            while not (self._all_made and self._told >= self._made):
                if self.paused or (self._at >= self._made and not self._waiting_s()):
                    self._change.clear()
                    if not self._over():
                        await self._change.wait()
                    continue
                self._write()
                await asyncio.sleep(FRAME_S)
                self._note_sent(self._waiting_s())
        except HungUp:
            return
        self.done = True
        self._stirred()

    def _over(self) -> bool:
        self._note_sent(self._waiting_s())
        return self._all_made and self._told >= self._made and not self.paused

    def _write(self) -> None:
        """Fill up what waits on the line."""
        room = int((self._settings.ahead_s - self._call.buffered_s) * self._rate)
        while room > 0 and self._at < self._made:
            pcm = next(self._between(self._at, self._at + room))
            taken = self._call.write(pcm)
            if not taken:
                return
            if self.audio_at is None:
                self.audio_at = self._clock()
                self._stirred()
            self._at += taken
            room -= taken

    def _waiting_s(self) -> float:
        try:
            return self._call.buffered_s
        except HungUp:
            return 0.0

    def _note_sent(self, waiting_s: float) -> None:
        """What is not waiting any more has gone out."""
        until = max(self._told, self._at - round(waiting_s * self._rate))
        soon = max(self._soon, min(self._at, until + round(SOON_S * self._rate)))
        self._soon = _given(self._between(self._soon, soon), self._going, self._soon)
        self._told = _given(self._between(self._told, until), self._sent, self._told)

    def _between(self, start: int, until: int) -> Iterator[Pcm]:
        """The samples made, from there to there."""
        for part in self._parts:
            at = part.start
            for piece in part.pieces:
                if start < at + len(piece) and at < until:
                    yield piece[max(0, start - at) : until - at]
                at += len(piece)

    def _begun(self) -> list[_Part]:
        return [part for part in self._parts if part.start < self._told]


def _given(pieces: Iterator[Pcm], to: Callable[[Pcm], None], so_far: int) -> int:
    """Hand them over. Returns how many samples were, then."""
    for pcm in pieces:
        to(pcm)
        so_far += len(pcm)
    return so_far


async def _next(text: AsyncIterator[str]) -> str | None:
    try:
        return await anext(text)
    except StopAsyncIteration:
        return None


async def _closed(text: str | AsyncIterator[str]) -> None:
    """Whoever makes it stops making it."""
    if close := getattr(text, "aclose", None):  # an iterator need not have one
        await close()
