"""Debian's baresip as somebody's telephone: it registers, calls, answers or lets it ring. Spoken to over its control port."""

from __future__ import annotations

import asyncio
import json
import wave
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np

from tests.peers.kamailio import DOMAIN, PASSWORD
from tests.peers.programs import free_port, program, running

Event = dict[str, Any]


class Phone:
    """Its commands, and what has happened to it so far."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.events: list[Event] = []
        self._reader, self._writer = reader, writer
        self._news = asyncio.Event()

    def does(self, command: str, params: str = "") -> None:
        """dial, hangup, hold, resume …"""
        words = json.dumps({"command": command, "params": params})
        self._writer.write(f"{len(words)}:{words},".encode())

    async def sees(
        self, kind: str, *, times: int = 1, seconds: float = 60, which: Callable[[Event], bool] = lambda _: True
    ) -> Event:
        """Until such an event is there, or came so many times: the last of them."""
        async with asyncio.timeout(seconds):
            while True:
                seen = [event for event in self.events if event.get("type") == kind and which(event)]
                if len(seen) >= times:
                    return seen[times - 1]
                self._news.clear()
                await self._news.wait()

    async def listen(self) -> None:
        while size := await self._reader.readuntil(b":"):
            words = await self._reader.readexactly(int(size[:-1]) + 1)
            found = json.loads(words[:-1])
            if found.get("event"):
                self.events.append(found)
                self._news.set()


@asynccontextmanager
async def phone(
    folder: Path,
    user: str,
    pbx: int,
    *,
    answers: bool = True,
    codecs: str = "pcmu/8000/1",
    certificate: Path | None = None,
) -> AsyncIterator[Phone]:
    """``answers``: at once; else it rings for ever. ``certificate``: who signed the PBX's; then TLS, and SRTP or nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    control = free_port()
    _, rate, channels = codecs.split("/")
    _tone(folder / "tone.wav", int(rate), int(channels))
    (folder / "config").write_text(_settings(folder / "tone.wav", control, certificate))
    transport = "tls" if certificate else "udp"
    (folder / "accounts").write_text(
        f"<sip:{user}@{DOMAIN};transport={transport}>;auth_pass={PASSWORD};regint=60;audio_codecs={codecs};"
        f"answermode={'auto' if answers else 'manual'};"
        f'outbound="sip:127.0.0.1:{pbx};transport={transport}"{";mediaenc=srtp-mand" if certificate else ""}\n'
    )
    async with running(program("baresip"), "-f", str(folder), folder=folder):
        reader, writer = await _reached(control)
        one = Phone(reader, writer)
        listening = asyncio.create_task(one.listen())
        try:
            await _registered(folder)
            yield one
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
            writer.close()


async def _registered(folder: Path) -> None:
    """Its file, not its events: they come before one can listen."""
    async with asyncio.timeout(60):
        while "200 OK" not in (folder / "said.txt").read_text(errors="replace"):
            await asyncio.sleep(0.05)


async def _reached(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    async with asyncio.timeout(60):
        while True:
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)


def _tone(file: Path, rate: int, channels: int) -> None:
    """A minute of 440 Hz, as loud as a voice."""
    pcm = (8000 * np.sin(2 * np.pi * 440 * np.arange(60 * rate) / rate)).astype(np.int16)
    with wave.open(str(file), "wb") as out:
        out.setparams((channels, 2, rate, len(pcm), "NONE", ""))
        out.writeframes(np.repeat(pcm, channels).tobytes())


def _settings(tone: Path, control: int, certificate: Path | None) -> str:
    modules = ("g711", "g722", "opus", "aufile", "aubridge", "srtp")
    tls = f"sip_cafile {certificate}\nsip_verify_server no\n" if certificate else ""
    return (
        f"sip_listen 127.0.0.1:0\nnet_interface 127.0.0.1\n{tls}"
        f"audio_source aufile,{tone}\n"
        "audio_player aubridge,nowhere\naudio_alert aubridge,nowhere\n"
        "call_max_calls 4\nmodule_path /usr/lib/baresip/modules\n"
        + "".join(f"module {name}.so\n" for name in modules)
        + "module_app account.so\nmodule_app menu.so\nmodule_app ctrl_tcp.so\n"
        + f"ctrl_tcp_listen 127.0.0.1:{control}\n"
    )
