"""The self-test: a clinic's own questions and emergencies asked by the product's own path, and told when it became worse.

Asks what lies in the data directory, leaves no conversation and no alert behind, and keeps the figures.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from appliance.app import Clinic
from appliance.evaluation.answers import answers, questions
from appliance.evaluation.measured import Measured, measured, remembered
from appliance.evaluation.rehearsal import overheard, rehearsing
from appliance.evaluation.safety import safety, texts
from appliance.operations.history import NIGHTLY, fingerprint

log = logging.getLogger(__name__)

QUESTIONS: Final = "questions.jsonl"
"""In the form of `eval answers`."""
SAFETY: Final = "safety.csv"
"""In the form of `eval safety`."""
MARGIN: Final = 0.03

Progress = Callable[[int, int], None]


async def self_test(clinic: Clinic) -> str:
    """The job: what the log says of it."""
    found = await nightly(clinic)
    figures = (f"{name}={one.run.overall.get(name)}" for one in found for name in _TOLD if name in one.run.overall)
    return " ".join(figures) or "nothing_to_ask"


_TOLD: Final = ("right", "recall")


async def nightly(clinic: Clinic, *, progress: Progress = lambda _done, _total: None) -> list[Measured]:
    """Each set that is there, measured, kept, and compared with its last good run."""
    folder = Path(clinic.config.data.directory)
    asked = ((QUESTIONS, _answers), (SAFETY, _safety))
    return [
        await _kept(command, folder / name, await measure(clinic, folder / name, progress))
        for command, (name, measure) in zip(NIGHTLY, asked, strict=True)
        if await asyncio.to_thread((folder / name).exists)
    ]


async def _answers(clinic: Clinic, file: Path, progress: Progress) -> dict[str, Any]:
    asked = await asyncio.to_thread(questions, file)
    tried, sure = overheard(rehearsing(clinic))
    sources = {document.id: document.source for document in await clinic.library.documents()}
    return await answers(tried.assistant, tried.conversations, asked, sources=sources, sure=sure, progress=progress)


async def _safety(clinic: Clinic, file: Path, progress: Progress) -> dict[str, Any]:
    asked = await asyncio.to_thread(texts, file)
    tried = rehearsing(clinic)
    return await safety(tried.assistant, tried.conversations, asked, progress=progress)


async def _kept(command: str, file: Path, report: dict[str, Any]) -> Measured:
    found = measured(command, report, fingerprint=await asyncio.to_thread(fingerprint, [file]))
    kept = await asyncio.to_thread(remembered, found, file.parent, margin=MARGIN, names=_TOLD)
    for fall in kept.run.fell:
        log.warning("self_test=worse figure=%s before=%g now=%g", fall.figure, fall.before, fall.now)
    return kept
