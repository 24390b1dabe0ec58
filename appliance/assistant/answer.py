"""The one path of a patient's message, from every channel to every answer. Knows no channel, no socket and no table.

Read `Assistant._parts` aloud: a red flag is answered before anything else, by the rules or by the alarm; where a person of the
clinic has the conversation we are silent; then what we must not say; then what somebody of the clinic has signed; then the
clinic's documents, in their own words or, when a model has qualified here, in a model's words from them; else "I don't know"
and a person.
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
from appliance.assistant.language import Wish, Wishes, answering_language, asked_language
from appliance.assistant.people import People
from appliance.assistant.prompt import written_answer
from appliance.assistant.quote import Quote, Quoting
from appliance.assistant.redflags.rules import Kind
from appliance.assistant.remembered import Remembered
from appliance.assistant.saying import Saying
from appliance.assistant.smalltalk import Smalltalk, Topic
from appliance.assistant.triage import RedFlag, Triage
from appliance.conversations.alerts import Alerts, Flag
from appliance.conversations.turns import Conversations
from appliance.errors import ApplianceError, Busy, Unavailable
from appliance.knowledge.glossary import Carried, Glossary
from appliance.knowledge.search import Hit, Scope, Search
from appliance.knowledge.sites import Called, in_one_name
from appliance.languages import detect
from appliance.message import (
    LANGUAGES,
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
    remembered: Remembered
    followups: FollowUps
    grounding: Grounding
    contact: Contact
    approved: Approved
    conversations: Conversations
    alerts: Alerts
    speaker: Speaker
    saying: Saying
    wishes: Wishes
    people: People
    quote_in: tuple[Language, ...] = LANGUAGES
    """Languages in which documents answer; in the others only what is signed does."""


class Assistant:
    """Answers patients. Whoever iterates an answer closes it: ``async with aclosing(assistant.answer(m)) as parts``."""

    def __init__(self, parts: Parts) -> None:
        self._with = parts

    @property
    def remembered(self) -> Remembered:
        return self._with.remembered

    def answer(self, message: Message) -> AsyncGenerator[Part, None]:
        """The answer to a message, part by part. Closing it stops the work; what was said is recorded either way."""
        return self._recorded(message, self._parts)

    def person(self, message: Message) -> AsyncGenerator[Part, None]:
        """How to reach a person, for a patient who presses the button instead of asking."""
        return self._recorded(message, self._to_a_person)

    def partial(self, text: str) -> RedFlag | None:
        """Danger or a hint of it in what is said so far, by rules and weighed words. Needs no model, records nothing."""
        flag = self._with.triage.red_flag(text)
        if flag and flag.sure:
            return flag
        return _surer(flag, self._with.alarm.heard(text), detect(text))

    async def _danger(self, message: Message) -> RedFlag | None:
        """What the rules say, or what the alarm hears in words that no rule foresaw; a hint becomes danger, or stays one."""
        flag = self.partial(message.text)
        if flag and flag.sure:
            return flag
        kind = await self._with.alarm.kind(message.text, hinted=flag.kind if flag else None)
        return _surer(flag, kind, asked_language(message))

    async def _recorded(self, message: Message, path: _Path) -> AsyncGenerator[Part, None]:
        conversations = self._with.conversations
        flag = self.partial(message.text)
        sure = flag is not None and flag.sure
        standing = () if sure else await self._with.alerts.standing(message.conversation)
        urgent = bool(flag or standing)
        try:
            new = await _kept(conversations.begin(message), urgent=urgent)
            # An emergency is answered in the language of its own words, and waits for the store no longer than it must.
            chosen = None if sure else await _kept(conversations.chosen_language(message.conversation), urgent=urgent)
            if chosen:
                message = msgspec.structs.replace(message, language=chosen, locked=True)
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
            async with aclosing(self._attended(message, path)) as parts:
                async for part in parts:
                    for each in (part, *self._beside(part, standing, flag)):
                        said.append(each)
                        yield each
            complete = True
        finally:
            whole = _summary(said, message)
            kept = conversations.finish(message, said, kind=whole.kind, language=whole.language, complete=complete)
            await _even_if_cancelled(_kept(kept, urgent=urgent))
            self._with.people.ended(message, whole.kind)

    async def _attended(self, message: Message, path: _Path) -> AsyncGenerator[Part, None]:
        """The answer, and at its end where the patient stands who needs a person."""
        said: list[Part] = []
        async with aclosing(self._safely(message, path)) as parts:
            async for part in parts:
                said.append(part)
                yield part
        for notice in await self._with.people.needed(message, _summary(said, message).kind, said):
            yield notice

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

    def _beside(self, part: Part, standing: Sequence[str], flag: RedFlag | None) -> Sequence[Part]:
        """How to get help, right after the opening, while an alert is open or where words hint at danger."""
        if not isinstance(part, Opening) or part.kind == "emergency":  # an emergency's own words say it in full
            return ()
        if standing:
            return self._with.saying.reminder(standing, part.language)
        return self._with.saying.precaution(flag.kind, part.language) if flag else ()

    async def _parts(self, message: Message) -> AsyncGenerator[Part, None]:
        flag = await self._danger(message)
        if flag and flag.sure:
            for part in await self._emergency(message, flag):
                yield part
            return
        async with aclosing(self._with.people.unless_they_answer(message, self._ours)) as parts:
            async for part in parts:
                yield part

    async def _ours(self, message: Message) -> AsyncGenerator[Part, None]:
        ready: Sequence[Part]
        if wish := self._with.wishes.wish(message.text):
            async with aclosing(self._switched(message, wish)) as parts:
                async for part in parts:
                    yield part
            return
        elif topic := self._with.smalltalk.topic(message.text):
            ready = await self._without_documents(topic, message)
        else:
            asking, understood = await self._asking(message)
            async with aclosing(self._answered(message, asking)) as parts:
                async for part in parts:
                    yield part
                    if understood and isinstance(part, Opening):
                        yield self._with.saying.understood(understood, answering_language(message))
            return
        for part in ready:
            yield part

    async def _switched(self, message: Message, wish: Wish) -> AsyncGenerator[Part, None]:
        """From now on in the language asked for; what else was asked is answered in it at once."""
        await self._with.conversations.set_language(message.conversation, wish.language)
        if not wish.rest:
            for part in self._with.saying.greeting("language_chosen", wish.language):
                yield part
            return
        asked = msgspec.structs.replace(message, text=wish.rest, language=wish.language, locked=True)
        async with aclosing(self._parts(asked)) as parts:
            async for part in parts:
                yield part

    async def _asking(self, message: Message) -> tuple[Asking, Understood | None]:
        """The question as all who look for an answer take it, a follow-up as the whole question it is."""
        language, called = asked_language(message), await self._with.search.called()
        asked = in_one_name(message.text, called)
        understood = await self._understood(message, asked, language, called)
        text = understood.text if understood else asked
        meaning = await self._with.search.meaning(text, language)
        sites = tuple(dict.fromkeys(called.values()))
        return Asking(text=text, language=language, meaning=meaning, sites=sites, at=message.site), understood

    async def _understood(self, message: Message, asked: str, language: Language, called: Called) -> Understood | None:
        """A follow-up with what the conversation adds to it; the conversation is read for such a message only."""
        sites = tuple(dict.fromkeys(called.values()))
        follow = self._with.followups.read(asked, language, sites=sites)
        if follow is None:
            return None
        turns = await self._with.conversations.history(message.conversation, EARLIER)
        earlier = [
            msgspec.structs.replace(turn, text=in_one_name(turn.text, called))
            for turn in turns
            if turn.message_id != message.id
        ]
        return self._with.followups.understood(follow, earlier, sites=sites)

    async def _answered(self, message: Message, asking: Asking) -> AsyncGenerator[Part, None]:
        """The words that somebody has signed for this very question, else the documents'."""
        if signed := await self._with.approved.match(asking):
            for part in self._with.saying.signed(signed, answering_language(message)):
                yield part
            return
        async with aclosing(self._from_documents(message, asking)) as parts:
            async for part in parts:
                yield part

    async def _from_documents(self, message: Message, asking: Asking) -> AsyncGenerator[Part, None]:
        """Their own words, a model's words from them, how to reach us, or "I don't know"."""
        language = answering_language(message)
        if language not in self._with.quote_in:
            for part in await self._told("contact", "contact", message):
                yield part
            return
        carried = self._with.glossary.carried(asking.text, asking.language)
        model = self._with.speaker.qualified(language)
        hits: Sequence[Hit] = ()
        if model or await self._this_patients_alone(message, asking):  # a model needs the passages
            hits, quote = await self._looked_up(asking, carried)
        else:
            quote = await self._with.remembered.quote(asking, lambda: self._quote(asking, carried))
        if quote:
            self._with.people.quoted(message, quote.probability)
        if quote and model:
            async with aclosing(self._written(asking, language, hits=hits, quote=quote, model=model)) as parts:
                async for part in parts:
                    yield part
            return
        if quote:
            ready = self._with.saying.quoted(quote, language, asking.text, asking.language)
        elif carried.names and carried.names <= OF_THE_WHOLE_CLINIC:
            ready = await self._told("contact", "contact", message)
        else:
            ready = await self._told("unknown", "unknown", message)
        for part in ready:
            yield part

    async def _this_patients_alone(self, message: Message, asking: Asking) -> bool:
        """Whether what was said before decides what is asked: a follow-up, or anything while an alert is open."""
        return asking.text != message.text or bool(await self._with.alerts.standing(message.conversation))

    async def _quote(self, asking: Asking, carried: Carried) -> Quote | None:
        return (await self._looked_up(asking, carried))[1]

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
        quote = quoting.quote(text, language, hits=hits, carried=carried, sites=asking.sites, at=asking.at)
        return hits, quote if quote and quote.probability >= quoting.threshold else None

    async def _written(
        self, asking: Asking, language: Language, *, hits: Sequence[Hit], quote: Quote, model: ChatModel
    ) -> AsyncGenerator[Part, None]:
        """The model's words; when it has none that the sources bear out, the quote."""
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
        for part in () if wrote else self._with.saying.quoted(quote, language, asking.text, asking.language):
            yield part

    async def _emergency(self, message: Message, flag: RedFlag) -> list[Part]:
        """Fixed words, in the language of the cry for help whatever was chosen; staff are told through the alert."""
        language = asked_language(message, hint=flag.language)
        raised = Flag(conversation=message.conversation, kind=flag.kind, language=language, channel=message.channel)
        await asyncio.gather(
            _kept(self._with.alerts.sound(raised), urgent=True),
            _kept(self._with.people.emergency(message, flag, language), urgent=True),
        )
        return self._with.saying.emergency(flag.kind, language)

    async def _without_documents(self, topic: Topic, message: Message) -> list[Part]:
        """A greeting, thanks, a wish for a person, or something we must never answer."""
        if topic in ("greeting", "thanks"):
            return self._with.saying.greeting(topic, answering_language(message))
        if topic == "person":
            return await self._told("contact", "contact", message)
        return await self._told("declined", f"declined_{topic}", message)

    async def _to_a_person(self, message: Message) -> AsyncGenerator[Part, None]:
        async with aclosing(self._with.people.unless_they_answer(message, self._contact)) as parts:
            async for part in parts:
                yield part

    async def _contact(self, message: Message) -> AsyncGenerator[Part, None]:
        for part in await self._told("contact", "contact", message):
            yield part

    async def _told(self, kind: AnswerKind, key: str, message: Message) -> list[Part]:
        """A fixed phrase, and how to reach the clinic."""
        language = answering_language(message)
        reach = await self._with.contact.find(language, site=message.site)
        return self._with.saying.told(kind, key, language, reach)


def _surer(flag: RedFlag | None, kind: Kind | None, language: Language) -> RedFlag | None:
    """What a rule hints at, made danger by the alarm; the alarm's own finding where no rule says anything."""
    if kind is None:
        return flag
    return msgspec.structs.replace(flag, sure=True) if flag else RedFlag(kind=kind, rule="alarm", language=language)


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
