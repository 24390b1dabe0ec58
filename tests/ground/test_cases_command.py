"""Cases at the command line."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance import config
from appliance.__main__ import main
from appliance.conversations.cases import Desk
from appliance.conversations.turns import Conversations
from appliance.records.database import Database
from appliance.records.keys import create_master_key, derive, master_key

DATA = Path("data")


@pytest.fixture(autouse=True)
def _box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blockbuster) -> None:
    blockbuster.deactivate()  # what is typed may block: it has its process for itself
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(config, "FOLDERS", (tmp_path,))
    create_master_key(DATA)


def typed(*words: str) -> Result:
    result = CliRunner().invoke(main, ("--data-dir", str(DATA), *words))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def opened() -> None:
    """A patient waits; the service did it, in another process."""

    async def work() -> None:
        clinic = config.Config().clinic.id
        database = await Database.open(DATA / f"{clinic}.db", derive(master_key(DATA), f"db:{clinic}"))
        try:
            conversation, _ = await Conversations(database).create("web", "zh")
            asked = {"reason": "asked", "urgency": 1, "language": "zh", "channel": "web", "summary": "胸口痛"}
            await Desk(database).open(conversation, **asked)  # type: ignore[arg-type]  # as its parameters are
        finally:
            await database.close()

    asyncio.run(work())


def test_cases_are_listed_shown_and_closed_without_a_patients_word() -> None:
    opened()
    (one,) = json.loads(typed("cases", "list", "--json").output)
    assert (one["id"], one["state"], one["reason"], one["summary"]) == (1, "waiting", "asked", "")
    shown = (
        typed("cases", "list").output
        + typed("cases", "show", "1").output
        + typed("cases", "show", "1", "--json").output
    )
    assert "asked" in shown and "胸口痛" not in shown
    assert typed("cases", "close", "1", "--by", "Ana").exit_code == 0
    assert json.loads(typed("cases", "list", "--json").output) == []
    assert [each["state"] for each in json.loads(typed("cases", "list", "--all", "--json").output)] == ["resolved"]


def test_a_case_that_is_closed_or_not_there_is_named() -> None:
    opened()
    assert typed("cases", "close", "1", "--by", " ").exit_code == 2
    assert typed("cases", "close", "1", "--by", "Ana").exit_code == 0
    for words in (("close", "1", "--by", "Ana"), ("show", "7")):
        result = typed("cases", *words)
        assert result.exit_code == 1 and "case" in result.output


def test_doctor_tells_of_who_waits_and_of_what_was_not_delivered() -> None:
    opened()
    checks = {one["name"]: one for one in json.loads(typed("doctor", "--json").output)["checks"]}
    assert checks["cases"]["words"].startswith("1 of 1 wait for a person")
    assert checks["outbox"]["words"].startswith("1 waiting")
