"""Voice messages over HTTP: staff of the clinic hear them, nobody else does, and who heard one is on record."""

from __future__ import annotations

import io
import wave
from collections.abc import AsyncIterator

import httpx
import numpy as np
import pytest

from appliance.channels.phone.recording import FOLDER
from appliance.conversations.calls import Kept
from appliance.conversations.case import Case
from appliance.records import audit
from tests.http.house import House
from tests.http.test_staff_over_http import cheap_passwords, page, signed_in

__all__ = ["cheap_passwords"]

RATE = 8000


@pytest.fixture
async def maria(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with page(house) as client:
        await signed_in(house, client)
        yield client


async def a_call(house: House, *kinds: Kept) -> Case:
    """A case of somebody who called, with two seconds of sound of each kind."""
    conversation, _ = await house.conversations.create("phone", "en")
    call = await house.calls.begin(conversation, line="main", caller="1", site=None)
    for kind in kinds:
        kept = house.recorded.record(call, conversation, kind=kind, channels=1)
        kept("in", np.full(2 * RATE, 500, np.int16), RATE)
        assert await kept.close() == 2.0
    return await house.desk.open(conversation, reason="asked", urgency=1, language="en", channel="phone")


async def listed(client: httpx.AsyncClient, case: Case) -> list[dict[str, object]]:
    found: list[dict[str, object]] = (await client.get(f"/api/staff/cases/{case.id}")).json()["recordings"]
    return found


def address(case: Case, recording: object) -> str:
    return f"/api/staff/cases/{case.id}/recordings/{recording}"


async def heard(house: House) -> list[tuple[str, str]]:
    entries = await audit.entries(house.database)
    return [(one.actor, one.subject) for one in entries if one.act == "recording.export"]


async def test_staff_hear_what_a_caller_said_and_that_is_on_record(house: House, maria: httpx.AsyncClient):
    case = await a_call(house, "call", "voicemail")
    recordings = await listed(maria, case)
    assert [(one["kind"], one["seconds"]) for one in recordings] == [("call", 2.0), ("voicemail", 2.0)]
    assert all(set(one) == {"id", "kind", "seconds", "at"} for one in recordings)  # nothing of where the file lies
    assert await heard(house) == []
    told = await maria.get(address(case, recordings[1]["id"]))
    assert told.status_code == 200 and told.headers["content-type"] == "audio/wav"
    assert told.headers["cache-control"] == "no-store"
    with wave.open(io.BytesIO(told.content)) as sound:
        assert (sound.getframerate(), sound.getnchannels(), sound.getnframes()) == (RATE, 1, 2 * RATE)
        assert set(np.frombuffer(sound.readframes(2 * RATE), np.int16)) == {500}
    assert await heard(house) == [("maria", str(recordings[1]["id"]))]


async def test_who_has_not_signed_in_hears_nothing(house: House, maria: httpx.AsyncClient, browser: httpx.AsyncClient):
    case = await a_call(house, "voicemail")
    (one,) = await listed(maria, case)
    told = await browser.get(address(case, one["id"]))
    assert told.status_code == 401 and b"RIFF" not in told.content
    await browser.post("/api/conversations", json={})
    assert (await browser.get(address(case, one["id"]))).status_code == 401
    await house.staff.disable("maria")
    assert (await maria.get(address(case, one["id"]))).status_code == 401
    assert await heard(house) == []


async def test_a_recording_of_another_case_is_not_found(house: House, maria: httpx.AsyncClient):
    one, other = await a_call(house, "voicemail"), await a_call(house, "voicemail")
    ((mine,), (others,)) = await listed(maria, one), await listed(maria, other)
    assert mine["id"] != others["id"]
    for path in (address(one, others["id"]), address(one, 2**70), address(one, 0)):
        assert (await maria.get(path)).status_code == 404
    assert await heard(house) == []


async def test_a_recording_kept_no_longer_is_gone_in_plain_words(house: House, maria: httpx.AsyncClient):
    case = await a_call(house, "voicemail")
    (one,) = await listed(maria, case)
    for file in (house.data / FOLDER).iterdir():
        file.unlink()
    told = await maria.get(address(case, one["id"]))
    assert told.status_code == 404 and told.json()["detail"] == "this recording is not kept any longer"
    assert await house.recorded.forget(older_than_days=-1) == 1
    assert await listed(maria, case) == []
    again = await maria.get(address(case, one["id"]))
    assert (again.status_code, again.json()["detail"]) == (404, told.json()["detail"])
    assert await heard(house) == []


async def test_sound_that_cannot_be_opened_is_not_said_to_be_heard(house: House, maria: httpx.AsyncClient):
    case = await a_call(house, "voicemail")
    (one,) = await listed(maria, case)
    (file,) = (house.data / FOLDER).iterdir()
    file.write_bytes(file.read_bytes()[:-1] + b"\x00\x00")
    told = await maria.get(address(case, one["id"]))
    assert told.status_code == 503 and file.name not in told.text
    assert await heard(house) == []


async def test_what_a_patient_deleted_is_not_heard_any_more(house: House, maria: httpx.AsyncClient):
    case = await a_call(house, "voicemail")
    (one,) = await listed(maria, case)
    await house.conversations.delete(case.conversation)
    assert (await maria.get(address(case, one["id"]))).status_code == 404
    assert await house.room.recordings.of(case.conversation) == []
