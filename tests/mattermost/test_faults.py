"""Mattermost dead, hanging, limited, talking nonsense: nothing is lost and nothing is said twice."""

from __future__ import annotations

import asyncio
import importlib
import threading
import time
from pathlib import Path

import pytest

from appliance.channels.mattermost.rest import Draft, Limited, Mattermost, Refused, Unknown
from appliance.channels.mattermost.socket import Event, Socket
from tests.mattermost.box import CALM, PAGE, QUICK, Box, box
from tests.twins import mattermost as twins
from tests.twins.mattermost import TEAM, TOKEN, eventually


@pytest.fixture
async def real(url: str):
    made = Mattermost(url, TOKEN, timeout_s=30, first_s=0.01, patience_s=0.5)
    yield made
    await made.close()


@pytest.fixture
async def hurried(url: str, twin: twins.Mattermost):
    """One that soon stops waiting, for a Mattermost that hangs. What the first request loads is loaded already."""
    await asyncio.to_thread(importlib.import_module, "mattermostdriver")
    twin.hang_s = 60
    made = Mattermost(url, TOKEN, timeout_s=2, first_s=0.01, patience_s=0.5)
    yield made
    await made.close()


async def channel_of(real: Mattermost) -> str:
    team = await real.team(TEAM)
    return (await real.make_channel(team.id, "somewhere", "Somewhere")).id


@pytest.mark.parametrize("fault", twins.ALL)
async def test_a_post_is_there_once_whatever_goes_wrong(
    twin: twins.Mattermost, real: Mattermost, hurried: Mattermost, fault: twins.Fault
) -> None:
    channel, draft = await channel_of(real), Draft(message="once")
    twin.faults = [fault, fault]
    began, tried = twin._now() - 1, None
    for _ in range(20):
        try:
            await hurried.post(channel, draft, name="case:1", tried_since=tried)
            break
        except (Unknown, Limited):
            tried = began
            await asyncio.sleep(0.1)
    assert [post["message"] for post in twin.said(channel)] == ["once"]


@pytest.mark.parametrize("fault", twins.ALL)
async def test_what_may_be_asked_twice_is_asked_again(
    twin: twins.Mattermost, hurried: Mattermost, fault: twins.Fault
) -> None:
    twin.faults = [fault]
    assert (await hurried.me()).username == twins.BOT


async def test_a_post_is_found_again_when_its_pending_id_is_forgotten(
    twin: twins.Mattermost, real: Mattermost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twins, "PENDING_S", 0.0)
    channel = await channel_of(real)
    twin.faults = ["cut_after"]
    with pytest.raises(Unknown):
        await real.post(channel, Draft(message="once"), name="case:1", tried_since=None)
    post = await real.post(channel, Draft(message="once"), name="case:1", tried_since=1)
    assert [one["id"] for one in twin.said(channel)] == [post.id]


async def test_a_limit_is_obeyed_not_fought(twin: twins.Mattermost, real: Mattermost) -> None:
    twin.wait_s = 0.2
    twin.faults = ["429"]
    began = time.monotonic()
    await real.me()
    assert time.monotonic() - began >= 0.2
    twin.wait_s = 40
    twin.faults = ["429_reset"]
    with pytest.raises(Limited) as limited:
        await real.me()
    asked = sum(twin.asked.values())
    with pytest.raises(Limited):
        await real.me()
    assert 30 < limited.value.retry_after <= 40 and sum(twin.asked.values()) == asked, "nobody is asked meanwhile"


async def test_refusals_are_told_apart_from_silence(twin: twins.Mattermost, url: str, real: Mattermost) -> None:
    stranger = Mattermost(url, "another token", timeout_s=30, first_s=0.01)
    with pytest.raises(Refused) as refused:
        await stranger.me()
    assert refused.value.status == 401
    await stranger.close()
    twin.kill()
    with pytest.raises(Unknown):
        await real.me()
    twin.revive()
    assert (await real.me()).username == twins.BOT


# ---- the WebSocket --------------------------------------------------------------------------------------------------


class Heard:
    """What a line told."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    async def __call__(self, event: Event) -> None:
        self.events.append(event)

    def until(self, event: str, times: int = 1):
        async def there() -> bool:
            return sum(one.event == event for one in self.events) >= times

        return eventually(there)


@pytest.fixture
async def line(real: Mattermost, request: pytest.FixtureRequest):
    socket, heard = Socket(real.options, TOKEN), Heard()
    socket.pulse = getattr(request, "param", CALM)
    task = asyncio.create_task(socket.connect(heard))
    await heard.until("hello")
    yield heard
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize("politely", [True, False])
async def test_a_line_that_ends_is_opened_again_and_says_so(
    twin: twins.Mattermost, line: Heard, politely: bool
) -> None:
    twin.cut_lines(politely=politely)
    await line.until("hello", 2)


@pytest.mark.parametrize("line", [QUICK], indirect=True, ids=["quick"])
async def test_a_line_that_is_half_open_is_given_up(twin: twins.Mattermost, line: Heard) -> None:
    twin.half_open()
    await line.until("hello", 2)


async def test_a_missing_number_is_told_as_a_gap(twin: twins.Mattermost, line: Heard) -> None:
    twin.lines[0].seq += 1
    twin.types(twin.bot, "somewhere")
    await line.until("gap")


async def test_the_line_comes_back_after_longer_and_longer_pauses(twin: twins.Mattermost, line: Heard) -> None:
    twin.refuses_socket = True
    twin.cut_lines()
    await asyncio.sleep(0.5)
    twin.refuses_socket = False
    await line.until("hello", 2)
    pauses = [Socket._pause(_socket(), failed) for failed in range(1, 12)]
    assert all(0.5 <= pause <= 60 for pause in pauses) and pauses[-1] >= 30


def _socket() -> Socket:
    return Socket({"scheme": "https", "url": "x", "port": 443, "basepath": "/api/v4", "verify": True}, "token")


async def test_a_wrong_token_is_no_tight_loop(twin: twins.Mattermost, real: Mattermost) -> None:
    socket, heard = Socket(real.options, "another"), Heard()
    socket.pulse = CALM
    task = asyncio.create_task(socket.connect(heard))
    await asyncio.sleep(0.5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert not socket.connected and heard.events == [] and twin.opened == 0


def test_the_line_is_what_the_driver_wants_for_its_own(twin: twins.Mattermost, url: str) -> None:
    from mattermostdriver import Driver

    driver = Driver(Mattermost(url, TOKEN).options)
    driver.client.token = TOKEN
    heard: list[Event] = []

    async def once(event: Event) -> None:
        heard.append(event)
        if event.event == "hello":
            driver.websocket.disconnect()
            twin.types(twin.bot, "somewhere")

    def run() -> None:
        asyncio.set_event_loop(asyncio.new_event_loop())
        driver.init_websocket(once, websocket_cls=Socket)
        asyncio.get_event_loop().close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(60)
    assert not thread.is_alive() and any(event.event == "hello" for event in heard)


# ---- whole ----------------------------------------------------------------------------------------------------------


async def test_letters_wait_while_mattermost_is_dead(clinic: Box, twin: twins.Mattermost) -> None:
    twin.kill()
    case = await clinic.waiting("one")
    for text in ("two", "three"):
        await clinic.writes(case.conversation, text)
    await clinic.desk.accept(case.id, PAGE)  # the staff page serves meanwhile
    await asyncio.sleep(0.3)
    twin.revive()
    channel = await clinic.channel(case)
    texts = "\n".join(clinic.texts(channel))
    assert [texts.count(f"writes:\n> {text}") for text in ("two", "three")] == [1, 1]
    assert texts.index("two") < texts.index("three") and texts.count("Taken by Ana") == 1


async def test_a_channel_that_somebody_archived_is_replaced(clinic: Box, twin: twins.Mattermost) -> None:
    case = await clinic.waiting("one")
    channel = await clinic.channel(case)
    twin._archive(channel)
    await clinic.writes(case.conversation, "two")
    await clinic.quiet()
    other = await clinic.channel(case)
    assert other != channel and clinic.ana in twin.members[other]
    assert any("> two" in one for one in clinic.texts(other))
    twin.write(clinic.ana, other, "Hello")
    await clinic.until_said(case, "Hello")
    twin._archive(other)
    await clinic.desk.resolve(case.id, PAGE)
    await clinic.quiet()
    room = await clinic.book.room(case.id)
    assert room and room.left_at


async def test_a_post_that_somebody_deleted_holds_nothing_up(clinic: Box, twin: twins.Mattermost) -> None:
    case = await clinic.waiting("one")
    channel, control = await clinic.channel(case), await clinic.control(case)
    del twin.posts[control]
    await clinic.desk.accept(case.id, PAGE)
    await clinic.writes(case.conversation, "two")
    await clinic.quiet()
    assert any("> two" in one for one in clinic.texts(channel))


async def test_what_staff_wrote_while_the_line_was_away_is_caught_up(clinic: Box, twin: twins.Mattermost) -> None:
    case = await clinic.waiting()
    channel = await clinic.channel(case)
    twin.refuses_socket = True
    twin.cut_lines()
    gone = twin.write(clinic.ana, channel, "not this")
    twin.write(clinic.ana, channel, "first")
    changed = twin.write(clinic.ana, channel, "secnd")
    twin.edit(changed, "second")
    twin.delete(gone)
    twin.refuses_socket = False
    await clinic.until_said(case, "first", "second")


async def test_who_starts_anew_says_nothing_twice(tmp_path: Path, twin: twins.Mattermost, url: str) -> None:
    async with box(tmp_path, twin, url) as first:
        case = await first.waiting()
        channel = await first.channel(case)
        twin.write(first.ana, channel, "before")
        await first.until_said(case, "before")
        ana = first.ana
    twin.write(ana, channel, "between")
    async with box(tmp_path, twin, url) as second:
        await second.until_said(case, "before", "between")
        await second.quiet()
        texts = second.texts(channel)
        assert [sum(words in one for one in texts) for words in (f"Case {case.id}: urgent", "Taken by Ana")] == [1, 1]


async def test_words_wait_while_our_store_fails(
    clinic: Box, twin: twins.Mattermost, monkeypatch: pytest.MonkeyPatch
) -> None:
    from appliance.errors import StoreFailed

    case = await clinic.waiting()
    channel = await clinic.channel(case)
    say, failed = clinic.desk.say, list[int]()

    async def fails(*given, **named):
        if len(failed) < 3:
            failed.append(1)
            raise StoreFailed("the disk is full")
        return await say(*given, **named)

    monkeypatch.setattr(clinic.desk, "say", fails)
    twin.write(clinic.ana, channel, "first")
    twin.write(clinic.ana, channel, "second")
    await clinic.until_said(case, "first", "second")
