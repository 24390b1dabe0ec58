"""What remembering answers is worth on this machine: `python tests/bench/bench_cache.py`. Informs, proves nothing.

Learns the documents of tests/clinics/harbor with the real embedder and asks its questions twice: how often the second is answered
from memory, and the time of each. Then other wordings: the pairs of tests/assistant/remembered.toml, and the paraphrases of
tests/assistant/approved.toml, which were written for something else; of each answer from memory is told whether looking it up
would have quoted the same sentences. Last the near misses of both: none may be answered from memory.
"""

from __future__ import annotations

import asyncio
import json
import logging
import tempfile
import tomllib
from collections.abc import Iterable
from contextlib import aclosing
from pathlib import Path
from statistics import median
from time import perf_counter

import msgspec

from appliance.app import Clinic, Models, open_clinic
from appliance.assistant.answer import Assistant
from appliance.config import Config, Data
from appliance.message import Citation, Language, Message, MessageId
from appliance.records.keys import create_master_key
from models.loading import embedder
from models.store import Store

TESTS = Path(__file__).parents[1]
HARBOR = TESTS / "clinics" / "harbor"
Question = tuple[Language, str]


async def main() -> None:
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as directory:
        create_master_key(Path(directory))
        config = msgspec.structs.replace(Config(), data=Data(directory=directory))
        store = Store(Path(directory) / "models")
        models = Models(store=store, embedder=embedder(config.models.embedder, store), chat=None)
        async with open_clinic(config, models=models) as clinic:
            await clinic.library.learn([HARBOR / "documents"])
            await _twice(clinic)
            await _worded_otherwise(clinic, "own pairs", _own("same"))
            await _worded_otherwise(clinic, "signed answers' paraphrases", _signed("match"))
            await _near_misses(clinic, "own pairs", _own("near"))
            await _near_misses(clinic, "signed answers", _beside())


async def _twice(clinic: Clinic) -> None:
    rows = [json.loads(line) for line in (HARBOR / "questions.jsonl").read_text("utf-8").splitlines()]
    asked: list[Question] = [(row["lang"], row["question"]) for row in rows]
    assistant = clinic.assistant_with(clinic.qualified)
    await _cited(clinic, assistant, asked[0])  # the models load with their first work
    for time in ("first", "second"):
        before, took = dict(assistant.remembered.counts), []
        for one in asked:
            began = perf_counter()
            await _cited(clinic, assistant, one)
            took.append((perf_counter() - began) * 1000)
        counts = {how: count - before[how] for how, count in assistant.remembered.counts.items()}
        print(f"harbor, {time} time: {len(asked)} questions, p50 {median(took):.0f} ms, {counts}")  # noqa: T201 - a bench speaks


async def _worded_otherwise(clinic: Clinic, name: str, groups: Iterable[list[Question]]) -> None:
    """Each group is one question; the first asked is looked up."""
    others = hits = agree = 0
    for group in groups:
        assistant, fresh = clinic.assistant_with(clinic.qualified), clinic.assistant_with(clinic.qualified)
        for place, one in enumerate(group):
            before = _again(assistant)
            said = await _cited(clinic, assistant, one)
            if place == 0:
                continue
            others += 1
            if _again(assistant) > before:
                hits += 1
                fresh = clinic.assistant_with(clinic.qualified)
                agree += said == await _cited(clinic, fresh, one)
    print(f"{name}: {hits} of {others} other wordings from memory, {agree} of them as looking up would have said")  # noqa: T201 - a bench speaks


async def _near_misses(clinic: Clinic, name: str, groups: Iterable[list[Question]]) -> None:
    tried = hits = 0
    for group in groups:
        assistant = clinic.assistant_with(clinic.qualified)
        for place, one in enumerate(group):
            before = _again(assistant)
            await _cited(clinic, assistant, one)
            tried += place > 0
            hits += place > 0 and _again(assistant) > before
    print(f"{name}: {hits} of {tried} near misses answered from memory")  # noqa: T201 - a bench speaks


def _again(assistant: Assistant) -> int:
    return assistant.remembered.counts["same"] + assistant.remembered.counts["alike"]


async def _cited(clinic: Clinic, assistant: Assistant, question: Question) -> list[Citation]:
    language, text = question
    conversation, _ = await clinic.conversations.create("terminal")
    message = Message(
        id=MessageId(f"asked-{conversation}"),
        conversation=conversation,
        channel="terminal",
        text=text,
        language=language,
    )
    async with aclosing(assistant.answer(message)) as parts:
        return [part async for part in parts if isinstance(part, Citation)]


def _own(table: str) -> list[list[Question]]:
    pairs = tomllib.loads((TESTS / "assistant" / "remembered.toml").read_text("utf-8"))[table]
    return [[(language, text) for text in pair] for language, rows in pairs.items() for pair in rows]


def _signed(kind: str) -> list[list[Question]]:
    tried = tomllib.loads((TESTS / "assistant" / "approved.toml").read_text("utf-8"))
    return [
        [(language, text) for name, texts in kinds.items() if name.endswith(kind) for text in texts]
        for languages in tried.values()
        for language, kinds in languages.items()
    ]


def _beside() -> list[list[Question]]:
    """Each near miss after a paraphrase of what it is near to."""
    groups = zip(_signed("match"), _signed("other"), strict=True)
    return [[same[place % len(same)], miss] for same, others in groups for place, miss in enumerate(others)]


if __name__ == "__main__":
    asyncio.run(main())
