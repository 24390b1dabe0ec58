"""Who owns a conversation, and what may happen to a case. Pure: knows no store, no clock and no person.

At any time one of three owns a conversation: the assistant while no case is open, the queue while staff are waited for, one
member of staff once somebody has accepted. A closed case stays closed; whoever is handed over again has a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from appliance.errors import Taken

State = Literal["waiting", "person", "snoozed", "returned", "resolved"]
Event = Literal["ask", "accept", "say", "give_back", "resolve", "snooze", "wake", "leave", "patient_returns"]
Owner = Literal["assistant", "waiting", "person"]

CLOSED: Final[frozenset[State]] = frozenset({"returned", "resolved"})

_CLOSING: Final[Mapping[Event, State]] = {"give_back": "returned", "resolve": "resolved"}
MOVES: Final[Mapping[State | None, Mapping[Event, State]]] = {
    None: {"ask": "waiting", "say": "person"},  # no case is open; staff may speak first
    "waiting": {
        **{"ask": "waiting", "accept": "person", "say": "person", "snooze": "snoozed", "patient_returns": "returned"},
        **_CLOSING,
    },
    "person": {
        "ask": "person",
        "accept": "person",
        "say": "person",
        "snooze": "snoozed",
        "leave": "waiting",
        **_CLOSING,
    },
    "snoozed": {
        **{"ask": "waiting", "wake": "waiting", "accept": "person", "say": "person", "patient_returns": "returned"},
        **_CLOSING,
    },
    "returned": {},
    "resolved": {},
}


def moved(state: State | None, event: Event) -> State:
    """The state after an event. Raises Taken where it cannot happen: somebody was first."""
    try:
        return MOVES[state][event]
    except KeyError:
        was = "closed" if state in CLOSED else state or "not open"
        raise Taken(f"the case is {was} meanwhile: {event.replace('_', ' ')} has no effect") from None


def owner(state: State | None) -> Owner:
    """Whose word it is. Snoozed is still the queue's: people will be back."""
    if state is None or state in CLOSED:
        return "assistant"
    return "person" if state == "person" else "waiting"
