"""Whether what comes in is our own voice coming back. Knows nothing of words, turns or who else may speak.

A telephone line or a loudspeaker returns what we say, weaker and up to half a second later. It is known by its level, far
below ours, or by its shape: delayed and attenuated it is still the same wave.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from voice.audio import Pcm, level_db

_RATE = 8000
"""At which shapes are compared."""
_WINDOW_S = 0.192
_REACH_S = 1.0
"""How far back what comes in is looked for: what waits on the line, the way there and the way back."""
_FAINT_DB = 26.0
"""So far below what we say nobody is heard who means us."""
_ALIKE, _STILL_ALIKE = 0.42, 0.35
"""Correlation from which on a wave is ours, and that of one that goes on. Measured at 8 kHz in µ-law, emphasised as below: a
line's echo is at 0.67 and above, a reverberating room's at 0.5 in the middle; of strangers' speech 99 of 100 windows are below
0.41. Who is louder than we are is no echo."""
_LOUDER_DB = 3.0
_FADES_DB = 5.0
"""A second, of how loud we were."""
_GOES_ON_S = 0.3
_EMPHASIS = 0.7
_QUIET_S = 0.2
_LEAST = 1e4


class Echo:
    """One call: told what goes out and what comes in."""

    def __init__(self, rate_hz: int) -> None:
        self._step = rate_hz // _RATE
        self._rate = rate_hz
        self._window = int(_WINDOW_S * _RATE)
        self._kept = int((_REACH_S + _WINDOW_S) * _RATE)
        self._out: Pcm = np.zeros(self._kept, np.int16)
        self._in: Pcm = np.zeros(self._window, np.int16)
        self._loudest = -100.0
        self._seen = -10.0
        self._clock = 0.0
        """Seconds that came in; when an echo was last seen."""
        self._since = 10 * rate_hz
        """Samples that came in since something last went out."""

    def played(self, pcm: Pcm) -> None:
        """This goes out."""
        self._out = np.concatenate([self._out, self._thinned(pcm)])[-self._kept :]
        self._loudest = max(level_db(pcm), self._loudest - _FADES_DB * len(pcm) / self._rate)
        self._since = 0

    def came(self, pcm: Pcm) -> None:
        """This came in."""
        self._in = np.concatenate([self._in, self._thinned(pcm)])[-self._window :]
        self._since += len(pcm)
        self._clock += len(pcm) / self._rate
        if self._since > _QUIET_S * self._rate:  # nothing was waiting any more: we were silent
            self._out = np.concatenate([self._out, self._thinned(np.zeros_like(pcm))])[-self._kept :]

    def ours(self) -> bool:
        """Whether the last fifth of a second that came in is what we said before. Costs a fifth of a millisecond."""
        if self._since > _REACH_S * self._rate:
            return False
        level = level_db(self._in)
        if level < self._loudest - _FAINT_DB:
            return True
        enough = _STILL_ALIKE if self._clock - self._seen < _GOES_ON_S else _ALIKE
        if level > self._loudest + _LOUDER_DB or self.likeness() < enough:
            return False
        self._seen = self._clock
        return True

    def likeness(self) -> float:
        """The best correlation of what came in with what went out, at any delay; 0 to 1."""
        heard, said = _emphasised(self._in), _emphasised(self._out)
        if len(heard) < self._window - 1 or len(said) <= len(heard) or (power := float(heard @ heard)) < _LEAST:
            return 0.0
        size = 1 << int(np.ceil(np.log2(len(said) + len(heard))))
        products = np.fft.irfft(np.fft.rfft(said, size) * np.conj(np.fft.rfft(heard, size)), size)
        products = products[: len(said) - len(heard) + 1]
        sums = np.concatenate([[0.0], np.cumsum(said.astype(np.float64) ** 2)])
        powers = sums[len(heard) :] - sums[: -len(heard)]
        loud = powers > _LEAST
        return float(np.max(np.abs(products[loud]) / np.sqrt(powers[loud] * power), initial=0.0))

    def _thinned(self, pcm: Pcm) -> Pcm:
        if self._step == 1:
            return pcm
        thinned: Pcm = pcm[: len(pcm) // 2 * 2].reshape(-1, 2).mean(axis=1).astype(np.int16)
        return thinned


def _emphasised(pcm: Pcm) -> NDArray[np.float32]:
    """Where voices differ."""
    wave = pcm.astype(np.float32)
    return wave[1:] - np.float32(_EMPHASIS) * wave[:-1]
