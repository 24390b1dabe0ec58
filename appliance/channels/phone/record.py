"""What is remembered of a call while it lasts, and how that becomes its record. Holds times and kinds, no words."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import msgspec

from appliance.conversations.calls import Ended, Event, Exchange, Outcome, Quality
from appliance.message import Language

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from voice.line import Call
    from voice.talk import Timing


class Diary:
    """One call, as it goes."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._began = clock()
        self.outcome: Outcome = "nothing_said"
        self.reason = ""
        self.language: Language | None = None
        self.answered_ms: int | None = None
        self.greeted_ms: int | None = None
        self.barge_ins = 0
        self._turns: list[tuple[Exchange, int | None]] = []
        self._times: dict[int, Timing] = {}
        self.events: list[Event] = []

    def ms(self) -> int:
        """Since the ring."""
        return round((self._clock() - self._began) * 1000)

    def told(self, what: str, detail: str = "") -> None:
        self.events.append(Event(at_ms=self.ms(), what=what, detail=detail))

    def turn(self, kind: str, language: Language, number: int | None, *, said: str) -> None:
        """What came of a turn, and how our speaking ended; its times are known by that number of the talk's."""
        self._turns.append((Exchange(at_ms=self.ms(), kind=kind, language=language, said=said), number))

    def timed(self, timing: Timing) -> None:
        """A turn's times, as they become known. Before the first turn stands all that we say unasked; the greeting is its first."""
        self._times[timing.turn] = timing
        if timing.turn == 0 and timing.audio_s is not None and self.greeted_ms is None:
            self.greeted_ms = self._ms(timing.speech_at + timing.audio_s)

    @property
    def turns(self) -> int:
        return len(self._turns)

    def ended(self, call: Call) -> Ended:
        """How it went, with what the line says of itself."""
        return Ended(
            outcome=self.outcome,
            reason=self.reason or call.reason,
            language=self.language,
            answered_ms=self.answered_ms,
            greeted_ms=self.greeted_ms,
            rate=getattr(call, "rate", None),
            barge_ins=self.barge_ins,
            quality=_quality(call),
            turns=tuple(self._exchange(turn, number) for turn, number in self._turns),
            events=tuple(self.events),
        )

    def _exchange(self, turn: Exchange, number: int | None) -> Exchange:
        timing = self._times.get(number) if number is not None else None
        if timing is None:
            return turn
        return msgspec.structs.replace(
            turn,
            at_ms=self._ms(timing.speech_at),
            **{f"{name}_ms": _milli(getattr(timing, f"{name}_s")) for name in _STAGES},
        )

    def _ms(self, at: float) -> int:
        return round((at - self._began) * 1000)


_STAGES = ("speech", "ended", "heard", "text", "audio", "stopped")


def _milli(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)


def _quality(call: Call) -> Quality:
    try:
        stats = call.stats()
    except Exception:  # noqa: BLE001 - a call that is gone may have no figures any more
        return Quality()
    return Quality(**{name: getattr(stats, name) for name in Quality.__struct_fields__})


class Taps:
    """Who listens to a call's sound: recordings, while there are any."""

    def __init__(self) -> None:
        self._listening: list[Callable[..., None]] = []

    def __call__(self, direction: Literal["in", "out"], pcm: npt.NDArray[np.int16], rate: int) -> None:
        for listener in self._listening:
            listener(direction, pcm, rate)

    def add(self, listener: Callable[..., None]) -> None:
        self._listening.append(listener)

    def remove(self, listener: Callable[..., None]) -> None:
        if listener in self._listening:
            self._listening.remove(listener)
