"""One appliance with twins for models and a handful of documents, learnt once for all dialogues."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.say import Appliance, appliance

DOCUMENTS = Path(__file__).parent / "documents"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def clinic(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Appliance]:
    """Shared by all who only talk to it."""
    async with appliance(tmp_path_factory.mktemp("clinic"), documents=[DOCUMENTS]) as opened:
        yield opened
