"""The page for everybody: axe in every state, small screens, large letters, targets, weight."""

from __future__ import annotations

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Page

from tests.browser.conftest import OpenPage
from tests.browser.test_chat_page import EMERGENCIES, ask, ask_hours

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
MOST_BYTES = 150_000
LEAST_TARGET = 44


async def empty(page: Page) -> None:
    """The page as it opens."""


async def answered(page: Page) -> None:
    await ask_hours(page)


async def source(page: Page) -> None:
    await ask_hours(page)
    await page.locator(".chip").first.click()
    await page.locator("source-panel mark").first.wait_for()


async def reason(page: Page) -> None:
    await ask_hours(page)
    await page.locator("[aria-pressed]").first.click()
    await page.locator(".reason textarea").wait_for()


async def emergency(page: Page) -> None:
    await ask(page, EMERGENCIES["en"])
    await page.locator("[data-kind=emergency] .buttons").wait_for()


async def reminded(page: Page) -> None:
    """An answer after an emergency."""
    await emergency(page)
    await ask_hours(page)


async def contact(page: Page) -> None:
    await page.locator("#person").click()
    await page.locator("[data-kind=contact] .buttons").wait_for()


async def menu(page: Page) -> None:
    await page.locator("#top [data-opens=menu]").last.click()


async def keys(page: Page) -> None:
    await menu(page)
    await page.locator("[data-opens=keys]").click()


async def privacy(page: Page) -> None:
    await page.locator(".foot [data-opens=privacy]").click()
    await page.locator("#delete").click()


async def document(page: Page) -> None:
    await source(page)
    address = await page.locator("source-panel .further a").get_attribute("href")
    await page.goto(str(address))
    await page.locator("mark").first.wait_for()


State = Callable[[Page], Awaitable[None]]
STATES: list[State] = [empty, answered, source, reason, emergency, reminded, contact, menu, keys, privacy, document]


@pytest.mark.skipif(
    not AXE.exists() and os.environ.get("CI") != "true", reason="npm ci --prefix tests/browser brings axe-core"
)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
async def test_axe_finds_nothing_to_object_to(open_page: OpenPage, state: State, theme: str) -> None:
    page = await open_page(color_scheme=theme, width=390 if theme == "dark" else 1280)
    await state(page)
    await page.evaluate(AXE.read_text())
    found = await page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    told = [(one["impact"], one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]]
    assert told == [], json.dumps(told, indent=1)


@pytest.mark.parametrize("language", ["es", "hi"])  # the longest words of the four
@pytest.mark.parametrize("state", STATES)
async def test_at_320_pixels_nothing_scrolls_sideways_and_every_target_is_large(
    open_page: OpenPage, state: State, language: str
) -> None:
    page = await open_page(language=language, width=320, height=640)
    await state(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    assert await page.evaluate(
        "[...document.querySelectorAll('dialog[open]')].every((dialog) => dialog.scrollWidth <= dialog.clientWidth)"
    )
    assert await small_targets(page) == []


@pytest.mark.parametrize("state", [empty, answered, source, emergency, menu, privacy])
async def test_at_200_percent_nothing_scrolls_sideways_and_there_is_room_to_read(
    open_page: OpenPage, state: State
) -> None:
    page = await open_page(language="es", width=640, height=400)
    await page.evaluate("localStorage.setItem('size', 'largest')")
    await page.reload()
    await page.locator("#question").wait_for()
    await state(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 640
    pinned = await page.locator("#pinned").bounding_box()
    assert pinned
    assert pinned["height"] < 200


async def test_on_a_small_screen_the_question_stays_in_sight_above_its_answer(open_page: OpenPage) -> None:
    page = await open_page(language="es", width=320, height=640)
    for _ in range(2):
        await ask_hours(page)
        pinned = await page.locator("#pinned").bounding_box()
        question = await page.locator("patient-turn").last.bounding_box()
        assert pinned
        assert question
        assert 0 <= question["y"] - (pinned["y"] + pinned["height"]) < 100


async def test_the_page_with_an_answer_weighs_less_than_150_kilobytes(open_page: OpenPage) -> None:
    page = await open_page()
    replies = []
    page.on("response", lambda reply: replies.append(reply))
    await page.reload()
    await source(page)
    weight = {reply.url: len(await reply.body()) for reply in replies if reply.ok}
    assert sum(weight.values()) <= MOST_BYTES, weight


async def test_text_can_be_spaced_as_wcag_asks_without_losing_words(open_page: OpenPage) -> None:
    """WCAG 2.2, 1.4.12: line height 1.5, letters .12 em, words .16 em, paragraphs 2 em apart."""
    page = await open_page(width=390, height=844)
    await answered(page)
    await page.evaluate("""() => {
      for (const one of document.querySelectorAll("#page *")) {
        one.style.setProperty("line-height", "1.5", "important");
        one.style.setProperty("letter-spacing", ".12em", "important");
        one.style.setProperty("word-spacing", ".16em", "important");
      }
    }""")
    cut = await page.evaluate("""() => [...document.querySelectorAll("#page :is(button, p, h1, h2)")]
      .filter((one) => one.checkVisibility() && !one.matches(".aside, .chip"))
      .filter((one) => one.scrollWidth > one.clientWidth + 1)
      .map((one) => one.textContent)""")
    assert cut == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= 390


async def small_targets(page: Page) -> list[str]:
    """What a trembling finger would miss."""
    found: list[str] = await page.evaluate(
        """(least) => [...document.querySelectorAll("button, select, textarea, a[href], label:has(input)")]
          .filter((target) => target.checkVisibility({visibilityProperty: true}) && !target.matches(".skip, .aside"))
          .map((target) => [target, target.getBoundingClientRect()])
          .filter(([, box]) => box.width && (box.height < least || box.width < least))
          .map(([target, box]) => `${target.outerHTML.slice(0, 90)} ${box.width}x${box.height}`)""",
        LEAST_TARGET,
    )
    return found
