"""What was said, in words: Whisper, as faster-whisper runs it. Knows nothing of calls, turns or of what the words are about.

Whisper was taught on thirty seconds at a time; a short turn padded to that costs a second of a core before its first
word. Here the padding is short (`PADDING_S`), and a text that goes round in circles, as short padding makes it, is heard
again with more.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import re
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from voice.audio import Pcm
from voice.mel import log_mel
from voice.phantoms import babble, circling, once, phantom, unechoed
from voice.vad import CHUNK, speech
from voice.worker import Worker

log = logging.getLogger(__name__)

RATE = 16_000
PADDING_S = 8.0
"""Silence after the speech. With less, sentences are written twice and digits three times (`tests/bench/bench_hearing.py`)."""
WINDOW_S = 30.0
PIECE_S = 28.0
"""A longer recording is cut where it is quietest."""

_SPEECH = 0.5
_LEAST_SPEECH_S = 0.09
"""Less speech than that, and nobody spoke."""
_AROUND_S = 0.3
"""Kept of the silence around speech."""
_NO_SPEECH, _FAIR = 0.6, -0.4
"""Where the network holds it that nobody spoke and its words are no better than that, nobody did: of 121 recordings two are
lost, both misheard; of what it writes into noise nearly all."""
_WORTHLESS, _WORTHLESS_SHORT = -1.1, -1.5
"""Mean log probability below which the words were wrong, each time; a single word's is lower."""
_DOUBT, _DOUBT_SHORT, _SHORT_S = -0.5, -0.9, 1.0
"""Above -0.5 a sixth of the words is wrong, below two thirds; a single word has less to go by."""
_WORD_S = 1.3
"""A shorter piece, silence around it included, is a single word: five ways of writing it lead to the same word twice."""
_TOKENS_S = {"hi": 25.0}
"""More tokens a second of speech than these nobody says; Devanagari needs two or three a letter."""
_MOST_TOKENS = 220
_KIN = {"ur": "hi", "yue": "zh", "gl": "es", "ca": "es"}
"""Languages that Whisper hears where callers of ours speak: Hindi and Urdu are one to the ear."""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """One turn in words. Without text: nobody spoke; or, in ``doubt``, somebody did and was not understood."""

    text: str
    language: str
    language_probability: float
    """1 where the language was given."""
    no_speech: float
    """How likely the network holds it that nobody spoke."""
    avg_logprob: float
    seconds: float
    """Of the audio."""
    took_s: float
    """From the question to the answer, waiting included."""
    doubt: bool

    def __repr__(self) -> str:
        return f"Heard({self.language}, {len(self.text)} characters in {self.took_s:.2f} s)"


class Ears:
    """One model and its thread. Whoever is urgent goes first, then whose deadline is nearest."""

    def __init__(self, model: Any, *, languages: Sequence[str] = ("en", "es", "zh", "hi"), beam: int = 5) -> None:
        """``model``: a faster_whisper.WhisperModel; ``languages``: those that callers may speak."""
        self._whisper = _Whisper(model, tuple(languages) if model.model.is_multilingual else ("en",), beam)
        self._worker = Worker("ears")

    @classmethod
    def load(cls, directory: Path, threads: int = 2, *, languages: Sequence[str] = ("en", "es", "zh", "hi")) -> Ears:
        """Blocks for two seconds. ``directory``: model.bin, config.json, tokenizer.json and a vocabulary."""
        from faster_whisper import WhisperModel

        model = WhisperModel(
            str(directory), device="cpu", compute_type="int8", cpu_threads=threads, local_files_only=True
        )
        return cls(model, languages=languages)

    @property
    def languages(self) -> tuple[str, ...]:
        return self._whisper.languages

    async def hear(
        self, audio: Pcm, *, language: str | None, hotwords: str = "", deadline_s: float = 8.0, urgent: bool = False
    ) -> Heard:
        """The words in this audio (16 kHz). Cancelled: it is not begun, or goes no further than the next step.

        ``language``: a lock; none: the likeliest of ours. ``hotwords``: names that may come, and how they are spelt.
        What is not heard by the deadline is given up, in doubt.
        """
        began = time.monotonic()
        asked = _Asked(audio, language, hotwords, began, began + deadline_s)
        try:
            async with asyncio.timeout(deadline_s):
                return await self._worker.do(
                    functools.partial(self._whisper.hear, asked), asked.until - (1e6 if urgent else 0)
                )
        except TimeoutError:
            log.warning("not heard in time: seconds=%.1f limit_s=%.1f", len(audio) / RATE, deadline_s)
            return asked.given_up()
        finally:
            asked.given = True

    def close(self) -> None:
        """The thread ends after what it is at; what waits is cancelled."""
        self._worker.close()


class _Asked:
    """One question to the ears; both threads look at ``given``."""

    def __init__(self, audio: Pcm, language: str | None, hotwords: str, began: float, until: float) -> None:
        self.audio, self.language, self.hotwords, self.began, self.until = audio, language, hotwords, began, until
        self.given = False
        """Nobody waits for it any more."""

    def nobody(self, no_speech: float = 1.0, language: str | None = None) -> Heard:
        return self._without_text(no_speech, doubt=False, language=language)

    def given_up(self) -> Heard:
        return self._without_text(0.0, doubt=True, language=None)

    def _without_text(self, no_speech: float, *, doubt: bool, language: str | None) -> Heard:
        return Heard(
            text="",
            language=language or self.language or "",
            language_probability=0.0,
            no_speech=no_speech,
            avg_logprob=-math.inf,
            seconds=len(self.audio) / RATE,
            took_s=time.monotonic() - self.began,
            doubt=doubt,
        )


class _Read(msgspec.Struct, frozen=True):
    """What the network wrote for one piece."""

    text: str
    no_speech: float
    logprob: float


class _Whisper:
    """In the worker's thread."""

    def __init__(self, model: Any, languages: tuple[str, ...], beam: int) -> None:
        self._model = model
        self.languages = languages
        self._beam = beam
        self._token_s = 0.02
        """What one token takes on this box; learnt."""

    def hear(self, asked: _Asked) -> Heard:
        if asked.given or time.monotonic() > asked.until:
            return asked.given_up()
        voiced, sound = _trimmed(asked.audio)
        if voiced < _LEAST_SPEECH_S:
            return asked.nobody()
        language, sure = asked.language or "", 1.0
        read: list[_Read] = []
        for piece in _pieces(sound):
            encoded = self._encoded(piece, PADDING_S)
            if not language:
                language, sure = self._language(encoded)
            read.append(self._read(piece, encoded, language, asked))
            if asked.given:
                return asked.given_up()
        return _judged(asked, read, language, sure, voiced)

    def _read(self, piece: Pcm, encoded: Any, language: str, asked: _Asked) -> _Read:
        """Where the text goes round in circles once more without the names, which may begin it, then with all of the padding."""
        read = self._written(piece, encoded, language, asked, asked.hotwords)
        if asked.hotwords and self._circles(read, piece, asked):
            read = self._written(piece, encoded, language, asked, "")
        if self._circles(read, piece, asked):
            read = self._written(piece, self._encoded(piece, WINDOW_S), language, asked, "")
        return read

    @staticmethod
    def _circles(read: _Read, piece: Pcm, asked: _Asked) -> bool:
        """And there is time to hear it again."""
        return circling(read.text, len(piece) / RATE) and time.monotonic() + 2 < asked.until

    def _encoded(self, piece: Pcm, padding_s: float) -> Any:
        seconds = min(WINDOW_S, len(piece) / RATE + padding_s)
        samples = math.ceil(seconds * 50) * 320  # the encoder halves the hundred frames of a second
        sound = np.zeros(samples, np.float32)
        sound[: len(piece)] = piece[:samples].astype(np.float32) / 32768
        return self._model.encode(log_mel(sound))

    def _language(self, encoded: Any) -> tuple[str, float]:
        chance = dict.fromkeys(self.languages, 0.0)
        for token, probability in self._model.model.detect_language(encoded)[0]:
            language = token.strip("<|>")
            language = _KIN.get(language, language)
            if language in chance:
                chance[language] += probability
        best = max(chance, key=lambda language: chance[language])
        return best, chance[best]

    def _written(self, piece: Pcm, encoded: Any, language: str, asked: _Asked, hotwords: str) -> _Read:
        tokenizer, foreign = _tokenizer(self._model, language), _foreign(self._model, language)
        prompt = self._model.get_prompt(tokenizer, [], without_timestamps=True, hotwords=hotwords or None)
        most = self._most_tokens(len(piece) / RATE, language, asked.until)
        began = time.monotonic()
        result = self._model.model.generate(
            encoded,
            [prompt],
            beam_size=1 if len(piece) < _WORD_S * RATE else self._beam,
            max_length=min(len(prompt) + most, self._model.max_length),
            suppress_tokens=[-1, *foreign],
            return_scores=True,
            return_no_speech_prob=True,
        )[0]
        tokens = result.sequences_ids[0]
        self._token_s += 0.2 * ((time.monotonic() - began) / (len(tokens) + 1) - self._token_s)
        text = _simplified(tokenizer.decode(tokens).strip(), language)
        return _Read(text, result.no_speech_prob, result.scores[0] * len(tokens) / (len(tokens) + 1))

    def _most_tokens(self, seconds: float, language: str, until: float) -> int:
        """As many as can be said in the time, and can be written until the deadline."""
        said = 8 + _TOKENS_S.get(language, 12.0) * seconds
        in_time = (until - time.monotonic()) / max(self._token_s, 0.002)
        return int(max(4, min(said, in_time, _MOST_TOKENS)))


def _judged(asked: _Asked, read: Sequence[_Read], language: str, sure: float, voiced: float) -> Heard:
    """Without what nobody said, and without words that are sure to be wrong."""
    fair, least = (_DOUBT, _WORTHLESS) if voiced >= _SHORT_S else (_DOUBT_SHORT, _WORTHLESS_SHORT)
    said = [one for one in read if not _invented(one, language)]
    kept = [one for one in said if one.logprob >= least and not babble(one.text)]
    if not kept:
        return asked.given_up() if said else asked.nobody(max(one.no_speech for one in read), language)
    texts = [unechoed(one.text, voiced) for one in kept]
    looped = any(circling(text, len(asked.audio) / RATE) for text in texts)
    logprob = sum(one.logprob for one in kept) / len(kept)
    return Heard(
        text=("" if language == "zh" else " ").join(once(text) if looped else text for text in texts),
        language=language,
        language_probability=sure,
        no_speech=max(one.no_speech for one in kept),
        avg_logprob=logprob,
        seconds=len(asked.audio) / RATE,
        took_s=time.monotonic() - asked.began,
        doubt=looped or len(kept) < len(said) or logprob < fair or sure < 0.5,
    )


def _invented(read: _Read, language: str) -> bool:
    if not any(sign.isalnum() for sign in read.text):
        return True
    if read.no_speech > _NO_SPEECH and read.logprob < _FAIR:
        return True
    return phantom(read.text, language, unsure=read.no_speech > 0.3 or read.logprob < _DOUBT_SHORT)


# ---- the sound -------------------------------------------------------------------------------------------------------


def _trimmed(audio: Pcm) -> tuple[float, Pcm]:
    """Seconds of speech in it, and the audio from shortly before the first to shortly after the last of it."""
    spoken = np.flatnonzero(np.array(speech(audio)) >= _SPEECH)
    if not len(spoken):
        return 0.0, audio[:0]
    around = int(_AROUND_S * RATE)
    first, last = int(spoken[0]) * CHUNK, (int(spoken[-1]) + 1) * CHUNK
    return len(spoken) * CHUNK / RATE, audio[max(0, first - around) : last + around]


def _pieces(sound: Pcm) -> list[Pcm]:
    """Of at most ``PIECE_S``, cut in the quietest tenth of a second of the last third."""
    pieces = []
    while len(sound) > PIECE_S * RATE:
        most, tenth = int(PIECE_S * RATE), RATE // 10
        late = sound[most * 2 // 3 : most].astype(np.float64) ** 2
        loud = late[: len(late) // tenth * tenth].reshape(-1, tenth).mean(axis=1)
        cut = most * 2 // 3 + int(loud.argmin()) * tenth + tenth // 2
        pieces.append(sound[:cut])
        sound = sound[cut:]
    return [*pieces, sound]


# ---- the words -------------------------------------------------------------------------------------------------------


@cache
def _tokenizer(model: Any, language: str) -> Any:
    from faster_whisper.tokenizer import Tokenizer

    return Tokenizer(model.hf_tokenizer, model.model.is_multilingual, task="transcribe", language=language)


@cache
def _foreign(model: Any, language: str) -> tuple[int, ...]:
    """Tokens of scripts that this language is not written in: Hindi comes out in Urdu's letters otherwise."""
    allowed = _SCRIPTS.get(language)
    if allowed is None:
        return ()
    pieces = model.hf_tokenizer.get_vocab()
    letters = _byte_of_sign()
    return tuple(
        sorted(
            number
            for piece, number in pieces.items()
            if not piece.startswith("<|")
            and not allowed.fullmatch(bytes(letters[sign] for sign in piece if sign in letters))
        )
    )


_SCRIPTS = {
    "en": re.compile(rb"[\x00-\xcb\xe2]*"),
    "es": re.compile(rb"[\x00-\xcb\xe2]*"),
    "zh": re.compile(rb"[\x00-\xc3\xe2-\xe9\xef]*"),
    "hi": re.compile(rb"(?:[\x00-\xbf\xe2]|\xe0(?:$|[\xa4\xa5]))*"),
}
"""In UTF-8: Latin begins with a byte up to CB, Devanagari with E0 A4 or A5, general punctuation with E2, Chinese with E3 to E9
or EF. Hindi is not barred from A to Z: Whisper base then writes nothing at all."""


@cache
def _byte_of_sign() -> dict[str, int]:
    """GPT-2's alphabet: how a vocabulary spells a byte that is no visible letter."""
    seen = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in seen]
    return {chr(byte): byte for byte in seen} | {chr(256 + at): byte for at, byte in enumerate(hidden)}


def _simplified(text: str, language: str) -> str:
    return str(_converter().convert(text)) if language == "zh" else text


@cache
def _converter() -> Any:
    from opencc import OpenCC

    return OpenCC("t2s")
