"""A quote in another language on the page: above it what it says in the patient's own, tied to the same source."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Locator, expect

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

ASKED = {
    "zh": ("Main Street 诊所星期六几点开门？", "周六", "09:00–13:00"),
    "hi": ("Main Street शनिवार को कब खुलता है?", "शनिवार", "सुबह 9:00 से दोपहर 1:00 बजे तक"),
    "es": ("¿A qué hora abre Main Street los sábados?", "Sábado", "9:00–13:00"),
}


@pytest.mark.parametrize("language", ASKED)
async def test_the_line_looks_like_the_answer_and_the_quote_like_its_proof(open_page: OpenPage, language: str) -> None:
    page = await open_page(language=language, width=390, height=844)
    question, day, hours = ASKED[language]
    await page.fill("#question", question)
    await page.keyboard.press("Enter")
    answer = page.locator("assistant-turn").last
    await expect(answer.locator(".buttons")).to_be_visible()
    line = answer.locator(".told").first
    await expect(line).to_contain_text(day)
    await expect(line).to_contain_text(hours)
    assert await order(answer) == ["ours", "told", "notice", "quote", "chips"]
    number = await answer.locator(".chip .number").first.inner_text()
    await expect(line.locator("sup")).to_have_text(f"\u2060{number}")
    assert await weight(line) > await weight(answer.locator("blockquote").first)
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "scrolls sideways"
    if folder := os.environ.get("SCREENSHOTS"):
        await page.screenshot(path=Path(folder) / f"told-390-{language}.png", full_page=True)


async def test_a_reload_and_the_clipboard_keep_the_lines_number(open_page: OpenPage) -> None:
    page = await open_page(language="zh", permissions=["clipboard-read", "clipboard-write"])
    await page.fill("#question", ASKED["zh"][0])
    await page.keyboard.press("Enter")
    line = page.locator("assistant-turn .told").first
    await expect(page.locator("assistant-turn .buttons")).to_be_visible()
    before = await line.inner_text()
    await page.reload()
    await expect(page.locator("assistant-turn .buttons")).to_be_visible()
    assert await line.inner_text() == before
    await page.get_by_role("button", name="复制").click()
    copied = await page.evaluate("navigator.clipboard.readText()")
    assert any("09:00–13:00" in one and "[1]" in one for one in copied.splitlines())


async def order(answer: Locator) -> list[str]:
    """The kinds of paragraph, from top to bottom, each once."""
    names: list[str] = await answer.locator(".said > *").evaluate_all("(all) => all.map((one) => one.classList[0])")
    return list(dict.fromkeys(names))


async def weight(words: Locator) -> int:
    return int(await words.evaluate("(one) => getComputedStyle(one).fontWeight"))
