"""Documents over HTTP: anyone reads, only an administrator learns and removes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from appliance.records import audit
from tests.http.house import House


@pytest.fixture
async def admin(house: House) -> dict[str, str]:
    return {"authorization": f"Bearer {await house.admins.create('mei')}"}


async def test_an_administrator_learns_reads_and_removes_a_document(
    house: House, browser: httpx.AsyncClient, admin: dict[str, str]
):
    files = {"file": ("hours.md", b"We open at eight.", "text/markdown")}
    form = {"title": "Hours", "language": "en", "valid_from": "2026-01-01", "site": ""}
    reply = await browser.post("/api/admin/documents", files=files, data=form, headers=admin)
    assert reply.status_code == 201, reply.text
    learnt = reply.json()
    assert learnt["status"] == "searchable" and learnt["words"].startswith("searchable")
    assert (learnt["title"], learnt["valid_from"], learnt["site"]) == ("Hours", "2026-01-01", None)
    shown = (await browser.get(f"/api/documents/{learnt['id']}")).json()
    assert shown["text"] == "We open at eight."
    assert shown["blocks"] == [{"kind": "paragraph", "start": 0, "end": 17, "level": None, "page": None}]
    assert set(shown) == {"id", "revision", "title", "language", "valid_from", "text", "blocks"}
    listed = (await browser.get("/api/admin/documents", headers=admin)).json()
    assert [one["source"] for one in listed] == ["hours.md"]
    assert (await browser.delete(f"/api/admin/documents/{learnt['id']}", headers=admin)).status_code == 204
    assert (await browser.get(f"/api/documents/{learnt['id']}")).status_code == 404
    acts = [(entry.actor, entry.act, entry.subject) for entry in await audit.entries(house.database)]
    assert acts[:2] == [("mei", "document.remove", learnt["id"]), ("mei", "document.learn", "hours.md")]


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer mdv_wrong", "Basic bWVpOm1laQ==", "mdv_wrong"])
async def test_nobody_else_sees_or_changes_the_list(house: House, browser: httpx.AsyncClient, header: str | None):
    headers = {"authorization": header} if header else {}
    for method in ("GET", "POST"):
        reply = await browser.request(method, "/api/admin/documents", headers=headers)
        assert (reply.status_code, reply.headers["www-authenticate"]) == (401, "Bearer")
    assert (await browser.delete("/api/admin/documents/d1", headers=headers)).status_code == 401
    assert not house.shelf.known


async def test_a_revoked_token_opens_nothing(house: House, browser: httpx.AsyncClient, admin: dict[str, str]):
    await house.admins.revoke("mei")
    assert (await browser.get("/api/admin/documents", headers=admin)).status_code == 401


@pytest.mark.parametrize("length_known", [True, False])
async def test_an_upload_of_60_mb_is_refused_in_words(
    house: House, browser: httpx.AsyncClient, admin: dict[str, str], length_known: bool
):
    boundary = {"content-type": "multipart/form-data; boundary=x"}
    head = b'--x\r\ncontent-disposition: form-data; name="file"; filename="big.txt"\r\n\r\n'
    if length_known:
        content: bytes | Iterator[bytes] = head + bytes(60_000_000)
        reply = await browser.post("/api/admin/documents", content=content, headers=admin | boundary)
    else:

        async def pieces():
            yield head
            for _ in range(600):
                yield bytes(100_000)

        reply = await browser.post("/api/admin/documents", content=pieces(), headers=admin | boundary)
    assert reply.status_code == 413
    assert reply.json()["detail"] == "A document has at most 1 MB (limits.upload_mb)."
    assert not house.shelf.known


async def test_a_large_upload_by_nobody_is_refused_and_never_held(house: House, browser: httpx.AsyncClient):
    async def pieces():
        for _ in range(600):
            yield bytes(100_000)

    before = resident()
    form = {"content-type": "multipart/form-data; boundary=x"}
    reply = await browser.post("/api/admin/documents", content=pieces(), headers=form)
    assert reply.status_code == 401
    assert resident() - before < 20_000_000


def resident() -> int:
    """Bytes of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("name", "content", "form", "word"),
    [
        ("x.pdf", b"%PDF-1.4 broken", {}, "not a PDF"),
        ("x.md", b"fine", {"valid_from": "soon"}, "not a day"),
        ("x.md", b"fine", {"language": "klingon"}, "en, es, zh, hi"),
    ],
)
async def test_a_document_that_cannot_be_learnt_says_why(
    house: House, browser: httpx.AsyncClient, admin: dict[str, str], name: str, content: bytes, form: dict[str, str], word: str
):  # fmt: skip
    reply = await browser.post("/api/admin/documents", files={"file": (name, content)}, data=form, headers=admin)
    assert reply.status_code == 400 and word in reply.json()["detail"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"--x",
        b"--x\r\n\r\nabc\r\n--x--",
        b'--x\r\ncontent-disposition: form-data; name="title"\r\n\r\na\r\n--x--\r\n',
    ],
)
async def test_a_form_without_a_file_is_a_400(
    house: House, browser: httpx.AsyncClient, admin: dict[str, str], content: bytes
):  # fmt: skip
    headers = admin | {"content-type": "multipart/form-data; boundary=x"}
    reply = await browser.post("/api/admin/documents", content=content, headers=headers)
    assert reply.status_code == 400 and reply.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("name", ["../../etc/passwd.md", "C:\\Users\\mei\\passwd.md", "/abs/passwd.md"])
async def test_a_file_name_is_only_its_last_part(
    house: House, browser: httpx.AsyncClient, admin: dict[str, str], name: str
):
    reply = await browser.post("/api/admin/documents", files={"file": (name, b"x")}, headers=admin)
    assert reply.json()["source"] == "passwd.md"
    assert os.sep not in reply.json()["source"]
