"""How a call is talked: the limits that hold, and the times that are told of each turn. Knows no sound and no words."""

from __future__ import annotations

import msgspec

from voice.endpoint import Listening


class Talking(msgspec.Struct, frozen=True, kw_only=True):
    """Seconds, unless it says otherwise."""

    ahead_s: float = 0.6
    """At most so much is written to the line before it is heard: a process that stands still for 400 ms is not heard to. What stops
    us takes it back at once."""
    made_s: float = 6.0
    """So much speech is made before it is needed; more is not, for it may never be heard."""
    gather_s: float = 0.06
    """How long a clause waits for the rest of its text: fixed words that come in one piece are known by their whole."""
    certain_s: float = 1.2
    """Who speaks so long over us interrupts, whatever the words: nobody says "mhm" for so long."""
    answer_s: float = 1.5
    """With no more than this left to say, a "yes" is an answer and not a sign of listening."""
    partial_s: float = 1.0
    """So much new speech is worth a transcript of what was said so far."""
    partial_most_s: float = 12.0
    """A partial transcript is of the last so many seconds: the whole follows anyway."""
    grace_s: float = 2.0
    """After a noise that was no words, silence is waited for anew, once."""
    hear_s: float = 8.0
    """Longest that a transcript may take."""
    listening: Listening = Listening()
    judged: tuple[str, ...] = ("en", "es")
    """Languages of which the sound tells whether a sentence is complete; in others one waits as if it never were."""


class Timing(msgspec.Struct, frozen=True, kw_only=True):
    """One turn. Told again whenever more is known of it; times are seconds after the caller's last speech."""

    turn: int
    """Of this call, from 1; 0: nobody has spoken yet."""
    speech_at: float
    """The caller's last speech, by the clock of the call; of turn 0, when we were to speak."""
    speech_s: float = 0.0
    """How long the turn was."""
    ended_s: float | None = None
    """Until it was certain that they had ended."""
    heard_s: float | None = None
    """Until it was known in words."""
    early: bool = False
    """It was understood from what had been transcribed at the first pause."""
    text_s: float | None = None
    """Until we had the first words to say."""
    audio_s: float | None = None
    """Until the first of it was sent."""
    stopped_s: float | None = None
    """From the caller's interruption of what we said then until we were silent."""
