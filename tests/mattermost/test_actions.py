"""Buttons, the reply's form and /case: they work for staff, once, and for nobody who only pretends."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from appliance.channels.mattermost.actions import COMMAND, DIALOG, LARGEST, OF_ONE_A_MINUTE
from appliance.channels.mattermost.room import ACTION
from appliance.people.pace import Pace
from tests.mattermost.box import COMMAND_TOKEN, PAGE, Box, answer
from tests.twins.mattermost import Mattermost, encoded


@pytest.fixture
async def client(clinic: Box) -> AsyncIterator[httpx.AsyncClient]:
    async with clinic.client() as opened:
        yield opened


async def test_accept_then_return(clinic: Box, twin: Mattermost, client: httpx.AsyncClient) -> None:
    case = await clinic.waiting()
    control = await clinic.control(case)
    assert answer(await twin.press(client, control, "accept", clinic.ana)) == f"Case {case.id} is yours."
    assert (await clinic.desk.case(case.id)).accepted_by == "ana"
    await clinic.quiet()
    assert "accept" not in twin.buttons(control)
    assert "given back" in answer(await twin.press(client, control, "return", clinic.ana))
    assert (await clinic.desk.case(case.id)).state == "returned"


async def test_a_button_of_earlier_does_nothing(clinic: Box, twin: Mattermost, client: httpx.AsyncClient) -> None:
    case = await clinic.waiting()
    control = await clinic.control(case)
    before = dict(twin.buttons(control))
    await clinic.desk.accept(case.id, PAGE)
    await clinic.quiet()
    for act in ("accept", "return", "resolve", "reply"):
        body = {"user_id": clinic.ben, "context": before[act]["context"], "trigger_id": "t"}
        assert "out of date" in answer(await client.post(ACTION, json=body))
    now = await clinic.desk.case(case.id)
    assert (now.state, now.accepted_by) == ("person", "ana") and not twin.dialogs


async def test_a_wrong_secret_does_nothing(clinic: Box, twin: Mattermost, client: httpx.AsyncClient) -> None:
    case = await clinic.waiting()
    right = twin.buttons(await clinic.control(case))["accept"]["context"]["token"]
    for token in ("", "x", right[:-1], right + "x", right.swapcase(), "\ud800", "a" * 10_000):
        body = {"user_id": clinic.ana, "context": {"token": token}, "trigger_id": "t"}
        import json

        response = await client.post(ACTION, content=json.dumps(body).encode())
        assert response.status_code == 403 or "out of date" in answer(response)
    assert (await clinic.desk.case(case.id)).state == "waiting"


async def test_a_stranger_with_a_right_secret_does_nothing(
    clinic: Box, twin: Mattermost, client: httpx.AsyncClient
) -> None:
    case = await clinic.waiting()
    control = await clinic.control(case)
    for user in (clinic.joe, twin.bot):
        assert "not on the clinic's list" in answer(await twin.press(client, control, "accept", user))
    assert (await clinic.desk.case(case.id)).state == "waiting"


async def test_the_reply_is_written_in_a_form_and_said_once(
    clinic: Box, twin: Mattermost, client: httpx.AsyncClient
) -> None:
    case = await clinic.waiting()
    control = await clinic.control(case)
    assert answer(await twin.press(client, control, "reply", clinic.ana)) == ""
    (form,) = twin.dialogs
    assert form["dialog"]["elements"][0]["default"] == "We open at nine." and form["url"].endswith(DIALOG)
    assert "Write something" in answer(await twin.submit(client, "  ", clinic.ana))
    for _ in range(2):
        assert answer(await twin.submit(client, "At nine, as always.", clinic.ana)) == ""
    assert await clinic.words(case.conversation) == ["At nine, as always."]
    await clinic.quiet()
    channel = await clinic.channel(case)
    assert sum("At nine, as always" in one for one in clinic.texts(channel)) == 1
    assert "out of date" in answer(await twin.submit(client, "and I", clinic.ben))


async def test_the_secret_of_a_form_presses_no_button(clinic: Box, twin: Mattermost, client: httpx.AsyncClient) -> None:
    case = await clinic.waiting()
    await twin.press(client, await clinic.control(case), "reply", clinic.ana)
    token = twin.dialogs[0]["dialog"]["state"]
    response = await client.post(ACTION, json={"user_id": clinic.ana, "context": {"token": token}})
    assert response.status_code == 403


async def test_what_is_no_call_is_refused(client: httpx.AsyncClient) -> None:
    for body in (b"", b"[]", b"{", b'{"user_id": 5}', b"\xff\xfe", b"null"):
        assert (await client.post(ACTION, content=body)).status_code == 403
        assert (await client.post(DIALOG, content=body)).status_code == 403
        assert (await client.post(COMMAND, content=body)).status_code == 403
    for path in (ACTION, DIALOG, COMMAND):
        assert (await client.post(path, content=b"x" * (LARGEST + 1))).status_code == 413


async def test_calls_are_limited(client: httpx.AsyncClient, clinic: Box, twin: Mattermost) -> None:
    clinic.actions._each = Pace(OF_ONE_A_MINUTE, clock=lambda: 0.0)  # no second passes, however long it takes
    case = await clinic.waiting()
    control = await clinic.control(case)
    told = [answer(await twin.press(client, control, "accept", clinic.joe)) for _ in range(70)]
    assert "Too many" in told[-1]


async def test_the_command_lists_takes_notes_and_closes(
    clinic: Box, twin: Mattermost, client: httpx.AsyncClient
) -> None:
    case = await clinic.waiting("a secret of the patient's")

    async def said(text: str, user: str = clinic.ana, token: str = COMMAND_TOKEN) -> httpx.Response:
        form = twin.form({"token": token, "trigger": "case"}, text, user, "c")
        return await client.post(COMMAND, content=encoded(form))

    assert answer(await said("")) == f"Case {case.id} · urgent · waiting"
    assert "yours" in answer(await said(f"take {case.id}"))
    assert "kept" in answer(await said(f"note {case.id} call her husband"))
    assert [one.text for one in await clinic.desk.notes(case.id)] == ["call her husband"]
    assert "with Ana" in answer(await said(f"take {case.id}", clinic.ben))
    assert "resolved" in answer(await said(f"resolve {case.id}"))
    assert "Nobody is waiting" in answer(await said("list"))
    for text in ("take", "take x", "take 99999", "dance 1", f"resolve {case.id}", "take " + "9" * 40):
        assert answer(await said(text))
    assert "not on the clinic's list" in answer(await said("", clinic.joe))
    for token in ("", "x", COMMAND_TOKEN + "x", "ü"):
        assert (await said("", token=token)).status_code == 403
