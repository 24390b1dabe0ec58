"""How many segments a text message has (3GPP TS 23.038, 23.040), and how a long one is cut. Knows no sender and no phrase."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

Encoding = Literal["GSM-7", "UCS-2"]

_BASIC: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED: Final = frozenset("\f^{}\\[~]|€")
"""Sent as an escape and a letter: two places, never torn apart between two segments."""
_LIMITS: Final[dict[Encoding, tuple[int, int]]] = {"GSM-7": (160, 153), "UCS-2": (70, 67)}
"""Places in a message of one segment, and in each segment of a longer one, whose header takes the rest."""
_TYPOGRAPHY: Final = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′", "'"),
        **dict.fromkeys("“”„‟″", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2009\u202f\t", " "),
        "…": "...",
        "•": "-",
        "›": ">",
        "`": "'",
        "\u200b": "",
        "\ufeff": "",
    }
)
LONGEST: Final = 1_500
"""Characters of one message: Twilio refuses more than 1,600 (error 21617)."""


class Counted(msgspec.Struct, frozen=True, kw_only=True):
    """What a message costs."""

    encoding: Encoding
    units: int
    """Septets, or UTF-16 code units."""
    segments: int


def counted(text: str) -> Counted:
    """The segments of a message. One letter outside GSM-7 makes all of it UCS-2."""
    encoding: Encoding = "GSM-7" if _BASIC.issuperset(text) or _gsm(text) else "UCS-2"
    widths = list(_widths(text, encoding))
    alone, each = _LIMITS[encoding]
    units = sum(widths)
    if units <= alone:
        return Counted(encoding=encoding, units=units, segments=1 if units else 0)
    segments, room = 1, each
    for width in widths:
        if width > room:
            segments, room = segments + 1, each
        room -= width
    return Counted(encoding=encoding, units=units, segments=segments)


def plain(text: str) -> str:
    """Without the typography that alone would make a message UCS-2, twice as dear; no letter of any language is touched."""
    simple = unicodedata.normalize("NFC", text.translate(_TYPOGRAPHY))
    return simple if _gsm(simple) else unicodedata.normalize("NFC", text)


def shortened(text: str, tail: str, *, most: int) -> str:
    """The text, or as many whole sentences of it as fit into ``most`` segments together with the tail."""
    if counted(text).segments <= most:
        return text
    fits: Callable[[str], bool] = lambda part: counted(f"{part}\n{tail}").segments <= most  # noqa: E731 - used four times below
    for pattern in (_SENTENCE, _WORD):
        ends = [end for end in _ends(pattern, text) if fits(_cut(text, end, pattern))]
        if ends:
            return f"{_cut(text, max(ends), pattern)}\n{tail}"
    whole = max((end for end in range(len(text)) if _between_letters(text, end) and fits(text[:end])), default=0)
    return f"{text[:whole].rstrip()}\n{tail}".strip()


def pieces(text: str) -> list[str]:
    """A text that is too long for one message as several, cut at sentences, else at words, else between letters."""
    if len(text) <= LONGEST:
        return [text]
    for pattern in (_SENTENCE, _WORD):
        if ends := [end for end in _ends(pattern, text) if end <= LONGEST]:
            return [text[: max(ends)].rstrip(), *pieces(text[max(ends) :].lstrip())]
    end = max(end for end in range(1, LONGEST + 1) if _between_letters(text, end))
    return [text[:end], *pieces(text[end:])]


_SENTENCE: Final = re.compile(r"[.!?](?=\s)|[。！？।](?=.)|(?<=[^\n])(?=\n)")
_WORD: Final = re.compile(r"(?<=\S)(?=\s)")


def _ends(pattern: re.Pattern[str], text: str) -> Iterator[int]:
    return (found.end() for found in pattern.finditer(text))


def _cut(text: str, end: int, pattern: re.Pattern[str]) -> str:
    return text[:end].rstrip() + ("" if pattern is _SENTENCE else " ...")


def _between_letters(text: str, end: int) -> bool:
    """A letter keeps its marks: Hindi's vowel signs, joiners."""
    return not (unicodedata.category(text[end : end + 1] or " ").startswith("M") or "\u200d" in text[end - 1 : end + 1])


def _gsm(text: str) -> bool:
    return all(letter in _BASIC or letter in _EXTENDED for letter in text)


def _widths(text: str, encoding: Encoding) -> Iterator[int]:
    """Places of each letter; what takes two is not torn apart."""
    if encoding == "GSM-7":
        return (2 if letter in _EXTENDED else 1 for letter in text)
    return (2 if ord(letter) > 0xFFFF else 1 for letter in text)
