"""What comes down a telephone line without a word in it, made of sines and chance: an hour of it has to be heard as nothing.

Each sound is at 8 kHz. The same seed gives the same samples.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voice.audio import Pcm

RATE: Final = 8000

Sound = NDArray[np.float64]
Chance = np.random.Generator

_SCALE: Final = (0, 2, 4, 5, 7, 9, 11, 12)


def noises(seconds: float, *, seed: int = 1) -> Iterator[tuple[str, Pcm]]:
    """Every kind once, each as long as that, at a level that a line may have."""
    for number, (name, sound) in enumerate(KINDS.items()):
        chance = np.random.default_rng([seed, number])
        made = sound(int(seconds * RATE), chance)
        level = 10 ** (chance.uniform(*_LEVELS.get(name, (-38, -16))) / 20)
        yield name, _pcm(made, level)


def silence(length: int, _chance: Chance) -> Sound:
    return np.zeros(length)


def comfort(length: int, chance: Chance) -> Sound:
    """What a telephone plays so that nobody thinks that the line is dead."""
    return _coloured(length, chance, 0.5)


def white(length: int, chance: Chance) -> Sound:
    return _coloured(length, chance, 0.0)


def traffic(length: int, chance: Chance) -> Sound:
    """Low, and swelling with each car."""
    return _coloured(length, chance, 2.0) * (0.3 + _swelling(length, chance, 6.0))


def hum(length: int, chance: Chance) -> Sound:
    """A bad charger: the mains and what it rings with."""
    at = _time(length)
    return sum((np.sin(2 * np.pi * 60 * n * at) / n for n in range(1, 12)), np.zeros(length)) + 0.1 * white(
        length, chance
    )


def clicks(length: int, chance: Chance) -> Sound:
    """A keyboard, a cup, a bad contact."""
    sound = 0.002 * white(length, chance)
    for start in _starts(length, chance, 0.4):
        knock = white(int(chance.integers(80, 700)), chance)
        _add(sound, start, knock * np.exp(-np.arange(len(knock)) / (len(knock) / 5)))
    return sound


def breath(length: int, chance: Chance) -> Sound:
    """Somebody waits, and breathes into the microphone."""
    sound = 0.002 * white(length, chance)
    for start in range(0, length - RATE, int(1.9 * RATE)):
        blow = _coloured(int(1.1 * RATE), chance, 0.8)
        _add(sound, start + int(chance.integers(0, RATE // 2)), blow * np.hanning(len(blow)))
    return sound


def coughs(length: int, chance: Chance) -> Sound:
    sound = 0.003 * white(length, chance)
    for start in _starts(length, chance, 3.0):
        for n in range(int(chance.integers(1, 4))):
            burst = _throat(_coloured(int(0.28 * RATE), chance, 0.6))
            _add(sound, start + int(n * 0.4 * RATE), burst * np.exp(-np.arange(len(burst)) / (0.07 * RATE)))
    return sound


def tones(length: int, _chance: Chance) -> Sound:
    """Ringing, busy, keys: what exchanges say."""
    at = _time(length)
    ring = (np.sin(2 * np.pi * 440 * at) + np.sin(2 * np.pi * 480 * at)) * (at % 6 < 2)
    busy = (np.sin(2 * np.pi * 480 * at) + np.sin(2 * np.pi * 620 * at)) * (at % 1 < 0.5)
    keys = (np.sin(2 * np.pi * 770 * at) + np.sin(2 * np.pi * 1336 * at)) * (at % 0.4 < 0.1)
    third = at % 30
    return np.where(third < 12, ring, np.where(third < 22, busy, keys))


def piano(length: int, chance: Chance) -> Sound:
    """Hold music: a tune over chords, struck."""
    sound = np.zeros(length)
    for beat, start in enumerate(range(0, length, RATE * 2 // 5)):
        _add(sound, start, _note(60 + _SCALE[chance.integers(0, 8)], 1.2, chance, decay=0.35))
        if beat % 4 == 0:
            for third in (48, 52, 55):
                _add(sound, start, 0.5 * _note(third + (0, 5, 7, -3)[beat // 4 % 4], 2.0, chance, decay=0.8))
    return sound


def strings(length: int, chance: Chance) -> Sound:
    """Hold music: long chords with vibrato, none of them struck."""
    sound = np.zeros(length)
    for start in range(0, length, int(2.4 * RATE)):
        for third in (48, 55, 60, 64):
            _add(sound, start, _note(third + int(chance.choice((-3, 0, 2, 5))), 3.0, chance, vibrato=0.008))
    return sound


def band(length: int, chance: Chance) -> Sound:
    """Hold music: bass, a tune and drums."""
    sound = 0.6 * piano(length, chance)
    for beat, start in enumerate(range(0, length, RATE // 2)):
        _add(sound, start, 1.5 * _note(36 + (0, 0, 5, 7)[beat // 4 % 4], 0.5, chance, decay=0.3))
        drum = _coloured(RATE // 6, chance, 0.0 if beat % 2 else 1.5)
        _add(sound, start, 1.2 * drum * np.exp(-np.arange(len(drum)) / (RATE / 25)))
    return sound


def murmur(length: int, chance: Chance) -> Sound:
    """Somebody speaks behind a wall: syllables and a tune of speech, no word."""
    sound = np.zeros(length)
    start = 0
    while start < length:
        for _ in range(int(chance.integers(4, 12))):
            syllable = _note(int(chance.integers(43, 52)), float(chance.uniform(0.12, 0.26)), chance, vibrato=0.02)
            mouth = _throat(syllable, first=float(chance.uniform(280, 800)), second=float(chance.uniform(900, 2300)))
            _add(sound, start, mouth * float(chance.uniform(0.4, 1.0)))
            start += int(len(mouth) * chance.uniform(0.85, 1.1))
        start += int(chance.uniform(0.4, 2.5) * RATE)
    return sound


def humming(length: int, chance: Chance) -> Sound:
    """Hold music: a voice that sings vowels, no word. The hardest, because it is a voice."""
    sound = np.zeros(length)
    for start in range(0, length, int(0.7 * RATE)):
        sung = _note(52 + _SCALE[chance.integers(0, 8)], 0.68, chance, vibrato=0.012)
        _add(
            sound, start, _throat(sung, first=float(chance.uniform(400, 750)), second=float(chance.uniform(900, 1900)))
        )
    return sound


KINDS: Final[dict[str, Callable[[int, Chance], Sound]]] = {
    sound.__name__: sound
    for sound in (
        *(silence, comfort, white, traffic, hum, clicks, breath, coughs, tones),
        *(piano, strings, band, humming, murmur),
    )
}
_LEVELS: Final = {"comfort": (-65, -50), "white": (-55, -22), "breath": (-45, -28)}
"""Decibels below full scale, where they are not those of speech."""


# ---- what they are made of -------------------------------------------------------------------------------------------


def _coloured(length: int, chance: Chance, slope: float) -> Sound:
    """Noise whose power falls with the frequency to the ``slope``: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(chance.standard_normal(length))
    hertz = np.maximum(np.fft.rfftfreq(length, 1 / RATE), 20.0)
    sound: Sound = np.fft.irfft(spectrum * hertz ** (-slope / 2), length)
    return sound / max(float(np.std(sound)), 1e-12)


def _throat(sound: Sound, *, first: float = 550.0, second: float = 1400.0) -> Sound:
    """With the resonances of a mouth."""
    hertz = np.fft.rfftfreq(len(sound), 1 / RATE)
    shape = sum(np.exp(-(((hertz - centre) / 130) ** 2)) for centre in (first, second, 2600.0)) + 0.02
    voiced: Sound = np.fft.irfft(np.fft.rfft(sound) * shape, len(sound))
    return voiced


def _note(midi: int, seconds: float, chance: Chance, *, decay: float | None = None, vibrato: float = 0.0) -> Sound:
    at = _time(int(seconds * RATE))
    hertz = 440 * 2 ** ((midi - 69) / 12)
    phase = 2 * np.pi * hertz * at + hertz * vibrato / 5.5 * np.sin(2 * np.pi * 5.5 * at + chance.uniform(0, 6))
    highest = max(1, min(12, int(3400 / hertz)))
    sound: Sound = sum((np.sin(n * phase) / n for n in range(1, highest + 1)), np.zeros(len(at)))
    if decay:
        sound = sound * np.exp(-at / decay)
    edge = np.minimum(1, np.minimum(at, at[-1] - at) / 0.02)
    note: Sound = sound * edge
    return note


def _swelling(length: int, chance: Chance, seconds: float) -> Sound:
    knots = chance.uniform(0, 1, int(length / RATE / seconds) + 2)
    swelling: Sound = np.interp(np.arange(length), np.linspace(0, length, len(knots)), knots)
    return swelling


def _starts(length: int, chance: Chance, seconds: float) -> Iterator[int]:
    at = 0.0
    while (at := at + chance.exponential(seconds) * RATE) < length:
        yield int(at)


def _add(sound: Sound, start: int, more: Sound) -> None:
    end = min(len(sound), start + len(more))
    if start < end:
        sound[start:end] += more[: end - start]


def _time(length: int) -> Sound:
    return np.arange(length) / RATE


def _pcm(sound: Sound, level: float) -> Pcm:
    power = float(np.sqrt(np.mean(sound**2)))
    scaled = sound * (level / power) if power else sound
    pcm: Pcm = np.round(np.clip(scaled, -1, 1) * 32767).astype(np.int16)
    return pcm
