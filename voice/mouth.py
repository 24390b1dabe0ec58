"""What is said aloud: text in, samples out, clause by clause. Knows nothing of calls, or of what the words are about.

One thread speaks for all calls: whose audio runs out first comes first. What is said is kept in memory for a while; only
fixed words (`prepare`, `render`) are kept on disk, because an answer may hold what a patient said.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import logging
import math
import os
import time
import wave
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from voice.audio import Pcm, read_wav, resampled, write_wav
from voice.loudness import SHAPE, levelled, pause_after, trimmed
from voice.numbers import spoken
from voice.sentences import clauses
from voice.worker import Worker

log = logging.getLogger(__name__)

AHEAD = 2
"""Clauses that are made before anybody asks for them."""
HURRY_S = 0.5
"""Who still hears something for so long can wait for a slow voice's whole first sentence."""


class Voice(Protocol):
    """An engine with a voice in it. It blocks, and only one thread speaks with it."""

    @property
    def identity(self) -> str:
        """Another one whenever the same words would sound otherwise."""

    @property
    def rate(self) -> int:
        """Samples a second of what ``speak`` gives."""

    @property
    def slow(self) -> bool:
        """It needs more than a third of the time that it speaks: the first clause should be short."""

    def speak(self, words: str) -> Pcm:
        """One clause, written out in words."""


class CannotSpeak(Exception):
    """No voice of that language could say it."""


class Mouth:
    """The voices of each language, the best first; the next one speaks where one fails."""

    def __init__(
        self, voices: Mapping[str, Sequence[Voice]], *, store: Path | None = None, keep_bytes: int = 64_000_000
    ) -> None:
        """``store``: where the sound of fixed words is kept."""
        self._voices = {language: tuple(those) for language, those in voices.items() if those}
        self._kept = _Kept(store, keep_bytes)
        self._worker = Worker("mouth")

    @property
    def languages(self) -> frozenset[str]:
        return frozenset(self._voices)

    def say(self, text: str, language: str, rate_hz: int, *, within_s: float = 0.0) -> Saying:
        """Begins at once to make the first clauses; ``within_s``: how long the caller still has something to hear."""
        return Saying(self, text, language, rate_hz, within_s)

    async def render(self, text: str, language: str, rate_hz: int) -> Pcm:
        """Fixed words as one piece, from disk if they were said before."""
        pieces = clauses(spoken(text, language))
        said = [await self.clause(piece, language, rate_hz, math.inf, fixed=True) for piece in pieces]
        return np.concatenate(said) if said else np.zeros(0, np.int16)

    async def prepare(self, texts: Iterable[str], language: str, rates_hz: Iterable[int] = (8000, 16000)) -> None:
        """Make the sound of fixed words before anybody waits for it; ``say`` then finds it."""
        rates = tuple(rates_hz)
        for text in texts:
            for rate_hz in rates:
                await self.render(text, language, rate_hz)

    async def warm(self, languages: Iterable[str]) -> None:
        """Have the best voice of each language loaded: the first words of a network take seconds."""
        for language in languages:
            for voice in self._voices.get(language, ())[:1]:
                await self._worker.do(functools.partial(voice.speak, spoken("1", language)), math.inf)

    def close(self) -> None:
        """The thread ends after the clause that it is at; what waits is cancelled."""
        self._worker.close()

    # ---- for Saying -----------------------------------------------------------------------------------------------

    async def pieces(self, text: str, language: str, *, brief: bool) -> list[str]:
        """What a voice is given, one by one. Written out first: a full stop in a number or abbreviation ends nothing."""
        words = spoken(text, language)
        whole = clauses(words)
        voice = next(iter(self._voices.get(language, ())), None)
        if not whole or not brief or voice is None or not voice.slow or await self._kept.has(_key(whole[0], voice)):
            return whole
        return clauses(words, brief=True)

    async def clause(self, words: str, language: str, rate_hz: int, wanted_at: float, *, fixed: bool = False) -> Pcm:
        for voice in self._voices.get(language, ()):
            key = _key(words, voice)
            if not fixed and (lately := self._kept.lately(key, rate_hz)) is not None:
                return lately
            if (sound := await self._kept.stored(key)) is None:
                try:
                    sound = await self._worker.do(functools.partial(_sound, voice, words), wanted_at)
                except Exception:  # an engine may raise anything; the next voice speaks
                    log.warning("voice failed: voice=%s language=%s", voice.identity, language, exc_info=True)
                    continue
                if fixed:
                    await self._kept.store(key, sound, voice.rate)
            pcm = await asyncio.to_thread(resampled, sound, voice.rate, rate_hz)
            self._kept.remember(key, rate_hz, pcm)
            return pcm
        raise CannotSpeak(f"no voice for {language!r} could speak")


class Saying:
    """What is being said: iterate it, one clause at a time, and close it. What is not wanted any more is not made."""

    def __init__(self, mouth: Mouth, text: str, language: str, rate_hz: int, within_s: float) -> None:
        self._made: asyncio.Queue[Pcm | Exception | None] = asyncio.Queue(AHEAD)
        self._making = asyncio.create_task(self._make(mouth, text, language, rate_hz, within_s))

    def __aiter__(self) -> Saying:
        return self

    async def __anext__(self) -> Pcm:
        if self._making.done() and self._made.empty():
            raise StopAsyncIteration
        piece = await self._made.get()
        if piece is None:
            raise StopAsyncIteration
        if isinstance(piece, Exception):
            raise piece
        return piece

    async def aclose(self) -> None:
        self._making.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._making
        while not self._made.empty():
            self._made.get_nowait()
        self._made.put_nowait(None)  # for whoever waits in another task

    async def _make(self, mouth: Mouth, text: str, language: str, rate_hz: int, within_s: float) -> None:
        wanted_at = time.monotonic() + within_s
        try:
            for piece in await mouth.pieces(text, language, brief=within_s < HURRY_S):
                pcm = await mouth.clause(piece, language, rate_hz, wanted_at)
                wanted_at = max(wanted_at, time.monotonic()) + len(pcm) / rate_hz
                await self._made.put(pcm)
            await self._made.put(None)
        except Exception as wrong:  # noqa: BLE001  # told to whoever listens
            await self._made.put(wrong)


def _key(words: str, voice: Voice) -> str:
    return hashlib.sha256(f"{voice.identity}\n{SHAPE}\n{words}".encode()).hexdigest()


def _sound(voice: Voice, words: str) -> Pcm:
    """In the worker's thread: the clause as loud as every other, without the silence that engines put around it."""
    pcm = levelled(trimmed(voice.speak(words), voice.rate), voice.rate)
    return np.concatenate([pcm, pause_after(words, voice.rate)])


class _Kept:
    """Sound that was made before: in memory what was said lately, on disk the fixed words, at the rate of their voice."""

    def __init__(self, directory: Path | None, most_bytes: int) -> None:
        self._directory = directory
        self._most_bytes = most_bytes
        self._bytes = 0
        self._lately: OrderedDict[tuple[str, int], Pcm] = OrderedDict()

    def lately(self, key: str, rate_hz: int) -> Pcm | None:
        if (pcm := self._lately.get((key, rate_hz))) is not None:
            self._lately.move_to_end((key, rate_hz))
        return pcm

    def remember(self, key: str, rate_hz: int, pcm: Pcm) -> None:
        pcm.setflags(write=False)  # the same samples are given to every call
        self._bytes += pcm.nbytes - getattr(self._lately.pop((key, rate_hz), None), "nbytes", 0)
        self._lately[(key, rate_hz)] = pcm
        while self._bytes > self._most_bytes:
            self._bytes -= self._lately.popitem(last=False)[1].nbytes

    async def has(self, key: str) -> bool:
        return self._directory is not None and await asyncio.to_thread((self._directory / f"{key}.wav").is_file)

    async def stored(self, key: str) -> Pcm | None:
        return await asyncio.to_thread(_read, self._directory / f"{key}.wav") if self._directory else None

    async def store(self, key: str, pcm: Pcm, rate_hz: int) -> None:
        if self._directory:
            await asyncio.to_thread(_write, self._directory / f"{key}.wav", pcm, rate_hz)


def _read(file: Path) -> Pcm | None:
    try:
        return read_wav(file)[0]
    except FileNotFoundError:
        return None
    except (wave.Error, EOFError, ValueError):
        log.warning("damaged sound, made anew: file=%s", file)
        return None


def _write(file: Path, pcm: Pcm, rate_hz: int) -> None:
    """Whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    write_wav(part, pcm, rate_hz)
    part.replace(file)
