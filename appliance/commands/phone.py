"""The telephone: check, echo, call; pbx: what 3CX itself keeps of calls."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from appliance.commands import printed
from appliance.commands.given import as_json_option, in_clinic
from appliance.errors import BadInput, StoreFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from appliance.app import Clinic
    from appliance.channels.phone.check import Looked
    from appliance.channels.phone.pbx.xapi import Xapi
    from appliance.config import Config
    from voice.line import Call

REGISTERED_S = 10
"""How long `phone check` waits for a registration."""
ECHO_S = 0.5
"""So late one hears oneself: sooner it is taken for the line's own echo."""


@click.group()
def phone() -> None:
    """Calls of patients, through the clinic's telephone system. docs/3cx.md shows how to set one up."""


@phone.command("check")
@as_json_option
@in_clinic
async def phone_check(clinic: Clinic, /, as_json: bool) -> None:
    """Is everything in place, does the telephone system take us, how did calls go. Exit code 1 when something fails."""
    from appliance.channels.phone import check
    from appliance.message import now

    config = clinic.config
    found = await asyncio.to_thread(lambda: list(check.looked(config, clinic.models)))
    if config.pbx.url and not any(one.state == "failing" for one in found):
        found += await _pbx(config)
    if config.phone.lines and not check.missing():
        found += [one async for one in check.reached(config)]
        if not any(one.state == "failing" for one in found):
            found += await _registered(config)
    lines = check.told(await clinic.calls.figures(now() - timedelta(days=30)))
    if as_json:
        printed.as_json({"checks": found, "figures": dict(lines)})
    else:
        printed.table(
            ("part", "state", "what was found", "what to do"), ((o.name, o.state, o.words, o.remedy) for o in found)
        )
        printed.table(("", ""), lines)
    if any(one.state == "failing" for one in found):
        raise SystemExit(1)


@phone.command("echo")
@in_clinic
async def phone_echo(clinic: Clinic, /) -> None:
    """Answer calls with the caller's own voice, half a second late, until Ctrl+C. The service must be stopped."""
    from voice.line import HungUp

    _line(clinic.config, None)
    tasks: set[asyncio.Task[None]] = set()

    async def echo(call: Call) -> None:
        await call.answer()
        click.echo(f"A call on {call.line}, {call.rate} Hz.")
        held: list[Any] = []
        try:
            while True:
                held.append(await call.read())
                if len(held) > ECHO_S / 0.02:
                    call.write(held.pop(0))
        except HungUp:
            click.echo(f"It has ended: {call.reason}. {call.stats()}")

    async def taken(call: Call) -> None:
        task = asyncio.create_task(echo(call))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async with _telephone(clinic.config, taken) as telephone:
        await _when_registered(telephone)
        printed.table(("line", "state", ""), _states(telephone))
        click.echo("Call it from another extension: you hear yourself. Ctrl+C ends it.")
        await asyncio.Event().wait()


@phone.command("call")
@click.argument("number")
@click.option("--line", help="Name of the line; the first one without it.")
@in_clinic
async def phone_call(clinic: Clinic, /, number: str, line: str | None) -> None:
    """Call NUMBER, say one sentence, hang up. Only numbers of phone.callbacks; the service must be stopped."""
    from appliance.channels.phone import check
    from appliance.channels.phone.joined import Engines
    from appliance.channels.phone.wording import Wording
    from voice.line import NotAnswered

    config = clinic.config
    if not check.allowed(number, config.phone.callbacks):
        raise BadInput("this number is not in phone.callbacks: only those that stand there may be called")
    through = _line(config, line)
    engines = Engines(config, clinic.models, _no_names)
    wording = Wording(config, clinic.phrases)
    await engines.ready()
    try:
        async with _telephone(config, _refused) as telephone:
            await _when_registered(telephone)
            call = await telephone.dial(through, "".join(sign for sign in number if sign in "+0123456789"))
            language = wording.of_staff
            spoken = await engines.with_staff(call).speak(
                wording.say("test_call", language), language, interruptible=False
            )
            await call.hang_up()
            click.echo(f"{'Said' if spoken.whole else 'Cut short'}. {call.stats()}")
    except NotAnswered as failed:
        raise BadInput(f"nobody answered: {failed}") from None
    finally:
        await asyncio.to_thread(engines.close)


@phone.group("pbx")
def phone_pbx() -> None:
    """What 3CX itself keeps of calls with our route point, to compare with ours (`medinovai calls`). Settings: [pbx]."""


days_option = click.option("--days", default=1, show_default=True, type=click.IntRange(1, 366), help="So far back.")


@phone_pbx.command("calls")
@days_option
@as_json_option
@in_clinic
async def pbx_calls(clinic: Clinic, /, days: int, as_json: bool) -> None:
    """3CX's own log of calls with the route point, newest first. Shows numbers of callers."""
    from appliance.message import now

    async with _xapi(clinic.config) as xapi:
        found = await xapi.calls(now() - timedelta(days=days), dn=clinic.config.pbx.route_point)
    if as_json:
        printed.as_json(found)
        return
    printed.table(
        ("leg", "at", "from", "to", "lasted", "answered"),
        (
            (
                *(str(one.segment_id), f"{one.segment_start_time:%F %T}"),
                *(one.src_caller_number or one.src_dn or "", one.dst_caller_number or one.dst_dn or ""),
                f"{one.call_time.total_seconds():.0f} s" if one.call_time else "",
                "yes" if one.call_answered else "no",
            )
            for one in found
        ),
    )


@phone_pbx.command("recordings")
@days_option
@as_json_option
@in_clinic
async def pbx_recordings(clinic: Clinic, /, days: int, as_json: bool) -> None:
    """Recordings that 3CX made of calls with the route point, newest first. Ours are `medinovai calls`."""
    from appliance.message import now

    async with _xapi(clinic.config) as xapi:
        found = await xapi.recordings(now() - timedelta(days=days), dn=clinic.config.pbx.route_point)
    if as_json:
        printed.as_json(found)
        return
    printed.table(
        ("recording", "at", "from", "to"),
        (
            (
                *(str(one.id), f"{one.start_time:%F %T}" if one.start_time else ""),
                *(one.from_caller_number or one.from_dn or "", one.to_caller_number or one.to_dn or ""),
            )
            for one in found
        ),
    )


@phone_pbx.command("recording")
@click.argument("recording", type=click.IntRange(1))
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--by", metavar="NAME", required=True, help="Who takes it out; for the audit.")
@in_clinic
async def pbx_recording(clinic: Clinic, /, recording: int, file: Path, by: str) -> None:
    """Write one of 3CX's recordings to FILE, readable by you only."""
    from appliance.commands.calls import write
    from appliance.records import audit

    if not by.strip():
        raise BadInput("say who takes the recording out")
    async with _xapi(clinic.config) as xapi:
        sound = await xapi.sound(recording)
    subject = f"3CX recording {recording}"
    await clinic.database.write(
        lambda connection: audit.record(connection, actor=by.strip(), act="pbx.recording", subject=subject)
    )
    await asyncio.to_thread(write, file, sound)
    click.echo(f"{file}: {len(sound)} bytes. Delete it when you have heard it.")


@asynccontextmanager
async def _xapi(config: Config) -> AsyncIterator[Xapi]:
    from appliance.channels.phone.pbx.check import access
    from appliance.channels.phone.pbx.xapi import Xapi

    opened = await asyncio.to_thread(access, config)
    try:
        yield Xapi(opened)
    finally:
        await opened.close()


async def _pbx(config: Config) -> list[Looked]:
    """Whether 3CX takes us. A running service gets a new token by itself when ours has ended its own."""
    from appliance.channels.phone.pbx import check

    opened = await asyncio.to_thread(check.access, config)
    try:
        found = [one async for one in check.looked(config, opened)]
    finally:
        await opened.close()
    if config.pbx.calls and not config.phone.lines:  # else the lines' own look asks it
        found += await asyncio.to_thread(_if_it_runs, config)
    return found


def _if_it_runs(config: Config) -> list[Looked]:
    try:
        with _alone(config):
            return []
    except StoreFailed:
        return [_of_the_service(config)]


async def _registered(config: Config) -> list[Looked]:
    """What the running service says of its lines; without one, a registration is tried."""
    from appliance.channels.phone.check import Looked

    try:
        async with _telephone(config, _refused) as telephone:
            await _when_registered(telephone)
            return [
                Looked(
                    name=f"line {name}",
                    state="ok" if state == "registered" else "failing",
                    words=f"{state}. {why}".strip(),
                    remedy="" if state == "registered" else "Compare extension, auth_id and password; see docs/3cx.md.",
                )
                for name, state, why in _states(telephone)
            ]
    except StoreFailed:
        return [await asyncio.to_thread(_of_the_service, config)]
    except Exception as error:  # noqa: BLE001 - an edge: whatever the telephone's library says is what is to be mended
        return [Looked(name="lines", state="failing", words=f"The telephone does not start: {error}.")]


def _of_the_service(config: Config) -> Looked:
    """The component `phone` of /health, on this machine."""
    import json
    import ssl
    import urllib.error
    import urllib.request

    from appliance.api.certificate import on_this_machine
    from appliance.channels.phone.check import Looked

    server = config.server
    secure = bool(server.certificate) or not on_this_machine(server.host)
    place = f"{'https' if secure else 'http'}://127.0.0.1:{server.port}/health"
    trust = ssl._create_unverified_context() if secure else None  # noqa: S323 - ourselves, on this machine
    try:
        with urllib.request.urlopen(place, timeout=5, context=trust) as answer:  # noqa: S310 - the address is ours
            told = json.load(answer)
    except urllib.error.HTTPError as failing:
        told = json.load(failing)
    except (OSError, ValueError) as error:
        return Looked(name="service", state="warning", words=f"It runs, but {place} does not answer: {error}.")
    one = next((part for part in told["components"] if part["name"] == "phone"), None)
    if one is None:
        words, remedy = "The running service has no phone.", "Restart it: settings are read at the start."
        return Looked(name="service", state="failing", words=words, remedy=remedy)
    return Looked(name="service", state=one["state"], words=f"The running service says: {one['words']}.")


@asynccontextmanager
async def _telephone(config: Config, taken: Any) -> AsyncIterator[Any]:
    """The lines, registered by this command. Raises StoreFailed while the service has them: calls would ring at both."""
    from appliance.channels.phone.joined import telephone

    def dead(why: str) -> None:
        click.echo(f"The telephone's thread has ended: {why}", err=True)

    with _alone(config):
        made = await asyncio.to_thread(telephone, config, taken, dead)
        await made.start()
        try:
            yield made
        finally:
            await made.stop()


def _line(config: Config, wished: str | None) -> str:
    """The name of the line, or of the first one. Raises BadInput."""
    names = [line.name for line in config.phone.lines]
    if not names:
        raise BadInput("there is no line: set phone.pbx and write a table [[phone.lines]] (docs/3cx.md)")
    if wished and wished not in names:
        raise BadInput(f"there is no line {wished!r}, but {', '.join(names)}")
    return wished or names[0]


@contextmanager
def _alone(config: Config) -> Iterator[None]:
    from appliance.records.database import sole_server

    with sole_server(Path(config.data.directory) / f"{config.clinic.id}.db"):
        yield


async def _when_registered(telephone: Any) -> None:
    for _ in range(REGISTERED_S * 10):
        if all(line.registered for line in telephone.lines()):
            return
        await asyncio.sleep(0.1)


def _states(telephone: Any) -> list[tuple[str, str, str]]:
    return [(one.name, "registered" if one.registered else "not registered", one.why) for one in telephone.lines()]


async def _refused(call: Call) -> None:
    await call.refuse()


async def _no_names() -> dict[Any, Any]:
    return {}
