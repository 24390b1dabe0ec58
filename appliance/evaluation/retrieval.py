"""How well the product's own search finds the right text, on public sets that a clinic keeps beside the product.

Reads XQuAD, LiveQA-Med and MedQuAD as reshaped into JSON lines (folders with paragraphs/questions, corpus/qrels, qa files).
"""

from __future__ import annotations

import csv
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec
import numpy as np

from appliance.errors import BadInput
from appliance.evaluation.figures import Figures
from appliance.knowledge.library import Library
from appliance.knowledge.parsed import Block, Metadata, Parsed
from appliance.knowledge.search import Search
from appliance.message import LANGUAGES, DocumentId, Language
from appliance.records.database import Database
from models import Embedder, Vectors

T = TypeVar("T")
Progress = Callable[[int, int, str], None]

MIXED: Final[tuple[Language, ...]] = ("en", "en", "en", "en", "en", "es", "zh", "hi")
"""Of paragraph i the language that is kept in the mixed pool: i modulo 8."""
RANKED: Final = 60


class _Paragraph(msgspec.Struct, frozen=True):
    pid: str
    text: str


class _Question(msgspec.Struct, frozen=True):
    qid: str
    pid: str
    question: str


class _Answer(msgspec.Struct, frozen=True):
    aid: str
    title: str
    text: str


class _Consumer(msgspec.Struct, frozen=True):
    qid: str
    message: str
    subject: str = ""


class _Pair(msgspec.Struct, frozen=True):
    qid: str
    question: str
    answer: str


class Remembering:
    """An Embedder that embeds each text once: the same paragraphs stand in several pools."""

    def __init__(self, embedder: Embedder) -> None:
        self.name = embedder.name
        self.dimensions = embedder.dimensions
        self._embedder = embedder
        self._known: dict[tuple[str, str, str], Vectors] = {}

    async def passages(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        return await self._all("passage", texts, languages)

    async def queries(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        return await self._all("query", texts, languages)

    async def close(self) -> None:
        """The embedder belongs to who gave it."""

    async def _all(self, kind: str, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        keys = [(kind, text, language) for text, language in zip(texts, languages, strict=True)]
        if new := list(dict.fromkeys(key for key in keys if key not in self._known)):
            embed = self._embedder.passages if kind == "passage" else self._embedder.queries
            vectors = await embed([text for _, text, _ in new], [language for _, _, language in new])
            self._known.update(zip(new, vectors, strict=True))
        return np.stack([self._known[key] for key in keys])


class Retrieval:
    """Each pool of texts is a fresh encrypted database under ``folder``."""

    def __init__(self, embedder: Embedder, folder: Path, *, progress: Progress = lambda *_: None) -> None:
        self._embedder = Remembering(embedder)
        self._folder = folder
        self._tell = progress

    async def xquad(self, data: Path, *, mixed: bool) -> dict[str, Any]:
        """Same language, and es/zh/hi to English; or the mixed pool. R@1, R@5, MRR@10 by the question's language."""
        paragraphs = {code: _rows(data / f"paragraphs.{code}.jsonl", _Paragraph) for code in LANGUAGES}
        asked = {code: _rows(data / f"questions.{code}.dev.jsonl", _Question) for code in LANGUAGES}
        if mixed:
            kept = [(MIXED[i % 8], paragraphs[MIXED[i % 8]][i]) for i in range(len(paragraphs["en"]))]
            texts = {one.pid: (code, one.text) for code, one in kept}
            async with self._pool("xquad-mixed", texts) as pool:
                by_lang = {code: await self._ranks(pool, code, asked[code], "mixed") for code in LANGUAGES}
            return _summary(by_lang)
        same, cross = {}, {}
        for code in LANGUAGES:
            texts = {one.pid: (code, one.text) for one in paragraphs[code]}
            async with self._pool(f"xquad-{code}", texts) as pool:
                same[code] = await self._ranks(pool, code, asked[code], code)
                if code == "en":
                    cross = {other: await self._ranks(pool, other, asked[other], "en") for other in LANGUAGES[1:]}
        return {**_summary(same), "to_en": _summary(cross)}

    async def liveqa(self, data: Path) -> dict[str, Any]:
        """Consumers' own messages against judged answers: nDCG@10 with gain 2^(score-1)-1."""
        texts: dict[str, tuple[Language, str]] = {
            one.aid: ("en", f"{one.title}\n{one.text}") for one in _rows(data / "corpus.jsonl", _Answer)
        }
        judged = _judgements(data / "qrels.dev.tsv")
        gains = []
        async with self._pool("liveqa", texts, sentences=False) as pool:
            asked = [one for one in _rows(data / "questions.dev.jsonl", _Consumer) if one.qid in judged]
            for done, one in enumerate(asked, start=1):
                ranked = await pool.ranked(f"{one.subject} {one.message}", "en")
                gains.append(_ndcg(ranked, judged[one.qid]))
                self._tell(done, len(asked), "LiveQA-Med: asking")
        return {"overall": {"ndcg10": round(sum(gains) / len(gains), 4), "questions": len(gains)}}

    async def medquad(self, data: Path) -> dict[str, Any]:
        """Each question against all answers: is its own among the first 1, 5, 10?"""
        pairs = _rows(data / "qa.dev.jsonl", _Pair)
        texts: dict[str, tuple[Language, str]] = {one.qid: ("en", one.answer) for one in pairs}
        async with self._pool("medquad", texts, sentences=False) as pool:
            asked = [_Question(qid=one.qid, pid=one.qid, question=one.question) for one in pairs]
            ranks = await self._ranks(pool, "en", asked, "en")
        return {"overall": _recalls(ranks)}

    @asynccontextmanager
    async def _pool(
        self, name: str, texts: Mapping[str, tuple[Language, str]], *, sentences: bool = True
    ) -> AsyncIterator[_Pool]:
        database = await Database.open(self._folder / f"{name}.db", bytes(range(32)))
        try:
            library = Library(database, self._embedder)
            for done, (source, (language, text)) in enumerate(texts.items(), start=1):
                parsed = Parsed(blocks=_blocks(text), metadata=Metadata(title="", language=language))
                await library.learn_parsed(source, parsed, sentence_vectors=sentences)
                self._tell(done, len(texts), f"{name}: learning")
            sources = {one.id: one.source for one in await library.documents()}
            yield _Pool(Search(database, self._embedder), sources)
        finally:
            await database.close()

    async def _ranks(self, pool: _Pool, language: Language, asked: Sequence[_Question], name: str) -> list[int | None]:
        """For each question the rank of its own text, from 1; None beyond the ranked ones."""
        ranks: list[int | None] = []
        for done, one in enumerate(asked, start=1):
            ranked = await pool.ranked(one.question, language)
            ranks.append(ranked.index(one.pid) + 1 if one.pid in ranked else None)
            self._tell(done, len(asked), f"asking in {language}, pool {name}")
        return ranks


class _Pool:
    """The texts of one pool, ranked by the product's search."""

    def __init__(self, search: Search, sources: Mapping[DocumentId, str]) -> None:
        self._search = search
        self._sources = sources

    async def ranked(self, question: str, language: Language) -> list[str]:
        hits = await self._search.passages(question, language, limit=RANKED)
        return list(dict.fromkeys(self._sources[hit.passage.document] for hit in hits))


def _blocks(text: str) -> tuple[Block, ...]:
    return tuple(Block(kind="paragraph", text=line) for line in text.splitlines() if line.strip())


def _summary(by_lang: Mapping[Language, Sequence[int | None]]) -> dict[str, Any]:
    everything = [rank for ranks in by_lang.values() for rank in ranks]
    return {"overall": _recalls(everything), "by_lang": {code: _recalls(ranks) for code, ranks in by_lang.items()}}


def _recalls(ranks: Sequence[int | None]) -> Figures:
    def within(top: int) -> float:
        return round(sum(rank is not None and rank <= top for rank in ranks) / len(ranks), 4)

    reciprocal = sum(1 / rank for rank in ranks if rank and rank <= 10) / len(ranks)
    return {"r1": within(1), "r5": within(5), "r10": within(10), "mrr10": round(reciprocal, 4), "questions": len(ranks)}


def _ndcg(ranked: Sequence[str], judged: Mapping[str, int]) -> float:
    """nDCG@10 (Järvelin and Kekäläinen 2002) with gain 2^(score-1)-1; unjudged texts gain nothing."""
    gains = [2.0 ** (judged.get(one, 1) - 1) - 1 for one in ranked[:10]]
    best = sorted((2.0 ** (score - 1) - 1 for score in judged.values()), reverse=True)[:10]
    ideal = _discounted(best)
    return _discounted(gains) / ideal if ideal else 0.0


def _discounted(gains: Sequence[float]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, start=1))


def _judgements(file: Path) -> dict[str, dict[str, int]]:
    judged: dict[str, dict[str, int]] = {}
    with file.open(encoding="utf-8", newline="") as rows:
        for qid, aid, score in csv.reader(rows, delimiter="\t"):
            judged.setdefault(qid, {})[aid] = int(score)
    return {qid: scores for qid, scores in judged.items() if max(scores.values()) > 1}


def _rows(file: Path, kind: type[T]) -> list[T]:
    try:
        return [msgspec.json.decode(line, type=kind) for line in file.read_bytes().splitlines() if line.strip()]
    except (OSError, msgspec.MsgspecError) as wrong:
        raise BadInput(f"{file}: {wrong}. See the README on the form of evaluation sets") from wrong
