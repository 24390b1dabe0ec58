"""By text message to a whole appliance: the same path as from every channel, in four languages, and to staff and back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import msgspec
import pytest
from litestar import Litestar

from appliance import app
from appliance.channels.sms import check
from appliance.channels.sms.carrier import Twilio as Real
from appliance.channels.sms.line import TextLine
from appliance.channels.web import ClinicCard
from appliance.config import Clinic, Server, Sms
from appliance.conversations.case import Staffer
from appliance.message import ConversationId, MessageId
from appliance.records.outbox import Outbox
from appliance.records.secrets import keep
from tests.say import Appliance, appliance
from tests.twins.twilio import ACCOUNT, CLINIC, PUBLIC, TOKEN, Twilio

PATIENT = "+15035550177"
HOURS = "# Hours\n\nThe front desk is open Monday to Friday from 9 am to 5 pm.\n"


class Phones:
    """Patients' phones, and the line they write to."""

    def __init__(self, house: Appliance, line: TextLine, twilio: Twilio, client: httpx.AsyncClient) -> None:
        self.house = house
        self.line = line
        self.twilio = twilio
        self.client = client

    async def say(self, text: str, *, number: str = PATIENT) -> list[str]:
        before = len(self.twilio.to(number))
        assert (await self.twilio.post(self.client, self.twilio.text(number, text))).status_code == 200
        await self.line.replying.begin()
        await self.line.replying.all_answered()
        await self.sent()
        return self.twilio.to(number)[before:]

    async def told(self) -> None:
        """Every letter of the desk that concerns text messages."""
        for letter in await Outbox(self.house.clinic.database).waiting(1000):
            match letter.kind:
                case "case.staff_said":
                    await self.line.staff_said(letter)
                case "case.changed":
                    await self.line.changed(letter)
        await self.sent()

    async def sent(self) -> None:
        while await self.line.sending.round():
            pass


@asynccontextmanager
async def phones(data: Path, api: str, twilio: Twilio) -> AsyncIterator[Phones]:
    document = data / "hours.md"
    await asyncio.to_thread(document.write_text, HOURS)
    async with appliance(data / "box", documents=[document]) as house:
        clinic = house.clinic
        config = msgspec.structs.replace(
            clinic.config,
            clinic=Clinic(name="Riverside", phone="(503) 555-0100"),
            server=Server(public_url=PUBLIC),
            sms=Sms(account_sid=ACCOUNT, number=CLINIC, quiet_hours=""),
        )
        real = Real(ACCOUNT, TOKEN, number=CLINIC, service="", api=api)
        parts = (clinic.texts, house.live, clinic.conversations, clinic.desk, clinic.files, config)
        line = await asyncio.to_thread(lambda: TextLine(*parts, token=TOKEN, carrier=real))  # it reads files
        http = Litestar(line.routes(), openapi_config=None, logging_config=None)
        transport = httpx.ASGITransport(cast(Any, http))
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as client:
            yield Phones(house, line, twilio, client)
        await real.close()


@pytest.fixture
async def phone(tmp_path: Path, api: str, twilio: Twilio) -> AsyncIterator[Phones]:
    async with phones(tmp_path, api, twilio) as made:
        yield made


async def test_the_documents_answer_by_text(phone: Phones) -> None:
    (words,) = await phone.say("When is the front desk open?")
    assert "Monday to Friday from 9 am to 5 pm" in words and "Text STOP" in words


@pytest.mark.parametrize(
    "text",
    [
        "I have chest pain and cannot breathe",
        "Me duele mucho el pecho y no puedo respirar",
        "我胸口很痛，喘不过气",
        "मेरे सीने में बहुत दर्द है और साँस नहीं आ रही",
    ],
)
async def test_an_emergency_gets_its_fixed_words_whole_and_an_alert(phone: Phones, text: str) -> None:
    (words,) = await phone.say(text)
    assert "911" in words and "STOP" not in words and PUBLIC not in words
    alerts = await phone.house.clinic.alerts.list()
    assert len(alerts) == 1


async def test_stop_inside_an_emergency_is_no_opt_out(phone: Phones) -> None:
    (words,) = await phone.say("I can't stop bleeding, please help")
    assert "911" in words
    assert await phone.house.clinic.texts.agreed(PATIENT)


async def test_a_single_word_that_is_a_cry_for_help_is_answered_as_one(phone: Phones) -> None:
    (words,) = await phone.say("救命")
    assert "911" in words and "Riverside" not in words


async def test_staff_take_over_by_text_and_give_back(phone: Phones) -> None:
    await phone.say("When is the front desk open?")
    (row,) = await phone.house.clinic.database.read(
        lambda c: c.execute("SELECT conversation FROM sms_number").fetchall()
    )
    conversation, desk = ConversationId(row[0]), phone.house.clinic.desk
    nurse = Staffer(id="ana", name="Ana", role="nurse")
    await desk.say(conversation, nurse, "I am Ana. How can I help?", id=MessageId("w1"), via="mattermost")
    await phone.told()
    assert phone.twilio.to(PATIENT)[-1] == "Ana: I am Ana. How can I help?"
    case = await desk.open_case(conversation)
    assert case and case.state == "person" and case.channel == "sms"
    first = await phone.say("When is the front desk open?")
    assert not any("9 am" in words for words in first)  # a person owns it: the assistant says nothing but whose it is
    assert await phone.say("And on Friday?") == []
    kept = await desk.case(case.id)
    assert kept.unread == 2
    await desk.give_back(case.id, nurse)
    before = len(phone.twilio.to(PATIENT))
    for _ in range(2):  # every letter may come twice
        await phone.told()
    assert phone.twilio.to(PATIENT)[before:] == [
        "The automatic assistant answers you again from here on. To reach a person, ask for one."
    ]
    (words,) = await phone.say("When is the front desk open?")
    assert "9 am to 5 pm" in words


async def test_app_joins_the_line_where_there_is_an_account_and_a_token(
    tmp_path: Path, api: str, twilio: Twilio
) -> None:
    async with appliance(tmp_path / "box") as house:
        await asyncio.to_thread(keep, check.TOKEN, TOKEN, tmp_path / "box")
        sms = Sms(account_sid=ACCOUNT, number=CLINIC, quiet_hours="", api=api, page=("+15035550199",))
        config = msgspec.structs.replace(house.clinic.config, server=Server(public_url=PUBLIC), sms=sms)
        clinic = msgspec.structs.replace(house.clinic, config=config)
        card = ClinicCard(
            name="R", languages=("en",), emergency_number="911", examples={}, retention_days=30, accent="#000000"
        )
        served = await asyncio.to_thread(app._Served, clinic, None, card)
        assert served.text_line
        told = app.deliverers(clinic, served.text_line)
        line = served.text_line
        assert line.staff_said in told["case.staff_said"] and line.page in told["page"]
        assert line.changed in told["case.changed"]
        transport = httpx.ASGITransport(cast(Any, served._http))
        async with httpx.AsyncClient(transport=transport, base_url=PUBLIC) as client:
            assert (await twilio.post(client, twilio.text(PATIENT, "I have chest pain"))).status_code == 200
            forged = twilio.text(PATIENT, "I have chest pain")
            reply = await client.post("/api/sms/incoming", data=forged, headers={"x-twilio-signature": "x"})
            assert reply.status_code == 403 and "503555" not in reply.text
            assert not any(one.name == "sms" and one.words for one in await served._health())
            async with served.text_line.running():
                while not twilio.to(PATIENT):  # noqa: ASYNC110 - the twin lives in another thread
                    await asyncio.sleep(0.02)
        assert "911" in twilio.to(PATIENT)[0]
