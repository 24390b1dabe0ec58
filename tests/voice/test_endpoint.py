"""Turns out of probabilities: no network, no clock."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voice.endpoint import Ended, Endpoint, Event, Listening, Paused, Resumed, Started

CHUNK = 512
RATE = 16_000


def chunks(seconds: float) -> int:
    return round(seconds * RATE / CHUNK)


def fed(endpoint: Endpoint, *spans: tuple[float, float]) -> list[Event]:
    """(probability, seconds) after one another; each chunk has its own number as its samples."""
    events: list[Event] = []
    for probability, seconds in spans:
        for _ in range(chunks(seconds)):
            events += endpoint(probability, np.full(CHUNK, fed.count % 30_000, np.int16))  # type: ignore[attr-defined]  # a counter of its own
            fed.count += 1  # type: ignore[attr-defined]  # a counter of its own
    return events


fed.count = 0  # type: ignore[attr-defined]  # a counter of its own


def kinds(events: Sequence[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def test_a_turn_starts_pauses_and_ends() -> None:
    assert kinds(fed(Endpoint(), (0, 1), (1, 1), (0, 2))) == ["Started", "Paused", "Ended"]


def test_a_click_starts_nothing() -> None:
    assert fed(Endpoint(), (0, 1), (1, 0.064), (0, 1), (1, 0.064), (0, 1)) == []


def test_a_short_yes_is_a_turn() -> None:
    assert kinds(fed(Endpoint(), (0, 1), (1, 0.2), (0, 1))) == ["Started", "Paused", "Ended"]


def test_a_turn_has_its_first_consonant_and_every_sample_once() -> None:
    events = fed(Endpoint(), (0, 1), (1, 1), (0, 2))
    started, ended = events[0], events[-1]
    assert isinstance(started, Started)
    assert isinstance(ended, Ended)
    assert len(started.pre_roll) / RATE == pytest.approx(
        0.528, abs=0.04
    )  # what came before, and what it took to be sure
    numbers = ended.audio[::CHUNK]
    assert np.all(np.diff(numbers) == 1)
    assert np.array_equal(ended.audio[: len(started.pre_roll)], started.pre_roll)


def test_going_on_after_a_pause_is_told_and_forgets_how_it_sounded() -> None:
    endpoint = Endpoint()
    assert kinds(fed(endpoint, (0, 1), (1, 1), (0, 0.3))) == ["Started", "Paused"]
    endpoint.complete = 0.1
    assert kinds(fed(endpoint, (1, 0.5))) == ["Resumed"]
    assert endpoint.complete is None
    assert kinds(fed(endpoint, (0, 1))) == ["Paused", "Ended"]


def test_a_click_in_a_pause_is_not_going_on() -> None:
    assert kinds(fed(Endpoint(), (0, 1), (1, 1), (0, 0.3), (1, 0.032), (0, 0.5))) == ["Started", "Paused", "Ended"]


def waited(endpoint: Endpoint, complete: float | None) -> float:
    fed(endpoint, (0, 1), (1, 1), (0, 0.24))
    endpoint.complete = complete
    (ended,) = fed(endpoint, (0, 4))[:1]
    assert isinstance(ended, Ended)
    return ended.silence_s


def test_how_it_sounds_decides_how_long_one_waits() -> None:
    how = Listening()
    for complete, seconds in ((0.9, how.sure_s), (None, how.silence_s), (0.1, how.unsure_s)):
        assert waited(Endpoint(), complete) == pytest.approx(seconds, abs=0.04)


@pytest.mark.parametrize("complete", [0.9, None, 0.1])
def test_half_a_sentence_and_digits_wait_longer_however_they_sound(complete: float | None) -> None:
    for patience, seconds in (("half", Listening().half_s), ("digits", Listening().digits_s)):
        endpoint = Endpoint()
        endpoint.patience = patience  # type: ignore[assignment]  # the two of the literal
        assert waited(endpoint, complete) == pytest.approx(seconds, abs=0.04)


def test_a_verdict_that_comes_late_ends_the_turn_with_the_next_chunk() -> None:
    endpoint = Endpoint()
    fed(endpoint, (0, 1), (1, 1), (0, 0.5))
    endpoint.complete = 0.95
    assert kinds(fed(endpoint, (0, 0.032))) == ["Ended"]


def test_who_never_stops_is_cut_and_then_heard_again() -> None:
    events = fed(Endpoint(), (0, 0.2), (1, 60))
    assert kinds(events)[:3] == ["Started", "Ended", "Started"]
    assert isinstance(events[1], Ended)
    assert len(events[1].audio) / RATE == pytest.approx(28, abs=0.1)
    assert events[1].silence_s == 0


def test_between_the_two_limits_what_was_goes_on() -> None:
    assert fed(Endpoint(), (0, 1), (0.42, 2)) == []
    assert kinds(fed(Endpoint(), (0, 1), (1, 1), (0.42, 2))) == ["Started"]


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.4, 0.45, 0.6, 1.0]), st.integers(1, 700)), max_size=300))
def test_whatever_comes_the_events_make_sense(stream: list[tuple[float, int]]) -> None:
    endpoint, speaking, paused = Endpoint(), False, False
    for probability, length in stream:
        for event in endpoint(probability, np.zeros(length, np.int16)):
            match event:
                case Started():
                    assert not speaking
                    speaking, paused = True, False
                case Paused():
                    assert speaking
                    assert not paused
                    paused = True
                case Resumed():
                    assert paused
                    paused = False
                case Ended():
                    assert speaking
                    speaking = False
        assert endpoint.speaking == speaking
