"""The phone with its real ears and voice: a question is asked aloud, and the answer is understood from its sound."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from appliance.app import shelf
from appliance.channels.live import Live
from appliance.channels.phone.door import Door
from appliance.channels.phone.joined import Engines, Given, door
from appliance.channels.phone.why import explained
from appliance.channels.phone.wording import Wording
from appliance.config import Phone
from models.store import Store
from tests.phone.house import LINE, PEOPLE
from tests.say import Appliance
from tests.voice.fake import FakeLine
from tests.voice.steady import Steady
from voice.audio import resampled
from voice.mouth import Mouth

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.models, pytest.mark.slow]

QUESTION = "When is Main Street open on Monday?"


async def nobody() -> bool:
    return True


async def no_names() -> dict[Any, Any]:
    return {"en": ["Main Street"]}


async def nothing_signed() -> list[Any]:
    return []


async def rig(inner: Appliance, data: Path) -> tuple[Door, Engines]:
    clinic = inner.clinic
    phone = Phone(pbx="127.0.0.1", lines=(LINE,), people=PEOPLE, threads=1)
    config = msgspec.structs.replace(
        clinic.config,
        phone=phone,
        clinic=msgspec.structs.replace(clinic.config.clinic, languages=("en",)),
        data=msgspec.structs.replace(clinic.config.data, directory=str(data)),
    )
    store = await asyncio.to_thread(Store, data / "models")
    await asyncio.to_thread(store.assemble, "phone")
    engines = Engines(config, store, no_names)
    await engines.ready()
    voice = await asyncio.to_thread(store.verify, "piper-joe")
    await asyncio.to_thread(engines._spoken_by.close)
    engines._mouth = Mouth({"en": [Steady(voice)]}, store=data / "sounds")  # else some word is now and then misheard
    given = Given(
        config=config,
        store=store,
        live=Live(inner.answering, clinic.conversations, urgent=lambda _: False, at_most=100),
        conversations=clinic.conversations,
        calls=clinic.calls,
        shelf=await asyncio.to_thread(shelf, clinic),
        desk=clinic.desk,
        calendar=clinic.calendar,
        phrases=clinic.phrases,
        danger=lambda text: (flag := clinic.assistant.partial(text)) is not None and flag.sure,
        person=lambda text: clinic.smalltalk.topic(text) == "person",
        staffed=nobody,
        signed=nothing_signed,
        names=no_names,
        died=print,
    )
    wording = await asyncio.to_thread(Wording, config, clinic.phrases)
    await engines.prepare([wording.disclosure("en")], "en")
    return door(given, engines, wording), engines


async def test_a_spoken_question_is_answered_in_speech(inner: Appliance, tmp_path: Path) -> None:
    taken, engines = await rig(inner, tmp_path)
    line = FakeLine()
    line.presses("9", 0.3)  # a key ends the greeting: the test need not hear it out
    voice = await engines._spoken_by.render(QUESTION, "en", 8000)
    asked_until = line.says(np.asarray(voice), 4.5)
    line.hangs_up(asked_until + 12.0)
    async with asyncio.timeout(120):
        await taken.take(cast(Any, line))
    answer = resampled(line.heard[round(asked_until * 8000) :], 8000, 16000)
    heard = await engines._ears.hear(answer, language="en")
    whole = await inner.clinic.calls.show((await inner.clinic.calls.newest(1))[0].id)
    await asyncio.to_thread(engines.close)
    words = (
        "main street",
        "open",
        "monday",
        "5",
        "clinic's documents",
    )  # a voice is never twice the same: one may be misheard
    assert sum(word in heard.text.lower() for word in words) >= len(words) - 1, heard.text
    (turn,) = whole.turns
    print("\n".join((str(whole.call), str(turn), *explained(whole))))  # noqa: T201 - the figures of this machine
    assert turn.kind == "quoted" and turn.audio_ms and turn.heard_ms and turn.ended_ms
    assert whole.call.greeted_ms is not None and whole.call.greeted_ms < 1000
