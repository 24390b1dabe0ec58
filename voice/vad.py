"""Whether somebody is speaking right now: Silero's network, as it comes with faster-whisper. Knows nothing of turns."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from voice.audio import Pcm
from voice.onnx import session

RATE = 16_000
CHUNK = 512
"""Samples at once, 32 milliseconds: the network takes no other number."""
_BEFORE = 64
"""Samples before them that the network wants to see again."""


class Vad:
    """One stream. The network is shared by all of them; what it remembers is not."""

    def __init__(self) -> None:
        """The first one reads the network, which blocks for half a second."""
        self._network = _network()
        self._before = np.zeros(_BEFORE, np.float32)
        self._h = self._c = np.zeros((1, 1, 128), np.float32)

    def __call__(self, pcm: Pcm) -> float:
        """How likely it is that somebody speaks in these 512 samples at 16 kHz."""
        sound = np.concatenate([self._before, pcm.astype(np.float32) / 32768])
        self._before = sound[-_BEFORE:]
        said, self._h, self._c = self._network.run(None, {"input": sound[None], "h": self._h, "c": self._c})
        return float(said.ravel()[-1])

    def reset(self) -> None:
        """Another caller."""
        self._before = np.zeros(_BEFORE, np.float32)
        self._h = self._c = np.zeros((1, 1, 128), np.float32)


def speech(pcm: Pcm) -> list[float]:
    """The probabilities of a whole recording at 16 kHz, one for each full chunk."""
    vad = Vad()
    return [vad(pcm[at : at + CHUNK]) for at in range(0, len(pcm) - CHUNK + 1, CHUNK)]


@cache
def _network() -> Any:
    """The file is found without importing its package, which would bring a whole recogniser."""
    package = find_spec("faster_whisper")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("faster-whisper is not installed. Run: make phone")
    return session(Path(package.origin).with_name("assets") / "silero_vad_v6.onnx")
