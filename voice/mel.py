"""What Whisper's encoder and Smart Turn's see of a sound: 80 bands of the mel scale, a hundred times a second.

The same numbers as OpenAI's `log_mel_spectrogram`, without its dependency on torch.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

RATE = 16_000
_WINDOW, _HOP, _BANDS = 400, 160, 80

Sound = NDArray[np.float32]


def log_mel(sound: Sound) -> Sound:
    """Shape (80, samples / 160), from samples between -1 and 1 at 16 kHz."""
    padded = np.pad(sound, _WINDOW // 2, mode="reflect")
    frames = sliding_window_view(padded, _WINDOW)[::_HOP][: len(sound) // _HOP]
    power = np.abs(np.fft.rfft(frames * np.hanning(_WINDOW + 1)[:-1].astype(np.float32), axis=1)) ** 2
    loud = np.log10(np.maximum(power.astype(np.float32) @ _bands(), 1e-10))
    shown: Sound = ((np.maximum(loud, loud.max() - 8.0) + 4.0) / 4.0).T.astype(np.float32)
    return np.ascontiguousarray(shown)


@cache
def _bands() -> Sound:
    """Slaney's mel filters, each of the same area: (201 frequencies, 80 bands)."""
    hertz = np.fft.rfftfreq(_WINDOW, 1 / RATE)
    edges = _hertz(np.linspace(0.0, 45.245640471924965, _BANDS + 2))  # that mel is 8 kHz
    rising = (hertz[:, None] - edges[None, :-2]) / np.diff(edges)[None, :-1]
    falling = (edges[None, 2:] - hertz[:, None]) / np.diff(edges)[None, 1:]
    bands: Sound = (np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2])).astype(np.float32)
    return bands


def _hertz(mels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Linear to 1 kHz (15 mel), logarithmic above."""
    high = 1000 * np.exp(np.log(6.4) / 27.0 * (mels - 15.0))
    hertz: NDArray[np.float64] = np.where(mels >= 15.0, high, mels * 200.0 / 3)
    return hertz
