"""How an answer of the assistant ends the moment a person takes its conversation. Knows no case and no store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from appliance.errors import ApplianceError

T = TypeVar("T")


class TakenOver(ApplianceError):
    """A person has taken the conversation while the assistant was answering."""


class Attending:
    """One answer of the assistant's, which a person may end."""

    def __init__(self) -> None:
        self.over = False
        self._patience: asyncio.Timeout | None = None

    def end(self) -> None:
        self.over = True
        if self._patience:
            self._patience.reschedule(asyncio.get_running_loop().time())

    async def unless_taken(self, work: Callable[[], Awaitable[T]]) -> T:
        """What the work brings. Raises TakenOver, at once, when a person takes the conversation."""
        if self.over:
            raise TakenOver("a person answers")
        try:
            async with asyncio.timeout(None) as self._patience:
                result = await work()
        except TimeoutError:
            if self.over:
                raise TakenOver("a person answers") from None
            raise
        finally:
            self._patience = None
        if self.over:
            raise TakenOver("a person answers")
        return result
