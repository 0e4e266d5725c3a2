"""Baselines that predict the next token: summed nats of every sequence of ids."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from unrolled.baselines.base import Baseline

_MIX = np.uint64(0x9E3779B97F4A7C15)


class NGram(Baseline):
    """The next token from the n - 1 before it, interpolated Witten-Bell over all shorter contexts.

    A context seen c times with d different tokens after it gives d / (c + d) of its weight to the shorter context;
    the shortest one is the uniform distribution. Contexts are hashed to 64 bits, so that memory stays two numbers each.

    Args:
        size: vocabulary, V.
        order: n; 1 counts tokens alone.

    Source: S. Chen and J. Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", 1998, 2.5.
    """

    key = "ngram"

    def __init__(self, size: int, order: int = 5) -> None:
        self.size = size
        self.order = order

    @property
    def name(self) -> str:  # type: ignore[override]
        return f"{self.order}-gram, Witten-Bell" if self.order > 1 else "token frequencies"

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        self.tables_: list[dict[str, np.ndarray]] = []
        for order in range(1, self.order + 1):
            contexts, whole = self._hashes(inputs, order)
            grams, gram_counts = np.unique(whole, return_counts=True)
            # each distinct n-gram once: how many different tokens follow a context
            first = np.unique(whole, return_index=True)[1]
            names, counts = np.unique(contexts, return_counts=True)
            kinds = np.unique(contexts[first], return_counts=True)[1]
            self.tables_.append(
                {
                    "grams": grams,
                    "gram_counts": gram_counts.astype(np.int64),
                    "contexts": names,
                    "counts": counts.astype(np.int64),
                    "kinds": kinds.astype(np.int64),
                }
            )
        return self

    def predict(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Nats of every sequence, (B,)."""
        lengths = np.array([len(ids) for ids in inputs], dtype=np.int64)
        shares = np.full(int(lengths.sum()), 1.0 / self.size)
        for order, table in enumerate(self.tables_, 1):
            contexts, whole = self._hashes(inputs, order)
            seen = _look_up(table["grams"], table["gram_counts"], whole)
            count = _look_up(table["contexts"], table["counts"], contexts)
            kinds = _look_up(table["contexts"], table["kinds"], contexts)
            total = count + kinds
            mixed = (seen + kinds * shares) / np.maximum(total, 1)
            shares = np.where(total > 0, mixed, shares)
        nats = -np.log(shares)
        rows = np.repeat(np.arange(len(lengths)), lengths)
        return np.bincount(rows, weights=nats, minlength=len(lengths))

    def _hashes(self, sequences: Sequence[np.ndarray], order: int) -> tuple[np.ndarray, np.ndarray]:
        """A 64-bit name for the context of every token, and for context and token together: (N,) both."""
        ids = [np.asarray(sequence, dtype=np.uint64) + np.uint64(2) for sequence in sequences]
        edge = np.ones(order - 1, dtype=np.uint64)  # before the first token
        contexts, whole = [], []
        with np.errstate(over="ignore"):
            for sequence in ids:
                padded = np.concatenate([edge, sequence])
                name = np.full(len(sequence), order, dtype=np.uint64)
                for back in range(order - 1):
                    name = _mix(name ^ padded[back : back + len(sequence)])
                contexts.append(name)
                whole.append(_mix(name ^ sequence))
        nothing = np.zeros(0, dtype=np.uint64)
        return np.concatenate([nothing, *contexts]), np.concatenate([nothing, *whole])

    def state(self) -> dict[str, Any]:
        # safetensors holds no unsigned 64-bit numbers everywhere: names travel as signed ones
        arrays = {
            f"{name}_{order}": values.view(np.int64)
            for order, t in enumerate(self.tables_)
            for name, values in t.items()
        }
        return {"size": self.size, "order": self.order, **arrays}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls(int(state["size"]), int(state["order"]))
        baseline.tables_ = [
            {
                name: np.asarray(state[f"{name}_{order}"]).view(
                    np.uint64 if name in ("grams", "contexts") else np.int64
                )
                for name in ("grams", "gram_counts", "contexts", "counts", "kinds")
            }
            for order in range(baseline.order)
        ]
        return baseline


def _mix(values: np.ndarray) -> np.ndarray:
    """A bijection of 64-bit numbers that spreads every bit (the finaliser of splitmix64)."""
    values = values + _MIX
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _look_up(names: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Values by sorted name, 0 for an unknown one."""
    if not len(names):
        return np.zeros(len(wanted), dtype=np.int64)
    place = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
    return np.where(names[place] == wanted, values[place], 0)
