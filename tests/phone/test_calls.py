"""The record of calls: what is kept of each, what it explains, and what the command line shows. No words in any of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from appliance.channels.phone.record import Diary
from appliance.channels.phone.unread import CALL_BACK, Unread
from appliance.channels.phone.why import explained
from appliance.commands.calls import _as_line
from appliance.conversations.calls import Call, Ended, Event, Exchange, Quality, Recording, Whole
from appliance.conversations.case import Staffer
from appliance.errors import NotFound
from appliance.message import ConversationId, MessageId, now
from appliance.records.outbox import Outbox
from tests.phone.house import HANGS_UP, Ringing, Says
from tests.say import Appliance
from voice.talk import Timing

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANA = Staffer(id="ana", name="Ana", role="Nurse")
SLOW = Exchange(
    at_ms=9000, kind="quoted", language="en", speech_ms=2000, ended_ms=500, heard_ms=900, text_ms=3900, audio_ms=4100
)


def whole(*turns: Exchange, events: tuple[Event, ...] = (), **call: object) -> Whole:
    known: dict[str, object] = dict.fromkeys(Call.__struct_fields__) | {
        "id": 1,
        "conversation": ConversationId("c"),
        "line": "main",
        "started_at": now(),
        "outcome": "answered",
        "reason": "",
        "barge_ins": 0,
    }
    one = Call(**(known | call))  # type: ignore[arg-type]  # the test's own values
    return Whole(call=one, turns=turns, events=events, recordings=(), before=0)


async def test_a_call_is_kept_whole_and_told_whole(inner: Appliance) -> None:
    calls = inner.clinic.calls
    conversation, _ = await inner.conversations.create("phone")
    number = await calls.begin(conversation, line="main", caller="+15035550123", site="Main Street")
    ended = Ended(
        outcome="answered",
        language="en",
        greeted_ms=210,
        quality=Quality(lost=0.01, jitter_ms=4.0, mos=4.1, starved=0, dropped=2),
        turns=(SLOW,),
        events=(Event(at_ms=100, what="key", detail="people"),),
    )
    await calls.end(number, ended)
    told = await calls.show(number)
    assert told.turns == (SLOW,) and told.events == ended.events
    assert (told.call.mos, told.call.dropped, told.call.site, told.call.greeted_ms) == (4.1, 2, "Main Street", 210)
    again = await calls.begin(conversation, line="main", caller="+15035550123", site=None)
    assert (await calls.show(again)).before >= 1
    figures = await calls.figures(now() - timedelta(hours=1))
    assert 4100 in figures.waited_ms and figures.outcomes["answered"] >= 1


async def test_the_greeting_is_the_first_that_is_said_and_not_the_last_before_a_turn() -> None:
    diary = Diary(clock=lambda: 10.0)
    for at in (10.1, 25.0):
        diary.timed(Timing(turn=0, speech_at=at))
        diary.timed(Timing(turn=0, speech_at=at, audio_s=0.05))
    assert diary.greeted_ms == 150


async def test_show_tells_how_the_line_was() -> None:
    one = whole(answered_ms=12, greeted_ms=60, barge_ins=2, lost=0.013, jitter_ms=3.6, mos=4.1, starved=0).call
    assert _as_line(one) == ("12 ms", "60 ms", "2", "1.3%", "4 ms", "4.1", "0")
    assert _as_line(whole().call) == ("", "", "0", "", "", "", "")


async def test_a_callers_number_is_not_in_the_record(ringing: Ringing) -> None:
    one = await ringing()
    await one.called(Says("When is Main Street open on Monday?"), HANGS_UP)
    rows = await one.clinic.database.read(
        lambda c: [c.execute(f"SELECT * FROM {table}").fetchall() for table in ("call", "call_turn", "call_event")]  # noqa: S608 - our tables
    )
    assert "5035550123" not in repr(rows) and "Main Street" not in repr(rows)


async def test_calls_are_forgotten_with_the_days(inner: Appliance) -> None:
    conversation, _ = await inner.conversations.create("phone")
    number = await inner.clinic.calls.begin(conversation, line="main", caller="", site=None)
    assert await inner.clinic.calls.forget(older_than_days=1) == 0
    await inner.clinic.database.write(
        lambda c: c.execute("UPDATE call SET started_at = '2020' WHERE id = ?", (number,))
    )
    assert await inner.clinic.calls.forget(older_than_days=1) == 1
    with pytest.raises(NotFound):
        await inner.clinic.calls.show(number)


async def test_why_names_the_stage_that_took_longest() -> None:
    (_, slow) = explained(whole(SLOW))
    assert slow.startswith("Turn 1: slow, 4.1 s; of these 3.0 s finding the answer.")


async def test_why_is_silent_about_what_was_well() -> None:
    quick = Exchange(at_ms=1, kind="signed", ended_ms=400, heard_ms=700, text_ms=750, audio_ms=900, stopped_ms=120)
    assert list(explained(whole(quick, lost=0.001, jitter_ms=3.0, mos=4.3, greeted_ms=200))) == [
        "The caller got an answer and hung up."
    ]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ({"outcome": "lost"}, "Our process ended"),
        ({"reason": "staff_emergency"}, "taken for an emergency"),
        ({"greeted_ms": 2500}, "The greeting began 2.5 s"),
        ({"lost": 0.07}, "7.0% of the caller's sound was lost"),
        ({"jitter_ms": 90.0}, "varied by 90 ms"),
        ({"mos": 2.9}, "sounded poor (MOS 2.9"),
        ({"starved": 3}, "3 times our speech had gaps"),
        ({"events": (Event(at_ms=1, what="transfer", detail="201: 404"),)}, "there is no such extension"),
        ({"events": (Event(at_ms=1, what="transfer", detail="201: picked up, not taken"),)}, "did not press 1"),
    ],
)
async def test_why_says_what_went_wrong(what: dict[str, object], words: str) -> None:
    events = what.pop("events", ())
    assert any(words in line for line in explained(whole(events=events, **what)))  # type: ignore[arg-type]  # the table's own


async def test_a_recording_taken_out_stands_in_the_audit(inner: Appliance) -> None:
    from appliance.records import audit

    await inner.clinic.calls.played(7, by="ana")
    (newest, *_) = await audit.entries(inner.clinic.database, 1)
    assert (newest.actor, newest.act, newest.subject) == ("ana", "recording.export", "7")
    with pytest.raises(NotFound):
        await inner.clinic.calls.recording(2**70)
    assert "sealed" not in Recording.__struct_fields__


async def test_staff_who_write_to_a_caller_are_told_that_nobody_reads_it(inner: Appliance) -> None:
    clinic = inner.clinic
    unread = Unread(clinic.conversations, clinic.desk)
    for channel, told in (("phone", [CALL_BACK]), ("web", [])):
        conversation, _ = await clinic.conversations.create(channel)  # type: ignore[arg-type]  # one of the two
        for number in range(2):
            await clinic.desk.say(conversation, ANA, "Hello", id=MessageId(f"{channel}{number}"), via="page")
        case = await clinic.desk.open_case(conversation)
        assert case
        letters = [one for one in await Outbox(clinic.database).waiting(1000) if one.kind == "case.staff_said"]
        for letter in letters:
            if conversation.encode() in bytes(letter.payload):
                await unread.staff_said(letter)
        assert [note.text for note in await clinic.desk.notes(case.id)] == told
