"""The route point in the house: the same door, the same limits, people who get calls unasked; and what `phone check` says."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from blockbuster import BlockBuster
from click.testing import CliRunner

from appliance.__main__ import main
from appliance.channels.phone import check
from appliance.channels.phone.joined import Ways, ways
from appliance.channels.phone.line import PhoneLine
from appliance.channels.phone.pbx import check as pbx_check
from appliance.channels.phone.pbx.route_point import RoutePoint
from appliance.config import Config, Data, Pbx, load
from appliance.errors import BadConfig
from appliance.message import now
from appliance.records.secrets import keep
from models.store import Store
from tests.phone.house import House, Ringing, Says
from tests.phone.test_line import Mouth
from tests.twins.threecx import CLIENT, DN, KEY, ThreeCx
from voice.line import Call, LineStatus

LONG_S = 60.0
"""Another's work on this machine may hold us up."""


@pytest.fixture
async def pbx() -> AsyncIterator[ThreeCx]:
    twin = ThreeCx()
    async with twin.serving():
        yield twin


def config(pbx: ThreeCx, data: Path, **more: Any) -> Config:
    return Config(
        data=Data(directory=str(data)), pbx=Pbx(url=pbx.url, client_id=CLIENT, calls=True, overflow="801"), **more
    )


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(LONG_S):
        while not true():  # noqa: ASYNC110 - the twin and the wire tell nobody
            await asyncio.sleep(0.01)


@pytest.mark.asyncio(loop_scope="session")
async def test_a_call_of_the_route_point_goes_through_the_same_door_to_people(ringing: Ringing, tmp_path: Path) -> None:
    pbx = ThreeCx()
    pbx.extensions = {"201": "Busy", "202": "answers"}
    async with pbx.serving():
        one = await ringing(most_calls=1)
        settings = config(pbx, tmp_path)
        await asyncio.to_thread(keep, check.KEY, KEY, tmp_path)
        one.script = [Says("When are you open?"), Says("I want to speak to a person")]
        line = phone_line(one, settings)
        running = asyncio.create_task(line.run())
        try:
            caller = await pbx.ring("+15035550177")
            await until(lambda: caller.given_to)
            assert caller.given_to == "202" and _routed(caller) == ["201", "202"]
            await until(lambda: not line.calls)
            record = await one.record()
            assert record.call.line == "route point" and "8:00" in one.talks[-1].words
        finally:
            running.cancel()
            await asyncio.wait([running])


@pytest.mark.asyncio(loop_scope="session")
async def test_over_the_limit_of_all_calls_the_route_point_sends_its_own_on(ringing: Ringing, tmp_path: Path) -> None:
    pbx = ThreeCx()
    pbx.extensions = {"801": "answers"}
    held = asyncio.Event()

    async def take(call: Call) -> None:
        await held.wait()

    async with pbx.serving():
        one = await ringing(most_calls=1)
        await asyncio.to_thread(keep, check.KEY, KEY, tmp_path)
        line = phone_line(one, config(pbx, tmp_path), take)
        running = asyncio.create_task(line.run())
        try:
            first = await pbx.ring()
            await until(lambda: line.calls == 1)
            second = await pbx.ring()
            await until(lambda: second.given_to)
            assert second.given_to == "801" and not first.gone.is_set()
            assert "1 of 1 lines registered" in line.state().words and line.state().well
        finally:
            held.set()
            running.cancel()
            await asyncio.wait([running])


def phone_line(one: House, settings: Config, take: Any = None) -> PhoneLine:
    async def nothing() -> None:
        return None

    async def unsigned() -> list[Any]:
        return []

    return PhoneLine(
        *(one.settings, one.wording, one.clinic.calls, one.shelf),
        ready=nothing,
        read_names=nothing,
        mouth=Mouth(),
        take=take or one.door.take,
        telephone=cast(Any, lambda on_call, on_dead: Ways(*ways(settings, on_call, on_dead))),
        signed=unsigned,
        died=lambda why: None,
    )


def _routed(caller: Any) -> list[str]:
    return [given["destination"] for action, given in caller.asked if action == "routeto"]


async def test_several_telephones_are_one() -> None:
    class Telephone:
        def __init__(self, name: str, *, broken: bool = False) -> None:
            self.name, self.broken, self.running = name, broken, False

        async def start(self) -> None:
            if self.broken:
                raise OSError("no socket")
            self.running = True

        async def stop(self) -> None:
            self.running = False

        def lines(self) -> list[LineStatus]:
            return [LineStatus(name=self.name, registered=True, last_ok_s=1.0, calls=0)]

    one, two, broken = Telephone("main"), Telephone("route point"), Telephone("broken", broken=True)
    both = Ways(one, two)
    await both.start()
    assert [line.name for line in both.lines()] == ["main", "route point"] and two.running
    await both.stop()
    with pytest.raises(OSError, match="no socket"):
        await Ways(one, broken).start()
    assert not one.running


def test_what_does_not_fit_together_is_refused() -> None:
    url = "https://pbx.clinic.example"
    for wrong in (
        {"pbx.url": url},
        {"pbx.client_id": "800"},
        {"pbx.calls": True},
        {"pbx.url": url, "pbx.client_id": "800", "pbx.calls": True},
        {"pbx.url": url, "pbx.client_id": "800", "pbx.calls": True, "pbx.overflow": "800"},
    ):
        with pytest.raises(BadConfig, match="pbx"):
            load(env={}, flags=wrong)
    well = load(env={}, flags={"pbx.url": url, "pbx.client_id": "800", "pbx.calls": True, "pbx.overflow": "801"})
    assert well.config.takes_calls and well.config.pbx.route_point == "800" and not Config().takes_calls


async def test_without_its_key_the_route_point_does_not_begin(pbx: ThreeCx, tmp_path: Path) -> None:
    settings = config(pbx, tmp_path)
    with pytest.raises(BadConfig, match="pbx-key"):
        await asyncio.to_thread(lambda: list(ways(settings, cast(Any, None), lambda why: None)))
    found = await asyncio.to_thread(_looked, settings)
    assert found["key of 3CX's client"].state == "failing" and "pbx-key" in found["key of 3CX's client"].remedy
    await asyncio.to_thread(keep, check.KEY, KEY, tmp_path)
    (only,) = await asyncio.to_thread(lambda: list(ways(settings, cast(Any, None), lambda why: None)))
    assert isinstance(only, RoutePoint)
    found = await asyncio.to_thread(_looked, settings)
    assert found["key of 3CX's client"].state == "ok" and "phone" not in found


def _looked(settings: Config) -> dict[str, check.Looked]:
    return {one.name: one for one in check.looked(settings, Store(Path(settings.data.directory) / "models"))}


async def test_check_finds_a_client_that_is_set_up_and_what_is_missing_of_one_that_is_not(
    pbx: ThreeCx, tmp_path: Path
) -> None:
    settings = config(pbx, tmp_path)
    await asyncio.to_thread(keep, check.KEY, KEY, tmp_path)
    opened = await asyncio.to_thread(pbx_check.access, settings)
    assert [one.state async for one in pbx_check.looked(settings, opened)] == ["ok"] * 4
    pbx.faults = [(DN, "403"), ("Recordings", "403")]
    found = {one.name: one async for one in pbx_check.looked(settings, opened)}
    assert found["3CX log"].state == "ok" and found["route point"].state == found["3CX recordings"].state == "failing"
    assert "licence" in found["route point"].words
    await opened.close()
    await asyncio.to_thread(keep, check.KEY, "another key", tmp_path)
    opened = await asyncio.to_thread(pbx_check.access, settings)
    (only,) = [one async for one in pbx_check.looked(settings, opened)]
    assert (only.name, only.state) == ("3CX client", "failing") and "another key" not in only.words
    await opened.close()


async def test_a_recording_of_3cx_is_written_for_its_reader_only(
    pbx: ThreeCx, tmp_path: Path, blockbuster: BlockBuster
) -> None:
    blockbuster.deactivate()  # a command reads its settings in a loop that nobody else is in
    pbx.logged(3, at=now() - timedelta(hours=1))
    pbx.recorded(7, at=now() - timedelta(hours=1))
    data, file = tmp_path / "data", tmp_path / "seven.wav"
    await asyncio.to_thread(keep, check.KEY, KEY, data)
    settings = tmp_path / "config.toml"
    text = f'[data]\ndirectory = "{data}"\n[models]\nchat = ""\n[pbx]\nurl = "{pbx.url}"\nclient_id = "{CLIENT}"\n'
    await asyncio.to_thread(settings.write_text, text)

    async def typed(*words: str) -> str:
        given = ("--config", str(settings), *words)
        done = await asyncio.to_thread(lambda: CliRunner().invoke(main, given, catch_exceptions=False))
        assert done.exit_code == 0, done.output
        return done.output

    await typed("init")
    assert "62 s" in await typed("phone", "pbx", "calls")
    assert "7" in await typed("phone", "pbx", "recordings")
    await typed("phone", "pbx", "recording", "7", str(file), "--by", "Ana")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert file.read_bytes() == pbx.sounds[7]
