"""Pictures of the page in every language, size and theme, to look at by eye. Needs a server: screenshots.py URL FOLDER."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright

SIZES = {"phone": (390, 844), "tablet": (820, 1180), "desk": (1280, 800)}
LOCALES = {"en": "en-US", "es": "es-US", "zh": "zh-CN", "hi": "hi-IN"}
EMERGENCIES = {
    "en": "I have chest pain and cannot breathe",
    "es": "Tengo un fuerte dolor de pecho",
    "zh": "我胸痛，喘不过气",
    "hi": "मेरे सीने में दर्द है",
}


QUESTIONS = {
    "en": "When is Main Street open on Saturday?",
    "es": "¿A qué hora abre Main Street los sábados?",
    "zh": "Main Street 诊所星期六几点开门？",
    "hi": "Main Street शनिवार को कब खुलता है?",
}


async def main(url: str, folder: Path) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for size in SIZES:
            for language in LOCALES:
                for theme in ("light", "dark"):
                    await pictures(browser, url, folder, size, language, theme)
        await browser.close()


async def pictures(browser: Browser, url: str, folder: Path, size: str, language: str, theme: str) -> None:
    width, height = SIZES[size]
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        locale=LOCALES[language],
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
    )
    page = await context.new_page()

    async def take(state: str) -> None:
        await page.screenshot(path=folder / f"{size}-{language}-{theme}-{state}.png")

    await page.goto(url)
    await page.locator("#question").wait_for()
    await take("1-empty")
    await page.fill("#question", QUESTIONS[language])
    await page.keyboard.press("Enter")
    await answered(page)
    await take("2-answered")
    if await page.locator(".chip").count():
        await page.locator(".chip").first.click()
        await page.locator(".surroundings :is(mark, .notice)").first.wait_for()
        await take("3-source")
        await page.keyboard.press("Escape")
    await page.fill("#question", EMERGENCIES[language])
    await page.keyboard.press("Enter")
    await answered(page)
    await take("4-emergency")
    await context.close()


async def answered(page: Page) -> None:
    await page.locator(".answer").last.locator(".buttons:not([hidden])").wait_for()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
