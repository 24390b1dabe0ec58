"""A case in Mattermost: shown, answered, relayed both ways, closed."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from appliance.channels.mattermost.socket import Event
from appliance.conversations.rooms import Room
from appliance.message import MessageId
from tests.mattermost.box import PAGE, Box, box
from tests.twins.mattermost import Mattermost, eventually

PDF = b"%PDF-1.7 a form"


async def test_a_case_is_a_private_channel_with_who_is_on_call(clinic: Box, twin: Mattermost) -> None:
    case = await clinic.waiting("I have *severe* pain @channel")
    channel = await clinic.channel(case)
    made = twin.channels[channel]
    assert made["type"] == "P" and made["display_name"] == f"Case {case.id} · urgent"
    assert twin.members[channel] == {twin.bot, clinic.ana}
    (post,) = twin.said(channel)
    assert post["message"] == f"@ana Case {case.id}: urgent, asked for a person."
    assert set(twin.buttons(post["id"])) == {"accept", "reply", "return", "resolve"}
    first, second = post["props"]["attachments"]
    assert "> I have \\*severe\\* pain @\u200bchannel" in first["text"] and "We open at nine" in second["text"]
    assert {"title": "Language", "value": "English", "short": True} in first["fields"]
    assert any(field["title"] == "Identity" for field in first["fields"])
    shown = (post["message"], first["fallback"], second["fallback"], made["name"], made["display_name"])
    assert not any("pain" in one for one in shown), "notifications and names hold no patient's words"


async def test_words_go_both_ways_once_and_in_order(clinic: Box, twin: Mattermost) -> None:
    case = await clinic.waiting()
    channel = await clinic.channel(case)
    twin.write(clinic.ana, channel, "Hello, this is Ana.")
    twin.write(clinic.ana, channel, "How can I help?")
    await clinic.until_said(case, "Hello, this is Ana.", "How can I help?")
    now = await clinic.desk.case(case.id)
    assert (now.state, now.accepted_name) == ("person", "Ana")
    await clinic.writes(case.conversation, "My tooth hurts")
    await clinic.quiet()
    assert [one for one in clinic.texts(channel) if "My tooth hurts" in one] == [
        "The patient writes:\n> My tooth hurts"
    ]


@pytest.mark.parametrize("rooms", ["channels", "threads"])
async def test_words_that_come_before_the_room_is_known_are_heard(
    tmp_path: Path, twin: Mattermost, url: str, rooms: str
) -> None:
    """The case stands there already, and whoever is quick answers while that is still being written down here."""
    async with box(tmp_path, twin, url, rooms=rooms, running=False) as clinic:
        clinic.rooms._poll_s = 3600  # nothing else looks
        happened, placed = clinic.rooms.happened, clinic.book.placed
        listening, passed = asyncio.Event(), asyncio.Event()

        async def hears(event: Event) -> None:
            await happened(event)
            if event.event == "hello":
                listening.set()
            elif event.event == "posted" and "I am here." in str(event.data):
                passed.set()

        async def slowly(case: int, *, channel: str, root: str | None, heard: int) -> Room:
            if root:
                twin.write(clinic.ana, channel, "I am here.", root=root if rooms == "threads" else "")
                await passed.wait()
            return await placed(case, channel=channel, root=root, heard=heard)

        clinic.rooms.happened, clinic.book.placed = hears, slowly  # type: ignore[method-assign]  # to be there in that moment
        async with clinic.running():
            await listening.wait()
            await clinic.until_said(await clinic.waiting(), "I am here.")


async def test_changes_and_deletions_are_reflected(clinic: Box, twin: Mattermost) -> None:
    case = await clinic.waiting()
    channel = await clinic.channel(case)
    first, second = twin.write(clinic.ana, channel, "At ten"), twin.write(clinic.ana, channel, "Bring your card")
    await clinic.until_said(case, "At ten", "Bring your card")
    twin.edit(first, "At eleven")
    await clinic.until_said(case, "At eleven", "Bring your card")
    twin.delete(second)
    await clinic.until_said(case, "At eleven")


async def test_a_note_is_never_relayed(clinic: Box, twin: Mattermost) -> None:
    case = await clinic.waiting()
    channel = await clinic.channel(case)
    twin.write(clinic.ana, channel, "Note: seems afraid")
    slip = twin.write(clinic.ana, channel, "I think he is drunk")
    await clinic.until_said(case, "I think he is drunk")
    twin.edit(slip, "note: I think he is drunk")
    await clinic.until_said(case)

    async def noted() -> bool:
        notes = [(one.by, one.text) for one in await clinic.desk.notes(case.id)]
        return notes == [("Ana", "seems afraid"), ("Ana", "I think he is drunk")]

    await eventually(noted)
    await clinic.quiet()
    assert not any("seems afraid" in one for one in clinic.texts(channel)), "it stands there already"
    await clinic.desk.note(case.id, PAGE, "ask about insurance")
    await clinic.quiet()
    assert any("Note by Ana" in one and "insurance" in one for one in clinic.texts(channel))


async def test_words_of_the_staff_page_are_shown_and_stay_true(clinic: Box) -> None:
    case = await clinic.waiting()
    channel = await clinic.channel(case)
    word = await clinic.desk.say(case.conversation, PAGE, "From the page", id=MessageId("p1"), via="page")
    await clinic.quiet()
    assert any(one.startswith("Ana (nurse) has answered:\n> From the page") for one in clinic.texts(channel))
    await clinic.desk.edit(word.id, PAGE, "From the page!")
    await clinic.quiet()
    assert any(r"From the page\!" in one and "changed" in one for one in clinic.texts(channel))
    await clinic.desk.take_back(word.id, PAGE)
    await clinic.quiet()
    assert not any("From the page" in one for one in clinic.texts(channel))
    assert await clinic.words(case.conversation) == []


async def test_files_of_staff_reach_the_patient_once_and_go_with_their_post(clinic: Box, twin: Mattermost) -> None:
    case = await clinic.waiting()
    channel = await clinic.channel(case)
    form = twin.attach(clinic.ana, channel, "form.pdf", PDF)
    twin.write(clinic.ana, channel, "Here is the form", files=(form,))
    alone = twin.write(clinic.ana, channel, "", files=(twin.attach(clinic.ana, channel, "map.pdf", PDF),))
    await clinic.until_said(case, "Here is the form", "map.pdf")
    clinic.rooms.look_everywhere()
    kept = await clinic.files.of(case.conversation)
    assert [one.name for one in kept] == ["form.pdf", "map.pdf"]
    assert (await clinic.files.open(case.conversation, kept[0].id))[1] == PDF
    twin.delete(alone)
    await clinic.until_said(case, "Here is the form")
    assert [one.name for one in await clinic.files.of(case.conversation)] == ["form.pdf"]


async def test_words_keep_their_order_when_their_thread_becomes_known_between_them(
    threaded: Box, twin: Mattermost, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = await threaded.waiting()
    channel, root = await threaded.channel(case), await threaded.control(case)
    threaded.rooms._open.clear()  # as while the post with the buttons is not known to be there
    thread, asked = threaded.book.thread, list[str]()

    async def later(root: str) -> Room | None:
        asked.append(root)
        return None if len(asked) == 1 else await thread(root)

    monkeypatch.setattr(threaded.book, "thread", later)
    for text in ("first", "second"):
        twin.write(threaded.ana, channel, text, root=root)
    await threaded.rooms._look(channel)
    await threaded.rooms._look(channel)
    await threaded.until_said(case, "first", "second")


async def test_a_file_that_cannot_be_sent_is_told_to_who_posted_it_and_its_words_are_sent(
    clinic: Box, twin: Mattermost
) -> None:
    case = await clinic.waiting()
    channel = await clinic.channel(case)
    page = twin.attach(clinic.ana, channel, "page.html", b"<script>")
    large = twin.attach(clinic.ana, channel, "large.pdf", PDF + bytes(1024**2))
    twin.write(clinic.ana, channel, "Two files", files=(page, large))
    await eventually(lambda: _said(clinic, channel, "only photos"))
    await eventually(lambda: _said(clinic, channel, "at most 1 MB"))
    await clinic.until_said(case, "Two files")
    assert await clinic.files.of(case.conversation) == []


async def test_no_file_goes_by_text_message(clinic: Box, twin: Mattermost) -> None:
    case = await clinic.waiting(channel="sms")
    channel = await clinic.channel(case)
    twin.write(clinic.ana, channel, "", files=(twin.attach(clinic.ana, channel, "form.pdf", PDF),))
    await eventually(lambda: _said(clinic, channel, "writes by text message"))
    assert await clinic.files.of(case.conversation) == [] and await clinic.words(case.conversation) == []


async def test_a_patients_file_stands_in_the_room_with_their_words(clinic: Box, twin: Mattermost) -> None:
    case = await clinic.waiting()
    channel = await clinic.channel(case)
    id = MessageId("m1")
    await clinic.files.keep(case.conversation, id, "knee.png", b"\x89PNG\r\n\x1a\n knee", source="page-m1")
    await clinic.writes(case.conversation, "knee.png", id=id)
    await clinic.quiet()
    (post,) = [one for one in twin.said(channel, by=twin.bot) if one.get("file_ids")]
    info, content = twin.files[post["file_ids"][0]]
    assert info["name"] == "knee.png" and content.endswith(b"knee")


async def test_strangers_bots_and_the_system_are_not_relayed(clinic: Box, twin: Mattermost) -> None:
    case = await clinic.waiting()
    channel = await clinic.channel(case)
    twin.members[channel] |= {clinic.joe}
    twin.write(clinic.joe, channel, "I am nobody")
    twin.write(clinic.ana, channel, "Ana joined the channel.", type="system_join_channel")
    await eventually(lambda: _said(clinic, channel, "list of staff"))
    twin.write(clinic.ana, channel, "Hello")
    await clinic.until_said(case, "Hello")


async def test_the_next_group_is_called_by_name(clinic: Box, twin: Mattermost) -> None:
    case = await clinic.waiting()
    channel = await clinic.channel(case)
    await clinic.desk.raise_level(case.id)
    await clinic.quiet()
    assert clinic.ben in twin.members[channel]
    assert f"@ben Case {case.id} still waits (urgent)." in clinic.texts(channel)


async def test_who_is_away_or_asleep_is_called_only_when_nobody_is_there(clinic: Box, twin: Mattermost) -> None:
    clinic.staff.append(clinic.staff[0].__class__(id="joe", name="Joe", role="nurse", level=1))
    twin.status[clinic.joe] = "dnd"
    channel = await clinic.channel(await clinic.waiting())
    assert twin.members[channel] == {twin.bot, clinic.ana}
    twin.status[clinic.ana] = "offline"
    channel = await clinic.channel(await clinic.waiting())
    assert twin.members[channel] == {twin.bot, clinic.ana, clinic.joe}


async def test_a_closed_case_has_no_buttons_and_its_channel_is_archived(clinic: Box, twin: Mattermost) -> None:
    case = await clinic.waiting()
    channel, control = await clinic.channel(case), await clinic.control(case)
    await clinic.desk.accept(case.id, PAGE)
    await clinic.quiet()
    assert set(twin.buttons(control)) == {"reply", "return", "resolve"}
    await clinic.desk.resolve(case.id, PAGE)
    await clinic.quiet()
    assert twin.buttons(control) == {} and twin.channels[channel]["delete_at"]
    await clinic.writes(case.conversation, "Thanks")
    again = await clinic.desk.open(case.conversation, reason="asked", urgency=1, language="en", channel="web")
    assert await clinic.channel(again) != channel


async def test_a_graver_case_is_called_again_and_its_name_says_so(clinic: Box, twin: Mattermost) -> None:
    case = await clinic.waiting(urgency=2)
    channel = await clinic.channel(case)
    await clinic.desk.open(
        case.conversation, reason="emergency", urgency=0, language="en", channel="web", kinds=("heart",)
    )
    await clinic.quiet()
    assert twin.channels[channel]["display_name"] == f"Case {case.id} · EMERGENCY"
    assert f"@ana Case {case.id} has become graver: EMERGENCY." in clinic.texts(channel)


async def test_typing_goes_both_ways(clinic: Box, twin: Mattermost) -> None:
    case = await clinic.waiting()
    channel = await clinic.channel(case)
    await eventually(_connected(clinic))
    after = clinic.desk.seq
    twin.types(clinic.ana, channel)

    async def told() -> str | None:
        async for one in clinic.desk.news(after):
            if one.what == "typing":
                return one.name
        return None

    assert await asyncio.wait_for(told(), 60) == "Ana"
    clinic.desk.typing(case.conversation, None)

    async def shown() -> bool:
        return (channel, "") in twin.typing

    await eventually(shown)


async def test_without_relayed_words_mattermost_holds_none(tmp_path, twin: Mattermost, url: str) -> None:
    from tests.mattermost.box import box

    async with box(tmp_path, twin, url, relay_words=False) as clinic:
        case = await clinic.waiting("secret one")
        await clinic.writes(case.conversation, "secret two")
        await clinic.desk.say(case.conversation, PAGE, "secret three", id=MessageId("p"), via="page")
        channel = await clinic.channel(case)
        assert "secret" not in str(twin.said(channel)) and "We open" not in str(twin.said(channel))
        assert any("The patient has written" in one for one in clinic.texts(channel))


async def test_a_deleted_conversation_is_said_to_who_answers_it(clinic: Box, twin: Mattermost) -> None:
    case = await clinic.waiting()
    channel = await clinic.channel(case)
    await clinic.conversations.delete(case.conversation)
    twin.write(clinic.ana, channel, "Hello?")
    await eventually(lambda: _said(clinic, channel, "has deleted this conversation"))


async def test_a_thread_serves_as_well_and_talk_beside_it_stays_there(threaded: Box, twin: Mattermost) -> None:
    one, two = await threaded.waiting("first"), await threaded.waiting("second")
    channel = await threaded.channel(one)
    assert channel == await threaded.channel(two)
    roots = [await threaded.control(case) for case in (one, two)]
    twin.write(threaded.ana, channel, "Coffee?")
    twin.write(threaded.ana, channel, "To the second", root=roots[1])
    twin.write(threaded.ana, channel, "To the first", root=roots[0])
    await threaded.until_said(one, "To the first")
    await threaded.until_said(two, "To the second")
    await threaded.writes(one.conversation, "patient one")
    await threaded.quiet()
    (post,) = [post for post in twin.said(channel) if "patient one" in str(post["props"])]
    assert post["root_id"] == roots[0]
    await threaded.desk.resolve(one.id, PAGE)
    await threaded.quiet()
    assert not twin.channels[channel]["delete_at"]
    await asyncio.sleep(0)
    clock = twin._now() + 5_000
    twin._last = clock
    twin.write(threaded.ana, channel, "one more thing", root=roots[0])
    await eventually(lambda: _said(threaded, channel, "this case is closed"))
    await threaded.until_said(one, "To the first")


async def _said(clinic: Box, channel: str, words: str) -> bool:
    return any(words in one for one in clinic.texts(channel))


def _connected(clinic: Box):
    async def connected() -> bool:
        return clinic.rooms.socket.connected

    return connected
