"""Sound as numbers: rates, telephone codes, levels, WAV files. Knows nothing of what is said.

PCM is mono, 16 bit, as `numpy.int16` arrays; an engine that wants floats makes them itself.
"""

from __future__ import annotations

import math
import wave
from functools import cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Pcm = NDArray[np.int16]

_HALF = 16
"""Zero crossings of the filter on each side: 60 dB less of what a lower rate cannot hold, a millisecond of delay at 16 kHz."""


class Resampler:
    """One stream from one rate to another; what comes out begins where what goes in begins."""

    def __init__(self, src_hz: int, dst_hz: int) -> None:
        common = math.gcd(src_hz, dst_hz)
        self._up, self._down = dst_hz // common, src_hz // common
        self._bank = _filters(self._up, self._down)
        self._kept = self._silence()
        self._came = self._sent = self._phase = 0

    def __call__(self, pcm: Pcm) -> Pcm:
        """As much as can be known already; the rest comes with the next samples or with ``flush``."""
        if self._up == self._down:
            return pcm
        self._kept = np.concatenate([self._kept, pcm.astype(np.float32)])
        self._came += len(pcm)
        return self._made(self._whole(len(self._kept) - self._bank.shape[1] + 1))

    def flush(self) -> Pcm:
        """The rest of the stream, to the sample; then a new stream may begin."""
        if self._up == self._down:
            return np.zeros(0, np.int16)
        owed = -(-self._came * self._up // self._down) - self._sent
        self._kept = np.concatenate([self._kept, np.zeros(self._bank.shape[1] + self._down, np.float32)])
        rest = self._made(owed)
        self._kept = self._silence()
        self._came = self._sent = self._phase = 0
        return rest

    def _silence(self) -> NDArray[np.float32]:
        """Before the stream: the filter looks to both sides."""
        return np.zeros(self._bank.shape[1] // 2 - 1, np.float32)

    def _whole(self, windows: int) -> int:
        """How many samples can be made of so many windows of input."""
        return max(0, (windows * self._up - self._phase + self._down - 1) // self._down)

    def _made(self, count: int) -> Pcm:
        if count <= 0:
            return np.zeros(0, np.int16)
        places = self._phase + np.arange(count) * self._down
        windows = sliding_window_view(self._kept, self._bank.shape[1])
        sound = np.einsum("ij,ij->i", windows[places // self._up], self._bank[places % self._up])
        self._phase += count * self._down
        done, self._phase = divmod(self._phase, self._up)
        self._kept = self._kept[done:]
        self._sent += count
        pcm: Pcm = np.clip(np.round(sound), -32768, 32767).astype(np.int16)
        return pcm


def resampled(pcm: Pcm, src_hz: int, dst_hz: int) -> Pcm:
    """A whole recording at another rate."""
    resampler = Resampler(src_hz, dst_hz)
    return np.concatenate([resampler(pcm), resampler.flush()])


@cache
def _filters(up: int, down: int) -> NDArray[np.float32]:
    """A windowed sinc for each place between two samples of the input; rows sum to one."""
    cutoff = 0.94 * min(1.0, up / down)
    half = math.ceil(_HALF / cutoff)
    after = np.arange(up)[:, None] / up
    at = np.arange(1 - half, half + 1)[None] - after
    taps = np.sinc(cutoff * at) * np.kaiser(4096, 7.0)[np.clip((at / half + 1) * 2047.5, 0, 4095).astype(int)]
    bank: NDArray[np.float32] = (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)
    return bank


# ---- G.711 -----------------------------------------------------------------------------------------------------------


def mulaw(pcm: Pcm) -> bytes:
    """As µ-law (ITU-T G.711): what a telephone line keeps of each sample."""
    size = np.minimum(np.abs(pcm.astype(np.int32)), 32635) + 132
    exponent = np.frexp(size)[1] - 8
    mantissa = (size >> (exponent + 3)) & 0x0F
    sign = np.where(pcm < 0, 0x80, 0)
    return bytes((~(sign | (exponent << 4) | mantissa) & 0xFF).astype(np.uint8))


def unmulaw(data: bytes) -> Pcm:
    code = ~np.frombuffer(data, np.uint8).astype(np.int32) & 0xFF
    size = (((code & 0x0F) << 3) + 132 << ((code >> 4) & 7)) - 132
    pcm: Pcm = np.where(code & 0x80, -size, size).astype(np.int16)
    return pcm


# ---- levels and files ------------------------------------------------------------------------------------------------


def level_db(pcm: Pcm) -> float:
    """Mean power, in decibels below full scale; -100 for silence or nothing."""
    power = float(np.mean(np.square(pcm, dtype=np.float64))) if len(pcm) else 0.0
    return max(-100.0, 10 * math.log10(power / 32768.0**2)) if power else -100.0


def read_wav(file: Path) -> tuple[Pcm, int]:
    """The first channel of a 16 bit file, and its rate."""
    with wave.open(str(file)) as sound:
        if sound.getsampwidth() != 2:
            raise ValueError(f"{file} has {8 * sound.getsampwidth()} bits a sample; 16 are read here")
        pcm = np.frombuffer(sound.readframes(sound.getnframes()), np.int16)
        return pcm[:: sound.getnchannels()], sound.getframerate()


def write_wav(file: Path, pcm: Pcm, rate_hz: int) -> None:
    with wave.open(str(file), "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(rate_hz)
        sound.writeframes(pcm.astype(np.int16).tobytes())
