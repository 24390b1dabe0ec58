"""`medinovai mattermost check` and `setup`: does everything stand that the channel needs, and what mends what does not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from appliance.channels.mattermost.actions import COMMAND
from appliance.channels.mattermost.crew import Members
from appliance.channels.mattermost.rest import Channel, Command, Mattermost, Refused, Team, User
from appliance.channels.mattermost.wording import Wording
from appliance.config import Config
from appliance.errors import Unavailable
from appliance.operations.checks import Check
from appliance.records.secrets import keep, secret, where

TOKEN: Final = "mattermost-token"  # noqa: S105 - the name of the secret's file
COMMAND_TOKEN: Final = "mattermost-command-token"  # noqa: S105 - the name of the secret's file
TRIGGER: Final = "case"
HEARD_S: Final = 10.0

NEEDED: Final[Mapping[str, str]] = {
    "create_private_channel": "make a channel for each case",
    "manage_private_channel_members": "add who is on call",
    "delete_private_channel": "archive the channel of a closed case",
    "manage_private_channel_properties": "show in its name that a case has become graver",
    "create_post": "post",
    "edit_post": "change what it has posted",
    "read_channel": "read what staff answer",
}
"""Permissions, and what for. The first four are wanted for a channel for each case only."""
FOR_CHANNELS: Final = ("create_private_channel", "delete_private_channel", "manage_private_channel_properties")


def token(config: Config) -> str | None:
    """The bot's token: a systemd credential, or a file of the data directory."""
    return secret(TOKEN, Path(config.data.directory))


def command_token(config: Config) -> str | None:
    """What Mattermost sends with /case; `setup` keeps it."""
    return secret(COMMAND_TOKEN, Path(config.data.directory))


def client(config: Config, bot_token: str) -> Mattermost:
    return Mattermost(config.mattermost.url, bot_token, certificate=config.mattermost.certificate)


def callback(config: Config) -> str:
    """Where Mattermost reaches us."""
    return config.mattermost.callback_url or config.server.public_url


async def looked(config: Config, mattermost: Mattermost | None, members: Members) -> AsyncIterator[Check]:
    """Each thing in the order in which a person would set it up; stops where the next one cannot be looked at."""
    yield (settings := _settings(config))
    if settings.state != "ok":
        return
    yield (found := _token(config, mattermost))
    if mattermost is None or found.state == "failing":
        return
    yield (there := await _address(config, mattermost))
    if there.state == "failing":
        return
    bot, me = await _bot(mattermost)
    yield bot
    if me is None:
        return
    check, team = await _team(config, mattermost, me)
    yield check
    if team is None:
        return
    yield await _permissions(config, mattermost, me, team)
    yield await _people(config, mattermost, members)
    check, desk = await _desk(config, mattermost, team)
    yield check
    check, command = await _command(config, mattermost, team)
    yield check
    if desk and command:
        yield await _callbacks(config, mattermost, desk)


async def set_up(config: Config, mattermost: Mattermost) -> AsyncIterator[Check]:
    """Make what can be made: the desk's channel and the command. What is there already stays."""
    team = await mattermost.team(config.mattermost.team)
    try:
        desk = await mattermost.channel_named(team.id, config.mattermost.desk)
        if desk is None:
            await mattermost.make_channel(team.id, config.mattermost.desk, "Patients waiting")
        yield Check(name="desk", state="ok", words=f"The channel {config.mattermost.desk} is there.")
    except Refused as refused:
        words = f"The channel {config.mattermost.desk} cannot be made (HTTP {refused.status})."
        yield Check(name="desk", state="failing", words=words, remedy=_ALLOW.format("create_private_channel"))
    try:
        command = await _made(config, mattermost, team)
    except Refused as refused:
        words = f"The command /{TRIGGER} cannot be made (HTTP {refused.status})."
        yield Check(name="command", state="failing", words=words, remedy=_by_hand(config))
        return
    if command.token:
        await asyncio.to_thread(keep, COMMAND_TOKEN, command.token, Path(config.data.directory))
        words = f"/{TRIGGER} is there, and its token is kept. Start medinovai serve anew."
        yield Check(name="command", state="ok", words=words)
    else:  # Mattermost shows the token only to whoever may manage the command
        words = f"/{TRIGGER} is there, but Mattermost does not show its token."
        yield Check(name="command", state="failing", words=words, remedy=_by_hand(config))


async def _made(config: Config, mattermost: Mattermost, team: Team) -> Command:
    wanted: dict[str, Any] = {
        "team_id": team.id,
        "trigger": TRIGGER,
        "method": "P",
        "url": callback(config) + COMMAND,
        "display_name": "Cases",
        "description": "Patients who wait for somebody",
        "auto_complete": True,
        "auto_complete_hint": "list | take 12 | return 12 | resolve 12 | note 12 words",
        "auto_complete_desc": "Patients who wait for somebody",
    }
    found = next((one for one in await mattermost.commands(team.id) if one.trigger == TRIGGER), None)
    if found is None:
        return await mattermost.make_command(wanted)
    if found.url == wanted["url"] and found.method == "P":
        return found
    return await mattermost.change_command(found.id, wanted)


# ---- each look ------------------------------------------------------------------------------------------------------


def _settings(config: Config) -> Check:
    if not config.mattermost.url:
        remedy = "Set mattermost.url and mattermost.team in config.toml."
        return Check(name="settings", state="warning", words="Mattermost is off.", remedy=remedy)
    words = "patients' words are shown there" if config.mattermost.relay_words else "patients' words stay here"
    return Check(name="settings", state="ok", words=f"{config.mattermost.rooms}; {words}.")


def _token(config: Config, mattermost: Mattermost | None) -> Check:
    if mattermost is None:
        file = where(TOKEN, Path(config.data.directory))
        remedy = (
            "In Mattermost: Integrations, Bot Accounts, Add Bot Account; copy the token it shows once into"
            f" {file}, then: chmod 600 {file}"
        )
        return Check(name="token", state="failing", words="There is no bot's token.", remedy=remedy)
    return Check(name="token", state="ok", words="There is one.")


async def _address(config: Config, mattermost: Mattermost) -> Check:
    try:
        await mattermost.ping()
    except Unavailable as error:
        remedy = (
            "Look whether this machine reaches it: address, firewall, DNS; where its certificate is the clinic's own, set"
            " mattermost.certificate."
        )
        return Check(name="address", state="failing", words=f"{config.mattermost.url}: {error}.", remedy=remedy)
    if not config.mattermost.url.startswith("https://"):
        remedy = "Give Mattermost a certificate and write https in mattermost.url."
        words = "It answers, without TLS: what is said crosses the network in the clear."
        return Check(name="address", state="warning", words=words, remedy=remedy)
    return Check(name="address", state="ok", words=f"{config.mattermost.url} answers.")


async def _bot(mattermost: Mattermost) -> tuple[Check, User | None]:
    try:
        me = await mattermost.me()
    except Refused as refused:
        remedy = "Make a new token for the bot (Integrations, Bot Accounts), and copy it into the file of the secret."
        words = f"Mattermost does not take the token (HTTP {refused.status})."
        return Check(name="bot", state="failing", words=words, remedy=remedy), None
    except Unavailable as error:
        return Check(name="bot", state="failing", words=f"{error}.", remedy="Try again in a minute."), None
    if not me.is_bot:
        remedy = "Use the token of a bot account: a person's own messages would count as the assistant's."
        words = f"The token is that of a person ({me.username})."
        return Check(name="bot", state="failing", words=words, remedy=remedy), None
    return Check(name="bot", state="ok", words=f"It is the bot {me.username}."), me


async def _team(config: Config, mattermost: Mattermost, me: User) -> tuple[Check, Team | None]:
    name = config.mattermost.team
    try:
        team = await mattermost.team(name)
        member = await mattermost.team_member(team.id, me.id)
    except Refused:
        remedy = (
            f"Compare mattermost.team with Mattermost's addresses (…/TEAM/channels/…), and invite {me.username} to it."
        )
        return Check(name="team", state="failing", words=f"The bot is not in a team {name}.", remedy=remedy), None
    except Unavailable as error:
        return Check(name="team", state="failing", words=f"{error}.", remedy="Try again in a minute."), None
    if member.delete_at:
        remedy = f"Invite {me.username} to the team again."
        return Check(name="team", state="failing", words=f"The bot has left the team {name}.", remedy=remedy), None
    return Check(name="team", state="ok", words=f"The bot is in {name}."), team


_ALLOW: Final = (
    "In Mattermost: System Console, Permissions: allow {} to the bot, or give it the role of a team's administrator."
)


async def _permissions(config: Config, mattermost: Mattermost, me: User, team: Team) -> Check:
    """By the roles it has, and those it gets in a channel of its own."""
    try:
        member = await mattermost.team_member(team.id, me.id)
        names = {*me.roles.split(), *member.roles.split(), "channel_user", "channel_admin"}
        roles = await mattermost.roles(sorted(names))
    except Unavailable as error:
        return Check(name="permissions", state="warning", words=f"They cannot be asked: {error}.", remedy="Try again.")
    may = {permission for role in roles for permission in role.permissions}
    wanted = [one for one in NEEDED if config.mattermost.rooms == "channels" or one not in FOR_CHANNELS]
    missing = [one for one in wanted if one not in may]
    if missing:
        words = "The bot may not " + ", ".join(NEEDED[one] for one in missing) + "."
        return Check(name="permissions", state="failing", words=words, remedy=_ALLOW.format(", ".join(missing)))
    return Check(name="permissions", state="ok", words="The bot may do all it needs.")


async def _people(config: Config, mattermost: Mattermost, members: Members) -> Check:
    """Who of the clinic can be called there."""
    called = {staff: user for user, staff in (pair.split("=", 1) for pair in config.mattermost.names)}
    wanted = {called.get(one.id, one.id): one for one in await members()}
    if not wanted:
        remedy = "Add everybody who answers: medinovai staff add NAME, with their Mattermost names."
        return Check(name="people", state="failing", words="The clinic's list of staff is empty.", remedy=remedy)
    try:
        found = {one.username for one in await mattermost.users(list(wanted)) if not one.delete_at}
    except Unavailable as error:
        return Check(name="people", state="warning", words=f"They cannot be asked for: {error}.", remedy="Try again.")
    missing = sorted(set(wanted) - found)
    if missing:
        remedy = (
            "Where somebody has another name in Mattermost, write it in mattermost.names, such as maria.lopez=maria."
        )
        state, words = ("warning" if found else "failing"), f"Not known in Mattermost: {', '.join(missing)}."
        return Check(name="people", state=state, words=words, remedy=remedy)  # type: ignore[arg-type]  # one of two literals
    return Check(name="people", state="ok", words=f"{len(found)} members of staff are known there.")


async def _desk(config: Config, mattermost: Mattermost, team: Team) -> tuple[Check, Channel | None]:
    name = config.mattermost.desk
    try:
        desk = await mattermost.channel_named(team.id, name)
    except Unavailable as error:
        return Check(name="desk", state="failing", words=f"{error}.", remedy="Try again in a minute."), None
    if desk is None or desk.delete_at:
        words = f"The channel {name} is {'archived' if desk else 'not there, or the bot is not in it'}."
        remedy = f"medinovai mattermost setup makes it; or invite the bot, or unarchive it ({name})."
        return Check(name="desk", state="failing", words=words, remedy=remedy), None
    return Check(name="desk", state="ok", words=f"The channel {name} is there."), desk


async def _command(config: Config, mattermost: Mattermost, team: Team) -> tuple[Check, Command | None]:
    try:
        found: Sequence[Command] = await mattermost.commands(team.id)
    except Unavailable as error:
        words = f"The commands cannot be listed: {error}."
        return Check(name="command", state="warning", words=words, remedy=_by_hand(config)), None
    command = next((one for one in found if one.trigger == TRIGGER), None)
    if command is None:
        remedy = f"medinovai mattermost setup makes it. Or by hand: {_by_hand(config)}"
        return Check(name="command", state="failing", words=f"There is no command /{TRIGGER}.", remedy=remedy), None
    if command.url != callback(config) + COMMAND or command.method != "P":
        words = f"/{TRIGGER} calls {command.url or 'nobody'} ({command.method})."
        remedy = f"medinovai mattermost setup changes it to {callback(config) + COMMAND}, POST."
        return Check(name="command", state="failing", words=words, remedy=remedy), None
    kept = await asyncio.to_thread(command_token, config)
    if kept is None or (command.token and kept != command.token):
        words = f"The token of /{TRIGGER} is {'another one' if kept else 'not kept'} here."
        return Check(name="command", state="failing", words=words, remedy=_by_hand(config)), None
    return Check(name="command", state="ok", words=f"/{TRIGGER} calls us."), command


async def _callbacks(config: Config, mattermost: Mattermost, desk: Channel) -> Check:
    """Mattermost runs /case ping: it really calls us, or it does not."""
    remedy = (
        f"Is `medinovai serve` running? Does the machine of Mattermost reach {callback(config)}? An address inside the clinic"
        " must stand in Mattermost's System Console, Environment, Developer, Allow untrusted internal connections"
        " (ServiceSettings.AllowedUntrustedInternalConnections)."
    )
    wanted = (await asyncio.to_thread(Wording, config)).answer("ping")  # it reads a file
    try:
        said = await asyncio.wait_for(mattermost.run_command(desk.id, f"/{TRIGGER} ping"), HEARD_S)
    except (Unavailable, TimeoutError) as error:
        words = f"Mattermost does not reach us: {error or 'no answer'}."
        return Check(name="callbacks", state="failing", words=words, remedy=remedy)
    if said.strip() != wanted:
        return Check(name="callbacks", state="failing", words="Something else answers for us there.", remedy=remedy)
    return Check(name="callbacks", state="ok", words="Mattermost reaches us.")


def _by_hand(config: Config) -> str:
    file = where(COMMAND_TOKEN, Path(config.data.directory))
    return (
        f"In Mattermost: Integrations, Slash Commands: trigger {TRIGGER}, POST, {callback(config) + COMMAND}; copy its token"
        f" into {file}, then: chmod 600 {file}. Or allow manage_slash_commands to the bot and run setup again."
    )
