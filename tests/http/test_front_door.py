"""What happens to every request, whether or not a route is found for it."""

from __future__ import annotations

import asyncio
import logging
from uuid import uuid4

import httpx
import pytest

from appliance.config import Limits, Server
from tests.http.house import House, free_port

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
READ = (
    "/ /static/chat.js /static/none /words/en.json /documents/x /api/clinic /api/conversation /api/documents/none"
    " /api/admin/documents /live /ready /health /metrics /schema /nowhere"
)
ROUTES = (
    *(("GET", path) for path in READ.split()),
    ("POST", "/api/conversations"),
    ("PATCH", "/live"),
    ("HEAD", "/live"),
    ("OPTIONS", "/api/clinic"),
)


async def test_every_reply_carries_the_security_headers_and_its_name(house: House, browser: httpx.AsyncClient):
    for method, path in ROUTES:
        reply = await browser.request(method, path)
        for header, value in EVERYWHERE.items():
            assert reply.headers[header] == value, path
        policy = reply.headers["content-security-policy"]
        assert (
            policy.startswith("default-src 'none';") and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        )
        assert len(reply.headers["x-request-id"]) == 8
        assert "strict-transport-security" not in reply.headers


async def test_pages_may_be_kept_for_a_while_and_nothing_else(house: House, browser: httpx.AsyncClient):
    for method, path in ROUTES:
        reply = await browser.request(method, path)
        page = reply.is_success and path in ("/", "/static/chat.js", "/words/en.json", "/documents/x")
        assert reply.headers["cache-control"].startswith("public" if page else "no-store"), path


async def test_every_refusal_is_a_problem(house: House, browser: httpx.AsyncClient):
    refused = 0
    for method, path in ROUTES:
        reply = await browser.request(method, path)
        if reply.is_error and path != "/ready":
            told = reply.json()
            assert reply.headers["content-type"] == "application/problem+json"
            assert told["status"] == reply.status_code and told["title"] and told["detail"] and told["code"]
            refused += 1
    assert refused >= 6


WRONG = (
    ("GET", "/my-secret", None, 404),
    ("PUT", "/api/clinic", None, 405),
    ("POST", "/api/conversations", b"{my-secret", 400),
    ("POST", "/api/conversations", b'{"language":"my-secret"}', 400),
    ("POST", "/api/conversations", b'"my-secret"', 400),
    ("POST", "/api/conversations", b"\xff\xfe", 400),
    ("GET", "/api/documents/my-secret", None, 404),
    ("GET", "/api/conversation/events?message_id=my-secret&after=my-secret", None, 404),
    ("POST", "/api/conversations", b'{"site":"' + b"my-secret" * 99999 + b'"}', 413),
)


async def test_every_error_repeats_nothing_of_what_was_sent(house: House, browser: httpx.AsyncClient):
    for method, path, body, status in WRONG:
        headers = {"content-type": "application/json"} if body else {}
        reply = await browser.request(method, path, content=body, headers=headers)
        assert reply.status_code == status, reply.text
        assert reply.headers["content-type"] == "application/problem+json"
        assert "my-secret" not in reply.text
        if status == 405:
            assert set(reply.headers["allow"].split(", ")) == {"GET", "OPTIONS"}


async def test_a_wrong_field_is_named(house: House, browser: httpx.AsyncClient):
    reply = await browser.post("/api/conversations", json={"language": "xx"})
    assert (reply.status_code, reply.json()["detail"]) == (400, "not as /schema describes: language")


async def test_a_fault_of_ours_is_a_plain_500_and_the_log_knows_where_but_not_what_was_said(
    house: House, browser: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
):
    async def broken() -> None:
        raise RuntimeError("my-secret")

    house.web.clinic = broken  # type: ignore[assignment]  # broken on purpose
    reply = await browser.get("/api/clinic")
    assert reply.status_code == 500 and reply.json()["code"] == "trouble"
    assert "my-secret" not in reply.text + caplog.text
    assert "RuntimeError" in caplog.text and "test_front_door.py" in caplog.text


async def test_head_is_get_without_the_body(house: House, browser: httpx.AsyncClient):
    got, head = await browser.get("/"), await browser.head("/")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["etag"] == got.headers["etag"]


async def test_a_page_is_zipped_and_not_sent_again_while_unchanged(house: House, browser: httpx.AsyncClient):
    first = await browser.get("/static/chat.js")
    assert first.headers["content-encoding"] == "gzip" and first.headers["content-type"].startswith("text/javascript")
    again = await browser.get("/static/chat.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = await browser.get("/static/chat.js", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.content == first.content


OUTSIDE = (
    "/static/../pyproject.toml /static/%2e%2e/pyproject.toml /static//etc/passwd /words/..%2findex.html"
    " /static/no.such /words/../index.html /static/%00 /static/jsconfig.json%20"
)


async def test_nothing_but_the_pages_is_served(house: House, browser: httpx.AsyncClient):
    for path in OUTSIDE.split():
        request = browser.build_request("GET", house.origin)
        request.url = request.url.copy_with(raw_path=path.encode())
        assert (await browser.send(request)).status_code == 404, path


async def test_no_word_of_a_patient_is_in_any_log_at_debug(
    house: House, browser: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
):
    words = ("chancro", "胸痛", "secretissimo")
    with caplog.at_level(logging.DEBUG):
        for name in ("httpx", "httpcore", "websockets"):  # the test's own side of the wire
            logging.getLogger(name).setLevel(logging.WARNING)
        await browser.post("/api/conversations", json={"language": "es"})
        for text in words:
            asked = str(uuid4())
            house.assistant.fails_after = 2 if text == words[0] else None
            await browser.post("/api/conversation/messages", json={"id": asked, "text": text})
            await browser.get("/api/conversation/events", params={"message_id": asked, "q": text})
            await browser.put(f"/api/conversation/messages/{asked}/feedback", json={"up": True, "reason": text})
            await browser.get(
                f"/{text}", params={"q": text}, headers={"user-agent": "x", "referer": "http://x/secretissimo"}
            )
            await browser.post("/api/conversation/messages", json={"id": text, "text": text, "language": text})
        await browser.get("/api/conversation")
    assert "appliance.access" in caplog.text and "route=/api/conversation/messages" in caplog.text
    for text in (*words, "%E8%83%B8"):
        assert text not in caplog.text
    assert "127.0.0.1" not in "".join(r.getMessage() for r in caplog.records if r.name == "appliance.access")


class TestFewRequests:
    @pytest.fixture
    def limits(self):
        return Limits(requests_per_minute=60)

    async def test_an_address_that_asks_too_often_is_told_when_to_try_again_and_others_are_served(self, house: House):
        one, other = (stranger_at(house, address) for address in ("203.0.113.7", "203.0.113.8"))
        async with one, other:
            replies = [await one.get("/live", headers={"x-forwarded-for": f"10.0.0.{n}"}) for n in range(70)]
            assert (await other.get("/live")).status_code == 200
        refused = [reply for reply in replies if reply.status_code == 429]
        assert len(refused) >= 8
        assert refused[0].headers["retry-after"] == "1" and refused[0].json()["code"] == "rate"
        assert refused[0].headers["x-content-type-options"] == "nosniff"

    async def test_an_address_cannot_open_conversations_without_end(self, house: House):
        async with stranger_at(house, "203.0.113.7") as one:
            replies = [await one.post("/api/conversations", json={}) for _ in range(20)]
        assert [reply.status_code for reply in replies].count(201) == 12
        assert replies[-1].json()["code"] == "rate"

    async def test_this_machine_itself_is_not_counted(self, house: House, browser: httpx.AsyncClient):
        assert {(await browser.get("/live")).status_code for _ in range(100)} == {200}


def stranger_at(house: House, address: str) -> httpx.AsyncClient:
    """Somebody elsewhere, without a network."""
    transport = httpx.ASGITransport(app=house.http, client=(address, 1234))  # type: ignore[arg-type]  # Litestar types its scopes
    return httpx.AsyncClient(transport=transport, base_url=house.origin, headers={"origin": house.origin}, timeout=60)


# ---- slow ones -------------------------------------------------------------------------------------------------------


async def test_a_slow_body_is_given_up_and_others_are_served(
    house: House, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("appliance.api.http.BODY_S", 0.2)
    reader, writer = await asyncio.open_connection(house.server.host, house.server.port)
    host = f"{house.server.host}:{house.server.port}"
    head = f"POST /api/conversations HTTP/1.1\r\nhost: {host}\r\norigin: {house.origin}\r\n"
    writer.write(f"{head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{{".encode())
    assert (await browser.get("/live")).status_code == 200
    async with asyncio.timeout(60):
        said = await reader.read()
    assert said.startswith(b"HTTP/1.1 408 ") and b"application/problem+json" in said
    writer.close()


class TestShortPatience:
    @pytest.fixture
    def server_settings(self, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("appliance.api.server.HEADERS_MS", 300)
        return Server(port=free_port())

    async def test_slow_headers_are_given_up_and_others_are_served(self, house: House, browser: httpx.AsyncClient):
        slow = [await asyncio.open_connection(house.server.host, house.server.port) for _ in range(200)]
        for _, writer in slow[:100]:
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n")
        assert (await browser.get("/live")).status_code == 200
        async with asyncio.timeout(60):
            left = await asyncio.gather(*(reader.read() for reader, _ in slow))
        assert left == [b""] * 200
        for _, writer in slow:
            writer.close()
