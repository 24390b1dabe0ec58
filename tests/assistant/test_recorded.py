"""What was said is what is recorded: an answer closed, cancelled or repeated at any point."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from appliance.assistant.answer import Assistant
from appliance.conversations.turns import Conversations, Turn
from appliance.message import AnswerKind, Language, Message, Opening, Part, Text
from models.scripted import Line, ScriptedChat
from tests.say import CHANNELS, Appliance, Channel, Held, Said, answered, message

pytestmark = pytest.mark.asyncio(loop_scope="session")

QUESTIONS = [
    "How much is a sports physical?",
    "针灸初诊多少钱？",
    "योग कक्षा कब होती है?",
    "Do you sell bicycles?",
    "I want to talk to a person",
    "hello",
    "I have crushing chest pain",
]
CUTS = st.integers(1, 200)
WRITTEN = "A sports physical costs $40 [1]. Office visit without insurance: price $95 [1]."


async def asked(clinic: Appliance, text: str, name: str | None = None) -> Message:
    conversation, _ = await clinic.conversations.create("terminal")
    return message(text, conversation, name=name)


async def cut(assistant: Assistant, one: Message, at: int) -> tuple[Part, ...]:
    """The first parts, then the listener leaves."""
    said: list[Part] = []
    async with aclosing(assistant.answer(one)) as parts:
        async for part in parts:
            said.append(part)
            if len(said) == at:
                break
    return tuple(said)


async def recorded(clinic: Appliance, one: Message) -> Turn:
    turns = await clinic.history(one.conversation)
    assert [turn.role for turn in turns] == ["patient", "assistant"]
    assert turns[0].text == one.text
    return turns[1]


def agrees(turn: Turn, parts: tuple[Part, ...]) -> bool:
    return turn.parts == parts and turn.text == "".join(part.text for part in parts if isinstance(part, Text))


@given(text=st.sampled_from(QUESTIONS), at=CUTS)
@settings(deadline=None, max_examples=60)
async def test_a_listener_who_leaves_after_any_part_was_told_what_is_recorded(clinic: Appliance, text: str, at: int):
    whole = len((await answered(clinic.assistant, await asked(clinic, text))).parts)
    one = await asked(clinic, text)
    parts = await cut(clinic.assistant, one, at)
    turn = await recorded(clinic, one)
    assert agrees(turn, parts) and len(parts) == min(at, whole)
    assert turn.complete == (at > whole)
    assert turn.kind == next(part.kind for part in parts if isinstance(part, Opening))


@given(at=CUTS)
@settings(deadline=None, max_examples=20)
async def test_a_listener_who_leaves_a_written_answer_stops_the_model(clinic: Appliance, at: int):
    chat = ScriptedChat()
    chat.enqueue(WRITTEN)
    one = await asked(clinic, "How much is a sports physical?")
    parts = await cut(clinic.writing(chat), one, at)
    assert agrees(await recorded(clinic, one), parts)
    first_sentence = 7
    assert at >= 3 or chat.tokens_written <= first_sentence + 1, "it went on writing for nobody"


@given(text=st.sampled_from(QUESTIONS), at=CUTS)
@settings(deadline=None, max_examples=40)
async def test_cancelling_the_task_at_any_part_records_what_was_said(clinic: Appliance, text: str, at: int):
    one = await asked(clinic, text)
    said: list[Part] = []
    reached = asyncio.Event()

    async def listen() -> None:
        async with aclosing(clinic.assistant.answer(one)) as parts:
            async for part in parts:
                said.append(part)
                if len(said) == at:
                    reached.set()
                    await asyncio.Event().wait()
        reached.set()

    task = asyncio.create_task(listen())
    async with asyncio.timeout(30):
        await reached.wait()
    task.cancel()
    await asyncio.wait([task])
    turn = await recorded(clinic, one)
    assert agrees(turn, tuple(said)) and turn.complete == (len(said) < at)


async def test_cancelling_while_the_documents_are_searched_records_an_answer_without_words(clinic: Appliance):
    one = await asked(clinic, "How much is a sports physical?")
    with clinic.ear.waiting() as asking:
        task = asyncio.create_task(answered(clinic.assistant, one))
        async with asyncio.timeout(30):
            await asking.wait()
        task.cancel()
        await asyncio.wait([task])
    turn = await recorded(clinic, one)
    assert task.cancelled() and turn.parts == () and not turn.complete


async def test_cancelling_while_the_model_writes_records_the_sentences_that_were_said(clinic: Appliance):
    chat, held = ScriptedChat(), Held()
    chat.enqueue(Line(text=WRITTEN, held=held))
    one = await asked(clinic, "How much is a sports physical?")
    task = asyncio.create_task(answered(clinic.writing(chat), one))
    async with asyncio.timeout(30):
        await held.reached.wait()
    task.cancel()
    await asyncio.wait([task])
    turn = await recorded(clinic, one)
    assert task.cancelled() and turn.parts == () and not turn.complete and chat.tokens_written == 0


class Slow(Conversations):
    """A record whose last write waits to be let go."""

    def __init__(self, clinic: Appliance) -> None:
        super().__init__(clinic.clinic.database)
        self.held = Held()

    async def finish(
        self, message: Message, said: Sequence[Part], *, kind: AnswerKind, language: Language, complete: bool
    ) -> None:
        await self.held.wait()
        await super().finish(message, said, kind=kind, language=language, complete=complete)


async def test_cancelling_while_the_answer_is_being_recorded_does_not_lose_it(clinic: Appliance):
    slow = Slow(clinic)
    one = await asked(clinic, "How much is a sports physical?")
    task = asyncio.create_task(answered(clinic.recording(slow), one))
    async with asyncio.timeout(30):
        await slow.held.reached.wait()
    task.cancel()
    slow.held.set()
    await asyncio.wait([task])
    assert task.cancelled() and "$40" in (await recorded(clinic, one)).text


@pytest.mark.parametrize("text", QUESTIONS)
@pytest.mark.parametrize("via", CHANNELS)
async def test_a_message_sent_twice_is_answered_once_and_told_again(clinic: Appliance, text: str, via: Channel):
    name = "11111111-2222-4333-8444-555555555555"
    async with clinic.conversing(via) as patient:
        first = await patient.say(text, name=name)
        heard = len(clinic.ear.heard)
        second = await patient.say(text, name=name)
        assert second == first
        assert len(clinic.ear.heard) == heard
        assert len(await clinic.history(patient.id)) == 2


@given(text=st.sampled_from(QUESTIONS), at=CUTS)
@settings(deadline=None, max_examples=20)
async def test_a_message_whose_answer_was_cut_is_told_as_far_as_it_was(clinic: Appliance, text: str, at: int):
    one = await asked(clinic, text)
    parts = await cut(clinic.assistant, one, at)
    assert (await answered(clinic.assistant, one)).parts == parts


async def test_a_message_kept_before_a_crash_is_answered_when_it_comes_again(clinic: Appliance):
    one = await asked(clinic, "How much is a sports physical?")
    await clinic.conversations.begin(one)
    assert "$40" in (await answered(clinic.assistant, one)).text
    assert (await recorded(clinic, one)).complete


async def test_the_same_text_with_another_id_is_another_message(clinic: Appliance):
    conversation, _ = await clinic.conversations.create("terminal")
    told = [await answered(clinic.assistant, message("hello", conversation)) for _ in range(2)]
    assert told[0].parts == told[1].parts and len(await clinic.history(conversation)) == 4


async def test_the_person_button_is_recorded_like_a_message(clinic: Appliance):
    one = await asked(clinic, "")
    async with aclosing(clinic.assistant.person(one)) as parts:
        said = Said(parts=tuple([part async for part in parts]))
    turn = await recorded(clinic, one)
    assert said.kind == turn.kind == "contact" and "(541) 555-0100" in said.numbers and agrees(turn, said.parts)


@given(st.text(st.characters(codec="utf-8"), max_size=80) | st.text(st.sampled_from("a 药，।िñ\n-😀𠀀"), max_size=40))
@settings(deadline=None)
async def test_any_message_is_answered_and_its_parts_join_to_the_recorded_text(clinic: Appliance, text: str):
    one = await asked(clinic, text)
    said = await answered(clinic.assistant, one)
    assert said.kind and agrees(await recorded(clinic, one), said.parts)
