"""Whatever staff, patients and the clock do, in whatever order: one owner at a time, and no message without one."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, get_args

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, multiple, rule

from appliance.conversations.case import Case, Staffer
from appliance.conversations.cases import Desk
from appliance.conversations.ownership import CLOSED, MOVES, Event, State, moved, owner
from appliance.conversations.turns import Conversations
from appliance.errors import Taken
from appliance.message import ConversationId, Message, MessageId, Opening, Text, now
from appliance.records.database import Database

T = TypeVar("T")

STAFF = [Staffer(id=name, name=name.title(), role="nurse") for name in ("ana", "ben", "chi")]
staff = st.sampled_from(STAFF)


# ---- the table ---------------------------------------------------------------------------------------------------------


def test_every_open_state_can_be_closed_and_no_closed_one_moves() -> None:
    for state in get_args(State):
        assert (state in CLOSED) is (not MOVES[state])
        if state not in CLOSED:
            assert moved(state, "give_back") == "returned" and moved(state, "resolve") == "resolved"
    with pytest.raises(Taken):
        moved("resolved", "accept")


def test_a_word_of_staff_always_takes_an_open_conversation() -> None:
    for state in (None, *get_args(State)):
        if state not in CLOSED:
            assert owner(moved(state, "say")) == "person"


def test_every_event_is_possible_somewhere() -> None:
    assert {event for moves in MOVES.values() for event in moves} == set(get_args(Event))


# ---- the desk, whatever happens ------------------------------------------------------------------------------------------


class Handovers(RuleBasedStateMachine):
    """The desk over a real store, beside a model of whose each conversation is."""

    conversations = Bundle("conversations")

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.database = self.run(Database.open(Path(self.folder.name) / "clinic.db", bytes(range(32))))
        self.restart()
        self.owner: dict[ConversationId, str | None] = {}
        self.words: dict[str, ConversationId] = {}
        self.unanswered: dict[ConversationId, set[str]] = {}
        self.number = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    def teardown(self) -> None:
        self.run(self.database.close())
        self.loop.close()
        self.folder.cleanup()

    @rule()
    def restart(self) -> None:
        """All that was only in memory is gone."""
        self.desk, self.kept = Desk(self.database), Conversations(self.database)

    @initialize(target=conversations)
    def two_patients(self) -> Any:
        return multiple(self._patient(), self._patient())

    def _patient(self) -> ConversationId:
        conversation, _ = self.run(self.kept.create("web", "en"))
        self.owner[conversation], self.unanswered[conversation] = None, set()
        return conversation

    def _id(self) -> MessageId:
        self.number += 1
        return MessageId(f"m{self.number}")

    def _case(self, conversation: ConversationId) -> Case | None:
        return self.run(self.desk.open_case(conversation))

    async def _everything(self, *work: Coroutine[Any, Any, Any]) -> list[Any]:
        return await asyncio.gather(*work, return_exceptions=True)

    @rule(conversation=conversations, urgency=st.integers(0, 2))
    def ask(self, conversation: ConversationId, urgency: int) -> None:
        self.run(self.desk.open(conversation, reason="asked", urgency=urgency, language="en", channel="web"))
        if self.owner[conversation] is None or self.owner[conversation] == "snoozed":
            self.owner[conversation] = "waiting"

    @rule(conversation=conversations, crowd=st.lists(staff, min_size=1, max_size=3, unique_by=lambda one: one.id))
    def accept(self, conversation: ConversationId, crowd: list[Staffer]) -> None:
        if (case := self._case(conversation)) is None:
            return
        results = self.run(self._everything(*(self.desk.accept(case.id, one) for one in crowd)))
        won = [one for one in results if isinstance(one, Case)]
        assert all(isinstance(one, Case | Taken) for one in results)
        held = self.owner[conversation]
        names = {one.id for one in crowd}
        assert len(won) == (1 if held in names or held in ("waiting", "snoozed") else 0)
        if won:
            self.owner[conversation] = won[0].accepted_by

    @rule(conversation=conversations, by=staff, times=st.integers(1, 3))
    def say(self, conversation: ConversationId, by: Staffer, times: int) -> None:
        id = self._id()
        said = [self.desk.say(conversation, by, f"word {id}", id=id, via="page") for _ in range(times)]
        first, *others = self.run(self._everything(*said))
        assert all(one == first for one in others)
        self.owner[conversation], self.words[id] = by.id, conversation

    @rule(conversation=conversations, one=staff, other=staff)
    def two_speak_at_once(self, conversation: ConversationId, one: Staffer, other: Staffer) -> None:
        ids = self._id(), self._id()
        work = [
            self.desk.say(conversation, by, "both", id=id, via="page") for by, id in zip((one, other), ids, strict=True)
        ]
        self.run(self._everything(*work))
        self.words |= dict.fromkeys(ids, conversation)
        case = self._case(conversation)
        assert case and case.accepted_by in (one.id, other.id)
        self.owner[conversation] = case.accepted_by

    @rule(by=staff, data=st.data())
    def say_again(self, by: Staffer, data: st.DataObject) -> None:
        if self.words:
            id = MessageId(data.draw(st.sampled_from(sorted(self.words))))
            self.run(self.desk.say(self.words[id], by, "again", id=id, via="page"))

    @rule(conversation=conversations, by=staff, act=st.sampled_from(["give_back", "resolve"]))
    def close(self, conversation: ConversationId, by: Staffer, act: str) -> None:
        if case := self._case(conversation):
            both = self.run(self._everything(*(getattr(self.desk, act)(case.id, by) for _ in "12")))
            assert sorted(type(one).__name__ for one in both) == ["Case", "Taken"]
            self.owner[conversation] = None

    @rule(conversation=conversations, by=staff)
    def snooze(self, conversation: ConversationId, by: Staffer) -> None:
        if (case := self._case(conversation)) and case.state != "snoozed":
            self.run(self.desk.snooze(case.id, by, now() + timedelta(hours=1)))
            self.owner[conversation] = "snoozed"

    @rule(conversation=conversations)
    def wake(self, conversation: ConversationId) -> None:
        if (case := self._case(conversation)) and case.state == "snoozed":
            self.run(self.desk.wake(case.id))
            self.owner[conversation] = "waiting"

    @rule(conversation=conversations)
    def leave(self, conversation: ConversationId) -> None:
        if (case := self._case(conversation)) and case.state == "person":
            by = next(one for one in STAFF if one.id == case.accepted_by)
            self.run(self.desk.leave(case.id, by))
            self.owner[conversation] = "waiting"

    @rule(conversation=conversations)
    def needs_nobody(self, conversation: ConversationId) -> None:
        self.run(self.desk.patient_returns(conversation))
        if self.owner[conversation] in ("waiting", "snoozed"):
            self.owner[conversation] = None

    @rule(conversation=conversations, answered=st.booleans(), told=st.booleans())
    def patient_says(self, conversation: ConversationId, answered: bool, told: bool) -> None:
        """The process may die before it answers, or before it tells the desk."""
        message = Message(id=self._id(), conversation=conversation, channel="web", text="Hello?")
        self.run(self.kept.begin(message))
        if told:
            self.run(self.desk.patient_said(conversation, message.id))
        if self.owner[conversation] is not None:
            if self.owner[conversation] == "snoozed":
                self.owner[conversation] = "waiting"
        elif answered:
            parts = (Opening(kind="quoted", language="en"), Text(text="Yes."))
            self.run(self.kept.finish(message, parts, kind="quoted", language="en", complete=True))
        else:
            self.unanswered[conversation].add(message.id)  # due when the page asks again

    @invariant()
    def each_conversation_has_the_one_owner_that_the_story_tells(self) -> None:
        for conversation, expected in getattr(self, "owner", {}).items():
            case = self._case(conversation)
            if expected is None:
                assert case is None
            elif expected in ("waiting", "snoozed"):
                assert case and case.state == expected
            else:
                assert case and (case.state, case.accepted_by) == ("person", expected)

    @invariant()
    def no_message_of_a_patient_is_without_an_owner(self) -> None:
        def counted(connection: Any) -> set[str]:
            rows = connection.execute("SELECT detail FROM case_event WHERE event = 'patient_said'").fetchall()
            return {row[0] for row in rows}

        with_people = self.run(self.database.read(counted)) if hasattr(self, "owner") else set()
        for conversation in getattr(self, "owner", {}):
            turns = self.run(self.kept.history(conversation, 1000))
            answered = {turn.message_id for turn in turns if turn.role == "assistant"}
            for turn in turns:
                if turn.role == "patient":
                    places = [turn.message_id in one for one in (answered, with_people, self.unanswered[conversation])]
                    assert sum(places) == 1

    @invariant()
    def each_word_of_staff_is_there_once(self) -> None:
        for conversation in getattr(self, "owner", {}):
            said = [word.id for word in self.run(self.desk.words(conversation))]
            assert sorted(said) == sorted(id for id, where in self.words.items() if where == conversation)


Handovers.TestCase.settings = settings(
    max_examples=30, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
TestHandovers = Handovers.TestCase
