"""How to reach the clinic, in its documents' own words: a phone number and the opening hours. Knows no settings and no patient."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from appliance.assistant.asked import Asked
from appliance.assistant.language import Phrases
from appliance.assistant.quote import Candidate, Quoting
from appliance.knowledge.search import Scope, Search
from appliance.message import Language

_NUMBER: Final = re.compile(r"\(?\b\d{3}\)?[-. ]\d{3}[-. ]\d{4}\b")


class Reach(msgspec.Struct, frozen=True, kw_only=True):
    """The quotes that say how to reach the clinic, and the number to dial; empty when the documents name none."""

    chosen: tuple[Candidate, ...] = ()
    phone: str | None = None


class Contact:
    """Asks the documents the two questions that every patient has in the end; remembers until they change."""

    def __init__(self, search: Search, quoting: Quoting, phrases: Phrases) -> None:
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
        phone = await self._best("ask_phone", "phone", language, site=site)
        hours = await self._best("ask_hours", "time", language, site=site)
        number = _NUMBER.search(phone.text) if phone else None
        chosen = tuple(one for one in (phone if number else None, hours) if one)
        return Reach(chosen=chosen, phone=number[0] if number else None)

    async def _best(self, key: str, kind: str, language: Language, *, site: str | None) -> Candidate | None:
        question = self._phrases.say(key, language)
        hits = await self._search.passages(question, language, scope=Scope(site=site))
        ranked = self._quoting.ranked(question, language, hits=hits)
        return next((one for one in ranked if Asked.load().holds(kind, one.text)), None)
