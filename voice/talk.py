"""One call, from samples to words and back: speak, hear, collect keys. The dialogue stands above it as a straight line.

Knows nothing of what the words mean, of patients, or of SIP. Keys go before words; who speaks over us stops us.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from typing import Literal

import msgspec

from voice.audio import Pcm
from voice.backchannel import backchannel
from voice.caller import Caller, Completeness, SpeechDetector
from voice.endpoint import Patience
from voice.line import Call
from voice.playback import Playback, Speaker
from voice.talking import Talking, Timing
from voice.turn import Hearing, Turn, Wanted
from voice.whisper import Heard

__all__ = ["Digit", "Gone", "Quiet", "Spoken", "Talk", "Talking", "Timing", "Utterance"]

Watch = Callable[[str], bool]
Tap = Callable[[Literal["in", "out"], Pcm, int], None]
Why = Literal["done", "barge_in", "digit", "urgent", "hung_up"]


class Spoken(msgspec.Struct, frozen=True, kw_only=True):
    """What came of something that we said."""

    heard_by_caller: str
    """The words that sounded to their end, as reckoned from the samples that were sent."""
    whole: bool
    why: Why
    """Why it ended. ``urgent``: the caller's words, which `hear` gives next, are what was watched for."""

    def __repr__(self) -> str:
        return f"Spoken({len(self.heard_by_caller)} characters, {self.why})"


class Utterance(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller said. Without text: it was not understood."""

    text: str
    language: str
    audio: Pcm
    """16 kHz."""
    language_probability: float = 1.0
    """1 where the language was given."""
    timings: Timing | None = None

    def __repr__(self) -> str:
        return f"Utterance({self.language}, {len(self.text)} characters)"


class Digit(msgspec.Struct, frozen=True):
    """A key of the telephone."""

    key: str


class Quiet(msgspec.Struct, frozen=True):
    """Nobody said a word."""


class Gone(msgspec.Struct, frozen=True):
    """The call is over."""


class Talk:
    """One call. It listens from the first `speak`, `hear` or `collect` to the call's end, also while nobody asks."""

    def __init__(
        self,
        call: Call,
        ears: Hearing,
        vad: SpeechDetector,
        mouth: Speaker,
        *,
        turn_end: Completeness | None = None,
        settings: Talking | None = None,
        clock: Callable[[], float] = time.monotonic,
        tap: Tap | None = None,
        on_timing: Callable[[Timing], None] | None = None,
    ) -> None:
        """``tap``: gets what comes in and what goes out; ``on_timing``: gets each turn's times as they become known."""
        self._call, self._mouth, self._clock, self._tap, self._on_timing = call, mouth, clock, tap, on_timing
        self._settings = settings or Talking()
        self._caller = Caller(
            call, ears, vad, turn_end=turn_end, settings=self._settings, clock=clock, read=self._came_in
        )
        self._timing = Timing(turn=0, speech_at=0.0)

    async def speak(
        self,
        text: str | AsyncIterator[str],
        language: str,
        *,
        interruptible: bool = True,
        keys: bool = True,
        watch: Watch | None = None,
    ) -> Spoken:
        """Say it, sentence by sentence as it comes, until it is said or something goes before it.

        Words of the caller stop it unless it is not ``interruptible``, a key unless not ``keys``: then it comes at the next call.
        What ``watch`` waits for always does. ``text`` is closed when this returns. Raises what it or the voice raises.
        """
        self._caller.start()
        began = self._clock()
        if not self._timing.turn:
            self._timing = Timing(turn=0, speech_at=began)
        playback = self._playback(text, language)
        try:
            why = await self._until_something(playback, language, interruptible=interruptible, keys=keys, watch=watch)
        finally:
            self._caller.watched = False
            await playback.close()
        self._spoken_at(playback)
        if playback.failure:
            raise playback.failure
        if not interruptible and why == "done":
            self._forget_unasked(began, watch)
        return Spoken(heard_by_caller=playback.heard(), whole=playback.whole, why=why)

    async def hear(
        self,
        *,
        language: str | None,
        hotwords: str = "",
        first_s: float = 6.0,
        patience: Patience = "normal",
        dictated: bool = False,
        watch: Watch | None = None,
    ) -> Utterance | Digit | Quiet | Gone:
        """What the caller says next, or has begun to say. ``first_s``: how long they may be silent before they speak.

        ``watch`` sees what is understood while they still speak; at its word the turn ends at once. A key undoes what was being
        said, or, if ``dictated``, ends it: then the words come first, and the key at the next call.
        """
        caller = self._caller
        caller.start()
        caller.wanted, caller.patience, caller.watched = Wanted(language, hotwords), patience, watch is not None
        caller.dictates = dictated
        try:
            return await self._next(self._clock() + first_s, watch)
        finally:
            caller.patience, caller.watched, caller.dictates = "normal", False, False

    async def collect(self, most: int, *, timeout_s: float, ends: str = "#") -> str:
        """Keys, at most so many, until one of ``ends``, or none for so long."""
        caller, typed = self._caller, ""
        caller.start()
        until = self._clock() + timeout_s
        while len(typed) < most:
            if caller.digits:
                key = caller.digits.popleft()
                if key in ends:
                    break
                typed += key
                until = self._clock() + timeout_s
            elif caller.gone or self._clock() >= until:
                break
            else:
                await caller.news(until)
        return typed

    async def close(self) -> None:
        """Listen no more. The end of the call does the same."""
        await self._caller.close()

    # ---- speaking -------------------------------------------------------------------------------------------------

    def _playback(self, text: str | AsyncIterator[str], language: str) -> Playback:
        return Playback(
            self._call,
            self._mouth,
            text,
            language,
            settings=self._settings,
            clock=self._clock,
            stirred=self._caller.stirred.set,
            going=self._caller.echo.played,
            sent=self._went_out,
        )

    async def _until_something(
        self, playback: Playback, language: str, *, interruptible: bool, keys: bool, watch: Watch | None
    ) -> Why:
        caller, earlier = self._caller, set(self._caller.finished)
        caller.watched = watch is not None
        begun = False
        while True:
            turns = self._turns()
            if keys and caller.digits:
                return "digit"
            if self._alarm(turns, watch):
                return "urgent"
            if caller.gone:
                return "hung_up"
            if not begun:
                begun = True
                playback.start()
            if interruptible and self._interrupted(playback, [turn for turn in turns if turn not in earlier], language):
                return "barge_in"
            if playback.done:
                return "done"
            self._spoken_at(playback)
            await caller.news()

    def _interrupted(self, playback: Playback, turns: list[Turn], language: str) -> bool:
        """Silent while somebody else speaks; True once that was more than a sign of listening."""
        for turn in turns:
            if not playback.paused and not playback.done:
                playback.pause()
                self._told(stopped_s=self._clock() - turn.began_at)
            meant = self._meant(turn, playback, language)
            if meant:
                return True
            if meant is False:
                self._discard(turn)
        if playback.paused and not any(turn is self._caller.turn or turn in self._caller.finished for turn in turns):
            playback.resume()
        return False

    def _meant(self, turn: Turn, playback: Playback, language: str) -> bool | None:
        """Whether the caller has something to say; None while that is open."""
        spoken_s = turn.speech_until - turn.began_at
        if spoken_s >= self._settings.certain_s:
            return True
        heard = turn.said
        if heard is None:
            return None
        if heard.text and not backchannel(heard.text, heard.language, language):
            return True
        if not turn.complete:
            return None
        if not heard.text:
            return heard.doubt
        left_s = playback.left_s
        return left_s is not None and left_s <= self._settings.answer_s

    def _discard(self, turn: Turn) -> None:
        if turn is self._caller.turn:
            self._caller.dismiss()
        elif turn in self._caller.finished:
            self._caller.finished.remove(turn)
            turn.close()

    def _forget_unasked(self, began: float, watch: Watch | None) -> None:
        """What was said while nobody could be interrupted, and is over, was not meant as an answer.

        Where something is watched for and the words are not known yet, `hear` looks at them for that alone.
        """
        for turn in [turn for turn in self._caller.finished if turn.began_at >= began]:
            if watch and turn.said is None:
                turn.unasked = True
            else:
                self._discard(turn)

    # ---- hearing --------------------------------------------------------------------------------------------------

    async def _next(self, until: float, watch: Watch | None) -> Utterance | Digit | Quiet | Gone:
        caller, grace = self._caller, True
        while True:
            if caller.digits and not (caller.dictates and caller.finished):
                caller.forget()
                return Digit(caller.digits.popleft())
            turn = self._alarm(self._turns(), watch)
            if turn and (said := turn.said or turn.partial):
                self._discard(turn)
                return self._utterance(turn, said)
            if caller.finished:
                turn = caller.finished[0]
                if heard := turn.transcript(caller.wanted):
                    caller.finished.popleft()
                    if turn.unasked:
                        continue
                    if heard.text or heard.doubt:
                        return self._utterance(turn, heard)
                    if grace:  # a noise: whoever was about to speak still may
                        grace, until = False, max(until, self._clock() + self._settings.grace_s)
                    continue
            elif caller.gone:
                return Gone()
            elif not caller.turn and self._clock() >= until:
                return Quiet()
            await caller.news(None if caller.finished or caller.turn else until)

    def _alarm(self, turns: list[Turn], watch: Watch | None) -> Turn | None:
        """The turn whose words are, or were found to be, what is watched for."""
        return next((turn for turn in turns if turn.alarms(watch)), None)

    def _turns(self) -> list[Turn]:
        """Those that nobody has asked for, and the one they are at."""
        return [*self._caller.finished, *([self._caller.turn] if self._caller.turn else [])]

    def _utterance(self, turn: Turn, heard: Heard) -> Utterance:
        now = self._clock()
        self._timing = Timing(turn=self._timing.turn + 1, speech_at=turn.speech_until)
        self._told(
            speech_s=max(0.0, turn.speech_until - turn.began_at),
            ended_s=(turn.ended_at or now) - turn.speech_until,
            heard_s=now - turn.speech_until,
            early=turn.early,
        )
        return Utterance(
            text=heard.text,
            language=heard.language,
            language_probability=heard.language_probability,
            audio=turn.audio.whole(),
            timings=self._timing,
        )

    # ---- times and taps -------------------------------------------------------------------------------------------

    def _spoken_at(self, playback: Playback) -> None:
        """The first words and sound after a turn."""
        at, known = self._timing.speech_at, self._timing
        if known.text_s is None and playback.text_at is not None:
            self._told(text_s=playback.text_at - at)
        if known.audio_s is None and playback.audio_at is not None:
            self._told(audio_s=playback.audio_at - at)

    def _told(self, **times: float) -> None:
        self._timing = msgspec.structs.replace(self._timing, **times)
        if self._on_timing:
            self._on_timing(self._timing)

    def _came_in(self, pcm: Pcm) -> None:
        if self._tap:
            self._tap("in", pcm, self._call.rate)

    def _went_out(self, pcm: Pcm) -> None:
        if self._tap:
            self._tap("out", pcm, self._call.rate)
