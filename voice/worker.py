"""One thread for one engine of the telephone: what is wanted first is done first. Knows nothing of what the work is."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class Closed(Exception):
    """Nothing more is done here."""


class Worker:
    """What was cancelled before its turn is never begun."""

    def __init__(self, name: str) -> None:
        self._waiting: list[tuple[float, int, Callable[[], Any], Future[Any]]] = []
        self._change = threading.Condition()
        self._order = itertools.count()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    async def do(self, act: Callable[[], T], wanted_at: float) -> T:
        """What ``act`` returns or raises. Raises Closed."""
        done: Future[T] = Future()
        with self._change:
            if self._closed:
                raise Closed(f"{self._thread.name} was closed")
            heapq.heappush(self._waiting, (wanted_at, next(self._order), act, done))
            self._change.notify()
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """Returns when the thread has ended, after the work that it is at."""
        with self._change:
            self._closed = True
            for *_, done in self._waiting:
                done.cancel()
            self._waiting.clear()
            self._change.notify()
        self._thread.join()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            act, done = job
            if not done.set_running_or_notify_cancel():
                continue
            try:
                done.set_result(act())
            except BaseException as wrong:  # noqa: BLE001 - told to whoever waits
                done.set_exception(wrong)

    def _next(self) -> tuple[Callable[[], Any], Future[Any]] | None:
        with self._change:
            self._change.wait_for(lambda: self._waiting or self._closed)
            if not self._waiting:
                return None
            *_, act, done = heapq.heappop(self._waiting)
            return act, done
