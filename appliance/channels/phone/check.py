"""Is everything there for calls: settings, packages, passwords, models, people. Mends nothing, and calls nobody."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from appliance.config import Config, PhoneLine
from appliance.conversations.calls import Figures
from appliance.errors import BadConfig
from appliance.records.secrets import secret, where
from models import ModelError
from models.store import Store

PACKAGES: Final = ("baresip", "faster_whisper", "onnxruntime", "piper")
"""Of the extra [phone]; each is imported in one module of voice/."""
INSTALL: Final = "Run: make phone"
KEY: Final = "pbx-key"
"""The secret that opens 3CX's interfaces."""
SET: Final = "phone"
"""The models of the phone, in the catalogue."""
ENOUGH: Final = 20
"""Turns; with fewer no 95th of a hundred is told."""
REACH_S: Final = 5.0

State = Literal["ok", "warning", "failing"]


class Looked(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found, and what to do about it."""

    name: str
    state: State
    words: str
    remedy: str = ""


def missing() -> list[str]:
    """Packages of the extra that are not installed. Imports none of them."""
    return [name for name in PACKAGES if importlib.util.find_spec(name) is None]


def password(config: Config, line: PhoneLine) -> str | None:
    """A line's password: a systemd credential, or a file of the data directory."""
    return secret(f"phone-{line.name}", Path(config.data.directory))


def key(config: Config) -> str | None:
    """The key of our client at 3CX, kept as `password` is."""
    return secret(KEY, Path(config.data.directory))


def looked(config: Config, store: Store) -> Iterator[Looked]:
    """Each thing that calls need, in the order in which a person would set it up. Blocks."""
    if config.phone.lines:
        yield _settings(config)
    elif not config.pbx.calls:
        remedy = "" if not missing() else INSTALL
        yield Looked(name="phone", state="ok", words="The phone is off: no line is configured.", remedy=remedy)
    if config.pbx.url:
        yield _secret("key of 3CX's client", KEY, key, config, "Integrations > API, where 3CX shows it once,")
    if not config.takes_calls:
        return
    if absent := missing():
        yield Looked(name="packages", state="failing", words=f"Not installed: {', '.join(absent)}.", remedy=INSTALL)
        return
    yield Looked(name="packages", state="ok", words="The extra [phone] is installed.")
    yield from (_password(config, line) for line in config.phone.lines)
    yield from _models(config, store)
    yield _people(config)


async def reached(config: Config) -> AsyncIterator[Looked]:
    """Whether the telephone system's address answers; over UDP only its name can be looked up without a call."""
    host, port = address(config)
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        words = f"The name {host} is not known here ({error.strerror})."
        yield Looked(name="address", state="failing", words=words, remedy="Correct phone.pbx, or the network's DNS.")
        return
    place = str(found[0][4][0])
    if config.phone.transport == "udp":
        yield Looked(name="address", state="ok", words=f"{host} is {place}; over UDP only a registration tells more.")
        return
    tls = await asyncio.to_thread(_trusted, config) if config.phone.transport == "tls" else None
    try:
        async with asyncio.timeout(REACH_S):
            _, writer = await asyncio.open_connection(host, port, ssl=tls, server_hostname=host if tls else None)
        writer.close()
    except (OSError, TimeoutError) as error:
        words = (
            f"{host}:{port} ({place}) does not answer over {config.phone.transport}: {error or 'no answer in time'}."
        )
        remedy = "See docs/3cx.md: port, firewall, and for tls the certificate (phone.certificate)."
        yield Looked(name="address", state="failing", words=words, remedy=remedy)
        return
    yield Looked(name="address", state="ok", words=f"{host}:{port} answers over {config.phone.transport}.")


def address(config: Config) -> tuple[str, int]:
    """Host and port of the telephone system."""
    host, _, port = config.phone.pbx.partition(":")
    return host, int(port or (5061 if config.phone.transport == "tls" else 5060))


def allowed(number: str, callbacks: Iterable[str]) -> bool:
    """Whether we may call it: a number of the list, or one that begins as an entry with * does. Only digits are compared."""
    wanted = _digits(number)
    return bool(wanted) and any(
        wanted.startswith(_digits(one)) if one.endswith("*") else wanted == _digits(one) for one in callbacks
    )


def told(figures: Figures) -> list[tuple[str, str]]:
    """Counts and times, a line each."""
    outcomes = ", ".join(f"{name} {count}" for name, count in figures.outcomes.items()) or "none"
    waited = figures.waited_ms
    lines = [("30 days", f"{figures.calls} calls: {outcomes}")]
    if waited:
        words = f"{_quantile(waited, 0.5) / 1000:.1f} s in the middle"
        if len(waited) >= ENOUGH:
            words += f", {_quantile(waited, 0.95) / 1000:.1f} s for the slowest twentieth"
        lines.append(("answer begins after", f"{words} ({len(waited)} turns)"))
    return lines


def _digits(number: str) -> str:
    return ("+" if number.startswith("+") else "") + "".join(filter(str.isdecimal, number))


def _settings(config: Config) -> Looked:
    phone = config.phone
    lines = ", ".join(f"{line.name} ({line.extension})" for line in phone.lines)
    words = (
        f"Lines {lines} at {phone.pbx} over {phone.transport}; at most {phone.most_calls} calls; "
        f"transfers {phone.transfer}; recording {phone.recording}."
    )
    if phone.transport != "tls" or not phone.encrypted_audio:
        remedy = 'Where the telephone system can: phone.transport = "tls", phone.encrypted_audio = true.'
        unsafe = "Who listens on this network hears the calls."
        return Looked(name="phone", state="warning", words=f"{words} {unsafe}", remedy=remedy)
    return Looked(name="phone", state="ok", words=words)


def _password(config: Config, line: PhoneLine) -> Looked:
    name = f"password of {line.name}"
    return _secret(name, f"phone-{line.name}", lambda config: password(config, line), config, "the telephone system")


def _secret(name: str, file_name: str, read: Callable[[Config], str | None], config: Config, source: str) -> Looked:
    file = where(file_name, Path(config.data.directory))
    try:
        known = read(config)
    except BadConfig as error:
        return Looked(name=name, state="failing", words=str(error))
    if known is None:
        remedy = f"Copy it from {source} into {file}, then: chmod 600 {file}"
        return Looked(name=name, state="failing", words="There is none.", remedy=remedy)
    return Looked(name=name, state="ok", words="There is one.")


def _models(config: Config, store: Store) -> Iterator[Looked]:
    wanted = [config.phone.ears, *(one.name for one in store.catalog.models if SET in one.sets and one.kind != "ears")]
    for name in wanted:
        try:
            there = store.installed(name)
        except ModelError as error:
            yield Looked(name=f"model {name}", state="failing", words=str(error))
            continue
        if there:
            yield Looked(name=f"model {name}", state="ok", words="It is on this box.")
        else:
            remedy = f"Run: medinovai models pull {SET}"
            yield Looked(name=f"model {name}", state="failing", words="It is not on this box.", remedy=remedy)


def _people(config: Config) -> Looked:
    known = config.phone.people
    if not known:
        words = "Nobody is named to whom calls can go: callers leave a message or a number."
        remedy = "Name extensions or queues under [[phone.people]] in config.toml."
        return Looked(name="people", state="warning", words=words, remedy=remedy)
    urgent = [one.extension for one in known if one.emergencies != "never"]
    words = f"{len(known)} extensions; in an emergency: {', '.join(urgent) or 'none'}."
    return Looked(name="people", state="ok" if urgent else "warning", words=words)


def _trusted(config: Config) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=config.phone.certificate or None)


def _quantile(shortest_first: tuple[int, ...], share: float) -> int:
    return shortest_first[min(len(shortest_first) - 1, int(share * len(shortest_first)))]
