"""Where a caller's turn begins, pauses and ends. Counts samples; knows no clock, no engine and no words."""

from __future__ import annotations

from collections import deque
from typing import Literal

import msgspec
import numpy as np

from voice.audio import Pcm

Patience = Literal["normal", "digits", "half"]
"""How long one waits for more: ``digits`` where a number is being said, ``half`` where the sentence so far is only half of one."""


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, and probabilities of speech."""

    on: float = 0.5
    off: float = 0.35
    """Between the two what was goes on."""
    onset_s: float = 0.128
    """So much speech begins a turn; less is a click."""
    onset_within_s: float = 0.256
    pre_roll_s: float = 0.4
    """Kept from before: the first consonant is not loud."""
    pause_s: float = 0.224
    """Silence after which it pays to begin to transcribe."""
    resume_s: float = 0.064
    """So much speech ends a pause."""
    complete: float = 0.8
    """From here on a turn that sounds complete is taken to be one (`tests/bench/bench_hearing.py turns`)."""
    sure_s: float = 0.4
    """Longest silence in a turn that sounds complete."""
    silence_s: float = 0.65
    """In one of which nobody said how it sounds."""
    unsure_s: float = 1.2
    """In one that sounds as if it went on."""
    half_s: float = 2.0
    digits_s: float = 1.5
    longest_s: float = 28.0
    """Longest turn: a recogniser hears no more at once."""


class Started(msgspec.Struct, frozen=True):
    """Somebody has begun to speak."""

    pre_roll: Pcm


class Paused(msgspec.Struct, frozen=True):
    """A first silence; perhaps this was all. ``audio``: the turn so far."""

    audio: Pcm


class Resumed(msgspec.Struct, frozen=True):
    """It was not all."""


class Ended(msgspec.Struct, frozen=True):
    """The turn is over. Where no Resumed came since the last Paused it has the same words as that one."""

    audio: Pcm
    silence_s: float
    """Since the last speech in it; 0 where it was only too long."""


Event = Started | Paused | Resumed | Ended


class Endpoint:
    """Turns out of a stream of (probability of speech, samples)."""

    def __init__(self, listening: Listening | None = None, *, rate_hz: int = 16_000) -> None:
        self._how = listening or Listening()
        self._rate = rate_hz
        self.patience: Patience = "normal"
        self.complete: float | None = None
        """How complete the turn sounds, as somebody found out after Paused; forgotten when it goes on."""
        self.reset()

    @property
    def speaking(self) -> bool:
        """A turn has begun and not ended."""
        return bool(self._turn)

    @property
    def silence_s(self) -> float:
        """Of the turn, up to now."""
        return self._silent / self._rate

    def reset(self) -> None:
        self._before: deque[tuple[Pcm, bool]] = deque()
        self._turn: list[Pcm] = []
        self._silent = self._voiced = 0
        self._paused = False
        self.complete = None

    def __call__(self, probability: float, pcm: Pcm) -> list[Event]:
        return self._going_on(probability, pcm) if self._turn else self._waiting(probability, pcm)

    def patient_s(self) -> float:
        """The silence that ends the turn, as things are."""
        how = self._how
        if self.patience != "normal":
            return how.digits_s if self.patience == "digits" else how.half_s
        if self.complete is None:
            return how.silence_s
        return how.sure_s if self.complete >= how.complete else how.unsure_s

    # ---- below ----------------------------------------------------------------------------------------------------

    def _waiting(self, probability: float, pcm: Pcm) -> list[Event]:
        self._before.append((pcm, probability >= self._how.on))
        self._forget()
        if self._lately_voiced() < self._how.onset_s * self._rate:
            return []
        self._turn = [chunk for chunk, _ in self._before]
        self._before.clear()
        self._silent = self._voiced = 0
        return [Started(np.concatenate(self._turn))]

    def _forget(self) -> None:
        most = self._how.pre_roll_s + self._how.onset_s
        while sum(len(chunk) for chunk, _ in self._before) > most * self._rate:
            self._before.popleft()

    def _lately_voiced(self) -> int:
        voiced = seen = 0
        for chunk, voice in reversed(self._before):
            seen += len(chunk)
            if seen > self._how.onset_within_s * self._rate:
                break
            voiced += len(chunk) * voice
        return voiced

    def _going_on(self, probability: float, pcm: Pcm) -> list[Event]:
        self._turn.append(pcm)
        quiet = probability < (self._how.on if self._silent else self._how.off)
        self._voiced = 0 if quiet else self._voiced + len(pcm)
        events: list[Event] = []
        if quiet or (self._paused and self._voiced < self._how.resume_s * self._rate):
            self._silent += len(pcm)
        else:
            self._silent = 0
            events += self._resumed()
        return events + self._perhaps_over()

    def _resumed(self) -> list[Event]:
        if not self._paused:
            return []
        self._paused = False
        self.complete = None
        return [Resumed()]

    def _perhaps_over(self) -> list[Event]:
        events: list[Event] = []
        if not self._paused and self._silent >= self._how.pause_s * self._rate:
            self._paused = True
            events.append(Paused(np.concatenate(self._turn)))
        too_long = sum(map(len, self._turn)) >= self._how.longest_s * self._rate
        if too_long or (self._paused and self._silent >= self.patient_s() * self._rate):
            events.append(Ended(np.concatenate(self._turn), self._silent / self._rate))
            self.reset()
        return events
