"""`medinovai sms check`: is everything there for text messages, does Twilio agree, and what did they cost. Mends nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Final

from appliance.channels.sms.carrier import Refused, Twilio, Unknown
from appliance.channels.sms.statuses import explained
from appliance.channels.sms.webhook import INCOMING
from appliance.config import Config
from appliance.conversations.texts import Figures
from appliance.operations.checks import Check
from appliance.records.secrets import secret, where

TOKEN: Final = "twilio-auth-token"  # noqa: S105 - the name of the secret's file


def token(config: Config) -> str | None:
    """Twilio's auth token: a systemd credential, or a file of the data directory."""
    return secret(TOKEN, Path(config.data.directory))


def carrier(config: Config, auth_token: str) -> Twilio:
    """Twilio, for the clinic's account."""
    sms = config.sms
    return Twilio(sms.account_sid, auth_token, number=sms.number, service=sms.messaging_service, api=sms.api)


async def looked(config: Config, auth_token: str | None, twilio: Twilio | None) -> AsyncIterator[Check]:
    """Each thing that text messages need, in the order in which a person would set it up."""
    yield _settings(config)
    if not config.sms.account_sid:
        return
    if auth_token is None or twilio is None:
        file = where(TOKEN, Path(config.data.directory))
        yield Check(
            name="token",
            state="failing",
            words="There is no auth token.",
            remedy=f"Copy it from the Twilio console into {file}, then: chmod 600 {file}",
        )
        return
    yield Check(name="token", state="ok", words="There is one.")
    yield _address(config)
    account = await _account(twilio)
    yield account
    if account.state == "ok" and config.sms.number:
        yield await _line(config, twilio)
    if config.sms.messaging_service:
        yield _service(config)


def webhook(config: Config) -> str:
    """Where Twilio posts what patients write."""
    return f"{config.server.public_url}{INCOMING}"


def cost(config: Config, segments: int) -> str:
    """What so many segments cost, in words."""
    price = Decimal(config.sms.segment_price) * segments
    return f"{segments} segments, {price:.2f} {config.sms.currency} at {config.sms.segment_price} each"


def told(config: Config, day: Figures, month: Figures) -> list[tuple[str, str]]:
    """Counts and costs, a line each."""
    lines = [
        ("today", f"{day.received} messages received; sent: {cost(config, day.segments)}"),
        ("30 days", f"{month.received} messages received; sent: {cost(config, month.segments)}"),
        ("limit", f"{config.sms.segments_per_day} segments a day; {cost(config, config.sms.segments_per_day)}"),
        ("waiting", f"{month.unanswered} for an answer, {month.waiting} to be sent"),
        ("opted out", f"{month.opted_out} numbers"),
    ]
    states = ", ".join(f"{name} {count}" for name, count in month.states.items())
    lines += [("came to", states or "none sent")]
    return lines + [(f"{count} times", explained(error)) for error, count in month.errors.items()]


def _settings(config: Config) -> Check:
    sms = config.sms
    if not sms.account_sid:
        remedy = "Set sms.account_sid, sms.number and server.public_url in config.toml."
        return Check(name="settings", state="warning", words="Text messages are off.", remedy=remedy)
    sender = " with ".join(one for one in (sms.number, sms.messaging_service) if one)
    quiet = f"nothing unasked {sms.quiet_hours}" if sms.quiet_hours else "no quiet hours"
    detail = "clinical detail allowed" if sms.clinical_detail else "no clinical detail"
    return Check(
        name="settings", state="ok", words=f"Sent from {sender}; at most {sms.segments} segments; {quiet}; {detail}."
    )


def _address(config: Config) -> Check:
    if not config.server.public_url.startswith("https://"):
        return Check(
            name="address",
            state="warning",
            words=f"{config.server.public_url} is not https: what patients write would cross the network in the clear.",
            remedy="Put a certificate in place and set server.public_url to the https address that Twilio can reach.",
        )
    return Check(name="address", state="ok", words=f"Twilio posts to {webhook(config)}")


async def _account(twilio: Twilio) -> Check:
    try:
        state = await twilio.account()
    except Refused as refused:
        words = f"Twilio refuses this account and token (HTTP {refused.status}). {explained(refused.code)}"
        remedy = "Compare sms.account_sid and the token with the Twilio console; a rotated token must be copied anew."
        return Check(name="account", state="failing", words=words, remedy=remedy)
    except Unknown as error:
        remedy = "Look whether this machine reaches api.twilio.com: firewall, proxy, DNS."
        return Check(name="account", state="failing", words=f"{error}.", remedy=remedy)
    if state != "active":
        return Check(
            name="account", state="failing", words=f"The account is {state}.", remedy="Look into the Twilio console."
        )
    return Check(name="account", state="ok", words="Twilio knows it, and it is active.")


async def _line(config: Config, twilio: Twilio) -> Check:
    try:
        line = await twilio.line(config.sms.number)
    except (Refused, Unknown) as error:
        return Check(name="number", state="failing", words=f"{error}.", remedy="Try again in a minute.")
    if line is None:
        words = f"{config.sms.number} does not belong to this account."
        return Check(name="number", state="failing", words=words, remedy="Set sms.number to a number of the account.")
    if not line.texts:
        words = f"{config.sms.number} cannot send text messages."
        return Check(name="number", state="failing", words=words, remedy="Buy a number with SMS in the Twilio console.")
    right = line.webhook == webhook(config) and line.method.upper() == "POST"
    if not right and not config.sms.messaging_service:
        remedy = f"In the Twilio console, under this number, Messaging, set: Webhook, {webhook(config)}, HTTP POST."
        words = f"What patients write goes to {line.webhook or 'nowhere'}, not to us."
        return Check(name="number", state="failing", words=words, remedy=remedy)
    return Check(name="number", state="ok", words="It sends text messages, and what patients write comes to us.")


def _service(config: Config) -> Check:
    return Check(
        name="messaging service",
        state="warning",
        words="What its settings are cannot be asked here.",
        remedy=f"In the Twilio console, under the service, Integration, set: Send a webhook, {webhook(config)}, HTTP POST.",
    )
