"""An answer on its way to being spoken: its words as they come, and afterwards what of it was heard. Knows no voice and no line."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import ExitStack
from typing import Final

from appliance.channels.live import Answer, Live, Said
from appliance.channels.phone.wording import SAID_BY_US, Wording, as_heard, spoken
from appliance.conversations.turns import Conversations
from appliance.errors import ApplianceError
from appliance.message import AnswerKind, Language, Message, Opening, Part, Text
from appliance.problems import where

log = logging.getLogger(__name__)

STORE_S: Final = 2.0
"""How long a caller waits for the store when an answer's end is recorded."""


class Reply:
    """One answer. ``async with Reply(…) as reply``: leaving it stops what is still being made."""

    def __init__(self, live: Live, conversations: Conversations, wording: Wording, message: Message) -> None:
        self.message = message
        self.kind: AnswerKind = "trouble"
        self.language: Language | None = None
        self._live = live
        self._conversations = conversations
        self._wording = wording
        self._answer: Answer | None = None
        self._parts: list[Part] = []
        self._seq = 0
        self._next: Part | None = None
        self._holding = ExitStack()

    async def __aenter__(self) -> Reply:
        """Begins it. Raises what `Live.say` raises."""
        self._answer = await self._live.say(self.message)
        self._holding.enter_context(self._live.listening(self._answer))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._holding.close()
        if self._answer and not self._answer.ended:
            await self._live.stop(self.message.conversation, self.message.id)

    async def opened(self) -> bool:
        """Wait for the first words: kind and language are known then. False where there will be none."""
        while (self._next is None or not spoken(self._next)) and (part := await self._part()):
            if isinstance(part, Opening):
                self.kind, self.language = part.kind, part.language
            self._next = part
        if self._next is not None and not spoken(self._next):
            self._next = None
        return self._next is not None

    async def runs(self, asked_in: Language) -> AsyncIterator[tuple[Language, AsyncGenerator[str, None]]]:
        """The words to be spoken, by the language of the voice: a quote keeps its own. Each run is read before the next."""
        if self.kind in SAID_BY_US:
            words = await self._all_of_ours()
            yield self.language or asked_in, _just(self._wording.without_contact(words, self.language or asked_in))
            return
        while self._next is not None:
            language = self._voice(self._next, asked_in)
            yield language, self._run(language, asked_in)

    async def heard(self, words: str) -> None:
        """The caller heard this much and no more: that is what was said."""
        if self.kind in SAID_BY_US:
            return  # one short sentence, ours
        kept = as_heard(self._parts, words)
        try:
            async with asyncio.timeout(STORE_S):
                await self._conversations.heard(self.message.conversation, self.message.id, kept)
        except (ApplianceError, TimeoutError) as error:
            log.error("heard=unrecorded message=%s %s", self.message.id, where(error))

    async def _run(self, language: Language, asked_in: Language) -> AsyncGenerator[str, None]:
        while self._next is not None and self._voice(self._next, asked_in) == language:
            words = spoken(self._next)
            self._next = None
            yield words
            await self._spoken_next()

    async def _spoken_next(self) -> None:
        while self._next is None and (part := await self._part()):
            if spoken(part):
                self._next = part

    async def _all_of_ours(self) -> str:
        words: list[str] = []
        while self._next is not None:
            if isinstance(self._next, Text) and self._next.voice == "ours" and self._next.language is None:
                words.append(self._next.text)
            self._next = None
            await self._spoken_next()
        return "".join(words)

    async def _part(self) -> Part | None:
        """The next part of the answer."""
        assert self._answer is not None  # noqa: S101 - entered
        while events := await self._answer.after(self._seq):
            event = events[0]
            self._seq += 1
            if not isinstance(event, Said):
                return None
            self._parts.append(event.part)
            return event.part
        return None

    def _voice(self, part: Part, asked_in: Language) -> Language:
        own = part.language if isinstance(part, Text) else None
        return own or self.language or asked_in


async def _just(words: str) -> AsyncGenerator[str, None]:
    yield words
