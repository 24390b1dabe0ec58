"""How to reach the clinic, in its documents' own words: a phone number and the opening hours. Knows no settings and no patient."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Final

import msgspec

from appliance.assistant.asked import Asked
from appliance.assistant.language import Phrases
from appliance.assistant.quote import Candidate, Quoting
from appliance.errors import ApplianceError
from appliance.knowledge.glossary import Glossary
from appliance.knowledge.search import Scope, Search
from appliance.knowledge.words import fold
from appliance.message import LANGUAGES, Language
from models import ModelError

log = logging.getLogger(__name__)

LOOKED_AT: Final = 40
_NUMBER: Final = re.compile(r"\(?\b\d{3}\)?[-. ]\d{3}[-. ]\d{4}\b")


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """The quotes that say how to reach the clinic, and the number to dial; empty when the documents name none."""

    chosen: tuple[Candidate, ...] = ()
    phone: str | None = None


class Contact:
    """Asks the documents the two questions that every patient has in the end; remembers until they change."""

    def __init__(
        self, search: Search, quoting: Quoting, phrases: Phrases, glossary: Glossary, *, phone: str = ""
    ) -> None:
        """``phone``: the clinic's own setting; it goes before what the documents say."""
        self._given = phone
        self._asked = Asked.load()
        self._glossary = glossary
        self._desk = glossary.concept("front_desk")
        self._search = search
        self._quoting = quoting
        self._phrases = phrases
        self._known: dict[tuple[Language, str | None], tuple[str, Reach]] = {}

    async def find(self, language: Language, *, site: str | None) -> Reach:
        """Fixed words stand around it and need no search, so a search that fails only takes the quotes from them."""
        try:
            edition = await self._search.edition()
            kept = self._known.get((language, site))
            if kept and kept[0] == edition:
                return kept[1]
            reach = await self._looked_up(language, site)
        except (ApplianceError, ModelError) as error:
            log.error("contact=failed error=%s reason=%s", type(error).__name__, error)
            return Reach(phone=self._given or None)
        self._known[language, site] = (edition, reach)
        return reach

    async def _looked_up(self, language: Language, site: str | None) -> Reach:
        phone = await self._first("ask_phone", language, site, self._front_desk)
        if phone is None and not self._given:
            phone = await self._first("ask_phone", language, site, lambda one: bool(_NUMBER.search(one.text)))
        # Another site's hours beside this site's number would send patients to a closed door.
        at = phone.site if phone else site
        hours = await self._first(
            "ask_hours", language, at, lambda one: at in (None, one.site) and self._week(one), of=1
        )
        number = _NUMBER.search(phone.text) if phone else None
        chosen = tuple(one for one in (phone, hours) if one)
        return Reach(chosen=chosen, phone=self._given or (number[0] if number else None))

    async def _first(
        self, key: str, language: Language, site: str | None, fits: Callable[[Candidate], bool], *, of: int = LOOKED_AT
    ) -> Candidate | None:
        """Asked in the patient's language first, then in the others: the documents may be in any of them.

        ``of``: so many of the best are looked at; below the first, the pharmacy's lunch reads like the clinic's hours.
        """
        for asked in dict.fromkeys((language, *LANGUAGES)):
            for one in (await self._found(key, asked, site))[:of]:
                if (site is None or one.site in (None, site)) and fits(one):
                    return one
        return None

    def _week(self, one: Candidate) -> bool:
        """Not one row of a table of days, nor when somebody can be reached at a number of their own."""
        if _NUMBER.search(one.words):
            return False
        return self._asked.holds("time", one.words) and len(self._asked.days(one.words)) >= _A_WEEK

    def _front_desk(self, one: Candidate) -> bool:
        """Not the dentist's number, nor the one for the night."""
        if not _NUMBER.search(one.text):
            return False
        if self._given:
            return _digits(self._given) in _digits(one.text)
        return self._desk.share_in(fold(one.text)) == 1.0

    async def _found(self, key: str, language: Language, site: str | None) -> list[Candidate]:
        question = self._phrases.say(key, language)
        carried = self._glossary.carried(question, language)
        hits = await self._search.passages(
            question, language, scope=Scope(site=site), limit=LOOKED_AT, extra_words=carried.words
        )
        return self._quoting.ranked(question, language, hits=hits, carried=carried)


_A_WEEK: Final = 3
"""A line that names so many days tells the week's hours, and not one holiday's."""


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())
