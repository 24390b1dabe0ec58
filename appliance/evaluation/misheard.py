"""Texts as speech recognition hears them: without marks and capitals, and with some words wrong. Knows no recogniser.

A stand-in where nobody has recorded the texts. Of the words that are wrong two thirds become another one that is spelt
almost the same, as recognisers mishear; the others are lost or said twice. Chinese is misheard by the character.
"""

from __future__ import annotations

import difflib
import random
import re
import unicodedata
from collections.abc import Sequence
from typing import Final

import msgspec

from appliance.evaluation.safety import SafetyText

_UNIT: Final = re.compile(r"[\u3400-\u9fff]|[^\s\u3400-\u9fff]+")
_HAN: Final = re.compile(r"[\u3400-\u9fff]")


def misheard(texts: Sequence[SafetyText], *, errors: float, seed: int = 1) -> list[SafetyText]:
    """``errors``: the share of words (Chinese: characters) that are wrong. The same seed gives the same texts."""
    chance = random.Random(seed)  # noqa: S311 - which words are wrong is no secret
    said = {one.id: _units(one.text) for one in texts}
    known = {
        language: sorted({unit for one in texts if one.lang == language for unit in said[one.id]})
        for language in {one.lang for one in texts}
    }
    return [msgspec.structs.replace(one, text=_heard(said[one.id], known[one.lang], errors, chance)) for one in texts]


def _units(text: str) -> list[str]:
    """The words, as a recogniser writes them."""
    plain = "".join(" " if unicodedata.category(sign)[0] in "PS" and sign != "'" else sign for sign in text.lower())
    return _UNIT.findall(plain)


def _heard(units: Sequence[str], known: Sequence[str], errors: float, chance: random.Random) -> str:
    wrong: list[str] = []
    for unit in units:
        wrong += [unit] if chance.random() >= errors else _wrong(unit, known, chance)
    return _joined(wrong) or _joined(units)


def _wrong(unit: str, known: Sequence[str], chance: random.Random) -> list[str]:
    luck = chance.random()
    if luck < 1 / 6:
        return []
    if luck < 1 / 3:
        return [unit, unit]
    if _HAN.match(unit):
        return [chance.choice([one for one in known if _HAN.match(one)])]
    near = [one for one in difflib.get_close_matches(unit, known, n=4, cutoff=0.5) if one != unit]
    return [chance.choice(near)] if near else []


def _joined(units: Sequence[str]) -> str:
    """With spaces, but none between Chinese characters."""
    return re.sub(r"(?<=[\u3400-\u9fff]) (?=[\u3400-\u9fff])", "", " ".join(units))
