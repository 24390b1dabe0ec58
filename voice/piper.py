"""Piper: one neural voice a model file, a tenth of real time on one core. Knows nothing of languages."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np

from voice.audio import Pcm
from voice.onnx import session


class Piper:
    """A voice. One thread speaks with it."""

    slow = False

    def __init__(self, model: Path, *, sha256: str, threads: int = 1) -> None:
        """``model``: the .onnx file, its .onnx.json beside it; ``sha256``: the file's, as whoever verified it says."""
        from piper import PiperVoice, SynthesisConfig
        from piper.config import PiperConfig

        logging.getLogger("piper").setLevel(logging.WARNING)  # at DEBUG it would log what is said
        config = json.loads(model.with_name(f"{model.name}.json").read_bytes())
        self._voice = PiperVoice(session(model, threads=threads), PiperConfig.from_dict(config))
        self._manner = SynthesisConfig(normalize_audio=False)  # loudness is made alike elsewhere, for all voices
        self.rate: int = self._voice.config.sample_rate
        self.identity = f"piper {sha256}"

    def speak(self, words: str) -> Pcm:
        parts = [part.audio_int16_array for part in self._voice.synthesize(words, self._manner)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int16)
