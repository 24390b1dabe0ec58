"""How long a caller waits, over SIP, in a whole appliance: telephones behind a PBX, all on this machine.

    python -m tests.bench.bench_calls [--calls 1 2 4] [--turns 6] [--language en]

Voice to voice: from the caller's last word sent to the first sound heard, jitter buffer and network (loopback) included. What
kind of answer each was is read from the box's own record. The callers' telephones and the PBX take part of the same two cores.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models.store import Store
from tests.bench.bench_voice import later, quantile, tight
from tests.peers import clinic
from tests.peers.clinic import DOCUMENTS, Box
from tests.peers.handset import Handset, Leg, Pcm, handsets
from tests.peers.kamailio import kamailio
from tests.peers.programs import free_port
from voice.mouth import Mouth
from voice.voices import VoiceFile, voices

ASKED = {
    "en": (
        "Can I drink coffee before a fasting blood test?",
        "When is Main Street open on Saturday?",
        "How many hours should I not eat before my cholesterol blood test?",
        "How much does an office visit cost without insurance?",
        "Can I drink water before my cholesterol test?",
        "Where can I park my car?",
    ),
    "es": (
        "¿Puedo tomar café antes de un análisis de sangre en ayunas?",
        "¿A qué hora abre Main Street los sábados?",
        "¿Cuánto cuesta una visita sin seguro?",
    ),
    "zh": ("空腹抽血前可以喝咖啡吗？", "Main Street 诊所星期六几点开门？", "没有保险看一次医生多少钱？"),
}
INTERRUPTS = {"en": "Sorry, but what about Sunday?", "es": "Perdone, ¿y los domingos?", "zh": "不好意思，那星期天呢？"}
GAP_S = 0.35
PARTS = ("ended", "heard", "text", "audio")
"""Until the turn was over, in words, answered in words, and in sound."""


class Found:
    """What was measured."""

    def __init__(self) -> None:
        self.greeting: list[float] = []
        self.waited: dict[str, list[float]] = defaultdict(list)
        self.parts: dict[str, list[float]] = defaultdict(list)
        """As the box has noted them."""
        self.stopped: list[float] = []
        self.missing = 0


async def called(box: Box, phone: Handset, asked: Sequence[Pcm], interrupts: Pcm, turns: int, found: Found) -> None:
    """One caller: so many questions, each heard out, then one answer interrupted."""
    leg = await phone.dials("100")
    found.greeting.append(await leg.speaks(leg.began) - leg.began)
    await leg.quiet(leg.began)
    waited: list[float] = []
    for number in range(turns):
        last = await leg.says(asked[number % len(asked)])
        waited.append(await leg.speaks(last) - last)
        await leg.quiet(last)
    last = await leg.says(asked[1])
    await leg.speaks(last)
    await asyncio.sleep(1.5)
    began = time.monotonic()
    await leg.says(interrupts)
    await asyncio.sleep(0.5)
    found.stopped.append(_silent_at(leg, began) - began)
    await leg.hangs_up()
    await asyncio.sleep(1)
    noted = await _turns(box, leg)
    found.missing += abs(len(noted) - turns - 2)
    for turn, seconds in zip(noted, waited, strict=False):
        found.waited[turn["kind"]].append(seconds)
        for part in PARTS:
            if turn[f"{part}_ms"] is not None:
                found.parts[part].append(turn[f"{part}_ms"] / 1000)


def _silent_at(leg: Leg, since: float) -> float:
    """The end of the sound that was under way then."""
    end = since
    for at, pcm in leg.heard:
        if at > since and np.abs(pcm).max() > 300:
            if at - end > GAP_S:
                break
            end = at
    return end


async def _turns(box: Box, leg: Leg) -> list[dict[str, Any]]:
    """Of this call. Several end at once: the one that began when ours did."""
    calls = json.loads(await box.typed("calls", "list", "--json"))
    ours = min(calls, key=lambda one: abs(_ago(one) - (time.monotonic() - leg.began)))
    told = json.loads(await box.typed("calls", "show", str(ours["id"]), "--json"))
    turns: list[dict[str, Any]] = told["turns"]
    return turns


def _ago(call: dict[str, Any]) -> float:
    from datetime import UTC, datetime

    return (datetime.now(UTC) - datetime.fromisoformat(call["started_at"])).total_seconds()


async def measured(options: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder, port, language = Path(name), free_port(), options.language
        box = await clinic.made(folder, port, language=language, more="most_calls = 60")
        await box.typed("learn", str(DOCUMENTS))
        await box.typed("answers", "import", str(DOCUMENTS.parent / "answers.toml"), "--by", "Bench")
        store = Store(box.data / "models")
        files = {name: VoiceFile(store.verify(name), store.sha256(name)) for name in ("piper-joe", "kokoro")}
        mouth = Mouth(voices([language], piper=files["piper-joe"], kokoro=files["kokoro"]), store=folder / "sounds")
        asked = [tight(await mouth.render(words, language, 8000)) for words in ASKED[language]]
        interrupts = tight(await mouth.render(INTERRUPTS[language], language, 8000))
        mouth.close()
        async with kamailio(folder / "pbx", port), clinic.serving(box):
            await asyncio.sleep(options.settle)  # the sound of fixed words is being made
            for calls in options.calls:
                await _round(box, port, calls, asked, interrupts, options.turns)


async def _round(box: Box, port: int, calls: int, asked: Sequence[Pcm], interrupts: Pcm, turns: int) -> None:
    found, users = Found(), [f"30{at}" for at in range(calls)]
    async with handsets(port, *users) as phones:
        began, cpu = time.monotonic(), box.cpu_s()
        async with asyncio.TaskGroup() as group:
            for at, user in enumerate(users):
                mixed = [*asked[at % len(asked) :], *asked[: at % len(asked)]]
                group.create_task(later(1.7 * at, called(box, phones[user], mixed, interrupts, turns, found)))
        share = (box.cpu_s() - cpu) / (time.monotonic() - began)
    told = [f"greeting p50 {quantile(found.greeting, 0.5):.2f}"]
    told += [
        f"{kind} p50 {quantile(those, 0.5):.2f} p95 {quantile(those, 0.95):.2f} ({len(those)})"
        for kind, those in found.waited.items()
    ]
    told += [" ".join(f"{part} {quantile(those, 0.5):.2f}" for part, those in found.parts.items())]
    told += [f"silent after p50 {quantile(found.stopped, 0.5):.2f} worst {max(found.stopped):.2f}"]
    sys.stdout.write(
        f"{calls} calls: {' | '.join(told)} s | {found.missing} turns too many or few | "
        f"{share:.2f} cores, {box.held()['memory'] // 1024} MB, load {os.getloadavg()[0]:.1f}\n"
    )
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--language", choices=ASKED, default="en")
    parser.add_argument("--settle", type=float, default=60.0, help="seconds for the sound of fixed words to be made")
    asyncio.run(measured(parser.parse_args()))


if __name__ == "__main__":
    main()
