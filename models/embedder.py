"""Larger embedders through sentence-transformers, for clinics that want one. Knows nothing of documents.

The only importer of sentence_transformers and torch.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from models import ModelDamaged, ModelMissing, Vectors
from models.checksums import Checksums
from models.engine_thread import PASSAGE, QUESTION, EngineThread, in_batches

log = logging.getLogger(__name__)

HOW = {"normalize_embeddings": True, "show_progress_bar": False}
CHARACTERS = 8_000
"""The model reads its first few hundred tokens; more would only cost time to cut."""


class SentenceTransformers:
    """The Embedder. Loads in its own thread with the first text; import and load take about eight seconds.

    A model that wants a prefix for questions or passages says so in its own files, and sentence-transformers obeys.
    Languages are not centred: that needs means made with the same model (models/centres.py).
    """

    def __init__(
        self,
        name: str,
        weights: Path,
        sha256: str,
        *,
        dimensions: int = 384,
        threads: int = 1,
        checksums: Checksums | None = None,
    ) -> None:
        """``weights``: the model.safetensors in a directory of sentence-transformers' layout."""
        self.name = name
        self.dimensions = dimensions
        self._weights = weights
        self._sha256 = sha256
        self._threads = threads
        self._checksums = checksums or Checksums()
        self._thread = EngineThread(name)
        self._engine: Any = None

    async def passages(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        return await in_batches(self._thread, self._passages, texts, languages, rank=PASSAGE)

    async def queries(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        return await in_batches(self._thread, self._queries, texts, languages, rank=QUESTION)

    async def close(self) -> None:
        await self._thread.close()
        self._engine = None

    # ---- in the engine's thread ----------------------------------------------------------------------------------

    def _passages(self, texts: Sequence[str], _languages: Sequence[str]) -> Vectors:
        return np.asarray(self._loaded().encode_document(_cleaned(texts), **HOW), np.float32).reshape(
            -1, self.dimensions
        )

    def _queries(self, texts: Sequence[str], _languages: Sequence[str]) -> Vectors:
        return np.asarray(self._loaded().encode_query(_cleaned(texts), **HOW), np.float32).reshape(-1, self.dimensions)

    def _loaded(self) -> Any:
        if self._engine is None:
            self._engine = self._load()
        return self._engine

    def _load(self) -> Any:
        self._checksums.verify(self._weights, self._sha256)
        try:
            import sentence_transformers
            import torch  # type: ignore[import-not-found,unused-ignore]  # an extra, mostly absent
            import transformers  # type: ignore[import-not-found,unused-ignore]  # comes with sentence-transformers
        except ImportError as wrong:
            raise ModelMissing(
                "sentence-transformers is not installed. Run: pip install 'medinovai[sentence-transformers]'"
            ) from wrong
        transformers.utils.logging.disable_progress_bar()
        torch.set_num_threads(self._threads)
        engine = sentence_transformers.SentenceTransformer(
            str(self._weights.parent), device="cpu", local_files_only=True
        )
        if engine.encode("size").shape != (self.dimensions,):
            raise ModelDamaged(f"{self.name} has other dimensions than the {self.dimensions} in the catalogue")
        log.info("loaded model=%s threads=%d", self.name, self._threads)
        return engine


def _cleaned(texts: Sequence[str]) -> list[str]:
    """A lone surrogate cannot be encoded."""
    return [text[:CHARACTERS].encode("utf-8", "replace").decode("utf-8") for text in texts]
