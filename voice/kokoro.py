"""Kokoro-82M: one network that speaks many languages, half of real time on one core. Knows nothing of calls.

A voice of it is a style: 256 numbers for each length of a clause. They lie in a space of eight dimensions, so that a
style of half a megabyte is kept in ``styles/`` as 25 kB (``styles/styles.toml`` says where they come from).
"""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from voice import pinyin
from voice.audio import Pcm
from voice.onnx import session
from voice.phonemes import phonemes

STYLES = Path(__file__).with_name("styles")
VOICES = {"en": "af_heart", "es": "ef_dora", "zh": "zm_yunyang", "hi": "hm_omega"}
"""Of those best understood in each language (`tests/bench/bench_speaking.py`) the ones with the least silence: the network makes
0.35 (es), 0.9 (hi) and 1.2 s (zh) of it around whatever is said, and that costs like speech."""

_ESPEAK = {"en": "en-us", "es": "es-419", "hi": "hi"}
_MOST_SOUNDS = 500
"""The network takes 510."""
_ONE_SIGN = {"aɪ": "I", "aʊ": "W", "dʒ": "ʤ", "eɪ": "A", "oʊ": "O", "əʊ": "Q", "tʃ": "ʧ", "ts": "ʦ", "ɔɪ": "Y"}
"""Sounds that espeak-ng writes with two signs and Kokoro with one."""
_HAN = re.compile(r"[㐀-鿿]+")


class _Alphabet(msgspec.Struct, frozen=True):
    sounds: dict[str, int]


class Network:
    """The network, shared by the voices of all languages; loaded when it first speaks."""

    def __init__(self, model: Path, *, sha256: str, threads: int = 1) -> None:
        self._model = model
        self._threads = threads
        self._session: Any = None
        self._loading = threading.Lock()
        self.sha256 = sha256
        self.alphabet = msgspec.toml.decode((STYLES / "alphabet.toml").read_bytes(), type=_Alphabet).sounds

    def sound(self, tokens: list[int], style: npt.NDArray[np.float32], speed: float) -> npt.NDArray[np.float32]:
        sound: npt.NDArray[np.float32] = (
            self._loaded()
            .run(
                None,
                {
                    "tokens": np.array([[0, *tokens, 0]], np.int64),
                    "style": style[None],
                    "speed": np.array([speed], np.float32),
                },
            )[0]
            .ravel()
        )
        return sound

    def _loaded(self) -> Any:
        with self._loading:
            self._session = self._session or session(self._model, threads=self._threads)
            return self._session


class Kokoro:
    """A voice in one language. One thread speaks with it."""

    rate = 24000
    slow = True

    def __init__(self, network: Network, language: str, style: str | None = None, *, speed: float = 1.0) -> None:
        self._network = network
        self._language = language
        self._speed = speed
        self._style = _style(style or VOICES[language])
        self.identity = f"kokoro {network.sha256} {style or VOICES[language]} {speed}"

    def speak(self, words: str) -> Pcm:
        tokens = [self._network.alphabet[sign] for sign in self.sounds(words) if sign in self._network.alphabet]
        pieces = [tokens[at : at + _MOST_SOUNDS] for at in range(0, len(tokens), _MOST_SOUNDS)]
        said = [self._network.sound(piece, self._style[len(piece) - 1], self._speed) for piece in pieces]
        pcm: Pcm = (np.clip(np.concatenate(said or [np.zeros(0, np.float32)]), -1, 1) * 32767).astype(np.int16)
        return pcm

    def sounds(self, words: str) -> str:
        """In Kokoro's alphabet."""
        if self._language != "zh":
            return _written(words, _ESPEAK[self._language])
        return "".join(
            pinyin.sounds(part) if _HAN.match(part) else _latin(part) for part in re.split(f"({_HAN.pattern})", words)
        )


def _written(words: str, espeak_voice: str) -> str:
    written = " ".join(f"{sounds}{sign}" for sounds, sign in phonemes(words, espeak_voice))
    for two, one in _ONE_SIGN.items():
        written = written.replace(two, one)
    return written.replace("-", "")


def _latin(part: str) -> str:
    """Between Chinese characters: signs as they are, other words by the rules of English."""
    return _written(part, _ESPEAK["en"]) if re.search(r"\w", part) else part.translate(_SIGNS)


_SIGNS = str.maketrans(
    {"，": ", ", "、": ", ", "。": ". ", "！": "! ", "？": "? ", "：": ": ", "；": "; "}
    | dict.fromkeys("“”「」『』（）()《》【】", " ")
)


def _style(name: str) -> npt.NDArray[np.float32]:
    with np.load(STYLES / f"{name}.npz") as parts:
        style: npt.NDArray[np.float32] = parts["middle"] + parts["by_length"] @ parts["directions"]
        return style
