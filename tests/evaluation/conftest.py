"""The same appliance as in the dialogues."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.say import Appliance, appliance

DOCUMENTS = Path(__file__).parents[1] / "assistant" / "documents"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def clinic(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Appliance]:
    async with appliance(tmp_path_factory.mktemp("examined"), documents=[DOCUMENTS]) as opened:
        yield opened
