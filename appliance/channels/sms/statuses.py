"""How far a message has come, and what Twilio's error codes mean. The words for staff stand in codes.toml.

Callbacks come out of order and twice: of two statuses the further one is true, whichever came last.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Final, Literal

import msgspec

Status = Literal[
    "accepted",
    "scheduled",
    "queued",
    "sending",
    "sent",
    "partially_delivered",
    "failed",
    "undelivered",
    "canceled",
    "delivered",
    "read",
]
"""Of messages that we send; Twilio's list has two more for those that come in."""

# Delivered stands above the failures: a network that first gave up may still report that the phone has it.
_FURTHER: Final[dict[str, int]] = {
    "accepted": 0,
    "scheduled": 1,
    "queued": 2,
    "sending": 3,
    "sent": 4,
    "partially_delivered": 5,
    "failed": 6,
    "undelivered": 6,
    "canceled": 6,
    "delivered": 7,
    "read": 8,
}
FAILED: Final = frozenset({"failed", "undelivered", "canceled"})

Does = Literal["opt_out", "give_up", "retry", "set_up"]


class Code(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an error code means for us, and in words for staff."""

    does: Does
    """``opt_out``: the patient wants no messages. ``give_up``: this message never arrives. ``retry``: later it may.
    ``set_up``: somebody must mend the account; messages wait until then."""
    words: str


def furthest(known: str | None, told: str) -> str | None:
    """The status that is true after this callback; what Twilio may add to its list one day changes nothing."""
    if told not in _FURTHER:
        return known
    return told if known is None or _FURTHER[told] > _FURTHER[known] else known


def code(number: int | None) -> Code | None:
    """What is known of an error code."""
    return _CODES.get(str(number)) if number else None


def explained(number: int | None) -> str:
    """An error code in words for staff."""
    known = code(number)
    if known:
        return f"{known.words} ({number})"
    return f"Twilio gives no reason that we know ({number})." if number else "Twilio gives no reason."


_CODES: Final = msgspec.convert(
    tomllib.loads((resources.files("appliance.channels.sms") / "codes.toml").read_text("utf-8")), dict[str, Code]
)
