"""What is wrong between signed answers, their languages and the documents: told to the clinic, decided by nobody here.

A fact (a time, a price, a phone number, a number of days …) is contradicted where no passage found for the answer's questions
states it, and the best of them states another one of its kind. Knows no file and no command.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import date
from operator import itemgetter
from typing import Final, Literal

import msgspec

from appliance.assistant.approved import Approved, Asking
from appliance.assistant.facts import facts
from appliance.assistant.signatures import Version, Wording
from appliance.knowledge.search import Hit, Scope, Search
from appliance.message import Language

Kind = Literal["documents", "languages", "duplicate"]
_FactValue = tuple[str, str]

COMPARED: Final = frozenset({"time", "money", "phone", "duration", "percent", "email"})
"""Days and bare numbers stand in too many sentences that speak of something else."""
LOOKED_AT: Final = 6
"""Passages for each question of an answer …"""
COUNTED: Final = 4
"""… and of all of them those that were found most: more would state any number."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing for a person to look at."""

    kind: Kind
    answer: str
    language: Language
    words: str


async def findings(approved: Approved, search: Search, *, today: date) -> list[Finding]:
    """Of every answer that may answer today or later."""
    sites = await search.sites()
    found: list[Finding] = []
    for version in await approved.newest():
        if version.withdrawn or version.answer.valid_until < today:
            continue
        found += await asyncio.to_thread(_between_languages, version)
        for language, wording in version.answer.wordings.items():
            reads = [*wording.questions, wording.answer]  # the answer's own words find where they were taken from
            asked = [await _asking(search, text, language, version, sites=sites, today=today) for text in reads]
            found += [one for asking in asked[:-1] if (one := await _duplicate(approved, asking, version.answer.id))]
            hits = await _hits(search, asked)
            found += await asyncio.to_thread(_against_documents, version, language, wording, hits)
    return found


async def _asking(
    search: Search, text: str, language: Language, version: Version, *, sites: tuple[str, ...], today: date
) -> Asking:
    return Asking(
        text=text,
        language=language,
        meaning=await search.meaning(text, language),
        sites=sites,
        at=version.answer.site,
        today=max(today, version.answer.valid_from),
    )


def _between_languages(version: Version) -> list[Finding]:
    """Each language tells the same facts as the first one."""
    found = []
    (first, wording), *others = version.answer.wordings.items()
    stated = _values(wording.answer, first)
    for language, words in others:
        here = _values(words.answer, language)
        if apart := _apart(stated, here) | _apart(here, stated):
            said = ", ".join(sorted(value for _, value in apart))
            told = f"not the same in {first} and {language}: {said}"
            found.append(Finding(kind="languages", answer=version.answer.id, language=language, words=told))
    return found


async def _duplicate(approved: Approved, asking: Asking, answer: str) -> Finding | None:
    """Another answer that would be said to a question of this one."""
    other = await approved.match(asking, without=answer)
    if other is None:
        return None
    told = f"“{asking.text}” is also answered by {other.version.answer.id} (“{other.question}”)"
    return Finding(kind="duplicate", answer=answer, language=asking.language, words=told)


async def _hits(search: Search, asked: Sequence[Asking]) -> list[Hit]:
    """The passages that are found for an answer's questions, those found most often and first first."""
    points: Counter[int] = Counter()
    known: dict[int, Hit] = {}
    for one in asked:
        scope = Scope(site=one.at, today=one.today)
        hits = await search.passages(one.text, one.language, scope=scope, limit=LOOKED_AT, meaning=one.meaning)
        for place, hit in enumerate(hits, start=1):
            points[hit.passage.id] += 60 // place
            known[hit.passage.id] = hit
    return [known[number] for number, _ in points.most_common(COUNTED)]


def _against_documents(version: Version, language: Language, wording: Wording, hits: Sequence[Hit]) -> list[Finding]:
    found = []
    looked_at = [(hit, _values(hit.passage.text, hit.passage.language)) for hit in hits]
    stated = _values(wording.answer, language)
    for kind, value in sorted(_apart(stated, frozenset(fact for _, there in looked_at for fact in there))):
        rivals = [
            (len(stated & there), hit, others)
            for hit, there in looked_at
            if (others := sorted(other for of_kind, other in _apart(there, stated) if of_kind == kind))
        ]
        if rivals:  # what tells most of what the answer tells is what the answer was written from
            _, hit, others = max(rivals, key=itemgetter(0))
            told = f"says {value}; “{hit.passage.title}” ({hit.passage.document}) says {', '.join(others)}"
            found.append(Finding(kind="documents", answer=version.answer.id, language=language, words=told))
    return found


def _values(text: str, language: Language) -> frozenset[_FactValue]:
    """Emergency lines are left out: they are the country's, and no document has to name them."""
    found = ((one.kind, one.value) for one in facts(text, language) if one.kind in COMPARED)
    return frozenset((kind, value) for kind, value in found if kind != "phone" or len(value) > _SHORT_NUMBER)


_SHORT_NUMBER: Final = 3


def _apart(these: frozenset[_FactValue], those: frozenset[_FactValue]) -> frozenset[_FactValue]:
    """What of these is not among those; a time whose half of the day is not told is the same as either."""
    return frozenset(one for one in these if not any(_same(one, other) for other in those))


def _same(one: _FactValue, other: _FactValue) -> bool:
    if one == other:
        return True
    doubtful = one[0] == other[0] == "time" and "?" in one[1] + other[1]
    return doubtful and _clock(one[1]) == _clock(other[1])


def _clock(time: str) -> tuple[int, str]:
    hour, _, minute = time.rstrip("?").partition(":")
    return int(hour) % 12, minute
