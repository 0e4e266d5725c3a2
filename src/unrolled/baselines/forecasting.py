"""Baselines that continue a series: point forecasts (B, horizon) from histories of unequal length."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from unrolled.baselines.base import Baseline

PENALTY = 1.0
MAX_WINDOWS = 20_000


class _Naive(Baseline):
    """A rule without learning; a subclass says how one history goes on."""

    def __init__(self, horizon: int, season: int = 1) -> None:
        self.horizon = horizon
        self.season = season

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[Any]) -> Self:
        return self

    def predict(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        return np.array([self._continue(filled(history)) for history in inputs]).reshape(len(inputs), self.horizon)

    def _continue(self, history: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    def state(self) -> dict[str, Any]:
        return {"horizon": self.horizon, "season": self.season}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        return cls(int(state["horizon"]), int(state["season"]))


class LastValue(_Naive):
    """The last value, again and again."""

    key = "last_value"
    name = "last value"

    def _continue(self, history: np.ndarray) -> np.ndarray:
        return np.full(self.horizon, history[-1])


class SeasonalNaive(_Naive):
    """The value one season before each step; the last value where the history is shorter than a season."""

    key = "seasonal_naive"
    name = "seasonal naive"

    def _continue(self, history: np.ndarray) -> np.ndarray:
        if len(history) < self.season:
            return np.full(self.horizon, history[-1])
        return np.resize(history[-self.season :], self.horizon)


class Drift(_Naive):
    """The straight line through the first and the last value."""

    key = "drift"
    name = "drift"

    def _continue(self, history: np.ndarray) -> np.ndarray:
        slope = (history[-1] - history[0]) / max(len(history) - 1, 1)
        return history[-1] + slope * np.arange(1, self.horizon + 1)


class RidgeWindow(Baseline):
    """A fixed window, each step relative to the last value and the window's spread; then ridge regression, direct."""

    key = "ridge_window"
    name = "fixed window + ridge"

    def __init__(self, horizon: int, season: int = 1) -> None:
        self.horizon = horizon
        self.season = season
        self.window = int(min(max(2 * season, 3 * horizon, 8), 200))

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[Any]) -> Self:
        """Learn from every window inside the histories; targets are not used."""
        rows, wanted = [], []
        for history in inputs:
            values = filled(history)
            size = self.window + self.horizon
            if len(values) >= size:
                parts = np.lib.stride_tricks.sliding_window_view(values, size)
                rows.append(parts[:, : self.window])
                wanted.append(parts[:, self.window :])
        if not rows:  # too short for one window: repeats the last value
            self.weights_ = np.zeros((self.window + 1, self.horizon))
            return self
        before, after = np.concatenate(rows), np.concatenate(wanted)
        if len(before) > MAX_WINDOWS:
            chosen = np.random.default_rng(0).permutation(len(before))[:MAX_WINDOWS]
            before, after = before[chosen], after[chosen]
        last, spread = _anchor(before)
        x = _design((before - last) / spread)
        penalty = PENALTY * np.eye(x.shape[1])
        self.weights_ = np.linalg.solve(x.T @ x + penalty, x.T @ ((after - last) / spread))
        return self

    def predict(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        rows = np.array([_last(filled(history), self.window) for history in inputs]).reshape(len(inputs), self.window)
        last, spread = _anchor(rows)
        return _design((rows - last) / spread) @ self.weights_ * spread + last

    def state(self) -> dict[str, Any]:
        return {"horizon": self.horizon, "season": self.season, "weights": self.weights_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls(int(state["horizon"]), int(state["season"]))
        baseline.weights_ = np.asarray(state["weights"])
        return baseline


def filled(history: np.ndarray) -> np.ndarray:
    """A history without gaps: each missing value is the one before it; an empty history is a single zero."""
    values = np.asarray(history, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return np.zeros(1)
    place = np.maximum(np.searchsorted(known, np.arange(len(values)), side="right") - 1, 0)
    return values[known[place]]


def _anchor(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    spread = rows.std(1, keepdims=True)
    return rows[:, -1:], np.where(spread > 1e-12, spread, 1.0)


def _design(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows, np.ones((len(rows), 1))], axis=1)


def _last(values: np.ndarray, count: int) -> np.ndarray:
    return np.pad(values[-count:], (max(0, count - len(values)), 0), mode="edge")
