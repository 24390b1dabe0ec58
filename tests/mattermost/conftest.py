"""Mattermost's twin on loopback, and rooms that talk to it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.mattermost.box import Box, box
from tests.twins.mattermost import Mattermost


@pytest.fixture
def twin() -> Mattermost:
    return Mattermost()


@pytest.fixture
def url(twin: Mattermost) -> Iterator[str]:
    with twin.serving() as address:
        yield address


@pytest.fixture
async def clinic(tmp_path: Path, twin: Mattermost, url: str) -> AsyncIterator[Box]:
    async with box(tmp_path, twin, url) as made:
        yield made


@pytest.fixture
async def threaded(tmp_path: Path, twin: Mattermost, url: str) -> AsyncIterator[Box]:
    async with box(tmp_path, twin, url, rooms="threads") as made:
        yield made
