"""The real models of the starter set, made once a session. Where they are missing a test is skipped; in CI it fails."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from models import ModelMissing
from models.llama import LlamaChat, LlamaSettings
from models.store import Store


@pytest.fixture(scope="session")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("models"))
    try:
        store.assemble("starter")
    except ModelMissing as missing:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(missing))
    return store


@pytest.fixture(scope="session")
def smollm2(starter: Store) -> Path:
    return starter.verify("smollm2")


@pytest.fixture(scope="session")
def smollm2_sha256(starter: Store) -> str:
    return starter.sha256("smollm2")


@pytest.fixture(scope="session")
def session_llama(starter: Store, smollm2: Path) -> LlamaChat:
    """Loaded once; the thread is a daemon and ends with the session."""
    settings = LlamaSettings(queue=2)
    return LlamaChat("smollm2", smollm2, starter.sha256("smollm2"), settings=settings, checksums=starter.checksums)


@pytest.fixture
def flipped(smollm2: Path, tmp_path: Path) -> Iterator[Path]:
    """A copy with a megabyte of its numbers turned over: it loads without a word."""
    damaged = tmp_path / "flipped.gguf"
    data = bytearray(smollm2.read_bytes())
    for place in range(40_000_000, 41_000_000):
        data[place] ^= 0xFF
    damaged.write_bytes(data)
    yield damaged
    damaged.unlink()
