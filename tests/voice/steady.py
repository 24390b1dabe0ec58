"""A voice that never varies: the same words always sound the same, so ears always understand them alike."""

from __future__ import annotations

from pathlib import Path

from voice.piper import Piper


class Steady(Piper):
    """Piper without chance."""

    def __init__(self, model: Path, *, sha256: str = "of the test") -> None:
        super().__init__(model, sha256=sha256)
        self._manner.noise_scale = self._manner.noise_w_scale = 0.0
