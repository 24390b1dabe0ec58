"""A whole HTTP side on loopback, with a scripted assistant in place of the pipeline."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from appliance.channels.live import Live
from appliance.channels.scripted import ScriptedAssistant
from appliance.config import Limits, Server
from appliance.conversations.turns import Conversations
from appliance.records.database import Database
from tests.http.house import House, built, free_port


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "clinic.db", bytes(32))
    yield opened
    await opened.close()


@pytest.fixture
def conversations(database: Database) -> Conversations:
    return Conversations(database)


@pytest.fixture
def assistant(conversations: Conversations) -> ScriptedAssistant:
    return ScriptedAssistant(conversations)


@pytest.fixture
async def live(assistant: ScriptedAssistant, conversations: Conversations) -> AsyncIterator[Live]:
    made = Live(assistant.answer, conversations, urgent=lambda text: "emergency" in text, at_most=100)
    yield made
    await made.drain(0)


@pytest.fixture
def server_settings() -> Server:
    return Server(port=free_port(), drain_s=5)


@pytest.fixture
def limits() -> Limits:
    return Limits(requests_per_minute=100_000, messages_per_minute=600, upload_mb=1)


@pytest.fixture
async def house(tmp_path: Path, server_settings: Server, limits: Limits) -> AsyncIterator[House]:
    """Served for real; stopped as an operator stops it."""
    async with built(tmp_path, server_settings, limits) as made:
        serving = asyncio.ensure_future(made.serve())
        await _listening(made, serving)
        yield made
        if not serving.done():
            os.kill(os.getpid(), signal.SIGTERM)
        await serving


async def _listening(house: House, serving: asyncio.Future[None]) -> None:
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(house.server.host, house.server.port)
        except OSError:
            await asyncio.sleep(0)
            continue
        writer.close()
        await writer.wait_closed()
        return
    await serving


@pytest.fixture
async def browser(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """As a page of ours asks, with a cookie jar."""
    async with httpx.AsyncClient(
        base_url=house.origin,
        headers={"origin": house.origin},
        verify=False,  # noqa: S501 - a self-made certificate
        timeout=60,
    ) as client:
        yield client
