"""The whole way to a person and back, with a real server: what `python -m tests.handover.play` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.handover.play import PLAYS, staged

pytestmark = [pytest.mark.slow, pytest.mark.models]


async def test_on_the_page_by_text_and_with_mattermost_killed_in_the_middle(tmp_path: Path) -> None:
    told: list[str] = []
    async with staged(tmp_path, lambda who, what: told.append(f"{who}: {what}")) as stage:
        for play in PLAYS.values():
            await play(stage)
    assert sum(line.startswith("Mattermost: @ana Case") for line in told) == len(PLAYS)
