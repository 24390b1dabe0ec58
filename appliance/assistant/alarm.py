"""A second look after the rules, for danger in words no rule foresaw: weighed n-grams first, then a small network.

It only adds: what a rule has said stands. The n-grams need no model, so they speak too when the network is down or not
installed. Fitted by `evaluation/fit_alarm.py`.
"""

from __future__ import annotations

import logging
import math
import re
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from appliance.assistant.ngrams import PLACES, Grams, grams
from appliance.assistant.redflags.rules import Kind
from appliance.languages import detect
from appliance.message import LANGUAGES, Language
from models import ModelError, Vectors

log = logging.getLogger(__name__)

KINDS: Final[tuple[Kind, ...]] = ("medical", "poison", "pregnancy_infant", "violence", "suicide")
"""The outputs after the first one, which stands for no danger."""
WORDS: Final = Path(__file__).with_name("alarm_words.npz")
NETWORK: Final = Path(__file__).with_name("alarm_network.npz")
SURELY: Final = 1e-6
_HAN: Final = re.compile("[\u4e00-\u9fff]")
"""Two of these signs are a word, about."""
HARMLESS: Final = -3.5
"""Log-odds of n-grams and network together below which what a rule hints at is taken for harmless. Of the 1,262 emergencies
that nobody fitted on 12 lie lower; 4 of these are caught by what a rule is sure of."""
FEWEST_WORDS: Final = 2.5
FEW_WORDS: Final = 4.0
SURER: Final = 2.0
"""Of fewer words the rules alone speak, of few the fitted parts must be that much surer (log-odds): the n-grams of a short text
weigh as much as the many of a long one. Of 187 short replies 21 raised an alarm ("something else", "hoy"), now 1 does; of the 152
emergencies of at most five words, and of 832 that nobody fitted on, none is lost."""


class Classifier(Protocol):
    """Probabilities of no danger and of each of KINDS, a row a text. Raises ModelError."""

    async def probabilities(self, texts: list[str], /) -> Vectors: ...

    async def close(self) -> None: ...


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """A logistic model over hashed n-grams."""

    weights: NDArray[Any]
    """PLACES + 1, 1 + kinds: the last row is the bias."""

    def probabilities(self, texts: list[Grams]) -> Vectors:
        """A row a text: no danger, then each of KINDS; softmax."""
        scores = np.array([one.shares @ self.weights[one.places] + self.weights[PLACES] for one in texts], np.float32)
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(odds / odds.sum(axis=1, keepdims=True), np.float32)


class Thresholds(msgspec.Struct, frozen=True, kw_only=True):
    """From which log-odds of danger on the alarm is raised, in each language: the same share of look-alikes in all."""

    words: dict[Language, float]
    """By the n-grams alone."""
    both: dict[Language, float]
    """By the n-grams' and the network's log-odds together."""


class Alarm:
    """The fitted parts."""

    def __init__(self, words: Words, network: Classifier | None, thresholds: Thresholds) -> None:
        self._words = words
        self._network = network
        self._thresholds = thresholds

    @classmethod
    def load(cls, network: Classifier | None) -> Alarm:
        with np.load(WORDS) as kept:
            words = Words(weights=kept["words"].astype(np.float32))
            return cls(
                words, network, Thresholds(words=_by_language(kept["by_words"]), both=_by_language(kept["by_both"]))
            )

    def heard(self, text: str) -> Kind | None:
        """The kind of danger the n-grams alone speak of: a millisecond, no model."""
        shares = self._words.probabilities([grams(text)])
        return _kind(shares) if danger(shares)[0] >= self._thresholds.words[detect(text)] + _surer_by(text) else None

    async def kind(self, text: str, *, hinted: Kind | None = None) -> Kind | None:
        """The kind of danger a message speaks of; None when it is likelier that there is none.

        What a rule has ``hinted`` at stands, unless n-grams and network together are all but sure that it is harmless.
        """
        if kind := self.heard(text):
            return hinted or kind
        network = await self._network_says(text)
        if network is None:
            return hinted
        words = self._words.probabilities([grams(text)])
        odds, language = both(words, network)[0], detect(text)
        if odds >= self._thresholds.both[language] + _surer_by(text):
            return hinted or _kind(words * network)
        return hinted if odds >= HARMLESS else None

    async def _network_says(self, text: str) -> Vectors | None:
        if self._network is None:
            return None
        try:
            return await self._network.probabilities([text])
        except ModelError as error:
            log.error("alarm=by words alone error=%s reason=%s", type(error).__name__, error)
            return None


def danger(shares: Vectors) -> NDArray[Any]:
    """Log-odds that there is any danger, a number a row of probabilities."""
    none = np.clip(shares[:, 0], SURELY, 1 - SURELY)
    odds: NDArray[Any] = np.log1p(-none) - np.log(none)
    return odds


def both(words: Vectors, network: Vectors) -> NDArray[Any]:
    """What the two say together: they err in different places, so their log-odds are added."""
    odds: NDArray[Any] = danger(words) + danger(network)
    return odds


def _surer_by(text: str) -> float:
    """How much surer than of a whole message one must be of so short a text."""
    words = sum(max(1.0, len(_HAN.findall(word)) / 2) for word in text.split())
    return math.inf if words < FEWEST_WORDS else SURER if words <= FEW_WORDS else 0.0


def _by_language(numbers: NDArray[Any]) -> dict[Language, float]:
    return dict(zip(LANGUAGES, map(float, numbers), strict=True))


def _kind(shares: Vectors) -> Kind:
    return KINDS[int(shares[0, 1:].argmax())]
