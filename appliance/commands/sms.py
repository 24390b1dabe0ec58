"""Text messages: check, test."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from appliance.commands import printed
from appliance.commands.given import as_json_option, in_clinic
from appliance.errors import BadInput

if TYPE_CHECKING:
    from appliance.app import Clinic
    from appliance.channels.sms.carrier import Twilio

WAIT_S = 30
"""How long `sms test` looks whether its message arrives."""


@click.group()
def sms() -> None:
    """Text messages of patients, through Twilio."""


@sms.command("check")
@as_json_option
@in_clinic
async def sms_check(clinic: Clinic, /, as_json: bool) -> None:
    """Is everything in place, does Twilio agree, and what did messages cost. Exit code 1 when something fails."""
    from appliance.channels.sms import check
    from appliance.channels.sms.limits import day_began
    from appliance.message import now

    token = await asyncio.to_thread(check.token, clinic.config)
    twilio = check.carrier(clinic.config, token) if token and clinic.config.sms.account_sid else None
    try:
        found = [one async for one in check.looked(clinic.config, token, twilio)]
    finally:
        if twilio:
            await twilio.close()
    at = now()
    day = await clinic.texts.figures(day_began(at, ZoneInfo(clinic.config.clinic.timezone)))
    month = await clinic.texts.figures(at - timedelta(days=30))
    lines = check.told(clinic.config, day, month)
    if as_json:
        printed.as_json({"checks": found, "figures": dict(lines)})
    else:
        printed.table(
            ("part", "state", "what was found", "what to do"), ((o.name, o.state, o.words, o.remedy) for o in found)
        )
        printed.table(("", ""), lines)
    if any(one.state == "failing" for one in found):
        raise SystemExit(1)


@sms.command("test")
@click.argument("number")
@in_clinic
async def sms_test(clinic: Clinic, /, number: str) -> None:
    """Send one message to NUMBER, such as your own phone (+15035550123), and tell whether it arrives. It costs a segment."""
    from appliance.channels.sms import check

    if not re.fullmatch(r"\+[1-9][0-9]{6,14}", number):
        raise BadInput("write the number with + and its country, such as +15035550123")
    token = await asyncio.to_thread(check.token, clinic.config)
    if not (token and clinic.config.sms.account_sid):
        raise BadInput("text messages are not set up: medinovai sms check says what is missing")
    if not await clinic.texts.agreed(number):
        raise BadInput("this number wants no text messages; only a START from that phone undoes it")
    twilio = check.carrier(clinic.config, token)
    try:
        await _tested(clinic, twilio, number)
    finally:
        await twilio.close()


async def _tested(clinic: Clinic, twilio: Twilio, number: str) -> None:
    from appliance.channels.sms.carrier import Refused
    from appliance.channels.sms.segments import counted
    from appliance.channels.sms.statuses import FAILED, explained

    text = f"{clinic.config.clinic.name}: a test of the text messages."
    try:
        handed = await twilio.send(number, text, callback="")
    except Refused as refused:
        raise BadInput(f"Twilio refused it. {explained(refused.code)}") from None
    click.echo(f"Twilio has it ({counted(text).segments} segment): {handed.sid}")
    for _ in range(WAIT_S):
        if handed.status in FAILED | {"delivered", "read"}:
            break
        await asyncio.sleep(1)
        handed = await twilio.message(handed.sid)
    click.echo(handed.status if handed.status not in FAILED else f"{handed.status}: {explained(handed.error)}")
    if handed.status in FAILED:
        raise SystemExit(1)
