"""A text as hashed n-grams, for weights that a sparse model has for them. Knows no weights and no meaning.

Feature hashing (Weinberger et al. 2009): an n-gram's place is its CRC-32 modulo a power of two, the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from appliance.knowledge.words import fold

PLACES: Final = 1 << 16
OF_SIGNS: Final = (2, 3, 4, 5)
"""Lengths of the runs of characters within a word and its borders; they forgive a spelling and need no word borders in Chinese."""
OF_WORDS: Final = (1, 2, 3)
MOST_SIGNS: Final = 4_000
"""What is longer is read so far."""


class Grams(msgspec.Struct, frozen=True):
    """The places of a text's n-grams and how much each counts; runs of characters and of words count the same in all."""

    places: NDArray[Any]
    shares: NDArray[Any]


def grams(text: str) -> Grams:
    """Every n-gram once; each of the two sorts has the length one together."""
    words = fold(text[:MOST_SIGNS]).split()
    sorts = ({*_of_signs(words)}, {*_of_words(words)})
    places = [crc32(one.encode(errors="surrogatepass")) % PLACES for sort in sorts for one in sort]
    shares = [len(sort) ** -0.5 for sort in sorts for _ in sort]
    return Grams(np.array(places, np.int64), np.array(shares, np.float32))


def _of_signs(words: Sequence[str]) -> Iterator[str]:
    for word in words:
        bordered = f" {word} "
        for length in OF_SIGNS:
            yield from (bordered[at : at + length] for at in range(max(1, len(bordered) - length + 1)))


def _of_words(words: Sequence[str]) -> Iterator[str]:
    for length in OF_WORDS:
        yield from (" ".join(words[at : at + length]) + "\n" for at in range(len(words) - length + 1))
