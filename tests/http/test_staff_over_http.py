"""The staff page's side of the wire: who may in, what each act does, and what the line tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from argon2 import PasswordHasher
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from appliance.conversations.case import Case
from appliance.message import ConversationId, Message, MessageId
from appliance.people import passwords
from appliance.records import audit
from tests.http.house import House

GOOD = "copper violin seventeen lakes"


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = PasswordHasher(1, 8, 1)
    monkeypatch.setattr(passwords, "_hasher", lambda: cheap)


def page(house: House) -> httpx.AsyncClient:
    return httpx.AsyncClient(base_url=house.origin, headers={"origin": house.origin}, timeout=60)


async def signed_in(house: House, client: httpx.AsyncClient, name: str = "maria") -> None:
    first = await house.staff.create(name, name.capitalize(), "Nurse")
    assert (await client.post("/api/staff/session", json={"name": name, "password": first})).status_code == 201
    assert (await client.post("/api/staff/password", json={"new": GOOD + " of " + name[::-1]})).status_code == 204


@pytest.fixture
async def maria(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with page(house) as client:
        await signed_in(house, client)
        yield client


@pytest.fixture
async def ana(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with page(house) as client:
        await signed_in(house, client, "ana")
        yield client


async def a_case(house: House, text: str = "my bill is wrong", urgency: int = 1) -> Case:
    conversation, _ = await house.conversations.create("web", "en")
    await patient_says(house, conversation, text)
    return await house.desk.open(conversation, reason="asked", urgency=urgency, language="en", channel="web")


async def patient_says(house: House, conversation: ConversationId, text: str) -> None:
    name = MessageId(str(uuid4()))
    message = Message(id=name, conversation=conversation, channel="web", text=text)
    await house.conversations.begin(message)
    await house.desk.patient_said(conversation, name)


def reply(text: str) -> dict[str, str]:
    return {"id": str(uuid4()), "text": text}


async def test_nothing_is_shown_to_a_stranger(house: House, browser: httpx.AsyncClient):
    case = await a_case(house)
    for path in ("queue", "session", f"cases/{case.id}"):
        told = await browser.get(f"/api/staff/{path}")
        assert told.status_code == 401 and "bill" not in told.text
    for act in ("accept", "reply", "note", "return", "resolve", "snooze", "read", "leave", "wake"):
        assert (await browser.post(f"/api/staff/cases/{case.id}/{act}", json={})).status_code == 401
    browser.cookies.set("staff", "x" * 43)
    assert (await browser.get("/api/staff/queue")).status_code == 401


async def test_with_a_one_time_password_only_another_can_be_chosen(house: House, browser: httpx.AsyncClient):
    first = await house.staff.create("maria", "Maria", "Nurse")
    told = await browser.post("/api/staff/session", json={"name": "maria", "password": first})
    cookies = told.headers.get_list("set-cookie")
    assert all("httponly" in one.lower() and "samesite=strict" in one.lower() for one in cookies) and len(cookies) == 2
    assert told.json()["must_change"] and first not in told.text
    assert (await browser.get("/api/staff/queue")).status_code == 403
    weak = await browser.post("/api/staff/password", json={"new": "password1234"})
    assert weak.status_code == 400 and "password1234" not in weak.text
    assert (await browser.post("/api/staff/password", json={"new": GOOD})).status_code == 204
    assert (await browser.get("/api/staff/queue")).json()["me"]["name"] == "Maria"


@pytest.mark.parametrize("name", ["maria", "nobody"])
async def test_a_wrong_pair_is_refused_alike_then_slowly(house: House, browser: httpx.AsyncClient, name: str):
    await house.staff.create("maria", "Maria", "Nurse")
    told = [await browser.post("/api/staff/session", json={"name": name, "password": "wrong"}) for _ in range(4)]
    assert [one.status_code for one in told] == [403, 403, 403, 429]
    assert told[0].json()["detail"] == "the name or the password is wrong"
    assert int(told[3].headers["retry-after"]) >= 1


async def test_only_our_own_page_may_sign_in_or_act(house: House, maria: httpx.AsyncClient):
    case = await a_case(house)
    evil = {"origin": "https://evil.example"}
    assert (await maria.post("/api/staff/session", json={}, headers=evil)).status_code == 403
    assert (await maria.post(f"/api/staff/cases/{case.id}/resolve", headers=evil)).status_code == 403
    async with httpx.AsyncClient(base_url=house.origin, cookies=maria.cookies, timeout=60) as without_origin:
        assert (await without_origin.post(f"/api/staff/cases/{case.id}/resolve")).status_code == 403
    assert (await house.desk.case(case.id)).open


async def test_a_case_is_taken_answered_noted_and_given_back(house: House, maria: httpx.AsyncClient):
    case = await a_case(house, "an emergency with my bill")
    shown = (await maria.get(f"/api/staff/cases/{case.id}")).json()
    assert shown["place"] == 1 and shown["case"]["unread"] == 1
    assert list(shown["why"].values()) == [{"rule": "chest pain", "kind": "heart"}]
    assert (await maria.post(f"/api/staff/cases/{case.id}/accept", json={"version": 1})).json()[
        "accepted_by"
    ] == "maria"
    word = (await maria.post(f"/api/staff/cases/{case.id}/reply", json=reply("I look into it."))).json()
    assert (word["by"], word["role_of_staff"]) == ("Maria", "Nurse")
    await maria.post(f"/api/staff/cases/{case.id}/note", json={"text": "calls often"})
    await maria.put(f"/api/staff/words/{word['id']}", json={"text": "I am looking into it."})
    await maria.post(f"/api/staff/cases/{case.id}/read")
    shown = (await maria.get(f"/api/staff/cases/{case.id}")).json()
    assert [one["text"] for one in shown["turns"]] == ["an emergency with my bill", "I am looking into it."]
    assert shown["notes"][0]["text"] == "calls often" and shown["case"]["unread"] == 0
    await maria.delete(f"/api/staff/words/{word['id']}")
    assert (await maria.post(f"/api/staff/cases/{case.id}/return")).json()["state"] == "returned"
    queue = (await maria.get("/api/staff/queue")).json()
    assert queue["cases"] == [] and queue["closed"][0]["id"] == case.id
    seen = [one for one in await audit.entries(house.database) if one.act == "case.view"]
    assert [(one.actor, one.subject) for one in seen] == [("maria", str(case.id))]


async def test_a_note_is_in_nothing_that_the_patient_can_ask_for(
    house: House, maria: httpx.AsyncClient, browser: httpx.AsyncClient
):
    opened = (await browser.post("/api/conversations", json={})).json()
    case = await house.desk.open(
        ConversationId(opened["id"]), reason="asked", urgency=1, language="en", channel="web", summary="secret summary"
    )
    await maria.post(f"/api/staff/cases/{case.id}/note", json={"text": "secret note"})
    await maria.post(f"/api/staff/cases/{case.id}/reply", json=reply("Hello."))
    told = (await browser.get("/api/conversation")).text
    assert "Hello." in told and "secret" not in told


async def test_who_comes_second_is_told_and_a_reply_sent_twice_is_said_once(
    house: House, maria: httpx.AsyncClient, ana: httpx.AsyncClient
):
    case = await a_case(house)
    both = await asyncio.gather(
        *(one.post(f"/api/staff/cases/{case.id}/accept", json={"version": 1}) for one in (maria, ana))
    )
    assert sorted(one.status_code for one in both) == [200, 409]
    said = reply("Hello.")
    for _ in range(2):
        assert (await maria.post(f"/api/staff/cases/{case.id}/reply", json=said)).status_code == 200
    assert len(await house.desk.words(case.conversation)) == 1
    assert (await ana.put(f"/api/staff/words/{said['id']}", json={"text": "Not mine."})).status_code == 403


async def test_emergencies_stand_first_then_who_waits_longest(house: House, maria: httpx.AsyncClient):
    first, second = await a_case(house), await a_case(house)
    danger = await a_case(house, urgency=0)
    queue = (await maria.get("/api/staff/queue")).json()["cases"]
    assert [one["id"] for one in queue] == [danger.id, first.id, second.id]


async def test_going_off_duty_or_signing_out_leaves_no_patient_with_nobody(house: House, maria: httpx.AsyncClient):
    case = await a_case(house)
    await maria.put("/api/staff/duty", json={"on_duty": True})
    for go in (
        lambda: maria.put("/api/staff/duty", json={"on_duty": False}),
        lambda: maria.delete("/api/staff/session"),
    ):
        await maria.put("/api/staff/duty", json={"on_duty": True})
        await maria.post(f"/api/staff/cases/{case.id}/accept", json={})
        assert (await go()).is_success
        assert (await house.desk.case(case.id)).state == "waiting"
    assert (await maria.get("/api/staff/queue")).status_code == 401
    assert (await house.staff.groups())[1] == ()


# ---- the line -------------------------------------------------------------------------------------------------------


def line(house: House, client: httpx.AsyncClient, origin: str | None = None) -> Any:
    cookie = "; ".join(f"{one.name}={one.value}" for one in client.cookies.jar)
    url = house.origin.replace("http", "ws") + "/api/staff/live"
    return connect(url, origin=origin or house.origin, additional_headers={"cookie": cookie})  # type: ignore[arg-type]  # a NewType of str


async def heard(socket: ClientConnection) -> Any:
    async with asyncio.timeout(60):
        return msgspec.json.decode(await socket.recv())


async def until(socket: ClientConnection, what: str) -> Any:
    while True:
        frame = await heard(socket)
        if frame["type"] == "news" and frame["happened"]["what"] == what:
            return frame["happened"]


async def test_the_line_tells_at_once_what_happens_and_holds_no_words(house: House, maria: httpx.AsyncClient):
    async with line(house, maria) as socket:
        assert (await heard(socket))["type"] == "hello"
        case = await a_case(house, "my secret illness")
        opened = await until(socket, "opened")
        assert opened["case_id"] == case.id and "secret" not in repr(opened)
        await patient_says(house, case.conversation, "my secret illness")
        assert (await until(socket, "patient_said"))["message_id"]
        await maria.post(f"/api/staff/cases/{case.id}/accept", json={})
        assert (await until(socket, "accepted"))["name"] == "Maria"
        await socket.send(msgspec.json.encode({"type": "typing", "case": case.id}).decode())
        assert (await until(socket, "typing"))["by"] == "maria"
        await socket.send('{"type": "ping"}')
        assert (await heard(socket))["type"] == "pong"


async def test_the_line_is_closed_to_strangers_and_to_who_signed_out(house: House, maria: httpx.AsyncClient):
    async with page(house) as stranger:
        with pytest.raises(InvalidStatus):
            await line(house, stranger)
    with pytest.raises(InvalidStatus):
        await line(house, maria, origin="https://evil.example")
    async with line(house, maria) as socket:
        await heard(socket)
        await maria.delete("/api/staff/session")
        await socket.send('{"type": "ping"}')
        with pytest.raises(ConnectionClosed) as closed:
            await heard(socket)
        assert closed.value.rcvd and closed.value.rcvd.code == 4401


async def test_nobody_is_told_after_signing_out(house: House, maria: httpx.AsyncClient):
    async with line(house, maria) as socket:
        await heard(socket)
        await house.staff.disable("maria")
        await a_case(house)
        await socket.send('{"type": "ping"}')
        with pytest.raises(ConnectionClosed):
            while True:
                assert (await heard(socket))["type"] == "pong"


@pytest.mark.parametrize("frame", ["", "{}", '{"type":"say"}', '{"type":"typing"}', "x" * 2000])
async def test_what_is_no_frame_ends_the_line(house: House, maria: httpx.AsyncClient, frame: str):
    async with line(house, maria) as socket:
        await heard(socket)
        await socket.send(frame)
        with pytest.raises(ConnectionClosed):
            await heard(socket)
