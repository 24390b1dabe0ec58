"""Telephone calls: list, show, why, audio."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from appliance.commands import printed
from appliance.commands.given import as_json_option, in_clinic

if TYPE_CHECKING:
    from appliance.app import Clinic
    from appliance.conversations.calls import Call, Exchange

HEADS = ("call", "at", "line", "language", "lasted", "outcome")


@click.group()
def calls() -> None:
    """Telephone calls: how each went and how long everything took. No patient's words."""


@calls.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000), help="So many.")
@as_json_option
@in_clinic
async def calls_list(clinic: Clinic, /, limit: int, as_json: bool) -> None:
    """The last calls, newest first. Times are UTC."""
    known = await clinic.calls.newest(limit)
    if as_json:
        printed.as_json(known)
    else:
        printed.table(HEADS, (_as_row(one) for one in known))


@calls.command("show")
@click.argument("call", metavar="ID", type=int)
@as_json_option
@in_clinic
async def calls_show(clinic: Clinic, /, call: int, as_json: bool) -> None:
    """One call: its line, every turn's times in milliseconds after the caller's last word, keys, transfers, recordings."""
    whole = await clinic.calls.show(call)
    if as_json:
        printed.as_json(whole)
        return
    printed.table(HEADS, [_as_row(whole.call)])
    printed.table(("answered", "greeted", "interruptions", "lost", "jitter", "MOS", "gaps"), [_as_line(whole.call)])
    printed.table(
        ("turn", "at", "kind", "language", "speech", "ended", "heard", "text", "sound", "stopped", "we"),
        (_as_turn(at, one) for at, one in enumerate(whole.turns, start=1)),
    )
    printed.table(("at", "what", ""), ((f"{e.at_ms / 1000:.1f} s", e.what, e.detail) for e in whole.events))
    printed.table(("recording", "kind", "seconds"), ((str(r.id), r.kind, f"{r.seconds:.0f}") for r in whole.recordings))


@calls.command("why")
@click.argument("call", metavar="ID", type=int)
@in_clinic
async def calls_why(clinic: Clinic, /, call: int) -> None:
    """Why a call was slow, failed, or ended as it did, in words."""
    from appliance.channels.phone.why import explained

    for line in explained(await clinic.calls.show(call)):
        click.echo(line)


@calls.command("audio")
@click.argument("recording", metavar="RECORDING", type=int)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--by", metavar="NAME", required=True, help="Who takes it out; for the audit.")
@in_clinic
async def calls_audio(clinic: Clinic, /, recording: int, file: Path, by: str) -> None:
    """Write a recording or voice message as a WAV file, which is not encrypted any more."""
    from appliance.app import shelf
    from appliance.errors import BadInput

    if not by.strip():
        raise BadInput("say who takes the recording out")
    found = await clinic.calls.recording(recording)
    sound = await (await asyncio.to_thread(shelf, clinic)).wav(found)
    await clinic.calls.played(recording, by.strip())
    await asyncio.to_thread(write, file, sound)
    click.echo(f"{file}: {found.seconds:.0f} seconds. Delete it when you have heard it.")


def write(file: Path, sound: bytes) -> None:
    """Readable by who asked for it only."""
    file.touch(mode=0o600, exist_ok=False)
    file.write_bytes(sound)


def _as_row(one: Call) -> tuple[str, ...]:
    lasted = f"{(one.ended_at - one.started_at).total_seconds():.0f} s" if one.ended_at else ""
    return (str(one.id), f"{one.started_at:%F %T}", one.line, one.language or "", lasted, one.outcome)


def _as_line(one: Call) -> tuple[str, ...]:
    """How soon, and how it sounded. MOS: mean opinion score, 1 to 5 (ITU-T G.107)."""
    known = (
        (one.answered_ms, "{} ms"),
        (one.greeted_ms, "{} ms"),
        (one.barge_ins, "{}"),
        (one.lost, "{:.1%}"),
        (one.jitter_ms, "{:.0f} ms"),
        (one.mos, "{:.1f}"),
        (one.starved, "{}"),
    )
    return tuple("" if value is None else form.format(value) for value, form in known)


def _as_turn(at: int, one: Exchange) -> tuple[str, ...]:
    times = (one.speech_ms, one.ended_ms, one.heard_ms, one.text_ms, one.audio_ms, one.stopped_ms)
    return (
        *(str(at), f"{one.at_ms / 1000:.1f} s", one.kind, one.language or ""),
        *("" if each is None else str(each) for each in times),
        one.said,
    )
