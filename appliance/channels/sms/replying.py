"""Answers texts that have come in, by the same path as every other channel, and keeps the answers to be sent. Sends nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta, tzinfo
from typing import Final

import msgspec

from appliance.channels.live import Answer, Live, Said
from appliance.channels.sms.limits import day_began
from appliance.channels.sms.opt_out import Wish
from appliance.channels.sms.segments import counted, pieces
from appliance.channels.sms.wording import Wording
from appliance.config import Config
from appliance.conversations.cases import Desk
from appliance.conversations.texts import Draft, Incoming, Origin, Texts
from appliance.conversations.turns import Conversations
from appliance.errors import ApplianceError, NotFound
from appliance.languages import detect
from appliance.message import Language, Message, MessageId, Opening, Part, now
from appliance.message import Text as Words
from appliance.problems import where

log = logging.getLogger(__name__)

Pictures = Callable[[Incoming], Awaitable[Sequence[str]]]
"""Fetch and keep what came with a message. Returns their names; none where the clinic takes none now."""

AT_ONCE: Final = 16
TRIES: Final = 5
"""After so many failures the patient is told that something of ours does not work."""
TICK_S: Final = 2.0
LONGEST_S: Final = 120.0


class Replying:
    """The way in."""

    def __init__(
        self,
        texts: Texts,
        live: Live,
        conversations: Conversations,
        desk: Desk,
        pictures: Pictures,
        wording: Wording,
        config: Config,
        *,
        zone: tzinfo,
        answered: Callable[[], None],
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._texts = texts
        self._live = live
        self._conversations = conversations
        self._desk = desk
        self._pictures = pictures
        self._wording = wording
        self._sms = config.sms
        self._languages = config.clinic.languages
        self._zone = zone
        self._answered = answered
        self._now = clock
        self._woken = asyncio.Event()
        self._busy: dict[str, Incoming] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def wake(self) -> None:
        """Something came in."""
        self._woken.set()

    async def run(self) -> None:
        """Until it is cancelled. What came in before is answered first, in order; an emergency waits for nothing."""
        try:
            while True:
                try:
                    await self.begin()
                except ApplianceError as error:
                    log.error("sms=unread reason=%s", where(error))
                self._woken.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(TICK_S):
                        await self._woken.wait()
        finally:
            for task in self._tasks:
                task.cancel()

    async def begin(self) -> None:
        """Start the answers that can be started."""
        for incoming in await self._texts.unanswered():
            if incoming.sid in self._busy:
                continue
            talking = {one.conversation for one in self._busy.values()}
            free = incoming.conversation not in talking and len(self._busy) < AT_ONCE
            if free or self._live.urgent(incoming.text):
                self._busy[incoming.sid] = incoming
                task = asyncio.create_task(self._reply(incoming))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def all_answered(self) -> None:
        """Whoever waits for this waits for the answers that are being made."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))

    async def _reply(self, incoming: Incoming) -> None:
        try:
            async with asyncio.timeout(LONGEST_S):
                await self._answer(incoming)
            self._answered()
        except Exception as error:  # noqa: BLE001 - an edge: the message stays in its table
            log.error("sms=unanswered sid=%s %s", incoming.sid, where(error))
            await self._failed(incoming)
            await asyncio.sleep(min(30.0, 2.0**incoming.attempts))  # its turn comes again after that
        finally:
            del self._busy[incoming.sid]
            self._woken.set()

    async def _failed(self, incoming: Incoming) -> None:
        try:
            if incoming.attempts < TRIES:
                await self._texts.failed(incoming.sid)
            else:
                language = self._language(incoming)
                await self._texts.answer(
                    incoming, self._drafts(f"answer:{incoming.sid}", self._say("trouble", language))
                )
                self._answered()
        except ApplianceError as error:
            log.error("sms=unanswered sid=%s %s", incoming.sid, where(error))

    async def _answer(self, incoming: Incoming) -> None:
        if wish := msgspec.json.decode(incoming.wish, type=Wish | None):
            await self._texts.answer(incoming, self._wished(wish, incoming))
        elif not incoming.text:
            await self._picture(incoming)
        elif not self._live.urgent(incoming.text) and await self._too_many(incoming):
            name = f"too_many:{incoming.digest.hex()}:{incoming.at:%Y-%m-%dT%H}"
            notice = self._drafts(name, self._say("too_many", self._language(incoming)), origin="notice")
            await self._texts.answer(incoming, notice, limited=True)
        else:
            await self._said(incoming)

    def _wished(self, wish: Wish, incoming: Incoming) -> list[Draft]:
        """The one word that may follow an opt-out, and what else Twilio does not say itself."""
        if wish.answered:
            return []
        key = {"out": "opted_out", "in": "opted_in", "help": "help"}[wish.act]
        words = self._say(key, wish.language or self._language(incoming))
        return self._drafts(f"wish:{incoming.sid}", words, origin="notice", always=True)

    async def _picture(self, incoming: Incoming) -> None:
        """A picture without a word. Where none are taken it is not fetched, and staff who read along see that there was one."""
        language = self._language(incoming)
        if names := await self._pictures(incoming):
            message = _message(incoming, ", ".join(names))
            await self._conversations.begin(message)
            await self._desk.patient_said(incoming.conversation, message.id)
            await self._texts.answer(incoming, (), language=language)
            return
        message = _message(incoming, self._wording.say("photo_received", language))
        words = self._say("photo", language)
        if await self._conversations.begin(message):
            parts: list[Part] = [Opening(kind="declined", language=language), Words(text=words)]
            await self._conversations.finish(message, parts, kind="declined", language=language, complete=True)
        await self._texts.answer(incoming, self._drafts(f"answer:{incoming.sid}", words), language=language)

    async def _said(self, incoming: Incoming) -> None:
        # Before the words, so that staff get both at once; an emergency waits for no picture.
        taken = incoming.media and not self._live.urgent(incoming.text) and await self._pictures(incoming)
        try:
            parts, complete = await self._parts(incoming)
        except NotFound:  # the conversation was forgotten in this moment
            await self._texts.answer(incoming, ())
            return
        opening = next((part for part in parts if isinstance(part, Opening)), None)
        urgent = opening is not None and opening.kind == "emergency"
        words = self._wording.answer(parts, introduced=incoming.introduced or urgent)
        if not complete:
            silenced = await self._with_a_person(incoming)
            words = "" if silenced else self._say("trouble", self._language(incoming))
        drafts = self._drafts(f"answer:{incoming.sid}", words, always=urgent)
        if incoming.media and not taken:
            drafts += self._drafts(f"photo:{incoming.sid}", self._say("photo", self._language(incoming)))
        if drafts and not urgent and await self._full():
            name = f"full:{incoming.digest.hex()}:{incoming.at.astimezone(self._zone):%F}"
            drafts = self._drafts(name, self._say("full", self._language(incoming)), origin="notice")
        language = opening.language if opening else None
        introduced = bool(words) and complete and not urgent
        await self._texts.answer(incoming, drafts, language=language, introduced=introduced)

    async def _parts(self, incoming: Incoming) -> tuple[list[Part], bool]:
        """The whole answer, as the pipeline says it."""
        answer = await self._live.say(_message(incoming, incoming.text))
        return await whole(self._live, answer)

    async def _with_a_person(self, incoming: Incoming) -> bool:
        """Staff spoke up while the assistant was answering: then it says nothing."""
        case = await self._desk.open_case(incoming.conversation)
        return case is not None and case.state == "person"

    async def _too_many(self, incoming: Incoming) -> bool:
        """More than one number may ask in an hour. What a person of the clinic reads is not counted."""
        count = await self._texts.received_since(incoming.digest, self._now() - timedelta(hours=1))
        return count > self._sms.messages_per_hour and await self._desk.open_case(incoming.conversation) is None

    async def _full(self) -> bool:
        """Whether the clinic has paid for enough today."""
        today = day_began(self._now(), self._zone)
        return await self._texts.segments_since(today) >= self._sms.segments_per_day

    def _say(self, key: str, language: Language) -> str:
        return self._wording.say(key, language)

    def _language(self, incoming: Incoming) -> Language:
        """The number's, unless the words tell another."""
        return detect(incoming.text, hint=incoming.language or self._languages[0])

    def _drafts(self, name: str, text: str, *, origin: Origin = "answer", always: bool = False) -> list[Draft]:
        return drafts(name, text, origin=origin, always=always)


def drafts(
    name: str, text: str, *, origin: Origin, always: bool = False, not_before: datetime | None = None
) -> list[Draft]:
    """A text as messages to be sent; none for no words."""
    return [
        Draft(
            name=name if number == 1 else f"{name}#{number}",
            text=piece,
            segments=counted(piece).segments,
            origin=origin,
            always=always,
            not_before=not_before,
        )
        for number, piece in enumerate(pieces(text), start=1)
        if piece
    ]


async def whole(live: Live, answer: Answer) -> tuple[list[Part], bool]:
    """All parts of an answer, and whether it is complete."""
    seq = 0
    events: list[object] = []
    with live.listening(answer):
        while news := await answer.after(seq):
            events += news
            seq = news[-1].seq
    parts: Sequence[Part] = [event.part for event in events if isinstance(event, Said)]
    return list(parts), bool(getattr(events[-1], "complete", False)) if events else False


def _message(incoming: Incoming, text: str) -> Message:
    return Message(
        id=MessageId(incoming.sid),
        conversation=incoming.conversation,
        channel="sms",
        text=text,
        language=incoming.language,
        at=incoming.at,
    )
