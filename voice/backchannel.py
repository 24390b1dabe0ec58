"""Whether somebody asks something, only shows that they listen ("mhm", "嗯"), want to speak ("excuse me"), or have not ended.

The words are in backchannels.toml.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from functools import cache
from pathlib import Path

_MOST = 6
"""Signs of listening in a row; more are not meant as such."""
_HAN = re.compile(r"[㐀-鿿]")


def backchannel(text: str, *languages: str) -> bool:
    """Whether these words are nothing but signs of listening, in one of these languages."""
    return _only("listening", text, languages)


def opener(text: str, *languages: str) -> bool:
    """Whether these words only ask to be listened to."""
    return _only("openers", text, languages)


def unfinished(text: str, language: str) -> bool:
    """Whether these words end where no sentence ends."""
    words = _plain(text)
    lasts = {_plain(last) for key in ("any", language) for last in _words()["unfinished"].get(key, ())}
    return " " in words and any(words == last or words.endswith(f" {last}") for last in lasts)


def _only(kind: str, text: str, languages: tuple[str, ...]) -> bool:
    plain = _plain(text)
    return bool(plain) and bool(_pattern(kind, languages).fullmatch(plain))


def _plain(text: str) -> str:
    """Letters, marks and digits; Chinese signs each a word of its own."""
    folded = unicodedata.normalize("NFC", text).casefold()
    kept = "".join(sign if unicodedata.category(sign)[0] in "LMN" else " " for sign in folded)
    return " ".join(_HAN.sub(lambda sign: f" {sign[0]} ", kept).split())


@cache
def _pattern(kind: str, languages: tuple[str, ...]) -> re.Pattern[str]:
    """One to ``_MOST`` of the words; letters drawn out ("mmmm") count once or more."""
    words = {_plain(word) for language in ("any", *languages) for word in _words()[kind].get(language, ())}
    one = "|".join(sorted(map(_drawn_out, words), key=len, reverse=True))
    return re.compile(rf"(?:{one})(?: (?:{one})){{0,{_MOST - 1}}}")


def _drawn_out(word: str) -> str:
    return re.sub(r"([mhau])", r"\1+", re.escape(word).replace(r"\ ", " ")) if word.isascii() else re.escape(word)


@cache
def _words() -> dict[str, dict[str, list[str]]]:
    return tomllib.loads(Path(__file__).with_name("backchannels.toml").read_text("utf-8"))
