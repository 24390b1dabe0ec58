"""The small notation of the word files: words and phrases that a reviewer can read, compiled into one pattern.

``word*`` stands for any ending, ``one .. two`` for at most five words (eight Chinese characters) in between. Text is folded
(knowledge/words.fold) on both sides, so accents, case, nukta and full-width forms need not be written twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from appliance.knowledge.words import fold

_SPACELESS: Final = re.compile(r"[\u3400-\u9fff]")
_LETTER: Final = r"\w\u0900-\u097f"
# \b breaks Devanagari words at their vowel signs (categories Mc and Mn are no \w), so the edges are spelt out.
_START: Final = f"(?<![{_LETTER}])"
_END: Final = f"(?![{_LETTER}])"


def pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    """One pattern for folded text that finds any of the phrases; longer ones first."""
    folded = sorted((fold(phrase) for phrase in phrases), key=len, reverse=True)
    return re.compile("|".join(_phrase(one) for one in folded))


def _phrase(phrase: str) -> str:
    pieces = [piece.strip() for piece in phrase.split("..")]
    chinese = bool(_SPACELESS.search(phrase))
    gap = ".{0,8}?" if chinese else rf"\W+(?:[{_LETTER}'-]+\W+){{0,5}}?"
    return gap.join(_words(piece, chinese=chinese) for piece in pieces)


def _words(piece: str, *, chinese: bool) -> str:
    if chinese:
        return re.escape(piece)
    open_end = piece.endswith("*")
    body = r"\s+".join(re.escape(word) for word in piece.removesuffix("*").split())
    return f"{_START}{body}" + (f"[{_LETTER}]*" if open_end else "") + _END
