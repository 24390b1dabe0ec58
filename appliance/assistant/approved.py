"""Answers that a clinician or manager of the clinic has signed: which one a question is, if any, said word for word.

A wrong signed answer is worse than none. So a question is a signed one only where site, days, numbers and negation are the same,
where it asks for nothing else, and where a small logistic score over words and meaning is beyond a threshold; both were
fitted by evaluation/fit_signed.py and stand in approved.toml. Knows no document and writes nothing.
"""

from __future__ import annotations

import asyncio
import math
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from functools import lru_cache
from importlib import resources
from operator import itemgetter
from typing import Final

import msgspec
import numpy as np

from appliance.assistant import signatures
from appliance.assistant.likeness import Known, Reader, Told, agree
from appliance.assistant.signatures import SignedAnswer, SignedQuestion, Version, Wording
from appliance.message import Language
from appliance.records.database import Database, clinic_day
from models import Embedder, Vectors


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """The signed answer to a question."""

    version: Version
    wording: Wording
    language: Language
    """Of the wording and the question."""
    question: str
    """Its own question, to which the patient's is alike."""
    score: float
    """Log-odds that it is the same question."""


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A signed question that a patient's question may be, with what speaks for and against it."""

    version: Version
    question: str
    same: bool
    """Letter for letter, but for marks, case and accents."""
    features: dict[str, float]


class Asking(msgspec.Struct, frozen=True, kw_only=True):
    """A question, with all that decides what it means."""

    text: str
    language: Language
    meaning: Vectors
    """Its vector, one row."""
    sites: tuple[str, ...]
    """The clinic's sites, as documents name them."""
    at: str | None
    """The site at which the patient is, when that is known."""
    today: date | None = None
    """The day on which it is asked; the clinic's own if None."""

    def __repr__(self) -> str:
        return f"Asking({self.language!r}, {len(self.text)} characters)"


class Weights(msgspec.Struct, frozen=True, kw_only=True):
    """The file approved.toml: coefficients by feature name, ``bias`` the constant."""

    threshold: float
    at_most: dict[str, float]
    weights: dict[str, float]

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> Weights:
        text = (resources.files("appliance.assistant") / "approved.toml").read_text("utf-8")
        return msgspec.convert(tomllib.loads(text), cls)


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """What an import did, by the answers' names."""

    new: tuple[str, ...]
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]


class Approved:
    """One clinic's signed answers."""

    def __init__(
        self, database: Database, embedder: Embedder, reader: Reader, *, weights: Weights | None = None
    ) -> None:
        self._database = database
        self._embedder = embedder
        self._reader = reader
        self._weights = weights or Weights.load()
        self._book: Book | None = None
        self._opening = asyncio.Lock()

    async def match(self, asking: Asking, *, without: str | None = None) -> Match | None:
        """The signed answer to this very question, if there is one that holds today; ``without`` leaves one out."""
        book = await self.book(asking.sites)
        today = asking.today or await self.today()
        found = await asyncio.to_thread(book.best, asking, today=today, without=without)
        return found if found and found.score >= self._weights.threshold else None

    async def book(self, sites: tuple[str, ...]) -> Book:
        """What there is now: read again only after a change, by whatever process."""
        edition = await self._database.read(signatures.edition)
        async with self._opening:
            if self._book is None or (self._book.edition, self._book.sites) != (edition, sites):
                self._book = await self._opened(edition, sites)
            return self._book

    async def today(self) -> date:
        """The clinic's day, which decides what is in force."""
        return date.fromisoformat(await self._database.read(clinic_day))

    async def take(self, answers: Sequence[SignedAnswer], *, by: str) -> Taken:
        """Bring answers in, all or none: what is new or changed becomes a version, what is not named stays as it is."""
        known = {one.answer.id: one for one in await self.newest()}
        same = [one.id for one in answers if (old := known.get(one.id)) and old.answer == one and not old.withdrawn]
        fresh = [one for one in answers if one.id not in same]
        vectors = await self._vectors(fresh)
        name = self._embedder.name
        await self._database.write(
            lambda connection: signatures.put(connection, fresh, by=by, vectors=vectors, embedder=name)
        )
        return Taken(
            new=tuple(one.id for one in fresh if one.id not in known),
            changed=tuple(one.id for one in fresh if one.id in known),
            unchanged=tuple(same),
        )

    async def withdraw(self, answer: str, *, by: str) -> None:
        """It answers no more. Raises NotFound."""
        await self._database.write(lambda connection: signatures.withdraw(connection, answer, by=by))

    async def newest(self) -> list[Version]:
        """Of every answer the version that counts, withdrawn and expired ones too."""
        return await self._database.read(signatures.newest)

    async def versions(self, answer: str) -> list[Version]:
        """All there ever were of one answer, oldest first."""
        return await self._database.read(lambda connection: signatures.versions(connection, answer))

    async def _opened(self, edition: int, sites: tuple[str, ...]) -> Book:
        counting = {one.number: one for one in await self.newest() if not one.withdrawn}
        known = await self._database.read(signatures.questions)
        asked = await self._comparable([one for one in known if one.answer in counting])
        return await asyncio.to_thread(Book, edition, sites, counting, asked, self._reader, self._weights)

    async def _comparable(self, known: Sequence[SignedQuestion]) -> list[SignedQuestion]:
        """With vectors of the embedder in use: after a change of it they are made anew."""
        name = self._embedder.name
        stale = [one for one in known if one.embedder != name]
        if not stale:
            return list(known)
        vectors = await self._embedder.queries([one.text for one in stale], [one.language for one in stale])
        made = [
            msgspec.structs.replace(one, embedder=name, vector=vector)
            for one, vector in zip(stale, vectors, strict=True)
        ]
        await self._database.write(lambda connection: signatures.replace_vectors(connection, made))
        return [one for one in known if one.embedder == name] + made

    async def _vectors(self, answers: Sequence[SignedAnswer]) -> dict[tuple[Language, str], Vectors]:
        wanted = [
            (language, question)
            for answer in answers
            for language, words in answer.wordings.items()
            for question in words.questions
        ]
        if not wanted:
            return {}
        rows = await self._embedder.queries([text for _, text in wanted], [language for language, _ in wanted])
        return dict(zip(wanted, rows, strict=True))


class _Page(msgspec.Struct, frozen=True, kw_only=True):
    """All questions in one language; one row of ``vectors`` a question."""

    versions: tuple[Version, ...]
    texts: tuple[str, ...]
    told: tuple[Told, ...]
    vectors: Vectors
    known: Mapping[int, Known]
    """By the version's number."""


class Book:
    """The signed questions in memory, ready to be compared. Made in a thread: reading a question takes a few milliseconds."""

    def __init__(
        self,
        edition: int,
        sites: tuple[str, ...],
        versions: Mapping[int, Version],
        questions: Sequence[SignedQuestion],
        reader: Reader,
        weights: Weights,
    ) -> None:
        self.edition = edition
        self.sites = sites
        self._reader = reader
        self._weights = weights
        named = (one.answer.site for one in versions.values())
        self._every_site = tuple(dict.fromkeys((*sites, *(site for site in named if site))))
        self._pages = {
            language: self._page(versions, [one for one in questions if one.language == language])
            for language in {one.language for one in questions}
        }

    def best(self, asking: Asking, *, today: date, without: str | None = None) -> Match | None:
        """The likeliest of those that may be it at all, whatever the threshold; ``without`` leaves one answer out."""
        scored = [(self._score(one), one) for one in self.candidates(asking, today=today, without=without)]
        score, one = max(scored, key=itemgetter(0), default=(0.0, None))
        if one is None:
            return None
        wording = one.version.answer.wordings[asking.language]
        return Match(version=one.version, wording=wording, language=asking.language, question=one.question, score=score)

    def candidates(self, asking: Asking, *, today: date, without: str | None = None) -> list[Candidate]:
        """What the question may be: in force today, same site, days, numbers and negation, and nothing else asked for."""
        page = self._pages.get(asking.language)
        if page is None:
            return []
        told = self._reader.told(asking.text, asking.language, sites=self._every_site)
        near = page.vectors @ asking.meaning[0]
        able = [
            place
            for place, version in enumerate(page.versions)
            if version.answer.id != without and version.answers_on(today)
            if agree(told, page.told[place], at=asking.at, only_at=version.answer.site)
        ]
        nearest = sorted(able, key=lambda place: -near[place])[:MOST_CANDIDATES]
        found = (self._candidate(told, page, place, near=near, able=able) for place in nearest)
        return [one for one in found if one]

    def _candidate(
        self, told: Told, page: _Page, place: int, *, near: Vectors, able: Sequence[int]
    ) -> Candidate | None:
        version, signed = page.versions[place], page.told[place]
        same = told.plain == signed.plain
        features = self._reader.features(told, signed, page.known[version.number])
        if not same and any(features[name] > most for name, most in self._weights.at_most.items()):
            return None
        own = max(float(near[other]) for other in able if page.versions[other] is version)
        others = (float(near[other]) for other in able if page.versions[other] is not version)
        features |= {"bias": 1.0, "dense": float(near[place]), "gap": own - max(FAR, *others, FAR)}
        return Candidate(version=version, question=page.texts[place], same=same, features=features)

    def _score(self, one: Candidate) -> float:
        if one.same:
            return math.inf
        return sum(weight * one.features[name] for name, weight in self._weights.weights.items())

    def _page(self, versions: Mapping[int, Version], questions: Sequence[SignedQuestion]) -> _Page:
        told = [self._reader.told(one.text, one.language, sites=self._every_site) for one in questions]
        of_answer: dict[int, list[Told]] = {}
        for one, read in zip(questions, told, strict=True):
            of_answer.setdefault(one.answer, []).append(read)
        return _Page(
            versions=tuple(versions[one.answer] for one in questions),
            texts=tuple(one.text for one in questions),
            told=tuple(told),
            vectors=np.stack([one.vector for one in questions]),
            known={number: self._reader.known(read) for number, read in of_answer.items()},
        )


MOST_CANDIDATES: Final = 24
FAR: Final = 0.25
"""How near a question is to one that has nothing to do with it: where there is no rival, the gap is counted from here."""
