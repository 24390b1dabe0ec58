"""`medinovai mattermost check` and `setup`: each thing that is wrong is found, and what mends it is said."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from appliance.channels.mattermost import check
from appliance.channels.mattermost.rest import Mattermost as Real
from appliance.config import Data
from appliance.operations.checks import Check
from appliance.people.staff import Member
from tests.mattermost.box import Box, box, config
from tests.twins.mattermost import TOKEN, Mattermost, encoded

ANA = Member(id="ana", name="Ana", role="nurse", level=1)


async def nobody() -> list[Member]:
    return []


async def ana() -> list[Member]:
    return [ANA]


async def found(settings, client, members=ana) -> dict[str, Check]:
    return {one.name: one async for one in check.looked(settings, client, members)}


@pytest.fixture
def settings(url: str, tmp_path: Path):
    return msgspec.structs.replace(config(url), data=Data(directory=str(tmp_path)))


@pytest.fixture
async def client(url: str):
    made = Real(url, TOKEN, timeout_s=30, first_s=0.01)
    yield made
    await made.close()


async def test_each_thing_that_is_missing_is_named_with_what_mends_it(twin: Mattermost, settings, client: Real) -> None:
    off = msgspec.structs.replace(settings, mattermost=type(settings.mattermost)())
    assert (await found(off, None))["settings"].state == "warning"
    assert "chmod 600" in (await found(settings, None))["token"].remedy
    wrong = Real(settings.mattermost.url, "wrong", timeout_s=30, first_s=0.01)
    assert "new token" in (await found(settings, wrong))["bot"].remedy
    await wrong.close()
    elsewhere = msgspec.structs.replace(
        settings, mattermost=msgspec.structs.replace(settings.mattermost, team="elsewhere")
    )
    assert (await found(elsewhere, client))["team"].state == "failing"
    twin.permissions.remove("delete_private_channel")
    told = await found(settings, client, nobody)
    assert "archive" in told["permissions"].words and "delete_private_channel" in told["permissions"].remedy
    assert told["people"].state == "failing" and "staff add" in told["people"].remedy
    assert "Not known in Mattermost: ana" in (await found(settings, client))["people"].words
    assert "setup" in told["desk"].remedy and "setup" in told["command"].remedy and "callbacks" not in told
    twin.kill()
    assert (await found(settings, client))["address"].state == "failing"


async def test_setup_makes_what_is_missing_and_check_then_finds_all_well(
    twin: Mattermost, settings, client: Real, tmp_path: Path, url: str
) -> None:
    twin.person("ana")
    assert [one.state async for one in check.set_up(settings, client)] == ["ok", "ok"]
    assert [one.state async for one in check.set_up(settings, client)] == ["ok", "ok"]
    assert len(twin.commands) == 1 and len(twin.channels) == 1
    kept = await asyncio.to_thread(check.command_token, settings)
    assert kept == next(iter(twin.commands.values()))["token"]
    told = await found(settings, client)
    assert told["callbacks"].state == "failing" and "AllowedUntrustedInternalConnections" in told["callbacks"].remedy
    (tmp_path / "box").mkdir()
    async with box(tmp_path / "box", twin, url, running=False) as clinic:
        clinic.actions._command_token = kept
        twin.reach, twin.reach_loop = _reaching(clinic), asyncio.get_running_loop()
        told = await found(settings, client)
        assert {name: one.state for name, one in told.items() if one.state != "ok"} == {"address": "warning"}


async def test_setup_says_what_a_person_must_do_by_hand(twin: Mattermost, settings, client: Real) -> None:
    twin.permissions.clear()
    made = [one async for one in check.set_up(settings, client)]
    assert [one.state for one in made] == ["failing", "failing"]
    assert "create_private_channel" in made[0].remedy and "Slash Commands" in made[1].remedy


def _reaching(clinic: Box):
    async def reach(url: str, form: Mapping[str, str]) -> str:
        async with clinic.client() as http:
            return str((await http.post(url, content=encoded(form))).json()["text"])

    return reach
