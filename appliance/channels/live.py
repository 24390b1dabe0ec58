"""The answers being said now: each runs once, whoever listens, leaves or comes back. Knows no socket and no model.

An answer is a list of numbered events that grows until its end. A listener holds only the number of the last event it
was given, so a slow one costs nothing and a lost one resumes where it was: from this memory, or from the store, which
holds the same parts in the same order.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager, suppress
from time import monotonic

import msgspec
from prometheus_client import Counter, Gauge, Histogram

from appliance.conversations.turns import Conversations, Turn
from appliance.errors import ApplianceError, Busy, NotFound
from appliance.log import request
from appliance.message import ConversationId, Message, MessageId, Opening, Part, Text
from appliance.problems import where
from models.engine_thread import on_the_phone

log = logging.getLogger(__name__)

Answering = Callable[[Message], AsyncGenerator[Part, None]]

GRACE_S = 30.0
"""How long an answer goes on with nobody listening: a phone in a lift, a page being reloaded."""
KEPT_S = 60.0
"""How long an ended answer stays in memory; then the store has it."""
CALLS_FIRST_S = 2.0
"""How long a chat's answer waits while a caller waits for the first words of one: silence on the telephone is longer."""
WAITING = 3
"""Messages that may wait in one conversation for the answer before them."""

RUNNING = Gauge("medinovai_answers_running", "Answers being said or waiting their turn")
ANSWERS = Counter("medinovai_answers", "Answers that ended", ["kind", "complete"])
FIRST_WORDS = Histogram(
    "medinovai_first_words_seconds",
    "From the message to the first words of its answer",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)


class Said(msgspec.Struct, frozen=True, kw_only=True, tag="part"):
    """One part of the answer to message ``id``; ``seq`` counts from 1."""

    id: MessageId
    seq: int
    part: Part


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    """Nothing follows. Not ``complete``: it was stopped, or something failed."""

    id: MessageId
    seq: int
    complete: bool


Event = Said | Ended


class Answer:
    """One answer, growing. Anyone may read it from any event on."""

    waits = False
    """Its turn has not come: the answer before it is still being said."""

    def __init__(self, message: Message, *, lost: int = 0) -> None:
        """Of its events the first ``lost`` are known to no one any more."""
        self.message = message
        self.events: list[Event] = []
        self._lost = lost
        self._news = asyncio.Event()

    @property
    def ended(self) -> bool:
        return bool(self.events) and isinstance(self.events[-1], Ended)

    @property
    def last_seq(self) -> int:
        return self._lost + len(self.events)

    async def after(self, seq: int) -> Sequence[Event]:
        """The events past ``seq``; waits for one. Empty: there will be none."""
        while self.last_seq <= seq and not self.ended:
            await self._news.wait()
        return self.events[max(0, seq - self._lost) :]

    def say(self, part: Part) -> None:
        self._add(Said(id=self.message.id, seq=self.last_seq + 1, part=part))

    def end(self, *, complete: bool) -> None:
        self._add(Ended(id=self.message.id, seq=self.last_seq + 1, complete=complete))

    def _add(self, event: Event) -> None:
        self.events.append(event)
        self._news.set()
        self._news = asyncio.Event()


class _Running(Answer):
    """An answer whose task is ours."""

    def __init__(self, message: Message) -> None:
        super().__init__(message)
        self.asked = monotonic()
        self.spoke = False
        self.listeners = 0
        self.stopping = False
        self.task: asyncio.Task[None] | None = None
        self.patience: asyncio.TimerHandle | None = None

    def say(self, part: Part) -> None:
        if isinstance(part, Text) and not self.spoke:
            self.spoke = True
            FIRST_WORDS.observe(monotonic() - self.asked)
        super().say(part)

    @property
    def kind(self) -> str:
        first = self.events[0] if self.events else None
        return first.part.kind if isinstance(first, Said) and isinstance(first.part, Opening) else "none"


class Live:
    """Starts answers, and finds them again. One at a time in a conversation; an emergency waits for nobody."""

    def __init__(
        self,
        answering: Answering,
        conversations: Conversations,
        *,
        urgent: Callable[[str], bool],
        at_most: int,
        grace_s: float = GRACE_S,
    ) -> None:
        self._answering = answering
        self._conversations = conversations
        self.urgent = urgent
        self._at_most = at_most
        self._grace_s = grace_s
        self._answers: dict[tuple[ConversationId, MessageId], _Running] = {}
        self._unfinished: dict[ConversationId, list[_Running]] = {}
        self._draining = False
        self._callers: set[_Running] = set()
        """Who waits on the telephone for the first words."""
        self._no_caller_waits = asyncio.Event()
        self._no_caller_waits.set()

    async def say(self, message: Message, answering: Answering | None = None) -> Answer:
        """The answer to this message: a new one, or the one it has already. Raises Busy."""
        urgent = self.urgent(message.text)
        try:
            found = await self._found(message.conversation, message.id)
        except ApplianceError as error:
            if not urgent:
                raise
            found = None  # an emergency does not wait for a store that fails either
            log.error("store=failed in an emergency: %s", where(error))
        if found:
            return found
        if not urgent:
            self._room(message)
        return await self._started(message, answering or self._answering, alone=urgent)

    async def resume(
        self, conversation: ConversationId, message: MessageId, *, after: int = 0, site: str | None = None
    ) -> Answer:
        """The answer a listener lost after event ``after``. Raises NotFound for a message never heard of."""
        if found := await self._found(conversation, message):
            return found
        asked = await self._asked(conversation, message)
        if asked is None:
            raise NotFound("there is no such message in this conversation: send it again")
        if after == 0:  # heard, but we died before a word of the answer was given: it is due
            return await self.say(msgspec.structs.replace(asked, site=site))
        return _cut_off(asked, after)

    @contextmanager
    def listening(self, answer: Answer) -> Iterator[None]:
        """While somebody reads this answer. When the last one has been gone for a while, it is closed."""
        if not isinstance(answer, _Running):
            yield
            return
        answer.listeners += 1
        try:
            yield
        finally:
            answer.listeners -= 1
            self._await_listener(answer)

    def current(self, conversation: ConversationId) -> Answer | None:
        """The answer being said in this conversation."""
        return next(iter(self._unfinished.get(conversation, ())), None)

    async def stop(self, conversation: ConversationId, message: MessageId) -> None:
        """Close the answer at once; what was said of it is recorded when this returns."""
        if answer := self._answers.get((conversation, message)):
            await self._stop([answer])

    async def stop_all(self, conversation: ConversationId) -> None:
        """Close every answer of a conversation."""
        await self._stop(list(self._unfinished.get(conversation, ())))

    async def drain(self, seconds: float) -> None:
        """Take no new message but an emergency, let the answers under way end, then close what is left."""
        self._draining = True
        running = [answer for answers in self._unfinished.values() for answer in answers]
        tasks = [answer.task for answer in running if answer.task]
        log.info("draining answers=%d seconds=%.0f", len(tasks), seconds)
        if tasks:
            await asyncio.wait(tasks, timeout=seconds)
        await self._stop([answer for answers in self._unfinished.values() for answer in answers])

    async def _found(self, conversation: ConversationId, message: MessageId) -> Answer | None:
        key = (conversation, message)
        if key not in self._answers and (turn := await self._conversations.answer(conversation, message)):
            return _retold(conversation, turn)
        return self._answers.get(key)  # looked up again: it may have been started while we asked the store

    async def _asked(self, conversation: ConversationId, message: MessageId) -> Message | None:
        turns = await self._conversations.history(conversation)
        turn = next((t for t in turns if t.message_id == message and t.role == "patient"), None)
        if turn is None:
            return None
        return Message(
            id=message, conversation=conversation, channel="web", text=turn.text, language=turn.language, at=turn.at
        )

    def _room(self, message: Message) -> None:
        conversation = message.conversation
        if self._draining:
            raise Busy("the assistant is being restarted: try again in a minute", retry_after=10)
        if len(self._unfinished.get(conversation, ())) > WAITING:
            raise Busy("earlier questions of this conversation are still being answered: wait for them", retry_after=3)
        if message.channel == "phone":
            return  # calls are counted where they come in
        if sum(map(len, self._unfinished.values())) >= self._at_most:
            raise Busy("too many answers at once: try again in a moment", retry_after=5)

    async def _started(self, message: Message, answering: Answering, *, alone: bool) -> Answer:
        answer = _Running(message)
        line = self._unfinished.setdefault(message.conversation, [])
        before = [] if alone else [earlier.task for earlier in line if earlier.task]
        self._answers[message.conversation, message.id] = answer
        line.append(answer)
        RUNNING.inc()
        answer.task = asyncio.create_task(self._said(answer, answering, before))
        answer.task.add_done_callback(lambda task: self._ended(answer, task))
        self._await_listener(answer)
        if before:  # what waits is kept now: the patient sees it as sent
            answer.waits = True
            await self._conversations.begin(message)
        return answer

    async def _said(self, answer: _Running, answering: Answering, before: Sequence[asyncio.Task[None]]) -> None:
        if before:
            await asyncio.wait(before)
        answer.waits = False
        request.set(answer.message.id)
        await self._calls_first(answer)
        try:
            async with aclosing(answering(answer.message)) as parts:
                async for part in parts:
                    answer.say(part)
                    if answer.spoke:
                        self._served(answer)
        finally:
            self._served(answer)

    async def _calls_first(self, answer: _Running) -> None:
        """A caller's answer begins now, and goes before others in the engines; a chat's lets waiting callers go first."""
        if answer.message.channel == "phone":
            on_the_phone.set(True)
            self._callers.add(answer)
            self._no_caller_waits.clear()
        elif not self.urgent(answer.message.text):
            with suppress(TimeoutError):
                async with asyncio.timeout(CALLS_FIRST_S):
                    await self._no_caller_waits.wait()

    def _served(self, answer: _Running) -> None:
        self._callers.discard(answer)
        if not self._callers:
            self._no_caller_waits.set()

    def _ended(self, answer: _Running, task: asyncio.Task[None]) -> None:
        failure = None if task.cancelled() else task.exception()
        if failure:
            log.error("answer=failed message=%s %s", answer.message.id, where(failure))
        complete = not (task.cancelled() or failure or answer.stopping)
        answer.end(complete=complete)
        RUNNING.dec()
        ANSWERS.labels(answer.kind, str(complete).lower()).inc()
        self._forget_later(answer)

    def _forget_later(self, answer: _Running) -> None:
        key = (answer.message.conversation, answer.message.id)
        line = self._unfinished[key[0]]
        line.remove(answer)
        if not line:
            del self._unfinished[key[0]]
        if answer.patience:
            answer.patience.cancel()
        asyncio.get_running_loop().call_later(KEPT_S, self._answers.pop, key, None)

    def _await_listener(self, answer: _Running) -> None:
        if answer.patience:
            answer.patience.cancel()
        if not (answer.listeners or answer.ended):
            answer.patience = asyncio.get_running_loop().call_later(self._grace_s, self._given_up, answer)

    def _given_up(self, answer: _Running) -> None:
        if not answer.listeners and answer.task and not answer.stopping:
            log.debug("answer=left message=%s", answer.message.id)
            answer.stopping = True
            answer.task.cancel()

    async def _stop(self, answers: Sequence[_Running]) -> None:
        for answer in answers:
            if answer.task and not answer.stopping:  # a second cancel would cut short the recording of what was said
                answer.stopping = True
                answer.task.cancel()
        if tasks := [answer.task for answer in answers if answer.task]:
            await asyncio.wait(tasks)


def _retold(conversation: ConversationId, turn: Turn) -> Answer:
    """A recorded answer, its events numbered as they were when it was said."""
    answer = Answer(Message(id=turn.message_id, conversation=conversation, channel="web", text=""))
    for part in turn.parts:
        answer.say(part)
    answer.end(complete=turn.complete)
    return answer


def _cut_off(message: Message, after: int) -> Answer:
    """Some words were shown and none recorded: new ones might not fit them, so it ends there."""
    answer = Answer(message, lost=after)
    answer.end(complete=False)
    return answer
