"""espeak-ng, the program: a mechanical voice for every language, for when no other can speak."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np

from voice.audio import Pcm

VOICES = {"en": "en-us", "es": "es-419", "zh": "cmn-latn-pinyin", "hi": "hi"}
_WORDS_A_MINUTE = "150"
_PATIENCE_S = 20
_HEADER = 44
"""Of the WAV that the program writes; it tells no length, for it was written before the sound."""


class Espeak:
    """A voice of the installed program."""

    rate = 22050
    slow = False

    def __init__(self, language: str) -> None:
        """Raises FileNotFoundError where the program is not installed."""
        program = shutil.which("espeak-ng")
        if program is None:
            raise FileNotFoundError("espeak-ng is not installed (Debian package espeak-ng)")
        self._command = (program, "-v", VOICES[language], "-s", _WORDS_A_MINUTE, "--stdin", "--stdout")
        self.identity = f"espeak-ng {VOICES[language]} {_WORDS_A_MINUTE}"

    def speak(self, words: str) -> Pcm:
        sound = subprocess.run(  # noqa: S603  # our own words by standard input, no shell
            self._command, input=words.encode(), capture_output=True, timeout=_PATIENCE_S, check=True
        ).stdout
        pcm: Pcm = np.frombuffer(sound[_HEADER:], np.int16)
        return pcm
