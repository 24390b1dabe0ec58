"""The staff page in a real browser: from the one-time password to giving back, with the patient's page beside it."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from appliance.channels.phone.recording import FOLDER, Shelf
from appliance.conversations.calls import Calls
from appliance.conversations.case import Staffer
from appliance.conversations.cases import Desk
from appliance.conversations.turns import Conversations
from appliance.message import Message, MessageId
from appliance.records.database import Database
from appliance.records.keys import derive, master_key
from tests.browser.conftest import LOCALES, PATIENCE_MS, served, typed
from tests.browser.test_everybody_can_use_it import AXE, small_targets

pytestmark = pytest.mark.asyncio(loop_scope="session")

GOOD = "copper violin seventeen lakes"
FORM: Any = {"name": "form.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.7 a form"}
EMERGENCY = "I have chest pain and cannot breathe"


class Clinic:
    """A served appliance with one member of staff, and the pages that look at it."""

    def __init__(self, browser: Browser, url: str, data: Path) -> None:
        self.browser = browser
        self.url = url
        self.data = data
        self.errors: list[str] = []
        self._contexts: list[BrowserContext] = []
        self._cookies: Any = None

    async def page(
        self, path: str, *, language: str = "en", width: int = 1280, height: int = 800, **given: Any
    ) -> Page:
        context = await self.browser.new_context(
            base_url=self.url,
            locale=LOCALES[language],
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            **given,
        )
        self._contexts.append(context)
        context.set_default_timeout(PATIENCE_MS)
        page = await context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda told: self.errors.append(told.text) if "Security Policy" in told.text else None)
        await page.goto(path)
        return page

    async def maria(self, **given: Any) -> Page:
        """Maria's page, signed in."""
        page = await self.page("/staff", **given)
        if self._cookies is None:
            await sign_in(page, "maria", await self.one_time("add", "maria", "--role", "Nurse"))
            await choose(page, GOOD)
        else:
            await sign_in(page, "maria", GOOD)
        await page.locator("staff-queue").wait_for()
        self._cookies = True
        return page

    async def one_time(self, *words: str) -> str:
        said = await typed(self.data, "staff", *words)
        found = re.search(r"([a-z0-9]{4}-){3}[a-z0-9]{4}", said)
        assert found, said
        return found.group()

    async def patient(self, **given: Any) -> Page:
        page = await self.page("/", **given)
        await page.locator("#question").wait_for()
        return page

    async def nobody_waits(self) -> None:
        """An empty queue, as another process would leave it."""
        async with self.records() as (database, _):
            desk = Desk(database)
            for case in await desk.queue():
                await desk.resolve(case.id, Staffer(id="night", name="Night", role="Nurse"))

    async def voice_message(self, words: str) -> None:
        """Three seconds of a tone, and the case that a caller's message opens."""
        async with self.records() as (database, master):
            conversations, calls = Conversations(database), Calls(database, master, "clinic")
            conversation, _ = await conversations.create("phone", "en")
            call = await calls.begin(conversation, line="main", caller="1", site=None)
            kept = Shelf(self.data, master, "clinic", calls).record(call, conversation, kind="voicemail", channels=1)
            kept("in", (9000 * np.sin(np.arange(24_000) / 3)).astype(np.int16), 8000)
            assert await kept.close() == 3.0
            said = Message(id=MessageId(str(uuid4())), conversation=conversation, channel="phone", text=words)
            await conversations.begin(said)
            await Desk(database).open(conversation, reason="asked", urgency=1, language="en", channel="phone")

    @asynccontextmanager
    async def records(self) -> AsyncIterator[tuple[Database, bytes]]:
        """As another process has them."""
        master = await asyncio.to_thread(master_key, self.data)
        database = await Database.open(self.data / "clinic.db", derive(master, "db:clinic"))
        try:
            yield database, master
        finally:
            await database.close()

    async def close(self) -> None:
        await asyncio.gather(*(context.close() for context in self._contexts))
        self._contexts.clear()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clinic]:
    data = tmp_path_factory.mktemp("staffed")
    async with served(data) as url:
        yield Clinic(browser, url, data)


@pytest_asyncio.fixture(loop_scope="session")
async def clinic(house: Clinic) -> AsyncIterator[Clinic]:
    await house.nobody_waits()
    yield house
    await house.close()
    assert house.errors == []


async def sign_in(page: Page, name: str, password: str) -> None:
    await page.fill("#name", name)
    await page.fill("#password", password)
    await page.press("#password", "Enter")


async def choose(page: Page, password: str) -> None:
    await page.fill("#new", password)
    await page.press("#new", "Enter")


async def wants_a_person(patient: Page) -> None:
    await patient.click("#person")
    await expect(patient.locator("staff-bar")).to_contain_text("Waiting for a person")


async def write(page: Page, words: str) -> None:
    await page.fill("#words", words)
    await page.press("#words", "Enter")


async def test_from_the_one_time_password_to_giving_back(clinic: Clinic) -> None:
    page = await clinic.page("/staff")
    once = await clinic.one_time("add", "ana", "--role", "Doctor")
    await sign_in(page, "ana", once)
    await expect(page.locator("#choose h1")).to_be_visible()
    await choose(page, "password1234")
    await expect(page.locator("#choose .told")).to_contain_text("easy to guess")
    await choose(page, "seven copper lakes and a violin")
    await expect(page.locator("#queue")).to_be_visible()
    await page.click("#duty")
    await expect(page.locator("#duty")).to_have_attribute("aria-pressed", "true")

    patient = await clinic.patient()
    await wants_a_person(patient)
    await expect(patient.locator("staff-bar")).to_contain_text("You are next")
    item = page.locator("staff-queue ul.open .item")
    await expect(item).to_contain_text("Asked for a person")
    await item.click()
    await page.click("[data-act=accept]")
    await expect(page.locator(".whose")).to_contain_text("You have it")
    await expect(patient.locator("staff-bar")).to_contain_text("Ana from the clinic answers you here")

    await page.locator("#words").press_sequentially("Good", delay=20)
    await expect(patient.locator("staff-bar")).to_contain_text("Ana is typing")
    await write(page, "Good morning, how can I help?")
    said = patient.locator("staff-turn")
    await expect(said).to_contain_text("A member of staff: Ana, Doctor")
    await expect(said).to_contain_text("how can I help?")
    await patient.locator("#question").press_sequentially("My", delay=20)
    await expect(page.locator(".typing")).to_be_visible()
    await patient.fill("#question", "My bill is wrong")
    await patient.press("#question", "Enter")
    await expect(page.locator(".of-patient").last).to_contain_text("My bill is wrong")

    await page.keyboard.press("Escape")
    await page.keyboard.press("n")
    await write(page, "secret: calls every week")
    await expect(page.locator(".turn.note")).to_contain_text("secret: calls every week")
    await page.keyboard.press("Escape")
    await page.locator(".of-staff").get_by_role("button", name="Change").click()
    await write(page, "Good morning, what can I do?")
    await expect(said).to_contain_text("what can I do?")
    await expect(said).to_contain_text("Changed after sending")
    await patient.reload()
    await expect(patient.locator("staff-turn")).to_contain_text("what can I do?")
    await page.locator(".of-staff").get_by_role("button", name="Take back").click()
    await expect(patient.locator("staff-turn")).to_contain_text("This message was taken back")
    assert "what can I do" not in await patient.locator("#turns").inner_text()

    await page.click("[data-act=return]")
    await expect(patient.locator("staff-bar")).to_contain_text("assistant answers you again")
    assert "secret" not in await patient.content()
    await patient.reload()
    await patient.locator("staff-turn").wait_for()
    assert "secret" not in await patient.content()
    await clinic_signs_out(page)


async def test_files_go_both_ways_and_open(clinic: Clinic, tmp_path: Path) -> None:
    maria, patient = await clinic.maria(width=390, height=844), await clinic.patient(width=390, height=844)
    await expect(patient.locator("#attach")).to_be_hidden()
    await wants_a_person(patient)
    await maria.locator("staff-queue ul.open .item").click()
    await maria.set_input_files("form.write [type=file]", files=[FORM])
    await expect(maria.locator(".of-staff .file")).to_contain_text("form.pdf")
    link = patient.locator("staff-turn .file")
    await expect(link).to_contain_text("form.pdf")
    fetched = await patient.request.get(clinic.url + str(await link.get_attribute("href")))
    assert await fetched.body() == FORM["buffer"]
    await patient.set_input_files("#file", files=[FORM | {"name": "knee.png", "buffer": b"\x89PNG\r\n\x1a\n knee"}])
    await expect(patient.locator(".asked .file")).to_contain_text("knee.png")
    await expect(maria.locator(".of-patient .file")).to_contain_text("knee.png")
    await patient.set_input_files("#file", files=[FORM | {"name": "page.pdf", "buffer": b"<script>"}])
    await expect(patient.locator("#told")).to_contain_text("could not be sent")
    await expect(patient.locator(".asked .file")).to_have_count(1)
    await patient.reload()
    await expect(patient.locator(".file")).to_have_count(2)
    for page in (maria, patient):
        assert await small_targets(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    if folder := os.environ.get("SCREENSHOTS"):
        await maria.screenshot(path=Path(folder) / "files-staff.png")
        await patient.screenshot(path=Path(folder) / "files-patient.png")
    await maria.locator(".of-staff").get_by_role("button", name="Take back").click()
    await expect(patient.locator("staff-turn .file")).to_have_count(0)


NOT_UNDERSTOOD = "(not understood: listen to the recording)"


async def voice_message(clinic: Clinic, **given: Any) -> Page:
    await clinic.voice_message(NOT_UNDERSTOOD)
    maria = await clinic.maria(**given)
    await maria.locator("staff-queue ul.open .item").first.click()
    await maria.locator(".recording audio").wait_for()
    return maria


@pytest.mark.parametrize("width", [390, 1280])
async def test_a_voice_message_is_heard_where_it_was_said_by_keyboard_too(clinic: Clinic, width: int) -> None:
    maria = await voice_message(clinic, width=width, height=800)
    player = maria.get_by_label(re.compile(r"^Voice message, 3 s · \d+:\d\d.[AP]M$"))
    await expect(player).to_have_attribute("preload", "none")
    await expect(maria.locator(".turns article").first).to_have_class("turn recording")  # then come its words
    await expect(maria.locator(".of-patient")).to_contain_text(NOT_UNDERSTOOD)
    if folder := os.environ.get("SCREENSHOTS"):
        await maria.screenshot(path=Path(folder) / f"recording-{width}.png")
    await player.focus()
    await maria.keyboard.press("Space")
    await expect(player).to_have_js_property("ended", True)
    await expect(player).to_have_js_property("duration", 3)
    await expect(maria.locator(".recording .state")).to_be_empty()


async def test_what_happens_meanwhile_takes_neither_the_sound_nor_the_focus_away(clinic: Clinic) -> None:
    maria = await voice_message(clinic)
    player = maria.locator(".recording audio")
    played = await player.evaluate_handle("async (player) => (await player.play(), player)")
    await player.focus()
    number = (await maria.locator(".case-title").inner_text()).rpartition(" ")[2]
    accept = f"{clinic.url}/api/staff/cases/{number}/accept"
    assert (await maria.request.post(accept, data={}, headers={"origin": clinic.url})).ok
    await expect(maria.locator(".whose")).to_contain_text("You have it")
    assert await player.evaluate("(player, played) => player === played && player === document.activeElement", played)
    await expect(player).to_have_js_property("ended", True)


async def test_a_recording_that_is_gone_is_said_to_be(clinic: Clinic) -> None:
    maria = await voice_message(clinic, language="es", width=390, height=844)
    await expect(maria.locator(".recording h3")).to_contain_text("Mensaje de voz, 3 s")
    for file in (clinic.data / FOLDER).iterdir():
        file.unlink()
    await maria.locator(".recording audio").evaluate("(player) => void player.play().catch(() => undefined)")
    await expect(maria.get_by_role("status").filter(has_text="No se puede reproducir")).to_be_visible()


async def clinic_signs_out(page: Page) -> None:
    await page.locator("#top [data-opens=menu]").click()
    await page.click("#sign-out")
    await expect(page.locator("#sign-in")).to_be_visible()
    assert await page.locator(".turn").count() == 0


async def test_the_whole_way_by_keyboard(clinic: Clinic) -> None:
    maria = await clinic.maria()
    first, second = await clinic.patient(), await clinic.patient()
    await wants_a_person(first)
    await wants_a_person(second)
    await expect(second.locator("staff-bar")).to_contain_text("You are number 2")
    await expect(maria.locator("staff-queue ul.open .item")).to_have_count(2)
    press = maria.keyboard.press
    for key in ("j", "j", "k", "Enter"):
        await press(key)
    await expect(maria.locator(".case-title")).to_be_focused()
    await press("a")
    await expect(first.locator("staff-bar")).to_contain_text("Maria from the clinic")
    await expect(second.locator("staff-bar")).to_contain_text("You are next")
    await press("r")
    await maria.keyboard.type("Hello from the keyboard")
    await press("Enter")
    await expect(first.locator("staff-turn")).to_contain_text("Hello from the keyboard")
    await press("Escape")
    await press("?")
    await expect(maria.locator("#keys")).to_be_visible()
    await press("Escape")
    await press("g")
    await expect(first.locator("staff-bar")).to_contain_text("assistant answers you again")
    await press("Escape")
    await press("j")
    await press("Enter")
    await expect(maria.locator(".whose")).to_contain_text("Waiting for somebody")
    await press("e")
    await expect(maria.locator("staff-queue .empty")).to_be_visible()
    await press("?")
    await maria.locator("#single-keys").uncheck()
    await press("Escape")
    await press("?")
    await expect(maria.locator("#keys")).to_be_hidden()


async def test_an_emergency_stands_on_top_is_told_at_once_and_sounds(clinic: Clinic) -> None:
    maria = await clinic.maria()
    await maria.evaluate("""() => {
      window.rung = 0;
      const start = OscillatorNode.prototype.start;
      OscillatorNode.prototype.start = function (...at) { window.rung++; return start.apply(this, at); };
      navigator.vibrate = (pattern) => (window.felt = pattern) && true;
    }""")
    await maria.locator("#queue").click()
    calm, urgent = await clinic.patient(), await clinic.patient()
    await wants_a_person(calm)
    await expect(maria.locator("staff-queue ul.open .item")).to_have_count(1)
    await urgent.fill("#question", EMERGENCY)
    await urgent.press("#question", "Enter")
    await expect(maria.locator("#emergency-told")).to_contain_text("Emergencies waiting: 1")
    await expect(maria.locator("staff-queue ul.open .item").first).to_contain_text("Emergency")
    await maria.wait_for_function("window.rung > 0 && window.felt")
    await maria.locator("staff-queue ul.open .item").first.click()
    await expect(maria.locator(".of-patient .notice.urgent")).to_contain_text("rule")
    await maria.click("[data-act=accept]")
    await expect(maria.locator("#emergency-told")).to_be_empty()


async def test_words_written_without_a_connection_go_out_once_it_is_back(clinic: Clinic) -> None:
    maria, patient = await clinic.maria(), await clinic.patient()
    await wants_a_person(patient)
    await maria.locator("staff-queue ul.open .item").click()
    await maria.context.set_offline(True)
    await write(maria, "Said in a lift")
    await expect(maria.locator(".pending")).to_contain_text("Not sent yet")
    await maria.context.set_offline(False)
    await maria.get_by_role("button", name="Send now").click()
    await expect(patient.locator("staff-turn")).to_have_count(1)
    await expect(maria.locator(".pending")).to_have_count(0)


async def test_what_staff_said_while_the_patients_page_was_away_is_there_when_it_comes_back(clinic: Clinic) -> None:
    maria, patient = await clinic.maria(), await clinic.patient()
    await wants_a_person(patient)
    await maria.locator("staff-queue ul.open .item").click()
    await patient.context.set_offline(True)
    await write(maria, "While you were away")
    await expect(maria.locator(".of-staff")).to_have_count(1)
    await patient.context.set_offline(False)
    await patient.evaluate("dispatchEvent(new Event('online'))")
    await expect(patient.locator("staff-turn")).to_contain_text("While you were away")


async def test_the_page_opens_without_the_clinic_and_keeps_nothing_of_a_patient(clinic: Clinic) -> None:
    maria, patient = await clinic.maria(), await clinic.patient()
    await patient.fill("#question", "my secret illness")
    await patient.press("#question", "Enter")
    await wants_a_person(patient)
    await maria.evaluate("navigator.serviceWorker.ready.then(() => undefined)")
    await maria.reload()
    await maria.locator("staff-queue ul.open .item").first.click()
    await expect(maria.locator(".turns")).to_contain_text("my secret illness")
    kept = await maria.evaluate("""async () => {
      const found = [];
      for (const name of await caches.keys()) {
        for (const {url} of await (await caches.open(name)).keys()) found.push(new URL(url).pathname);
      }
      return found;
    }""")
    assert "/staff" in kept and all(re.match(r"/(static/|words/|staff$)", path) for path in kept)
    assert "secret" not in await maria.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    await maria.context.set_offline(True)
    await maria.goto("/staff")
    await expect(maria.locator("#unreachable")).to_be_visible()


# ---- everybody can use it -------------------------------------------------------------------------------------------


async def at_the_door(clinic: Clinic, **given: Any) -> Page:
    page = await clinic.page("/staff", **given)
    await page.locator("#sign-in").wait_for()
    return page


async def refused(clinic: Clinic, **given: Any) -> Page:
    page = await at_the_door(clinic, **given)
    await sign_in(page, "nobody", "wrong")
    await page.locator("#sign-in .told[data-word]").wait_for()
    return page


async def queue(clinic: Clinic, **given: Any) -> Page:
    maria = await clinic.maria(**given)
    await waiting(clinic)
    await maria.locator("staff-queue ul.open .item").first.wait_for()
    return maria


async def conversation(clinic: Clinic, **given: Any) -> Page:
    maria = await queue(clinic, **given)
    await maria.locator("staff-queue ul.open .item").first.click()
    await maria.locator("staff-case .act").first.wait_for()
    return maria


async def note(clinic: Clinic, **given: Any) -> Page:
    maria = await conversation(clinic, **given)
    await maria.keyboard.press("n")
    await write(maria, "A note among us")
    await maria.locator(".turn.note").first.wait_for()
    return maria


async def keys(clinic: Clinic, **given: Any) -> Page:
    maria = await clinic.maria(**given)
    await maria.keyboard.press("?")
    return maria


async def menu(clinic: Clinic, **given: Any) -> Page:
    maria = await clinic.maria(**given)
    await maria.locator("#top [data-opens=menu]").click()
    return maria


async def waiting(clinic: Clinic) -> None:
    """Somebody in the queue, with an answer that has sources; stays for the next state too."""
    patient = await clinic.patient()
    await patient.fill("#question", "When is Main Street open on Saturday?")
    await patient.press("#question", "Enter")
    await patient.locator(".answer .buttons:not([hidden])").first.wait_for()
    await wants_a_person_anyhow(patient)


async def wants_a_person_anyhow(patient: Page) -> None:
    await patient.click("#person")
    await expect(patient.locator("staff-bar")).to_be_visible()


STATES = [at_the_door, refused, queue, conversation, note, voice_message, keys, menu]


@pytest.mark.skipif(
    not AXE.exists() and os.environ.get("CI") != "true", reason="npm ci --prefix tests/browser brings axe-core"
)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
async def test_axe_finds_nothing_to_object_to(clinic: Clinic, state: Any, theme: str) -> None:
    page = await state(clinic, color_scheme=theme, width=390 if theme == "dark" else 1280, bypass_csp=False)
    await page.evaluate(AXE.read_text())
    found = await page.evaluate(
        "axe.run({runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})"
    )
    told = [(one["impact"], one["id"], [node["target"] for node in one["nodes"]]) for one in found["violations"]]
    assert told == [], json.dumps(told, indent=1)


@pytest.mark.parametrize("language", ["es", "hi"])
@pytest.mark.parametrize("state", STATES)
async def test_at_320_pixels_nothing_scrolls_sideways_and_every_target_is_large(
    clinic: Clinic, state: Any, language: str
) -> None:
    page = await state(clinic, language=language, width=320, height=640)
    assert await page.evaluate("document.documentElement.scrollWidth") <= 320
    assert await small_targets(page) == []
