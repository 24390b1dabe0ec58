"""What every ChatModel promises, asked of the scripted twin and of a real model through llama.cpp."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from models import ChatTurn, ModelBusy, ModelError, ModelTimeout
from models.llama import LlamaChat
from models.scripted import Line, ScriptedChat

CAPITAL = [ChatTurn(role="user", text="What is the capital of France?")]
STORY = [ChatTurn(role="user", text="Write a long story about a dog that lost its way in the mountains.")]
UNHURRIED_S = 300.0
"""A busy machine writes slowly."""
LONG = "Once upon a time there was a dog that lived on a farm in the mountains with its people and their sheep. " * 8


@pytest.fixture(params=["scripted", pytest.param("llama", marks=pytest.mark.models)])
def chat(request: pytest.FixtureRequest) -> ScriptedChat | LlamaChat:
    if request.param == "llama":
        model: LlamaChat = request.getfixturevalue("session_llama")
        return model
    return ScriptedChat(queue=2)


def script(chat: ScriptedChat | LlamaChat, *texts: str) -> None:
    """A real model needs no script."""
    if isinstance(chat, ScriptedChat):
        chat.enqueue(*texts)


async def said(
    chat: ScriptedChat | LlamaChat, turns: list[ChatTurn], *, deadline_s: float = UNHURRIED_S, **how: Any
) -> list[str]:
    async with aclosing(chat.write(turns, deadline_s=deadline_s, **how)) as pieces:
        return [piece async for piece in pieces]


async def test_an_answer_comes_in_pieces_that_join_to_its_text(chat):
    script(chat, "The capital of France is Paris.")
    pieces = await said(chat, CAPITAL)
    assert len(pieces) > 3
    assert "capital of France is Paris" in "".join(pieces)


async def test_no_more_than_max_tokens_are_written(chat):
    script(chat, LONG)
    before = chat.tokens_written
    await said(chat, STORY, max_tokens=5)
    assert chat.tokens_written - before == 5


async def test_closing_the_answer_stops_the_engine_within_one_token(chat):
    script(chat, LONG)
    pieces = chat.write(STORY, max_tokens=160, deadline_s=UNHURRIED_S)
    await anext(pieces)
    await pieces.aclose()
    before = chat.tokens_written  # before we close, the engine runs on while this thread waits for its turn
    await chat.load()  # stands in line behind the answer: when it is through, the engine is free
    assert chat.tokens_written - before <= 1


async def test_with_no_time_left_it_times_out_at_once(chat):
    with pytest.raises(ModelTimeout):
        await said(chat, CAPITAL, deadline_s=0)


async def test_a_full_queue_says_busy_at_once_and_when_to_come_back(chat):
    script(chat, LONG, LONG, "Paris")
    asked = [chat.write(STORY, deadline_s=UNHURRIED_S) for _ in range(2)]
    async with aclosing(asked[0]) as first, aclosing(asked[1]) as second:
        await anext(first)
        waiting = asyncio.ensure_future(anext(second))
        await asyncio.sleep(0)
        with pytest.raises(ModelBusy) as busy:
            await said(chat, CAPITAL)
        assert busy.value.retry_after >= 1
        await waiting
    assert await said(chat, CAPITAL)  # and is free again when they have gone


async def test_two_who_ask_at_once_both_get_their_answer(chat):
    script(chat, "Paris, of course.", "Paris, of course.")
    first, second = await asyncio.gather(said(chat, CAPITAL), said(chat, CAPITAL))
    assert "Paris" in "".join(first)
    assert "Paris" in "".join(second)


async def test_a_turn_does_not_show_its_text_when_it_is_printed(chat):
    assert "France" not in repr(CAPITAL)


async def test_a_closed_model_says_so():
    model = ScriptedChat()
    await model.close()
    with pytest.raises(ModelError, match="closed"):
        await said(model, CAPITAL)


async def test_the_script_can_raise_in_mid_answer():
    model = ScriptedChat()
    model.enqueue(Line(text="one two three four", raises=ModelTimeout("late"), at=2))
    pieces = model.write(CAPITAL)
    assert [await anext(pieces), await anext(pieces)] == ["one", " two"]
    with pytest.raises(ModelTimeout):
        await anext(pieces)
    assert model.history == [tuple(CAPITAL)]


async def test_a_held_line_runs_into_the_deadline():
    model = ScriptedChat()
    model.enqueue(Line(text="too late", held=asyncio.Event()))
    with pytest.raises(ModelTimeout):
        await said(model, CAPITAL, deadline_s=0.01)
