"""What the caller does, from moment to moment: speaks, pauses, presses keys, hangs up. Of what we say it knows the echo only."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Protocol

import numpy as np

from voice.audio import Pcm, Resampler
from voice.echo import Echo
from voice.endpoint import Ended, Endpoint, Event, Patience, Paused, Resumed, Started
from voice.line import Call, HungUp
from voice.talking import Talking
from voice.turn import RATE, Hearing, Turn, Wanted

CHUNK = 512
_PENDING = 2
"""Turns that nobody has asked for yet; older ones are forgotten."""


class SpeechDetector(Protocol):
    """What `voice.vad.Vad` is."""

    def __call__(self, pcm: Pcm) -> float: ...


class Completeness(Protocol):
    """What `voice.smart_turn.TurnEnd` is. It blocks."""

    def complete(self, audio: Pcm) -> float: ...


class Caller:
    """One call, read from its answer to its end; whoever waits for something waits for ``stirred``."""

    def __init__(
        self,
        call: Call,
        ears: Hearing,
        vad: SpeechDetector,
        *,
        turn_end: Completeness | None,
        settings: Talking,
        clock: Callable[[], float],
        read: Callable[[Pcm], None],
    ) -> None:
        """``read``: gets every frame of the caller's."""
        self._call, self._ears, self._vad, self._turn_end = call, ears, vad, turn_end
        self._settings, self._clock, self._read = settings, clock, read
        self._endpoint = Endpoint(settings.listening)
        self._tasks: set[asyncio.Task[None]] = set()
        self._rest: Pcm = np.zeros(0, np.int16)
        self._reading: asyncio.Task[None] | None = None
        self.stirred = asyncio.Event()
        self.digits: deque[str] = deque()
        self.gone = False
        self.turn: Turn | None = None
        """The one that they are at."""
        self.finished: deque[Turn] = deque()
        """Turns that ended, and nobody has asked for."""
        self.wanted = Wanted()
        self.watched = False
        """Somebody watches what is said while it is being said."""
        self.dictates = False
        """A key ends what they say, and does not undo it."""

    def start(self) -> None:
        """Once; the call is answered by now, and its rate known. Raises what broke down since."""
        if self._reading:
            self._check()
            return
        self._up = Resampler(self._call.rate, RATE)
        self.echo = Echo(self._call.rate)
        self._reading = self._task(self._follow())

    async def news(self, until: float | None = None) -> None:
        """Until something happens, or until that time. Raises what broke down."""
        try:
            async with asyncio.timeout(None if until is None else max(0.0, until - self._clock())):
                await self.stirred.wait()
        except TimeoutError:
            pass
        self.stirred.clear()
        self._check()

    @property
    def patience(self) -> Patience:
        return self._endpoint.patience

    @patience.setter
    def patience(self, patience: Patience) -> None:
        self._endpoint.patience = patience

    def forget(self) -> None:
        """Whatever was said up to now was not meant for us."""
        self.dismiss()
        while self.finished:
            self.finished.popleft().close()

    def dismiss(self) -> None:
        """The turn that is going on is none."""
        if self.turn:
            self.turn.close()
            self.turn = None
        self._endpoint.reset()

    async def close(self) -> None:
        """Nothing of ours runs any more when this returns."""
        for task in (tasks := list(self._tasks)):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        self.forget()

    # ---- below ----------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self._reading and self._reading.done() and not self._reading.cancelled():
            self._reading.result()

    async def _follow(self) -> None:
        keys = self._task(self._keys())
        try:
            while True:
                self._came(await self._call.read())
        except HungUp:
            pass
        finally:
            keys.cancel()
            self._hung_up()

    async def _keys(self) -> None:
        while True:
            self._pressed(await self._call.digits.get())

    def _pressed(self, key: str) -> None:
        """A key goes before all that is said."""
        self.digits.append(key)
        if not self.dictates:
            self.forget()
        elif self.turn:
            self._ended(self.turn, self.turn.audio.whole())
            self._endpoint.reset()
        self.stirred.set()

    def _hung_up(self) -> None:
        """What they were saying counts as said."""
        while not self._call.digits.empty():
            self.digits.append(self._call.digits.get_nowait())
        self.gone = True
        if self.turn:
            self._ended(self.turn, self.turn.audio.whole())
        self.stirred.set()

    def _came(self, pcm: Pcm) -> None:
        self._read(pcm)
        self.echo.came(pcm)
        self._rest = np.concatenate([self._rest, self._up(pcm)])
        while len(self._rest) >= CHUNK:
            chunk, self._rest = self._rest[:CHUNK], self._rest[CHUNK:]
            self._heard(chunk)

    def _heard(self, chunk: Pcm) -> None:
        speech = self._vad(chunk)
        if speech >= self._settings.listening.off and self.echo.ours():
            speech = 0.0
        turn = self.turn
        for event in self._endpoint(speech, chunk):
            self._happened(event)
        if turn and turn is self.turn:
            turn.add(chunk, now=self._clock(), silence_s=self._endpoint.silence_s)
            if self.watched and not turn.silence_s:
                turn.listen_aside(self.wanted)
            self.stirred.set()

    def _happened(self, event: Event) -> None:
        match event:
            case Started(pre_roll=pre_roll):
                began_at = self._clock() - self._settings.listening.onset_s
                self.turn = Turn(
                    self._ears, self._settings, began_at=began_at, pre_roll=pre_roll, stirred=self.stirred.set
                )
            case Paused(audio=audio) if self.turn:
                self.turn.pause(audio, self.wanted)
                if self.wanted.language not in (None, *self._settings.judged):
                    self._endpoint.complete = 0.0
                elif self._turn_end:
                    self._task(self._judge(self._turn_end, self.turn, audio))
            case Resumed() if self.turn:
                self.turn.go_on()
            case Ended(audio=audio) if self.turn:
                self._ended(self.turn, audio)
        self.stirred.set()

    def _ended(self, turn: Turn, audio: Pcm) -> None:
        turn.end(audio, now=self._clock())
        self.turn = None
        self.finished.append(turn)
        while len(self.finished) > _PENDING:
            self.finished.popleft().close()

    async def _judge(self, turn_end: Completeness, turn: Turn, audio: Pcm) -> None:
        """Whether it sounds complete, told to the endpoint if the pause still lasts."""
        pause = turn.pauses
        complete = await asyncio.to_thread(turn_end.complete, audio)
        if turn is self.turn and turn.pauses == pause and turn.complete:
            self._endpoint.complete = complete

    def _task(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
