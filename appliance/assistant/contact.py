"""How to reach the clinic, in its documents' own words: a phone number and the opening hours. Knows no settings and no patient."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from appliance.assistant.asked import Asked
from appliance.assistant.language import Phrases
from appliance.assistant.quote import Candidate, Quoting
from appliance.knowledge.glossary import Glossary
from appliance.knowledge.search import Scope, Search
from appliance.knowledge.words import fold
from appliance.message import Language

LOOKED_AT: Final = 40
_NUMBER: Final = re.compile(r"\(?\b\d{3}\)?[-. ]\d{3}[-. ]\d{4}\b")


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """The quotes that say how to reach the clinic, and the number to dial; empty when the documents name none."""

    chosen: tuple[Candidate, ...] = ()
    phone: str | None = None


class Contact:
    """Asks the documents the two questions that every patient has in the end; remembers until they change."""

    def __init__(self, search: Search, quoting: Quoting, phrases: Phrases, glossary: Glossary) -> None:
        self._asked = Asked.load()
        self._glossary = glossary
        self._desk = glossary.concept("front_desk")
        self._search = search
        self._quoting = quoting
        self._phrases = phrases
        self._known: dict[tuple[Language, str | None], tuple[str, Reach]] = {}

    async def find(self, language: Language, *, site: str | None) -> Reach:
        edition = await self._search.edition()
        kept = self._known.get((language, site))
        if kept and kept[0] == edition:
            return kept[1]
        reach = await self._looked_up(language, site)
        self._known[language, site] = (edition, reach)
        return reach

    async def _looked_up(self, language: Language, site: str | None) -> Reach:
        phones = [one for one in await self._found("ask_phone", language, site) if _NUMBER.search(one.text)]
        hours = [one for one in await self._found("ask_hours", language, site) if self._asked.holds("time", one.text)]
        phone = next((one for one in phones if self._front_desk(one)), phones[0] if phones else None)
        open_on = next((one for one in hours if len(self._asked.days(one.text)) >= _A_WEEK), None)
        number = _NUMBER.search(phone.text) if phone else None
        chosen = tuple(one for one in (phone, open_on) if one)
        return Reach(chosen=chosen, phone=number[0] if number else None)

    def _front_desk(self, one: Candidate) -> bool:
        """Not the dentist's number, nor the one for the night."""
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
