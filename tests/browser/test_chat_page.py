"""The chat page in a real browser: what a patient does, and what the network does to it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Locator, Page, Route, WebSocketRoute, expect

from appliance.config import Config
from appliance.conversations.alerts import Alerts
from appliance.records.database import Database
from appliance.records.keys import derive, master_key
from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUESTIONS = {
    "en": "When is Main Street open on Saturday?",
    "es": "¿A qué hora abre Main Street los sábados?",
    "zh": "Main Street 诊所星期六几点开门？",
    "hi": "Main Street शनिवार को कब खुलता है?",
}
EMERGENCIES = {
    "en": "I have chest pain and cannot breathe",
    "es": "Tengo un fuerte dolor de pecho y no puedo respirar",
    "zh": "我胸痛，喘不过气",
    "hi": "मेरे सीने में दर्द है और साँस नहीं आ रही",
}
NO_SOCKET = """window.WebSocket = class extends EventTarget {
  static OPEN = 1;
  readyState = 3;
  constructor() { super(); setTimeout(() => this.onclose?.(new CloseEvent("close"))); }
  close() {}
  send() { throw new Error("not open"); }
};"""


async def test_a_question_is_answered_word_by_word_with_numbered_sources(open_page: OpenPage) -> None:
    page = await open_page()
    await page.evaluate("""() => {
      window.grown = 0;
      const watch = new MutationObserver((changes) => (window.grown += changes.length));
      watch.observe(document.querySelector("#turns"), {subtree: true, characterData: true});
    }""")
    answer = await ask_hours(page)
    assert await page.evaluate("window.grown") > 5
    await expect(answer.locator("blockquote").first).not_to_be_empty()
    await expect(answer.locator(".chip .number").first).to_have_text("1")
    assert await shown(answer) == await told(page)


async def test_a_source_opens_exactly_the_quoted_sentence(open_page: OpenPage) -> None:
    page = await open_page()
    answer = await ask_hours(page)
    quote = squeezed((await parts(page, "citation"))[0]["quote"])
    assert squeezed(await answer.locator("blockquote").first.evaluate("(quote) => quote.firstChild.data")).endswith(
        quote
    )
    await answer.locator(".chip").first.click()
    assert squeezed(await marked(page.locator("source-panel"))) == quote
    await expect(page.locator(".surroundings .notice")).to_have_count(0)
    async with page.context.expect_page() as opening:
        await page.locator("source-panel .further a").click()
    document = await opening.value
    assert squeezed(await marked(document.locator("#text"))) == quote
    await expect(document.locator("#marked")).to_be_in_viewport()


async def test_pictures_among_the_words_do_not_shift_the_mark(open_page: OpenPage) -> None:
    """The server counts code points, JavaScript UTF-16 units: each picture is one and two."""
    page = await open_page()
    answer = await ask(page, "How much does parking cost?")
    await answer.locator(".chip").first.click()
    mark = await marked(page.locator("source-panel"))
    assert mark == (await parts(page, "citation"))[0]["quote"]
    await expect(page.locator(".surroundings .notice")).to_have_count(0)
    assert "Parking costs $3 a day." in mark


async def test_a_source_that_has_changed_since_says_so_and_shows_the_old_sentence(open_page: OpenPage) -> None:
    page = await open_page()
    answer = await ask_hours(page)
    quote = (await parts(page, "citation"))[0]["quote"]

    async def changed(route: Route) -> None:
        reply = await route.fetch()
        document = await reply.json()
        await route.fulfill(response=reply, json=document | {"revision": document["revision"] + 1})

    await page.route("**/api/documents/*", changed)
    await answer.locator(".chip").first.click()
    await expect(page.locator(".surroundings")).to_contain_text("has changed since the answer")
    await expect(page.locator(".surroundings mark")).to_have_text(quote)


async def test_a_source_that_is_gone_still_shows_the_sentence(open_page: OpenPage) -> None:
    page = await open_page()
    answer = await ask_hours(page)
    await page.route("**/api/documents/*", lambda route: route.fulfill(status=404, json={"title": "Not found"}))
    await answer.locator(".chip").first.click()
    await expect(page.locator(".surroundings")).to_contain_text("no longer uses this document")
    await expect(page.locator(".surroundings mark")).to_have_text((await parts(page, "citation"))[0]["quote"])


async def test_a_reload_keeps_the_conversation(open_page: OpenPage) -> None:
    page = await open_page()
    before = await shown(await ask_hours(page))
    await page.reload()
    answer = page.locator("assistant-turn")
    await expect(answer.locator(".buttons")).to_be_visible()
    assert await shown(answer) == before
    await expect(page.locator("#welcome")).to_be_hidden()


async def test_a_connection_that_breaks_again_and_again_loses_and_doubles_nothing(open_page: OpenPage) -> None:
    page = await open_page()
    dropped = await break_sockets(page, after=[0, 4, 4, 1])
    answer = await ask_hours(page)
    assert len(dropped) == 4
    assert await shown(answer) == await told(page)
    await expect(answer.locator(".state")).to_be_hidden()
    await expect(page.locator("patient-turn")).to_have_count(1)


async def test_an_event_that_comes_twice_or_not_at_all_is_mended(open_page: OpenPage) -> None:
    page = await open_page()
    lost = await stutter(page, loses=5)
    answer = await ask_hours(page)
    assert lost == [5]
    assert await shown(answer) == await told(page)


async def test_where_no_socket_can_be_opened_the_answer_comes_as_a_stream(open_page: OpenPage) -> None:
    page = await open_page()
    await page.add_init_script(NO_SOCKET)
    await page.reload()
    answer = await ask_hours(page)
    assert await shown(answer) == await told(page)
    await page.get_by_role("button", name="Talk to a person").click()
    await expect(page.locator("assistant-turn[data-kind=contact] .buttons")).to_be_visible()


async def test_a_question_asked_offline_is_kept_and_sent_when_the_network_is_back(open_page: OpenPage) -> None:
    page = await open_page()
    await page.context.set_offline(True)
    await ask(page, QUESTIONS["en"])
    await expect(page.locator("assistant-turn .state")).to_contain_text("You are offline. Your question is kept here")
    await page.context.set_offline(False)
    await expect(page.locator("assistant-turn .buttons")).to_be_visible()
    await expect(page.locator("patient-turn")).to_have_count(1)


async def test_a_page_that_cannot_reach_the_clinic_says_so_and_comes_by_itself(open_page: OpenPage) -> None:
    page = await open_page()
    before = await shown(await ask_hours(page))
    await page.route("**/api/conversation", lambda route: route.abort())
    await page.reload()
    await expect(page.locator("#unreachable")).to_contain_text("cannot reach the clinic right now")
    await expect(page.locator("#unreachable a").first).to_have_attribute("href", "tel:911")
    await page.unroute("**/api/conversation")
    await expect(page.locator("assistant-turn .buttons")).to_be_visible()
    await expect(page.locator("#unreachable")).to_be_hidden()
    assert await shown(page.locator("assistant-turn")) == before


async def test_a_question_stopped_while_offline_is_never_sent(open_page: OpenPage) -> None:
    page = await open_page()
    await page.context.set_offline(True)
    await ask(page, QUESTIONS["en"])
    await expect(page.locator("assistant-turn .state")).to_contain_text("You are offline")
    await page.keyboard.press("Escape")
    await expect(page.locator("assistant-turn .state")).to_have_text("You stopped this answer. It is not complete.")
    await page.context.set_offline(False)
    await page.reload()
    await expect(page.locator("#welcome")).to_be_visible()
    await expect(page.locator("patient-turn")).to_have_count(0)


async def test_a_question_that_never_left_survives_a_reload(open_page: OpenPage) -> None:
    page = await open_page()
    await page.route("**/api/conversations", lambda route: route.abort())
    await ask(page, QUESTIONS["en"])
    await expect(page.locator("assistant-turn .state")).to_contain_text("connection was lost")
    await page.unroute("**/api/conversations")
    await page.reload()
    await expect(page.locator("assistant-turn .buttons")).to_be_visible()
    await expect(page.locator("patient-turn")).to_have_count(1)


async def test_escape_stops_the_answer_and_the_page_says_that_it_is_not_complete(open_page: OpenPage) -> None:
    page = await open_page()
    sent = await hold_back(page, after=3)
    await ask(page, QUESTIONS["en"])
    await expect(page.locator("#stop")).to_be_visible()
    await expect(page.locator(".said p").first).not_to_be_empty()
    await page.keyboard.press("Escape")
    await expect(page.locator("assistant-turn .state")).to_have_text("You stopped this answer. It is not complete.")
    assert [frame["type"] for frame in sent] == ["say", "stop"]
    await expect(page.locator("#stop")).to_be_hidden()
    await expect(page.get_by_role("button", name="Ask again")).to_be_visible()


async def test_a_busy_server_is_asked_again_by_the_page(open_page: OpenPage) -> None:
    page = await open_page()
    await refuse_once(page, {"code": "busy", "title": "Busy", "detail": "", "retry_after": 1})
    await ask(page, QUESTIONS["en"])
    await expect(page.locator("assistant-turn .state")).to_contain_text("Your question is kept")
    await expect(page.locator("assistant-turn .buttons")).to_be_visible()
    await expect(page.locator("assistant-turn")).to_have_count(1)


async def test_a_question_that_is_too_long_comes_back_into_the_box(open_page: OpenPage) -> None:
    page = await open_page()
    await refuse_once(page, {"code": "too_long", "title": "Too large", "detail": ""})
    await ask(page, "a very long question")
    await expect(page.locator("#question")).to_have_value("a very long question")
    await expect(page.locator("assistant-turn .state")).to_contain_text("too long")


async def test_another_language_changes_the_page_and_the_next_answer(open_page: OpenPage) -> None:
    page = await open_page(language="en")
    await page.locator("#language").select_option("es")
    await expect(page.locator("html")).to_have_attribute("lang", "es")
    await expect(page.locator("#ask")).to_have_text("Preguntar")
    answer = await ask_hours(page)
    await expect(answer.locator(".said")).to_have_attribute("lang", "es")
    await expect(answer.locator(".kind")).to_contain_text("De los documentos de su clínica")
    await page.reload()
    await expect(page.locator("#ask")).to_have_text("Preguntar")


@pytest.mark.parametrize("language", ["en", "es", "zh", "hi"])
async def test_the_page_speaks_the_browsers_language_and_marks_words_of_others(
    open_page: OpenPage, language: str
) -> None:
    page = await open_page(language=language)
    await expect(page.locator("html")).to_have_attribute("lang", "zh-Hans" if language == "zh" else language)
    answer = await ask_hours(page)
    for quote in await answer.locator("blockquote").all():
        own = await quote.evaluate("(quote) => quote.closest('[lang]').lang")
        words = await quote.inner_text()
        assert (own == "zh-Hans", own == "hi") == (bool(re.search("[一-鿿]", words)), bool(re.search("[ऀ-ॿ]", words)))


async def test_who_writes_another_language_is_offered_the_page_in_it(open_page: OpenPage) -> None:
    page = await open_page(language="en")
    await ask(page, "¿A qué hora abren los sábados?")
    await page.get_by_role("button", name="Ver esta página en español").click()
    await expect(page.locator("html")).to_have_attribute("lang", "es")
    await expect(page.locator("#offer")).to_be_hidden()


async def test_the_whole_journey_works_by_keyboard(open_page: OpenPage) -> None:
    page = await open_page()
    await page.keyboard.press("Tab")
    await expect(page.locator(".skip")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("#question")).to_be_focused()
    question = QUESTIONS["en"]
    await page.keyboard.type(question)
    await page.keyboard.press("Shift+Enter")
    await page.keyboard.type("Thank you.")
    await page.keyboard.press("Enter")
    await expect(page.locator("patient-turn p")).to_have_text(f"{question}\nThank you.", use_inner_text=True)
    await page.locator(".buttons").wait_for()
    await tab_to(page, ".chip", backwards=True)
    chip = await page.evaluate_handle("document.activeElement")
    await page.keyboard.press("Enter")
    await expect(page.locator("#source-title")).to_be_focused()
    await tab_to(page, "source-panel a")
    await page.keyboard.press("Escape")
    assert await chip.evaluate("(chip) => chip === document.activeElement")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard help")).to_be_visible()
    await page.keyboard.press("Escape")
    await tab_to(page, "[data-word=helpful]")
    await page.keyboard.press("Enter")
    await expect(page.locator("feedback-form .told")).to_have_text("Thank you. The clinic will read this.")


async def test_enter_does_not_send_while_a_word_is_being_composed(open_page: OpenPage) -> None:
    page = await open_page(language="zh")
    await page.fill("#question", "几点")
    await page.locator("#question").evaluate(
        "(box) => box.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter', isComposing: true, bubbles: true}))"
    )
    await expect(page.locator("#question")).to_have_value("几点")
    await expect(page.locator("patient-turn")).to_have_count(0)


async def test_a_thumb_and_its_reason_are_stored(open_page: OpenPage) -> None:
    page = await open_page()
    answer = await ask_hours(page)
    async with page.expect_response(lambda reply: reply.url.endswith("/feedback")) as thumb:
        await answer.get_by_role("button", name="Not helpful").click()
    assert (await thumb.value).ok
    assert (await thumb.value).request.post_data_json == {"up": False}
    await expect(answer.get_by_role("button", name="Not helpful")).to_have_attribute("aria-pressed", "true")
    await answer.get_by_role("textbox").fill("The hours are old.")
    async with page.expect_response(lambda reply: reply.url.endswith("/feedback")) as reason:
        await answer.get_by_role("button", name="Send", exact=True).click()
    assert (await reason.value).ok
    assert (await reason.value).request.post_data_json == {"up": False, "reason": "The hours are old."}


async def test_talk_to_a_person_shows_how_to_reach_one(open_page: OpenPage) -> None:
    page = await open_page()
    await page.get_by_role("button", name="Talk to a person").click()
    answer = page.locator("assistant-turn[data-kind=contact]")
    await expect(answer.locator(".kind")).to_contain_text("How to reach a person")
    await expect(answer.locator("a.call").first).to_have_attribute("href", re.compile(r"^tel:\+?\d{3,}$"))
    await page.reload()
    await expect(page.locator("patient-turn p")).to_have_text("Talk to a person")


@pytest.mark.parametrize("language", ["en", "es", "zh", "hi"])
async def test_an_emergency_is_seen_heard_at_once_and_stays_on_the_screen(open_page: OpenPage, language: str) -> None:
    page = await open_page(language=language, width=390, height=844)
    await ask(page, EMERGENCIES[language])
    card = page.locator("assistant-turn[data-kind=emergency]")
    await expect(card.locator("a.call.urgent").first).to_have_attribute("href", "tel:911")
    await expect(card.locator("a.call.urgent").first).to_be_in_viewport()
    heard = page.locator("[aria-live=assertive]")
    await expect(heard).to_contain_text("911")
    await expect(page.locator("emergency-bar")).to_be_hidden()
    for _ in range(2):
        await ask_hours(page)
    await page.keyboard.press("Tab")
    reminder = page.locator("assistant-turn").last.locator(".notice.urgent + .calls a.call.urgent").first
    await expect(reminder).to_have_attribute("href", "tel:911")
    bar = page.locator("emergency-bar")
    await reminder.evaluate("(call) => call.scrollIntoView({ block: 'center' })")
    await expect(bar).to_be_hidden()
    await page.set_viewport_size({"width": 390, "height": 600})
    await page.evaluate("scrollTo(0, document.body.scrollHeight)")
    await expect(bar.locator("a.call").first).to_be_in_viewport()
    await page.reload()
    await expect(page.locator("emergency-bar a.call, .answer a.call.urgent").first).to_be_attached()


async def test_once_staff_close_the_alert_answers_remind_no_more_and_the_bar_is_gone(
    open_page: OpenPage, data: Path
) -> None:
    page = await open_page(width=390, height=844)
    await ask(page, EMERGENCIES["en"])
    await page.locator("[data-kind=emergency] .buttons:not([hidden])").wait_for()
    await expect((await ask_hours(page)).locator(".notice.urgent")).to_contain_text("911")
    await close_alerts(data)
    for reloaded in (False, True):
        if reloaded:
            await page.reload()
        answer = await ask_hours(page)
        await expect(answer.locator("blockquote").first).to_be_visible()
        await expect(answer.locator(".notice.urgent, .call.urgent")).to_have_count(0)
        await expect(page.locator("emergency-bar")).to_be_hidden()
        await expect(page.locator("emergency-bar a.call")).to_have_count(0)


async def close_alerts(data: Path) -> None:
    """As staff do, from another process than the one that serves."""
    clinic = Config().clinic.id
    key = derive(await asyncio.to_thread(master_key, data), f"db:{clinic}")
    database = await Database.open(data / f"{clinic}.db", key)
    try:
        alerts = Alerts(database)
        for one in await alerts.list():
            await alerts.close(one.id, by="Ana")
    finally:
        await database.close()


async def test_screen_readers_hear_sentences_and_never_tokens(open_page: OpenPage) -> None:
    page = await open_page()
    await page.evaluate("""() => {
      window.heard = [];
      const hear = ({addedNodes}) => addedNodes.forEach((node) => window.heard.push(node.textContent));
      const watch = new MutationObserver((changes) => changes.forEach(hear));
      watch.observe(document.querySelector("[aria-live=polite]"), {childList: true});
    }""")
    answer = await ask_hours(page)
    heard = await page.evaluate("window.heard")
    assert heard[-1] == "The answer is complete."
    assert squeezed("".join(heard)).find(await shown(answer)) >= 0
    assert all(" " in sentence for sentence in heard)
    assert await page.locator("#turns [aria-live]").count() == 0


async def test_the_empty_page_offers_questions_that_can_be_pressed(open_page: OpenPage) -> None:
    page = await open_page(language="es")
    await page.locator("#examples button").first.click()
    await expect(page.locator("patient-turn p")).to_have_text("¿A qué hora abre Main Street los sábados?")
    await expect(page.locator("assistant-turn[data-kind=quoted] .buttons")).to_be_visible()
    await expect(page.locator("#welcome")).to_be_hidden()


async def test_the_page_tells_whether_the_clinic_is_open_by_the_clinics_own_clock(open_page: OpenPage) -> None:
    page = await open_page()
    for moment, words in [
        ("2026-11-23T16:30:00Z", "Open now until 6:00 PM"),  # Monday, 11:30 in New York
        ("2026-11-23T23:30:00Z", "Closed now. Opens Saturday at 9:00 AM"),
        ("2026-11-28T13:59:00Z", "Closed now. Opens Saturday at 9:00 AM"),
        ("2026-11-28T14:00:00Z", "Open now until 1:00 PM"),
    ]:
        await page.clock.set_fixed_time(moment)
        await page.reload()
        await expect(page.locator("#hours")).to_have_text(words)


async def test_what_a_patient_types_is_never_taken_for_markup(open_page: OpenPage) -> None:
    page = await open_page()
    await ask(page, "<img src=x onerror=alert(1)> <b>hours</b>?")
    await expect(page.locator("patient-turn p")).to_have_text("<img src=x onerror=alert(1)> <b>hours</b>?")
    assert await page.locator("patient-turn img, patient-turn b").count() == 0


async def test_a_patient_can_delete_the_conversation(open_page: OpenPage) -> None:
    page = await open_page()
    await ask_hours(page)
    await page.locator(".foot").get_by_role("button", name="Privacy").click()
    await page.get_by_role("button", name="Delete this conversation").click()
    await page.get_by_role("button", name="Yes, delete").click()
    await expect(page.locator("#told")).to_have_text("The conversation is deleted.")
    await expect(page.locator("#welcome")).to_be_visible()
    assert (await page.request.get("/api/conversation")).status == 404
    await ask_hours(page)


async def test_finish_and_clear_leaves_nothing_for_the_next_person(open_page: OpenPage) -> None:
    page = await open_page()
    await ask_hours(page)
    await page.fill("#question", "half a question")
    async with page.expect_response("**/api/conversations"):
        await page.get_by_role("button", name="Finish and clear").click()
    await expect(page.locator("#turns")).to_be_empty()
    await page.reload()
    await expect(page.locator("#welcome")).to_be_visible()
    await expect(page.locator("#question")).to_have_value("")
    assert await page.evaluate("Object.keys(sessionStorage)") == []
    assert (await (await page.request.get("/api/conversation")).json())["turns"] == []


async def test_a_shared_device_clears_its_screen_after_a_countdown_that_can_be_stopped(open_page: OpenPage) -> None:
    page = await open_page()
    await page.clock.install()
    await page.goto("/?shared")
    await expect(page.locator("#kept")).to_contain_text("Shared device")
    await ask(page, QUESTIONS["en"])
    await page.clock.run_for(3000)
    await page.locator("assistant-turn .buttons").wait_for()
    await page.clock.run_for(4 * 60_000 + 5_000)
    await expect(page.get_by_role("dialog", name="Are you still there?")).to_contain_text("clears in 0:5")
    await page.get_by_role("button", name="I am still here").click()
    await page.clock.run_for(60_000)
    await expect(page.locator("patient-turn")).to_have_count(1)
    await page.clock.run_for(5 * 60_000)
    await expect(page.locator("patient-turn")).to_have_count(0)


async def test_text_size_and_colors_are_chosen_and_remembered(open_page: OpenPage) -> None:
    page = await open_page(color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = await page.evaluate(paper)
    await page.get_by_role("button", name="Menu").click()
    await page.get_by_label("Dark").check()
    await page.get_by_label("Largest").check()
    await page.reload()
    await expect(page.locator("#page")).to_be_visible()
    assert await page.evaluate(paper) != light
    assert await page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)") == 28


async def test_without_script_the_emergency_number_is_there(open_page: OpenPage) -> None:
    page = await open_page(java_script_enabled=False)
    await expect(page.locator("noscript a[href='tel:911']").first).to_be_visible()
    await expect(page.locator(".without-script p").nth(1)).to_be_visible()


async def test_paper_shows_the_answer_and_not_the_buttons(open_page: OpenPage) -> None:
    page = await open_page()
    answer = await ask_hours(page)
    await page.emulate_media(media="print")
    await expect(answer.locator("blockquote").first).to_be_visible()
    await expect(answer.locator(".buttons")).to_be_hidden()
    await expect(page.locator("ask-box")).to_be_hidden()
    await expect(page.locator("#disclosure")).to_be_visible()


# ---- what a patient does, in few words ----------------------------------------------------------------------------


async def ask(page: Page, question: str) -> Locator:
    await page.fill("#question", question)
    await page.keyboard.press("Enter")
    return page.locator("assistant-turn").last


async def ask_hours(page: Page) -> Locator:
    """Ask something that the clinic's documents answer; the answer, complete."""
    await page.locator("#question").wait_for()
    answers = page.locator("assistant-turn .buttons:not([hidden])")
    count = await answers.count()
    answer = await ask(page, QUESTIONS[await page.locator("#language").input_value()])
    await expect(answers).to_have_count(count + 1)
    return answer


async def shown(answer: Locator) -> str:
    """The words of an answer as they are on the page, without numbers, sources, notices and phone buttons."""
    words = await answer.locator(".said").evaluate("""(said) => {
      const copy = said.cloneNode(true);
      copy.querySelectorAll("sup, .chips, .notice, .calls").forEach((one) => one.remove());
      return copy.textContent;
    }""")
    return squeezed(words)


async def told(page: Page) -> str:
    """The words of the last answer as the server keeps them."""
    return squeezed("".join(part["text"] for part in await parts(page, "text")))


async def parts(page: Page, kind: str) -> list[dict[str, Any]]:
    """The parts of that kind in the last answer, as the server keeps them."""
    last = (await (await page.request.get("/api/conversation")).json())["turns"][-1]
    assert last["complete"]
    return [part for part in last["parts"] if part["type"] == kind]


async def marked(place: Locator) -> str:
    await place.locator("mark").first.wait_for()
    marks = await place.locator("mark").evaluate_all("(marks) => marks.map((mark) => mark.lastChild.data)")
    return "".join(marks)


def squeezed(words: str) -> str:
    return re.sub(r"\s+", "", words)


async def tab_to(page: Page, selector: str, *, backwards: bool = False) -> None:
    """Press Tab until the focus is on, or around, what the selector finds."""
    for _ in range(60):
        await page.keyboard.press("Shift+Tab" if backwards else "Tab")
        if await page.evaluate(
            "(selector) => document.activeElement.matches(selector) || !!document.activeElement.querySelector(selector)",
            selector,
        ):
            return
    raise AssertionError(f"no key leads to {selector}")


# ---- what the network does ----------------------------------------------------------------------------------------


async def break_sockets(page: Page, *, after: list[int]) -> list[int]:
    """Each socket in turn dies after so many events; those after the last live on. Returns the deaths, as they happen."""
    deaths: list[int] = []
    left = list(after)

    def joined(line: WebSocketRoute) -> None:
        server = line.connect_to_server()
        most = left.pop(0) if left else None
        count = 0

        async def to_page(message: str | bytes) -> None:
            nonlocal count
            if most is None or count < most:
                count += 1
                line.send(message)
            elif count == most:
                count += 1
                deaths.append(most)
                await server.close()
                await line.close(code=3001)

        server.on_message(to_page)

    await page.route_web_socket("**/api/conversation/socket", joined)
    return deaths


async def stutter(page: Page, *, loses: int) -> list[int]:
    """Each event comes twice, but the one with this number gets lost the first time. Returns what was lost."""
    lost: list[int] = []

    def joined(line: WebSocketRoute) -> None:
        server = line.connect_to_server()

        def to_page(message: str | bytes) -> None:
            seq = json.loads(message).get("seq")
            if seq == loses and not lost:
                return lost.append(seq)
            line.send(message)
            return line.send(message)

        server.on_message(to_page)

    await page.route_web_socket("**/api/conversation/socket", joined)
    return lost


async def hold_back(page: Page, *, after: int) -> list[dict[str, Any]]:
    """A slow server: nothing but the first events comes, until the page says stop. Returns the page's frames."""
    frames: list[dict[str, Any]] = []

    def joined(line: WebSocketRoute) -> None:
        server = line.connect_to_server()
        count = 0

        def to_page(message: str | bytes) -> None:
            nonlocal count
            count += 1
            if count <= after:
                line.send(message)

        def to_server(message: str | bytes) -> None:
            frames.append(json.loads(message))
            server.send(message)
            if frames[-1]["type"] == "stop":
                line.send(json.dumps({"type": "end", "id": frames[-1]["id"], "seq": after + 1, "complete": False}))

        server.on_message(to_page)
        line.on_message(to_server)

    await page.route_web_socket("**/api/conversation/socket", joined)
    return frames


async def refuse_once(page: Page, problem: dict[str, Any]) -> None:
    """The first message is refused with this problem."""
    refused: list[str] = []

    def joined(line: WebSocketRoute) -> None:
        server = line.connect_to_server()
        line.on_message(lambda message: answer(line, server.send, message))

    def answer(line: WebSocketRoute, onward: Callable[[str | bytes], None], message: str | bytes) -> None:
        if refused:
            return onward(message)
        refused.append(json.loads(message)["id"])
        return line.send(json.dumps({"type": "problem", "id": refused[0], **problem}))

    await page.route_web_socket("**/api/conversation/socket", joined)
