"""The telephone as a whole: when it opens, how it says it is, how it closes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from appliance.channels.phone.joined import Engines
from appliance.channels.phone.line import PhoneLine
from appliance.config import Config
from appliance.message import Language
from models import ModelMissing
from tests.phone.house import FakeCall, House, Ringing
from voice.line import LineStatus

pytestmark = pytest.mark.asyncio(loop_scope="session")


class Telephone:
    def __init__(self, on_call: Callable[..., Any], on_dead: Callable[[str], None]) -> None:
        self.on_call = on_call
        self.on_dead = on_dead
        self.running = False
        self.status = LineStatus(name="main", registered=True, last_ok_s=5.0, calls=0)

    async def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False

    def lines(self) -> list[LineStatus]:
        return [self.status]


class Mouth:
    def __init__(self) -> None:
        self.prepared: list[str] = []
        self.closed = False

    async def prepare(self, texts: Any, language: str) -> None:
        self.prepared += texts

    def close(self) -> None:
        self.closed = True


class Rig:
    def __init__(self, one: House) -> None:
        self.mouth = Mouth()
        self.telephones: list[Telephone] = []
        self.died: list[str] = []
        self.missing: Exception | None = None
        self.prepared_at_start = 0
        self.names_read = 0
        self.line = PhoneLine(
            *(one.settings, one.wording, one.clinic.calls, one.shelf),
            ready=self._ready,
            read_names=self._read_names,
            mouth=self.mouth,
            take=cast(Any, one.door.take),
            telephone=cast(Any, self._made),
            signed=self._signed,
            died=self.died.append,
        )

    async def _ready(self) -> None:
        if self.missing:
            raise self.missing

    async def _read_names(self) -> None:
        self.names_read += 1

    def _made(self, on_call: Any, on_dead: Any) -> Telephone:
        self.prepared_at_start = len(self.mouth.prepared)
        self.telephones.append(Telephone(on_call, on_dead))
        return self.telephones[-1]

    async def _signed(self) -> list[tuple[Any, str]]:
        return [("en", "A signed answer.")]

    async def opened(self) -> asyncio.Task[None]:
        task = asyncio.create_task(self.line.run())
        async with asyncio.timeout(60):
            while "A signed answer." not in self.mouth.prepared:  # noqa: ASYNC110 - the twin tells nobody
                await asyncio.sleep(0.01)
        return task


async def test_lines_open_when_greetings_are_sound_and_the_rest_is_made_afterwards(ringing: Ringing) -> None:
    rig = Rig(await ringing())
    running = await rig.opened()
    assert rig.prepared_at_start == 8  # who speaks and what to do in an emergency, in each language
    assert len(rig.mouth.prepared) > 120
    assert rig.line.state().well and "1 of 1 lines registered" in rig.line.state().words
    running.cancel()
    await asyncio.wait([running])
    assert not rig.telephones[0].running and rig.mouth.closed


async def test_without_its_models_the_phone_stays_closed_and_says_what_to_do(ringing: Ringing) -> None:
    rig = Rig(await ringing())
    rig.missing = ModelMissing("Run: medinovai models pull phone")
    running = asyncio.create_task(rig.line.run())
    async with asyncio.timeout(60):
        while "models pull phone" not in rig.line.state().words:  # noqa: ASYNC110 - a state tells nobody
            await asyncio.sleep(0.01)
    assert not rig.line.state().well and rig.telephones == []
    running.cancel()
    await asyncio.wait([running])


async def test_names_learnt_since_the_start_are_listened_for_after_the_nights_work(ringing: Ringing) -> None:
    rig = Rig(await ringing())
    await rig.line.prepare()  # closed: it has no voice yet, and nothing to be mended
    assert (rig.names_read, rig.mouth.prepared) == (0, [])
    running = await rig.opened()
    before = rig.names_read
    await rig.line.prepare()
    assert rig.names_read == before + 1
    running.cancel()
    await asyncio.wait([running])


async def test_the_ears_are_told_the_names_of_the_documents_as_they_are_now() -> None:
    known: dict[Language, list[str]] = {"en": ["Main Street"]}

    async def names() -> dict[Language, list[str]]:
        return known

    engines = Engines(Config(), cast(Any, None), names)  # no model is loaded for it
    await engines.read_names()
    known["en"].append("Dr. Ana Ruiz")
    assert engines.hotwords("en") == "Main Street"
    await engines.read_names()
    assert (engines.hotwords("en"), engines.hotwords("zh")) == ("Main Street, Dr. Ana Ruiz", "")


@pytest.mark.parametrize(
    ("registered", "last_ok_s", "why", "words"),
    [
        (False, None, "401 Unauthorized", "401 Unauthorized"),
        (True, None, "", "too old"),
        (True, 900.0, "", "too old"),
    ],
)
async def test_a_line_is_only_well_with_a_fresh_registration(
    ringing: Ringing, registered: bool, last_ok_s: float | None, why: str, words: str
) -> None:
    rig = Rig(await ringing())
    running = await rig.opened()
    rig.telephones[0].status = LineStatus(name="main", registered=registered, last_ok_s=last_ok_s, calls=0, why=why)
    assert not rig.line.state().well and words in rig.line.state().words
    running.cancel()
    await asyncio.wait([running])


async def test_a_dead_telephone_ends_the_process(ringing: Ringing) -> None:
    rig = Rig(await ringing())
    running = await rig.opened()
    await asyncio.to_thread(rig.telephones[0].on_dead, "its thread has ended")
    await asyncio.sleep(0.05)  # told from another thread
    assert rig.died == ["its thread has ended"] and not rig.line.state().well
    running.cancel()
    await asyncio.wait([running])


async def test_calls_are_taken_side_by_side_and_none_while_it_closes(ringing: Ringing) -> None:
    rig = Rig(await ringing())
    running = await rig.opened()
    first, second, late = FakeCall(), FakeCall(), FakeCall()
    await rig.telephones[0].on_call(first)
    await rig.telephones[0].on_call(second)
    assert rig.line.calls == 2
    await rig.line.drain(5)
    await rig.line.take(cast(Any, late))
    assert (first.answered, second.answered, late.answered, late.reason) == (True, True, False, "486")
    assert rig.line.calls == 0
    running.cancel()
    await asyncio.wait([running])


async def test_calls_under_way_are_hung_up_when_the_time_is_over(ringing: Ringing) -> None:
    one = await ringing()
    rig = Rig(one)
    running = await rig.opened()
    waits = asyncio.Event()

    async def silent(*_: object, **__: object) -> None:
        await waits.wait()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("tests.phone.house.ScriptedTalk.hear", silent)
        call = FakeCall()
        await rig.line.take(cast(Any, call))
        await rig.line.drain(0.2)
    assert call.hung_up and (await one.record()).call.ended_at
    running.cancel()
    await asyncio.wait([running])
