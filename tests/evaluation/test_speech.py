"""Recordings and noise as `eval speech` hears them, with ears that know what they are to say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from appliance.errors import BadInput
from appliance.evaluation.noises import KINDS, RATE, noises
from appliance.evaluation.speech import Recording, distance, heard, invented, recordings, units
from voice.audio import Pcm, level_db, write_wav
from voice.whisper import Heard

MANIFEST = """{"file": "a.wav", "lang": "en", "text": "We close at 5 p.m.", "rate": 8000, "kind": "prompt"}
{"file": "b.wav", "lang": "en", "text": "seven", "kind": "single digit"}
{"file": "c.wav", "lang": "zh", "text": "你好，医生！", "kind": "prompt"}
"""


class Parrot:
    """Ears that say the same to everything, and count."""

    def __init__(self, *texts: str) -> None:
        self._texts = texts
        self.heard: list[int] = []

    async def hear(self, audio: Pcm, **asked: object) -> Heard:
        text = self._texts[len(self.heard) // 2 % len(self._texts)] if self._texts else ""
        self.heard.append(len(audio))
        return Heard(
            text=text,
            language=str(asked["language"]),
            language_probability=1.0,
            no_speech=0.0,
            avg_logprob=-0.1,
            seconds=len(audio) / 16_000,
            took_s=0.25,
            doubt=False,
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "manifest.jsonl").write_text(MANIFEST, "utf-8")
    for name in "abc":
        write_wav(tmp_path / f"{name}.wav", np.zeros(8000, np.int16), 8000)
    return tmp_path


@pytest.fixture
def rows(folder: Path) -> list[Recording]:
    return recordings(folder)


async def test_every_recording_is_heard_clean_and_over_the_telephone(folder: Path, rows: list[Recording]):
    ears = Parrot("we close at five p.m.", "7", "你好意思")
    report = await heard(ears, folder, rows)  # type: ignore[arg-type]  # a parrot is ears enough
    assert len(ears.heard) == 6
    assert set(ears.heard) == {16_000 * 9 // 5}  # a second of it at 16 kHz, and the silence around
    assert report["by_lang"]["en"]["error_rate"] == 0
    assert report["by_lang"]["en"]["digits_right"] == 1
    assert report["by_lang"]["zh"]["error_rate"] == pytest.approx(0.5)
    assert report["by_condition"]["clean"] == report["by_condition"]["phone"]


def test_numbers_are_compared_as_they_are_spoken():
    assert units("Press 1, please.", "en") == units("press one please", "en")
    assert units("número", "es") == units("NUMERO!", "es")
    assert units("你好，医生！", "zh") == ["你", "好", "医", "生"]


def test_the_distance_counts_what_is_put_in_left_out_and_changed():
    assert distance(["a", "b", "c"], ["a", "c"]) == 1
    assert distance(["a", "b", "c"], ["a", "x", "c", "d"]) == 2
    assert distance([], ["a"]) == 1


def test_a_wrong_line_of_a_manifest_is_named(tmp_path: Path):
    with pytest.raises(BadInput, match="not there"):
        recordings(tmp_path)
    (tmp_path / "manifest.jsonl").write_text(MANIFEST + '{"file": 1}', "utf-8")
    with pytest.raises(BadInput, match="line 4"):
        recordings(tmp_path)


def test_noise_is_the_same_every_time_and_no_two_kinds_are_alike():
    first, again, other = (dict(noises(2, seed=seed)) for seed in (1, 1, 2))
    assert list(first) == list(KINDS)
    for kind, pcm in first.items():
        assert len(pcm) == 2 * RATE
        assert np.array_equal(pcm, again[kind])
        if kind != "silence":
            assert -70 < level_db(pcm) < -10
            assert not np.array_equal(pcm, other[kind])


@pytest.mark.models
async def test_in_silence_and_noise_nobody_is_taken_to_speak():
    report = await invented(Parrot("invented"), 0.5)  # type: ignore[arg-type]  # a parrot is ears enough
    assert report["overall"]["minutes"] == pytest.approx(0.5, abs=0.1)
    assert report["overall"]["invented_words"] == 0
