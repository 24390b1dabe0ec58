"""A library over a fresh encrypted database and the scripted embedder."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from appliance.knowledge.library import Library
from appliance.records.database import Database
from models.scripted import ScriptedEmbedder

KEY = bytes(range(32))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = await Database.open(tmp_path / "data" / "clinic.db", KEY)
    yield opened
    await opened.close()


@pytest.fixture
def library(database: Database) -> Library:
    return Library(database, ScriptedEmbedder())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "documents"
    made.mkdir()
    return made
