"""Who wants text messages no more, or again, or help: heard from the whole message, never from a word inside it.

Twilio itself answers the English words, when they stand alone exactly as it lists them: then we say nothing, or the patient
gets two answers. The words stand in opt_out.toml.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import Final, Literal

import msgspec

from appliance.message import LANGUAGES, Language

Act = Literal["out", "in", "help"]


class Wish(msgspec.Struct, frozen=True, kw_only=True):
    """What a patient wants of text messages as such."""

    act: Act
    language: Language | None
    """Of the word; none where Twilio only tells us what it has understood."""
    answered: bool
    """Twilio has answered already."""
    only_undoes: bool = False
    """A word such as YES: it takes back an opt-out, and is an ordinary message where there was none."""


class OptOut:
    """Hears such wishes."""

    def __init__(self, words: _Words, *, twilio_answers: bool) -> None:
        self._words: Mapping[str, tuple[Act, Language]] = {
            _bare(phrase): (act, language)
            for language in LANGUAGES
            for act, phrases in words.tables(language).items()
            for phrase in phrases
        }
        self._undoes = {_bare(phrase) for phrase in words.only_undoes}
        self._twilio = {act: frozenset(found) for act, found in words.twilio.items()} if twilio_answers else {}

    @classmethod
    def load(cls, *, twilio_answers: bool) -> OptOut:
        return cls(_written(), twilio_answers=twilio_answers)

    def wish(self, text: str, *, told: str = "") -> Wish | None:
        """What the whole message asks for. ``told``: Twilio's OptOutType, sent where Advanced Opt-Out is on."""
        act, language = self._words.get(_bare(text), (None, None))
        if told.upper() in _TOLD:
            return Wish(act=_TOLD[told.upper()], language=language, answered=True)
        if act is None:
            return None
        answered = text.strip().upper() in self._twilio.get(act, ())
        return Wish(act=act, language=language, answered=answered, only_undoes=_bare(text) in self._undoes)


class _Words(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file opt_out.toml; it says what each table is for."""

    twilio: dict[Act, tuple[str, ...]]
    only_undoes: tuple[str, ...]
    en: dict[Act, tuple[str, ...]]
    es: dict[Act, tuple[str, ...]]
    zh: dict[Act, tuple[str, ...]]
    hi: dict[Act, tuple[str, ...]]

    def tables(self, language: Language) -> dict[Act, tuple[str, ...]]:
        found: dict[Act, tuple[str, ...]] = getattr(self, language)
        return found


_TOLD: Final[dict[str, Act]] = {"STOP": "out", "START": "in", "HELP": "help"}


@lru_cache(maxsize=1)
def _written() -> _Words:
    text = (resources.files("appliance.channels.sms") / "opt_out.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), _Words)


def _bare(text: str) -> str:
    """Without case, accents of Latin letters, marks and doubled spaces: "¡Alto!" is "alto"."""
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    letters = "".join(one for one in decomposed if not "\u0300" <= one <= "\u036f")
    return " ".join(_MARKS.sub(" ", unicodedata.normalize("NFC", letters)).split())


_MARKS: Final = re.compile(r"[^\w\s\u0900-\u0963\u200c\u200d]|_")
