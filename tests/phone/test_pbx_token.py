"""One token for all, and 3CX's own log: what is asked, how often, and what is said when 3CX does not answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from appliance.channels.phone.pbx.token import Access, Refused
from appliance.channels.phone.pbx.xapi import Xapi
from appliance.errors import Busy, TooLarge, Unavailable
from tests.twins.threecx import CLIENT, DN, KEY, Fault, ThreeCx

AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
TOKEN = "/connect/token"  # noqa: S105 - a path


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def pbx() -> AsyncIterator[ThreeCx]:
    twin = ThreeCx()
    async with twin.serving():
        yield twin


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def access(pbx: ThreeCx, clock: Clock) -> AsyncIterator[Access]:
    opened = Access(pbx.url, CLIENT, KEY, timeout_s=20, clock=clock)
    yield opened
    await opened.close()


async def look(access: Access) -> bytes:
    return await access.asked("GET", f"/callcontrol/{DN}")


async def test_many_workers_share_one_token_and_one_of_them_renews_it(
    pbx: ThreeCx, access: Access, clock: Clock
) -> None:
    await asyncio.gather(*(look(access) for _ in range(20)))
    assert len(pbx.given) == 1
    clock.now += pbx.expires_in - 1  # before its end
    await asyncio.gather(*(look(access) for _ in range(20)))
    assert len(pbx.given) == 2
    await asyncio.gather(*(look(access) for _ in range(20)))
    assert len(pbx.given) == 2


async def test_a_token_that_somebody_else_has_ended_is_renewed_once_for_all(pbx: ThreeCx, access: Access) -> None:
    await look(access)
    pbx.given.append("somebody else's")
    await asyncio.gather(*(look(access) for _ in range(20)))
    assert len(pbx.given) == 3


async def test_a_token_of_a_few_seconds_is_used_and_not_asked_for_at_each_request(pbx: ThreeCx, access: Access) -> None:
    pbx.expires_in = 4
    for _ in range(5):
        await look(access)
    assert pbx.asked[TOKEN] == 1


async def test_a_token_that_cannot_be_renewed_is_used_until_it_is_refused(
    pbx: ThreeCx, access: Access, clock: Clock
) -> None:
    await look(access)
    clock.now += pbx.expires_in - 1
    pbx.faults = [(TOKEN, "500_before")]
    await asyncio.gather(*(look(access) for _ in range(20)))
    assert pbx.asked[TOKEN] == 2 and len(pbx.given) == 1
    clock.now += 10
    await look(access)
    assert len(pbx.given) == 2


async def test_many_workers_do_not_all_ask_where_no_token_is_given(pbx: ThreeCx, access: Access) -> None:
    pbx.faults = [(TOKEN, "500_before")] * 20
    done = await asyncio.gather(*(look(access) for _ in range(20)), return_exceptions=True)
    assert all(isinstance(one, Unavailable) for one in done) and pbx.asked[TOKEN] == 1


async def test_who_is_refused_with_a_new_token_too_is_told_so(pbx: ThreeCx, access: Access) -> None:
    pbx.faults = [("/callcontrol/800", "401")] * 2
    with pytest.raises(Refused, match="Integrations > API") as refused:
        await look(access)
    assert refused.value.status == 401 and pbx.asked[TOKEN] == 2


async def test_neither_key_nor_token_is_told_to_anybody(
    pbx: ThreeCx, access: Access, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await look(access)
    pbx.faults = [
        ("/callcontrol/800", "cut_before"),
        ("/callcontrol/800", "cut_before"),
        (TOKEN, "403"),
        (TOKEN, "nonsense"),
    ]
    said = []
    for _ in range(4):
        try:
            await look(access)
        except Unavailable as error:
            said.append(str(error))
        pbx.given.append("ended")
        clock.now += 2
    told = "".join((caplog.text, repr(access), *said))
    assert len(said) == 3 and KEY not in told
    assert not any(given in told for given in pbx.given if given.startswith("token-"))


FAULTS: dict[Fault, type[Exception]] = {
    "403": Refused,
    "429": Busy,
    "500_before": Unavailable,
    "500_after": Unavailable,
    "hang": Unavailable,
    "cut_before": Unavailable,
    "cut_after": Unavailable,
    "nonsense": Unavailable,
    "empty": Unavailable,
}


@pytest.mark.parametrize("part", [TOKEN, "CallHistoryView"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_every_fault_is_one_clear_error_and_passes(pbx: ThreeCx, part: str, fault: Fault) -> None:
    pbx.hang_s = 5.0
    access = Access(pbx.url, CLIENT, KEY, timeout_s=0.5 if fault == "hang" else 20)
    pbx.logged(1, at=AT)
    pbx.faults = [(part, fault)] * (2 if "cut" in fault else 1)  # on a line that was kept a question is asked again
    with pytest.raises(FAULTS[fault]):
        await Xapi(access).calls(AT - timedelta(days=1), dn=DN)
    pbx.faults.clear()
    patient = Access(pbx.url, CLIENT, KEY, timeout_s=20)
    assert len(await Xapi(patient).calls(AT - timedelta(days=1), dn=DN)) == 1
    await access.close()
    await patient.close()


async def test_nobody_there_is_an_error_that_says_so() -> None:
    access = Access("http://127.0.0.1:9", CLIENT, KEY)
    with pytest.raises(Unavailable, match="does not answer"):
        await look(access)
    await access.close()


async def test_the_log_is_read_page_by_page_to_its_end(pbx: ThreeCx, access: Access) -> None:
    for number in range(250):
        pbx.logged(number, at=AT + timedelta(minutes=number), answered=bool(number % 2))
    pbx.logged(998, at=AT, dn="201")
    pbx.logged(999, at=AT - timedelta(days=2))
    pbx.log[249]["CallTime"] = "PT1M2.5S"
    found = await Xapi(access).calls(AT - timedelta(days=1), dn=DN)
    assert [one.segment_id for one in found] == list(range(249, -1, -1))
    assert pbx.asked["/xapi/v1/CallHistoryView"] == 3
    assert found[0].call_time == timedelta(seconds=62.5) and found[0].segment_start_time == AT + timedelta(minutes=249)
    assert (found[0].src_caller_number, found[0].dst_dn, found[0].call_answered) == ("+15035550123", DN, True)
    assert "5550123" not in repr(found[0])
    assert len(await Xapi(access).calls(AT, dn=DN, most=120)) == 120


async def test_a_call_that_comes_while_pages_are_read_makes_no_row_come_twice(pbx: ThreeCx, access: Access) -> None:
    for number in range(150):
        pbx.logged(number, at=AT + timedelta(minutes=number))
    asked = access.asked

    async def and_a_new_call(*args: object, **more: object) -> bytes:
        content = await asked(*args, **more)  # type: ignore[arg-type]  # whatever it was asked with
        pbx.logged(len(pbx.log), at=AT + timedelta(days=1, minutes=len(pbx.log)))
        return content

    access.asked = and_a_new_call  # type: ignore[method-assign]  # 3CX's log grows in between
    found = [one.segment_id for one in await Xapi(access).calls(AT, dn=DN)]
    assert found == list(range(149, -1, -1))


async def test_a_quote_in_a_number_stays_a_letter(pbx: ThreeCx, access: Access) -> None:
    pbx.logged(1, at=AT)
    assert await Xapi(access).calls(AT, dn="8' or '1' eq '1") == []


async def test_recordings_are_listed_and_taken_out_up_to_a_size(pbx: ThreeCx, access: Access) -> None:
    pbx.recorded(7, at=AT)
    pbx.recorded(8, at=AT + timedelta(hours=1), dn="201")
    xapi = Xapi(access)
    (one,) = await xapi.recordings(AT, dn=DN)
    assert (one.id, one.from_caller_number) == (7, "+15035550123")
    assert await xapi.sound(7) == pbx.sounds[7]
    with pytest.raises(TooLarge):
        await xapi.sound(7, most_bytes=1000)
    with pytest.raises(Refused):
        await xapi.sound(5)
    pbx.faults = [("DownloadRecording", "nonsense")]
    with pytest.raises(Unavailable, match="no sound"):
        await xapi.sound(7)


async def test_calls_under_way_are_listed(pbx: ThreeCx, access: Access) -> None:
    await pbx.ring()
    (one,) = await Xapi(access).active()
    assert one.caller == "+15035550123" and one.status == "Talking"
