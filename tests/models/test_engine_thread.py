"""One thread for one engine: who is served first, and what becomes of work that nobody waits for."""

from __future__ import annotations

import asyncio
import threading

import pytest

from models import ModelError
from models.engine_thread import PASSAGE, QUESTION, EngineThread


@pytest.fixture
async def gate():
    """A thread that is busy until the gate opens, so that what comes meanwhile has to wait in line."""
    thread, opened = EngineThread("gated"), threading.Event()
    busy = asyncio.ensure_future(thread.run(opened.wait, rank=PASSAGE))
    await asyncio.sleep(0)
    yield thread, opened
    opened.set()
    await asyncio.gather(busy, return_exceptions=True)
    await thread.close()


async def test_questions_go_before_passages_that_came_earlier(gate):
    thread, opened = gate
    order: list[str] = []
    waiting = [
        asyncio.ensure_future(thread.run(lambda name=name: order.append(name), rank=rank))
        for name, rank in (("p1", PASSAGE), ("p2", PASSAGE), ("q1", QUESTION), ("q2", QUESTION))
    ]
    await asyncio.sleep(0)
    opened.set()
    await asyncio.gather(*waiting)
    assert order == ["q1", "q2", "p1", "p2"]


async def test_work_whose_caller_has_gone_is_left_out(gate):
    thread, opened = gate
    done: list[str] = []
    gone = asyncio.ensure_future(thread.run(lambda: done.append("gone"), rank=QUESTION))
    await asyncio.sleep(0)
    gone.cancel()
    stays = asyncio.ensure_future(thread.run(lambda: done.append("stays"), rank=QUESTION))
    await asyncio.sleep(0)
    opened.set()
    await stays
    assert done == ["stays"]


async def test_an_error_goes_to_its_caller_and_the_thread_lives_on(gate):
    thread, opened = gate
    opened.set()
    with pytest.raises(ZeroDivisionError):
        await thread.run(lambda: 1 // 0, rank=QUESTION)
    assert await thread.run(lambda: "alive", rank=QUESTION) == "alive"


async def test_work_that_waits_when_it_closes_is_refused(gate):
    thread, opened = gate
    waiting = asyncio.ensure_future(thread.run(lambda: None, rank=PASSAGE))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(thread.close())
    await asyncio.sleep(0)
    opened.set()
    await closing
    with pytest.raises(ModelError, match="closed"):
        await thread.run(lambda: None, rank=QUESTION)
    await asyncio.gather(waiting, return_exceptions=True)
    assert waiting.done()
