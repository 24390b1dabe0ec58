"""The telephone programs of others that stand at the far end in tests: found, started on loopback, ended."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NoReturn

import pytest

PACKAGES = {"sipp": "sip-tester", "baresip": "baresip-core", "kamailio": "kamailio"}


def program(name: str) -> str:
    """Where it is. Where it is missing the test is skipped, but not in CI: there it must run."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if not found:
        missing(f"{name} is missing: apt-get install {PACKAGES[name]}")
    return str(found)


def missing(reason: str) -> NoReturn:
    """Skips the test, or fails it in CI."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """Free now for UDP and TCP, and the next one too (SIP over TLS listens there)."""
    while True:
        with socket.socket() as one, socket.socket() as next_one, socket.socket(type=socket.SOCK_DGRAM) as udp:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            with suppress(OSError):
                next_one.bind(("127.0.0.1", port + 1))
                udp.bind(("127.0.0.1", port))
                return port


@asynccontextmanager
async def running(*command: str, folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A program while it is needed; what it says goes to a file beside its settings."""
    with (folder / "said.txt").open("ab") as said:
        process = await asyncio.create_subprocess_exec(
            *command, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=said, stderr=said
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 20)
            except TimeoutError:
                process.kill()
                await process.wait()


async def said(folder: Path, words: str, *, seconds: float = 60) -> None:
    """Until the program has said these words."""
    async with asyncio.timeout(seconds):
        while words not in (folder / "said.txt").read_text(errors="replace"):
            await asyncio.sleep(0.05)
