"""Which words of a text somebody has heard who heard so many seconds of it. Reckoned from the clauses' lengths; knows no line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from voice.loudness import pause_after
from voice.numbers import spoken
from voice.sentences import SECOND, clauses

_HAN = re.compile(r"[㐀-鿿]")
_WORD = re.compile(r"[㐀-鿿][^\w\s]*|[^\s㐀-鿿]+")
"""A word with what clings to it; a Chinese sign is one."""


def heard_words(text: str, language: str, pieces: Sequence[float], played_s: float, *, whole: bool) -> str:
    """The beginning of the text that sounded to its end in ``played_s``.

    ``pieces``: seconds of each clause as it was made; ``whole``: no more clauses will come.
    """
    if whole and played_s >= sum(pieces) - 0.01:
        return text
    said = _said(text, language, pieces, whole=whole)
    weights = [_weight(clause) for clause in said]
    reached = _reached(said, weights, pieces, played_s, whole=whole)
    return _until(text, language, reached / max(sum(weights), 1))


def _said(text: str, language: str, pieces: Sequence[float], *, whole: bool) -> list[str]:
    """The clauses that the pieces are, as far as that can be told."""
    words = spoken(text, language)
    for brief in (False, True):
        said = clauses(words, brief=brief)
        if len(said) == len(pieces) or (not whole and len(said) > len(pieces)):
            return said
    return [words]


def _reached(
    said: Sequence[str], weights: Sequence[int], pieces: Sequence[float], played_s: float, *, whole: bool
) -> float:
    """How much of the weight has sounded."""
    if len(said) < len(pieces):  # clauses were cut in some other way: evenly
        long = sum(pieces) if whole else max(sum(pieces), sum(weights) / SECOND)
        return sum(weights) * min(1.0, played_s / long)
    reached = 0.0
    for clause, weight, seconds in zip(said, weights, pieces, strict=False):
        voiced = max(0.05, seconds - len(pause_after(clause, 1000)) / 1000)
        reached += weight * min(1.0, max(0.0, played_s) / voiced)
        played_s -= seconds
    return reached


def _until(text: str, language: str, share: float) -> str:
    """The words that end before this share of the text's weight."""
    words = list(_WORD.finditer(text))
    weights = [_as_said(word[0], language) for word in words]
    left, end = share * sum(weights) + 0.5, 0
    for word, weight in zip(words, weights, strict=True):
        left -= weight
        if left < 0:
            break
        end = word.end()
    return text[:end]


def _as_said(word: str, language: str) -> int:
    """A number is longer when it is said; a blank goes with each word."""
    return _weight(spoken(word, language) if any(map(str.isdecimal, word)) else word) + 1


def _weight(text: str) -> int:
    return len(text) + 3 * len(_HAN.findall(text))
