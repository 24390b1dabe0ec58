"""sipp as the PBX that sends a call straight to us: built-in scenarios, and those in scenarios/."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.peers.programs import free_port, program, running

SCENARIOS = Path(__file__).parent / "scenarios"


@asynccontextmanager
async def sipp(
    folder: Path,
    scenario: str,
    to: int,
    *,
    source: str = "127.0.0.1",
    port: int = 0,
    seconds: float = 3,
    calls: int = 1,
    rate: int = 10,
    at_once: int = 0,
    **keys: object,
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Calls extension 100 at our port. ``scenario``: a file of ours, or sipp's own (uac). Its exit code is 0 when all went well."""
    folder.mkdir(parents=True, exist_ok=True)
    ours = SCENARIOS / f"{scenario}.xml"
    command = [program("sipp"), *(("-sf", str(ours)) if ours.exists() else ("-sn", scenario)), "-s", "100"]
    command += ["-i", source, "-p", str(port or free_port()), "-d", str(round(1000 * seconds)), "-m", str(calls)]
    command += [
        "-r",
        str(rate),
        "-l",
        str(at_once or calls),
        "-nostdin",
        "-trace_err",
        "-error_file",
        str(folder / "errors.txt"),
    ]
    command += ["-mp", str(free_port()), "-recv_timeout", "10000", "-timeout_error", f"127.0.0.1:{to}"]
    for name, value in keys.items():
        command += ["-key", name, str(value)]
    async with running(*command, folder=folder) as process:
        yield process


async def ends_well(process: asyncio.subprocess.Process, folder: Path, *, seconds: float = 60) -> None:
    """The scenario was gone through to its end."""
    code = await asyncio.wait_for(process.wait(), seconds)
    errors = folder / "errors.txt"
    said = errors.read_text(errors="replace") if errors.exists() else ""
    assert code == 0, said[-2000:]
