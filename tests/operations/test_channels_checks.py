"""What `doctor` says of channels: late text messages, and a channel that is set up but has no secret."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from appliance import app
from appliance.config import Config, Data, Mattermost, Sms
from appliance.conversations.texts import Numbers, Received, Texts
from appliance.operations import checks
from appliance.records.database import Database
from appliance.records.secrets import keep


def test_messages_that_wait_for_minutes_are_told():
    assert checks.texts(None).state == "ok"
    assert checks.texts(datetime.now(UTC) - timedelta(seconds=30)).state == "ok"
    late = checks.texts(datetime.now(UTC) - timedelta(minutes=20))
    assert late.state == "warning" and "20 min" in late.words and "sms check" in late.remedy


def test_a_channel_without_its_token_is_off_and_says_so(tmp_path: Path):
    settings = Config(
        data=Data(directory=str(tmp_path)),
        mattermost=Mattermost(url="https://chat.clinic.example"),
        sms=Sms(account_sid="AC" + "0" * 32),
    )
    assert [(one.name, one.state) for one in app._tokens(settings)] == [("mattermost", "failing"), ("sms", "failing")]
    keep("twilio-auth-token", "secret", tmp_path)
    assert [one.state for one in app._tokens(settings)] == ["failing", "ok"]
    assert app._tokens(Config(data=Data(directory=str(tmp_path)))) == []


async def test_the_oldest_waiting_message_is_known_until_it_is_answered(tmp_path: Path):
    database = await Database.open(tmp_path / "clinic.db", bytes(32))
    try:
        texts = await asyncio.to_thread(lambda: Texts(database, Numbers(bytes(32), "clinic")))
        assert await texts.waiting_since() is None
        began = datetime.now(UTC)
        await texts.receive(
            Received(sid="SM1", number="+15035550177", text="hello", media=0, segments=1, language="en")
        )
        since = await texts.waiting_since()
        assert since is not None and began <= since <= datetime.now(UTC)
    finally:
        await database.close()
