"""The real voices: what they make of words, and that they are loaded and fall back as they should."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from models import ModelMissing
from models.store import Store
from voice.espeak import Espeak
from voice.kokoro import STYLES, VOICES, Kokoro, Network
from voice.loudness import SPEECH_DBFS, speech_dbfs
from voice.mouth import Mouth
from voice.pinyin import sounds, syllable
from voice.voices import VoiceFile, voices

SENTENCES = {
    "en": "The pharmacy closes at 8 p.m.",
    "es": "La farmacia cierra a las 8 de la noche.",
    "zh": "药房晚上8点关门。",
    "hi": "दवाख़ाना रात 8 बजे बंद होता है।",
}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, VoiceFile]:
    store = Store(tmp_path_factory.mktemp("models"))
    try:
        store.assemble("piper-joe")
        store.assemble("kokoro")
    except ModelMissing as wrong:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(wrong))
    names = {"piper": "piper-joe", "kokoro": "kokoro"}
    return {engine: VoiceFile(store.path(name), store.sha256(name)) for engine, name in names.items()}


@pytest.fixture(scope="session")
def mouth(files: dict[str, VoiceFile]) -> Iterator[Mouth]:
    mouth = Mouth(voices(SENTENCES, piper=files["piper"], kokoro=files["kokoro"]))
    yield mouth
    mouth.close()


@pytest.mark.models
@pytest.mark.parametrize("language", SENTENCES)
async def test_a_sentence_is_said_in_every_language_at_the_same_loudness(mouth: Mouth, language: str):
    async with aclosing(mouth.say(SENTENCES[language], language, 8000)) as saying:
        said = np.concatenate([piece async for piece in saying])
    assert 1.0 < len(said) / 8000 < 5.0
    assert speech_dbfs(said, 8000) == pytest.approx(SPEECH_DBFS, abs=1.5)


@pytest.mark.models
def test_each_language_has_its_best_voice_first_and_a_mechanical_one_last(files: dict[str, VoiceFile]):
    found = voices(SENTENCES, piper=files["piper"], kokoro=files["kokoro"])
    first = {language: those[0].identity.split()[0] for language, those in found.items()}
    assert first == {"en": "piper", "es": "kokoro", "zh": "kokoro", "hi": "kokoro"}


def test_a_voice_that_cannot_be_loaded_is_left_out(tmp_path: Path):
    missing = VoiceFile(tmp_path / "no.onnx", "0")
    assert not [voice for voice in voices(["en"], piper=missing, kokoro=None)["en"] if "piper" in voice.identity]


@pytest.mark.models
@pytest.mark.parametrize("words", ["", "…", "😀", "x" * 3000])
def test_kokoro_survives_what_has_no_sounds_or_too_many(files: dict[str, VoiceFile], words: str):
    pcm = Kokoro(Network(files["kokoro"].path, sha256="0"), "es").speak(words[:700])
    assert pcm.dtype == np.int16


@pytest.mark.models
def test_kokoro_reads_english_between_chinese(files: dict[str, VoiceFile]):
    written = Kokoro(Network(files["kokoro"].path, sha256="0"), "zh").sounds("请带ID卡，谢谢。")
    assert written == "ʨʰi↓ŋ tai↘Idˈiːkʰa↓, ɕje↘ ɕje↘. "


def test_every_style_is_written_down_and_whole():
    rows = tomllib.loads((STYLES / "styles.toml").read_text("utf-8"))["style"]
    assert sorted(row["name"] for row in rows) == sorted(file.stem for file in STYLES.glob("*.npz"))
    assert {row["language"]: row["name"] for row in rows} == VOICES
    for row in rows:
        with np.load(STYLES / f"{row['name']}.npz") as parts:
            style = parts["middle"] + parts["by_length"] @ parts["directions"]
        assert style.shape == (510, 256)
        assert style.dtype == np.float32


@pytest.mark.parametrize(
    ("pinyin", "said"),
    [
        ("zhong1", "ꭧʊ→ŋ"),
        ("shi4", "ʂɨ↘"),
        ("qu4", "ʨʰy↘"),
        ("yuan2", "ɥɛ↗n"),
        ("lü3", "ly↓"),
        ("er4", "ɚ↘"),
        ("ma5", "ma"),
    ],
)
def test_a_syllable_has_its_sounds_and_its_tone(pinyin: str, said: str):
    assert syllable(pinyin) == said


@pytest.mark.parametrize("nonsense", ["", "x", "4", "hello", "☃3"])
def test_what_is_no_syllable_is_silent(nonsense: str):
    assert syllable(nonsense) == ""


def test_a_character_is_read_by_its_word():
    assert sounds("银行") == sounds("银") + syllable("hang2")
    assert syllable("xing2") in sounds("行走")


def test_every_sound_of_chinese_is_in_the_alphabet():
    alphabet = tomllib.loads((STYLES / "alphabet.toml").read_text("utf-8"))["sounds"]
    table = tomllib.loads((STYLES.parent / "pinyin.toml").read_text("utf-8"))
    used = set("".join((*table["initials"].values(), *table["finals"].values(), *table["whole"].values())))
    assert used - {"0"} <= set(alphabet)
    assert set(table["tones"].values()) - {""} <= set(alphabet)


@pytest.mark.parametrize("language", SENTENCES)
def test_the_mechanical_voice_speaks_every_language(language: str):
    try:
        voice = Espeak(language)
    except FileNotFoundError as wrong:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(wrong))
    assert len(voice.speak(SENTENCES[language])) > voice.rate
