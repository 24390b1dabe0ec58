"""What the clinic has learnt: documents in, changed and out, each in one transaction; and what became of each, in words.

Knows the tables of documents; no file format, no search and no patient.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from appliance.errors import BadDocument, BadInput, NotFound, StoreFailed, TooLarge
from appliance.knowledge import Document, DocumentStatus, shelves
from appliance.knowledge.documents import Limits, read, too_large
from appliance.knowledge.files import File, files, relevant
from appliance.knowledge.parsed import Metadata, Parsed, metadata_of
from appliance.knowledge.passages import Cut, PassageDraft, cut
from appliance.knowledge.shelves import Learnt, Place
from appliance.message import DocumentId, Language
from appliance.records.database import Database
from models import Embedder, Vectors

log = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
"""Told how much is done, of how much, and what is being done. A document counts a hundred."""

EDITION: Final = 3
"""Of the rules by which documents are read and cut; after a change of them every document is learnt anew."""
BATCH: Final = 32
SHARE: Final = 100


class Library:
    """One clinic's documents. Learns one at a time; the old version answers until the new one is whole."""

    def __init__(self, database: Database, embedder: Embedder, limits: Limits | None = None) -> None:
        self._database = database
        self._embedder = embedder
        self._limits = limits or Limits()
        self._learning = asyncio.Lock()

    async def learn(
        self, paths: Sequence[Path], given: Metadata | None = None, *, progress: Progress = lambda *_: None
    ) -> list[DocumentStatus]:
        """Files and folders: what is new or changed is learnt, what is gone from a folder is removed, the rest stays.

        What cannot be read does not stop the others: its status says why. Raises StoreFailed and ModelError.
        """
        given = _checked(given)
        async with self._learning:
            await self._embed_anew_if_needed(progress)
            found = await asyncio.to_thread(files, paths)
            touched = []
            for place, file in enumerate(found):
                told = _part(progress, place, len(found))
                told(0.0, file.source)
                touched.append(await self._learn_file(file, given, told))
            gone = await self._forget_gone(paths)
            progress(SHARE * len(found), SHARE * len(found), "done")
            return [one for one in await self._statuses() if one.id in {*touched, *gone}]

    async def learn_bytes(self, name: str, data: bytes, given: Metadata | None = None) -> DocumentStatus:
        """A document that was sent; one of the same name is replaced. Its status says what became of it."""
        given = _checked(given)
        async with self._learning:
            await self._embed_anew_if_needed(lambda *_: None)
            document = await self._learn_data(Place(source=name), data, given, lambda *_: None)
        return await self._status(document)

    async def learn_parsed(self, source: str, parsed: Parsed, *, sentence_vectors: bool = True) -> DocumentStatus:
        """Blocks that somebody else has read. Without ``sentence_vectors`` only whole passages are found by meaning."""
        async with self._learning:
            await self._embed_anew_if_needed(lambda *_: None)
            whole = cut(parsed, name=source, words=self._limits.words)
            fingerprint = hashlib.sha256(msgspec.json.encode(parsed)).hexdigest()
            document = await self._shelve(
                Place(source=source), whole, fingerprint, lambda *_: None, sentence_vectors=sentence_vectors
            )
        return await self._status(document)

    async def remove(self, document: DocumentId) -> None:
        """It answers no more. Raises NotFound."""
        if not await self._database.write(lambda connection: shelves.remove(connection, document, self._limits.sites)):
            raise _unknown(document)
        log.info("removed document=%s", document)

    async def documents(self) -> list[DocumentStatus]:
        """Every document by name, without the removed ones."""
        return [one for one in await self._statuses() if one.status != "removed"]

    async def document(self, document: DocumentId) -> Document:
        """Its text, in force or not: an old answer may quote it. Raises NotFound."""
        found = await self._database.read(lambda connection: shelves.document(connection, document))
        if found is None:
            raise _unknown(document)
        return found

    async def _statuses(self) -> list[DocumentStatus]:
        return await self._database.read(shelves.statuses)

    async def _status(self, document: DocumentId) -> DocumentStatus:
        return await self._database.read(lambda connection: shelves.status(connection, document))

    # ---- one file -------------------------------------------------------------------------------------------------

    async def _learn_file(self, file: File, given: Metadata, told: _Told) -> DocumentId:
        place = Place(source=file.source, path=str(file.path))
        try:
            if file.size > self._limits.upload_mb << 20:
                raise too_large(file.size, self._limits)
            data, beside = await asyncio.to_thread(file.content)
        except (BadInput, OSError) as error:
            words = error.strerror if isinstance(error, OSError) else str(error)
            return await self._failed(place, f"cannot be opened: {words}" if isinstance(error, OSError) else str(words))
        return await self._learn_data(place, data, given.over(beside), told)

    async def _learn_data(self, place: Place, data: bytes, given: Metadata, told: _Told) -> DocumentId:
        fingerprint = self._fingerprint(data, given)
        known = await self._database.read(lambda connection: shelves.unchanged(connection, place, fingerprint))
        if known:
            return known
        try:
            whole = await read(place.source, data, given=given, limits=self._limits)
            return await self._shelve(place, whole, fingerprint, told)
        except (BadDocument, TooLarge) as error:
            return await self._failed(place, str(error))
        except StoreFailed as error:
            await self._failed_for_now(place, str(error))
            raise

    async def _shelve(
        self, place: Place, whole: Cut, fingerprint: str, told: _Told, *, sentence_vectors: bool = True
    ) -> DocumentId:
        passages, sentences = await self._embedded(whole, told, sentence_vectors=sentence_vectors)
        learnt = Learnt(
            place=place,
            cut=whole,
            sha256=fingerprint,
            embedder=self._embedder.name,
            passages=passages,
            sentences=sentences,
        )
        document = await self._database.write(lambda connection: shelves.put(connection, learnt, self._limits.sites))
        log.info("learnt document=%s passages=%d", document, len(whole.passages))
        return document

    async def _failed(self, place: Place, words: str) -> DocumentId:
        document = await self._database.write(lambda connection: shelves.fail(connection, place, words))
        log.warning("not learnt document=%s reason=%s", document, words)
        return document

    async def _failed_for_now(self, place: Place, words: str) -> None:
        """The store failed; on a full disk there may yet be room for one line about it."""
        try:
            await self._failed(place, words)
        except StoreFailed:
            log.warning("not learnt source=%s and no room to say so", place.source)

    async def _forget_gone(self, paths: Sequence[Path]) -> Sequence[DocumentId]:
        known = await self._database.read(shelves.paths)
        gone = await asyncio.to_thread(lambda: [name for name, path in known.items() if _gone(Path(path), paths)])
        for document in gone:
            await self.remove(document)
        return gone

    def _fingerprint(self, data: bytes, given: Metadata) -> str:
        rules = msgspec.json.encode([EDITION, self._limits.words, given])
        return hashlib.sha256(rules + b"\0" + data).hexdigest()

    # ---- meaning ----------------------------------------------------------------------------------------------------

    async def _embedded(self, whole: Cut, told: _Told, *, sentence_vectors: bool) -> tuple[Vectors, Vectors]:
        """Of every passage and of every sentence in them, in batches."""
        texts = [(passage_to_embed(whole, one), one.language) for one in whole.passages]
        passages = len(texts)
        if sentence_vectors:
            texts += [
                (sentence_to_embed(whole, one, place), one.language)
                for one in whole.passages
                for place in range(len(one.sentences))
            ]
        vectors = await self._vectors(texts, told, whole.title)
        return vectors[:passages], vectors[passages:]

    async def _vectors(self, texts: Sequence[tuple[str, Language]], told: _Told, what: str) -> Vectors:
        import numpy as np

        parts: list[Vectors] = [np.zeros((0, self._embedder.dimensions), np.float32)]
        for start in range(0, len(texts), BATCH):
            batch = texts[start : start + BATCH]
            parts.append(await self._embedder.passages([text for text, _ in batch], [code for _, code in batch]))
            told((start + len(batch)) / len(texts), what)
        return np.concatenate(parts)

    async def _embed_anew_if_needed(self, progress: Progress) -> None:
        """Vectors of two embedders cannot be compared: after a change all that is known is embedded anew, then swapped."""
        name, dimensions = self._embedder.name, self._embedder.dimensions
        if await self._database.read(shelves.embedder) in (None, (name, dimensions)):
            return
        stored = await self._database.read(shelves.stored)
        log.info("embedding anew documents=%d embedder=%s", len(stored), name)
        vectors = {}
        for place, (document, whole) in enumerate(stored.items()):
            vectors[document] = await self._embedded(whole, _part(progress, place, len(stored)), sentence_vectors=True)
        await self._database.write(lambda connection: shelves.swap_vectors(connection, name, dimensions, vectors))


def passage_to_embed(whole: Cut, passage: PassageDraft) -> str:
    """What stands for a passage's meaning: its words under its headings."""
    over = " – ".join(title for title in (whole.title, *passage.heading) if title)
    return f"{over}\n{whole.text[passage.start : passage.end]}".strip()


def sentence_to_embed(whole: Cut, passage: PassageDraft, place: int) -> str:
    """What stands for a sentence's meaning: its words, with title, nearest heading and what introduces it.

    Without the title a heading such as "When and where" says nothing.
    """
    sentence = passage.sentences[place]
    nearest = next((title for title in reversed(passage.heading) if title), "")
    lead = whole.text[sentence.lead.start : sentence.lead.end] if sentence.lead else ""
    over = [part.rstrip(":： ") for part in dict.fromkeys((whole.title, nearest, lead)) if part]
    return ": ".join([*over, sentence.text])


def _checked(given: Metadata | None) -> Metadata:
    """Days that are days. Raises BadDocument."""
    return metadata_of(msgspec.to_builtins(given), where="what was said about it") if given else Metadata()


_Told = Callable[[float, str], None]


def _part(progress: Progress, place: int, of: int) -> _Told:
    """Progress within one document, told as progress of all."""
    return lambda share, what: progress(int(SHARE * (place + share)), SHARE * of, what)


def _gone(path: Path, learnt: Sequence[Path]) -> bool:
    """It stood in a folder that was just learnt, and is no longer there or no longer to be learnt."""
    folders = [folder.resolve() for folder in learnt if folder.is_dir()]
    inside = [path.relative_to(folder) for folder in folders if path.is_relative_to(folder)]
    return bool(inside) and not (path.is_file() and all(relevant(one) for one in inside))


def _unknown(document: str) -> NotFound:
    return NotFound(f"there is no document {document!r}; `medinovai documents` lists those there are")
