"""The keys of the telephone. A key always wins: over our speaking, over the caller's.

Pure: decides what a key means, does nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from appliance.message import Language

Act = Literal[
    "people", "repeat", "language", "languages", "recording", "hours", "address", "message", "callback", "none"
]

PEOPLE = "0"
REPEAT = "*"
RECORDING = "5"
LANGUAGES = "9"


class Pressed(msgspec.Struct, frozen=True, kw_only=True):
    """What a key asks for."""

    act: Act
    language: Language | None = None


def pressed(key: str, *, languages: Sequence[Language], by_keys: bool) -> Pressed:
    """``languages``: those that can still be chosen, in the order of their keys. ``by_keys``: this caller has the menu."""
    if key == PEOPLE:
        return Pressed(act="people")
    if key == REPEAT:
        return Pressed(act="repeat")
    if key == RECORDING:
        return Pressed(act="recording")
    if by_keys and key == LANGUAGES and len(languages) > 1:
        return Pressed(act="languages")
    if by_keys and key in _MENU:
        return Pressed(act=_MENU[key])
    if not by_keys and key.isdecimal() and 1 <= int(key) <= len(languages):
        return Pressed(act="language", language=languages[int(key) - 1])
    return Pressed(act="none")


_MENU: dict[str, Act] = {"1": "hours", "2": "address", "3": "message", "4": "callback"}
