"""The appliance as an operator starts it, a real browser, and a chat page in it."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, async_playwright, expect

import appliance

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",  # as root, Chromium starts no other way
    *("--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),  # nothing calls home
]
PATIENCE_MS = 60_000
"""For what is to come, on a machine that may be busy."""
LOCALES = {"en": "en-US", "es": "es-US", "zh": "zh-CN", "hi": "hi-IN"}
DOCUMENTS = Path(appliance.__file__).parent / "demo" / "documents"
LEARNT = ["hours-main-street.html", "contact.md", "fees.md", "pharmacy-and-refills.md"]
SETTINGS = {
    "MEDINOVAI__CLINIC__TIMEZONE": "America/New_York",
    "MEDINOVAI__LIMITS__REQUESTS_PER_MINUTE": "100000",
    "MEDINOVAI__FILES__FROM_PATIENTS": "true",
    "HF_HUB_OFFLINE": "1",
}
PARKING = """\
# Parking 🚗🚗🚗

Our car park 🅿️ is behind the building. Parking costs $3 a day. Please keep the entrance free.
"""
PAGE_WORDS = """\
[examples]
en = ["When is Main Street open on Saturday?", "How much is an office visit?"]
es = ["¿A qué hora abre Main Street los sábados?"]
zh = ["Main Street 诊所星期六几点开门？"]
hi = ["Main Street शनिवार को कब खुलता है?"]

[hours]
mon = [["08:00", "18:00"]]
sat = [["09:00", "13:00"]]
"""

OpenPage = Callable[..., Awaitable[Page]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(
                pytest.mark.skipif(
                    CHROMIUM is None and os.environ.get("CI") != "true",
                    reason="apt-get install chromium brings the browser",
                )
            )


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The appliance's data directory."""
    return tmp_path_factory.mktemp("data")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def appliance_url(data: Path) -> AsyncIterator[str]:
    async with served(data) as url:
        yield url


@asynccontextmanager
async def served(data: Path) -> AsyncIterator[str]:
    """A whole appliance in its own process, with a few documents of the demonstration clinic."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    await (await _medinovai(data, "init")).communicate()
    (data / "clinic.toml").write_text(PAGE_WORDS, "utf-8")
    (data / "parking.md").write_text(PARKING, "utf-8")
    learnt = [data / "parking.md", *(DOCUMENTS / name for name in LEARNT)]
    await (await _medinovai(data, "learn", *map(str, learnt))).communicate()
    serving = await _medinovai(data, "serve", "--port", port)
    assert serving.stderr
    said = [line async for line in _until(b"ready=True", serving.stderr)]
    assert said[-1:] and b"ready=True" in said[-1], b"".join(said).decode()
    draining = asyncio.create_task(serving.stderr.read())
    yield f"http://127.0.0.1:{port}"
    serving.terminate()
    assert await serving.wait() == 0
    await draining


async def _until(word: bytes, lines: asyncio.StreamReader) -> AsyncIterator[bytes]:
    async for line in lines:
        yield line
        if word in line:
            return


async def typed(data: Path, *words: str) -> str:
    """What the command line says."""
    said, wrong = await (await _medinovai(data, *words, stdout=asyncio.subprocess.PIPE)).communicate()
    assert said, wrong.decode()
    return said.decode()


async def _medinovai(data: Path, *words: str, stdout: int = asyncio.subprocess.DEVNULL) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "appliance", "--data-dir", str(data), *words),
        env=os.environ | SETTINGS,
        stdout=stdout,
        stderr=asyncio.subprocess.PIPE,
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, appliance_url: str) -> AsyncIterator[OpenPage]:
    """Opens the chat page as a new patient: ``await open_page(language="es", width=320)``. No script of it may fail."""
    errors: list[str] = []
    contexts: list[BrowserContext] = []

    async def opened(*, language: str = "en", width: int = 1280, height: int = 800, **settings: Any) -> Page:
        size: ViewportSize = {"width": width, "height": height}
        context = await browser.new_context(
            base_url=appliance_url, locale=LOCALES[language], viewport=size, reduced_motion="reduce", **settings
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if "Content Security Policy" in said.text else None)
        await page.goto("/")
        if settings.get("java_script_enabled", True):
            await page.locator("#question").wait_for()
        return page

    yield opened
    await asyncio.gather(*(context.close() for context in contexts))
    assert errors == []
