"""Baselines that continue a series: point forecasts (B, horizon) from histories of unequal length."""

from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any, Self

import numpy as np

from unrolled.baselines.base import Baseline, partly, sample

PENALTY = 1.0
MAX_WINDOWS = 20_000
LARGEST = 10.0  # moves are clipped to this many spreads, so that one jump does not dominate the fit
MAX_ORIGINS = 64  # places in a history at which a rule is tried, to measure its errors


class Forecast(Baseline):
    """Point forecasts, and quantiles from the errors of the same rule within the history.

    Args:
        horizon: steps ahead, H.
        season: season length in steps; 1 for none.
    """

    def __init__(self, horizon: int, season: int = 1) -> None:
        self.horizon = horizon
        self.season = season

    def quantiles(self, inputs: Sequence[np.ndarray], levels: Sequence[float]) -> np.ndarray:
        """Return quantiles, (B, H, Q): the point forecast and a normal spread as wide as the errors within the history.

        A history too short to try the rule in has no spread: all its quantiles are the point forecast.

        Args:
            inputs: histories.
            levels: Q numbers between 0 and 1.
        """
        deviates = np.array([NormalDist().inv_cdf(level) for level in levels])  # (Q,)
        spread = np.array([self._spread(filled(history)) for history in inputs]).reshape(-1, self.horizon)
        return self.predict(inputs)[:, :, None] + spread[:, :, None] * deviates

    def _spread(self, history: np.ndarray) -> np.ndarray:
        """Root of the mean squared error at every step ahead, (H,)."""
        # the first half of a history, and at least a season, is only read
        first, last = max(len(history) // 2, self.season, 2), len(history) - self.horizon
        if last < first:
            return np.zeros(self.horizon)
        origins = np.unique(np.linspace(first, last, MAX_ORIGINS).astype(np.int64))
        truth = np.array([history[origin : origin + self.horizon] for origin in origins])
        return np.sqrt(((self.predict([history[:origin] for origin in origins]) - truth) ** 2).mean(0))


class _Naive(Forecast):
    """A rule without learning; a subclass defines how one history continues."""

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
    """The last value, repeated."""

    key = "last_value"
    name = "last value"

    def _continue(self, history: np.ndarray) -> np.ndarray:
        return np.full(self.horizon, history[-1])


class SeasonalNaive(_Naive):
    """The value one season before each step; the last value if the history is shorter than a season."""

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


class RidgeWindow(Forecast):
    """A fixed window, each step relative to the last value and the window's spread; then direct ridge regression."""

    key = "ridge_window"
    name = "fixed window + ridge"

    def __init__(self, horizon: int, season: int = 1) -> None:
        super().__init__(horizon, season)
        self.window = int(min(max(2 * season, 3 * horizon, 8), 200))

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[Any]) -> Self:
        """Learn from windows of the histories, equally many per series; targets are not used."""
        size = self.window + self.horizon
        series = [filled(history) for history in inputs]
        total = sum(max(len(values) - size + 1, 0) for values in series)
        pieces = []
        for values in series:
            if len(values) >= size:
                parts = np.lib.stride_tricks.sliding_window_view(values, size)
                keep = max(1, len(parts) * MAX_WINDOWS // total) if total > MAX_WINDOWS else len(parts)
                pieces.append(parts[np.linspace(0, len(parts) - 1, keep).astype(np.int64)])
        self.weights_ = np.zeros((self.window + 1, self.horizon))  # without a window: repeats the last value
        if not pieces:
            return self
        rows = np.concatenate(pieces)
        used = sample([1] * len(rows), MAX_WINDOWS)
        self.name = partly(type(self).name, len(used), total, "windows")
        before, after = rows[used, : self.window], rows[used, self.window :]
        last, spread = _anchor(before)
        moves = spread[:, 0] > 0  # a constant window does not show how large the next move is
        x = _design(before[moves], last[moves], spread[moves])
        wanted = np.clip((after[moves] - last[moves]) / spread[moves], -LARGEST, LARGEST)
        self.weights_ = np.linalg.solve(x.T @ x + PENALTY * np.eye(x.shape[1]), x.T @ wanted)
        return self

    def predict(self, inputs: Sequence[np.ndarray]) -> np.ndarray:
        rows = np.array([_last(filled(history), self.window) for history in inputs]).reshape(len(inputs), self.window)
        last, spread = _anchor(rows)
        return _design(rows, last, spread) @ self.weights_ * spread + last

    def state(self) -> dict[str, Any]:
        return {"horizon": self.horizon, "season": self.season, "name": self.name, "weights": self.weights_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls(int(state["horizon"]), int(state["season"]))
        baseline.name = state["name"]
        baseline.weights_ = np.asarray(state["weights"])
        return baseline


def filled(history: np.ndarray) -> np.ndarray:
    """Return a history without gaps: each missing value is the one before it; an empty history is a single zero."""
    values = np.asarray(history, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    if len(known) == len(values) > 0:
        return values
    if not len(known):
        return np.zeros(1)
    place = np.maximum(np.searchsorted(known, np.arange(len(values)), side="right") - 1, 0)
    return values[known[place]]


def _anchor(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the last value of every row, and its spread; 0 if that is only rounding: (M, 1) both."""
    spread = rows.std(1, keepdims=True)
    return rows[:, -1:], np.where(spread > 1e-9 * np.abs(rows).max(1, keepdims=True), spread, 0.0)


def _design(rows: np.ndarray, last: np.ndarray, spread: np.ndarray) -> np.ndarray:
    scaled = (rows - last) / np.where(spread > 0, spread, 1.0)
    return np.concatenate([scaled, np.ones((len(rows), 1))], axis=1)


def _last(values: np.ndarray, count: int) -> np.ndarray:
    return np.pad(values[-count:], (max(0, count - len(values)), 0), mode="edge")
