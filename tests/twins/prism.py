"""Prism between an appliance and a twin: what either says is held against the vendor's own description of the API."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def prism() -> str:
    """The program. Without it the test is skipped, and on CI an error: npm ci --prefix tests/twins."""
    found = shutil.which("prism", path=f"{HERE / 'node_modules/.bin'}{os.pathsep}{os.environ.get('PATH', '')}")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("prism is missing: npm ci --prefix tests/twins")
        pytest.skip("prism is missing: npm ci --prefix tests/twins")
    return found


@contextmanager
def judging(description: Path, twin: str) -> Iterator[str]:
    """A proxy that answers 422 where the caller breaks the description and 500 where the twin does."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [prism(), "proxy", "--errors", "-h", "127.0.0.1", "-p", str(port), str(description), twin]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - our own test tool
    try:
        _listening(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def _listening(port: int, process: subprocess.Popen[bytes], seconds: float = 180) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.5):
            return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise AssertionError("prism did not start")
