"""Twilio's twin and our client, both judged by Twilio's own OpenAPI description: else our tests would only prove each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from appliance.channels.sms import check
from appliance.channels.sms.carrier import Refused, Twilio
from tests.sms.box import PATIENT, config
from tests.twins import prism
from tests.twins.twilio import ACCOUNT, CLINIC, SERVICE, TOKEN
from tests.twins.twilio import Twilio as Twin

DESCRIPTION = Path(prism.__file__).with_name("twilio_openapi.json")
pytestmark = pytest.mark.slow


@pytest.fixture
def judged(api: str) -> Iterator[str]:
    with prism.judging(DESCRIPTION, api) as address:
        yield address


async def test_what_we_ask_and_what_the_twin_answers_are_as_twilio_describes_them(twilio: Twin, judged: str) -> None:
    for service in ("", SERVICE):
        real = Twilio(ACCOUNT, TOKEN, number=CLINIC, service=service, api=judged, timeout_s=60)
        handed = await real.send(
            PATIENT, "We open at nine. ñ 好", callback="https://clinic.example/api/sms/status/1/abc"
        )
        assert handed.sid == twilio.made[-1].sid and twilio.made[-1].form["SmartEncoded"] == "false"
        assert [one.sid for one in await real.newest(PATIENT)] == [made.sid for made in reversed(twilio.made)]
        assert (await real.message(handed.sid)).status == "queued"
        assert await real.account() == "active"
        line = await real.line(CLINIC)
        assert line and line.texts and line.method == "POST"
        await real.close()
    assert twilio.made[-1].form["MessagingServiceSid"] == SERVICE


async def test_refusals_keep_their_codes(twilio: Twin, judged: str) -> None:
    twilio.blocked.add(PATIENT)
    real = Twilio(ACCOUNT, TOKEN, number=CLINIC, service="", api=judged, timeout_s=60)
    with pytest.raises(Refused) as refused:
        await real.send(PATIENT, "hello", callback="")
    assert (refused.value.status, refused.value.code) == (400, 21610)
    await real.close()


async def test_the_judge_sees_what_is_wrong_on_either_side(
    twilio: Twin, judged: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with httpx.AsyncClient(base_url=judged, auth=(ACCOUNT, TOKEN), timeout=60) as client:
        path = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"
        assert (await client.post(path, data={"Body": "to nobody"})).status_code == 422
        assert (await client.get("/2010-04-01/Accounts/nobody/Messages.json")).status_code == 422
        monkeypatch.setattr(twilio, "_page", lambda asked: {"messages": [{"sid": 5, "status": "no such status"}]})
        assert (await client.get(path)).status_code == 500


async def test_check_finds_a_line_that_is_set_up_and_one_that_is_not(twilio: Twin, api: str) -> None:
    settings = config(api=api)
    real = check.carrier(settings, TOKEN)
    assert [one.state async for one in check.looked(settings, TOKEN, real)] == ["ok"] * 5
    twilio.webhook = "https://elsewhere.example/sms"
    found = {one.name: one async for one in check.looked(settings, TOKEN, real)}
    assert found["number"].state == "failing" and check.webhook(settings) in found["number"].remedy
    await real.close()
    wrong = check.carrier(settings, "another token")
    found = {one.name: one async for one in check.looked(settings, "another token", wrong)}
    assert found["account"].state == "failing" and "20003" in found["account"].words and "number" not in found
    await wrong.close()
    found = {one.name: one async for one in check.looked(settings, None, None)}
    assert "twilio-auth-token" in found["token"].remedy
