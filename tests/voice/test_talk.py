"""One call, from samples to words and back, on a clock of its own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.voice.fake import FakeEars, FakeLine, FakeMouth, FakeTurnEnd, FakeVad, Pieces, noise, now, run, sound
from voice.audio import Pcm
from voice.talk import Digit, Gone, Quiet, Talk, Talking, Timing, Utterance
from voice.turn import Wanted

ANSWER = "We are open from eight to five on weekdays, and on Saturdays from nine to noon. Parking is free for patients."
SLOW = settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class House:
    """A line, and a Talk on it."""

    def __init__(self, *, ears: FakeEars | None = None, turn_end: FakeTurnEnd | None = None, **line: Any) -> None:
        self.line = FakeLine(**line)
        self.ears = ears or FakeEars()
        self.mouth = FakeMouth()
        self.timings: list[Timing] = []
        self.taps: dict[str, list[np.ndarray]] = {"in": [], "out": []}
        self.talk = Talk(
            self.line,
            self.ears,
            FakeVad(),
            self.mouth,
            turn_end=turn_end,
            clock=now,
            tap=lambda direction, pcm, _rate: self.taps[direction].append(pcm),
            on_timing=self.timings.append,
        )


def called(dialogue: Callable[[House], Awaitable[Any]], **house: Any) -> Any:
    """The dialogue on a call that ends afterwards."""

    async def whole() -> Any:
        one = House(**house)
        await one.line.answer()
        try:
            return await dialogue(one)
        finally:
            one.line.end()

    return run(whole())


# ---- speaking ------------------------------------------------------------------------------------------------------


def test_what_is_said_is_heard_whole_and_in_order() -> None:
    async def dialogue(one: House) -> None:
        spoken = await one.talk.speak(ANSWER, "en")
        assert (spoken.heard_by_caller, spoken.whole, spoken.why) == (ANSWER, True, "done")
        assert_heard_exactly(one)

    called(dialogue)


@SLOW
@given(every_s=st.floats(0, 0.3), took_s=st.floats(0, 1.5), rate=st.sampled_from([8000, 16000]))
def test_at_no_time_is_more_queued_than_the_setting_says(every_s: float, took_s: float, rate: int) -> None:
    async def dialogue(one: House) -> None:
        one.mouth.took_s = took_s
        pieces = Pieces(ANSWER, every_s)
        spoken = await one.talk.speak(pieces(), "en")
        assert spoken.heard_by_caller == ANSWER
        assert one.line.most_buffered_s <= Talking().ahead_s + 1e-6
        assert_heard_exactly(one)

    called(dialogue, rate=rate)


def test_the_first_clause_is_heard_while_the_rest_is_being_made() -> None:
    async def dialogue(one: House) -> None:
        pieces = Pieces(ANSWER, 0.1)  # 2.2 seconds in all
        speaking = asyncio.ensure_future(one.talk.speak(pieces(), "en"))
        await asyncio.sleep(1.6)
        first = one.line.heard_at()
        assert first is not None and first < 1.5
        assert pieces.closed_at is None
        assert (await speaking).whole

    called(dialogue)


def test_a_text_that_comes_as_a_whole_is_said_as_a_whole() -> None:
    async def dialogue(one: House) -> None:
        async def whole() -> AsyncIterator[str]:
            yield ANSWER

        said: list[str] = []
        mouth = one.mouth.say

        def noted(text: str, language: str, rate_hz: int, *, within_s: float = 0.0) -> AsyncGenerator[Pcm, None]:
            said.append(text)
            return mouth(text, language, rate_hz, within_s=within_s)

        one.mouth.say = noted  # type: ignore[method-assign]  # looked at
        await one.talk.speak(whole(), "en")
        assert said == [ANSWER]

    called(dialogue)


def test_what_the_text_raises_is_raised() -> None:
    async def dialogue(one: House) -> None:
        async def broken() -> AsyncIterator[str]:
            yield "We are open from eight to five. "
            raise LookupError

        with pytest.raises(LookupError):
            await one.talk.speak(broken(), "en")

    called(dialogue)


def test_what_the_voice_raises_is_raised() -> None:
    async def dialogue(one: House) -> None:
        async def mute(text: str, rate_hz: int) -> AsyncGenerator[Pcm, None]:
            raise LookupError
            yield

        one.mouth._say = mute  # type: ignore[method-assign]  # a voice that is broken
        with pytest.raises(LookupError):
            await one.talk.speak(ANSWER, "en")

    called(dialogue)


# ---- barge-in ------------------------------------------------------------------------------------------------------


@SLOW
@given(at=st.floats(0.3, 5.0), seconds=st.floats(0.5, 4.0))
def test_who_speaks_over_us_stops_us_within_300_ms_and_is_heard(at: float, seconds: float) -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("what about Sunday", seconds), at)
        pieces = Pieces(ANSWER)
        spoken = await one.talk.speak(pieces(), "en")
        assert spoken.why == "barge_in" and not spoken.whole
        assert one.line.silent_from() <= at + 0.3
        assert pieces.closed_at is not None and pieces.closed_at <= now()
        assert one.mouth.open == 0
        heard = await one.talk.hear(language="en")
        assert isinstance(heard, Utterance) and heard.text == "what about Sunday"
        assert len(heard.audio) / 16_000 >= seconds

    called(dialogue)


@SLOW
@given(at=st.floats(0.3, 6.0))
def test_what_was_not_heard_is_not_in_what_was_heard(at: float) -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("wait a moment please", 2.0), at)
        spoken = await one.talk.speak(ANSWER, "en")
        assert spoken.why == "barge_in"
        assert ANSWER.startswith(spoken.heard_by_caller)
        known = sum(one.line.heard != 0) / 8000  # seconds of ours that were sent; our noise is never silent
        assert abs(len(spoken.heard_by_caller) / 15 - known) <= 0.8  # a word, and the blank between clauses
        assert len(spoken.heard_by_caller) / 15 <= known + 0.1

    called(dialogue)


@pytest.mark.parametrize(
    ("words", "language"),
    [("mhm", "en"), ("okay", "en"), ("Sí.", "es"), ("嗯", "zh"), ("好的", "zh"), ("हाँ जी", "hi"), ("<cough>", "en")],
)
def test_a_sign_of_listening_or_a_cough_stops_us_for_a_moment_only(words: str, language: str) -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound(words, 0.4), 1.0)
        pieces = Pieces(ANSWER, 0.02)
        spoken = await one.talk.speak(pieces(), language)
        assert (spoken.why, spoken.heard_by_caller) == ("done", ANSWER)
        assert_heard_exactly(one)
        assert 0.3 < longest_gap_s(one, 1, 4) < 1.5
        assert isinstance(await one.talk.hear(language=language, first_s=1.0), Quiet)

    called(dialogue, ears=FakeEars(language=language))


@SLOW
@given(
    noises=st.lists(st.tuples(st.floats(0.3, 7.0), st.sampled_from(["mhm", "<cough>", "okay"])), min_size=1, max_size=4)
)
def test_however_often_it_is_interrupted_falsely_every_sample_is_heard_once(noises: list[tuple[float, str]]) -> None:
    async def dialogue(one: House) -> None:
        for at, words in noises:
            one.line.says(sound(words, 0.35), at)
        spoken = await one.talk.speak(ANSWER + " We look forward to seeing you at the clinic.", "en")
        if spoken.why == "done":
            assert_heard_exactly(one)
        else:  # several in a row are no sign of listening, and one at the very end is an answer
            assert len(noises) > 1 or noises[0][1] != "<cough>"
        assert one.line.most_buffered_s <= Talking().ahead_s + 1e-6

    called(dialogue)


def test_a_yes_to_our_last_words_is_an_answer() -> None:
    async def dialogue(one: House) -> None:
        question = "We have a free hour on Monday at nine. Shall I book it?"
        one.line.says(sound("yes", 0.5), len(question) / 15 - 0.3)
        spoken = await one.talk.speak(question, "en")
        assert spoken.why in ("barge_in", "done")
        heard = await one.talk.hear(language="en")
        assert isinstance(heard, Utterance) and heard.text == "yes"

    called(dialogue)


@SLOW
@given(weaker=st.floats(3, 40), late=st.floats(0.0, 0.45), rate=st.sampled_from([8000, 16000]))
def test_our_own_voice_coming_back_does_not_stop_us(weaker: float, late: float, rate: int) -> None:
    async def dialogue(one: House) -> None:
        spoken = await one.talk.speak(ANSWER, "en")
        assert spoken.why == "done"
        assert_heard_exactly(one)
        assert longest_gap_s(one, 0.3, 5) < 0.4
        assert not one.ears.asked

    called(dialogue, echo_db=weaker, echo_s=late, rate=rate)


def test_who_speaks_through_our_echo_stops_us() -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("what about Sunday", 2.0), 1.5)
        spoken = await one.talk.speak(ANSWER, "en")
        assert spoken.why == "barge_in"
        assert one.line.silent_from() <= 1.8

    called(dialogue, echo_db=15.0)


def test_what_may_not_be_interrupted_is_not() -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("what about Sunday", 2.0), 1.0)
        spoken = await one.talk.speak(ANSWER, "en", interruptible=False)
        assert (spoken.why, spoken.whole) == ("done", True)
        assert longest_gap_s(one, 0.3, 5) < 0.4
        assert isinstance(await one.talk.hear(language="en", first_s=0.5), Quiet)

    called(dialogue)


def test_who_still_speaks_when_we_have_ended_is_heard() -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("what about Sunday", 3.0), len(ANSWER) / 15 - 1)
        await one.talk.speak(ANSWER, "en", interruptible=False)
        heard = await one.talk.hear(language="en")
        assert isinstance(heard, Utterance) and heard.text == "what about Sunday"

    called(dialogue)


def test_who_goes_on_while_we_think_is_not_talked_over() -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("and on Sunday", 3.0), 0.0)
        await one.talk.collect(1, timeout_s=0.5)  # something takes half a second
        spoken = await one.talk.speak(ANSWER, "en")
        assert (spoken.why, spoken.heard_by_caller) == ("barge_in", "")
        assert not one.line.heard.any()

    called(dialogue)


# ---- keys ----------------------------------------------------------------------------------------------------------


@SLOW
@given(at=st.floats(0.0, 6.0), interruptible=st.booleans())
def test_a_key_goes_before_everything(at: float, interruptible: bool) -> None:
    async def dialogue(one: House) -> None:
        one.line.presses("0", at)
        pieces = Pieces(ANSWER)
        spoken = await one.talk.speak(pieces(), "en", interruptible=interruptible)
        assert spoken.why == "digit" and not spoken.whole
        assert one.line.silent_from() <= at + 0.021
        assert pieces.closed_at is not None and pieces.closed_at <= at + 0.021
        assert await one.talk.hear(language="en") == Digit("0")

    called(dialogue)


def test_a_key_throws_away_what_was_being_said() -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("hello", 1.0), 0.0)
        one.line.presses("2", 0.6)
        assert await one.talk.hear(language="en") == Digit("2")
        assert now() < 0.63

    called(dialogue)


def test_a_key_ends_what_is_dictated() -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("please call me back", 1.5), 0.0)
        one.line.presses("#", 1.3)
        heard = await one.talk.hear(language="en", dictated=True)
        assert isinstance(heard, Utterance) and heard.text == "please call me back"
        assert await one.talk.hear(language="en", dictated=True) == Digit("#")

    called(dialogue)


@pytest.mark.parametrize(
    ("keys", "most", "typed"), [("12#4", 10, "12"), ("123456", 4, "1234"), ("12", 10, "12"), ("", 3, "")]
)
def test_keys_are_collected_until_one_ends_them_or_none_comes(keys: str, most: int, typed: str) -> None:
    async def dialogue(one: House) -> None:
        for number, key in enumerate(keys):
            one.line.presses(key, 1.0 + number)
        assert await one.talk.collect(most, timeout_s=2.0) == typed

    called(dialogue)


# ---- hearing -------------------------------------------------------------------------------------------------------


def test_words_are_known_soon_after_the_last_because_they_were_transcribed_at_the_first_pause() -> None:
    async def dialogue(one: House) -> None:
        end = one.line.says(sound("when do you open", 1.5), 0.5)
        heard = await one.talk.hear(language="en")
        assert isinstance(heard, Utterance) and heard.text == "when do you open"
        assert now() - end <= 0.75  # the silence that ends a turn; the ears' 0.4 s lie in it
        assert [urgent for *_, urgent in one.ears.asked] == [True]
        assert heard.timings is not None and heard.timings.early
        assert heard.timings.heard_s == pytest.approx(now() - end, abs=0.06)
        assert heard.timings.speech_s == pytest.approx(1.5, abs=0.15)

    called(dialogue)


def test_who_goes_on_after_a_pause_is_transcribed_anew() -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("when do you open", 1.0), 0.5)
        one.line.says(sound("on Sunday", 1.0), 1.8)
        heard = await one.talk.hear(language="en")
        assert isinstance(heard, Utterance) and heard.text == "when do you open on Sunday"
        assert one.ears.thrown_away == 1 and len(one.ears.asked) == 2

    called(dialogue, ears=FakeEars(took_s=0.6))


@pytest.mark.parametrize(
    ("probability", "language", "least", "most"),
    [(0.9, "en", 0.35, 0.55), (0.1, "en", 1.1, 1.4), (0.9, "zh", 1.1, 1.4)],
)
def test_what_sounds_complete_is_answered_sooner_where_sound_tells(
    probability: float, language: str, least: float, most: float
) -> None:
    async def dialogue(one: House) -> None:
        end = one.line.says(sound("when do you open", 1.5), 0.5)
        await one.talk.hear(language=language)
        assert least <= now() - end <= most

    called(dialogue, ears=FakeEars(took_s=0.1), turn_end=FakeTurnEnd(probability))


def test_silence_is_quiet() -> None:
    async def dialogue(one: House) -> None:
        assert await one.talk.hear(language="en", first_s=3.0) == Quiet()
        assert now() == pytest.approx(3.0, abs=0.03)

    called(dialogue)


def test_a_noise_is_no_utterance_and_who_was_about_to_speak_still_may() -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("<door>", 0.6), 2.6)
        one.line.says(sound("hello", 0.6), 5.0)
        heard = await one.talk.hear(language="en", first_s=3.0)
        assert isinstance(heard, Utterance) and heard.text == "hello"

    called(dialogue)


def test_noises_for_ever_are_quiet() -> None:
    async def dialogue(one: House) -> None:
        for at in range(60):
            one.line.says(sound("<door>", 0.5), at * 1.5)
        assert await one.talk.hear(language="en", first_s=3.0) == Quiet()
        assert now() < 10

    called(dialogue)


def test_what_is_watched_for_ends_the_turn_while_the_caller_still_speaks() -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("my husband has chest pain", 2.0), 0.5)
        one.line.says(sound("since this morning", 8.0), 2.5)
        heard = await one.talk.hear(language="en", watch=lambda text: "chest pain" in text)
        assert isinstance(heard, Utterance) and "chest pain" in heard.text
        assert now() < 2.6
        assert one.ears.most_at_once == 1

    called(dialogue)


def test_partial_transcripts_come_about_once_a_second_and_only_for_who_watches() -> None:
    async def dialogue(one: House) -> None:
        end = one.line.says(sound("a long story", 6.0), 0.5)
        await one.talk.hear(language="en", watch=lambda _: False)
        partials = [at for at, _, urgent in one.ears.asked if not urgent]
        assert 3 <= len(partials) <= 6 and partials[-1] < end
        one.line.says(sound("a long story", 6.0), now() + 0.5)
        await one.talk.hear(language="en")
        assert len([at for at, _, urgent in one.ears.asked if not urgent]) == len(partials)

    called(dialogue)


def test_what_is_watched_for_stops_even_what_may_not_be_interrupted() -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("he is not breathing", 4.0), 0.5)
        spoken = await one.talk.speak(ANSWER, "en", interruptible=False, watch=lambda text: "breathing" in text)
        assert spoken.why == "urgent" and now() < 2.5
        heard = await one.talk.hear(language="en")
        assert isinstance(heard, Utterance) and heard.text == "he is not breathing" and now() < 2.5

    called(dialogue)


def test_a_language_that_was_detected_is_as_good_as_one_that_is_given() -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("buenos días señora", 2.0), 0.5)
        await one.talk.speak(ANSWER, "en")  # before anybody knows the language
        await one.talk.hear(language="es")
        assert len(one.ears.asked) == 1

    called(dialogue, ears=FakeEars(language="es"))
    wanted = Wanted("es")
    heard = run(FakeEars().hear(sound("a long story", 1.0, 16_000), language="en"))
    assert heard.text and not wanted.served_by(Wanted("en"), heard)


def test_ears_that_fail_make_a_turn_that_was_not_understood(caplog: pytest.LogCaptureFixture) -> None:
    async def dialogue(one: House) -> None:
        async def deaf(*_: Any, **__: Any) -> Any:
            raise OSError("out of memory")

        one.ears.hear = deaf  # type: ignore[method-assign]  # an engine that breaks down
        one.line.says(sound("hello", 1.0), 0.5)
        heard = await one.talk.hear(language="en")
        assert isinstance(heard, Utterance) and heard.text == ""

    with caplog.at_level(logging.CRITICAL):
        called(dialogue)


def test_a_detector_of_speech_that_fails_is_raised_not_waited_for() -> None:
    async def dialogue(one: House) -> None:
        def broken(pcm: Pcm) -> float:
            raise OSError("damaged")

        one.talk._caller._vad = broken
        for _ in range(2):
            with pytest.raises(OSError, match="damaged"):
                await one.talk.hear(language="en")

    async def whole() -> None:
        one = House()
        await dialogue(one)
        one.line.end()

    run(whole())


# ---- the end -------------------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(at=st.floats(0.0, 16.0), key_at=st.none() | st.floats(0.0, 16.0))
def test_whenever_the_caller_hangs_up_everything_ends_and_no_task_is_left(at: float, key_at: float | None) -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("mhm", 0.4), 2.0)
        one.line.says(sound("what about Sunday", 3.0), 6.0)
        one.line.says(sound("when do you open", 1.0), 12.0)
        if key_at is not None:
            one.line.presses("1", key_at)
        one.line.hangs_up(at)
        for _ in range(12):
            pieces = Pieces(ANSWER)
            spoken = await one.talk.speak(pieces(), "en", watch=lambda _: False)
            assert pieces.closed_at is not None or not pieces.given
            if spoken.why == "hung_up":
                break
            heard = await one.talk.hear(language="en", first_s=2.0, watch=lambda _: False)
            if heard == Gone():
                break
            await one.talk.collect(1, timeout_s=0.5)
        while isinstance(await one.talk.hear(language="en"), (Utterance, Digit)):
            assert now() < at + 3
        assert await one.talk.hear(language="en") == Gone()
        assert (await one.talk.speak(ANSWER, "en")).why == "hung_up"
        assert now() < at + 3

    called(dialogue, turn_end=FakeTurnEnd(0.6))


def test_the_last_words_of_who_hangs_up_are_heard() -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("please call me back", 2.0), 0.5)
        one.line.hangs_up(2.4)
        heard = await one.talk.hear(language="en")
        assert isinstance(heard, Utterance) and heard.text == "please call me back"
        assert await one.talk.hear(language="en") == Gone()

    called(dialogue)


@SLOW
@given(after=st.floats(0.0, 4.0))
def test_who_is_cancelled_while_speaking_is_silent_and_leaves_nothing(after: float) -> None:
    async def dialogue(one: House) -> None:
        pieces = Pieces(ANSWER)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(after):
                await one.talk.speak(pieces(), "en")
        assert pieces.closed_at is not None or not pieces.given
        assert one.line.silent_from() <= after + 0.001
        assert one.mouth.open == 0

    called(dialogue)


def test_the_end_of_listening_leaves_nothing() -> None:
    async def whole() -> None:
        one = House()
        one.line.says(sound("hello", 5.0), 0.1)
        assert await one.talk.hear(language="en", first_s=0.05) == Quiet()
        await asyncio.sleep(2)
        await one.talk.close()
        assert asyncio.all_tasks() == {asyncio.current_task()}

    run(whole())


# ---- times and taps --------------------------------------------------------------------------------------------------


def test_every_turn_has_its_times() -> None:
    async def dialogue(one: House) -> None:
        await one.talk.speak("Hello.", "en")
        end = one.line.says(sound("when do you open", 1.5), now() + 0.5)
        await one.talk.hear(language="en")
        answered = now()
        one.line.says(sound("what about Sunday", 2.0), answered + 3.0)
        await one.talk.speak(Pieces(ANSWER)(), "en")
        last = one.timings[-1]
        assert last.turn == 1
        assert last.speech_at == pytest.approx(end, abs=0.06)
        first = one.line.heard_at(answered)
        assert first is not None and last.audio_s == pytest.approx(first - end, abs=0.08)
        assert last.heard_s is not None and last.text_s is not None and last.audio_s is not None
        assert last.heard_s < last.text_s < last.audio_s
        assert last.stopped_s is not None and last.stopped_s <= 0.3

    called(dialogue)


def test_taps_get_what_came_in_and_what_was_sent_and_nothing_that_was_not() -> None:
    async def dialogue(one: House) -> None:
        one.line.says(sound("what about Sunday", 2.0), 2.0)
        await one.talk.speak(ANSWER, "en")
        sent = np.concatenate(one.taps["out"])
        assert np.array_equal(sent[sent != 0], one.line.heard[one.line.heard != 0])
        assert sum(map(len, one.taps["in"])) == pytest.approx(now() * 8000, abs=320)

    called(dialogue)


def test_the_limits_hold_together() -> None:
    known = Talking()
    assert known.listening.onset_s + 0.1 < 0.3  # a barge-in: the onset, a chunk, a frame
    assert known.partial_s < known.certain_s


def assert_heard_exactly(one: House) -> None:
    """Every sample of what was said, once and in order, whatever silence lay between."""
    made = np.concatenate([noise(clause, one.line.rate) for clause in one.mouth.said])
    assert np.array_equal(one.line.heard[one.line.heard != 0], made[made != 0])


def longest_gap_s(one: House, start: float, end: float) -> float:
    """The longest silence of ours in that time."""
    sound = np.flatnonzero(one.line.heard[round(start * one.line.rate) : round(end * one.line.rate)])
    return float(np.diff(sound).max()) / one.line.rate
