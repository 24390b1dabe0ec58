"""Alerts at the command line."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from appliance import config
from appliance.__main__ import main
from appliance.conversations.alerts import Alerts, Flag
from appliance.message import ConversationId, now
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


def kept(work: Callable[[Alerts], Awaitable[None]]) -> None:
    """Done by the service, in another process."""

    async def opened() -> None:
        clinic = config.Config().clinic.id
        database = await Database.open(DATA / f"{clinic}.db", derive(master_key(DATA), f"db:{clinic}"))
        try:
            await work(Alerts(database))
        finally:
            await database.close()

    asyncio.run(opened())


def sounded(*kinds: str, minutes_ago: int = 0) -> None:
    async def work(alerts: Alerts) -> None:
        for kind in kinds:
            here, at = ConversationId("here"), now() - timedelta(minutes=minutes_ago)
            await alerts.sound(Flag(conversation=here, kind=kind, language="zh", channel="web", at=at))

    kept(work)


def doctor(check: str) -> dict[str, str]:
    found = json.loads(typed("doctor", "--json").stdout)["checks"]
    return next((one for one in found if one["name"] == check), {})


def test_alerts_are_listed_closed_and_kept():
    assert typed("alerts", "list").exit_code == 0
    sounded("medical", "suicide")
    (shown,) = json.loads(typed("alerts", "list", "--json").stdout)
    assert (shown["kinds"], shown["count"], shown["closed_at"]) == (["medical", "suicide"], 2, None)
    assert "medical, suicide" in typed("alerts", "list").stdout
    told = typed("alerts", "close", "1", "--by", "Ana Ruiz", "--note", "called back").stdout
    assert told == "Alert 1 is closed.\n"
    assert json.loads(typed("alerts", "list", "--json").stdout) == []
    (shown,) = json.loads(typed("alerts", "list", "--all", "--json").stdout)
    assert (shown["closed_by"], shown["note"]) == ("Ana Ruiz", "called back")
    assert "by Ana Ruiz: called back" in typed("alerts", "list", "--all").stdout


def test_closing_needs_a_name_and_an_open_alert():
    assert typed("alerts", "close", "1").exit_code == 2
    refused = typed("alerts", "close", "1", "--by", "Ana")
    assert refused.exit_code == 1 and "medinovai alerts list --all" in refused.stderr


def test_the_doctor_warns_of_an_alert_that_is_open_for_more_than_an_hour():
    assert doctor("alerts") == {}, "there are no records yet"
    sounded("medical", minutes_ago=50)
    assert doctor("alerts")["state"] == "ok"
    typed("alerts", "close", "1", "--by", "Ana")
    sounded("medical", minutes_ago=70)
    assert (doctor("alerts")["state"], doctor("signed answers")["state"]) == ("warning", "ok")
    typed("alerts", "close", "2", "--by", "Ana")
    assert doctor("alerts")["state"] == "ok"


def test_the_doctor_says_that_the_records_do_not_open():
    sounded("medical")
    create_master_key(Path("other"))
    Path("other/master.key").replace(DATA / "master.key")
    assert doctor("records")["state"] == "failing" and "master key" in doctor("records")["words"]
