"""Files over HTTP: who may send and open them, what a browser may do with them, and that both pages are told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest

from appliance.conversations.case import Staffer
from appliance.message import ConversationId, MessageId
from tests.http.house import House
from tests.http.test_staff_over_http import cheap_passwords, page, signed_in
from tests.http.test_web import hear, opened, socket

PDF = b"%PDF-1.7 a form"
PNG = b"\x89PNG\r\n\x1a\n knee"
NURSE = Staffer(id="maria", name="Maria", role="Nurse")

__all__ = ["cheap_passwords"]


@pytest.fixture
async def maria(house: House) -> AsyncIterator[httpx.AsyncClient]:
    async with page(house) as client:
        await signed_in(house, client)
        yield client


async def handed_over(house: House, browser: httpx.AsyncClient) -> int:
    conversation = ConversationId(await opened(browser))
    case = await house.desk.open(conversation, reason="asked", urgency=1, language="en", channel="web")
    return case.id


async def sent(client: httpx.AsyncClient, path: str, content: bytes, name: str = "form.pdf") -> httpx.Response:
    return await client.put(path, params={"name": name}, content=content)


async def test_a_file_of_staff_is_a_word_that_the_patient_sees_at_once_and_opens(
    house: House, browser: httpx.AsyncClient, maria: httpx.AsyncClient
):
    case = await handed_over(house, browser)
    async with socket(house, browser) as line:
        assert (await hear(line))["owner"] == "waiting"
        told = await sent(maria, f"/api/staff/cases/{case}/files/{uuid4()}", PDF)
        assert told.status_code == 200 and told.json()["text"] == "form.pdf"
        async with asyncio.timeout(60):
            while (event := await hear(line))["type"] != "staff":
                pass
    (file,) = event["files"]
    assert (file["name"], file["media_type"], file["size"]) == ("form.pdf", "application/pdf", len(PDF))
    assert (await browser.get("/api/conversation")).json()["files"] == [file]
    assert (await house.desk.case(case)).state == "person"
    reply = await browser.get(f"/api/conversation/files/{file['id']}")
    assert reply.content == PDF and reply.headers["content-type"] == "application/pdf"
    assert reply.headers["content-disposition"] == "attachment; filename*=UTF-8''form.pdf"
    assert reply.headers["x-content-type-options"] == "nosniff" and "no-store" in reply.headers["cache-control"]
    assert "sandbox" in reply.headers["content-security-policy"]


async def test_a_patients_file_waits_for_the_person_who_has_the_conversation(
    house: House, browser: httpx.AsyncClient, maria: httpx.AsyncClient
):
    house.takes_files = True
    case, name = await handed_over(house, browser), str(uuid4())
    for _ in range(2):  # sent twice
        assert (await sent(browser, f"/api/conversation/files/{name}", PNG, "knee.png")).status_code == 200
    view = (await maria.get(f"/api/staff/cases/{case}")).json()
    (file,) = view["files"]
    assert file["message_id"] == name and view["case"]["unread"] == 2  # its asking, and the photo
    assert [turn["text"] for turn in view["turns"] if turn["role"] == "patient"] == ["knee.png"]
    reply = await maria.get(f"/api/staff/cases/{case}/files/{file['id']}")
    assert reply.content == PNG and reply.headers["content-disposition"].startswith("inline")


async def test_no_file_is_taken_where_the_clinic_takes_none_or_nobody_has_the_conversation(
    house: House, browser: httpx.AsyncClient
):
    await handed_over(house, browser)
    assert (await sent(browser, f"/api/conversation/files/{uuid4()}", PDF)).status_code == 403
    house.takes_files = True
    await browser.delete("/api/conversation/person")
    assert (await sent(browser, f"/api/conversation/files/{uuid4()}", PDF)).status_code == 403


@pytest.mark.parametrize(("content", "status"), [(b"<html>", 400), (PDF + bytes(1024**2), 413), (b"", 400)])
async def test_what_is_no_photo_or_too_large_is_refused_on_both_sides(
    house: House, browser: httpx.AsyncClient, maria: httpx.AsyncClient, content: bytes, status: int
):
    house.takes_files = True
    case = await handed_over(house, browser)
    for client, path in ((browser, "/api/conversation/files"), (maria, f"/api/staff/cases/{case}/files")):
        assert (await sent(client, f"{path}/{uuid4()}", content)).status_code == status
    assert (await house.desk.case(case)).state == "waiting", "nothing was said"


async def test_nobody_else_opens_a_file(house: House, browser: httpx.AsyncClient, maria: httpx.AsyncClient):
    case = await handed_over(house, browser)
    conversation = (await house.desk.case(case)).conversation
    kept = await house.files.keep(conversation, MessageId("m"), "form.pdf", PDF, source="s")
    async with page(house) as stranger:
        assert (await stranger.get(f"/api/conversation/files/{kept.id}")).status_code == 404
        assert (await stranger.get(f"/api/staff/cases/{case}/files/{kept.id}")).status_code == 401
        await opened(stranger)
        assert (await stranger.get(f"/api/conversation/files/{kept.id}")).status_code == 404
    other = await house.desk.open(
        (await house.conversations.create("web", "en"))[0], reason="asked", urgency=1, language="en", channel="web"
    )
    assert (await maria.get(f"/api/staff/cases/{other.id}/files/{kept.id}")).status_code == 404


async def test_no_file_is_sent_to_who_writes_by_text_message(house: House, maria: httpx.AsyncClient):
    conversation, _ = await house.conversations.create("sms", "en")
    case = await house.desk.open(conversation, reason="asked", urgency=1, language="en", channel="sms")
    assert (await sent(maria, f"/api/staff/cases/{case.id}/files/{uuid4()}", PDF)).status_code == 403
