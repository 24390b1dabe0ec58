"""One call, from ring to end: the real pipeline, store and desk, with callers and extensions that do what is written."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime

import pytest

from appliance.channels.phone.why import explained
from appliance.config import PhoneLine, PhonePerson
from appliance.errors import StoreFailed
from appliance.message import Opening
from tests.phone.house import (
    HANGS_UP,
    LINE,
    SILENCE,
    FakeCall,
    Interrupts,
    Ringing,
    Rings,
    Says,
    ScriptedTalk,
    Types,
    Urgent,
    WhileItRings,
)
from voice.talk import Digit

pytestmark = pytest.mark.asyncio(loop_scope="session")

CHEST = "I have crushing chest pain and my left arm is numb"
TAKES = [Types("1")]
REFUSES = [Types("2")]
MAILBOX: list[object] = []
"""It picks up, and presses nothing."""


async def test_a_caller_hears_who_speaks_and_then_the_documents_answer(ringing: Ringing) -> None:
    one = await ringing()
    call, talk = await one.called(Says("When is Main Street open on Monday?"), SILENCE, SILENCE)
    assert "automatic assistant, not a person" in talk.said[0][0] and "call 911" in talk.said[1][0]
    assert "Main Street is open on Monday from 8:00 to 17:00." in talk.words
    assert "anything else" in talk.words and "Goodbye" in talk.words
    assert call.answered and call.hung_up
    whole = await one.record()
    assert (whole.call.outcome, [turn.kind for turn in whole.turns]) == ("answered", ["quoted"])
    assert whole.call.mos == 4.2 and whole.call.ended_at
    assert next(explained(whole)) == "The caller got an answer and hung up."


async def test_excuse_me_is_no_question(ringing: Ringing) -> None:
    """What follows is answered; where nothing follows it is asked for."""
    one = await ringing()
    question = Says("When is Main Street open on Monday?")
    _, talk = await one.called(Says("Um, excuse me."), question, Says("Hello?"), SILENCE, HANGS_UP)
    assert talk.words.count("open on Monday") == 1 and talk.words.endswith("How can I help you?")
    assert [turn.kind for turn in (await one.record()).turns] == ["quoted"]


async def test_who_stops_to_think_is_waited_for(ringing: Ringing) -> None:
    """Half a sentence is not answered; with what follows, or after a while, it is."""
    one = await ringing()
    halves = (Says("I would like to know when Main Street is open and"), Says("how much parking costs at Main Street."))
    await one.called(*halves, Says("When is Main Street open on Monday, because I"), SILENCE, HANGS_UP)
    asked = [turn.text for turn in await one.history() if turn.role == "patient"]
    assert asked == [" ".join(half.text for half in halves), "When is Main Street open on Monday, because I"]


async def test_who_goes_on_before_a_word_of_the_answer_was_heard_has_asked_one_question(ringing: Ringing) -> None:
    one = await ringing()
    script = (Interrupts("About", after=5), Says("When is Main Street open"), Says("on Monday?"), HANGS_UP)
    _, talk = await one.called(*script)
    asked = [turn.text for turn in await one.history() if turn.role == "patient"]
    assert asked[-1] == "When is Main Street open on Monday?" and "on Monday from 8:00" in talk.words


async def test_half_a_question_is_no_failure(ringing: Ringing) -> None:
    """What nobody could answer was not whole yet: people are called after two whole ones."""
    one = await ringing()
    script = (Interrupts("I don't", after=4), Says("Who is the president"), Says("of Peru?"), Says("Thank you."))
    call, talk = await one.called(*script, HANGS_UP)
    assert not call.tried and "connecting you" not in talk.words


async def test_an_emergency_is_answered_from_a_partial_transcript_told_to_staff_and_handed_over(
    ringing: Ringing,
) -> None:
    one = await ringing()
    caller = FakeCall(extensions={"201": TAKES})
    _, talk = await one.called(Says(CHEST + " and also I wanted to ask", partials=("I have", CHEST)), call=caller)
    assert "This may be an emergency. Call 911 now." in talk.words
    assert caller.given_to == "201"
    (alert,) = await one.clinic.alerts.list()
    (case,) = await one.clinic.desk.queue()
    assert alert.kinds == ("medical",)
    assert (case.urgency, case.reason, case.channel) == (0, "emergency", "phone")
    assert "This may be an emergency." in one.staff_talks[0].words and CHEST in one.staff_talks[0].words
    history = await one.history()
    assert [turn.text for turn in history if turn.role == "patient"] == [CHEST]
    assert (await one.record()).call.outcome == "transferred"


async def test_where_nobody_answers_an_emergency_the_caller_is_told_whom_to_call_and_not_hung_up(
    ringing: Ringing,
) -> None:
    one = await ringing()
    caller = FakeCall(extensions={"201": 486, "202": MAILBOX})
    _, talk = await one.called(Says(CHEST), Says("When is Main Street open on Monday?"), HANGS_UP, call=caller)
    assert caller.tried == ["201", "202"] and caller.given_to is None
    assert "Nobody at the clinic answers. Hang up now and call 911." in talk.words
    after = talk.words.split("Nobody at the clinic answers")[1]
    assert "If this is still an emergency, call 911 now." in after and "8:00" in after


async def test_an_emergencys_words_cannot_be_talked_over(ringing: Ringing) -> None:
    one = await ringing()
    _, talk = await one.called(Interrupts("emergency", 3), Says(CHEST), call=FakeCall(extensions={"201": TAKES}))
    assert "I am an automatic assistant and cannot send help." in talk.words


async def test_an_emergency_needs_no_store(ringing: Ringing, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await ringing()

    async def broken(_work: object) -> None:
        raise StoreFailed("the disk is full")

    caller = FakeCall(extensions={"201": TAKES})
    monkeypatch.setattr(one.clinic.database, "write", broken)
    monkeypatch.setattr(one.clinic.database, "read", broken)
    _, talk = await one.called(Says(CHEST), call=caller)
    assert "Call 911 now." in talk.words and caller.given_to == "201"


async def test_without_a_working_store_other_callers_get_people(
    ringing: Ringing, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await ringing()

    async def broken(_work: object) -> None:
        raise StoreFailed("the disk is full")

    caller = FakeCall(extensions={"201": TAKES})
    monkeypatch.setattr(one.clinic.database, "write", broken)
    _, talk = await one.called(Says("When is Main Street open on Monday?"), call=caller)
    assert "Something on our side is not working." in talk.words and caller.given_to == "201"


@pytest.mark.parametrize(
    "script",
    [
        (Digit("0"),),
        (Says("operator"),),
        (Says("I want to talk to a person"),),
        (Says(""), Says("")),
        (SILENCE, SILENCE),
        (Says("What is the boiling point of tungsten?"), Says("Who won the football cup?")),
    ],
)
async def test_people_are_one_key_one_word_or_two_failures_away(ringing: Ringing, script: tuple[object, ...]) -> None:
    one = await ringing()
    caller = FakeCall(extensions={"201": TAKES})
    _, talk = await one.called(*script, call=caller)
    assert caller.given_to == "201"
    assert "connecting you with a person" in talk.words
    assert await one.clinic.desk.queue() == []  # a person has the caller: nothing is left to do


async def test_i_dont_know_offers_a_person_and_not_a_number_to_call(ringing: Ringing) -> None:
    one = await ringing()
    _, talk = await one.called(Says("Who won the football cup?"), HANGS_UP)
    assert "I don't know." in talk.words and "press 0 for a person" in talk.words
    assert "how to reach us" not in talk.words


@pytest.mark.parametrize("status", [404, 408, 480, 486, 603])
async def test_whoever_does_not_answer_gives_the_caller_back_to_the_next(ringing: Ringing, status: int) -> None:
    one = await ringing()
    caller = FakeCall(extensions={"201": status, "202": TAKES})
    await one.called(Digit("0"), call=caller)
    assert caller.given_to == "202"
    assert any(line.startswith(f"Transfer failed: extension 201: {status}") for line in explained(await one.record()))


@pytest.mark.parametrize("picks_up", [MAILBOX, REFUSES, [HANGS_UP]])
async def test_who_picks_up_and_does_not_press_1_is_not_given_the_caller(
    ringing: Ringing, picks_up: list[object]
) -> None:
    one = await ringing()
    caller = FakeCall(extensions={"201": picks_up, "202": picks_up})
    _, talk = await one.called(Digit("0"), HANGS_UP, call=caller)
    assert caller.given_to is None and "Nobody can take your call right now." in talk.words


async def test_a_transfer_that_fails_after_1_was_pressed_gives_the_caller_back(ringing: Ringing) -> None:
    one = await ringing()
    caller = FakeCall(extensions={"201": TAKES, "join 201": True, "202": TAKES})
    await one.called(Digit("0"), call=caller)
    assert caller.given_to == "202"


async def test_blind_transfers_ask_nobody_and_come_back_too(ringing: Ringing) -> None:
    one = await ringing(transfer="blind")
    caller = FakeCall(extensions={"201": 486, "202": "rings"})
    await one.called(Digit("0"), call=caller)
    assert (caller.tried, caller.given_to, one.staff_talks) == (["201", "202"], "202", [])


async def test_whom_nobody_can_take_leaves_a_message_that_staff_can_read_and_hear(ringing: Ringing) -> None:
    one = await ringing()
    _, talk = await one.called(Digit("0"), Says("This is Ana Ruiz."), Says("Please call me about my bill."), SILENCE)
    assert "Your message goes to the clinic's staff." in talk.words
    (case,) = await one.clinic.desk.queue()
    assert (case.reason, case.urgency, case.channel, case.unread) == ("asked", 1, "phone", 1)
    assert "Ana Ruiz" in case.summary and "my bill" in case.summary and "+15035550123" in case.summary
    whole = await one.record()
    (kept,) = whole.recordings
    assert whole.call.outcome == "voicemail" and kept.kind == "voicemail"
    wav = await one.shelf.wav(kept)
    assert wav[:4] == b"RIFF" and len(wav) > 16_000


async def test_a_message_is_kept_when_the_caller_simply_hangs_up(ringing: Ringing) -> None:
    one = await ringing()
    await one.called(Digit("0"), Says("Please call me about my bill."), HANGS_UP)
    (case,) = await one.clinic.desk.queue()
    assert "my bill" in case.summary and (await one.record()).call.outcome == "voicemail"


async def test_a_message_that_was_not_understood_is_a_case_with_its_recording(ringing: Ringing) -> None:
    one = await ringing()
    await one.called(Digit("0"), Says(""), SILENCE)
    (case,) = await one.clinic.desk.queue()
    assert "listen to the recording" in case.summary and (await one.record()).recordings


async def test_danger_in_a_voice_message_is_an_emergency(ringing: Ringing) -> None:
    one = await ringing()
    _, talk = await one.called(Digit("0"), Says(CHEST), HANGS_UP)
    assert "Call 911 now." in talk.words and len(await one.clinic.alerts.list()) == 1


async def test_silence_after_the_tone_leaves_no_case_and_no_recording(ringing: Ringing) -> None:
    one = await ringing()
    _, talk = await one.called(Digit("0"), SILENCE)
    assert "I did not hear a message." in talk.words
    assert await one.clinic.desk.queue() == [] and (await one.record()).recordings == ()
    assert (await one.record()).call.outcome == "unheard"


async def test_a_call_back_is_a_case_with_the_callers_number(ringing: Ringing) -> None:
    one = await ringing()
    _, talk = await one.called(Digit("0"), Types("2"), Types("1"))
    (case,) = await one.clinic.desk.queue()
    assert "+15035550123" in case.summary and "will call you back" in talk.words


async def test_a_number_typed_in_for_a_call_back_is_read_back_before_it_counts(ringing: Ringing) -> None:
    one = await ringing()
    typed = (Types("2"), Types("5035550199"), Types("2"), Types("5035550177"), Types("1"))
    _, talk = await one.called(Digit("0"), Types("2"), *typed)
    (case,) = await one.clinic.desk.queue()
    assert "You typed in 5 0 3 5 5 5 0 1 7 7." in talk.words
    assert "5035550177" in case.summary and "0199" not in case.summary
    assert "5035550177" not in str((await one.record()).events)


async def test_without_staff_nothing_is_promised(ringing: Ringing) -> None:
    one = await ringing()
    one.staffed = False
    _, talk = await one.called(Digit("0"), HANGS_UP)
    assert "Please call again a little later." in talk.words and "leave a message" not in talk.words
    assert "opening hours" not in talk.words  # these are they


async def test_what_was_not_heard_after_an_interruption_leaves_the_history(ringing: Ringing) -> None:
    one = await ringing()
    await one.called(Interrupts("Main Street is open", 11), Says("When is Main Street open on Monday?"), HANGS_UP)
    answer = (await one.history())[-1]
    assert answer.text.endswith("Main Street") and "8:00" not in answer.text
    assert not answer.complete and isinstance(answer.parts[0], Opening)
    assert [part for part in answer.parts if part.__struct_config__.tag == "citation"] == []
    assert (await one.record()).call.barge_ins == 1


async def test_the_whole_answer_stays_in_the_history_with_its_sources(ringing: Ringing) -> None:
    one = await ringing()
    await one.called(Says("When is Main Street open on Monday?"), HANGS_UP)
    answer = (await one.history())[-1]
    assert answer.complete and "17:00" in answer.text
    assert [part for part in answer.parts if part.__struct_config__.tag == "citation"]


async def test_a_caller_chooses_a_language_by_key(ringing: Ringing) -> None:
    one = await ringing(line=PhoneLine(name="main", extension="100"))
    _, talk = await one.called(Digit("2"), Says("hola", language="es"), HANGS_UP)
    assert ("Para español, oprima 2.", "es") in talk.said
    assert ("Muy bien, en español. ¿En qué puedo ayudarle?", "es") in talk.said
    assert (await one.record()).call.language == "es"


async def test_the_first_words_choose_the_language_where_no_key_does(ringing: Ringing) -> None:
    one = await ringing(line=PhoneLine(name="main", extension="100"))
    _, talk = await one.called(Says("¿A qué hora abre Main Street el lunes?", language="es"), HANGS_UP)
    assert talk.said[-1][1] == "en"  # the quote keeps its own language, and its own voice
    assert any(language == "es" for _, language in talk.said[5:])
    assert (await one.record()).call.language == "es"


async def test_a_language_asked_for_is_spoken_from_then_on(ringing: Ringing) -> None:
    one = await ringing()
    await one.called(Says("Spanish please"), Says("hola", language="es"), HANGS_UP)
    assert (await one.record()).call.language == "es"


async def test_a_weakly_recognised_language_gets_keys_and_people(ringing: Ringing) -> None:
    hindi = PhoneLine(name="main", extension="100", language="hi")
    one = await ringing(line=hindi)
    caller = FakeCall(extensions={"201": TAKES})
    _, talk = await one.called(Digit("1"), Says("कुछ", language="hi"), call=caller)
    assert "खुलने के समय के लिए 1 दबाइए" in talk.words
    assert "8:00" in talk.words
    assert caller.given_to == "201"


async def test_star_says_the_last_answer_again(ringing: Ringing) -> None:
    one = await ringing()
    _, talk = await one.called(Says("When is Main Street open on Monday?"), Digit("*"), HANGS_UP)
    assert talk.words.count("8:00 to 17:00") == 2


async def test_an_on_call_extension_is_called_out_of_hours_only(ringing: Ringing) -> None:
    people = (PhonePerson(extension="201"), PhonePerson(extension="300", when="closed"))
    for hour, wanted in ((18, ["201"]), (4, ["300"])):  # UTC; the clinic is in Los Angeles
        at = datetime(2026, 11, 23, hour, tzinfo=UTC)
        hours = '[hours]\nmon = [["08:00", "17:00"]]\n'
        one = await ringing(hours=hours, at=lambda at=at: at, people=people)
        caller = FakeCall(extensions={"201": 486, "300": 486})
        _, talk = await one.called(Digit("0"), HANGS_UP, call=caller)
        assert caller.tried == wanted
        assert ("The clinic is closed now." in talk.words) == (hour == 4)


async def test_people_of_the_callers_site_and_language_come_first(ringing: Ringing) -> None:
    people = (
        PhonePerson(extension="1"),
        PhonePerson(extension="2", site="North Hill"),
        PhonePerson(extension="3", site="Main Street"),
        PhonePerson(extension="4", language="es"),
        PhonePerson(extension="5", emergencies="only"),
        PhonePerson(extension="6", emergencies="never"),
    )
    main = PhoneLine(name="main", extension="100", language="es", site="Main Street")
    one = await ringing(people=people, line=main)
    whom = one.door._with.people.whom
    assert whom(site="Main Street", language="es", urgent=False) == ["3", "4", "1", "6"]
    assert whom(site=None, language="en", urgent=True) == ["5", "1"]


async def test_nothing_that_a_caller_says_is_logged(ringing: Ringing, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        one = await ringing()
        script = (Says("My secret word is marmalade"), Says(CHEST), Says("marmalade again"), Says("marmalade"), SILENCE)
        await one.called(*script, call=FakeCall(caller="+15035550123"))
    assert "marmalade" not in caplog.text.lower() and "crushing" not in caplog.text and "5035550123" not in caplog.text


async def test_a_fault_of_ours_hands_the_caller_to_people(ringing: Ringing, monkeypatch: pytest.MonkeyPatch) -> None:
    one = await ringing()

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("tests.phone.house.ScriptedTalk.hear", broken)
    caller = FakeCall(extensions={"201": TAKES})
    await one.called(call=caller)
    assert caller.given_to == "201"


async def test_with_a_dead_voice_the_call_is_handed_on_without_a_word(
    ringing: Ringing, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await ringing()

    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no voice")

    monkeypatch.setattr("tests.phone.house.ScriptedTalk.speak", broken)
    caller = FakeCall(extensions={"201": "rings"})
    await one.called(call=caller)
    assert caller.given_to == "201" and (await one.record()).call.outcome == "failed"


async def test_a_voice_that_dies_in_an_emergency_does_not_keep_it_from_the_right_people(
    ringing: Ringing, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = (PhonePerson(extension="201", emergencies="never"), PhonePerson(extension="300"))
    one = await ringing(people=people)
    speak = ScriptedTalk.speak

    async def broken(self: ScriptedTalk, text: object, *given: object, **more: object) -> object:
        if not isinstance(text, str):
            raise RuntimeError("no voice")
        return await speak(self, text, *given, **more)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(ScriptedTalk, "speak", broken)
    caller = FakeCall(extensions={"201": TAKES, "300": TAKES})
    await one.called(Says(CHEST), call=caller)
    assert caller.tried == ["300"] and caller.given_to == "300"
    assert len(await one.clinic.alerts.list()) == 1


async def test_an_emergency_that_comes_up_while_we_connect_is_one(ringing: Ringing) -> None:
    one = await ringing()
    caller = FakeCall(extensions={"201": 486, "202": TAKES})
    script = (Digit("0"), Urgent("connecting you"), Says(CHEST))
    _, talk = await one.called(*script, call=caller)
    assert "Call 911 now." in talk.words and len(await one.clinic.alerts.list()) == 1


async def test_danger_said_while_an_extension_rings_is_answered_at_once(ringing: Ringing) -> None:
    """It rings on meanwhile; nobody there, the people for emergencies are called."""
    people = (PhonePerson(extension="201", emergencies="never"), PhonePerson(extension="300", emergencies="only"))
    one = await ringing(people=people)
    caller = FakeCall(extensions={"201": Rings(408), "300": TAKES})
    _, talk = await one.called(Digit("0"), WhileItRings(Says("hello?")), WhileItRings(Says(CHEST)), call=caller)
    assert talk.words.index("Call 911 now.") < talk.words.index("I am now calling the clinic's staff")
    assert (caller.tried, caller.given_to) == (["201", "300"], "300")
    assert len(await one.clinic.alerts.list()) == 1
    assert (await one.record()).call.reason == "staff_emergency"


async def test_who_hangs_up_while_an_extension_rings_leaves_it_in_peace(ringing: Ringing) -> None:
    one = await ringing()
    caller = FakeCall(extensions={"201": Rings(), "202": TAKES})
    await one.called(Digit("0"), WhileItRings(HANGS_UP), call=caller)
    assert (caller.tried, caller.ringing, caller.given_to) == (["201"], 0, None)


async def test_silence_while_an_extension_rings_is_filled(ringing: Ringing) -> None:
    one = await ringing()
    caller = FakeCall(extensions={"201": Rings(408), "202": TAKES})
    _, talk = await one.called(Digit("0"), WhileItRings(SILENCE), WhileItRings(SILENCE), call=caller)
    assert talk.words.count("I am still trying to reach somebody.") == 2


async def test_impatient_keys_while_it_rings_choose_nothing(ringing: Ringing) -> None:
    one = await ringing()
    caller = FakeCall(extensions={"201": Rings(408)})
    _, talk = await one.called(Digit("0"), WhileItRings(Digit("0")), Types("2"), Types("1"), call=caller)
    assert "Nobody can take your call right now. | To leave a message" in talk.words
    assert (await one.record()).call.outcome == "callback"


async def test_an_emergency_stays_one_whatever_is_pressed_after_it(ringing: Ringing) -> None:
    people = (PhonePerson(extension="201", emergencies="never"), PhonePerson(extension="300", emergencies="only"))
    one = await ringing(people=people)
    caller = FakeCall(extensions={"300": Rings(408), "201": TAKES})
    _, talk = await one.called(Says(CHEST), WhileItRings(Digit("0")), Digit("0"), HANGS_UP, call=caller)
    assert caller.tried == ["300", "300"]
    assert talk.words.count("Nobody at the clinic answers. Hang up now and call 911.") == 2
    assert (await one.record()).call.reason == "staff_emergency"


async def test_who_is_not_reached_twice_in_an_emergency_can_leave_a_message(ringing: Ringing) -> None:
    one = await ringing()
    script = (Says(CHEST), Digit("0"), Types("1"), Says("This is Ana Ruiz."), SILENCE)
    _, talk = await one.called(*script, call=FakeCall())
    assert talk.words.count("Hang up now and call 911.") == 2 and "Your message goes" in talk.words
    assert any("Ana Ruiz" in turn.text for turn in await one.history())


async def test_danger_in_a_voice_message_keeps_the_message_too(ringing: Ringing) -> None:
    one = await ringing()
    caller = FakeCall(extensions={"201": 486, "202": 486})
    _, talk = await one.called(Digit("0"), Says(CHEST), call=caller)
    assert caller.tried == ["201", "202"] * 2 and talk.words.count("Call 911 now.") == 1
    assert "Your message goes to the clinic's staff." in talk.words
    assert any("Voice message" in turn.text for turn in await one.history())


async def test_where_nobody_can_be_called_no_connection_is_promised(ringing: Ringing) -> None:
    one = await ringing(people=())
    _, talk = await one.called(Says("Can I talk to a person?"), HANGS_UP)
    assert "connecting" not in talk.words and "Nobody can take your call right now." in talk.words
    assert "connecting" not in (await one.history())[-1].text
    _, talk = await one.called(Says(CHEST), HANGS_UP)
    assert "calling the clinic's staff" not in talk.words and "Hang up now and call 911." in talk.words


async def test_an_empty_message_is_asked_for_once_more(ringing: Ringing) -> None:
    one = await ringing()
    _, talk = await one.called(Digit("0"), SILENCE, Types("1"), Says("Please call me about my bill."), SILENCE)
    assert "I did not hear a message. | To leave a message, press 1" in talk.words
    (case,) = await one.clinic.desk.queue()
    assert "my bill" in case.summary


async def test_staff_read_what_a_caller_left_in_their_own_language(ringing: Ringing) -> None:
    one = await ringing(line=PhoneLine(name="main", extension="100", language="zh"))
    await one.called(Digit("0"), Types("2"), Types("1"))
    await one.called(Digit("0"), Says("请给我回电话。", language="zh"), SILENCE)
    left, wish = sorted(case.summary for case in await one.clinic.desk.queue())
    assert left.startswith("Voice message of") and left.endswith("from +15035550123: 请给我回电话。")
    assert wish == "Wants to be called back: +15035550123"


async def test_words_of_a_weakly_recognised_language_are_not_told_to_staff_as_if_said(ringing: Ringing) -> None:
    one = await ringing(line=PhoneLine(name="main", extension="100", language="hi"))
    await one.called(Digit("3"), Says("बिल के बारे में", language="hi"), SILENCE)
    (case,) = await one.clinic.desk.queue()
    assert "बिल" not in case.summary and "listen to the recording" in case.summary


async def test_who_chose_a_language_by_mistake_chooses_again(ringing: Ringing) -> None:
    one = await ringing(line=PhoneLine(name="main", extension="100"))
    _, talk = await one.called(
        Digit("4"), Digit("9"), Digit("1"), Says("When is Main Street open on Monday?"), HANGS_UP
    )
    assert ("दूसरी भाषा के लिए 9 दबाइए।", "hi") in talk.said and talk.said.count(("For English, press 1.", "en")) == 2
    assert "8:00 to 17:00" in talk.words and (await one.record()).call.language == "en"


async def test_star_repeats_the_menu_where_that_was_said_last(ringing: Ringing) -> None:
    one = await ringing(line=PhoneLine(name="main", extension="100", language="hi"))
    _, talk = await one.called(Digit("1"), SILENCE, Digit("*"), HANGS_UP)
    assert talk.words.count("8:00") == 1 and talk.words.count("खुलने के समय के लिए 1 दबाइए") == 3


async def test_a_language_that_is_a_guess_is_not_kept(ringing: Ringing) -> None:
    one = await ringing(line=PhoneLine(name="main", extension="100"))
    guessed = Says("हैलो", language="hi", sure=0.4)
    _, talk = await one.called(guessed, Says("When is Main Street open on Monday?", sure=0.9), HANGS_UP)
    assert "8:00 to 17:00" in talk.words and (await one.record()).call.language == "en"


async def test_the_disclosure_is_said_in_the_language_that_is_spoken(ringing: Ringing) -> None:
    """By key, and by words: before the first answer."""
    one = await ringing(line=PhoneLine(name="main", extension="100"), recording="announce")
    for script in ((Digit("2"),), (Says("¿A qué hora abre Main Street el lunes?", language="es"),)):
        _, talk = await one.called(*script, Says("¿Y el martes?", language="es"), HANGS_UP)
        told = [language for words, language in talk.said if "Esta llamada se graba" in words]
        assert told == ["es"]
        events = [event.detail for event in (await one.record()).events if event.what == "recording"]
        assert events == ["begun", "not announced", "begun"]


async def test_a_recording_that_was_not_announced_in_the_callers_language_is_not_kept(ringing: Ringing) -> None:
    one = await ringing(line=PhoneLine(name="main", extension="100"), recording="announce")
    await one.called(Says("Me duele mucho el pecho y no puedo respirar", language="es"), HANGS_UP)
    whole = await one.record()
    assert whole.call.language == "es" and whole.recordings == ()


async def test_a_key_for_a_language_counts_after_a_wish_for_another(ringing: Ringing) -> None:
    one = await ringing()
    script = (Says("Spanish please"), Digit("1"), Says("When is Main Street open on Monday?"), HANGS_UP)
    _, talk = await one.called(*script)
    assert (await one.record()).call.language == "en"
    assert talk.said[-1][0].startswith("About times, the clinic's documents say:")


async def test_a_call_that_has_become_long_goes_to_people(ringing: Ringing) -> None:
    one = await ringing(call_minutes=1)
    caller = FakeCall(extensions={"201": TAKES})
    watched = one.clinic.assistant.partial

    def slow(text: str) -> object:
        one.seconds += 100
        return watched(text)

    one.clinic.assistant.partial = slow  # type: ignore[method-assign, assignment]  # the one thing that every turn asks
    await one.called(Says("When is Main Street open on Monday?"), Says("and parking?"), call=caller)
    assert caller.given_to == "201"


async def test_calls_leave_nothing_behind(ringing: Ringing) -> None:
    one = await ringing()
    before = len(asyncio.all_tasks())
    for _ in range(30):
        await one.called(Says("When is Main Street open on Monday?"), HANGS_UP)
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) == before
    assert one.live._unfinished == {} and one.live._callers == set()
    assert len(await one.clinic.calls.newest(100)) == 30


async def test_calls_that_a_dead_process_left_are_told_as_lost(ringing: Ringing) -> None:
    one = await ringing()
    conversation, _ = await one.clinic.conversations.create("phone")
    await one.clinic.calls.begin(conversation, line=LINE.name, caller="", site=None)
    assert await one.clinic.calls.settle() == 1
    assert (await one.record()).call.outcome == "lost"
