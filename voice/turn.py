"""One turn of the caller's, and what it says in words: asked for at the first pause, thrown away if they go on, kept if not.

Knows the ears; knows no line and no meaning.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Protocol
from weakref import WeakKeyDictionary

import msgspec
import numpy as np

from voice.audio import Pcm
from voice.talking import Talking
from voice.whisper import Heard

log = logging.getLogger(__name__)

RATE = 16_000


class Hearing(Protocol):
    """What `voice.whisper.Ears` is."""

    async def hear(
        self, audio: Pcm, *, language: str | None, hotwords: str = "", deadline_s: float = 8.0, urgent: bool = False
    ) -> Heard: ...


class Wanted(msgspec.Struct, frozen=True):
    """How a turn is to be understood."""

    language: str | None = None
    hotwords: str = ""

    def served_by(self, other: Wanted, heard: Heard) -> bool:
        """Whether what was heard that way will do: a language that was detected is as good as one that was given."""
        nobody = not heard.text and not heard.doubt
        detected = other.language is None and self.language == heard.language
        return nobody or detected or self.language == other.language


_asking: WeakKeyDictionary[Hearing, int] = WeakKeyDictionary()
"""Questions under way, of all calls: a partial transcript is never in anybody's way."""


class Turn:
    """From the caller's first sound on. ``stirred`` is called when words are known."""

    def __init__(
        self, ears: Hearing, settings: Talking, *, began_at: float, pre_roll: Pcm, stirred: Callable[[], None]
    ) -> None:
        self._ears, self._settings, self._stirred = ears, settings, stirred
        self.began_at = began_at
        self.audio = _Growing(pre_roll)
        self.silence_s = 0.0
        self.ended_at: float | None = None
        self.speech_until = began_at
        self.heard_at: float | None = None
        self.early = False
        self.urgent = False
        """The partial words already decide what is to be done."""
        self.unasked = False
        """Said while nobody could be interrupted: no answer to anything, unless it is what is watched for."""
        self.pauses = 0
        self.partial: Heard | None = None
        """What was understood while they were speaking, or at a pause."""
        self._checked: Heard | None = None
        self._whole: asyncio.Task[Heard] | None = None
        self._wanted = Wanted()
        self._next_partial = len(pre_roll) + int(settings.partial_s * RATE)
        self._aside: asyncio.Task[Heard] | None = None

    # ---- while it lasts -------------------------------------------------------------------------------------------

    def add(self, pcm: Pcm, *, now: float, silence_s: float) -> None:
        self.audio.add(pcm)
        self.silence_s = silence_s
        self.speech_until = max(self.speech_until, now - silence_s)

    def pause(self, audio: Pcm, wanted: Wanted) -> None:
        """Perhaps this was all."""
        self.pauses += 1
        self._drop(self._aside)
        self._ask_whole(audio, wanted)

    def go_on(self) -> None:
        """It was not all: the transcript is thrown away."""
        self._drop(self._whole)
        self._whole = None

    def end(self, audio: Pcm, *, now: float) -> None:
        self._drop(self._aside)
        self.audio = _Growing(audio)
        self.ended_at = now
        self.early = self._whole is not None

    def listen_aside(self, wanted: Wanted) -> None:
        """A transcript of what was said so far, when there is enough new and nobody else needs the ears."""
        if self.audio.samples < self._next_partial or self._whole or self._aside or _asking.get(self._ears):
            return
        self._next_partial = self.audio.samples + int(self._settings.partial_s * RATE)
        audio = self.audio.last(int(self._settings.partial_most_s * RATE))
        self._aside = self._asked(audio, wanted, urgent=False)
        self._aside.add_done_callback(self._heard_aside)

    # ---- what it says ---------------------------------------------------------------------------------------------

    def transcript(self, wanted: Wanted) -> Heard | None:
        """Of the whole turn, after its end; None while it is being made. The first call may begin it."""
        if self._whole is None:
            self._ask_whole(self.audio.whole(), wanted)
        if self._whole is None or not self._whole.done():
            return None
        heard = self._whole.result()
        if wanted.served_by(self._wanted, heard):
            return heard
        self.early = False
        self._ask_whole(self.audio.whole(), wanted)
        return None

    @property
    def said(self) -> Heard | None:
        """The newest words; None before any are known."""
        if self._whole is not None:
            return self._whole.result() if self._whole.done() and not self._whole.cancelled() else None
        return self.partial

    @property
    def complete(self) -> bool:
        """`said` is of everything up to a pause."""
        return self._whole is not None

    def alarms(self, watch: Callable[[str], bool] | None) -> bool:
        """Whether the newest words are what ``watch`` waits for; each is asked about once."""
        newest = self.said or self.partial
        if watch and newest and newest is not self._checked and newest.text:
            self._checked = newest
            self.urgent = self.urgent or watch(newest.text)
        return self.urgent

    def close(self) -> None:
        self._drop(self._whole)
        self._drop(self._aside)

    # ---- below ----------------------------------------------------------------------------------------------------

    def _ask_whole(self, audio: Pcm, wanted: Wanted) -> None:
        self._drop(self._whole)
        self._wanted = wanted
        self._whole = self._asked(audio, wanted, urgent=True)
        self._whole.add_done_callback(lambda _: self._stirred())

    def _asked(self, audio: Pcm, wanted: Wanted, *, urgent: bool) -> asyncio.Task[Heard]:
        return asyncio.create_task(self._hear(audio, wanted, urgent=urgent))

    async def _hear(self, audio: Pcm, wanted: Wanted, *, urgent: bool) -> Heard:
        _asking[self._ears] = _asking.get(self._ears, 0) + 1
        try:
            return await self._ears.hear(
                audio,
                language=wanted.language,
                hotwords=wanted.hotwords,
                deadline_s=self._settings.hear_s,
                urgent=urgent,
            )
        except Exception:
            log.exception("ears failed: seconds=%.1f", len(audio) / RATE)
            return _not_understood(audio, wanted)
        finally:
            _asking[self._ears] -= 1

    def _heard_aside(self, task: asyncio.Task[Heard]) -> None:
        self._aside = None
        if not task.cancelled():
            self.partial = task.result()
            self._stirred()

    def _drop(self, task: asyncio.Task[Heard] | None) -> None:
        if task and not task.done():
            task.cancel()


class _Growing:
    """Audio that grows at its end."""

    def __init__(self, pcm: Pcm) -> None:
        self._chunks = [pcm]
        self.samples = len(pcm)

    def add(self, pcm: Pcm) -> None:
        self._chunks.append(pcm)
        self.samples += len(pcm)

    def whole(self) -> Pcm:
        return np.concatenate(self._chunks)

    def last(self, samples: int) -> Pcm:
        return self.whole()[-samples:]


def _not_understood(audio: Pcm, wanted: Wanted) -> Heard:
    """The ears broke down: somebody spoke, and we do not know what."""
    return Heard(
        text="",
        language=wanted.language or "",
        language_probability=0.0,
        no_speech=0.0,
        avg_logprob=-math.inf,
        seconds=len(audio) / RATE,
        took_s=0.0,
        doubt=True,
    )
