"""What the mouth does with any voice: order, stopping, keeping, failing. The voices here are made of tones."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from voice.audio import Pcm
from voice.loudness import SPEECH_DBFS, speech_dbfs
from voice.mouth import CannotSpeak, Mouth, Saying

RATE = 24000


class Tone:
    """A twentieth of a second a sign; writes down what it was given. May be told to wait, and to fail."""

    rate = RATE

    def __init__(self, name: str = "tone", *, slow: bool = False, loud: float = 0.5) -> None:
        self.identity = name
        self.slow = slow
        self.said: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self.begun = threading.Semaphore(0)
        self.fails = False
        self._loud = loud

    def speak(self, words: str) -> Pcm:
        self.said.append(words)
        self.begun.release()
        assert self.go.wait(60)
        if self.fails:
            raise RuntimeError("no voice today")
        sound = np.sin(np.arange(RATE // 20 * len(words)) * 0.1) * 32767 * self._loud
        silence = np.zeros(RATE // 3, np.int16)
        return np.concatenate([silence, sound.astype(np.int16), silence])


@pytest.fixture
async def tone() -> Tone:
    return Tone()


@pytest.fixture
async def mouth(tone: Tone, tmp_path: Path) -> AsyncIterator[Mouth]:
    mouth = Mouth({"en": [tone]}, store=tmp_path / "sound")
    yield mouth
    tone.go.set()
    mouth.close()


async def heard(saying: Saying) -> list[Pcm]:
    async with aclosing(saying):
        return [piece async for piece in saying]


def kept(directory: Path) -> list[Path]:
    return list(directory.rglob("*.wav"))


def damage(files: list[Path]) -> None:
    for file in files:
        file.write_bytes(b"RIFF")


async def begun(tone: Tone) -> None:
    await asyncio.to_thread(tone.begun.acquire)


async def test_a_text_is_said_clause_by_clause_with_its_numbers_written_out(mouth: Mouth, tone: Tone):
    pieces = await heard(mouth.say("We open at 9:30 a.m. Call us!", "en", 8000))
    assert tone.said == ["We open at nine thirty a.m.", "Call us!"]
    assert len(pieces) == 2


async def test_what_comes_is_at_the_rate_of_the_call(mouth: Mouth):
    at_8, at_16 = [np.concatenate(await heard(mouth.say("Good morning to you", "en", rate))) for rate in (8000, 16000)]
    assert len(at_16) == pytest.approx(2 * len(at_8), abs=2)


async def test_sound_begins_at_once_and_a_sentence_ends_with_a_breath(mouth: Mouth):
    said = np.concatenate(await heard(mouth.say("Good morning to you.", "en", 8000)))
    loud = np.flatnonzero(np.abs(said) > 1000)
    assert loud[0] < 0.05 * 8000
    assert len(said) - loud[-1] > 0.3 * 8000


@pytest.mark.parametrize("loud", [0.02, 0.2, 0.9])
async def test_all_voices_are_as_loud_as_one_another(loud: float):
    mouth = Mouth({"en": [Tone(loud=loud)]})
    said = np.concatenate(await heard(mouth.say("Good morning to you", "en", 8000)))
    mouth.close()
    assert speech_dbfs(said, 8000) == pytest.approx(SPEECH_DBFS, abs=0.7)


async def test_it_is_being_made_before_anybody_asks_for_it(mouth: Mouth, tone: Tone):
    saying = mouth.say("Good morning to you.", "en", 8000)
    await begun(tone)
    await saying.aclose()
    assert tone.said == ["Good morning to you."]


async def test_no_more_is_made_than_two_clauses_ahead(mouth: Mouth, tone: Tone):
    saying = mouth.say("One is said. Two is said. Three is said. Four is said. Five is said. Six is said.", "en", 8000)
    await anext(saying)
    for _ in range(4):
        await begun(tone)
    await mouth.say("Other words.", "en", 8000).__anext__()  # the thread is past whatever it had to do
    assert len([words for words in tone.said if "is said" in words]) == 4  # one heard, two kept, one waiting for room
    await saying.aclose()


async def test_what_is_stopped_is_not_made_any_further(mouth: Mouth, tone: Tone):
    tone.go.clear()
    saying = mouth.say("One is said. Two is said. Three is said.", "en", 8000)
    await begun(tone)
    await saying.aclose()
    tone.go.set()
    await heard(mouth.say("Other words.", "en", 8000))
    assert tone.said == ["One is said.", "Other words."]


async def test_who_waits_for_the_next_clause_is_let_go_when_another_stops_it(mouth: Mouth, tone: Tone):
    tone.go.clear()
    saying = mouth.say("One is said.", "en", 8000)
    waiting = asyncio.create_task(heard(saying))
    await begun(tone)
    await saying.aclose()
    tone.go.set()
    assert await asyncio.wait_for(waiting, 60) == []


async def test_the_call_whose_audio_runs_out_first_comes_first(mouth: Mouth, tone: Tone):
    tone.go.clear()
    first = mouth.say("This one is being said.", "en", 8000)
    await begun(tone)
    later = mouth.say("Later words.", "en", 8000, within_s=60)
    sooner = mouth.say("Sooner words.", "en", 8000)
    fixed = asyncio.create_task(mouth.prepare(["Fixed words."], "en", (8000,)))
    while len(mouth._worker._waiting) < 3:  # noqa: ASYNC110 - what is kept of them is looked up first, in threads, and nobody tells
        await asyncio.sleep(0.001)
    tone.go.set()
    await asyncio.gather(heard(first), heard(later), heard(sooner), fixed)
    assert tone.said == ["This one is being said.", "Sooner words.", "Later words.", "Fixed words."]


async def test_what_was_said_lately_is_not_made_again(mouth: Mouth, tone: Tone):
    once, again = [await heard(mouth.say("Good morning.", "en", 8000)) for _ in range(2)]
    assert len(tone.said) == 1
    assert np.array_equal(once[0], again[0])


async def test_memory_is_limited(tone: Tone):
    mouth = Mouth({"en": [tone]}, keep_bytes=40_000)
    for words in ("Good morning.", "Good evening to all of you.", "Good morning."):
        await heard(mouth.say(words, "en", 8000))
    mouth.close()
    assert tone.said.count("Good morning.") == 2


async def test_fixed_words_outlive_the_process_and_serve_every_rate(tmp_path: Path):
    first, second = Tone(), Tone()
    before = Mouth({"en": [first]}, store=tmp_path)
    await before.prepare(["Welcome to 2 clinics."], "en")
    before.close()
    after = Mouth({"en": [second]}, store=tmp_path)
    pieces = [await heard(after.say("Welcome to 2 clinics.", "en", rate)) for rate in (8000, 16000)]
    after.close()
    assert first.said == ["Welcome to two clinics."]
    assert second.said == []
    assert all(len(piece[0]) for piece in pieces)


async def test_what_a_patient_may_have_said_is_never_on_disk(mouth: Mouth, tmp_path: Path):
    await heard(mouth.say("Your appointment is tomorrow.", "en", 8000))
    assert not kept(tmp_path)


async def test_another_voice_says_fixed_words_anew(tmp_path: Path):
    other = Tone("another")
    for voice in (Tone("one"), other):
        mouth = Mouth({"en": [voice]}, store=tmp_path)
        await mouth.prepare(["Welcome."], "en", (8000,))
        mouth.close()
    assert other.said == ["Welcome."]


async def test_a_damaged_file_is_made_anew(tmp_path: Path):
    voice = Tone()
    for _ in range(2):
        mouth = Mouth({"en": [voice]}, store=tmp_path)
        await mouth.prepare(["Welcome."], "en", (8000,))
        mouth.close()
        damage(kept(tmp_path))
    assert voice.said == ["Welcome.", "Welcome."]


async def test_where_a_voice_fails_the_next_one_speaks():
    broken, good = Tone("broken"), Tone("good")
    broken.fails = True
    mouth = Mouth({"en": [broken, good]})
    assert len(await heard(mouth.say("Good morning.", "en", 8000))) == 1
    mouth.close()
    assert good.said == ["Good morning."]


async def test_where_no_voice_can_speak_the_listener_is_told(tone: Tone):
    tone.fails = True
    mouth = Mouth({"en": [tone]})
    for language in ("en", "hi"):
        with pytest.raises(CannotSpeak):
            await heard(mouth.say("Good morning.", language, 8000))
    mouth.close()


async def test_a_slow_voice_begins_with_a_short_clause_unless_it_is_ready():
    sentence = "The pharmacy on Main Street is open from eight in the morning until six in the evening"
    slow = Tone(slow=True)
    mouth = Mouth({"en": [slow]})
    await heard(mouth.say(sentence, "en", 8000, within_s=5))
    await heard(mouth.say(sentence, "en", 8000))
    mouth.close()
    assert slow.said[0] == sentence
    assert slow.said[1] == "The pharmacy"


async def test_a_slow_voice_says_fixed_words_whole(tmp_path: Path):
    sentence = "The pharmacy on Main Street is open from eight in the morning until six in the evening"
    slow = Tone(slow=True)
    mouth = Mouth({"en": [slow]}, store=tmp_path)
    await mouth.prepare([sentence], "en", (8000,))
    assert len(await heard(mouth.say(sentence, "en", 8000))) == 1
    mouth.close()
    assert slow.said == [sentence]


async def test_nothing_to_say_is_said_with_nothing(mouth: Mouth, tone: Tone):
    assert await heard(mouth.say(" ** \n", "en", 8000)) == []
    assert len(await mouth.render("", "en", 8000)) == 0
    assert tone.said == []
