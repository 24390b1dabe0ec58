"""The real ears: what Silero, Smart Turn and Whisper make of sound. The speech is Piper's, over a telephone line."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from models import ModelMissing
from models.store import Store
from tests.voice.steady import Steady
from voice import whisper
from voice.audio import Pcm, mulaw, resampled, unmulaw
from voice.mel import log_mel
from voice.smart_turn import TurnEnd
from voice.vad import CHUNK, Vad, speech
from voice.whisper import Ears

pytestmark = pytest.mark.models
SENTENCE = "I would like to make an appointment for Monday morning."


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("models"))
    try:
        for name in ("whisper-base", "smart-turn", "piper-joe"):
            store.assemble(name)
    except ModelMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    return store


@pytest.fixture(scope="module")
def ears(store: Store) -> Iterator[Ears]:
    ears = Ears.load(store.path("whisper-base").parent, 2)
    yield ears
    ears.close()


@pytest.fixture(scope="module")
def piper(store: Store) -> Steady:
    return Steady(store.path("piper-joe"))


def said(piper: Steady, words: str) -> Pcm:
    """As it comes out of the telephone, at 16 kHz, silence around it."""
    line = unmulaw(mulaw(resampled(piper.speak(words), piper.rate, 8000)))
    return np.pad(resampled(line, 8000, 16_000), 8000)


@pytest.fixture(scope="module")
def sentence(piper: Steady) -> Pcm:
    return said(piper, SENTENCE)


def test_the_bands_are_those_that_whisper_was_taught_on():
    from faster_whisper.feature_extractor import FeatureExtractor

    sound = (np.random.default_rng(1).standard_normal(32_000) * 0.1).astype(np.float32)
    assert np.abs(log_mel(sound) - FeatureExtractor()(sound, padding=0)).max() < 1e-5


def test_the_streaming_network_says_what_faster_whispers_own_says(sentence: Pcm):
    from faster_whisper.vad import get_vad_model

    sound = sentence[: len(sentence) // CHUNK * CHUNK]
    theirs = get_vad_model()(sound.astype(np.float32) / 32768).ravel()
    assert np.abs(np.array(speech(sound)) - theirs[: len(sound) // CHUNK]).max() < 0.02


def test_speech_is_speech_and_noise_is_not(sentence: Pcm):
    noise = (np.random.default_rng(1).standard_normal(64_000) * 1500).astype(np.int16)
    assert np.mean(np.array(speech(sentence[8000:-8000])) > 0.5) > 0.8
    assert np.mean(np.array(speech(noise)) > 0.5) < 0.05


def test_a_new_caller_finds_nothing_of_the_last_one(sentence: Pcm):
    vad = Vad()
    first = vad(sentence[16_000 : 16_000 + CHUNK])
    vad.reset()
    assert vad(sentence[16_000 : 16_000 + CHUNK]) == first


async def test_a_sentence_over_the_telephone_is_understood(ears: Ears, sentence: Pcm):
    heard = await ears.hear(sentence, language="en", deadline_s=60)
    assert heard.text.lower().rstrip(".") == SENTENCE.lower().rstrip(".")
    assert not heard.doubt
    assert "appointment" not in repr(heard)


async def test_the_language_is_found_where_none_was_given(ears: Ears, sentence: Pcm):
    heard = await ears.hear(sentence, language=None, deadline_s=60)
    assert heard.language == "en"
    assert heard.language_probability > 0.8


async def test_names_that_may_come_are_spelt_as_they_were_given(ears: Ears, piper: Steady):
    audio = said(piper, "I take lisinopril, ten milligrams, from doctor Nguyen.")
    heard = await ears.hear(audio, language="en", hotwords="lisinopril, Dr. Nguyen", deadline_s=60)
    assert "lisinopril" in heard.text.lower()
    assert "nguyen" in heard.text.lower()


async def test_silence_and_noise_are_heard_as_nobody(ears: Ears):
    noise = (np.random.default_rng(1).standard_normal(64_000) * 1500).astype(np.int16)
    for audio in (np.zeros(0, np.int16), np.zeros(48_000, np.int16), noise):
        heard = await ears.hear(audio, language="es", hotwords="Dr. Patel", deadline_s=60)
        assert heard.text == ""
        assert not heard.doubt


async def test_what_is_not_heard_in_time_is_given_up_in_doubt(ears: Ears, sentence: Pcm):
    heard = await ears.hear(sentence, language="en", deadline_s=0.01)
    assert heard.text == ""
    assert heard.doubt
    assert heard.took_s < 10


async def test_who_is_urgent_is_heard_before_who_waits(ears: Ears, sentence: Pcm):
    order: list[str] = []

    async def hear(name: str, *, urgent: bool) -> None:
        await ears.hear(sentence, language="en", deadline_s=120, urgent=urgent)
        order.append(name)

    async with asyncio.TaskGroup() as tasks:
        for name in ("first", "second", "third"):
            tasks.create_task(hear(name, urgent=False))
        await asyncio.sleep(0)
        tasks.create_task(hear("urgent", urgent=True))
    assert order.index("urgent") <= 1


async def test_who_hangs_up_does_not_keep_others_waiting(ears: Ears, sentence: Pcm):
    gone = [asyncio.create_task(ears.hear(sentence, language="en", deadline_s=120)) for _ in range(30)]
    await asyncio.sleep(0)
    for task in gone:
        task.cancel()
    await asyncio.gather(*gone, return_exceptions=True)
    heard = await ears.hear(sentence, language="en", deadline_s=60)
    assert heard.text
    assert heard.took_s < 30


async def test_a_long_message_is_heard_to_its_end(ears: Ears, piper: Steady):
    days = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
    times = ("in the morning", "after lunch", "at noon", "in the evening", "before nine", "at any time")
    parts = [
        said(piper, f"The doctor could see my daughter on {day} {time}.") for day, time in zip(days, times, strict=True)
    ]
    long = np.concatenate([np.pad(part, 8000) for part in parts])
    assert len(long) > whisper.PIECE_S * whisper.RATE
    heard = await ears.hear(long, language="en", deadline_s=120)
    assert [day for day in days if day in heard.text] == list(days)


async def test_hindi_is_written_in_its_own_letters(ears: Ears, sentence: Pcm):
    heard = await ears.hear(sentence, language="hi", deadline_s=60)
    assert not any("\u0600" <= sign <= "\u06ff" for sign in heard.text)


def test_chinese_is_written_in_simplified_characters():
    assert whisper._simplified("長沙出生,銀行的領導", "zh") == "长沙出生,银行的领导"


def test_a_finished_sentence_sounds_more_complete_than_half_of_it(store: Store, sentence: Pcm):
    network = TurnEnd(store.path("smart-turn"))
    half = np.pad(sentence[: len(sentence) * 45 // 100], (0, 3200))
    assert network.complete(sentence[:-4800]) > 0.5
    assert network.complete(half) < network.complete(sentence[:-4800])


def test_a_folder_without_a_model_says_so(tmp_path: Path):
    with pytest.raises(RuntimeError):
        Ears.load(tmp_path)


ROUND = ", ".join(["Monday"] * 12)


class Circling(whisper._Whisper):
    """Writes what it is given, one text a try."""

    def __init__(self, *texts: str) -> None:
        super().__init__(None, ("en",), 5)
        self.tried: list[tuple[float, str]] = []
        self._texts = list(texts)

    def _encoded(self, piece: Pcm, padding_s: float) -> float:
        return padding_s

    def _written(self, piece: Pcm, encoded: float, language: str, asked: object, hotwords: str) -> whisper._Read:
        self.tried.append((encoded, hotwords))
        return whisper._Read(self._texts.pop(0), 0.0, -0.3)


@pytest.mark.parametrize(
    ("texts", "tried"),
    [
        (("When are you open?",), [(8.0, "Ana")]),
        ((ROUND, "When are you open?"), [(8.0, "Ana"), (8.0, "")]),
        ((ROUND,) * 2 + ("Open?",), [(8.0, "Ana"), (8.0, ""), (30.0, "")]),
    ],
)
def test_what_goes_round_in_circles_is_heard_without_names_then_with_more_padding(
    sentence: Pcm, texts: tuple[str, ...], tried: list[tuple[float, str]]
) -> None:
    one = Circling(*texts)
    now = time.monotonic()
    heard = one.hear(whisper._Asked(sentence, "en", "Ana", now, now + 60))
    assert (heard.text, one.tried) == (texts[-1], tried)
