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
from appliance.assistant.grounding import Grounding
from appliance.assistant.language import answering_language
from appliance.assistant.prompt import written_answer
from appliance.assistant.quote import Quote, Quoting
from appliance.assistant.saying import Saying
from appliance.assistant.smalltalk import Smalltalk, Topic
from appliance.assistant.triage import RedFlag, Triage
from appliance.conversations.turns import Conversations
from appliance.errors import ApplianceError, Busy, Unavailable
from appliance.knowledge.glossary import Carried, Glossary
from appliance.knowledge.search import Hit, Scope, Search
from appliance.message import (
    AnswerKind,
    Language,
    Message,
    Opening,
    Part,
)
from models import ChatModel, ModelBusy, ModelError, Vectors

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
    alarm: Alarm | None
    smalltalk: Smalltalk
    search: Search
    glossary: Glossary
    quoting: Quoting
    grounding: Grounding
    contact: Contact
    approved: Approved
    conversations: Conversations
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

    async def _recorded(self, message: Message, path: _Path) -> AsyncGenerator[Part, None]:
        conversations = self._with.conversations
        urgent = self._with.triage.red_flag(message.text) is not None
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
                    said.append(part)
                    yield part
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

    async def _parts(self, message: Message) -> AsyncGenerator[Part, None]:
        flag, meaning = self._with.triage.red_flag(message.text), None
        if flag is None and (alarm := self._with.alarm):
            meaning = await self._meaning(message)
            flag = _alarmed(alarm, message, meaning)
        if flag:
            ready: Sequence[Part] = await self._emergency(message, flag)
        elif topic := self._with.smalltalk.topic(message.text):
            ready = await self._without_documents(topic, message)
        else:
            asking = await self._asking(message, meaning)
            if signed := await self._with.approved.match(asking):
                ready = self._with.saying.signed(signed, asking.language)
            else:
                async with aclosing(self._from_documents(message, asking)) as parts:
                    async for part in parts:
                        yield part
                return
        for part in ready:
            yield part

    async def _meaning(self, message: Message) -> Vectors | None:
        """The message's vector, found out once for all who want it; None when the embedder is down."""
        try:
            return await self._with.search.meaning(message.text, answering_language(message))
        except ModelError as error:
            log.error("alarm=silent error=%s reason=%s", type(error).__name__, error)
            return None

    async def _asking(self, message: Message, meaning: Vectors | None) -> Asking:
        """The question as all who look for an answer take it. Raises what the embedder does when it is down still."""
        language = answering_language(message)
        return Asking(
            text=message.text,
            language=language,
            meaning=await self._with.search.meaning(message.text, language) if meaning is None else meaning,
            sites=await self._with.search.sites(),
            at=message.site,
        )

    async def _from_documents(self, message: Message, asking: Asking) -> AsyncGenerator[Part, None]:
        """Their own words, a model's words from them, how to reach us, or "I don't know"."""
        language = asking.language
        carried = self._with.glossary.carried(asking.text, language)
        hits, quote = await self._looked_up(asking, carried)
        if quote and (model := self._with.speaker.qualified(language)):
            async with aclosing(self._written(message, language, hits=hits, quote=quote, model=model)) as parts:
                async for part in parts:
                    yield part
            return
        if quote:
            ready = self._with.saying.quoted(quote, language)
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
        self, message: Message, language: Language, *, hits: Sequence[Hit], quote: Quote, model: ChatModel
    ) -> AsyncGenerator[Part, None]:
        """The model's words; when it has none that the sources bear out, the quote."""
        quoted = {one.passage.id for one in quote.chosen}
        shown = sorted(hits, key=lambda hit: hit.passage.id not in quoted)  # what would be quoted comes first
        wrote = False
        try:
            writing = written_answer(message.text, language, hits=shown, model=model, grounding=self._with.grounding)
            async with aclosing(writing) as parts:
                async for part in parts:
                    if not wrote:
                        yield Opening(kind="generated", language=language)
                    wrote = True
                    yield part
        except ModelError as error:
            log.warning("generation=failed model=%s reason=%s", model.name, error)
        for part in () if wrote else self._with.saying.quoted(quote, language):
            yield part

    async def _emergency(self, message: Message, flag: RedFlag) -> list[Part]:
        """Fixed words; staff are told through the alert."""
        language = answering_language(message, hint=flag.language)
        await _kept(self._with.conversations.alert(message.conversation, flag.kind, language), urgent=True)
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


def _alarmed(alarm: Alarm, message: Message, meaning: Vectors | None) -> RedFlag | None:
    """Danger in words that no rule foresaw."""
    kind = None if meaning is None else alarm.kind(meaning)
    return RedFlag(kind=kind, rule="alarm", language=answering_language(message)) if kind else None


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
