"""One thread for one engine: work is done in order of rank, then of arrival. Knows nothing of what the work is."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

from models import ModelError, Vectors

T = TypeVar("T")

CALL = 0
"""Somebody waits on the telephone."""
QUESTION = 1
"""Somebody is waiting for the answer."""
PASSAGE = 2
"""A document is being learnt; it waits while there are questions."""


on_the_phone: ContextVar[bool] = ContextVar("on_the_phone", default=False)
"""Set by whoever answers a call: what is then asked as a question goes before the others."""

BATCH = 8
"""Texts in one call of an embedder: about a second of a core for passages, the longest that a question waits."""


class EngineThread:
    """Starts with the first piece of work. The event loop's side takes no lock, so it can never wait for the engine."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._waiting: tuple[deque[_Work], ...] = (deque(), deque(), deque())
        # SimpleQueue.put is one C call without a Python lock; the tokens in it only say "look again".
        self._tokens: queue.SimpleQueue[bool] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._closed = False

    async def run(self, work: Callable[[], T], *, rank: int) -> T:
        """What ``work()`` returns or raises. Work whose caller has gone is left out, unless it has begun."""
        if self._closed:
            raise ModelError(f"{self._name} has been closed; nothing more can be asked of it")
        self._start()
        asked = _Work(work)
        self._waiting[CALL if rank == QUESTION and on_the_phone.get() else rank].append(asked)
        self._tokens.put(True)
        result: T = await asked.answer
        return result

    async def close(self) -> None:
        """Ends after the work that has begun; work still waiting gets a ModelError."""
        self._closed = True
        if self._thread is None:
            return
        self._tokens.put(False)
        await asyncio.to_thread(self._thread.join)

    def _start(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(target=self._loop, name=self._name, daemon=True)
            self._thread.start()

    def _loop(self) -> None:
        while self._tokens.get():
            # A token may find both lines empty: close() has taken none, but a question may have been served early.
            for line in self._waiting:
                if line:
                    line.popleft().do()
                    break
        for line in self._waiting:
            for left in line:
                left.refuse(ModelError(f"{self._name} was closed before it came to this work"))


async def in_batches(
    thread: EngineThread,
    embed: Callable[[Sequence[str], Sequence[str]], Vectors],
    texts: Sequence[str],
    languages: Sequence[str],
    *,
    rank: int,
) -> Vectors:
    """Each batch stands in line anew, so that a question comes between the batches of a long document."""
    rows = [
        await thread.run(functools.partial(embed, texts[i : i + BATCH], languages[i : i + BATCH]), rank=rank)
        for i in range(0, max(1, len(texts)), BATCH)  # no text at all is a batch too: its answer has the right shape
    ]
    return np.concatenate(rows)


class _Work:
    """A callable and the future that its caller awaits, in the caller's loop."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self._loop = asyncio.get_running_loop()
        self.answer: asyncio.Future[Any] = self._loop.create_future()

    def do(self) -> None:
        if self.answer.cancelled():
            return
        try:
            result = self._work()
        except BaseException as wrong:  # noqa: BLE001 - whatever it is, it belongs to the caller, who raises it
            self.refuse(wrong)
        else:
            self._tell(functools.partial(self.answer.set_result, result))

    def refuse(self, wrong: BaseException) -> None:
        self._tell(functools.partial(self.answer.set_exception, wrong))

    def _tell(self, say: Callable[[], None]) -> None:
        with contextlib.suppress(RuntimeError):  # the caller's loop has ended: nobody is left to be told
            self._loop.call_soon_threadsafe(self._say_unless_cancelled, say)

    def _say_unless_cancelled(self, say: Callable[[], None]) -> None:
        if not self.answer.done():
            say()
