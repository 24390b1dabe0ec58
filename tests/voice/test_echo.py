"""Our own voice coming back, and others through it; signs of listening; which words were heard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.voice.fake import noise
from voice.audio import Pcm, mulaw, unmulaw
from voice.backchannel import backchannel, opener, unfinished
from voice.echo import Echo
from voice.heard_words import heard_words
from voice.loudness import pause_after
from voice.sentences import clauses

FRAME = 160
TEXT = "We are open from 8:30 to 5 on weekdays, and on Saturdays from nine to noon. Parking is free for patients."


def seen(said: Pcm, back: Pcm) -> list[bool]:
    """For each frame that comes in, whether it is held for ours."""
    echo, found = Echo(8000), []
    for at in range(0, len(said) - FRAME, FRAME):
        echo.played(said[at : at + FRAME])
        echo.came(back[at : at + FRAME])
        found.append(echo.ours())
    return found


@settings(max_examples=12, deadline=None)
@given(weaker=st.floats(3, 45), late_ms=st.integers(0, 500), tail=st.integers(1, 60), inverted=st.booleans())
def test_our_voice_is_known_again_however_weak_late_and_smeared_by_a_line(
    weaker: float, late_ms: int, tail: int, inverted: bool
) -> None:
    said = noise("a long sentence that goes on for some seconds, and then some more", 8000)
    path = np.exp(-np.arange(tail) / 12) * np.where(np.arange(tail) % 3, 0.3, 1.0) * (-1 if inverted else 1)
    back = np.convolve(said, path)[: len(said)]
    back *= said.std() / back.std() * 10 ** (-weaker / 20)
    back = np.concatenate([np.zeros(8 * late_ms), back])[: len(said)]
    found = seen(said, unmulaw(mulaw(np.clip(back, -32768, 32767).astype(np.int16))))
    missed = np.convolve(np.logical_not(found[(late_ms + 200) // 20 :]), np.ones(13))
    assert missed.max() < 6  # fewer frames than begin a turn


def test_a_caller_as_loud_as_callers_are_is_not_taken_for_our_echo() -> None:
    said = noise("a long sentence that goes on for some seconds", 8000)
    caller = noise("somebody else who says something else for as long", 8000)[: len(said)]
    for quieter in (1.0, 0.5, 0.2):
        found = seen(said, (caller * quieter).astype(np.int16))
        assert sum(found[10:]) <= 0.05 * len(found)


def test_where_we_were_silent_for_long_nothing_is_echo() -> None:
    echo = Echo(8000)
    echo.played(noise("hello", 8000))
    for at in range(60):
        echo.came(np.full(FRAME, at, np.int16))
    assert not echo.ours()


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Mm-hmm.", "en"), ("Mhm", "en"), ("Mmmm.", "en"), ("Uh-huh, yeah.", "en"), ("OK, I see.", "en"), ("Sí.", "es"),
        ("Sí, sí, claro.", "es"), ("Ajá", "es"), ("嗯。", "zh"), ("嗯，好的。", "zh"), ("对，对。", "zh"), ("हाँ।", "hi"),
        ("हाँ, ठीक है", "hi"), ("जी हाँ", "hi"), ("Okay", "hi"),
    ],
)  # fmt: skip
def test_signs_of_listening_are_known(text: str, language: str) -> None:
    assert backchannel(text, language)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("No.", "en"), ("Wait.", "en"), ("Yes, but what about Sunday?", "en"), ("Help!", "en"), ("What?", "en"), ("", "en"),
        ("Sí, pero mañana no.", "es"), ("No", "es"), ("好疼", "zh"), ("不对", "zh"), ("不好", "zh"), ("नहीं", "hi"), ("रुको", "hi"),
        ("yes yes yes yes yes yes yes yes", "en"),
    ],
)  # fmt: skip
def test_what_means_something_is_no_sign_of_listening(text: str, language: str) -> None:
    assert not backchannel(text, language)


def seconds(text: str) -> list[float]:
    return [len(clause) / 15 + len(pause_after(clause, 1000)) / 1000 for clause in clauses(text)]


@settings(deadline=None)  # the first reads the tables of numbers
@given(share=st.floats(0, 1))
def test_the_words_heard_grow_with_the_sound_and_end_between_words(share: float) -> None:
    long = seconds(TEXT)
    heard = heard_words(TEXT, "en", long, share * sum(long), whole=True)
    assert TEXT.startswith(heard)
    assert heard in ("", TEXT) or TEXT[len(heard)].isspace()
    assert heard_words(TEXT, "en", long, share * sum(long) / 2, whole=True) <= heard


@pytest.mark.parametrize(
    ("text", "language", "pieces", "played", "heard"),
    [
        ("Come at nine. Bring your card.", "en", [1.3, 1.5], 1.3, "Come at nine."),
        ("Come at nine. Bring your card.", "en", [1.3, 1.5], 0.0, ""),
        ("Come at nine. Bring your card.", "en", [1.3, 1.5], 2.8, "Come at nine. Bring your card."),
        ("请在九点来。请带上您的卡。", "zh", [1.5, 1.8], 1.5, "请在九点来。"),
        ("सोमवार को आइए। कार्ड लाइए।", "hi", [1.5, 1.5], 1.5, "सोमवार को आइए।"),
    ],
)
def test_a_clause_that_was_heard_is_heard_and_the_next_is_not(
    text: str, language: str, pieces: list[float], played: float, heard: str
) -> None:
    assert heard_words(text, language, pieces, played, whole=True) == heard


@pytest.mark.parametrize(
    ("text", "language"),
    [("Excuse me.", "en"), ("Um, hold on, wait.", "en"), ("Hello?", "zh"), ("Disculpe, una pregunta.", "es"),
     ("不好意思，请问一下。", "zh"), ("सुनिए, एक सवाल है।", "hi")],
)  # fmt: skip
def test_who_only_wants_to_be_listened_to_is_known(text: str, language: str) -> None:
    assert opener(text, language)


@pytest.mark.parametrize(
    ("text", "language"),
    [("Excuse me, where can I park?", "en"), ("Stop the bleeding", "en"), ("No", "en"), ("Help", "en"), ("", "en"),
     ("Perdón, ¿a qué hora abren?", "es"), ("请问几点开门", "zh"), ("रुकिए, दर्द है", "hi")],
)  # fmt: skip
def test_who_says_more_has_said_something(text: str, language: str) -> None:
    assert not opener(text, language)


@pytest.mark.parametrize(
    ("text", "language", "half"),
    [("I would like to know if...", "en", True), ("Where can I park my,", "en", True), ("Quiero saber si", "es", True),
     ("我想知道。", "zh", True), ("मुझे जानना है कि", "hi", True), ("Where do I park?", "en", False), ("So", "en", False),
     ("What is that?", "en", False), ("¿A qué hora abren?", "es", False), ("几点开门", "zh", False), ("कब खुलता है", "hi", False)],
)  # fmt: skip
def test_half_a_sentence_is_known(text: str, language: str, half: bool) -> None:
    assert unfinished(text, language) == half
