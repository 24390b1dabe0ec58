"""The same question is answered from memory; a near miss, a changed document or a word of one person never is."""

from __future__ import annotations

import tomllib
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from prometheus_client import REGISTRY

from appliance.assistant.approved import Asking
from appliance.assistant.likeness import Reader
from appliance.assistant.quote import Quote
from appliance.assistant.remembered import Remembered, personal
from appliance.assistant.signatures import SignedAnswer, Wording
from appliance.evaluation.rehearsal import rehearsing
from appliance.knowledge.glossary import Glossary
from appliance.message import LANGUAGES, DocumentId, Language
from models.scripted import ScriptedChat
from tests.say import Appliance, appliance

HERE = Path(__file__).parent
PAIRS = tomllib.loads((HERE / "remembered.toml").read_text("utf-8"))
SITES = ("Breakwater", "Cannery", "Spruce Hollow")
READER = Reader(Glossary.load(HERE / "no glossary of its own"))
NOBODY = personal("the word files are read here, not in the loop")
HOURS = "# Hours\n\n## Pharmacy\n\nThe pharmacy is open Monday to Friday from {}.\n"


class Asked:
    """A memory, and how often the documents were looked at."""

    def __init__(self, *, most: int = 512) -> None:
        self.edition = "first"
        self.looked = 0
        self.memory = Remembered(READER, self._edition, most=most)

    async def ask(self, text: str, language: Language = "en", *, at: str | None = None, near: float = 1.0) -> Quote:
        """All meanings are as near as ``near``: what tells two questions apart is not the vectors."""
        row = np.array([[near, (1 - near**2) ** 0.5]], dtype=np.float32)
        asking = Asking(text=text, language=language, meaning=row, sites=SITES, at=at)
        found = await self.memory.quote(asking, self._look)
        assert found
        return found

    async def _edition(self) -> str:
        return self.edition

    async def _look(self) -> Quote:
        self.looked += 1
        return Quote(chosen=(), probability=1 / self.looked, asked=frozenset())


def test_there_are_enough_near_misses_to_mean_something() -> None:
    assert sum(map(len, PAIRS["near"].values())) >= 60
    assert set(PAIRS["near"]) == set(PAIRS["same"]) == set(LANGUAGES)


@pytest.mark.parametrize(("language", "one", "other"), [(k, *pair) for k, v in PAIRS["near"].items() for pair in v])
async def test_a_near_miss_is_never_answered_with_the_other(language: Language, one: str, other: str) -> None:
    asked = Asked()
    await asked.ask(one, language)
    await asked.ask(other, language)
    assert asked.looked == 2
    assert asked.memory.counts["anew"] == 2, "what is not kept proves nothing"


def _signed() -> list[tuple[Language, str, list[str], list[str]]]:
    """Questions of signed answers and the near misses of them, written for something else and by somebody else."""
    tried: dict[str, dict[Language, dict[str, list[str]]]] = tomllib.loads((HERE / "approved.toml").read_text("utf-8"))
    rows = []
    for answer, languages in tried.items():
        for language, kinds in languages.items():
            same = [text for kind, texts in kinds.items() if kind.endswith("match") for text in texts]
            other = [text for kind, texts in kinds.items() if kind.endswith("other") for text in texts]
            rows.append((language, answer, same, other))
    return rows


@pytest.mark.parametrize(("language", "answer", "same", "other"), _signed())
async def test_near_misses_of_signed_answers_are_no_hits_either(
    language: Language, answer: str, same: list[str], other: list[str]
) -> None:
    asked = Asked()
    for text in same:
        await asked.ask(text, language)
    before = dict(asked.memory.counts)
    for text in other:
        await asked.ask(text, language)
    counts = asked.memory.counts
    assert (counts["same"], counts["alike"]) == (before["same"], before["alike"]), answer


@pytest.mark.parametrize("language", LANGUAGES)
async def test_most_other_wordings_of_a_question_are_answered_from_memory(language: Language) -> None:
    asked = Asked()
    for one, other in PAIRS["same"][language]:
        first = await asked.ask(one, language)
        again = await asked.ask(other, language)
        assert again is first or again.probability < first.probability
    assert asked.memory.counts["alike"] >= len(PAIRS["same"][language]) / 2


async def test_the_same_words_are_not_looked_up_twice_however_they_are_written() -> None:
    asked = Asked()
    first = await asked.ask("When is the pharmacy open?")
    assert await asked.ask("  when is the PHARMACY open ") is first
    assert asked.memory.counts == {"same": 1, "alike": 0, "anew": 1, "personal": 0}


async def test_another_meaning_of_the_same_slots_is_looked_up() -> None:
    asked = Asked()
    await asked.ask("When is the pharmacy open?")
    await asked.ask("Pharmacy: when open, please?", near=0.5)
    assert asked.looked == 2


async def test_another_site_language_or_edition_is_another_question() -> None:
    asked = Asked()
    await asked.ask("When is the pharmacy open?", at="Cannery")
    await asked.ask("When is the pharmacy open?", at="Breakwater")
    await asked.ask("When is the pharmacy open?")
    await asked.ask("When is the pharmacy open?", "es")
    assert asked.looked == 4
    asked.edition = "second"
    await asked.ask("When is the pharmacy open?")
    assert asked.looked == 5 and len(asked.memory) == 1, "what was true before is forgotten"


async def test_what_changes_while_it_is_looked_up_is_not_kept() -> None:
    asked = Asked()

    async def look() -> Quote:
        asked.edition = "second"
        await asked.ask("When is the lab open?")
        return Quote(chosen=(), probability=1.0, asked=frozenset())

    meaning = np.ones((1, 2), dtype=np.float32)
    asking = Asking(text="When is the pharmacy open?", language="en", meaning=meaning, sites=SITES, at=None)
    await asked.memory.quote(asking, look)
    await asked.ask("When is the pharmacy open?")
    assert asked.memory.counts["same"] == asked.memory.counts["alike"] == 0


async def test_the_memory_is_bounded_and_the_longest_unasked_goes_first() -> None:
    asked = Asked(most=2)
    for text in (
        "When is the pharmacy open?",
        "When is the lab open?",
        "When is the pharmacy open?",
        "Is there parking?",
    ):
        await asked.ask(text)
    assert len(asked.memory) == 2 and asked.looked == 3
    await asked.ask("When is the pharmacy open?")
    assert asked.looked == 3
    await asked.ask("When is the lab open?")
    assert asked.looked == 4


async def test_with_none_kept_everything_is_looked_up() -> None:
    asked = Asked(most=0)
    await asked.ask("When is the pharmacy open?")
    await asked.ask("When is the pharmacy open?")
    assert asked.looked == 2 and "nothing" in asked.memory.words()


@pytest.mark.parametrize(
    "text",
    [
        "When will my test results be there?",
        "My name is Ana, when are you open?",
        "Is my appointment on Friday?",
        "I was born on 3/4/1980, can I get the shot?",
        "Please call me at 555-0100",
        "write to ana@example.org",
        "¿Ya están los resultados de mi examen?",
        "Me llamo Rosa, ¿a qué hora abren?",
        "mi cita es el viernes?",
        "我的化验结果出来了吗？",
        "我叫王明，你们几点开门？",
        "मेरी रिपोर्ट कब आएगी?",
        "मेरा नाम अनीता है, आप कब खुलते हैं?",
        "meri report kab aayegi",
        "मरीज नंबर ५५५०१००",
    ],
)
def test_what_tells_of_one_person_is_personal(text: str) -> None:
    assert personal(text) and not NOBODY


async def test_what_names_somebody_or_is_personal_is_never_kept() -> None:
    asked = Asked()
    for text in ("Can Rosalind come in on Friday?", "Are my results there?"):
        await asked.ask(text)
        await asked.ask(text)
    assert asked.looked == 4 and len(asked.memory) == 0 and asked.memory.counts["personal"] == 4


async def test_no_word_of_a_question_is_in_the_memory() -> None:
    asked = Asked()
    await asked.ask("When is the zebrafish counter open?")
    held: list[Any] = [vars(asked.memory)]
    assert "zebra" not in repr([list(asked.memory._same.items()), list(asked.memory._alike.items()), held]).casefold()


@pytest_asyncio.fixture
async def house(tmp_path: Path) -> AsyncIterator[Appliance]:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "hours.md").write_text(HOURS.format("8:30 to 17:00"))
    async with appliance(tmp_path, documents=[tmp_path / "documents"]) as opened:
        yield opened


async def test_a_patient_asks_again_and_a_changed_document_answers_anew(house: Appliance, tmp_path: Path) -> None:
    question, counts = "When is the pharmacy open?", house.assistant.remembered.counts
    first = await house.say(question)
    again = await house.say(question)
    assert first.kind == "quoted" and again.parts == first.parts and counts["same"] == 1
    (tmp_path / "documents" / "hours.md").write_text(HOURS.format("9:00 to 18:00"))
    await house.clinic.library.learn([tmp_path / "documents"])
    assert "18:00" in (await house.say(question)).text
    await house.clinic.library.remove(DocumentId("hours.md"))
    assert (await house.say(question)).kind != "quoted"


async def test_what_somebody_signs_or_withdraws_counts_at_once(house: Appliance) -> None:
    question, today = "When is the pharmacy open?", await house.clinic.approved.today()
    assert (await house.say(question)).kind == "quoted"
    signed = SignedAnswer(
        id="pharmacy-hours",
        signed_by="Ana Ruiz",
        role="manager",
        signed_on=today,
        valid_from=today - timedelta(days=1),
        valid_until=today + timedelta(days=1),
        review_by=today + timedelta(days=1),
        en=Wording(questions=(question,), answer="Until noon this week."),
    )
    await house.clinic.approved.take([signed], by="test")
    assert (await house.say(question)).kind == "signed"
    await house.clinic.approved.withdraw("pharmacy-hours", by="test")
    assert (await house.say(question)).kind == "quoted"


async def test_after_a_red_flag_nothing_is_kept_or_answered_from_memory(house: Appliance) -> None:
    await house.say("When is the pharmacy open?")
    before = dict(house.assistant.remembered.counts)
    async with house.conversing("socket") as patient:
        await patient.say("I can't breathe, my chest hurts badly")
        assert (await patient.say("When is the pharmacy open?")).kind == "quoted"
    assert house.assistant.remembered.counts == before


async def test_a_rehearsal_is_not_answered_from_memory(house: Appliance) -> None:
    tried = rehearsing(house.clinic).assistant
    before, house.assistant = house.assistant, tried
    for _ in range(2):
        await house.say("When is the pharmacy open?")
    assert not any(tried.remembered.counts.values()) and not any(before.remembered.counts.values())


async def test_the_share_from_memory_is_told_and_counted(house: Appliance) -> None:
    counted = REGISTRY.get_sample_value("medinovai_looked_up_total", {"how": "same"}) or 0
    for _ in range(2):
        await house.say("When is the pharmacy open?")
    assert house.assistant.remembered.words() == "1 of 2 answers from memory, 1 kept"
    assert REGISTRY.get_sample_value("medinovai_looked_up_total", {"how": "same"}) == counted + 1


async def test_that_nothing_was_found_is_remembered_too(house: Appliance) -> None:
    question = "Do you repair bicycles?"
    assert [(await house.say(question)).kind for _ in range(2)] == ["unknown", "unknown"]
    assert house.assistant.remembered.counts["same"] == 1


async def test_a_follow_up_is_neither_kept_nor_answered_from_memory(house: Appliance) -> None:
    async with house.conversing("terminal") as patient:
        await patient.say("When is the pharmacy open?")
        before = dict(house.assistant.remembered.counts)
        followed = await patient.say("and on Friday?")
    assert any(one.code == "understood_as" for one in followed.notices)
    assert house.assistant.remembered.counts == before


@pytest.mark.parametrize("text", ["I can't breathe, my chest hurts badly", "hello", "How much ibuprofen can I take?"])
async def test_emergencies_greetings_and_what_is_declined_never_reach_the_memory(house: Appliance, text: str) -> None:
    await house.say(text)
    assert not any(house.assistant.remembered.counts.values())


async def test_a_model_that_may_write_sees_the_passages_every_time(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "hours.md").write_text(HOURS.format("8:30 to 17:00"))
    async with appliance(tmp_path, documents=[tmp_path / "documents"], chat=ScriptedChat()) as opened:
        opened.assistant = opened.writing(opened.chat)
        await opened.say("When is the pharmacy open?")
        assert not any(opened.assistant.remembered.counts.values())
