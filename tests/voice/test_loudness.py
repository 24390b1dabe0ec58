"""All voices alike: how loud, how much silence around."""

from __future__ import annotations

import numpy as np
import pytest

from voice.audio import Pcm
from voice.loudness import PEAK, SPEECH_DBFS, levelled, pause_after, speech_dbfs, trimmed

RATE = 16000


def sound(seconds: float, size: float) -> Pcm:
    return (np.random.default_rng(1).standard_normal(int(RATE * seconds)) * size).clip(-32768, 32767).astype(np.int16)


def silence(seconds: float) -> Pcm:
    return np.zeros(int(RATE * seconds), np.int16)


@pytest.mark.parametrize("size", [50, 500, 5000, 20000])
def test_what_was_loud_or_low_comes_out_the_same(size: float):
    said = levelled(np.concatenate([sound(1, size), silence(1), sound(1, size)]), RATE)
    assert speech_dbfs(said, RATE) == pytest.approx(SPEECH_DBFS, abs=1.0)


def test_pauses_do_not_make_what_is_said_louder():
    without, with_pauses = [
        levelled(np.concatenate([sound(1, 900), silence(gap), sound(1, 900)]), RATE) for gap in (0, 2)
    ]
    assert speech_dbfs(without, RATE) == pytest.approx(speech_dbfs(with_pauses, RATE), abs=0.5)


def test_no_sample_is_cut_off():
    spiky = sound(1, 300)
    spiky[::997] = 32000
    assert np.abs(levelled(spiky, RATE)).max() <= PEAK


def test_silence_is_taken_away_at_the_ends_only():
    said = trimmed(np.concatenate([silence(0.3), sound(0.5, 3000), silence(0.2), sound(0.5, 3000), silence(0.4)]), RATE)
    assert len(said) / RATE == pytest.approx(1.2 + 0.04, abs=0.03)


def test_where_it_was_cut_it_does_not_click():
    said = trimmed(np.concatenate([silence(0.1), sound(0.5, 3000), silence(0.1)]), RATE)
    assert abs(int(said[0])) < 50
    assert abs(int(said[-1])) < 50


@pytest.mark.parametrize("pcm", [silence(0), silence(0.5), sound(0.5, 3)], ids=["nothing", "silence", "hiss"])
def test_what_holds_no_speech_is_left_or_dropped_but_never_made_loud(pcm: Pcm):
    said = levelled(trimmed(pcm, RATE), RATE)
    assert not len(said) or np.abs(said).max() < 100


@pytest.mark.parametrize(
    ("clause", "seconds"), [("Yes.", 0.36), ("您好。", 0.36), ("नमस्ते।", 0.36), ("Well,", 0.14), ("and so", 0.05)]
)
def test_a_sentence_is_followed_by_a_longer_breath_than_a_clause(clause: str, seconds: float):
    assert len(pause_after(clause, RATE)) == int(RATE * seconds)
