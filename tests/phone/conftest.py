"""One appliance for all calls, opened once; each test has a phone of its own, and nothing of the tests before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.phone.house import DOCUMENT, House, Ringing, house
from tests.say import Appliance, appliance


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def inner(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Appliance]:
    folder = tmp_path_factory.mktemp("phone")
    document = folder / "hours.md"
    await asyncio.to_thread(document.write_text, DOCUMENT)
    async with appliance(folder / "data", documents=[document]) as opened:
        await opened.clinic.staff.create("maria", "Maria", "Nurse")
        yield opened


@pytest.fixture
def ringing(inner: Appliance, tmp_path: Path) -> Ringing:
    async def made(**settings: Any) -> House:
        return await house(inner, tmp_path, **settings)

    return made
