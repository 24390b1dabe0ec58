"""Rates, telephone codes, levels and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from voice.audio import Pcm, Resampler, level_db, mulaw, read_wav, resampled, unmulaw, write_wav

RATES = [(8000, 16000), (16000, 8000), (22050, 8000), (22050, 16000), (24000, 8000), (24000, 16000), (48000, 16000)]


def tone(hz: float, rate: int, seconds: float = 1.0) -> Pcm:
    return np.round(10_000 * np.sin(2 * np.pi * hz * np.arange(int(rate * seconds)) / rate)).astype(np.int16)


@pytest.mark.parametrize(("src", "dst"), RATES)
def test_a_tone_at_another_rate_is_the_same_tone_at_the_same_time(src: int, dst: int) -> None:
    there = resampled(tone(1000, src), src, dst)
    wanted = tone(1000, dst)
    assert len(there) == len(wanted)
    middle = slice(dst // 10, -dst // 10)
    wrong = there[middle].astype(float) - wanted[middle]
    assert np.abs(wrong).max() < 10  # 60 dB below


@pytest.mark.parametrize(("src", "dst"), RATES)
def test_a_stream_in_pieces_of_any_length_is_the_same_as_in_one(src: int, dst: int) -> None:
    noise = np.random.default_rng(1).integers(-8000, 8000, src // 2).astype(np.int16)
    resampler, pieces, at = Resampler(src, dst), [], 0
    for length in [1, 0, 7, 160, 441, 3, 1000, *[src // 50] * 30]:
        pieces.append(resampler(noise[at : at + length]))
        at += length
    pieces += [resampler(noise[at:]), resampler.flush()]
    assert np.array_equal(np.concatenate(pieces), resampled(noise, src, dst))


@pytest.mark.parametrize(("src", "dst"), [(16000, 8000), (22050, 8000), (24000, 8000), (48000, 16000)])
def test_what_a_lower_rate_cannot_hold_is_taken_out(src: int, dst: int) -> None:
    too_high = tone(0.6 * dst, src)
    assert level_db(resampled(too_high, src, dst)[200:-200]) < level_db(too_high) - 45


def test_a_resampler_can_be_used_again_after_the_end_of_a_stream() -> None:
    resampler = Resampler(8000, 16000)
    first, second = (np.concatenate([resampler(tone(700, 8000, 0.1)), resampler.flush()]) for _ in range(2))
    assert np.array_equal(first, second)


def test_the_loudest_samples_are_not_turned_over() -> None:
    square = np.where(np.arange(800) // 20 % 2, 32767, -32768).astype(np.int16)
    louder = resampled(square, 8000, 16000)
    assert louder.max() == 32767
    assert louder.min() == -32768


def test_mulaw_is_g711() -> None:
    # ITU-T G.711, table 2a: the ends of the scale, and zero
    assert mulaw(np.array([32767, -32768, 0, -1], np.int16)) == bytes([0x80, 0x00, 0xFF, 0x7F])
    assert unmulaw(bytes([0x80, 0x00, 0xFF, 0x7F])).tolist() == [32124, -32124, 0, 0]


def test_mulaw_keeps_what_it_once_was() -> None:
    every = np.arange(-32768, 32768).astype(np.int16)
    once = unmulaw(mulaw(every))
    assert np.array_equal(unmulaw(mulaw(once)), once)
    assert np.all(np.abs(once.astype(int) - every) <= np.maximum(np.abs(every.astype(int)) * 0.065, 4))


def test_the_level_of_silence_and_of_nothing_is_a_number() -> None:
    assert level_db(np.zeros(100, np.int16)) == -100
    assert level_db(np.zeros(0, np.int16)) == -100
    assert level_db(tone(1000, 8000)) == pytest.approx(-13.3, abs=0.1)


def test_a_wav_file_comes_back_as_it_was(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(440, 8000), 8000)
    pcm, rate = read_wav(tmp_path / "a.wav")
    assert rate == 8000
    assert np.array_equal(pcm, tone(440, 8000))
