"""A real browser, and a page of the chat in it."""

from __future__ import annotations

import asyncio
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright

CHROMIUM = shutil.which("chromium")
ARGUMENTS = [
    "--no-sandbox",  # as root, Chromium starts no other way
    *("--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),  # nothing calls home
]
LOCALES = {"en": "en-US", "es": "es-US", "zh": "zh-CN", "hi": "hi-IN"}

OpenPage = Callable[..., Awaitable[Page]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.skipif(CHROMIUM is None, reason="apt-get install chromium brings the browser"))


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def appliance_url() -> AsyncIterator[str]:
    """Where the page is served: by the stand-in."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__).with_name("twin_server.py")), str(port)
    )
    url = f"http://127.0.0.1:{port}"
    await _up(url)
    yield url
    server.terminate()
    await server.wait()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, appliance_url: str) -> AsyncIterator[OpenPage]:
    """Opens the chat page as a new patient: ``await open_page(language="es", width=320)``. No script of it may fail."""
    errors: list[str] = []
    contexts = []

    async def opened(
        *, language: str = "en", width: int = 1280, height: int = 800, path: str = "/", **settings: Any
    ) -> Page:
        context = await browser.new_context(
            base_url=appliance_url,
            locale=LOCALES[language],
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            **settings,
        )
        contexts.append(context)
        context.set_default_timeout(8000)
        page = await context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console",
            lambda message: errors.append(message.text) if "Content Security Policy" in message.text else None,
        )
        await page.goto(path)
        if path == "/" and settings.get("java_script_enabled", True):
            await page.locator("#examples button").first.wait_for()
        return page

    yield opened
    for context in contexts:
        await context.close()
    assert errors == []


async def _up(url: str) -> None:
    async with asyncio.timeout(30), httpx.AsyncClient() as client:
        while True:
            try:
                await client.get(url)
                return
            except httpx.TransportError:
                await asyncio.sleep(0.05)
