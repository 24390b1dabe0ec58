"""An assistant that says what a test enqueued, and records it as the real one does. Knows no document and no model."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from appliance.conversations.turns import Conversations
from appliance.message import AnswerKind, Message, Opening, Part, Text


class ScriptedAssistant:
    """``pause_after`` that many parts it waits for ``go_on``; ``fails_after`` that many it breaks."""

    def __init__(self, conversations: Conversations) -> None:
        self.conversations = conversations
        self.asked: list[Message] = []
        self.closed = 0
        self.go_on = asyncio.Event()
        self.pause_after: int | None = None
        self.fails_after: int | None = None
        self.words = ["One ", "two ", "three."]
        self.kind: AnswerKind = "quoted"

    async def answer(self, message: Message) -> AsyncGenerator[Part, None]:
        self.asked.append(message)
        await self.conversations.begin(message)
        said: list[Part] = []
        complete = False
        try:
            parts: list[Part] = [Opening(kind=self.kind, language="en"), *(Text(text=word) for word in self.words)]
            for part in parts:
                if len(said) == self.pause_after:
                    await self.go_on.wait()
                if len(said) == self.fails_after:
                    raise RuntimeError("a fault that quotes " + message.text)
                said.append(part)
                yield part
            complete = True
        finally:
            self.closed += 1
            await self.conversations.finish(message, said, kind=self.kind, language="en", complete=complete)

    async def person(self, message: Message) -> AsyncGenerator[Part, None]:
        self.kind, self.words = "contact", ["Call us."]
        async for part in self.answer(message):
            yield part
