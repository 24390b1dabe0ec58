"""A whole appliance in its own process, whose telephone is an extension of the test's PBX."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

import appliance
from appliance.records.secrets import keep
from tests.peers.kamailio import DOMAIN, PASSWORD
from tests.peers.programs import free_port

DOCUMENTS = Path(appliance.__file__).parent / "demo" / "documents"
LEARNT = ("hours-main-street.html", "contact.md", "fees.md")
SETTINGS = """\
[clinic]
name = "Riverside Clinic"
languages = ["{language}"]
timezone = "America/New_York"

[server]
port = {port}

[phone]
pbx = "127.0.0.1:{pbx}"
domain = "{domain}"
listen = "127.0.0.1:{own}"
ring_s = 6
callbacks = ["201"]
{more}

[[phone.lines]]
name = "main"
extension = "100"
language = "{language}"

[[phone.people]]
extension = "201"
when = "always"
"""


class Box:
    """The appliance's data, and its process while it serves."""

    def __init__(self, data: Path, config: Path, port: int) -> None:
        self.data, self.config, self.port = data, config, port
        self.process: asyncio.subprocess.Process

    async def typed(self, *words: str, code: int = 0) -> str:
        """What a command says; if it is to fail, what it says of that too."""
        process = await self.started(*words)
        said, wrong = await process.communicate()
        assert process.returncode == code, wrong.decode() + said.decode()
        return (said + wrong if code else said).decode()

    async def started(self, *words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "appliance", "--config", str(self.config), "--data-dir", str(self.data), *words),
            env=os.environ | {"HF_HUB_OFFLINE": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def health(self, name: str) -> str:
        """How a part of it says it is."""
        async with httpx.AsyncClient(timeout=60) as client:
            told = (await client.get(f"http://127.0.0.1:{self.port}/health")).json()
        return next(str(one["words"]) for one in told["components"] if one["name"] == name)

    def held(self) -> Mapping[str, int]:
        """What the serving process holds now: threads, descriptors, memory (KiB)."""
        proc = Path(f"/proc/{self.process.pid}")
        status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
        return {
            "threads": int(status["Threads"]),
            "descriptors": len(list((proc / "fd").iterdir())),
            "memory": int(status["VmRSS"].split()[0]),
        }

    def cpu_s(self) -> float:
        """Processor time of the serving process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def made(folder: Path, pbx: int, *, language: str = "en", more: str = "") -> Box:
    """Set up as IT does it: init, the phone's models, documents, a member of staff, the line's password."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "config.toml"
    config.write_text(
        SETTINGS.format(port=port, pbx=pbx, domain=DOMAIN, own=free_port(), more=more, language=language), "utf-8"
    )
    box = Box(folder / "data", config, port)
    await box.typed("init")
    await box.typed("models", "pull", "phone")
    await box.typed("learn", *(str(DOCUMENTS / name) for name in LEARNT))
    await box.typed("staff", "add", "maria", "--role", "Nurse")
    keep("phone-main", PASSWORD, box.data)
    return box


@asynccontextmanager
async def serving(box: Box) -> AsyncIterator[Box]:
    """The appliance serves, and its line is registered."""
    box.process = await box.started("serve")
    assert box.process.stderr
    said: list[bytes] = []
    async with asyncio.timeout(180):
        while not (b"ready=True" in b"".join(said) and b"line=main registered" in b"".join(said)):
            line = await box.process.stderr.readline()
            assert line, b"".join(said).decode()
            said.append(line)
    draining = asyncio.create_task(box.process.stderr.read())
    try:
        yield box
    finally:
        if box.process.returncode is None:
            box.process.terminate()
        await box.process.wait()
        said.append(await draining)
        (box.data / "log.txt").write_bytes(b"".join(said))
