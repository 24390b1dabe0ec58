"""What people have to do with an answer: whether one of them has the conversation, whether one is needed, where the patient stands.

Beside the pipeline, which stays readable: it asks here three times. Knows no document and no model.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final

import msgspec

from appliance.assistant.handing import FAILED, Exchange, Handing, Why, earlier, suggested, summary
from appliance.assistant.language import answering_language
from appliance.assistant.smalltalk import Smalltalk
from appliance.assistant.triage import RedFlag
from appliance.assistant.waiting import Waiting
from appliance.conversations.attending import TakenOver
from appliance.conversations.case import Case
from appliance.conversations.cases import Desk
from appliance.conversations.ladder import Ladder
from appliance.conversations.turns import Conversations
from appliance.errors import ApplianceError
from appliance.message import AnswerKind, ConversationId, Language, Message, MessageId, Notice, Opening, Part

log = logging.getLogger(__name__)

Path = Callable[[Message], AsyncGenerator[Part, None]]

LOOKED_AT: Final = 16
"""Turns."""
PATIENCE_S: Final = 0.2
"""In an emergency."""


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The collaborators, joined in app.py."""

    desk: Desk
    handing: Handing
    waiting: Waiting
    ladder: Ladder
    smalltalk: Smalltalk
    conversations: Conversations
    staffed: Callable[[], Awaitable[bool]]
    """Whether there is anybody to hand a patient to: without staff nothing is promised."""


class People:
    """The clinic's, as the assistant sees them."""

    def __init__(self, parts: Parts) -> None:
        self._with = parts
        self._quoted: dict[tuple[ConversationId, MessageId], float] = {}

    async def unless_they_answer(self, message: Message, path: Path) -> AsyncGenerator[Part, None]:
        """The assistant's answer while nobody of the clinic has the conversation; it ends at once when somebody takes it."""
        desk, opened = self._with.desk, False
        with desk.attending(message.conversation) as attending:
            case = await desk.patient_said(message.conversation, message.id)
            if case is None or case.state != "person":
                if case and self._with.handing.never_mind(message.text):
                    await desk.patient_returns(message.conversation)
                    path = self._needs_nobody
                try:
                    async with aclosing(path(message)) as parts:
                        while part := await attending.unless_taken(lambda: anext(parts, None)):
                            opened = True
                            yield part
                    return
                except TakenOver:
                    case = await desk.patient_said(message.conversation, message.id)
        for ready in await self._silence(message, case, opened=opened):
            yield ready

    async def emergency(self, message: Message, flag: RedFlag, language: Language) -> None:
        """Whoever has the conversation is told at once, or whoever comes first."""
        if _rehearsal(message) or not await self._anybody():
            return
        case = await self._with.desk.open(
            message.conversation,
            reason="emergency",
            urgency=0,
            language=language,
            channel=message.channel,
            site=message.site,
            kinds=(flag.kind,),
            summary=message.text,
            why=f"rule={flag.rule}",
        )
        if case.unread != 1:  # a new one tells of its first message itself
            await self._with.desk.patient_said(message.conversation, message.id)

    def quoted(self, message: Message, probability: float) -> None:
        """How likely the quote is that is about to be said."""
        self._quoted[message.conversation, message.id] = probability

    async def needed(self, message: Message, kind: AnswerKind, said: Sequence[Part]) -> Sequence[Notice]:
        """After the answer: a case where this exchange needs a person, and where it stands in the queue.

        Whatever fails here takes no answer back.
        """
        if _rehearsal(message) or kind in ("emergency", "person") or message.channel == "phone":
            return ()  # a caller is connected with people, and waits in no queue
        try:
            return await self._in_the_queue(message, kind, said)
        except ApplianceError as error:
            log.error("handing=failed error=%s reason=%s", type(error).__name__, error)
            return ()

    def ended(self, message: Message, kind: AnswerKind) -> None:
        """It is recorded: who looks on may read it."""
        self._quoted.pop((message.conversation, message.id), None)
        if kind != "person":
            self._with.desk.assistant_said(message.conversation, message.id)

    async def _anybody(self) -> bool:
        """A store that does not say so counts as yes: the desk opens the case when it can."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._with.staffed()
        except (ApplianceError, TimeoutError):
            return True

    async def _silence(self, message: Message, case: Case | None, *, opened: bool) -> list[Part]:
        """A word that the message went to a person, once; after that a person's words only."""
        language, waiting = answering_language(message), self._with.waiting
        name = case.accepted_name if case else None
        if opened:
            return [waiting.with_person(name, language, at_once=True)] if name else []
        parts: list[Part] = [Opening(kind="person", language=language)]
        if case and name and not await self._told_of(case):
            parts.append(waiting.with_person(name, language, at_once=False))
        return parts

    async def _told_of(self, case: Case) -> bool:
        """Whether the patient knows that this person has the conversation."""
        turns = await self._with.conversations.history(case.conversation, LOOKED_AT)
        since = case.accepted_at
        return any(
            since is not None and turn.at >= since and isinstance(part, Notice) and part.code == "person"
            for turn in turns
            for part in turn.parts
        )

    async def _needs_nobody(self, message: Message) -> AsyncGenerator[Part, None]:
        language = answering_language(message)
        yield Opening(kind="contact", language=language)
        yield self._with.waiting.returned(language)

    async def _in_the_queue(self, message: Message, kind: AnswerKind, said: Sequence[Part]) -> Sequence[Notice]:
        desk, language = self._with.desk, answering_language(message)
        before = await desk.open_case(message.conversation)
        why = await self._why(message, kind)
        if not (before or why) or not await self._with.staffed():
            return ()
        case = await self._opened(message, why, language, said) if why else before
        if case is None or case.state == "person":
            return ()
        return [self._with.waiting.queued(await self._with.ladder.outlook(case), language, first=before is None)]

    async def _opened(self, message: Message, why: Why, language: Language, said: Sequence[Part]) -> Case:
        turns = await self._with.conversations.history(message.conversation, LOOKED_AT)
        return await self._with.desk.open(
            message.conversation,
            reason=why.reason,
            urgency=why.urgency,
            language=language,
            channel=message.channel,
            site=message.site,
            summary=summary(turns),
            suggested=suggested(said),
            why=why.detail,
        )

    async def _why(self, message: Message, kind: AnswerKind) -> Why | None:
        """Whether this exchange needs a person; the conversation is read only where an answer failed."""
        turns = await self._with.conversations.history(message.conversation, LOOKED_AT) if kind in FAILED else ()
        asked = not message.text or self._with.smalltalk.topic(message.text) == "person"  # empty: the button
        return self._with.handing.why(
            Exchange(
                text=message.text,
                asked=asked,
                kind=kind,
                before=earlier(turns, message.id),
                probability=self._quoted.get((message.conversation, message.id)),
            )
        )


def _rehearsal(message: Message) -> bool:
    """Somebody of the clinic at the terminal: nobody need come running."""
    return message.channel == "terminal"
