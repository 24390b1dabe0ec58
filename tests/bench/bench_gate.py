"""How long the emergency gate takes on this machine: `python tests/bench/bench_gate.py`. Informs, proves nothing.

First the rules over what strangers wrote in each language, then a whole emergency answer from an appliance whose models
have never been loaded: to its first words, and to its end with everything on the disk.
"""

from __future__ import annotations

import asyncio
import csv
import logging
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import aclosing
from pathlib import Path
from time import perf_counter, process_time

import msgspec

from appliance.app import Clinic, Models, open_clinic
from appliance.config import Config, Data
from appliance.message import LANGUAGES, Message, MessageId, Opening, Text
from appliance.records.keys import create_master_key
from models import ModelError, Vectors
from models.scripted import ScriptedEmbedder
from models.store import Store

SETS = Path(__file__).parents[1] / "triage"
EMERGENCIES = {
    "en": "I have crushing chest pain and I can't breathe",
    "es": "Me duele mucho el pecho y no puedo respirar",
    "zh": "我胸口剧痛，喘不过气来",
    "hi": "मेरे सीने में बहुत तेज़ दर्द है और साँस नहीं आ रही",
}
ANSWERS = 100


class Unloaded(ScriptedEmbedder):
    """Whoever asks it is told that there is none."""

    async def queries(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        raise ModelError("no model is loaded")


async def main() -> None:
    logging.disable(logging.WARNING)  # each emergency is one line
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as directory:
        create_master_key(Path(directory))
        config = msgspec.structs.replace(Config(), data=Data(directory=directory))
        models = Models(store=Store(Path(directory) / "models"), embedder=Unloaded(), chat=None)
        async with open_clinic(config, models=models) as clinic:
            for language in LANGUAGES:
                gate("rules", clinic.triage.red_flag, language)
                gate("all that needs no model", clinic.assistant.partial, language)
            for language in LANGUAGES:
                await answers(clinic, language)


def gate(what: str, red_flag: Callable[[str], object], language: str) -> None:
    with (SETS / f"strangers_{language}.csv").open(encoding="utf-8", newline="") as file:
        texts = [row["text"] for row in csv.DictReader(file)]
    told(f"{what}, {language}, {len(texts)} messages", [took(red_flag, text) for text in texts])


def took(red_flag: Callable[[str], object], text: str) -> float:
    began = perf_counter()
    red_flag(text)
    return perf_counter() - began


async def answers(clinic: Clinic, language: str) -> None:
    words, whole, worked = [], [], process_time()
    for number in range(ANSWERS):
        conversation, _ = await clinic.conversations.create("web")
        message = Message(
            id=MessageId(str(number)), conversation=conversation, channel="web", text=EMERGENCIES[language]
        )
        began, first = perf_counter(), None
        async with aclosing(clinic.assistant.answer(message)) as parts:
            async for part in parts:
                assert not isinstance(part, Opening) or part.kind == "emergency"
                if first is None and isinstance(part, Text):
                    first = perf_counter() - began
        whole.append(perf_counter() - began)
        words.append(first or 0.0)
    told(f"answer {language}, to its first words", words)
    told(f"answer {language}, to its end, recorded", whole)
    work = (process_time() - worked) / ANSWERS * 1000
    print(f"answer {language}, work of the processor with opening a conversation: {work:.2f} ms each")  # noqa: T201 - a bench speaks


def told(what: str, seconds: Sequence[float]) -> None:
    ranked = sorted(seconds)
    p50, p99 = (ranked[round(share * (len(ranked) - 1))] * 1000 for share in (0.5, 0.99))
    print(f"{what}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, most {ranked[-1] * 1000:.2f} ms")  # noqa: T201 - a bench speaks


if __name__ == "__main__":
    asyncio.run(main())
