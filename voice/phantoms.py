"""What a recogniser writes where nobody said it: credits of films, and the same again and again. Knows no sound."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from pathlib import Path

import msgspec

FASTEST = {"words": 4.5, "signs": 7.0}
"""A second: who says a sentence twice says no more words (Chinese: characters)."""
ROUNDS = ((1, 8), (2, 5), (3, 4), (4, 3))
"""So many words in a row, so many times: nobody says that. "Five five five five" somebody does."""
_HAN = re.compile(r"[\u3400-\u9fff]")
_ROLLING = re.compile(r"([^\d\u3400-\u9fff]{1,4}?)\1{4}")
_UNIT = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+")


class _Phantoms(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    never: tuple[str, ...]
    unlikely: tuple[str, ...]


def phantom(text: str, language: str, *, unsure: bool) -> bool:
    """Whether the whole text is one that subtitles have and callers have not."""
    plain, known = _plain(text), _known().get(language)
    if known is None:
        return False
    if any(plain == one.rstrip("*") or (one.endswith("*") and plain.startswith(one[:-1])) for one in known.never):
        return True
    return unsure and plain in known.unlikely


def babble(text: str) -> bool:
    """Whether a word goes "biiiiii" or "shashashashasha": music does, to a recogniser; or a letter is not even whole."""
    return "\ufffd" in text or any(_ROLLING.search(word) for word in _plain(text).split())


def circling(text: str, seconds: float) -> bool:
    """The same words again and again, or a phrase twice, faster than anybody speaks."""
    units = _units(text)
    if any(_repeats(units, size, times) for size, times in ROUNDS):
        return True
    most = FASTEST["signs" if _HAN.search(text) else "words"] * max(seconds, 0.3)
    return _repeats(units, 3, 2) and len(units) > most


def unechoed(text: str, speech_s: float) -> str:
    """Said once where the whole is one thing said several times, in less speech than that needs: a lone digit comes doubled."""
    units, said = _units(text), _UNIT.findall(text)
    joined, most = ("", FASTEST["signs"]) if _HAN.search(text) else (" ", FASTEST["words"])
    if len(units) != len(said) or len(units) <= most * speech_s:
        return text
    for size in range(1, len(units) // 2 + 1):
        if all(unit == units[at % size] for at, unit in enumerate(units)):
            return joined.join(said[:size])
    return text


def once(text: str) -> str:
    """Without what is said a second time right after the first, where that is three words or more."""
    units = _UNIT.findall(text)
    plain = [_plain(unit) for unit in units]
    for size in range(3, len(units) // 2 + 1):
        for at in range(len(units) - 2 * size + 1):
            if plain[at : at + size] == plain[at + size : at + 2 * size]:
                joined = "" if _HAN.search(text) else " "
                return joined.join(units[: at + size])
    return text


def _repeats(units: list[str], size: int, times: int) -> bool:
    """``times`` the same ``size`` or more words in a row."""
    for long in range(size, len(units) // times + 1):
        for at in range(len(units) - long * times + 1):
            first = units[at : at + long]
            if all(units[at + long * n : at + long * (n + 1)] == first for n in range(1, times)):
                return True
    return False


def _units(text: str) -> list[str]:
    return _UNIT.findall(_plain(text))


def _plain(text: str) -> str:
    """Small letters, one space between words, no punctuation but the apostrophe."""
    kept = (" " if unicodedata.category(sign)[0] in "PSZ" and sign != "'" else sign for sign in text.casefold())
    return " ".join("".join(kept).split())


@cache
def _known() -> dict[str, _Phantoms]:
    return msgspec.toml.decode(Path(__file__).with_suffix(".toml").read_bytes(), type=dict[str, _Phantoms])
