"""The one path of a patient's message, from every channel to every answer. Knows no channel, no socket and no table.

Read `Assistant._parts` aloud: a red flag is answered before anything else, by the rules or by the alarm; then what we must not
say; then what somebody of the clinic has signed; then the clinic's documents, in their own words or, when a model has
qualified here, in a model's words from them; else "I don't know" and a person.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Final, Protocol, TypeVar

import msgspec

from appliance.assistant.alarm import Alarm
from appliance.assistant.approved import Approved, Asking
from appliance.assistant.contact import Contact
from appliance.assistant.followup import EARLIER, FollowUps, Understood
from appliance.assistant.grounding import Grounding
from appliance.assistant.language import answering_language
from appliance.assistant.prompt import written_answer
from appliance.assistant.quote import Quote, Quoting
from appliance.assistant.saying import Saying
from appliance.assistant.smalltalk import Smalltalk, Topic
from appliance.assistant.triage import RedFlag, Triage
from appliance.conversations.alerts import Alerts, Flag
from appliance.conversations.turns import Conversations
from appliance.errors import ApplianceError, Busy, Unavailable
from appliance.knowledge.glossary import Carried, Glossary
from appliance.knowledge.search import Hit, Scope, Search
from appliance.languages import detect
from appliance.message import (
    AnswerKind,
    Language,
    Message,
    Opening,
    Part,
)
from models import ChatModel, ModelBusy, ModelError

log = logging.getLogger(__name__)

T = TypeVar("T")

SEARCHED: Final = 12
"""Passages looked at for one answer."""
OF_THE_WHOLE_CLINIC: Final = frozenset({"hours", "closed", "phone", "address", "front_desk", "site"})
"""Who asks only for these, and names no site, is told how to reach us: "what are your hours?" fits every site's page a little."""


class Speaker(Protocol):
    """Which model may write for patients in this language, if any. The only door to generation."""

    def qualified(self, language: Language) -> ChatModel | None: ...


class Parts(msgspec.Struct, frozen=True, kw_only=True):
    """The collaborators of the pipeline, joined in app.py."""

    triage: Triage
    alarm: Alarm
    smalltalk: Smalltalk
    search: Search
    glossary: Glossary
    quoting: Quoting
    followups: FollowUps
    grounding: Grounding
    contact: Contact
    approved: Approved
    conversations: Conversations
    alerts: Alerts
    speaker: Speaker
    saying: Saying


class Assistant:
    """Answers patients. Whoever iterates an answer closes it: ``async with aclosing(assistant.answer(m)) as parts``."""

    def __init__(self, parts: Parts) -> None:
        self._with = parts

    def answer(self, message: Message) -> AsyncGenerator[Part, None]:
        """The answer to a message, part by part. Closing it stops the work; what was said is recorded either way."""
        return self._recorded(message, self._parts)

    def person(self, message: Message) -> AsyncGenerator[Part, None]:
        """How to reach a person, for a patient who presses the button instead of asking."""
        return self._recorded(message, self._to_a_person)

    def partial(self, text: str) -> RedFlag | None:
        """Danger in what is said so far, by the rules and the weighed words. Needs no model and records nothing."""
        if flag := self._with.triage.red_flag(text):
            return flag
        kind = self._with.alarm.heard(text)
        return RedFlag(kind=kind, rule="alarm", language=detect(text)) if kind else None

    async def _recorded(self, message: Message, path: _Path) -> AsyncGenerator[Part, None]:
        conversations = self._with.conversations
        flag = self.partial(message.text)
        standing = () if flag else await self._with.alerts.standing(message.conversation)
        urgent = bool(flag or standing)
        try:
            new = await _kept(conversations.begin(message), urgent=urgent)
        except Unavailable as error:
            log.error("record=failed error=%s reason=%s", type(error).__name__, error)
            for part in self._with.saying.trouble(
                answering_language(message), opened=False, busy=isinstance(error, Busy)
            ):
                yield part
            return
        if new is False and (earlier := await conversations.answer(message.conversation, message.id)):
            for part in earlier.parts:  # without an earlier answer we died before it, and it is due now
                yield part
            return
        said: list[Part] = []
        complete = False
        try:
            async with aclosing(self._safely(message, path)) as parts:
                async for part in parts:
                    for each in (part, *self._reminder(part, standing)):
                        said.append(each)
                        yield each
            complete = True
        finally:
            summary = _summary(said, message)
            kept = conversations.finish(message, said, kind=summary.kind, language=summary.language, complete=complete)
            await _even_if_cancelled(_kept(kept, urgent=urgent))

    async def _safely(self, message: Message, path: _Path) -> AsyncGenerator[Part, None]:
        """Whatever of ours fails, the patient hears what to do; the operator finds the reason in the log."""
        opened = False
        try:
            async with aclosing(path(message)) as parts:
                async for part in parts:
                    opened = True
                    yield part
        except (ApplianceError, ModelError) as error:
            log.error("answer=failed error=%s reason=%s", type(error).__name__, error)
            for part in self._with.saying.trouble(
                answering_language(message), opened=opened, busy=isinstance(error, Busy | ModelBusy)
            ):
                yield part

    def _reminder(self, part: Part, standing: Sequence[str]) -> Sequence[Part]:
        """While an alert is open, how to get help comes right after the opening; an emergency's own words say it in full."""
        if not standing or not isinstance(part, Opening) or part.kind == "emergency":
            return ()
        return self._with.saying.reminder(standing, part.language)

    async def _parts(self, message: Message) -> AsyncGenerator[Part, None]:
        if flag := self.partial(message.text) or await self._alarmed(message):
            ready: Sequence[Part] = await self._emergency(message, flag)
        elif topic := self._with.smalltalk.topic(message.text):
            ready = await self._without_documents(topic, message)
        else:
            asking, understood = await self._asking(message)
            async with aclosing(self._answered(message, asking)) as parts:
                async for part in parts:
                    yield part
                    if understood and isinstance(part, Opening):
                        yield self._with.saying.understood(understood, asking.language)
            return
        for part in ready:
            yield part

    async def _alarmed(self, message: Message) -> RedFlag | None:
        """Danger in words that no rule foresaw."""
        kind = await self._with.alarm.kind(message.text)
        return RedFlag(kind=kind, rule="alarm", language=answering_language(message)) if kind else None

    async def _asking(self, message: Message) -> tuple[Asking, Understood | None]:
        """The question as all who look for an answer take it, a follow-up as the whole question it is."""
        language, sites = answering_language(message), await self._with.search.sites()
        understood = await self._understood(message, language, sites)
        text = understood.text if understood else message.text
        meaning = await self._with.search.meaning(text, language)
        return Asking(text=text, language=language, meaning=meaning, sites=sites, at=message.site), understood

    async def _understood(self, message: Message, language: Language, sites: tuple[str, ...]) -> Understood | None:
        """A follow-up with what the conversation adds to it; the conversation is read for such a message only."""
        follow = self._with.followups.read(message.text, language, sites=sites)
        if follow is None:
            return None
        turns = await self._with.conversations.history(message.conversation, EARLIER)
        earlier = [turn for turn in turns if turn.message_id != message.id]
        return self._with.followups.understood(follow, earlier, sites=sites)

    async def _answered(self, message: Message, asking: Asking) -> AsyncGenerator[Part, None]:
        """The words that somebody has signed for this very question, else the documents'."""
        if signed := await self._with.approved.match(asking):
            for part in self._with.saying.signed(signed, asking.language):
                yield part
            return
        async with aclosing(self._from_documents(message, asking)) as parts:
            async for part in parts:
                yield part

    async def _from_documents(self, message: Message, asking: Asking) -> AsyncGenerator[Part, None]:
        """Their own words, a model's words from them, how to reach us, or "I don't know"."""
        language = asking.language
        carried = self._with.glossary.carried(asking.text, language)
        hits, quote = await self._looked_up(asking, carried)
        if quote and (model := self._with.speaker.qualified(language)):
            async with aclosing(self._written(asking, hits=hits, quote=quote, model=model)) as parts:
                async for part in parts:
                    yield part
            return
        if quote:
            ready = self._with.saying.quoted(quote, language, asking.text)
        elif carried.names and carried.names <= OF_THE_WHOLE_CLINIC:
            ready = await self._told("contact", "contact", message)
        else:
            ready = await self._told("unknown", "unknown", message)
        for part in ready:
            yield part

    async def _looked_up(self, asking: Asking, carried: Carried) -> tuple[Sequence[Hit], Quote | None]:
        """What the documents hold, and the quote that probably answers; None when none probably does."""
        text, language = asking.text, asking.language
        hits = await self._with.search.passages(
            text,
            language,
            scope=Scope(site=asking.at),
            limit=SEARCHED,
            extra_words=carried.words,
            meaning=asking.meaning,
        )
        quoting = self._with.quoting
        quote = quoting.quote(text, language, hits=hits, carried=carried, sites=asking.sites)
        return hits, quote if quote and quote.probability >= quoting.threshold else None

    async def _written(
        self, asking: Asking, *, hits: Sequence[Hit], quote: Quote, model: ChatModel
    ) -> AsyncGenerator[Part, None]:
        """The model's words; when it has none that the sources bear out, the quote."""
        language = asking.language
        quoted = {one.passage.id for one in quote.chosen}
        shown = sorted(hits, key=lambda hit: hit.passage.id not in quoted)  # what would be quoted comes first
        wrote = False
        try:
            writing = written_answer(asking.text, language, hits=shown, model=model, grounding=self._with.grounding)
            async with aclosing(writing) as parts:
                async for part in parts:
                    if not wrote:
                        yield Opening(kind="generated", language=language)
                    wrote = True
                    yield part
        except ModelError as error:
            log.warning("generation=failed model=%s reason=%s", model.name, error)
        for part in () if wrote else self._with.saying.quoted(quote, language, asking.text):
            yield part

    async def _emergency(self, message: Message, flag: RedFlag) -> list[Part]:
        """Fixed words; staff are told through the alert."""
        language = answering_language(message, hint=flag.language)
        raised = Flag(conversation=message.conversation, kind=flag.kind, language=language, channel=message.channel)
        await _kept(self._with.alerts.sound(raised), urgent=True)
        return self._with.saying.emergency(flag.kind, language)

    async def _without_documents(self, topic: Topic, message: Message) -> list[Part]:
        """A greeting, thanks, a wish for a person, or something we must never answer."""
        if topic in ("greeting", "thanks"):
            return self._with.saying.greeting(topic, answering_language(message))
        if topic == "person":
            return await self._told("contact", "contact", message)
        return await self._told("declined", f"declined_{topic}", message)

    async def _to_a_person(self, message: Message) -> AsyncGenerator[Part, None]:
        for part in await self._told("contact", "contact", message):
            yield part

    async def _told(self, kind: AnswerKind, key: str, message: Message) -> list[Part]:
        """A fixed phrase, and how to reach the clinic."""
        language = answering_language(message)
        reach = await self._with.contact.find(language, site=message.site)
        return self._with.saying.told(kind, key, language, reach)


_Path = Callable[[Message], AsyncGenerator[Part, None]]


class _Summary(msgspec.Struct, frozen=True, kw_only=True):
    kind: AnswerKind
    language: Language


def _summary(said: Sequence[Part], message: Message) -> _Summary:
    opening = next((part for part in said if isinstance(part, Opening)), None)
    if opening:
        return _Summary(kind=opening.kind, language=opening.language)
    return _Summary(kind="trouble", language=answering_language(message))


async def _kept(writing: Awaitable[T], *, urgent: bool) -> T | None:
    """What the store says. In an emergency it has half a second: neither its failure nor its silence keeps the words back."""
    try:
        async with asyncio.timeout(_PATIENCE_S if urgent else None):
            return await writing
    except (ApplianceError, TimeoutError) as error:
        if not urgent:
            raise
        log.error("record=failed in an emergency error=%s reason=%s", type(error).__name__, error)
        return None


_PATIENCE_S: Final = 0.5


async def _even_if_cancelled(recording: Awaitable[None]) -> None:
    """A closed tab cancels the task that iterates us; the record is written all the same."""
    task = asyncio.ensure_future(recording)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
