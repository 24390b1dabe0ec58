"""Explains a call from its record: where the time went in each turn, and what went wrong. Pure; knows no words of the caller."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from appliance.conversations.calls import Call, Exchange, Whole

SLOW_MS: Final = 2_500
"""From a caller's last word to our first sound; above it people ask whether somebody is there."""
GREETED_MS: Final = 1_000
STOPPED_MS: Final = 300
LOST: Final = 0.02
JITTER_MS: Final = 40.0
POOR_MOS: Final = 3.6

OUTCOMES: Final = {
    "running": "It is still going on.",
    "answered": "The caller got an answer and hung up.",
    "nothing_said": "The caller hung up before a word was said.",
    "transferred": "It was handed over to a person.",
    "voicemail": "Nobody was free; the caller left a voice message, which is a case now.",
    "callback": "Nobody was free; the caller asked to be called back, which is a case now.",
    "unheard": "The caller went without an answer.",
    "failed": "Something of ours failed in it; see the service's log at this time.",
    "lost": "Our process ended while it was going on.",
}
REASONS: Final = {
    "staff_asked": "A person was asked for.",
    "staff_failed": "Two turns in a row failed, or a part of ours did not work.",
    "staff_emergency": "It was taken for an emergency.",
}
STAGES: Final = (
    ("ended_ms", "waiting for certainty that the caller had ended", "They paused in mid-sentence, or there was noise."),
    ("heard_ms", "understanding the words", "Other calls or chats kept the processor busy; fewer calls at once: phone.most_calls."),
    ("text_ms", "finding the answer", "A model wrote it, or many chats were answered at the same time."),
    ("audio_ms", "making the sound", "These words were not spoken before; signed answers and fixed words are ready in advance."),
)  # fmt: skip
"""What a turn's time is spent on, one after the other: (until, doing, likely why)."""


def explained(whole: Whole) -> Iterator[str]:
    """A line each, the outcome first."""
    call = whole.call
    yield OUTCOMES[call.outcome]
    if call.reason:
        yield REASONS.get(call.reason, f"It ended with: {call.reason}.")
    yield from _greeting(call)
    for number, turn in enumerate(whole.turns, start=1):
        yield from (f"Turn {number}: {line}" for line in _turn(turn))
    for event in whole.events:
        if event.what == "transfer" and "handed over" not in event.detail:
            yield f"Transfer failed: extension {event.detail} ({_transfer(event.detail)})."
    yield from _line(call)


def _greeting(call: Call) -> Iterator[str]:
    if call.greeted_ms is not None and call.greeted_ms > GREETED_MS:
        yield f"The greeting began {call.greeted_ms / 1000:.1f} s after the ring; it should be under {GREETED_MS / 1000:.0f} s."


def _turn(turn: Exchange) -> Iterator[str]:
    if turn.kind == "unclear":
        yield "nothing was understood."
    elif turn.kind == "quiet":
        yield "the caller said nothing, or was not heard."
    elif turn.kind == "unknown":
        yield "the documents do not say."
    if turn.audio_ms is not None and turn.audio_ms > SLOW_MS:
        yield _slowest(turn)
    if turn.stopped_ms is not None and turn.stopped_ms > STOPPED_MS:
        yield f"we were silent only {turn.stopped_ms} ms after the caller had interrupted."


def _slowest(turn: Exchange) -> str:
    """The stage that took longest."""
    before, spent = 0, list[tuple[int, str, str]]()
    for name, doing, why in STAGES:
        until = getattr(turn, name)
        if until is not None:
            spent.append((until - before, doing, why))
            before = until
    longest, doing, why = max(spent)
    return f"slow, {(turn.audio_ms or 0) / 1000:.1f} s; of these {longest / 1000:.1f} s {doing}. {why}"


def _transfer(detail: str) -> str:
    known = {
        "404": "there is no such extension",
        "408": "nobody picked up",
        "480": "not registered, or do not disturb",
        "486": "busy",
        "487": "nobody picked up",
        "503": "the telephone system refused it",
        "603": "declined",
        "not taken": "somebody or a mailbox picked up and did not press 1",
    }
    return next((words for sign, words in known.items() if sign in detail), "the telephone system refused it")


def _line(call: Call) -> Iterator[str]:
    if call.lost is not None and call.lost > LOST:
        yield f"{call.lost:.1%} of the caller's sound was lost on the network: words are misheard above {LOST:.0%}."
    if call.jitter_ms is not None and call.jitter_ms > JITTER_MS:
        yield f"The network's delay varied by {call.jitter_ms:.0f} ms: put telephones into a network of their own, with priority."
    if call.mos is not None and call.mos < POOR_MOS:
        yield f"The line sounded poor (MOS {call.mos:.1f} of 5)."
    if call.starved:
        yield f"{call.starved} times our speech had gaps: the processor was too busy."
    if call.dropped:
        yield f"{call.dropped} pieces of the caller's sound came faster than we read them: the processor was too busy."
