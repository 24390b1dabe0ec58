"""Staff in Mattermost: check, setup."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import click

from appliance.commands import printed
from appliance.commands.given import as_json_option, in_clinic
from appliance.errors import BadInput

if TYPE_CHECKING:
    from appliance.app import Clinic
    from appliance.operations.checks import Check


@click.group()
def mattermost() -> None:
    """Staff who answer patients from Mattermost."""


@mattermost.command("check")
@as_json_option
@in_clinic
async def mattermost_check(clinic: Clinic, /, as_json: bool) -> None:
    """Is everything in place, and what mends what is not. Exit code 1 when something fails."""
    from appliance.channels.mattermost import check

    token = await asyncio.to_thread(check.token, clinic.config)
    client = check.client(clinic.config, token) if token and clinic.config.mattermost.url else None
    try:
        found = await _all(check.looked(clinic.config, client, clinic.members))
    finally:
        if client:
            await client.close()
    _shown(found, as_json)


@mattermost.command("setup")
@as_json_option
@in_clinic
async def mattermost_setup(clinic: Clinic, /, as_json: bool) -> None:
    """Make what can be made in Mattermost: the channel of the desk, and the command /case."""
    from appliance.channels.mattermost import check

    token = await asyncio.to_thread(check.token, clinic.config)
    if not (token and clinic.config.mattermost.url):
        raise BadInput("there is no address or no token yet: medinovai mattermost check says what is missing")
    client = check.client(clinic.config, token)
    try:
        found = await _all(check.set_up(clinic.config, client))
    finally:
        await client.close()
    _shown(found, as_json)


async def _all(looks: AsyncIterator[Check]) -> list[Check]:
    return [one async for one in looks]


def _shown(found: list[Check], as_json: bool) -> None:
    if as_json:
        printed.as_json(found)
    else:
        rows = ((one.name, one.state, one.words, one.remedy) for one in found)
        printed.table(("part", "state", "what was found", "what to do"), rows)
    if any(one.state == "failing" for one in found):
        raise SystemExit(1)
