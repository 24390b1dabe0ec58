"""Conversations that are handed to people: the only writer of cases and of staff's words. Knows no rule that opens a case,
no channel and no clock but the one of `message.now`.

Every change is one transaction (`casework`) with its event, its entry in the audit and its letter in the outbox; this process is
told of it (`Desk.news`) after it is kept. A word of staff silences the assistant in the same breath: see `Desk.attending`.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, TypeVar

import msgspec

from appliance.conversations.attending import Attending
from appliance.conversations.case import Asked, Case, CaseEvent, Happened, Note, Reason, Staffer, What, Word
from appliance.conversations.casework import (
    WORD,
    Act,
    Telling,
    as_word,
    ask,
    by_id,
    cases,
    heard,
    open_case,
    say,
    word_of,
)
from appliance.conversations.ownership import owner
from appliance.errors import BadInput, NotAllowed, NotFound, Taken, TooLarge
from appliance.message import ChannelName, ConversationId, Language, MessageId, now
from appliance.records.database import Connection, Database

log = logging.getLogger(__name__)

T = TypeVar("T")

WORD_CHARACTERS: Final = 4_000

REMEMBERED: Final = 4_096
"""Happenings kept for a listener that fell behind; it reads the store anyhow."""


class Desk:
    """Where cases are opened, taken, answered and closed."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._now = clock
        self._news: deque[Happened] = deque(maxlen=REMEMBERED)
        self._seq = 0
        self._told = asyncio.Event()
        self._owed: dict[ConversationId, Asked] = {}
        self._open: dict[ConversationId, int] = {}
        self._attended: dict[ConversationId, list[Attending]] = {}
        self._working: set[asyncio.Task[Any]] = set()

    # ---- opening and looking ----------------------------------------------------------------------------------------

    async def open(
        self,
        conversation: ConversationId,
        *,
        reason: Reason,
        urgency: int,
        language: Language,
        channel: ChannelName,
        site: str | None = None,
        kinds: Sequence[str] = (),
        summary: str = "",
        suggested: str = "",
        why: str = "",
    ) -> Case:
        """A case for this conversation; one that is open becomes graver where this is graver.

        Remembered until it is kept: `settle` opens what a failing store could not.
        """
        asked = Asked(
            conversation=conversation,
            reason=reason,
            urgency=urgency,
            language=language,
            channel=channel,
            site=site,
            kinds=tuple(kinds),
            summary=summary,
            suggested=suggested,
            why=why,
        )
        self._owed[conversation] = _graver(self._owed.get(conversation), asked)
        return await self._act(lambda act: ask(act, asked), then=lambda: self._paid(asked))

    async def settle(self) -> None:
        """Open what could not be kept when it was asked for. Raises what the store raises."""
        for asked in list(self._owed.values()):
            await self._act(lambda act, one=asked: ask(act, one), then=lambda one=asked: self._paid(one))  # type: ignore[misc]  # mypy cannot type a lambda's default

    async def case(self, id: int) -> Case:
        """Raises NotFound."""
        return await self._database.read(lambda c: by_id(c, id))

    async def open_case(self, conversation: ConversationId) -> Case | None:
        """The open case of a conversation; without one the assistant owns it."""
        case = await self._database.read(lambda c: open_case(c, conversation))
        if case:
            self._open[conversation] = case.id
        return case

    async def queue(self) -> list[Case]:
        """All that are open: the most urgent first, then who came first."""
        return await self._database.read(lambda c: cases(c, "WHERE closed_at IS NULL ORDER BY urgency, opened_at, id"))

    async def closed(self, limit: int = 50) -> list[Case]:
        """The newest that are closed, newest first."""
        return await self._database.read(
            lambda c: cases(c, "WHERE closed_at IS NOT NULL ORDER BY closed_at DESC LIMIT ?", limit)
        )

    async def place(self, case_id: int) -> int:
        """Where a waiting case stands in the queue: 1 is next; 0 when it does not wait."""
        waiting = [one.id for one in await self.queue() if one.state == "waiting"]
        return waiting.index(case_id) + 1 if case_id in waiting else 0

    async def events(self, case_id: int) -> list[CaseEvent]:
        """All that happened to a case, oldest first."""
        sql = "SELECT at, event, actor, from_state, to_state, detail FROM case_event WHERE handover = ? ORDER BY id"
        rows = await self._database.read(lambda c: c.execute(sql, (case_id,)).fetchall())
        return [msgspec.convert(dict(zip(CaseEvent.__struct_fields__, row, strict=True)), CaseEvent) for row in rows]

    async def waits(self, limit: int = 50) -> list[tuple[Case, datetime]]:
        """The cases accepted last, with the moment in which they were for the first time; newest first."""

        def work(connection: Connection) -> list[tuple[Case, datetime]]:
            rows = connection.execute(
                "SELECT handover, at FROM case_event WHERE event = 'accept' AND detail = 'waited' ORDER BY id DESC LIMIT ?",
                (limit,),
            ).fetchall()
            return [(by_id(connection, case), datetime.fromisoformat(at)) for case, at in rows]

        return await self._database.read(work)

    # ---- whose it is ------------------------------------------------------------------------------------------------

    async def accept(self, case_id: int, by: Staffer, *, version: int | None = None) -> Case:
        """Take it. Raises Taken when somebody else has it, or it has moved on since ``version``."""

        def work(act: Act) -> Case:
            case = act.case(case_id)
            if case.state == "person":
                if case.accepted_by == by.id:
                    return case  # pressed twice
                raise Taken(f"case {case.id} is with {case.accepted_name}")
            if version not in (None, case.version):
                raise Taken(f"case {case.id} has changed meanwhile: look at it again")
            return act.took(case, "accept", by)

        return await self._act(work)

    async def give_back(self, case_id: int, by: Staffer) -> Case:
        """To the assistant."""
        return await self._act(lambda act: act.closed(act.case(case_id), "give_back", by))

    async def resolve(self, case_id: int, by: Staffer) -> Case:
        """Done; what the patient says next is answered by the assistant."""
        return await self._act(lambda act: act.closed(act.case(case_id), "resolve", by))

    async def patient_returns(self, conversation: ConversationId) -> Case | None:
        """The patient needs nobody any more. None when nobody was waited for."""

        def work(act: Act) -> Case | None:
            case = open_case(act.connection, conversation)
            return act.closed(case, "patient_returns", None) if case and owner(case.state) == "waiting" else None

        return await self._act(work)

    async def snooze(self, case_id: int, by: Staffer, until: datetime) -> Case:
        """Nobody answers until then; the patient is told, and wakes it with a word."""
        if until <= self._now():
            raise BadInput("a case is put off until a moment to come")
        return await self._act(lambda act: act.snoozed(act.case(case_id), by, until))

    async def wake(self, case_id: int) -> Case:
        """Its time has come: it waits again, as if it were new."""
        return await self._act(lambda act: act.waits(act.case(case_id), "wake", None))

    async def leave(self, case_id: int, by: Staffer) -> Case:
        """A member of staff goes off duty: the case waits for another."""

        def work(act: Act) -> Case:
            case = act.case(case_id)
            if case.accepted_by != by.id and case.state == "person":
                raise Taken(f"case {case.id} is with {case.accepted_name}")
            return act.waits(case, "leave", by)

        return await self._act(work)

    async def call_again(self, case_id: int) -> Case:
        """Who has it does not answer: it waits for another, as after `leave`."""
        return await self._act(lambda act: act.waits(act.case(case_id), "leave", None))

    async def raise_level(self, case_id: int, *, last: int = 3) -> Case:
        """Call the next group; past the last one, page. A case that does not wait any more stays as it is."""
        return await self._act(lambda act: act.raised(act.case(case_id), last))

    # ---- what is said -----------------------------------------------------------------------------------------------

    async def say(self, conversation: ConversationId, by: Staffer, text: str, *, id: MessageId, via: str) -> Word:
        """A word to the patient; the conversation is the speaker's from now on. The same id twice is said once."""
        words = _words(text)
        return await self._act(lambda act: say(act, conversation, by, words, id, via))

    async def edit(self, id: MessageId, by: Staffer, text: str, *, via: str = "page") -> Word:
        """Other words in place of one's own."""
        words = _words(text)

        def work(act: Act) -> Word:
            word, author = word_of(act.connection, id)
            if author != by.id:
                raise NotAllowed("only who said it may change it")
            if word.deleted_at:
                raise NotFound("this word was taken back")
            return word if word.text == words else act.reworded(word, "edited", words, by, via)

        return await self._act(work)

    async def take_back(self, id: MessageId, by: Staffer, *, via: str = "page") -> Word:
        """It is gone from the patient's page; that there was one stays visible."""

        def work(act: Act) -> Word:
            word, _ = word_of(act.connection, id)
            return word if word.deleted_at else act.reworded(word, "taken_back", "", by, via)

        return await self._act(work)

    async def word(self, id: MessageId) -> Word:
        """Raises NotFound."""
        return (await self._database.read(lambda c: word_of(c, id)))[0]

    async def words(self, conversation: ConversationId) -> list[Word]:
        """All that staff said in a conversation, oldest first."""
        sql = f"SELECT {WORD} FROM turn WHERE conversation = ? AND role = 'staff' ORDER BY id"  # noqa: S608 - a constant of this module
        rows = await self._database.read(lambda c: c.execute(sql, (conversation,)).fetchall())
        return [as_word(row) for row in rows]

    async def note(self, case_id: int, by: Staffer, text: str) -> Note:
        """A private word. Raises NotFound when the patient has deleted the conversation: notes went with it."""
        words = _words(text)
        return await self._act(lambda act: act.noted(act.case(case_id), by, words))

    async def notes(self, case_id: int) -> list[Note]:
        """Oldest first."""
        sql = "SELECT id, author_name, text, at FROM note WHERE handover = ? ORDER BY id"
        rows = await self._database.read(lambda c: c.execute(sql, (case_id,)).fetchall())
        return [msgspec.convert(dict(zip(Note.__struct_fields__, row, strict=True)), Note) for row in rows]

    async def patient_said(self, conversation: ConversationId, message_id: MessageId) -> Case | None:
        """A message that the queue or a person owns: it counts as unread, once. None when the assistant owns it."""
        case = await self.open_case(conversation)
        if case is None:
            return None
        number = case.id
        if not await self._database.read(lambda c: _counted(c, number, message_id)):
            await self._act(lambda act: heard(act.connection, conversation, message_id, act.at))
        self._tell(number, conversation, "patient_said", message_id=message_id)
        return await self.case(number)

    def assistant_said(self, conversation: ConversationId, message_id: MessageId) -> None:
        """The assistant has answered while staff are waited for; told to whoever looks on."""
        if case := self._open.get(conversation):
            self._tell(case, conversation, "assistant_said", message_id=message_id)

    async def read(self, case_id: int, by: Staffer) -> None:
        """Somebody of the clinic has seen all that the patient said."""

        def work(act: Act) -> None:
            if act.case(case_id).unread:
                act.change(case_id, unread=0, unread_since=None)
                act.note_event(act.case(case_id), "read", by)

        await self._act(work)

    def typing(self, conversation: ConversationId, by: Staffer | None) -> None:
        """Somebody is writing; None: the patient. Not kept."""
        case = self._open.get(conversation, 0)
        self._tell(case, conversation, "typing", by=by)

    # ---- what is told in this process -------------------------------------------------------------------------------

    @property
    def seq(self) -> int:
        """The number of the last happening: read it, then the store, then follow ``news(after=seq)``."""
        return self._seq

    def news(self, after: int | None = None) -> AsyncGenerator[Happened, None]:
        """What happens from now on, or past that number as far as it is remembered; in order, without end."""
        return self._following(self._seq if after is None else after)

    async def _following(self, seq: int) -> AsyncGenerator[Happened, None]:
        while True:
            told = self._told
            for one in [one for one in self._news if one.seq > seq]:
                seq = one.seq
                yield one
            if told is self._told:  # nothing new while the listener worked
                await told.wait()

    @contextmanager
    def attending(self, conversation: ConversationId) -> Iterator[Attending]:
        """While the assistant answers: it learns at once when a person takes the conversation."""
        attending = Attending()
        beside = self._attended.setdefault(conversation, [])
        beside.append(attending)
        try:
            yield attending
        finally:
            beside.remove(attending)
            if not beside:
                self._attended.pop(conversation, None)

    # ---- inside -----------------------------------------------------------------------------------------------------

    async def _act(self, work: Callable[[Act], T], *, then: Callable[[], None] | None = None) -> T:
        """One transaction, and what follows from it even if the asker is gone by then."""
        task = asyncio.ensure_future(self._kept(work, then))
        self._working.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._working.discard(task)
        if not task.cancelled() and (error := task.exception()):  # the asker may be gone
            log.debug("desk=failed error=%s", type(error).__name__)

    async def _kept(self, work: Callable[[Act], T], then: Callable[[], None] | None) -> T:
        def whole(connection: Connection) -> tuple[T, list[Telling]]:
            act = Act(connection, self._now())
            return work(act), act.telling

        result, telling = await self._database.write(whole)
        if then:
            then()
        for one in telling:
            self._remember(one.case)
            if one.what in ("accepted", "said") and one.case.state == "person":
                self._silence(one.case.conversation)
            self._tell(one.case.id, one.case.conversation, one.what, by=one.by, message_id=one.message_id)
        return result

    def _paid(self, asked: Asked) -> None:
        owed = self._owed.get(asked.conversation)
        if owed and owed.urgency >= asked.urgency and set(owed.kinds) <= set(asked.kinds):
            del self._owed[asked.conversation]

    def _remember(self, case: Case) -> None:
        if case.open:
            self._open[case.conversation] = case.id
        else:
            self._open.pop(case.conversation, None)

    def _silence(self, conversation: ConversationId) -> None:
        for attending in self._attended.get(conversation, ()):
            attending.end()

    def _tell(
        self,
        case: int,
        conversation: ConversationId,
        what: What,
        *,
        by: Staffer | None = None,
        message_id: MessageId | None = None,
    ) -> None:
        self._seq += 1
        who, name = (by.id, by.name) if by else (None, None)
        self._news.append(
            Happened(
                seq=self._seq,
                case_id=case,
                conversation=conversation,
                what=what,
                by=who,
                name=name,
                message_id=message_id,
            )
        )
        self._told.set()
        self._told = asyncio.Event()


def _graver(known: Asked | None, asked: Asked) -> Asked:
    """What is owed of two that could not be kept."""
    if known is None:
        return asked
    gravest = known if known.urgency <= asked.urgency else asked
    return msgspec.structs.replace(gravest, kinds=tuple(dict.fromkeys((*known.kinds, *asked.kinds))))


def _words(text: str) -> str:
    words = text.strip()
    if not words:
        raise BadInput("there are no words in it")
    if len(words) > WORD_CHARACTERS:
        raise TooLarge(f"a word of staff has at most {WORD_CHARACTERS} characters")
    return words


def _counted(connection: Connection, case: int, message_id: MessageId) -> bool:
    sql = "SELECT 1 FROM case_event WHERE handover = ? AND detail = ? AND event = 'patient_said'"
    return connection.execute(sql, (case, message_id)).fetchone() is not None
