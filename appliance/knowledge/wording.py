"""The small notation of the word files: words and phrases that a reviewer can read, compiled into one pattern.

``word*`` stands for any ending, ``one .. two`` for at most five words (eight Chinese characters) in between, ``(one|two)`` for
either. Text is folded (knowledge/words.fold) on both sides, so accents, case, nukta and full-width forms need not be written twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from appliance.knowledge.words import fold

_SPACELESS: Final = re.compile(r"[\u3400-\u9fff]")
_LETTER: Final = (
    r"0-9a-z_\u00c0-\u024f\u0900-\u0963\u0966-\u096f\u0971-\u097f"  # Devanagari without its full stops (danda)
)
_NEVER: Final = r"(?!)"
# \b breaks Devanagari words at their vowel signs (categories Mc and Mn are no \w), so the edges are spelt out.
_START: Final = f"(?<![{_LETTER}])"
_END: Final = f"(?![{_LETTER}])"
# Possessive: a stranger's "how much -----…" must have one reading only, else it takes minutes.
_BETWEEN: Final = rf"[^{_LETTER}]++(?:[{_LETTER}]++(?:['-][{_LETTER}]++)*+[^{_LETTER}]++){{0,5}}?"


def pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    """One pattern for folded text that finds any of the phrases; longer ones first."""
    folded = sorted({fold(phrase) for phrase in phrases if any(map(str.isalnum, phrase))}, key=len, reverse=True)
    chinese = "|".join(_phrase(one, gap=".{0,8}?") for one in folded if _SPACELESS.search(one))
    others = "|".join(_phrase(one, gap=_BETWEEN) for one in folded if not _SPACELESS.search(one))
    edged = f"{_START}(?:{others}){_END}" if others else ""  # one look for the edge, not one a phrase
    return re.compile("|".join(one for one in (edged, chinese) if one) or _NEVER)


def _phrase(phrase: str, *, gap: str) -> str:
    return _SIGN.sub(lambda sign: _meaning(sign[0], gap), phrase.strip())


def _meaning(sign: str, gap: str) -> str:
    if not sign.strip():
        return r"\s+"
    known = {"..": gap, "*": f"[{_LETTER}]*", "(": "(?:", "|": "|", ")": ")"}
    return known.get(sign.strip()) or re.escape(sign)


_SIGN: Final = re.compile(r"\s*\.\.\s*|\s+|[^\s]")
