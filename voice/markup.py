"""Takes out of a text what is for the eye: Markdown, links, footnotes, pictures. Reads addresses of the net aloud."""

from __future__ import annotations

import html
import re
import unicodedata

from voice.counting import cardinal, digits, table

_LINK = re.compile(r"!?\[([^\]]*)\]\(([^)\s]*)[^)]*\)")
_FOOTNOTE = re.compile(r"\[\^?\d+(?:\s*[,–-]\s*\d+)*\]")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>")
_FENCE = re.compile(r"^[ \t]*(?:```|~~~).*$", re.MULTILINE)
_HEAD = re.compile(r"^\s{0,3}(?:#{1,6}\s+|>(?!\s?[.\d½¼¾⅓⅔⅛$€£₹¥-])\s?)+", re.MULTILINE)
_ITEM = re.compile(r"^[ \t]*(?:[-*+•·▪◦]|\d{1,2}[.)])\s+(?=\S)", re.MULTILINE)
_STRESS = re.compile(r"(\*{1,3}|__|~~|`+)(?=\S)(.+?)(?<=\S)\1")
_UNDERLINED = re.compile(r"(?<!\w)_(?=\S)([^_]+?)(?<=\S)_(?!\w)")
_RULES = frozenset("-*_= |:")
_LINE_END = re.compile(r"(?<![.!?。！？।:：,，;；\n])\n+")
_MOST_DIGITS = 15

_EMAIL = re.compile(r"(?<![\w.+-])([\w.+-]+)@((?:[\w-]+\.)+[a-zA-Z]{2,})(?![\w-])", re.ASCII)
_URL = re.compile(
    r"(?:https?://)?(?<![\w@.])((?:www\.)?(?:[a-zA-Z0-9-]+\.)+(?:com|org|net|edu|gov|info|health|clinic|io|us|mx|es|cn|in|uk)"
    r"(?:\.[a-z]{2})?)(?![\w-])(?::\d+)?((?:/[\w.~%-]+)*/?)(?:[?#][^\s)\]，。]*)?"
)
_BARE_LINK = re.compile(r"https?://[^\s)\]，。]+")


def plain(text: str) -> str:
    """Without markup, with digits and signs in one script; a line that ends without a sign ends a sentence."""
    text = re.sub(r"[ \t]+", " ", html.unescape(unicodedata.normalize("NFC", text)))
    text = _LINK.sub(r"\1", text)
    for pattern in (_FOOTNOTE, _TAG, _FENCE, _HEAD, _ITEM):
        text = pattern.sub("", text)
    for _ in range(2):  # one inside the other
        text = _STRESS.sub(r"\2", text)
    text = _rows(_UNDERLINED.sub(r"\1", text))
    text = "".join(_sign(sign) for sign in text)
    return re.sub(rf"\d{{{_MOST_DIGITS},}}", lambda found: " ".join(re.findall(r"\d{1,4}", found[0])), text)


def addresses(text: str, language: str) -> str:
    """E-mail and web addresses, as one dictates them."""
    text = _EMAIL.sub(lambda found: _dictated(f"{found[1]}@{found[2]}", language), text)
    text = _URL.sub(lambda found: _dictated(found[1].removeprefix("www.") + found[2].rstrip("/"), language), text)
    return _BARE_LINK.sub("", text)


def _rows(text: str) -> str:
    """Without ruled lines; a table's row is read with a comma between its cells."""
    lines = [line.strip() for line in text.split("\n") if not _ruled(line)]
    return _LINE_END.sub(".\n", "\n".join(_row(line) if "|" in line else line for line in lines).strip())


def _ruled(line: str) -> bool:
    return set(line) <= _RULES and len(set(line) - set(" |:")) == 1 and sum(sign not in " |:" for sign in line) >= 3


def _row(line: str) -> str:
    return ", ".join(cell for cell in (cell.strip() for cell in line.split("|")) if cell)


def _sign(sign: str) -> str:
    if unicodedata.category(sign) == "Nd":
        return str(unicodedata.digit(sign))
    if sign in "\u00ad\u200b\u200e\u200f\ufe0e\ufe0f\ufeff" or (
        unicodedata.category(sign) in ("So", "Sk") and sign not in "°℃℉"
    ):
        return ""
    return _SAME.get(sign, sign)


_SAME = {
    "\u00a0": " ",
    "\u202f": " ",
    "\u2009": " ",
    "‑": "-",
    "−": "-",
    "‐": "-",
    "％": "%",
    "＋": "+",
    "／": "/",
    "＠": "@",
    "．": ".",
}


def _dictated(address: str, language: str) -> str:
    """Letters stay words; numbers, signs and dots are said."""
    words = table(language).words
    signs = {"@": "at", ".": "dot", "-": "dash", "_": "underscore", "/": "slash", "+": "plus"}
    parts = re.findall(r"[^\W\d_]+|\d+|[@.\-_/+]", address)
    return " " + " ".join(_part(part, signs, words, language) for part in parts) + " "


def _part(part: str, signs: dict[str, str], words: dict[str, str], language: str) -> str:
    if part in signs:
        return words[signs[part]]
    if not part.isdigit():
        return part.lower()
    return cardinal(int(part), language) if len(part) <= 2 and part[0] != "0" else digits(part, language)
