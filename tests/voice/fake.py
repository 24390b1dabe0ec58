"""A telephone line on a clock of its own, ears that know a few sounds, a mouth that hisses: for tests of talking.

`run` runs a coroutine on a loop whose time jumps to the next thing that will happen, so that minutes of a call take
milliseconds. The same `FakeLine` on a usual loop is a line in real time.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, TypeVar

import numpy as np

from voice.audio import Pcm
from voice.line import HungUp, Stats
from voice.loudness import pause_after
from voice.sentences import SECOND, clauses
from voice.whisper import Heard

T = TypeVar("T")
FRAME_S = 0.02
LOUD = 6000


class VirtualLoop(asyncio.SelectorEventLoop):
    """Nobody waits: time is when the next thing happens. What would run in a thread runs at once."""

    def __init__(self) -> None:
        super().__init__(_Jumping(self))
        self.now = 0.0

    def time(self) -> float:
        return self.now

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]  # no thread
        del executor
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as wrong:  # noqa: BLE001 - as an executor does
            future.set_exception(wrong)
        return future


class _Jumping(selectors.DefaultSelector):
    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("everybody waits and nothing will ever happen")
        self._loop.now += max(0.0, timeout) + 1e-6  # whatever runs takes some time, or a deadline might never pass
        return super().select(0)


def run(work: Coroutine[Any, Any, T]) -> T:
    """To its end, on a clock of its own. Fails where a task is left that does not end by itself."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_and_all_tasks(work))


async def _and_all_tasks(work: Coroutine[Any, Any, T]) -> T:
    result = await work
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        done, left = await asyncio.wait(others, timeout=10)
        assert not left, f"tasks are left: {left}"
        for task in done:
            if not task.cancelled() and task.exception():
                raise AssertionError("a task failed unseen") from task.exception()
    return result


def now() -> float:
    return asyncio.get_running_loop().time()


class FakeLine:
    """A `voice.line.Call`. The caller does what `says`, `presses` and `hangs_up` have planned, by the loop's clock."""

    def __init__(self, *, rate: int = 8000, echo_db: float | None = None, echo_s: float = 0.1) -> None:
        """``echo_db``: what we say comes back so much weaker, ``echo_s`` later."""
        self.id, self.line, self.caller, self.called = "call-1", "main", "5551234", "100"
        self.headers: Mapping[str, str] = {}
        self.rate = rate
        self.digits: asyncio.Queue[str] = asyncio.Queue()
        self.ended = asyncio.Event()
        self.reason = ""
        self.most_buffered_s = 0.0
        self._frame = round(rate * FRAME_S)
        self._echo, self._echo_s = echo_db, echo_s
        self._began: float | None = None
        self._frames = 0
        self._plan: list[tuple[int, Pcm]] = []
        self._buffer: Pcm = np.zeros(0, np.int16)
        self._out: list[Pcm] = []
        self._drained = 0

    # ---- what the caller does ---------------------------------------------------------------------------------------

    def says(self, pcm: Pcm, at: float) -> float:
        """These samples, beginning then (seconds of the call). Returns when they end."""
        self._plan.append((round(at * self.rate), pcm))
        return at + len(pcm) / self.rate

    def presses(self, key: str, at: float) -> None:
        self._later(at, lambda: self.digits.put_nowait(key))

    def hangs_up(self, at: float) -> None:
        self._later(at, self.end)

    def end(self) -> None:
        self._sync()
        self.ended.set()

    @property
    def heard(self) -> Pcm:
        """All that the caller has heard, silence included, from the beginning of the call."""
        self._sync()
        return np.concatenate(self._out) if self._out else np.zeros(0, np.int16)

    def heard_at(self, since: float = 0.0, *, level: int = 200) -> float | None:
        """When, from then on, the caller hears the first sound of ours."""
        loud = np.flatnonzero(np.abs(self.heard[round(since * self.rate) :].astype(np.int32)) > level)
        return since + float(loud[0]) / self.rate if len(loud) else None

    def silent_from(self, *, level: int = 200) -> float:
        """The end of the last sound of ours."""
        loud = np.flatnonzero(np.abs(self.heard.astype(np.int32)) > level)
        return float(loud[-1] + 1) / self.rate if len(loud) else 0.0

    @property
    def time(self) -> float:
        """Seconds of the call."""
        return now() - self._start()

    # ---- the line -----------------------------------------------------------------------------------------------------

    async def answer(self) -> None:
        self._start()

    async def refuse(self, code: int = 486) -> None:
        self.end()

    async def read(self) -> Pcm:
        due = self._start() + (self._frames + 1) * FRAME_S
        while now() < due - 1e-9 and not self.ended.is_set():
            try:
                async with asyncio.timeout(due - now()):
                    await self.ended.wait()
            except TimeoutError:
                break
        if self.ended.is_set():
            raise HungUp(self.reason)
        self._frames += 1
        return self._caller_frame(self._frames - 1)

    def write(self, pcm: Pcm) -> int:
        self._alive()
        self._sync()
        self._buffer = np.concatenate([self._buffer, pcm])
        self.most_buffered_s = max(self.most_buffered_s, len(self._buffer) / self.rate)
        return len(pcm)

    @property
    def buffered_s(self) -> float:
        self._sync()
        return len(self._buffer) / self.rate

    def flush(self) -> float:
        self._alive()
        self._sync()
        thrown, self._buffer = len(self._buffer), self._buffer[:0]
        return thrown / self.rate

    async def hang_up(self) -> None:
        self.end()

    async def transfer(self, to: str, timeout_s: float) -> None:
        self.end()

    async def consult(self, to: str, timeout_s: float) -> FakeLine:
        return FakeLine(rate=self.rate)

    async def join(self, other: Any) -> None:
        self.end()

    async def hold(self) -> None: ...

    async def resume(self) -> None: ...

    def stats(self) -> Stats:
        return Stats()

    # ---- below --------------------------------------------------------------------------------------------------------

    def _start(self) -> float:
        if self._began is None:
            self._began = now()
        return self._began

    def _alive(self) -> None:
        if self.ended.is_set():
            raise HungUp(self.reason)

    def _later(self, at: float, act: Callable[[], None]) -> None:
        asyncio.get_running_loop().call_at(self._start() + at, act)

    def _sync(self) -> None:
        """What has gone out since last time; silence where nothing was there."""
        if self.ended.is_set():
            return
        until = math.floor((now() - self._start()) * self.rate + 1e-6)
        due, self._drained = until - self._drained, max(self._drained, until)
        if due > 0:
            sent, self._buffer = self._buffer[:due], self._buffer[due:]
            self._out.append(np.concatenate([sent, np.zeros(due - len(sent), np.int16)]))

    def _caller_frame(self, number: int) -> Pcm:
        start, end = number * self._frame, (number + 1) * self._frame
        frame = np.zeros(self._frame, np.float32)
        for at, pcm in self._plan:
            first, last = max(start, at), min(end, at + len(pcm))
            if first < last:
                frame[first - start : last - start] += pcm[first - at : last - at]
        if self._echo is not None:
            frame += self._returned(start, end) * 10 ** (-self._echo / 20)
        return np.clip(frame, -32768, 32767).astype(np.int16)

    def _returned(self, start: int, end: int) -> Any:
        late = round(self._echo_s * self.rate)
        heard = self.heard
        frame = np.zeros(self._frame, np.float32)
        first, last = max(0, start - late), min(len(heard), end - late)
        if first < last:
            frame[first - (start - late) : last - (start - late)] = heard[first:last]
        return frame


def sound(words: str, seconds: float = 1.0, rate: int = 8000, *, loud: float = LOUD) -> Pcm:
    """A caller's words: a chord that `FakeEars` know again."""
    at = np.arange(round(seconds * rate)) / rate
    chord = np.sin(2 * np.pi * _hertz(words) * at)
    return (loud * chord).astype(np.int16)


_WORDS: list[str] = []


def _hertz(words: str) -> float:
    """Each sentence has a tone of its own."""
    if words not in _WORDS:
        _WORDS.append(words)
    return 320.0 + 60.0 * (_WORDS.index(words) % 50)


class FakeVad:
    """Whoever is loud speaks."""

    def __call__(self, pcm: Pcm) -> float:
        return 0.95 if np.abs(pcm.astype(np.int32)).mean() > 150 else 0.02


class FakeEars:
    """Know `sound` again; what is between angle brackets is no word: "<cough>"."""

    def __init__(self, took_s: float = 0.4, *, language: str = "en") -> None:
        self.took_s, self.language = took_s, language
        self.asked: list[tuple[float, float, bool]] = []
        """When, seconds of audio, whether it was urgent."""
        self.thrown_away = 0
        self.at_once = self.most_at_once = 0

    async def hear(
        self, audio: Pcm, *, language: str | None, hotwords: str = "", deadline_s: float = 8.0, urgent: bool = False
    ) -> Heard:
        self.asked.append((now(), len(audio) / 16_000, urgent))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await asyncio.sleep(self.took_s)
        except asyncio.CancelledError:
            self.thrown_away += 1
            raise
        finally:
            self.at_once -= 1
        text = " ".join(_words_of(audio))
        return Heard(
            text=text,
            language=language or self.language,
            language_probability=1.0,
            no_speech=0.0 if text else 1.0,
            avg_logprob=-0.2,
            seconds=len(audio) / 16_000,
            took_s=self.took_s,
            doubt=False,
        )


def _words_of(audio: Pcm) -> list[str]:
    """The sentences in it, in their order, each once."""
    found: list[str] = []
    for at in range(0, len(audio) - 1600, 800):
        piece = audio[at : at + 1600].astype(np.float32)
        if np.abs(piece).mean() < 300:
            continue
        spectrum = np.abs(np.fft.rfft(piece * np.hanning(1600), 16_000))
        number = round((float(spectrum.argmax()) - 320) / 60)
        if 0 <= number < len(_WORDS) and (not found or found[-1] != _WORDS[number]):
            found.append(_WORDS[number])
    return [words for words in found if not words.startswith("<")]


class FakeTurnEnd:
    def __init__(self, probability: float) -> None:
        self.probability = probability

    def complete(self, audio: Pcm) -> float:
        return self.probability


class FakeMouth:
    """Says each clause as noise of its own, as long as it would take to say."""

    def __init__(self, took_s: float = 0.1) -> None:
        self.took_s = took_s
        self.said: list[str] = []
        self.open = 0

    def say(self, text: str, language: str, rate_hz: int, *, within_s: float = 0.0) -> AsyncGenerator[Pcm, None]:
        return self._say(text, rate_hz)

    async def _say(self, text: str, rate_hz: int) -> AsyncGenerator[Pcm, None]:
        self.open += 1
        try:
            for clause in clauses(text):
                await asyncio.sleep(self.took_s)
                self.said.append(clause)
                yield noise(clause, rate_hz)
        finally:
            self.open -= 1


def noise(clause: str, rate_hz: int) -> Pcm:
    """No two clauses alike, never silent but for the breath after each."""
    random = np.random.default_rng(zlib.crc32(clause.encode()))
    samples = round(max(0.2, len(clause) / SECOND) * rate_hz)
    hiss = np.convolve(random.normal(size=samples + 7), np.ones(8), "valid") * 1000
    pcm = np.clip(hiss, -20_000, 20_000).astype(np.int16)
    return np.concatenate([np.where(pcm == 0, 1, pcm).astype(np.int16), pause_after(clause, rate_hz)])


class Pieces:
    """A text that is generated bit by bit, and remembers when it was closed."""

    def __init__(self, text: str, every_s: float = 0.05, *, size: int = 5) -> None:
        self._text, self._every_s, self._size = text, every_s, size
        self.closed_at: float | None = None
        self.given = 0

    def __call__(self) -> AsyncIterator[str]:
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[str]:
        try:
            for at in range(0, len(self._text), self._size):
                await asyncio.sleep(self._every_s)
                self.given += 1
                yield self._text[at : at + self._size]
        finally:
            self.closed_at = now()
