"""Whether a turn sounds complete: Smart Turn v3.2 listens to its last eight seconds. Knows no words and no silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from voice.audio import Pcm
from voice.mel import log_mel
from voice.onnx import session

RATE = 16_000
_SECONDS = 8


class TurnEnd:
    """The network, shared by all calls. It blocks for some tens of milliseconds: ask it in a thread."""

    def __init__(self, model: Path, *, threads: int = 1) -> None:
        self._network = session(model, threads=threads)

    def complete(self, audio: Pcm) -> float:
        """How likely the turn (16 kHz, with the first of its silence) is over."""
        sound = audio[-_SECONDS * RATE :].astype(np.float32) / 32768
        sound = np.pad(sound, (_SECONDS * RATE - len(sound), 0))
        sound = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
        return float(self._network.run(None, {"input_features": log_mel(sound)[None]})[0].ravel()[0])
