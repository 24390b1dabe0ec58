"""3CX's twin and our client, both judged by 3CX's own OpenAPI description of XAPI: else our tests would only prove each other.

Of the Call Control API there is no such description: its twin is written from the documentation.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from appliance.channels.phone.pbx.token import Access, Refused
from appliance.channels.phone.pbx.xapi import Active, Recording, Segment, Xapi
from tests.twins import prism
from tests.twins.threecx import CLIENT, DN, KEY, ThreeCx

DESCRIPTION = Path(prism.__file__).with_name("threecx_openapi.json")
AT = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)


@pytest.fixture
async def pbx() -> AsyncIterator[ThreeCx]:
    twin = ThreeCx()
    async with twin.serving():
        yield twin


@asynccontextmanager
async def _judged(pbx: ThreeCx) -> AsyncIterator[str]:
    judge = prism.judging(DESCRIPTION, pbx.url)
    address = await asyncio.to_thread(judge.__enter__)  # it waits for its program; the twin answers in this loop
    try:
        yield address
    finally:
        await asyncio.to_thread(judge.__exit__, None, None, None)


@pytest.mark.slow
async def test_what_we_ask_and_what_the_twin_answers_are_as_3cx_describes_them(pbx: ThreeCx) -> None:
    for number in range(120):
        pbx.logged(number, at=AT + timedelta(minutes=number))
    pbx.recorded(7, at=AT)
    await pbx.ring()
    async with _judged(pbx) as judged:
        access = Access(judged, CLIENT, KEY, timeout_s=60)
        xapi = Xapi(access)
        assert len(await xapi.calls(AT, dn=DN)) == 120
        assert [one.id for one in await xapi.recordings(AT, dn=DN)] == [7]
        assert (await xapi.sound(7)).startswith(b"RIFF")  # the judge reads it as text, and spoils it
        assert len(await xapi.active()) == 1
        with pytest.raises(Refused):
            await xapi.sound(8)
        await access.close()
        wrong = Access(judged, CLIENT, "a wrong key", timeout_s=60)
        with pytest.raises(Refused):
            await wrong.token()
        await wrong.close()


@pytest.mark.slow
async def test_the_judge_sees_what_is_wrong_on_either_side(pbx: ThreeCx) -> None:
    pbx.logged(1, at=AT)
    async with _judged(pbx) as judged, aiohttp.ClientSession(judged) as client:
        access = Access(judged, CLIENT, KEY, timeout_s=60)
        headers = {"authorization": f"Bearer {await access.token()}"}
        for path, status in (("CallHistoryView?$top=-1", 422), ("CallHistoryView?$top=1", 200), ("NoSuchTable", 404)):
            async with client.get(f"/xapi/v1/{path}", headers=headers) as answer:
                assert answer.status == status
        pbx.log[0]["SegmentStartTime"] = "yesterday"
        async with client.get("/xapi/v1/CallHistoryView", headers=headers) as answer:
            assert answer.status == 500
        await access.close()


async def test_every_field_of_ours_and_of_the_twin_is_one_of_3cx(pbx: ThreeCx) -> None:
    """What is not required may be misspelt, and the judge would not see it."""
    described = json.loads(DESCRIPTION.read_text(encoding="utf-8"))["components"]["schemas"]
    pbx.logged(1, at=AT)
    pbx.recorded(1, at=AT)
    await pbx.ring()
    for name, ours, row in (
        ("CallHistoryView", Segment, pbx.log[0]),
        ("Recording", Recording, pbx.recordings[0]),
        ("ActiveCall", Active, pbx._active()[0]),
    ):
        known = set(described[f"Pbx.{name}"]["properties"])
        assert set(ours.__struct_encode_fields__) <= known and set(row) <= known
