"""The chat page's conversation over HTTP and over the socket, against the real server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from appliance.conversations.case import Staffer
from appliance.message import ConversationId, Message, MessageId
from tests.http.house import House


async def opened(browser: httpx.AsyncClient) -> str:
    reply = await browser.post("/api/conversations", json={"language": "en"})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


def socket(house: House, browser: httpx.AsyncClient, **headers: str) -> connect:
    given = {"cookie": "; ".join(f"{name}={value}" for name, value in browser.cookies.items())} | headers
    url = house.origin.replace("http", "ws", 1) + "/api/conversation/socket"
    return connect(url, origin=house.origin, additional_headers=given)  # type: ignore[arg-type]  # a NewType of str


async def tell(line: ClientConnection, **frame: Any) -> None:
    await line.send(msgspec.json.encode(frame).decode())


async def hear(line: ClientConnection) -> dict[str, Any]:
    async with asyncio.timeout(60):
        return dict(msgspec.json.decode(await line.recv()))


async def hear_all(line: ClientConnection) -> list[dict[str, Any]]:
    events = [await hear(line)]
    while events[-1]["type"] == "part":
        events.append(await hear(line))
    return events


def words(events: list[dict[str, Any]]) -> str:
    return "".join(e["part"].get("text", "") for e in events if e["type"] == "part")


async def stream(browser: httpx.AsyncClient, name: str, *, after: int = 0, last: str = "") -> list[dict[str, Any]]:
    params: Mapping[str, str | int] = {"message_id": name, "after": after}
    async with browser.stream(
        "GET", "/api/conversation/events", params=params, headers={"last-event-id": last} if last else {}
    ) as reply:
        assert reply.headers["content-type"].startswith("text/event-stream")
        return [msgspec.json.decode(line[6:]) async for line in reply.aiter_lines() if line.startswith("data: ")]


def name() -> str:
    return str(uuid4())


# ---- the socket ------------------------------------------------------------------------------------------------------


async def test_a_question_is_answered_over_the_socket_part_by_part(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    async with socket(house, browser) as line:
        await tell(line, type="say", id=(asked := name()), text="When do you open?", language="en")
        events = await hear_all(line)
    assert [event["seq"] for event in events] == [1, 2, 3, 4, 5]
    assert words(events) == "One two three."
    assert events[-1] == {"type": "end", "id": asked, "seq": 5, "complete": True}
    assert house.assistant.asked[0].text == "When do you open?" and house.assistant.asked[0].language == "en"


async def test_a_dropped_line_resumes_on_a_new_one_without_losing_or_doubling_a_word(
    house: House, browser: httpx.AsyncClient
):
    await opened(browser)
    house.assistant.pause_after = 2
    async with socket(house, browser) as line:
        await tell(line, type="say", id=(asked := name()), text="When?", language=None)
        told = [await hear(line), await hear(line)]
    house.assistant.go_on.set()
    async with socket(house, browser) as line:
        await tell(line, type="resume", id=asked, after=2)
        told += await hear_all(line)
    assert [event["seq"] for event in told] == [1, 2, 3, 4, 5]
    assert words(told) == "One two three." and len(house.assistant.asked) == 1


async def test_stop_ends_the_answer_within_one_part(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    house.assistant.pause_after = 3
    async with socket(house, browser) as line:
        await tell(line, type="say", id=(asked := name()), text="When?", language="en")
        told = [await hear(line) for _ in range(3)]
        await tell(line, type="stop", id=asked)
        told.append(await hear(line))
    assert told[-1] == {"type": "end", "id": asked, "seq": 4, "complete": False}
    turns = (await browser.get("/api/conversation")).json()["turns"]
    assert [(turn["role"], turn["text"], turn["complete"]) for turn in turns] == [
        ("patient", "When?", True),
        ("assistant", "One two ", False),
    ]


async def test_resuming_what_is_being_told_on_the_same_line_doubles_nothing(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    house.assistant.pause_after = 2
    async with socket(house, browser) as line:
        await tell(line, type="say", id=(asked := name()), text="When?", language="en")
        told = [await hear(line), await hear(line)]
        await tell(line, type="resume", id=asked, after=2)
        await tell(line, type="ping")
        assert await hear(line) == {"type": "pong"}
        house.assistant.go_on.set()
        told += await hear_all(line)
        await tell(line, type="ping")
        assert await hear(line) == {"type": "pong"}
    assert [event["seq"] for event in told] == [1, 2, 3, 4, 5]


async def test_the_same_message_twice_on_two_lines_is_answered_once_and_told_to_both(
    house: House, browser: httpx.AsyncClient
):
    await opened(browser)
    house.assistant.pause_after = 1
    async with socket(house, browser) as one, socket(house, browser) as two:
        asked = name()
        for line in (one, two):
            await tell(line, type="say", id=asked, text="When?", language="en")
            assert (await hear(line))["seq"] == 1
        house.assistant.go_on.set()
        assert words(await hear_all(one)) == words(await hear_all(two)) == "One two three."
    assert len(house.assistant.asked) == 1


async def test_a_ping_is_answered(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    async with socket(house, browser) as line:
        await tell(line, type="ping")
        assert await hear(line) == {"type": "pong"}


async def test_the_button_for_a_person_gives_a_contact_answer(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    async with socket(house, browser) as line:
        await tell(line, type="person", id=name(), language="en")
        events = await hear_all(line)
    assert events[0]["part"] == {"type": "opening", "kind": "contact", "language": "en"}
    assert words(events) == "Call us."


NONSENSE = (
    "",
    "null",
    "[]",
    "{}",
    "not json my secret",
    '{"type":"say"}',
    '{"type":"shout","id":"x"}',
    '{"type":"stop"}',
    '{"type":"say","id":"../../etc","text":"my secret","language":"en"}',
    '{"type":"resume","id":1,"after":-1}',
    '{"type":"say","id":"00000000-0000-4000-8000-000000000000","text":"\\ud800","language":"klingon"}',
)


async def test_a_frame_that_makes_no_sense_is_refused_and_the_line_stays(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    async with socket(house, browser) as line:
        for frame in NONSENSE:
            await line.send(frame)
            problem = await hear(line)
            assert problem["type"] == "problem" and problem["code"] == "not_understood", frame
            assert "secret" not in str(problem)
        await line.send(b"\x00\xff")
        assert (await hear(line))["code"] == "not_understood"
        await tell(line, type="ping")
        assert await hear(line) == {"type": "pong"}


async def test_too_long_empty_and_unknown_are_told_apart(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    async with socket(house, browser) as line:
        for frame, code in (
            ({"type": "say", "text": "x" * 2001}, "too_long"),
            ({"type": "say", "text": " \n\x00 "}, "not_understood"),
            ({"type": "resume", "after": 0}, "unknown"),
        ):
            await tell(line, **frame, id=(asked := name()))
            problem = await hear(line)
            assert (problem["code"], problem["id"]) == (code, asked)
            assert problem["title"] and problem["detail"]


async def test_control_characters_do_not_reach_the_assistant(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    async with socket(house, browser) as line:
        await tell(line, type="say", id=name(), text="\x1b[31mWhen\x00\ndo you open?\x07", language="en")
        await hear_all(line)
    assert house.assistant.asked[0].text == "[31mWhen\ndo you open?"


async def test_a_frame_too_long_closes_the_line(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    async with socket(house, browser) as line:
        await tell(line, type="say", id=name(), text="x" * 1_000_000, language="en")
        with pytest.raises(ConnectionClosed) as closed:
            await hear(line)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1009


async def test_a_flood_of_frames_closes_the_line(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    async with socket(house, browser) as line:
        with pytest.raises(ConnectionClosed) as closed:
            for _ in range(1000):
                await tell(line, type="ping")
            while True:
                await hear(line)
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 1008


FOREIGN = (None, "null", "https://evil.example", "http://127.0.0.1", "http://127.0.0.1.evil.example", "file://")


async def test_a_foreign_page_cannot_open_the_socket(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    cookie = "; ".join(f"{key}={value}" for key, value in browser.cookies.items())
    url = house.origin.replace("http", "ws", 1) + "/api/conversation/socket"
    for origin in FOREIGN:
        with pytest.raises(InvalidStatus) as refused:
            await connect(url, origin=origin, additional_headers={"cookie": cookie})  # type: ignore[arg-type]  # a NewType of str
        assert refused.value.response.status_code == 403


async def test_a_socket_without_a_conversation_is_refused(house: House, browser: httpx.AsyncClient):
    with pytest.raises(InvalidStatus):
        await socket(house, browser)


async def test_a_reader_that_does_not_read_costs_no_memory_and_others_are_served(
    house: House, browser: httpx.AsyncClient
):
    await opened(browser)
    house.assistant.words = ["x" * 1_000_000] * 20
    async with socket(house, browser) as deaf, socket(house, browser) as line:
        deaf.transport.pause_reading()
        await tell(deaf, type="say", id=(asked := name()), text="When?", language="en")
        await tell(line, type="ping")
        assert await hear(line) == {"type": "pong"}
        reply = await browser.get("/api/conversation")
        assert reply.status_code == 200
        deaf.transport.abort()
    assert asked


# ---- the same over requests and streams ------------------------------------------------------------------------------


async def test_without_a_socket_the_same_events_come_as_a_stream(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    reply = await browser.post("/api/conversation/messages", json={"id": (asked := name()), "text": "When?"})
    assert (reply.status_code, reply.json()) == (202, {"message_id": asked})
    events = await stream(browser, asked)
    assert [event["seq"] for event in events] == [1, 2, 3, 4, 5] and words(events) == "One two three."
    assert [event["seq"] for event in await stream(browser, asked, after=2)] == [3, 4, 5]
    assert [event["seq"] for event in await stream(browser, asked, last="3")] == [4, 5]


async def test_a_stream_with_nothing_left_says_so_and_the_browser_stops_asking(
    house: House, browser: httpx.AsyncClient
):
    await opened(browser)
    await browser.post("/api/conversation/messages", json={"id": (asked := name()), "text": "When?"})
    await stream(browser, asked)
    reply = await browser.get("/api/conversation/events", params={"message_id": asked, "after": 5})
    assert reply.status_code == 204


async def test_a_lost_stream_resumes(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    house.assistant.pause_after = 2
    await browser.post("/api/conversation/messages", json={"id": (asked := name()), "text": "When?"})
    params = {"message_id": asked}
    async with browser.stream("GET", "/api/conversation/events", params=params) as reply:
        first = [line async for line in _until(reply, "id: 2")]
    house.assistant.go_on.set()
    assert "id: 2" in first
    assert [event["seq"] for event in await stream(browser, asked, after=2)] == [3, 4, 5]


async def _until(reply: httpx.Response, last: str):
    async for line in reply.aiter_lines():
        yield line
        if line == last:
            return


async def test_an_accepted_message_is_in_the_store_before_it_is_accepted(house: House, browser: httpx.AsyncClient):
    conversation = await opened(browser)
    house.assistant.pause_after = 1
    await browser.post("/api/conversation/messages", json={"id": name(), "text": "When?"})
    await browser.post("/api/conversation/messages", json={"id": name(), "text": "And Sunday?"})
    history = await house.conversations.history(conversation)  # type: ignore[arg-type]  # a NewType of str
    assert [turn.text for turn in history] == ["When?", "And Sunday?"]
    house.assistant.go_on.set()


async def test_a_message_is_not_accepted_while_the_store_has_not_taken_it(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    begin, may = house.conversations.begin, asyncio.Event()

    async def slow(message: Message) -> bool:
        await may.wait()
        return await begin(message)

    house.conversations.begin = slow  # type: ignore[method-assign]  # a slow disk
    body = {"id": name(), "text": "When?"}
    sent = asyncio.ensure_future(browser.post("/api/conversation/messages", json=body))
    assert (await browser.get("/live")).status_code == 200
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await asyncio.shield(sent)
    may.set()
    assert (await sent).status_code == 202


async def test_a_reload_shows_what_was_said_and_what_is_being_said(house: House, browser: httpx.AsyncClient):
    conversation = await opened(browser)
    house.assistant.pause_after = 2
    await browser.post("/api/conversation/messages", json={"id": (asked := name()), "text": "When?", "language": "es"})
    shown = (await browser.get("/api/conversation")).json()
    assert shown["id"] == conversation and shown["language"] == "en"
    assert shown["live"] == {"message_id": asked, "last_seq": 2}
    house.assistant.go_on.set()
    await stream(browser, asked)
    shown = (await browser.get("/api/conversation")).json()
    assert shown["live"] is None
    assert shown["turns"][1]["parts"][1] == {
        "type": "text",
        "text": "One ",
        "voice": "ours",
        "language": None,
        "cites": None,
    }


async def test_stop_feedback_language_and_person_over_requests(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    house.assistant.pause_after = 2
    await browser.post("/api/conversation/messages", json={"id": (asked := name()), "text": "When?"})
    assert (await browser.post(f"/api/conversation/messages/{asked}/stop")).status_code == 204
    assert (await stream(browser, asked))[-1]["complete"] is False
    thumb = {"up": False, "reason": "It was cut."}
    assert (await browser.put(f"/api/conversation/messages/{asked}/feedback", json=thumb)).status_code == 204
    assert (await browser.put(f"/api/conversation/messages/{name()}/feedback", json=thumb)).status_code == 404
    assert (await browser.put("/api/conversation/language", json={"language": "hi"})).status_code == 204
    assert (await browser.get("/api/conversation")).json()["language"] == "hi"
    house.assistant.pause_after = None
    assert (await browser.post("/api/conversation/person", json={"id": name()})).status_code == 202


async def test_deleting_a_conversation_stops_its_answer_and_forgets_everything(
    house: House, browser: httpx.AsyncClient
):
    await opened(browser)
    house.assistant.pause_after = 2
    await browser.post("/api/conversation/messages", json={"id": name(), "text": "When?"})
    reply = await browser.delete("/api/conversation")
    assert reply.status_code == 204 and house.assistant.closed == 1
    assert "conversation" not in browser.cookies
    assert (await browser.get("/api/conversation")).status_code == 404
    left = await house.database.read(lambda c: c.execute("SELECT count(*) FROM turn").fetchone()[0])
    assert left == 0


async def test_deleting_a_conversation_closes_its_lines_in_other_tabs(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    async with socket(house, browser) as line:
        await tell(line, type="ping")
        await hear(line)
        await browser.delete("/api/conversation")
        with pytest.raises(ConnectionClosed):
            await hear(line)


async def test_the_cookie_is_for_this_server_only_and_hidden_from_scripts(house: House, browser: httpx.AsyncClient):
    reply = await browser.post("/api/conversations", json={})
    cookie = reply.headers["set-cookie"].lower()
    assert cookie.startswith("conversation=") and "httponly" in cookie and "samesite=strict" in cookie
    assert "path=/" in cookie and "secure" not in cookie
    assert "max-age" not in cookie and "expires" not in cookie


# ---- who may ask, and how often --------------------------------------------------------------------------------------


STRANGE: tuple[dict[str, str], ...] = (
    {"origin": "https://evil.example"},
    {"origin": "null"},
    {},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"origin": "https://evil.example", "sec-fetch-site": "same-origin"},
)


async def test_a_foreign_page_changes_nothing(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    cookies = dict(browser.cookies)
    async with httpx.AsyncClient(base_url=house.origin, cookies=cookies, timeout=60) as stranger:
        for headers in STRANGE:
            for method, path, body in (
                ("POST", "/api/conversations", {}),
                ("POST", "/api/conversation/messages", {"id": name(), "text": "x"}),
                ("PUT", "/api/conversation/language", {"language": "es"}),
                ("POST", f"/api/conversation/messages/{name()}/stop", None),
                ("DELETE", "/api/conversation", None),
            ):
                reply = await stranger.request(method, path, json=body, headers=headers)
                assert (reply.status_code, reply.json()["code"]) == (403, "not_allowed"), (path, headers)
    async with httpx.AsyncClient(
        base_url=house.origin, timeout=60
    ) as program:  # no browser, and no cookie to be misused
        assert (await program.post("/api/conversations", json={})).status_code == 201
    assert (await browser.get("/api/conversation")).json()["turns"] == []


async def test_a_page_of_ours_is_known_by_origin_or_by_fetch_metadata(house: House, browser: httpx.AsyncClient):
    await opened(browser)
    async with httpx.AsyncClient(base_url=house.origin, cookies=dict(browser.cookies), timeout=60) as page:
        same = {"sec-fetch-site": "same-origin"}
        reply = await page.put("/api/conversation/language", json={"language": "es"}, headers=same)
        assert reply.status_code == 204


class TestSmallLimits:
    @pytest.fixture
    def limits(self):
        from appliance.config import Limits

        return Limits(requests_per_minute=100_000, messages_per_minute=3, sockets=2)

    async def test_a_conversation_that_asks_too_often_is_told_when_to_try_again(
        self, house: House, browser: httpx.AsyncClient
    ):
        await opened(browser)
        for _ in range(3):
            assert (await browser.post("/api/conversation/person", json={"id": name()})).status_code == 202
        reply = await browser.post("/api/conversation/messages", json={"id": name(), "text": "When?"})
        assert reply.status_code == 429 and 0 < int(reply.headers["retry-after"]) <= 20
        assert reply.json()["code"] == "rate" and reply.json()["retry_after"] == int(reply.headers["retry-after"])
        async with socket(house, browser) as line:
            await tell(line, type="say", id=(asked := name()), text="When?", language="en")
            problem = await hear(line)
        assert (problem["id"], problem["code"]) == (asked, "rate") and problem["retry_after"] > 0

    async def test_an_emergency_is_never_told_to_wait(self, house: House, browser: httpx.AsyncClient):
        await opened(browser)
        for _ in range(10):
            reply = await browser.post("/api/conversation/messages", json={"id": name(), "text": "an emergency"})
            assert reply.status_code == 202

    async def test_when_all_places_are_taken_a_page_that_fell_asleep_gives_up_its_own(
        self, house: House, browser: httpx.AsyncClient
    ):
        await opened(browser)
        async with socket(house, browser) as asleep:
            await tell(asleep, type="ping")
            await hear(asleep)
            for line in house.sockets._lines:
                line.wire.heard_at -= 100
            async with socket(house, browser) as awake, socket(house, browser) as newcomer:
                for open_line in (newcomer, awake):
                    await tell(open_line, type="ping")
                    assert await hear(open_line) == {"type": "pong"}
            with pytest.raises(ConnectionClosed) as closed:
                await hear(asleep)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001

    async def test_no_more_sockets_than_the_limit_and_one_that_closes_makes_room(
        self, house: House, browser: httpx.AsyncClient
    ):
        await opened(browser)
        async with socket(house, browser), socket(house, browser):
            with pytest.raises(InvalidStatus):
                await socket(house, browser)
        for _ in range(100):
            try:
                async with socket(house, browser) as line:
                    await tell(line, type="ping")
                    assert await hear(line) == {"type": "pong"}
                    return
            except InvalidStatus:
                await asyncio.sleep(0)
        pytest.fail("a closed socket still counts")


async def test_the_patient_sees_whose_the_conversation_is_and_staff_words_at_once(
    house: House, browser: httpx.AsyncClient
):
    maria = Staffer(id="maria", name="Maria", role="Nurse")
    id = ConversationId(await opened(browser))
    other, _ = await house.conversations.create("web")
    ahead = await house.desk.open(other, reason="asked", urgency=1, language="en", channel="web")
    case = await house.desk.open(id, reason="asked", urgency=1, language="en", channel="web")
    async with socket(house, browser) as line:
        assert await hear(line) == {"type": "owner", "owner": "waiting", "place": 2, "name": None, "until": None}
        await house.desk.resolve(ahead.id, maria)
        assert (await hear(line))["place"] == 1
        await house.desk.say(id, maria, "Hello.", id=MessageId(str(uuid4())), via="page")
        word, owner = sorted([await hear(line), await hear(line)], key=lambda one: one["type"] == "owner")
        assert (word["name"], word["role"], word["text"], word["edited"]) == ("Maria", "Nurse", "Hello.", False)
        assert (owner["owner"], owner["name"]) == ("person", "Maria")
        house.desk.typing(id, maria)
        assert await hear(line) == {"type": "typing", "name": "Maria"}
        await house.desk.edit(word["id"], maria, "Good day.")
        assert (await hear(line))["text"] == "Good day."
        await house.desk.note(case.id, maria, "a secret among staff")
        await house.desk.take_back(word["id"], maria)
        gone = await hear(line)
        assert gone["deleted"] and not gone["text"]
        await house.desk.give_back(case.id, maria)
        assert (await hear(line))["owner"] == "assistant"
    shown = (await browser.get("/api/conversation")).json()
    assert shown["whose"]["owner"] == "assistant"
    assert [(one["role"], one["text"], bool(one["deleted_at"])) for one in shown["turns"]] == [("staff", "", True)]


async def test_a_patients_typing_is_told_only_to_a_person_who_has_the_conversation(
    house: House, browser: httpx.AsyncClient
):
    maria = Staffer(id="maria", name="Maria", role="Nurse")
    id = ConversationId(await opened(browser))
    news = house.desk.news()
    async with socket(house, browser) as line:
        await line.send('{"type": "typing"}')
        await line.send('{"type": "ping"}')
        await hear(line)  # the typing is behind it
        await house.desk.say(id, maria, "Hello.", id=MessageId(str(uuid4())), via="page")
        await hear(line)
        await line.send('{"type": "typing"}')
        async with asyncio.timeout(60):
            told = [await anext(news)]
            while told[-1].what != "typing":
                told.append(await anext(news))
    assert [one.what for one in told].index("typing") > [one.what for one in told].index("said")
    assert told[-1].by is None


async def test_a_patient_may_say_that_nobody_is_needed(house: House, browser: httpx.AsyncClient):
    id = ConversationId(await opened(browser))
    case = await house.desk.open(id, reason="asked", urgency=1, language="en", channel="web")
    assert (await browser.delete("/api/conversation/person")).json()["owner"] == "assistant"
    assert (await house.desk.case(case.id)).state == "returned"
