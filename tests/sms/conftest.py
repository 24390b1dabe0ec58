"""Twilio's twin on loopback, and a text line that talks to it."""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from tests.sms.box import Box, box
from tests.twins.twilio import Twilio


@pytest.fixture
def twilio() -> Twilio:
    return Twilio()


@pytest.fixture
def api(twilio: Twilio) -> Iterator[str]:
    with twilio.serving() as address:
        yield address


@pytest.fixture
async def line(tmp_path: Path, api: str) -> AsyncIterator[Box]:
    async with box(tmp_path, api) as made:
        yield made


@pytest.fixture
async def hurried(tmp_path: Path, api: str, twilio: Twilio) -> AsyncIterator[Box]:
    """A line that soon stops waiting, for a Twilio that hangs. What the first call to Twilio loads is loaded already."""
    await asyncio.to_thread(importlib.import_module, "twilio.rest")
    twilio.hang_s = 60
    async with box(tmp_path, api, timeout_s=3) as made:
        yield made


@pytest.fixture
async def client(line: Box) -> AsyncIterator[httpx.AsyncClient]:
    async with line.client() as opened:
        yield opened
