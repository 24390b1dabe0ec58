"""Calls by a route point: taken once, with their sound both ways, whatever happens between us and 3CX."""

from __future__ import annotations

import asyncio
import gc
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from appliance.api.certificate import tls
from appliance.channels.phone.pbx import control, route_point, token
from appliance.channels.phone.pbx.route_point import RouteCall, RoutePoint
from appliance.channels.phone.pbx.token import Access
from appliance.config import Server
from appliance.errors import Unavailable
from tests.twins.threecx import CLIENT, DN, KEY, Caller, Fault, ThreeCx
from voice.line import CannotConsult, HungUp, TransferFailed

LONG_S = 60.0
"""Another's work on this machine may hold us up; nothing here waits for time to pass."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A real route point looks every ten seconds and waits longer and longer."""
    monkeypatch.setattr(route_point, "LOOK_S", 0.2)
    monkeypatch.setattr(route_point, "LINGER_S", 0.2)
    monkeypatch.setattr(route_point, "AGAIN_S", 0.1)
    monkeypatch.setattr(route_point, "ANSWER_S", 1.0)
    monkeypatch.setattr(token, "HOLD_S", 0.1)
    monkeypatch.setattr(control, "FIRST_S", 0.02)
    monkeypatch.setattr(control, "MOST_S", 0.2)


@pytest.fixture
async def pbx() -> AsyncIterator[ThreeCx]:
    twin = ThreeCx()
    async with twin.serving():
        yield twin


class Rig:
    """A route point whose calls are kept."""

    def __init__(self, pbx: ThreeCx, take: Callable[[RouteCall], Awaitable[None]] | None = None, **more: Any) -> None:
        self.calls: list[RouteCall] = []
        self.access = Access(
            pbx.url, CLIENT, KEY, timeout_s=more.pop("timeout_s", 20.0), certificate=more.pop("certificate", "")
        )
        self.point = RoutePoint(self.access, DN, self._came, **more)
        self._take = take

    async def _came(self, call: RouteCall) -> None:
        self.calls.append(call)
        if self._take:
            await self._take(call)


@asynccontextmanager
async def open_rig(
    pbx: ThreeCx, take: Callable[[RouteCall], Awaitable[None]] | None = None, **more: Any
) -> AsyncIterator[Rig]:
    rig = Rig(pbx, take, **more)
    await rig.point.start()
    try:
        yield rig
    finally:
        await rig.point.stop()


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(LONG_S):
        while not true():  # noqa: ASYNC110 - the twin and the wire tell nobody
            await asyncio.sleep(0.01)


async def rung(pbx: ThreeCx, rig: Rig, **more: Any) -> tuple[Caller, RouteCall]:
    """A call that is answered."""
    before = len(rig.calls)
    caller = await pbx.ring(**more)
    await until(lambda: len(rig.calls) > before)
    await rig.calls[-1].answer()
    return caller, rig.calls[-1]


def tone(seconds: float, step: int = 7) -> Any:
    """No two samples near each other are alike, and none is silence."""
    return (np.arange(round(seconds * 8000)) * step % 20_000 + 1).astype(np.int16)


async def heard(call: RouteCall, samples: int) -> Any:
    frames: list[Any] = []
    async with asyncio.timeout(LONG_S):
        while sum(map(len, frames)) < samples:
            frames.append(await call.read())
    return np.concatenate(frames)


async def test_a_whole_call_with_sound_both_ways_and_keys(pbx: ThreeCx) -> None:
    async with open_rig(pbx) as rig:
        caller, call = await rung(pbx, rig)
        assert (call.caller, call.called, call.rate) == ("+15035550123", "5035550100", 8000)
        assert caller.status == "Connected" and caller.done("answer") == 1
        said = tone(1.5)
        data = said.astype("<i2").tobytes()
        for start in range(0, len(data), 333):  # cut in the middle of samples, as a network does
            caller.to_say.put_nowait(data[start : start + 333])
        assert np.array_equal(await heard(call, len(said)), said)
        ours = tone(1.0, step=11)
        assert call.write(ours) == len(ours)
        await until(lambda: ours.astype("<i2").tobytes() in bytes(caller.heard))
        await pbx.press(caller, "1")
        await pbx.press(caller, "2#")
        keys = [await asyncio.wait_for(call.digits.get(), LONG_S) for _ in range(3)]
        assert keys == ["1", "2", "#"]
        await call.hang_up()
        assert caller.gone.is_set() and call.reason == "we hung up"
        with pytest.raises(HungUp):
            await call.read()
        with pytest.raises(HungUp):
            call.write(ours)


async def test_over_tls_only_whom_the_certificate_names_is_trusted(tmp_path: Path) -> None:
    pair = await asyncio.to_thread(tls, Server(host="0.0.0.0"), tmp_path)  # noqa: S104 - makes a certificate; nothing listens
    assert pair
    secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    secure.load_cert_chain(pair.certificate, pair.private_key)
    twin = ThreeCx()
    async with twin.serving(secure) as url:
        stranger = Access(url, CLIENT, KEY)
        with pytest.raises(Unavailable, match="Certificate"):
            await stranger.token()
        await stranger.close()
        async with open_rig(twin, certificate=str(pair.certificate)) as rig:
            caller, call = await rung(twin, rig)
            caller.to_say.put_nowait(tone(0.1).astype("<i2").tobytes())
            await heard(call, 800)
            call.write(tone(0.1))
            await until(lambda: tone(0.1).astype("<i2").tobytes() in bytes(caller.heard) and twin.sockets)


async def test_sound_goes_out_at_the_pace_at_which_it_is_heard(pbx: ThreeCx) -> None:
    async with open_rig(pbx) as rig:
        caller, call = await rung(pbx, rig)
        await until(lambda: caller.listeners)
        began = time.monotonic()
        call.write(tone(3.0))
        await until(lambda: call.buffered_s == 0)
        assert time.monotonic() - began > 3.0 - route_point.AHEAD_S - 0.1


async def test_what_was_not_sent_is_thrown_away_at_once(pbx: ThreeCx) -> None:
    async with open_rig(pbx) as rig:
        caller, call = await rung(pbx, rig)
        call.write(tone(5.0))
        await until(lambda: any(caller.heard))
        sent = 5.0 - call.buffered_s
        thrown = call.flush()
        assert thrown == pytest.approx(5.0 - sent) and call.buffered_s == 0
        length = len(caller.heard)
        await until(lambda: len(caller.heard) > length + 16_000)  # a second of silence follows: the line is not dead
        spoken = len(bytes(caller.heard).strip(b"\0")) / 16_000
        assert spoken <= sent + 0.001
        call.write(tone(0.2, step=13))
        await until(lambda: tone(0.2, step=13).astype("<i2").tobytes() in bytes(caller.heard))


async def test_a_caller_who_hangs_up_ends_the_call_and_all_that_ran_for_it(pbx: ThreeCx) -> None:
    async with open_rig(pbx) as rig:
        caller, call = await rung(pbx, rig)
        await pbx.hangs_up(caller)
        async with asyncio.timeout(LONG_S):
            await call.ended.wait()
            with pytest.raises(HungUp):
                while True:
                    await call.read()
        assert call.reason == "the caller hung up"
        await until(lambda: not rig.point.lines()[0].calls and all(task.done() for task in call._streams))


async def test_whom_we_have_left_we_neither_hear_nor_speak_to(pbx: ThreeCx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_point, "LINGER_S", 1000.0)
    pbx.lingering = 1
    async with open_rig(pbx) as rig:
        caller, call = await rung(pbx, rig)
        await until(lambda: caller.listeners)
        await call.hang_up()
        await until(lambda: not caller.listeners and all(task.done() for task in call._streams))
        assert not caller.gone.is_set()


async def test_a_call_is_handed_over_where_somebody_takes_it_and_stays_with_us_where_nobody_does(pbx: ThreeCx) -> None:
    pbx.extensions = {"201": "Busy", "202": "answers"}
    async with open_rig(pbx) as rig:
        caller, call = await rung(pbx, rig)
        for nobody, status in (("201", 480), ("999", 480)):
            with pytest.raises(TransferFailed) as failed:
                await call.transfer(nobody, 5)
            assert failed.value.status == status and not call.ended.is_set()
        await call.transfer("202", 5)
        assert caller.given_to == "202" and call.reason == "transferred to 202" and caller.done("drop") == 1
        assert [given["destination"] for action, given in caller.asked if action == "routeto"] == ["201", "999", "202"]
        with pytest.raises(CannotConsult):
            await call.consult("202", 5)


@pytest.mark.parametrize("fault", ["500_after", "cut_after"])
async def test_whoever_is_still_here_after_a_lost_answer_was_not_handed_over(pbx: ThreeCx, fault: Fault) -> None:
    pbx.extensions = {"201": "Busy"}
    async with open_rig(pbx) as rig:
        caller, call = await rung(pbx, rig)
        pbx.faults.append(("routeto", fault))
        with pytest.raises(TransferFailed):
            await call.transfer("201", 5)
        assert not call.ended.is_set() and not caller.gone.is_set()


async def test_a_refused_call_goes_to_who_takes_the_overflow(pbx: ThreeCx) -> None:
    pbx.extensions = {"801": "answers"}
    async with open_rig(pbx, lambda call: call.refuse(), overflow="801") as rig:
        ringing = await pbx.ring()
        await until(lambda: ringing.given_to == "801")
        assert ringing.done("divert") == 1
        pbx.connects_itself = True
        connected = await pbx.ring()
        await until(lambda: connected.given_to == "801")
        assert connected.done("routeto") == 1
        pbx.faults.append(("routeto", "500_before"))
        lost = await pbx.ring()
        await until(lambda: lost.given_to == "801")
        assert len(rig.calls) == 3


async def test_a_refused_call_is_dropped_where_nobody_takes_it(pbx: ThreeCx) -> None:
    async with open_rig(pbx, lambda call: call.refuse()):
        caller = await pbx.ring()
        await until(lambda: caller.gone.is_set())
        assert caller.done("drop") == 1
        pbx.lingering = 2
        caller = await pbx.ring()
        await until(lambda: caller.gone.is_set())


async def test_who_was_connected_before_we_came_is_taken(pbx: ThreeCx) -> None:
    pbx.connects_itself = True
    waiting = await pbx.ring(told=False)
    async with open_rig(pbx) as rig:
        await until(lambda: rig.calls)
        await rig.calls[0].answer()
        assert waiting.done("answer") == 0
        await until(lambda: waiting.heard)


FAULTS: tuple[Fault, ...] = (
    "401",
    "429",
    "500_before",
    "500_after",
    "cut_before",
    "cut_after",
    "nonsense",
    "empty",
    "hang",
    "hang_after",
)
PATHS = ("/callcontrol/800", "answer", "stream", "connect/token", "callcontrol/ws")


@pytest.mark.parametrize("part", PATHS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_no_call_is_lost_or_taken_twice(pbx: ThreeCx, part: str, fault: Fault) -> None:
    pbx.hang_s = 1.0
    async with open_rig(pbx, timeout_s=0.7 if "hang" in fault else 20.0) as rig:
        await until(lambda: pbx.sockets)
        if part in ("connect/token", "callcontrol/ws"):
            pbx.given.append("somebody else's")  # whoever asks for a token ends ours
            await pbx.cut_sockets()
        pbx.faults = [(part, fault)] * 2
        caller = await pbx.ring()
        await until(lambda: rig.calls)
        await rig.calls[0].answer()
        caller.to_say.put_nowait(tone(0.1).astype("<i2").tobytes())
        call = rig.calls[0]
        repeating = asyncio.create_task(_saying(caller, call))
        await until(lambda: any(caller.heard) and len(pbx.faults) < 2 and pbx.sockets)
        await heard(call, 160)
        repeating.cancel()
        await pbx.hangs_up(caller)
        await asyncio.wait_for(call.ended.wait(), LONG_S)
        assert len(rig.calls) == 1 and not rig.point.lines()[0].calls


async def _saying(caller: Caller, call: RouteCall) -> None:
    """Both go on speaking."""
    with suppress(HungUp):
        while True:
            caller.to_say.put_nowait(tone(0.1).astype("<i2").tobytes())
            if call.buffered_s < 0.5:
                call.write(tone(0.1))
            await asyncio.sleep(0.05)


async def test_lost_doubled_and_swapped_events_do_no_harm(pbx: ThreeCx) -> None:
    pbx.lost, pbx.doubled, pbx.swapped = 0.3, 0.3, 0.3
    async with open_rig(pbx) as rig:
        callers = [await pbx.ring(f"+1503555{number:04}") for number in range(20)]
        await until(lambda: len(rig.calls) == 20)
        await asyncio.gather(*(call.answer() for call in rig.calls))
        await asyncio.gather(*(pbx.hangs_up(caller) for caller in callers))
        await until(lambda: all(call.ended.is_set() for call in rig.calls))
        assert sorted(call.caller for call in rig.calls) == [caller.number for caller in callers]


async def test_a_key_that_is_told_twice_was_pressed_once(pbx: ThreeCx) -> None:
    async with open_rig(pbx) as rig:
        await until(lambda: pbx.sockets)
        caller, call = await rung(pbx, rig)
        pbx.doubled = 1.0
        for key in "1123":
            await pbx.press(caller, key)
        keys = [await asyncio.wait_for(call.digits.get(), LONG_S) for _ in range(4)]
        assert keys == ["1", "1", "2", "3"] and call.digits.empty()


async def test_who_came_and_who_left_while_the_line_was_broken_is_found(pbx: ThreeCx) -> None:
    async with open_rig(pbx) as rig:
        await until(lambda: pbx.sockets)
        leaves, first = await rung(pbx, rig)
        stays, second = await rung(pbx, rig)
        pbx.refuses_socket = True
        await pbx.cut_sockets()
        await pbx.hangs_up(leaves)
        comes = await pbx.ring("+15035550199")
        await until(lambda: first.ended.is_set() and len(rig.calls) == 3)
        await rig.calls[2].answer()
        assert comes.status == "Connected" and not second.ended.is_set()
        pbx.refuses_socket = False
        await until(lambda: pbx.sockets and rig.point.lines()[0].registered)
        await pbx.press(stays, "9")
        assert await asyncio.wait_for(second.digits.get(), LONG_S) == "9"


async def test_an_answer_that_does_not_say_who_is_there_ends_no_call(pbx: ThreeCx) -> None:
    async with open_rig(pbx) as rig:
        _, call = await rung(pbx, rig)
        pbx.faults = [("/callcontrol/800", "empty"), ("/callcontrol/800", "nonsense"), ("/callcontrol/800", "403")]
        await until(lambda: not pbx.faults)
        await until(lambda: rig.point.lines()[0].registered)
        assert not call.ended.is_set()


async def test_who_is_called_by_the_route_point_is_no_caller(pbx: ThreeCx) -> None:
    async with open_rig(pbx) as rig:
        await pbx.ring(status="Dialing")
        await rung(pbx, rig)
        assert len(rig.calls) == 1


async def test_a_stream_that_breaks_in_the_middle_goes_on(pbx: ThreeCx) -> None:
    async with open_rig(pbx) as rig:
        caller, call = await rung(pbx, rig)
        caller.to_say.put_nowait(tone(0.2).astype("<i2").tobytes())
        await heard(call, 1600)
        caller.to_say.put_nowait(b"cut")
        caller.to_say.put_nowait(tone(0.4, step=13).astype("<i2").tobytes())
        await heard(call, 3200)
        assert not call.ended.is_set()


async def test_a_call_without_sound_is_given_to_people(pbx: ThreeCx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_point, "MUTE_S", 0.5)
    pbx.extensions = {"801": "answers"}
    pbx.faults = [("stream", "500_before")] * 1000
    async with open_rig(pbx, overflow="801") as rig:
        caller, call = await rung(pbx, rig)
        await asyncio.wait_for(call.ended.wait(), LONG_S)
        await until(lambda: caller.gone.is_set())
        assert caller.given_to == "801" and call.reason == "its sound could not be had"


async def test_who_is_not_connected_in_time_is_given_to_people(pbx: ThreeCx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_point, "CONNECT_S", 0.5)
    pbx.extensions = {"801": "answers"}
    pbx.faults = [("answer", "403")] * 100
    async with open_rig(pbx, overflow="801") as rig:
        caller = await pbx.ring()
        await until(lambda: rig.calls)
        with pytest.raises(HungUp):
            await rig.calls[0].answer()
        assert caller.given_to == "801"


async def test_a_mistake_of_ours_does_not_end_the_line(pbx: ThreeCx, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(route_point, "AGAIN_S", 0.01)
    wrong = 0

    def mistaken(look: Callable[..., Any]) -> Callable[..., Any]:
        def once(*given: Any) -> Any:
            nonlocal wrong
            wrong += 1
            return 1 / 0 if wrong == 1 else look(*given)

        return once

    monkeypatch.setattr(RoutePoint, "_compared", mistaken(RoutePoint._compared))
    async with open_rig(pbx) as rig:
        await rung(pbx, rig)
        assert wrong > 1


async def test_the_state_says_what_to_mend(pbx: ThreeCx) -> None:
    rig = Rig(pbx)
    rig.point = RoutePoint(Access(pbx.url, CLIENT, "a wrong key"), DN, rig._came)
    await rig.point.start()
    await until(lambda: "Admin Console" in rig.point.lines()[0].why)
    assert not rig.point.lines()[0].registered and "wrong key" not in rig.point.lines()[0].why
    await rig.point.stop()
    await rig.access.close()


async def test_a_hundred_calls_leave_nothing_behind(pbx: ThreeCx) -> None:
    async with open_rig(pbx) as rig:
        await asyncio.gather(*(_short(pbx, rig) for _ in range(5)))
        await _settled(rig)
        before = _held()
        for _ in range(20):
            await asyncio.gather(*(_short(pbx, rig) for _ in range(5)))
        rig.calls.clear()
        await _settled(rig)
        after = _held()
        assert after[0] <= before[0] and after[1] <= before[1] and after[2] <= before[2] + 12, (before, after)


async def _short(pbx: ThreeCx, rig: Rig) -> None:
    caller = await pbx.ring()
    await until(lambda: any(call.participant == caller.id for call in rig.calls))
    call = next(call for call in rig.calls if call.participant == caller.id)
    await call.answer()
    caller.to_say.put_nowait(tone(0.1).astype("<i2").tobytes())
    await heard(call, 800)
    await (pbx.hangs_up(caller) if caller.id % 2 else call.hang_up())
    await asyncio.wait_for(call.ended.wait(), LONG_S)


async def _settled(rig: Rig) -> None:
    await until(lambda: not rig.point._known and len(rig.point._tasks) == 2)
    gc.collect()


def _held() -> tuple[int, int, int]:
    """Tasks, threads, descriptors. Some lines are kept for the next request, each with a task of the twin's and two descriptors."""
    tasks = [task for task in asyncio.all_tasks() if "RequestHandler" not in repr(task.get_coro())]
    return len(tasks), threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
