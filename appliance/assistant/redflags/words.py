"""Brings a message into the one spelling that the rules are written in. Knows keyboards, scripts and typos, but no rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from appliance.knowledge.words import fold

_HAN: Final = "\u3400-\u4dbf\u4e00-\u9fff"
_DEVANAGARI: Final = "\u0900-\u0963\u0971-\u097f"
_WORD: Final = re.compile(
    rf"\d+(?:[.,]\d+)?|[{_DEVANAGARI}]+|[{_HAN}]|[^\W\d_{_DEVANAGARI}{_HAN}]+(?:'[^\W\d_{_DEVANAGARI}{_HAN}]+)*"
)
# "can't... breathe" is one thought: dots in a row end nothing.
_SENTENCE_END: Final = re.compile(r"[!?¿¡।॥。]|(?<!\.)\.(?!\.)")
_CLAUSE_END: Final = re.compile(r"[,;:()\n\u2013\u2014，；：]| - ")

# Unseen characters (joiners, marks of direction, soft hyphens), digits of Devanagari, and what Hindi writes in two ways:
# ॉ or ा (डॉक्टर, डाक्टर), ये or ए (गये, गए), यी or ई (गयी, गई), a visarga or none (दुःख, दुख).
_UNSEEN: Final = dict.fromkeys(
    [0xAD, 0x2060, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0xFE00, 0xFE10)]
)
_DEVANAGARI_DIGITS: Final = {0x0966 + digit: str(digit) for digit in range(10)}
_HINDI_TWINS: Final = {0x0949: "\u093e", 0x0911: "\u0906", 0x0945: None, 0x0903: None, 0x093D: None, 0x093C: None}
_CHARACTERS: Final = _UNSEEN | _DEVANAGARI_DIGITS | _HINDI_TWINS
# A nasal is written as ं, ँ or a joined consonant (हिंदी, हिन्दी), and as often left out (नहीं, नही): off for matching.
_NASAL: Final = re.compile("[\u0901\u0902]|[\u0919\u091e\u0923\u0928\u092e]\u094d(?=[\u0915-\u0939])")
_REPEATED: Final = re.compile(r"(.)\1{2,}")
_SHORTEST_MENDED: Final = 6


class Words(NamedTuple):
    """A message cut into words (Chinese: characters), with the number of the sentence and of the clause of each."""

    tokens: list[str]
    sentences: list[int]
    clauses: list[int]


class Spelling:
    """Letters that stand for other letters (醫 for 医) and words for other words (u for you; ``*'s`` for any ending)."""

    def __init__(self, *, letters: Mapping[str, str], words: Mapping[str, str]) -> None:
        self._letters: Final = str.maketrans(dict(letters))
        self._words: Final = {key: tuple(text.split()) for key, text in words.items() if not key.startswith("*")}
        self._endings: Final = {key[1:]: text.removeprefix("*").split() for key, text in words.items() if key[0] == "*"}

    def read(self, text: str, *, mend: Callable[[str], str] = str) -> Words:
        """``mend`` is asked about every word that is not in the table of spellings."""
        folded = _NASAL.sub("", fold(text.translate(_CHARACTERS))).replace("यी", "ई").replace("ये", "ए")
        folded = folded.translate(_CHARACTERS).translate(self._letters)
        words, sentence, clause, end = Words([], [], []), 0, 0, 0
        spelt: dict[str, tuple[str, ...]] = {}
        for found in _WORD.finditer(folded):
            token, between, end = found[0], folded[end : found.start()], found.end()
            if between:
                ended = _SENTENCE_END.search(between) is not None
                sentence += ended
                clause += ended or _CLAUSE_END.search(between) is not None
            if token not in spelt:
                spelt[token] = tuple(self._spelt(token, mend))
            for one in spelt[token]:
                words.tokens.append(one)
                words.sentences.append(sentence)
                words.clauses.append(clause)
        return words

    def _spelt(self, token: str, mend: Callable[[str], str]) -> Iterator[str]:
        bare = token.replace("'", "")
        if bare in self._words:
            yield from self._words[bare]
            return
        start, apostrophe, ending = token.rpartition("'")
        if tail := self._endings.get(apostrophe + ending) if apostrophe else None:
            yield from self._spelt(start, mend)
            yield from tail
            return
        mended = mend(bare)
        yield from self._words.get(mended, (mended,))


class Mender:
    """Finds the word of the rules that was meant: 'heeelp', 'chocking', 'siezure'. Leaves known and short words alone."""

    def __init__(self, vocabulary: Iterable[str], *, ordinary: Iterable[str], known: Callable[[str], bool]) -> None:
        self._vocabulary: Final = frozenset(vocabulary)
        self._ordinary: Final = frozenset(ordinary)
        self._known: Final = known
        self._near: Final[dict[str, list[str]]] = {}
        for word in sorted(self._vocabulary):
            if len(word) >= _SHORTEST_MENDED:
                for stub in _stubs(word):
                    self._near.setdefault(stub, []).append(word)

    def __call__(self, token: str) -> str:
        if token in self._ordinary or self._known(token):
            return token
        for letters in (r"\1", r"\1\1"):
            if (once := _REPEATED.sub(letters, token)) != token and self._known(once):
                return once
        return self._one_edit_away(token) or token

    def _one_edit_away(self, token: str) -> str | None:
        if not _SHORTEST_MENDED - 1 <= len(token) <= 24:
            return None
        near = (word for stub in _stubs(token) for word in self._near.get(stub, ()))
        return next((word for word in near if word[0] == token[0] and _one_edit(word, token)), None)


def _stubs(word: str) -> Iterator[str]:
    yield word
    for index in range(len(word)):
        yield word[:index] + word[index + 1 :]


def _one_edit(left: str, right: str) -> bool:
    """One letter more, less or other, or two swapped."""
    at = next(
        (index for index, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
    )
    left, right = left[at:], right[at:]
    swapped = left[:2] == right[1::-1] and left[2:] == right[2:] and len(left) > 1
    return left[1:] == right or left == right[1:] or left[1:] == right[1:] or swapped
