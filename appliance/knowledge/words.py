"""Text folded so that the same word is the same string: at index time, at query time and in the tables of asked words."""

from __future__ import annotations

import re
import unicodedata
from importlib import resources
from typing import Final

from opencc import OpenCC

_HAN_RUN: Final = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_HAN: Final = range(0x3400, 0xA000)


def _simplified() -> dict[int, str]:
    """Character by character and twice over, so that folding what is folded changes nothing: 薴 becomes 苧, and that 苎."""
    once = OpenCC("t2s").convert
    return dict(zip(_HAN, once(once("\n".join(map(chr, _HAN)))).split("\n"), strict=True))


_SIMPLIFIED: Final = _simplified()
_MARKS_OF_LATIN: Final = re.compile(r"(?<=[a-z])[\u0300-\u036f]+")
_NUKTA: Final = "\u093c"
# Chandrabindu and anusvara are written for each other everywhere (कहाँ/कहां), so both fold to anusvara.
_CHANDRABINDU_TO_ANUSVARA: Final = str.maketrans({"\u0901": "\u0902", "\u2019": "'", "\u2018": "'"})


def fold(text: str) -> str:
    """NFKC, casefolded, Latin accents off, nukta off, chandrabindu as anusvara, Chinese in simplified characters.

    'Sábado' and 'sabado' become one, and so do 禮拜 and 礼拜. Devanagari vowel signs stay: they are letters of the word,
    not accents.
    """
    composed = unicodedata.normalize("NFKC", text).casefold().translate(_SIMPLIFIED)
    decomposed = unicodedata.normalize("NFD", composed)
    folded = _MARKS_OF_LATIN.sub("", decomposed.replace(_NUKTA, ""))
    return unicodedata.normalize("NFC", folded).translate(_CHANDRABINDU_TO_ANUSVARA)


def fts_words(text: str) -> str:
    """The text as FTS5 shall see it: folded, each run of Chinese cut into its characters and bigrams.

    FTS5's unicode61 takes a Chinese clause for one word; bigrams and single characters let 1-, 2- and 3-character
    questions be found (measured on all three).
    """
    return _HAN_RUN.sub(_characters_and_bigrams, fold(text))


def _characters_and_bigrams(run: re.Match[str]) -> str:
    han = run[0]
    bigrams = [han[index : index + 2] for index in range(len(han) - 1)]
    return f" {' '.join([*han, *bigrams])} "


def content_words(text: str) -> frozenset[str]:
    """The words that carry meaning: function words dropped, English and Spanish plurals as one, Chinese as bigrams."""
    words = set()
    for word in _WORD.findall(_HAN_RUN.sub(_bigrams, fold(text))):
        if word not in _FUNCTION_WORDS:
            words.add(_stem(word))
    return frozenset(words)


def _bigrams(run: re.Match[str]) -> str:
    han = run[0]
    kept = [han[index : index + 2] for index in range(max(1, len(han) - 1))]
    return f" {' '.join(pair for pair in kept if not set(pair) & _FUNCTION_CHARACTERS or len(han) == 1)} "


def _stem(word: str) -> str:
    """Only what is safe: opening/opens/open, vaccines/vaccine, citas/cita. Two words that meet here by mistake cost little."""
    if not word.isascii():
        return word
    for ending, least in (("ings", 4), ("ing", 4), ("ed", 4), ("s", 3)):
        if word.endswith(ending) and not word.endswith("ss") and len(word) - len(ending) >= least:
            word = word[: -len(ending)]
            break
    return word[:-1] if word.endswith("e") and not word.endswith("ee") and len(word) > 3 else word


# Devanagari without its full stops (danda), which end a sentence and belong to no word.
_LETTER: Final = r"\w\u0900-\u0963\u0966-\u096f\u0971-\u097f"
_WORD: Final = re.compile(rf"[^\W_](?:[{_LETTER}'’.-]*[{_LETTER}])?")
_FUNCTION_CHARACTERS: Final = frozenset(
    "的了吗呢吧啊是在有我你您他她它们和与或也都就还把被从到对为以于而之其这那哪些个什么怎样谁几多少请"
)
_FUNCTION_WORDS: Final = frozenset(
    word
    for line in (resources.files("appliance.knowledge") / "function_words.txt").read_text("utf-8").splitlines()
    for word in line.partition("#")[0].split()
)
