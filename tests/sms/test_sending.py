"""What waits is handed over once, whatever Twilio, the network or our own process do in between."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import get_args

import httpx
import msgspec
import pytest

from appliance.channels.sms.replying import drafts
from appliance.conversations.case import Staffer
from appliance.message import ConversationId, now
from tests.sms.box import PATIENT, POINTS, Box
from tests.twins.twilio import Fault, Twilio

NURSE = Staffer(id="ana", name="Ana", role="nurse")


async def put(line: Box, *names: str, number: str = PATIENT) -> None:
    for name in names:
        await line.texts.put(drafts(name, f"words of {name}", origin="answer"), number)


async def state(line: Box) -> list[tuple[object, ...]]:
    return await line.rows("SELECT state, status, error FROM sms_out ORDER BY id")


@pytest.mark.parametrize("fault", get_args(Fault))
async def test_after_any_fault_the_message_arrives_once(hurried: Box, twilio: Twilio, fault: Fault) -> None:
    twilio.faults = [fault]
    await put(hurried, "a", "b")
    async with hurried.line.running():
        await hurried.drained()
    assert twilio.to(PATIENT) == ["words of a", "words of b"]  # and in their order


async def test_a_hundred_messages_through_a_storm_of_faults_arrive_once_each(hurried: Box, twilio: Twilio) -> None:
    chance = random.Random(3)  # noqa: S311 - no secret
    faults = [one for one in get_args(Fault) if "hang" not in one and one != "late"]
    twilio.faults = [chance.choice([*faults, "hang_after"]) for _ in range(60)]
    numbers = [f"+1503555{number:04}" for number in range(100)]
    for number in numbers:
        await put(hurried, f"to {number}", number=number)
    async with hurried.line.running():
        await hurried.drained()
    assert [twilio.to(number) for number in numbers] == [[f"words of to {number}"] for number in numbers]


async def test_while_twilio_cannot_be_asked_nothing_is_tried_again(line: Box, twilio: Twilio) -> None:
    twilio.faults = ["cut_after"]
    await put(line, "a")
    await line.tried()
    twilio.down = True
    async with line.line.running():
        await asyncio.sleep(1.2)
        assert (await state(line))[0][0] == "unknown"
        twilio.down = False
        await line.drained()
    assert twilio.to(PATIENT) == ["words of a"]


async def test_the_same_words_twice_are_two_messages(line: Box, twilio: Twilio) -> None:
    """One that is looked up after a time-out is not taken for an earlier one with the same words."""
    for name in ("first", "second"):
        twilio.faults = ["cut_before"]
        await line.texts.put(drafts(name, "We open at nine.", origin="answer"), PATIENT)
        async with line.line.running():
            await line.drained()
    assert twilio.to(PATIENT) == ["We open at nine."] * 2


async def test_a_callback_that_is_quicker_than_the_reply_says_that_it_got_through(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    twilio.faults = ["cut_after"]
    await put(line, "a")
    await line.tried()
    assert (await state(line))[0][0] == "unknown"
    await twilio.call_back(client, twilio.made[0])
    assert await state(line) == [("handed", "delivered", None)]
    await line.sent()
    assert twilio.to(PATIENT) == ["words of a"]


async def test_callbacks_out_of_order_and_twice_leave_the_furthest_status(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    numbers = [f"+1503555{number:04}" for number in range(30)]
    for number in numbers:
        await put(line, f"to {number}", number=number)
    await line.sent()
    ends = [("delivered", None), ("undelivered", 30003), ("failed", 30005)]
    await asyncio.gather(
        *(
            twilio.call_back(client, made, last=ends[n % 3][0], error=ends[n % 3][1])
            for n, made in enumerate(twilio.made)
        )
    )
    by_sid = {made.sid: ends[n % 3] for n, made in enumerate(twilio.made)}
    for sid, status, error in await line.rows("SELECT sid, status, error FROM sms_out"):
        assert (status, error) == by_sid[sid]


async def test_a_forged_callback_changes_nothing(line: Box, client: httpx.AsyncClient, twilio: Twilio) -> None:
    await put(line, "a")
    await line.sent()
    url, form = twilio.callbacks(twilio.made[0])[-1]
    reply = await twilio.post(client, form | {"AccountSid": "AC" + "1" * 32}, url=url)
    assert reply.status_code == 403
    wrong = url[:-1] + ("x" if url[-1] != "x" else "y")
    assert (await twilio.post(client, form, url=wrong)).status_code == 204  # signed, but of no message of ours
    assert await state(line) == [("handed", "queued", None)]


async def test_who_has_opted_out_at_twilio_is_recorded_and_left_alone(line: Box, twilio: Twilio) -> None:
    twilio.blocked.add(PATIENT)
    await put(line, "a", "b")
    await line.sent()
    assert await state(line) == [("refused", None, 21610), ("dropped", None, 21610)]
    assert not await line.texts.agreed(PATIENT)
    assert await line.rows("SELECT actor, act FROM audit") == [("twilio", "sms.opt_out")]


async def test_staff_are_told_in_words_that_a_message_did_not_arrive(
    line: Box, client: httpx.AsyncClient, twilio: Twilio
) -> None:
    await twilio.post(client, twilio.text(PATIENT, "When are you open?"))
    await line.sent()
    (conversation,) = (await line.rows("SELECT conversation FROM sms_number"))[0]
    case = await line.desk.open(ConversationId(conversation), reason="asked", urgency=1, language="en", channel="sms")
    await twilio.call_back(client, twilio.made[0], last="undelivered", error=30003)
    notes = [note.text for note in await line.desk.notes(case.id)]
    assert len(notes) == 1 and "phone is off" in notes[0] and "30003" in notes[0]


@pytest.mark.parametrize(
    ("code", "kept"), [(21211, "refused"), (21614, "refused"), (21606, "waiting"), (99999, "refused")]
)
async def test_a_bad_number_is_given_up_and_a_bad_account_is_waited_for(
    line: Box, twilio: Twilio, code: int, kept: str
) -> None:
    twilio.refuses[PATIENT] = code
    await put(line, "a")
    await line.sent()
    assert await state(line) == [(kept, None, code)]


async def test_what_could_not_be_sent_within_a_day_is_given_up(line: Box, twilio: Twilio) -> None:
    twilio.down = True
    await put(line, "a")
    await line.sent()
    twilio.down = False
    line.line.sending._now = lambda: now() + timedelta(hours=25)
    await line.sent()
    assert (await state(line))[0][0] == "refused" and twilio.made == []


async def test_a_hanging_message_holds_up_nobody_else(line: Box, twilio: Twilio) -> None:
    twilio.hang_s, twilio.faults = 60, ["hang_before"]
    await put(line, "a")
    async with line.line.running():
        async with asyncio.timeout(60):
            while not twilio.hanging:  # noqa: ASYNC110 - the twin lives in another thread
                await asyncio.sleep(0.02)
            await put(line, "b", number="+15035550188")
            while not twilio.to("+15035550188"):  # noqa: ASYNC110 - the twin lives in another thread
                await asyncio.sleep(0.02)
        assert twilio.to(PATIENT) == []


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_process_killed_between_webhook_and_delivery_loses_nothing_and_doubles_nothing(
    tmp_path: Path, twilio: Twilio, api: str, point: str
) -> None:
    form = twilio.text(PATIENT, "When are you open?")
    first = _process(tmp_path, api, point, form)
    assert first.returncode == -9 and first.stdout.strip() == "200", first.stderr
    assert len(twilio.made) == (point == "posted")
    second = _process(tmp_path, api, "none", {})
    assert second.returncode == 0, second.stderr
    assert twilio.to(PATIENT)[0].startswith("We open at nine.") and len(twilio.made) == 1


def _process(data: Path, api: str, point: str, form: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.sms.box", str(data), api, point, msgspec.json.encode(form).decode()]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)  # noqa: S603 - our own program
