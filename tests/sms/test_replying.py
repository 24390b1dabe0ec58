"""A conversation by text message: one for each number, in its language, short, and in the hands of staff when they have it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import pytest

from appliance.channels.sms.limits import day_began, when
from appliance.channels.sms.segments import counted
from appliance.config import Files as TakesFiles
from appliance.conversations.case import Staffer
from appliance.conversations.letters import Page, StaffSaid
from appliance.conversations.texts import Numbers
from appliance.message import ConversationId, Message, MessageId, now
from appliance.records.outbox import Letter, Outbox
from tests.sms.box import PATIENT, Box, box, config
from tests.twins.twilio import PUBLIC, Twilio

NURSE = Staffer(id="ana", name="Ana", role="nurse")
OTHER = "+15035550188"
NOON = datetime(2026, 11, 24, 20, 30, tzinfo=UTC)
"""In California, and half past: for what is told once an hour or once a day."""


async def said(
    line: Box, client: httpx.AsyncClient, twilio: Twilio, text: str, *, number: str = PATIENT, media: int = 0
) -> list[str]:
    """What the phone gets after this text."""
    before = len(twilio.to(number))
    assert (await twilio.post(client, twilio.text(number, text, media=media))).status_code == 200
    await line.sent()
    return twilio.to(number)[before:]


async def conversation(line: Box) -> ConversationId:
    sql = "SELECT conversation FROM sms_number WHERE digest = ?"
    return ConversationId((await line.rows(sql, Numbers(bytes(32), "clinic").digest(PATIENT)))[0][0])


async def test_a_number_has_one_conversation_and_is_told_once_who_answers(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    (first,) = await said(line, client, twilio, "When are you open?")
    assert first == "We open at nine.\nRiverside, automatic assistant. Text STOP to end these messages, HELP for help."
    assert await said(line, client, twilio, "And tomorrow?") == ["We open at nine."]
    await said(line, client, twilio, "hello", number=OTHER)
    mine, again, theirs = line.assistant.asked
    assert mine.conversation == again.conversation != theirs.conversation and mine.channel == "sms"
    found = await line.conversations.find(mine.conversation)
    assert found and found.channel == "sms"
    turns = await line.conversations.history(mine.conversation)
    assert [(turn.role, turn.text) for turn in turns][:2] == [
        ("patient", "When are you open?"),
        ("assistant", "We open at nine."),
    ]


async def test_a_word_that_tells_no_language_is_taken_in_that_of_the_number(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    await said(line, client, twilio, "¿A qué hora abren mañana?")
    assert (await line.rows("SELECT language FROM conversation"))[0][0] == "en"  # of the scripted answer
    await line.database.write(lambda c: c.execute("UPDATE sms_number SET language = 'es'"))
    (words,) = await said(line, client, twilio, "", media=1)
    assert words.startswith("No podemos ver imágenes")
    await said(line, client, twilio, "555-0100")
    assert line.assistant.asked[-1].language == "es" and not line.assistant.asked[-1].locked


async def test_a_long_answer_is_cut_and_ends_with_a_link_that_names_nobody(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    line.assistant.words = ["Bring your card. "] * 60
    (words,) = await said(line, client, twilio, "What do I bring?")
    assert counted(words).segments == 3 and f"\nThe rest, and the sources: {PUBLIC}/\n" in words
    assert words.endswith("HELP for help.")


async def test_an_emergencys_words_are_never_cut(line: Box, client: httpx.AsyncClient, twilio: Twilio) -> None:
    line.assistant.kind, line.assistant.words = "emergency", ["Call 911 now. "] * 60
    (words,) = await said(line, client, twilio, "chest pain")
    assert words == ("Call 911 now. " * 60).strip()


async def test_an_emergency_does_not_wait_for_the_answer_before_it(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    line.assistant.pause_after = 1
    await twilio.post(client, twilio.text(PATIENT, "When are you open?"))
    await line.line.replying.begin()
    while not line.assistant.asked:
        await line.rows("SELECT 1")
    line.assistant.pause_after = None
    await twilio.post(client, twilio.text(PATIENT, "I have chest pain"))
    async with line.line.running():
        while not twilio.to(PATIENT):
            await line.rows("SELECT 1")
        line.assistant.go_on.set()
        await line.drained()
    assert [message.text for message in line.assistant.asked] == ["When are you open?", "I have chest pain"]


async def test_what_concerns_one_patient_is_not_sent_unless_the_clinic_allows_it(
    tmp_path: Path, api: str, twilio: Twilio, monkeypatch: pytest.MonkeyPatch
) -> None:
    from appliance.channels.sms import wording

    monkeypatch.setattr(wording, "GENERAL", wording.GENERAL - {"quoted"})  # as if it were the answer of a records tool
    for allowed in (False, True):
        data = tmp_path / str(allowed)
        data.mkdir()
        async with box(data, api, config(clinical_detail=allowed)) as line, line.client() as client:
            line.assistant.words = ["Your glucose is 92."]
            (words,) = await said(line, client, twilio, "my result?")
            assert ("glucose" in words) == allowed
            assert allowed or words == "We do not put this into a text message. Please call the clinic: (503) 555-0100"


async def test_a_picture_is_refused_kindly_and_staff_see_that_there_was_one(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    (words,) = await said(line, client, twilio, "", media=1)
    assert words.startswith("We cannot look at pictures")
    assert not line.assistant.asked
    turns = await line.conversations.history(await conversation(line))
    assert turns[0].text == "[A picture, which was not fetched]"
    both = await said(line, client, twilio, "Is this ringworm?", media=2)
    assert both[0].startswith("We open") and both[1].startswith("We cannot look at pictures")


async def test_where_files_are_taken_a_picture_goes_to_the_person_who_has_the_conversation(
    tmp_path: Path, api: str, twilio: Twilio
) -> None:
    settings = msgspec.structs.replace(config(), files=TakesFiles(from_patients=True))
    async with box(tmp_path, api, settings) as line, line.client() as client:
        (words,) = await said(line, client, twilio, "", media=1)
        assert words.startswith("We cannot look at pictures")  # nobody has the conversation yet
        await staff_word(line, "Send me a photo.")
        text = twilio.text(PATIENT, "", media=3)
        twilio.media[text["MessageSid"]] = [b"\xff\xd8\xff photo", b"BEGIN:VCARD", b"\xff\xd8\xff" + bytes(1024**2)]
        assert (await twilio.post(client, text)).status_code == 200
        before = len(twilio.to(PATIENT))
        await line.sent()
        assert len(twilio.to(PATIENT)) == before, "a person answers"
        (kept,) = await line.files.of(await conversation(line))
        assert (kept.name, kept.message_id) == ("mms-1.jpg", text["MessageSid"])
        assert (await line.files.open(await conversation(line), kept.id))[1] == b"\xff\xd8\xff photo"
        case = await line.desk.open_case(await conversation(line))
        assert case and case.unread == 1
        twilio.down = True
        worded = twilio.text(PATIENT, "and this one", media=1)
        await twilio.post(client, worded)
        await line.answered()
        twilio.down = False
        await line.sent()
        assert twilio.to(PATIENT)[-1].startswith("We cannot look at pictures")


async def test_who_writes_too_much_is_told_once_and_an_emergency_is_answered_all_the_same(
    tmp_path: Path, api: str, twilio: Twilio
) -> None:
    async with box(tmp_path, api, config(messages_per_hour=3), clock=lambda: NOON) as line, line.client() as client:
        got = [await said(line, client, twilio, f"question {number}") for number in range(6)]
        assert [len(one) for one in got] == [1, 1, 1, 1, 0, 0] and "many messages" in got[3][0]
        assert len(line.assistant.asked) == 3
        line.assistant.kind, line.assistant.words = "emergency", ["Call 911."]
        assert await said(line, client, twilio, "chest pain") == ["Call 911."]


async def test_when_the_days_segments_are_used_up_only_emergencies_and_staff_are_sent(
    tmp_path: Path, api: str, twilio: Twilio
) -> None:
    async with box(tmp_path, api, config(segments_per_day=2), clock=lambda: NOON) as line, line.client() as client:
        await said(line, client, twilio, "one", number=OTHER)
        await said(line, client, twilio, "two")
        (full,) = await said(line, client, twilio, "three")
        assert "more text messages today" in full and f"{PUBLIC}/" in full
        assert await said(line, client, twilio, "four") == []
        line.assistant.kind, line.assistant.words = "emergency", ["Call 911."]
        assert await said(line, client, twilio, "chest pain") == ["Call 911."]
        await deliver(line, await staff_word(line, "Come at ten."))
        await line.sent()
        assert twilio.to(PATIENT)[-1] == "Ana: Come at ten."


# ---- staff ------------------------------------------------------------------------------------------------------------


async def staff_word(line: Box, text: str, name: str = "w1") -> Letter:
    await line.desk.say(await conversation(line), NURSE, text, id=MessageId(name), via="page")
    return await newest(line)


async def newest(line: Box) -> Letter:
    return [one for one in await Outbox(line.database).waiting(1000) if one.kind == "case.staff_said"][-1]


async def deliver(line: Box, letter: Letter) -> None:
    await line.line.staff_said(letter)


async def test_a_word_of_staff_goes_out_once_however_often_its_letter_is_delivered(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    await said(line, client, twilio, "I want a person")
    letter = await staff_word(line, "Good morning, how can I help?")
    for _ in range(3):
        await deliver(line, letter)
        await line.sent()
    assert twilio.to(PATIENT)[1:] == ["Ana: Good morning, how can I help?"]


async def test_an_edit_before_it_is_sent_replaces_and_after_it_corrects(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    await said(line, client, twilio, "I want a person")
    await deliver(line, await staff_word(line, "Come at ten."))
    await line.desk.edit(MessageId("w1"), NURSE, "Come at nine.")
    await deliver(line, await newest(line))
    await line.sent()
    assert twilio.to(PATIENT)[1:] == ["Ana: Come at nine."]
    await line.desk.edit(MessageId("w1"), NURSE, "Come at eight.")
    await deliver(line, await newest(line))
    await line.sent()
    assert twilio.to(PATIENT)[2:] == ["Ana (correction): Come at eight."]


async def test_a_word_taken_back_in_time_is_not_sent(line: Box, client: httpx.AsyncClient, twilio: Twilio) -> None:
    await said(line, client, twilio, "I want a person")
    await deliver(line, await staff_word(line, "Wrong patient."))
    await line.desk.take_back(MessageId("w1"), NURSE)
    await deliver(line, await newest(line))
    await line.sent()
    assert len(twilio.to(PATIENT)) == 1


async def test_a_long_word_of_staff_is_sent_whole_in_order(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    await said(line, client, twilio, "I want a person")
    text = " ".join(f"Sentence number {number}." for number in range(150))
    await deliver(line, await staff_word(line, text))
    await line.sent()
    pieces = twilio.to(PATIENT)[1:]
    assert len(pieces) > 1 and " ".join(pieces) == f"Ana: {text}" and all(len(one) <= 1600 for one in pieces)


async def test_a_word_of_staff_to_a_web_conversation_is_not_ours(line: Box, twilio: Twilio) -> None:
    web, _ = await line.conversations.create("web")
    told = StaffSaid(case=1, conversation=web, message_id=MessageId("w"), what="said", by="ana", via="page", at=now())
    letter = Letter(
        id=1, kind="case.staff_said", payload=msgspec.Raw(msgspec.json.encode(told)), created_at=now(), attempts=0
    )
    await line.line.staff_said(letter)
    await line.sent()
    assert twilio.made == []


async def test_in_quiet_hours_staff_answer_at_once_and_speak_up_in_the_morning(
    tmp_path: Path, api: str, twilio: Twilio
) -> None:
    night = datetime(2026, 11, 24, 6, 30, tzinfo=UTC)  # 22:30 in California
    clock = [night]
    async with (
        box(tmp_path, api, config(quiet_hours="21:00-08:00"), clock=lambda: clock[0]) as line,
        line.client() as client,
    ):
        await said(line, client, twilio, "I want a person")
        assert len(twilio.to(PATIENT)) == 1  # an answer to the patient's own message does not wait
        clock[0] = night + timedelta(hours=1)
        await deliver(line, await staff_word(line, "I am here.", "w1"))
        await line.sent()
        assert len(twilio.to(PATIENT)) == 2
        clock[0] = night + timedelta(hours=3)
        await deliver(line, await staff_word(line, "Please call us.", "w2"))
        await line.sent()
        assert len(twilio.to(PATIENT)) == 2
        clock[0] = datetime(2026, 11, 24, 16, 0, tzinfo=UTC)
        await line.sent()
        assert twilio.to(PATIENT)[2:] == ["Ana: Please call us."]


async def test_staff_silence_the_answer_that_is_being_made(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    await said(line, client, twilio, "hello")
    line.assistant.pause_after = 2
    await twilio.post(client, twilio.text(PATIENT, "And tomorrow?"))
    await line.line.replying.begin()
    while len(line.assistant.asked) < 2:
        await line.rows("SELECT 1")
    letter = await staff_word(line, "I take over.")
    await line.live.stop_all(await conversation(line))
    await line.line.replying.all_answered()
    await deliver(line, letter)
    await line.sent()
    assert twilio.to(PATIENT)[1:] == ["Ana: I take over."]


async def test_a_page_goes_to_the_phones_of_staff_and_says_nothing_of_the_patient(
    tmp_path: Path, api: str, twilio: Twilio
) -> None:
    async with box(tmp_path, api, config(page=(OTHER,))) as line:
        told = Page(
            case=12, conversation=ConversationId("c"), level=4, urgency=0, language="hi", channel="web", at=now()
        )
        letter = Letter(id=9, kind="page", payload=msgspec.Raw(msgspec.json.encode(told)), created_at=now(), attempts=0)
        for _ in range(2):
            await line.line.page(letter)
            await line.sent()
    assert twilio.to(OTHER) == [f"Riverside: a patient is waiting and nobody has taken case 12. {PUBLIC}/staff"]


async def test_an_answer_that_keeps_failing_ends_in_whom_to_call(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    line.assistant.fails_after = 0
    (words,) = await said(line, client, twilio, "When are you open?")
    assert words.startswith("Something on our side is not working") and "911" in words


# ---- hours ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("20:59", "20:59"),
        ("21:00", "08:00"),
        ("23:59", "08:00"),
        ("00:00", "08:00"),
        ("07:59", "08:00"),
        ("08:00", "08:00"),
    ],
)
def test_quiet_hours_end_in_the_morning(local: str, expected: str) -> None:
    from zoneinfo import ZoneInfo

    zone = ZoneInfo("America/Los_Angeles")
    at = datetime.fromisoformat(f"2026-03-07T{local}:00").replace(tzinfo=zone)  # the clocks change in the night after
    found = when(at, "21:00-08:00", zone).astimezone(zone)
    assert f"{found:%H:%M}" == expected
    assert (found.date() > at.date()) == (local in ("21:00", "23:59"))
    assert when(at, "", zone) == at
    assert day_began(at, zone).astimezone(zone).isoformat() == "2026-03-07T00:00:00-08:00"


def test_a_message_shows_no_words() -> None:
    message = Message(id=MessageId("m"), conversation=ConversationId("c"), channel="sms", text="secret")
    assert "secret" not in repr(message)
