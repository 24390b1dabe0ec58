"""Who wants no messages gets none, and is asked nothing twice; who only says so in a sentence is understood as said."""

from __future__ import annotations

import httpx
import pytest

from appliance.channels.sms.opt_out import OptOut
from tests.sms.box import PATIENT, Box
from tests.twins.twilio import Twilio

HEARD = OptOut.load(twilio_answers=True)


@pytest.mark.parametrize(
    "word", ["STOP", "stop", " Stop ", "STOPALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "OPTOUT", "REVOKE"]
)
def test_what_twilio_answers_itself_we_do_not_answer(word: str) -> None:
    wish = HEARD.wish(word)
    assert wish and (wish.act, wish.answered) == ("out", True)


@pytest.mark.parametrize(
    ("text", "act", "language"),
    [
        ("BAJA", "out", "es"), ("¡Alto!", "out", "es"), ("alto", "out", "es"), ("no más", "out", "es"), ("停止", "out", "zh"),
        ("停止。", "out", "zh"), ("退订", "out", "zh"), ("बंद", "out", "hi"), ("बंद।", "out", "hi"), ("बन्द", "out", "hi"),
        ("Stop.", "out", "en"), ("stop texting me!", "out", "en"), ("Don’t text me", "out", "en"), ("ALTA", "in", "es"),
        ("开始", "in", "zh"), ("शुरू", "in", "hi"), ("ayuda", "help", "es"), ("帮助", "help", "zh"), ("मदद", "help", "hi"),
    ],
)  # fmt: skip
def test_the_other_words_are_ours_to_answer(text: str, act: str, language: str) -> None:
    wish = HEARD.wish(text)
    assert wish and (wish.act, wish.language, wish.answered) == (act, language, False)


@pytest.mark.parametrize(
    "text",
    [
        "I can't stop bleeding, help", "stop the pain please I have chest pain", "No puedo parar de sangrar",
        "baja presión y mareo",
        "alto dolor en el pecho", "停止呼吸了", "血不能停止", "सांस बंद हो रही है", "दिल बंद", "cancel my appointment",
        "When do you stop taking blood?",
        "How can I help my mother?", "end of the week?", "stop start", "", "yes please",
    ],
)  # fmt: skip
def test_a_word_inside_a_sentence_is_no_wish(text: str) -> None:
    assert HEARD.wish(text) is None


def test_advanced_opt_out_tells_what_twilio_understood_and_has_answered() -> None:
    wish = HEARD.wish("ARRET", told="STOP")
    assert wish and (wish.act, wish.answered) == ("out", True)
    wish = HEARD.wish("BAJA", told="stop")
    assert wish and (wish.act, wish.answered, wish.language) == ("out", True, "es")


def test_where_twilio_answers_nothing_we_do() -> None:
    wish = OptOut.load(twilio_answers=False).wish("STOP")
    assert wish and not wish.answered


async def said(line: Box, client: httpx.AsyncClient, twilio: Twilio, text: str) -> list[str]:
    """What the phone gets after this text."""
    before = len(twilio.to(PATIENT))
    assert (await twilio.post(client, twilio.text(PATIENT, text))).status_code == 200
    await line.sent()
    return twilio.to(PATIENT)[before:]


async def test_after_stop_nothing_is_sent_until_start(line: Box, client: httpx.AsyncClient, twilio: Twilio) -> None:
    assert await said(line, client, twilio, "When are you open?")
    assert await said(line, client, twilio, "STOP") == []  # Twilio answers
    assert await said(line, client, twilio, "When are you open?") == []
    assert len(line.assistant.asked) == 2  # heard and recorded all the same: staff can read it
    assert await said(line, client, twilio, "START") == []
    assert await said(line, client, twilio, "When are you open?")
    acts = await line.rows("SELECT actor, act FROM audit ORDER BY id")
    assert acts == [("patient", "sms.opt_out"), ("patient", "sms.opt_in")]


async def test_baja_is_confirmed_once_in_spanish_and_alta_undoes_it(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    (confirmed,) = await said(line, client, twilio, "Baja")
    assert "no le enviaremos más mensajes" in confirmed and "ALTA" in confirmed and "911" in confirmed
    assert await said(line, client, twilio, "¿Abren hoy?") == []
    (again,) = await said(line, client, twilio, "alta")
    assert "volverá a recibir" in again
    assert await said(line, client, twilio, "¿Abren hoy?")


async def test_an_emergency_is_answered_even_to_who_has_opted_out(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    await said(line, client, twilio, "停止")
    line.assistant.kind, line.assistant.words = "emergency", ["Call 911 now."]
    assert await said(line, client, twilio, "chest pain, stop it") == ["Call 911 now."]
    assert not await line.texts.agreed(PATIENT)


async def test_yes_takes_back_an_opt_out_and_is_else_an_answer(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    assert await said(line, client, twilio, "yes")
    assert line.assistant.asked[-1].text == "yes"
    await said(line, client, twilio, "stop")
    assert await said(line, client, twilio, "YES") == []
    assert await line.texts.agreed(PATIENT) and len(line.assistant.asked) == 1


async def test_what_waits_is_dropped_when_the_patient_opts_out(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    await twilio.post(client, twilio.text(PATIENT, "When are you open?"))
    await line.answered()
    assert await said(line, client, twilio, "STOP") == []
    assert await line.rows("SELECT state, text FROM sms_out") == [("dropped", "")]


async def test_help_says_who_we_are(line: Box, client: httpx.AsyncClient, twilio: Twilio) -> None:
    assert await said(line, client, twilio, "HELP") == []  # Twilio answers
    (words,) = await said(line, client, twilio, "帮助")
    assert "Riverside" in words and "停止" in words and "(503) 555-0100" in words


async def test_the_ledger_outlives_the_conversation(line: Box, client: httpx.AsyncClient, twilio: Twilio) -> None:
    await said(line, client, twilio, "STOP")
    await line.conversations.forget(older_than_days=-1)
    assert await said(line, client, twilio, "hello") == []
