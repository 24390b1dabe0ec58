"""Find the passages, and in them the sentences, that speak of a question: meaning and words, fused by language pair.

Knows documents, not patients. Measured on XQuAD (tests/bench and `medinovai eval retrieval`): a passage is worth the mean of
its own nearness and that of its nearest sentence; words count only within one language, and only where they cover much of the
question, because across languages they mislead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

import msgspec

from appliance.knowledge import Passage, Sentence
from appliance.knowledge.sites import Called
from appliance.knowledge.words import fts_words
from appliance.message import DocumentId, Language, Span
from appliance.records.database import Connection, Database, clinic_day
from models import Embedder, Vectors

NEAREST_PASSAGES: Final = 60
NEAREST_SENTENCES: Final = 200
BY_WORDS: Final = 60
MOST_WORDS: Final = 64


class Fusion(msgspec.Struct, frozen=True, kw_only=True):
    """The weights of the fusion, fitted on the development half of XQuAD; each stands on a plateau, not on a peak."""

    sentence_share: float = 0.5
    """How much of a passage's nearness is that of its nearest sentence."""
    words: float = 0.3
    """Weight of the words' coverage beyond ``words_from``, same language only."""
    words_from: float = 0.3
    own_language: float = 0.09
    """Taken from passages in the asker's own language when other languages are there too: embeddings prefer their own."""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Where to look. None means everywhere; ``today``, the clinic's if None, decides which documents are in force."""

    site: str | None = None
    document: DocumentId | None = None
    languages: tuple[Language, ...] | None = None
    today: date | None = None


class SentenceHit(msgspec.Struct, frozen=True, kw_only=True):
    """One sentence of a found passage; ``dense`` is the cosine of the centred vectors."""

    sentence: Sentence
    dense: float


class Hit(msgspec.Struct, frozen=True, kw_only=True):
    """A passage that was found, best first. ``words`` is the share of the question's information found in its words."""

    passage: Passage
    score: float
    dense: float
    words: float
    sentences: tuple[SentenceHit, ...]


class Search:
    """Search over one clinic's knowledge."""

    def __init__(self, database: Database, embedder: Embedder, *, fusion: Fusion | None = None) -> None:
        self._database = database
        self._embedder = embedder
        self._fusion = fusion or Fusion()

    async def edition(self) -> str:
        """Changes whenever a document is learnt, changed or removed, and with the day: one may be in force until today."""
        return await self._database.read(_edition)

    async def sites(self) -> tuple[str, ...]:
        """The clinic's sites, as its documents name them."""
        return tuple(dict.fromkeys((await self.called()).values()))

    async def called(self) -> Called:
        """Every name of a site, with the site."""
        return await self._database.read(_called)

    async def meaning(self, question: str, language: Language) -> Vectors:
        """The question's vector, one row; for who asks more than once about the same question."""
        return await self._embedder.queries([question], [language])

    async def passages(
        self,
        question: str,
        language: Language,
        *,
        scope: Scope | None = None,
        limit: int = 8,
        extra_words: str = "",
        meaning: Vectors | None = None,
    ) -> list[Hit]:
        """The best passages in force, best first. Raises Unavailable when the store or the embedder does.

        ``extra_words`` join the question for the search by words alone: its terms in the documents' languages.
        ``meaning`` is the question's vector where it is known already.
        """
        if not question.strip():
            return []
        vectors = await self.meaning(question, language) if meaning is None else meaning
        where = scope or Scope()
        return await self._database.read(
            lambda connection: _Looking(connection, vectors, where, self._fusion).hits(
                question, extra_words, language=language, limit=limit
            )
        )


class _Looking:
    """One search inside one read transaction."""

    def __init__(self, connection: Connection, vectors: Vectors, scope: Scope, fusion: Fusion) -> None:
        self._connection = connection
        self._vector = vectors[0].tobytes()
        self._fusion = fusion
        self._given = {
            "today": scope.today.isoformat() if scope.today else clinic_day(connection),
            "site": scope.site,
            "document": scope.document,
            "languages": msgspec.json.encode(scope.languages).decode(),
        }

    def hits(self, question: str, extra_words: str, *, language: Language, limit: int) -> list[Hit]:
        words = self._by_words(_words(question)[:MOST_WORDS])
        extra = self._by_words(self._indexed(_words(extra_words)))
        near = self._near_passages() | self._near_sentences()
        passages = self._passages(words.keys() | extra.keys() | near)
        dense = self._dense(passages)
        sentences = self._sentences(passages)
        mixed = self._languages_in_scope() > 1
        hits = []
        for number, passage in passages.items():
            inside = sentences.get(number, ())
            nearest = max((one.dense for one in inside), default=dense[number])
            share = words.get(number, 0.0) if passage.language == language else extra.get(number, 0.0)
            own = mixed and passage.language == language
            score = self._score(dense[number], nearest, share) - (self._fusion.own_language if own else 0.0)
            hits.append(Hit(passage=passage, score=score, dense=dense[number], words=share, sentences=inside))
        hits.sort(key=lambda hit: hit.score, reverse=True)
        return hits[:limit]

    def _score(self, dense: float, nearest: float, words: float) -> float:
        fusion = self._fusion
        near = (1 - fusion.sentence_share) * dense + fusion.sentence_share * nearest
        return near + fusion.words * max(0.0, words - fusion.words_from)

    def _near_passages(self) -> set[int]:
        rows = self._connection.execute(
            f"""SELECT id FROM passage_vec WHERE embedding MATCH :vector AND k = {NEAREST_PASSAGES}
            AND id IN ({_IN_SCOPE})""",  # noqa: S608 - constants of this module
            {**self._given, "vector": self._vector},
        )
        return {row[0] for row in rows}

    def _near_sentences(self) -> set[int]:
        """The passages of the nearest sentences."""
        rows = self._connection.execute(
            f"""SELECT sentence.passage FROM sentence JOIN
            (SELECT id FROM sentence_vec WHERE embedding MATCH :vector AND k = {NEAREST_SENTENCES}) AS near ON near.id = sentence.id
            WHERE sentence.passage IN ({_IN_SCOPE})""",  # noqa: S608 - constants of this module
            {**self._given, "vector": self._vector},
        )
        return {row[0] for row in rows}

    def _by_words(self, words: Sequence[str]) -> dict[int, float]:
        """BM25 as a share of what the words could bring: about 0 to 1, comparable between questions."""
        total: int = self._connection.execute("SELECT count(*) FROM passage").fetchone()[0]
        among = self._frequencies(words)
        if not among:
            return {}
        # The scope is looked at afterwards: inside the full-text query it cost ten times the query itself.
        rows = self._connection.execute(
            f"""WITH found AS MATERIALIZED (
                SELECT rowid AS id, -bm25(passage_fts, 1.0, 1.5, 1.0) AS score FROM passage_fts
                WHERE passage_fts MATCH :words ORDER BY score DESC LIMIT {BY_WORDS * 4})
            SELECT id, score FROM found WHERE id IN ({_IN_SCOPE}) ORDER BY score DESC LIMIT {BY_WORDS}""",  # noqa: S608 - constants of this module
            {**self._given, "words": " OR ".join(f'"{word}"' for word in among)},
        )
        # A word that stands nowhere finds nothing, but it counts: the question is about something else.
        information = sum(_rarity(among.get(word, 0), total) for word in words)
        return {number: score / information for number, score in rows}

    def _frequencies(self, words: Sequence[str]) -> dict[str, int]:
        """In how many passages each word stands; without those that stand in none."""
        rows = self._connection.execute(
            "SELECT term, doc FROM passage_term WHERE term IN (SELECT value FROM json_each(?))", (_json(words),)
        )
        return dict(rows.fetchall())

    def _indexed(self, words: Sequence[str]) -> list[str]:
        """Of many words for the same thing those that stand somewhere, rarest first."""
        among = self._frequencies(words)
        return sorted(among, key=lambda word: among[word])[:MOST_WORDS]

    def _passages(self, numbers: Iterable[int]) -> dict[int, Passage]:
        rows = self._connection.execute(
            """SELECT passage.id, passage.document, document.revision, document.title, document.valid_from, passage.heading,
            passage.page, passage.language, passage.site, passage.start, passage."end", passage.text
            FROM passage JOIN document ON document.id = passage.document
            WHERE passage.id IN (SELECT value FROM json_each(?))""",
            (_json(list(numbers)),),
        )
        return {row[0]: _passage(row) for row in rows}

    def _dense(self, passages: Iterable[int]) -> dict[int, float]:
        rows = self._connection.execute(
            """SELECT id, vec_distance_L2(embedding, ?) FROM passage_vec
            WHERE id IN (SELECT value FROM json_each(?))""",
            (self._vector, _json(list(passages))),
        )
        return {number: _cosine(distance) for number, distance in rows}

    def _sentences(self, passages: Iterable[int]) -> dict[int, tuple[SentenceHit, ...]]:
        rows = self._connection.execute(
            """SELECT sentence.passage, sentence.start, sentence."end", sentence.text, sentence.kind, sentence.lead_start,
            sentence.lead_end, sentence.site, vec_distance_L2(sentence_vec.embedding, ?)
            FROM sentence JOIN sentence_vec ON sentence_vec.id = sentence.id
            WHERE sentence.passage IN (SELECT value FROM json_each(?)) ORDER BY sentence.start""",
            (self._vector, _json(list(passages))),
        )
        found: dict[int, list[SentenceHit]] = {}
        for number, start, end, text, kind, lead_start, lead_end, site, distance in rows:
            lead = None if lead_start is None else Span(start=lead_start, end=lead_end)
            sentence = Sentence(start=start, end=end, text=text, kind=kind, lead=lead, site=site)
            found.setdefault(number, []).append(SentenceHit(sentence=sentence, dense=_cosine(distance)))
        return {number: tuple(hits) for number, hits in found.items()}

    def _languages_in_scope(self) -> int:
        rows = self._connection.execute(
            f"SELECT count(DISTINCT language) FROM passage WHERE id IN ({_IN_SCOPE})",  # noqa: S608 - constants of this module
            self._given,
        )
        count: int = rows.fetchone()[0]
        return count


_IN_SCOPE: Final = """
    SELECT passage.id FROM passage JOIN document ON document.id = passage.document
    WHERE document.status = 'searchable'
      AND (document.valid_from IS NULL OR document.valid_from <= :today)
      AND (document.valid_until IS NULL OR document.valid_until >= :today)
      AND (:site IS NULL OR passage.site IS NULL OR passage.site = :site)
      AND (:document IS NULL OR passage.document = :document)
      AND (:languages = 'null' OR passage.language IN (SELECT value FROM json_each(:languages)))
"""
"""Only documents in force, and of those only what the scope asks for."""


def _words(question: str) -> list[str]:
    """The question's words as the index holds them. Of Chinese the bigrams, and single characters only when alone."""
    words = [re.sub(r"[^\w\u0900-\u097f]", "", word) for word in fts_words(question).split()]
    return list(dict.fromkeys(word for word in words if word))


def _rarity(among: int, total: int) -> float:
    """Inverse document frequency (Robertson and Zaragoza 2009, eq. 3.15)."""
    return math.log1p((total - among + 0.5) / (among + 0.5))


def _cosine(distance: float) -> float:
    """Of unit vectors, from their Euclidean distance."""
    return 1.0 - distance * distance / 2.0


def _json(values: Sequence[int] | Sequence[str]) -> str:
    return msgspec.json.encode(values).decode()


def _edition(connection: Connection) -> str:
    row = connection.execute("SELECT count(*), sum(revision), max(learnt_at) FROM document").fetchone()
    return " ".join(map(str, (*row, clinic_day(connection))))


def _passage(row: tuple[object, ...]) -> Passage:
    names = (
        "id",
        "document",
        "revision",
        "title",
        "valid_from",
        "heading",
        "page",
        "language",
        "site",
        "start",
        "end",
        "text",
    )
    found = dict(zip(names, row, strict=True))
    found["heading"] = msgspec.json.decode(str(found["heading"]))
    return msgspec.convert(found, Passage)


def _called(connection: Connection) -> dict[str, str]:
    return dict(connection.execute("SELECT name, site FROM site ORDER BY site, name").fetchall())
