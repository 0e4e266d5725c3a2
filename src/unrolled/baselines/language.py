"""Baselines that predict the next token: nats of every sequence of ids."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from unrolled.baselines.base import Baseline, partly

_MIX = np.uint64(0x9E3779B97F4A7C15)


class NGram(Baseline):
    """An n-gram model: the next token from the n - 1 before it, interpolated Witten-Bell over all shorter contexts.

    A context seen c times with d different tokens after it gives d / (c + d) of its weight to the shorter context;
    the shortest one is the uniform distribution. Contexts are hashed to 64 bits, so that each takes two numbers.

    Args:
        size: vocabulary size, V.
        order: n; 1 counts single tokens.
        max_steps: maximum number of tokens to count, from the start; the name says so if there are more.
        note: text after the name, such as what the text was cut to.

    Example:
        >>> ids = np.array([0, 1, 0, 1, 0, 1])
        >>> model = NGram(2, order=2).fit([ids], [ids])
        >>> bool(model.predict([ids])[0] < 6 * np.log(2))
        True

    Source: S. Chen and J. Goodman, "An Empirical Study of Smoothing Techniques for Language Modeling", 1998, 2.5.
    """

    key = "ngram"

    def __init__(self, size: int, order: int = 5, max_steps: int = 10_000_000, note: str = "") -> None:
        self.size = size
        self.order = order
        self.max_steps = max_steps
        self.note = note
        self.name = self._title()

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> Self:
        """Count the sequences of ids; `targets` are the same and not used."""
        total = sum(map(len, inputs))
        kept, left = [], self.max_steps
        for ids in inputs:
            if left <= 0:
                break
            kept.append(np.asarray(ids)[:left])
            left -= len(ids)
        self.name = partly(self._title(), min(total, self.max_steps), total, "tokens")
        self.tables_: list[dict[str, np.ndarray]] = []
        for order in range(1, self.order + 1):
            contexts, whole = self._hashes(kept, order)
            # each distinct n-gram once: the number of different tokens after a context
            grams, first, gram_counts = np.unique(whole, return_index=True, return_counts=True)
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

    def _title(self) -> str:
        plain = f"{self.order}-gram, Witten-Bell" if self.order > 1 else "token frequencies"
        return f"{plain} ({self.note})" if self.note else plain

    def predict(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return the nats of every sequence, (B,)."""
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
        """Return 64-bit hashes of the context of every token, and of context and token together: (N,) both."""
        lengths = np.array([len(ids) for ids in sequences], dtype=np.int64)
        tokens = np.concatenate([np.zeros(0, dtype=np.int64), *sequences]).astype(np.uint64) + np.uint64(2)  # (N,)
        place = np.arange(len(tokens))
        before = place - np.repeat(np.cumsum(lengths) - lengths, lengths)  # (N,) tokens before it in its sequence
        name = np.full(len(tokens), order, dtype=np.uint64)
        for back in range(order - 1, 0, -1):
            # 1 stands for the edge before the first token
            name = _mix(name ^ np.where(before >= back, tokens[place - np.minimum(back, before)], np.uint64(1)))
        return name, _mix(name ^ tokens)

    def state(self) -> dict[str, Any]:
        # safetensors lacks unsigned 64-bit numbers in places: hashes are stored as signed ones
        arrays = {
            f"{name}_{order}": values.view(np.int64)
            for order, t in enumerate(self.tables_)
            for name, values in t.items()
        }
        own = {"size": self.size, "order": self.order, "max_steps": self.max_steps, "note": self.note}
        return {**own, "name": self.name, **arrays}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls(*(state[name] for name in ("size", "order", "max_steps", "note")))
        baseline.name = state["name"]
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
    """Return a bijection of 64-bit numbers that spreads every bit (the finaliser of splitmix64)."""
    values = values + _MIX
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _look_up(names: np.ndarray, values: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the values of names in a sorted table, 0 for an unknown one."""
    if not len(names):
        return np.zeros(len(wanted), dtype=np.int64)
    place = np.minimum(np.searchsorted(names, wanted), len(names) - 1)
    return np.where(names[place] == wanted, values[place], 0)
