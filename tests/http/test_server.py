"""The server as a process: how it starts, how it stops, what it bears."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import httpx
import msgspec
import pytest
from litestar import Litestar
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from appliance.api.server import serve
from appliance.config import Server
from appliance.conversations.turns import Conversations, Turn
from appliance.errors import BadConfig
from appliance.message import ConversationId
from appliance.records.database import Database
from tests.http.house import free_port

HOUSE = Path(__file__).with_name("house.py")


class Running:
    """A house in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, origin: str, data: Path) -> None:
        self.process = process
        self.origin = origin
        self.data = data

    async def opened(self) -> tuple[ConversationId, str]:
        async with httpx.AsyncClient(base_url=self.origin, headers={"origin": self.origin}, timeout=60) as client:
            reply = await client.post("/api/conversations", json={})
            return reply.json()["id"], reply.cookies["conversation"]

    def socket(self, cookie: str) -> connect:
        url = self.origin.replace("http", "ws") + "/api/conversation/socket"
        headers = {"cookie": f"conversation={cookie}"}
        return connect(url, origin=self.origin, additional_headers=headers)  # type: ignore[arg-type]  # a NewType of str

    async def history(self, conversation: ConversationId) -> list[Turn]:
        """What is in the store, read after the process has ended."""
        database = await Database.open(self.data / "clinic.db", bytes(32))
        try:
            return await Conversations(database).history(conversation)
        finally:
            await database.close()


@asynccontextmanager
async def running(data: Path, *, drain_s: float = 5, pause_after: int | None = None) -> AsyncIterator[Running]:
    port = free_port()
    settings = {
        "server": {"port": port, "drain_s": drain_s},
        "limits": {},
        "words": ["One ", "two ", "three."],
        "pause_after": pause_after,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.http.house",
        str(data),
        env=os.environ | {"HOUSE": msgspec.json.encode(settings).decode()},
        stderr=asyncio.subprocess.PIPE,
        cwd=HOUSE.parents[2],
    )
    try:
        await _listening(process, port)
        yield Running(process, f"http://127.0.0.1:{port}", data)
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def _listening(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(60):
        while process.returncode is None:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
                continue
            writer.close()
            await writer.wait_closed()
            return
    pytest.fail(f"the server ended with {process.returncode}")


async def said(line: Any, parts: int) -> list[dict[str, Any]]:
    await line.send(msgspec.json.encode({"type": "say", "id": str(uuid4()), "text": "When?"}).decode())
    return [msgspec.json.decode(await line.recv()) for _ in range(parts)]


@pytest.mark.parametrize("name", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_closes_answers_under_way_and_what_was_said_is_recorded(tmp_path: Path, name: signal.Signals):
    async with running(tmp_path, drain_s=0.2, pause_after=2) as house:
        conversation, cookie = await house.opened()
        async with house.socket(cookie) as line:
            await said(line, 2)
            house.process.send_signal(name)
            end = msgspec.json.decode(await line.recv())
            assert end["type"] == "end" and not end["complete"]
            with pytest.raises(ConnectionClosed) as closed:
                await line.recv()
        assert closed.value.rcvd and closed.value.rcvd.code == 1012
        async with asyncio.timeout(60):
            assert await house.process.wait() == 0
        turns = await house.history(conversation)
    assert [(turn.role, turn.text, turn.complete) for turn in turns] == [
        ("patient", "When?", True),
        ("assistant", "One ", False),
    ]


async def test_a_signal_with_idle_pages_connected_stops_at_once(tmp_path: Path):
    async with running(tmp_path, drain_s=30) as house:
        _, cookie = await house.opened()
        async with house.socket(cookie), house.socket(cookie), httpx.AsyncClient(timeout=60) as idle:
            await idle.get(house.origin + "/live")
            house.process.terminate()
            async with asyncio.timeout(20):
                assert await house.process.wait() == 0


async def test_a_second_signal_does_not_wait_for_the_drain(tmp_path: Path):
    async with running(tmp_path, drain_s=60, pause_after=2) as house:
        _, cookie = await house.opened()
        async with house.socket(cookie) as line:
            await said(line, 2)
            house.process.terminate()
            while True:  # until it refuses new messages, so that the second signal is really a second one
                await line.send(msgspec.json.encode({"type": "say", "id": str(uuid4()), "text": "x"}).decode())
                if msgspec.json.decode(await line.recv())["type"] == "problem":
                    break
            house.process.terminate()
            async with asyncio.timeout(40):
                await house.process.wait()


async def test_killed_in_the_middle_of_an_answer_the_question_is_kept_and_answered_after_the_restart(tmp_path: Path):
    asked = str(uuid4())
    async with running(tmp_path, pause_after=2) as house:
        conversation, cookie = await house.opened()
        async with httpx.AsyncClient(base_url=house.origin, headers={"origin": house.origin}, timeout=60) as page:
            page.cookies.set("conversation", cookie)
            body = {"id": asked, "text": "When?"}
            assert (await page.post("/api/conversation/messages", json=body)).status_code == 202
        house.process.kill()
        await house.process.wait()
    async with running(tmp_path) as house:
        async with house.socket(cookie) as line:
            await line.send(msgspec.json.encode({"type": "resume", "id": asked, "after": 0}).decode())
            events = [msgspec.json.decode(await line.recv()) for _ in range(5)]
        assert "".join(e["part"].get("text", "") for e in events[:-1]) == "One two three." and events[-1]["complete"]
        house.process.terminate()
        await house.process.wait()
        assert [turn.text for turn in await house.history(conversation)] == ["When?", "One two three."]


async def test_nothing_on_standard_error_quotes_a_patient_at_debug(tmp_path: Path):
    async with running(tmp_path) as house:
        _, cookie = await house.opened()
        async with house.socket(cookie) as line:
            for text in ("chancro", "{chancro", '{"type":"say","id":"chancro","text":"chancro"}'):
                frame = (
                    text
                    if "{" in text
                    else msgspec.json.encode({"type": "say", "id": str(uuid4()), "text": text}).decode()
                )
                await line.send(frame)
                await line.recv()
        house.process.terminate()
        _, logged = await house.process.communicate()
    assert b"DEBUG" in logged and b"chancro" not in logged


async def test_an_address_that_cannot_be_listened_on_is_said_in_words(tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        for server in (Server(port=taken.getsockname()[1]), Server(host="127.0.0.1.example", certificate="x")):
            with pytest.raises(BadConfig, match=r"cannot listen on 127\.0\.0\.1.*server\.port"):
                await serve(cast(Litestar, None), server, None, drain=cast(Any, None))


async def test_more_streams_than_granians_default_do_not_hang_other_requests(tmp_path: Path):
    async with running(tmp_path, drain_s=0, pause_after=1) as house:
        conversation, cookie = await house.opened()
        async with httpx.AsyncClient(base_url=house.origin, headers={"origin": house.origin}, timeout=60) as page:
            page.cookies.set("conversation", cookie)
            body = {"id": (asked := str(uuid4())), "text": "When?"}
            await page.post("/api/conversation/messages", json=body)
            path = f"/api/conversation/events?message_id={asked}"
            request = f"GET {path} HTTP/1.1\r\nhost: x\r\ncookie: conversation={cookie}\r\n\r\n"
            streams = [await asyncio.open_connection("127.0.0.1", httpx.URL(house.origin).port) for _ in range(1100)]
            for _, writer in streams:
                writer.write(request.encode())
            for reader, _ in streams:
                assert (await reader.readline()).startswith(b"HTTP/1.1 200")
            async with asyncio.timeout(60):
                assert (await page.get("/live")).status_code == 200
            for _, writer in streams:
                writer.close()
    assert conversation
