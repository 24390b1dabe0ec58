"""What a follow-up is taken for, and that a question which stands by itself is left alone."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from datetime import timedelta
from importlib import resources
from itertools import pairwise
from pathlib import Path

import pytest

from appliance.assistant.followup import FollowUps, Understood
from appliance.assistant.signatures import SignedAnswer, Wording
from appliance.assistant.slots import Words
from appliance.conversations.turns import Turn
from appliance.evaluation.answers import questions
from appliance.knowledge.glossary import Glossary
from appliance.languages import detect
from appliance.message import (
    LANGUAGES,
    AnswerKind,
    Citation,
    DocumentId,
    Language,
    MessageId,
    Part,
    Span,
    now,
)
from tests.say import Appliance, appliance

CLINICS = Path(__file__).parents[1] / "clinics"
SITES = ("Main Street", "North")


@pytest.fixture(scope="module")
def followups() -> FollowUps:
    return FollowUps(Glossary.load())


def exchange(
    text: str,
    *,
    kind: AnswerKind = "quoted",
    language: Language | None = None,
    parts: Sequence[Part] = (),
    number: int = 0,
) -> list[Turn]:
    spoken = language or detect(text)
    name = MessageId(f"m{number}-{text}")
    return [
        Turn(message_id=name, role="patient", text=text, at=now()),
        Turn(message_id=name, role="assistant", text="", parts=tuple(parts), kind=kind, language=spoken, at=now()),
    ]


def cited(quote: str) -> Citation:
    return Citation(
        number=1, document=DocumentId("d"), revision=1, title="d", language="en", span=Span(start=0, end=1), quote=quote
    )


def taken(followups: FollowUps, *said: str, turns: Sequence[Turn] = ()) -> Understood | None:
    """The last of these messages, after the others."""
    *before, last = said
    earlier = [*turns, *(turn for number, text in enumerate(before) for turn in exchange(text, number=number))]
    read = followups.read(last, detect(last), sites=SITES)
    return followups.understood(read, earlier, sites=SITES) if read else None


def text(understood: Understood | None) -> str | None:
    return understood.text if understood else None


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        # a slot is replaced: a day by a day, a site by a site, for whom by for whom, a thing by a thing
        (["When is the pharmacy open on Monday?", "and on Saturdays?"], "When is the pharmacy open on Saturdays?"),
        (["When does Main Street open on Friday?", "what about North?"], "When does North open on Friday?"),
        (["How much is a cleaning for adults?", "and for children?"], "How much is a cleaning for children?"),
        (["How much is the flu shot at North?", "and the tetanus shot?"], "How much is the tetanus shot at North?"),
        (["¿Cuándo abre la farmacia los lunes?", "¿y los sábados?"], "¿Cuándo abre la farmacia los sábados?"),
        (["药房星期一几点开门？", "那周六呢？"], "药房周六几点开门?"),
        (["फार्मेसी सोमवार को कब खुलती है?", "और शनिवार को?"], "फार्मेसी शनिवार को कब खुलती है?"),
        (["pharmacy somvar ko kab khulti hai?", "aur shanivar ko?"], "pharmacy shanivar ko kab khulti hai?"),
        # what was not said before is added
        (["How much is a cleaning?", "and for children?"], "How much is a cleaning for children?"),
        (["Can I pay by cash at Main Street?", "and by check?"], "Can I pay by check at Main Street?"),
        # "the other site" is the one that was not spoken of
        (["When does Main Street open on Friday?", "what about the other site?"], "When does North open on Friday?"),
        (["¿A qué hora abre Main Street?", "¿y la otra sede?"], "¿A qué hora abre North?"),
        # another thing is asked of the same
        (["When is the flu shot given?", "how much is it?"], "how much is flu shot?"),
        (["Do you give flu shots at North?", "do I need an appointment?"], "do I need an appointment, flu shots, North?"),
        (["药房在哪里？", "电话多少？"], "电话多少,药房?"),
        (["Where is the pharmacy at North?", "is there parking there?"], "is there parking North?"),
        # of a whole question only the site stays
        (["Where is the pharmacy at North?", "and how much is a tetanus shot?"], "how much is a tetanus shot, North?"),
        # one follow-up after another
        (["When is the pharmacy open on Monday?", "and on Saturday?", "and the lab?"], "When is the lab open on Saturday?"),
        # a name that no document lists as a site's
        (["What days is the midwife at Riverside?", "and at Oak Hill?"], "What days is the midwife at Oak Hill?"),
        (["Do you take Aetna?", "and Kaiser?"], "Do you take Kaiser?"),
        (["Do you take Aetna?", "at Riverside?"], "Do you take Aetna at Riverside?"),
    ],
)  # fmt: skip
def test_a_follow_up_becomes_the_whole_question(followups: FollowUps, said: list[str], whole: str):
    assert text(taken(followups, *said)) == whole


@pytest.mark.parametrize(
    ("said", "whole", "shown"),
    [
        (["When is the pharmacy open on Monday at North?", "और शनिवार को?"], "फार्मेसी North शनिवार कितने बजे?",
         "फार्मेसी · North · शनिवार · कितने बजे"),
        (["फार्मेसी सोमवार को कब खुलती है?", "and on Saturday?"], "pharmacy Saturday what time?", "pharmacy · Saturday · what time"),
        (["药房星期一几点开门？", "¿y los sábados?"], "farmacia sábados a qué hora?", "farmacia · sábados · a qué hora"),
        (["¿Cuánto cuesta una limpieza dental para niños?", "那补牙呢？"], "补牙孩子多少钱?", "补牙 · 孩子 · 多少钱"),
    ],
)  # fmt: skip
def test_the_language_may_change_in_between(followups: FollowUps, said: list[str], whole: str, shown: str):
    understood = taken(followups, *said)
    assert understood is not None
    assert (understood.text, understood.shown) == (whole, shown)


@pytest.mark.parametrize(
    "alone",
    [
        "When is the laboratory open on Saturday?",
        "What are your opening hours?",
        "What time does North open?",
        "Do you take Medicaid?",
        "Is it free to get an HIV test?",
        "Is there parking at North?",
        "Are there evening appointments with the dentist?",
        "How much is a tetanus shot?",
        "¿A qué hora abren los sábados?",
        "¿Hay estacionamiento en North?",
        "¿Cuánto cuesta la vacuna del tétanos?",
        "¿Y cuánto cuesta la vacuna del tétanos?",
        "你们星期六几点开门？",
        "North几点开门？",
        "破伤风疫苗多少钱？",
        "आप शनिवार को कब खुलते हैं?",
        "टिटनेस का टीका कितने का है?",
        "tetanus ka tika kitne ka hai?",
        "hello",
        "and?",
        "ok",
    ],
)  # fmt: skip
def test_a_question_that_stands_by_itself_stays_as_it_is(followups: FollowUps, alone: str):
    assert taken(followups, "When is the flu shot given on Monday?", alone) is None


@pytest.mark.parametrize(
    ("before", "then", "follows"),
    [
        ("你们能查胆固醇吗？", "星期六几点开门？", False),
        ("药房星期一几点开门？", "星期六几点开门？", True),
        ("क्या आप कोलेस्ट्रॉल की जाँच करते हैं?", "शनिवार को कब खुलता है?", False),
        ("Where is the pharmacy?", "When open on Saturday?", True),
    ],
)
def test_when_it_opens_is_asked_of_what_has_a_door(followups: FollowUps, before: str, then: str, follows: bool):
    assert (taken(followups, before, then) is not None) == follows


@pytest.mark.parametrize("clinic", ["harbor", "lakeside"])
def test_of_the_clinics_questions_hardly_one_is_changed(followups: FollowUps, clinic: str):
    asked = questions(CLINICS / clinic / "questions.jsonl")
    changed = [
        one.id
        for before, one in pairwise(asked)
        if (read := followups.read(one.question, one.lang, sites=SITES))
        and followups.understood(read, exchange(before.question, language=before.lang), sites=SITES)
    ]
    assert len(changed) < len(asked) / 100, changed


@pytest.mark.parametrize("kind", ["greeting", "emergency", "declined", "trouble"])
def test_what_was_no_question_is_passed_over(followups: FollowUps, kind: AnswerKind):
    turns = [
        *exchange("When is the pharmacy open on Monday?"),
        *exchange("What should I take for my liver?", kind=kind),
    ]
    assert text(taken(followups, "and on Saturday?", turns=turns)) == "When is the pharmacy open on Saturday?"


def test_without_a_question_before_it_a_follow_up_stays_as_it_is(followups: FollowUps):
    assert taken(followups, "and on Saturdays?") is None


def test_a_question_still_being_answered_is_none_to_come_back_to(followups: FollowUps):
    asked, _ = exchange("When is the pharmacy open on Monday?")
    assert taken(followups, "and on Saturdays?", turns=[asked]) is None


def test_there_is_the_only_site_that_was_quoted(followups: FollowUps):
    one = exchange("Where is the pharmacy?", parts=[cited("The pharmacy is on the ground floor at North.")])
    two = exchange("Where is the pharmacy?", parts=[cited("There is a pharmacy at North and one at Main Street.")])
    assert text(taken(followups, "is there parking there?", turns=one)) == "is there parking North?"
    assert taken(followups, "is there parking there?", turns=two) is None


def test_nothing_is_said_that_nobody_has_said(followups: FollowUps):
    said = ["How much is the flu shot at North for adults?", "and on Saturdays?", "what about the tetanus shot?"]
    said.append("is there parking there?")
    spoken = set(" ".join(said).lower().replace("?", "").split())
    for end in range(2, len(said) + 1):
        words = text(taken(followups, *said[:end]))
        assert words and set(words.lower().replace("?", "").replace(",", "").split()) <= spoken


def test_a_value_shows_no_words(followups: FollowUps):
    read = followups.read("and on Saturdays?", "en", sites=SITES)
    assert "Saturday" not in repr([read, Understood(text="Saturday", shown="Saturday")])


def test_every_concept_of_the_file_is_in_the_glossary():
    words, glossary = Words.load(), Glossary.load()
    file = tomllib.loads((resources.files("appliance.assistant") / "followup.toml").read_text("utf-8"))
    lists = [file["when"], file["who"], *file["lists"].values(), *file["rivals"].values()]
    for name in {name for names in lists for name in names} - words.own_words.keys():
        assert glossary.concept(name).concepts  # raises KeyError for one that is not there


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_its_words(language: Language):
    words = Words.load()
    assert all(table[language] for table in words.own_words.values())
    assert all(table[language] for table in words.asked.values())


# ---- in the pipeline --------------------------------------------------------------------------------------------------


@pytest.mark.asyncio(loop_scope="session")
async def test_the_patient_sees_how_a_follow_up_was_taken(clinic: Appliance):
    async with clinic.conversing("terminal") as patient:
        first = await patient.say("When is Main Street open on Wednesday?")
        then = await patient.say("and on Saturdays?")
    assert [one.code for one in first.notices] == []
    assert then.parts[1] == then.notices[0] and then.notices[0].code == "understood_as"
    assert "Saturdays" in then.notices[0].text and "9:00 a.m. to 12:30 p.m." in then.text


@pytest.mark.asyncio(loop_scope="session")
async def test_without_a_conversation_the_same_words_are_taken_as_they_stand(clinic: Appliance):
    said = await clinic.say("and on Saturdays?")
    assert said.notices == [] or said.notices[0].code != "understood_as"


@pytest.mark.asyncio(loop_scope="session")
async def test_a_follow_up_may_be_the_question_of_a_signed_answer(tmp_path: Path):
    words = Wording(questions=("When is the pharmacy open on Saturdays?",), answer="From nine to noon.")
    signed = SignedAnswer(
        id="pharmacy-saturday",
        signed_by="Ana Ruiz",
        role="manager",
        signed_on=now().date(),
        valid_from=now().date() - timedelta(days=1),
        valid_until=now().date() + timedelta(days=30),
        review_by=now().date() + timedelta(days=20),
        en=words,
    )
    async with appliance(tmp_path) as house:
        await house.clinic.approved.take([signed], by="test")
        async with house.conversing("terminal") as patient:
            await patient.say("When is the pharmacy open on Mondays?")
            said = await patient.say("and on Saturdays?")
    assert (said.kind, said.notices[0].code) == ("signed", "understood_as")
    assert "From nine to noon." in said.text
