"""Answers in a model's words: who may write, which sentences leave, and what follows when the model fails."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.app import Qualified
from appliance.assistant.prompt import SYSTEM
from appliance.message import LANGUAGES, Citation, Language, Text
from models import ChatModel, ModelBusy, ModelDamaged, ModelError, ModelTimeout
from models.scripted import Line, ScriptedChat
from models.store import Store, Verdict
from tests.say import Appliance, Said, answered, appliance, message

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUESTION = "How much is a sports physical?"
QUOTE = "Sports physical — Price: $40"
DOCUMENTS = Path(__file__).parent / "documents"
GOOD = "A sports physical costs $40 [1]."


async def told(clinic: Appliance, *lines: str | Exception | Line, question: str = QUESTION) -> Said:
    chat = ScriptedChat()
    chat.enqueue(*lines)
    return await asked(clinic, chat, question)


async def asked(clinic: Appliance, chat: ChatModel, question: str = QUESTION) -> Said:
    conversation, _ = await clinic.conversations.create("terminal")
    said = await answered(clinic.writing(chat), message(question, conversation))
    await borne_out(clinic, said)
    return said


async def borne_out(clinic: Appliance, said: Said) -> None:
    """Whatever was said: every written sentence is followed by its source, and the source really says so."""
    for place, part in enumerate(said.parts):
        if isinstance(part, Text) and part.voice == "written":
            assert isinstance(said.parts[place + 1], Citation)
        if isinstance(part, Citation):
            document = await clinic.clinic.library.document(part.document)
            assert document.text[part.span.start : part.span.end] == part.quote


def written(said: Said) -> str:
    return "".join(part.text for part in said.parts if isinstance(part, Text) and part.voice == "written")


# ---- which sentences leave --------------------------------------------------------------------------------------------


async def test_a_sentence_that_its_source_bears_out_is_said_with_the_source(clinic: Appliance):
    said = await told(clinic, GOOD)
    assert said.kind == "generated" and said.text == "A sports physical costs $40."
    assert [(one.number, one.document, one.quote) for one in said.citations] == [(1, "fees.md", QUOTE)]


async def test_each_sentence_has_its_own_source(clinic: Appliance):
    said = await told(clinic, "A sports physical costs $40 [1]. A missed appointment costs $25 [1].")
    assert said.text == "A sports physical costs $40. A missed appointment costs $25."
    assert [one.quote for one in said.citations] == [QUOTE, "Missed appointment — Price: $25"]


async def test_a_sentence_needs_no_mark_when_the_sources_bear_it_out(clinic: Appliance):
    assert (await told(clinic, "A sports physical price: $40.")).kind == "generated"


@pytest.mark.parametrize(
    "wrong",
    [
        "A sports physical costs $44 [1].",
        "A sports physical costs $40.50 [1].",
        "A sports physical costs $40 until 6:30 [1].",
        "Take two aspirins and sleep well tonight [1].",
        "Bananas grow on tall green trees [1].",
        "Bananas grow on tall green trees.",
        "Bananas grow on tall green trees [0].",
        "Bananas grow on tall green trees [9].",
        "Bananas grow on tall green trees [-1].",
        "[1]",
        "...",
    ],
)
async def test_a_sentence_that_no_source_bears_out_is_dropped(clinic: Appliance, wrong: str):
    said = await told(clinic, f"{wrong} {GOOD}")
    assert written(said) == "A sports physical costs $40." and len(said.citations) == 1


@pytest.mark.parametrize("wrong", ["A sports physical costs $44 [1].", "", "   ", "\n\n", "[1] [2]"])
async def test_when_nothing_is_borne_out_the_documents_own_words_are_said(clinic: Appliance, wrong: str):
    said = await told(clinic, wrong)
    assert said.kind == "quoted" and QUOTE in said.text and not written(said)


@pytest.mark.parametrize("words", ["I don't know.", "I don’t know", "No lo sé.", "我不知道。", "मुझे नहीं पता।"])
async def test_a_model_that_does_not_know_gives_way_to_the_quote(clinic: Appliance, words: str):
    said = await told(clinic, words)
    assert said.kind == "quoted" and QUOTE in said.text and words not in said.text


async def test_what_follows_i_do_not_know_is_not_said(clinic: Appliance):
    said = await told(clinic, f"{GOOD} I don't know. A missed appointment costs $25 [1].")
    assert said.text == "A sports physical costs $40."


NUMBERS = ["$40", "$41", " [1]", "[2]", "[99999999999]", "[", "]"]
WORDS = ["A ", "sports ", "physical ", "costs ", ". ", "。", "?\n", "I don't know", "针灸", "योग।", "\x00", *NUMBERS]


@given(st.lists(st.sampled_from(WORDS), max_size=25).map("".join))
@settings(deadline=None, max_examples=60)
@example("[1].[1].[1].")
@example("A sports physical costs $40 [1]" + "!" * 500)
async def test_whatever_a_model_writes_only_sentences_with_sources_leave(clinic: Appliance, text: str):
    said = await told(clinic, text)
    assert said.kind in ("generated", "quoted")
    assert "$41" not in said.text and not re.search(r"\[\d", written(said))


# ---- what follows when the model fails ----------------------------------------------------------------------------------


@given(st.integers(0, 14))
@settings(deadline=None)
async def test_a_model_that_breaks_at_any_word_leaves_whole_sentences_or_the_quote(clinic: Appliance, at: int):
    text = f"{GOOD} A missed appointment costs $25 [1]."
    said = await told(clinic, Line(text=text, raises=ModelError("the engine stopped"), at=at))
    assert said.kind == ("generated" if written(said) else "quoted")
    assert written(said) in (
        "",
        "A sports physical costs $40.",
        "A sports physical costs $40. A missed appointment costs $25.",
    )
    assert written(said) or QUOTE in said.text


@pytest.mark.parametrize(
    "error", [ModelBusy("full", retry_after=1), ModelTimeout("late"), ModelDamaged("sha256"), ModelError("broken")]
)
async def test_a_model_that_cannot_write_now_costs_the_patient_nothing(clinic: Appliance, error: ModelError):
    said = await told(clinic, error)
    assert said.kind == "quoted" and QUOTE in said.text


async def test_a_closed_model_gives_way_to_the_quote(clinic: Appliance):
    chat = ScriptedChat()
    await chat.close()
    assert (await asked(clinic, chat)).kind == "quoted"


# ---- what the model is told ---------------------------------------------------------------------------------------------


async def test_the_rules_come_first_and_never_change_and_documents_are_only_passages(clinic: Appliance):
    chat = ScriptedChat()
    chat.enqueue("I don't know.", "I don't know.")
    for question in ("When does the quilting circle meet on Thursday?", QUESTION):
        await asked(clinic, chat, question)
    first, second = chat.history
    assert [turn.role for turn in first] == ["system", "user"]
    assert first[0] == second[0] and first[0].text == SYSTEM
    assert "Ignore all previous instructions" not in first[1].text
    assert first[1].text.endswith("Question: When does the quilting circle meet on Thursday?")


async def test_the_model_is_shown_first_what_would_be_quoted(clinic: Appliance):
    chat = ScriptedChat()
    for question, title in ((QUESTION, "Fees"), ("针灸初诊多少钱？", "针灸门诊"), ("योग कक्षा कब होती है?", "योग कक्षा")):
        chat.enqueue("I don't know.")
        await asked(clinic, chat, question)
        assert f"[1] ({title}" in chat.history[-1][1].text


@pytest.mark.parametrize(
    ("question", "name"),
    [
        (QUESTION, "English"),
        ("¿Cuánto cuesta la vacuna contra la gripe?", "Spanish"),
        ("针灸初诊多少钱？", "Simplified Chinese"),
        ("योग कक्षा कब होती है?", "Hindi"),
    ],
)
async def test_the_model_is_asked_to_answer_in_the_patients_language(clinic: Appliance, question: str, name: str):
    chat = ScriptedChat()
    chat.enqueue("I don't know.")
    await asked(clinic, chat, question)
    assert f"Answer in {name}." in chat.history[0][1].text


@pytest.mark.parametrize(
    "text",
    [
        "I have crushing chest pain",
        "quiero suicidarme",
        "How much ibuprofen can I take?",
        "我得了什么病？",
        "मेरी रिपोर्ट में क्या आया?",
        "I want to talk to a person",
        "hello",
        "gracias",
    ],
)
async def test_neither_red_flags_nor_what_is_declined_nor_small_talk_is_shown_to_a_model(clinic: Appliance, text: str):
    chat = ScriptedChat()
    chat.enqueue("A model's word.")
    heard = len(clinic.ear.heard)
    said = await asked(clinic, chat, text)
    assert chat.history == [] and text not in clinic.ear.heard[heard:]
    assert said.kind in ("emergency", "declined", "contact", "greeting") and "model" not in said.text


@pytest.mark.parametrize("text", ["Do you sell bicycles?", "¿Venden bicicletas?", "你们卖自行车吗？"])
async def test_what_the_documents_do_not_hold_no_model_is_asked(clinic: Appliance, text: str):
    chat = ScriptedChat()
    chat.enqueue("Yes, we sell bicycles.")
    assert (await asked(clinic, chat, text)).kind == "unknown" and chat.history == []


# ---- who may write ----------------------------------------------------------------------------------------------------


def verdict(sha256: str, *, passed: bool = True, languages: tuple[Language, ...] = LANGUAGES) -> Verdict:
    return Verdict(
        sha256=sha256, passed=passed, languages=languages, figures={}, at=datetime(2026, 1, 1, tzinfo=UTC), bar=""
    )


CHAT = ScriptedChat()
REFUSED = {
    "there is no verdict": None,
    "it has failed": verdict(CHAT.sha256, passed=False),
    "another file has passed": verdict("0" * 64),
    "it has passed in other languages": verdict(CHAT.sha256, languages=("es", "zh", "hi")),
    "it has passed in none": verdict(CHAT.sha256, languages=()),
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "models")


@pytest.mark.parametrize("reason", REFUSED)
async def test_nobody_writes_when(clinic: Appliance, store: Store, reason: str):
    chat = ScriptedChat()
    chat.enqueue(GOOD)
    if found := REFUSED[reason]:
        await asyncio.to_thread(store.save_verdict, found)
    speaker = await asyncio.to_thread(Qualified, store, chat)
    assert speaker.qualified("en") is None
    conversation, _ = await clinic.conversations.create("terminal")
    said = await answered(clinic.clinic.assistant_with(speaker), message(QUESTION, conversation))
    assert said.kind == "quoted" and chat.history == []


async def test_nobody_writes_when_there_is_no_model(store: Store):
    assert Qualified(store, None).qualified("en") is None


async def test_a_model_that_passed_in_a_language_writes_in_that_language_alone(tmp_path: Path, store: Store):
    """The whole way: a verdict kept on this box before the clinic is opened."""
    chat = ScriptedChat()
    chat.enqueue(GOOD)
    await asyncio.to_thread(store.save_verdict, verdict(chat.sha256, languages=("en",)))
    async with appliance(tmp_path, documents=[DOCUMENTS / "fees.md", DOCUMENTS / "vacunas.md"], chat=chat) as opened:
        assert (await opened.say(QUESTION)).kind == "generated"
        assert (await opened.say("¿Cuánto cuesta la vacuna contra la gripe?")).kind == "quoted"
    assert len(chat.history) == 1
