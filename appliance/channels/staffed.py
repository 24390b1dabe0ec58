"""What a patient's page is told of the clinic's people: whose the conversation is, their words, that they are writing.

Knows no route and no socket. A page that was away asks for the conversation anew; here it hears what is new.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final, Literal

import msgspec

from appliance.conversations.case import Happened, Word
from appliance.conversations.cases import Desk
from appliance.conversations.files import Attached, Files
from appliance.errors import ApplianceError
from appliance.message import ConversationId, MessageId
from appliance.problems import where

log = logging.getLogger(__name__)

MOVES: Final = frozenset({"opened", "accepted", "given_back", "resolved", "snoozed", "woken", "left"})
"""After these the places in the queue may be others."""
WORDS: Final = frozenset({"said", "edited", "taken_back"})


class Whose(msgspec.Struct, frozen=True, kw_only=True, tag="owner"):
    """Who answers in this conversation now."""

    owner: Literal["assistant", "waiting", "person", "later"]
    """``later``: staff were told, and answer when they are back."""
    place: int = 0
    """While waiting: 1 is next."""
    name: str | None = None
    """Whose it is, when it is a person's."""
    until: datetime | None = None


class StaffWord(msgspec.Struct, frozen=True, kw_only=True, tag="staff"):
    """A word of staff, new or changed. ``deleted``: it was taken back, and there is no text."""

    id: MessageId
    name: str
    role: str
    text: str
    at: datetime
    edited: bool = False
    deleted: bool = False
    files: tuple[Attached, ...] = ()

    def __repr__(self) -> str:
        return f"StaffWord({self.id!r}, {len(self.text)} characters)"


class StaffTyping(msgspec.Struct, frozen=True, kw_only=True, tag="typing"):
    """A person is writing. Nothing says when they stop: it is over after a few seconds."""

    name: str | None


StaffEvent = Whose | StaffWord | StaffTyping
Tell = Callable[[StaffEvent], None]


class Staffed:
    """One reader of the desk's news for all open pages."""

    def __init__(self, desk: Desk, files: Files) -> None:
        self.desk = desk
        self._files = files
        self._listeners: dict[ConversationId, set[Tell]] = {}
        self._last: dict[ConversationId, Whose] = {}
        self._following: asyncio.Task[None] | None = None

    async def whose(self, conversation: ConversationId) -> Whose:
        """Who answers now."""
        case = await self.desk.open_case(conversation)
        if case is None:
            return Whose(owner="assistant")
        if case.state == "person":
            return Whose(owner="person", name=case.accepted_name)
        if case.state == "snoozed":
            return Whose(owner="later", until=case.snoozed_until)
        return Whose(owner="waiting", place=await self.desk.place(case.id))

    @contextmanager
    def listening(self, conversation: ConversationId, tell: Tell) -> Iterator[None]:
        """While a page is open: ``tell`` is called with what is new; it must not wait."""
        if self._following is None:
            self._following = asyncio.create_task(self._follow())
        beside = self._listeners.setdefault(conversation, set())
        beside.add(tell)
        try:
            yield
        finally:
            beside.discard(tell)
            if not beside:
                self._listeners.pop(conversation, None)
                self._last.pop(conversation, None)
            if self._following and not self._listeners:
                self._following.cancel()
                self._following = None

    def first(self, conversation: ConversationId, whose: Whose) -> None:
        """A page was told this when it came: only what differs is told again."""
        self._last.setdefault(conversation, whose)

    async def _follow(self) -> None:
        async for happened in self.desk.news():
            try:
                await self._pass_on(happened)
            except ApplianceError as error:  # a store that fails now: the page asks anew when it comes back
                log.error("news=lost %s", where(error))

    async def _pass_on(self, happened: Happened) -> None:
        conversation = happened.conversation
        if conversation in self._listeners:
            if happened.what in WORDS and happened.message_id:
                files = await self._files.of(conversation, happened.message_id)
                self._tell(conversation, staff_word(await self.desk.word(happened.message_id), files))
            elif happened.what == "typing" and happened.by:
                self._tell(conversation, StaffTyping(name=happened.name))
        if happened.what in MOVES or happened.what == "said":
            waiting = [one for one, last in self._last.items() if last.owner == "waiting"]
            for one in {*waiting, conversation} & set(self._listeners):
                await self._changed(one)

    async def _changed(self, conversation: ConversationId) -> None:
        now = await self.whose(conversation)
        if self._last.get(conversation) != now:
            self._tell(conversation, now)

    def _tell(self, conversation: ConversationId, event: StaffEvent) -> None:
        if isinstance(event, Whose):
            self._last[conversation] = event
        for tell in list(self._listeners.get(conversation, ())):
            tell(event)


def staff_word(word: Word, files: Sequence[Attached]) -> StaffWord:
    return StaffWord(
        id=word.id,
        name=word.by,
        role=word.role_of_staff,
        text=word.text,
        at=word.at,
        edited=word.edited_at is not None,
        deleted=word.deleted_at is not None,
        files=tuple(files),
    )
