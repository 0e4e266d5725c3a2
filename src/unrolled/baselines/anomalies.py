"""Baselines for anomaly detection: scores of each step of a series, or of each event, (T,), higher = more unusual.

A score depends only on its step and those before it. NaN is a missing value.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.ensemble import IsolationForest

from unrolled.baselines.base import Baseline, partly, sample

LEAST = 10  # number of values before the first score
MAX_WINDOWS = 4000  # maximum number of windows that a forest is fitted on
TREES = 100
LEAST_SPREAD = 1e-3  # for values with a spread around 1


class MovingZScore(Baseline):
    """The distance of a value from the mean of the window before it, in deviations; the largest over all variables.

    Args:
        window: steps of the window.
    """

    key = "moving_z_score"
    name = "moving z-score"

    def __init__(self, window: int = 100) -> None:
        self.window = window

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[Any]) -> Self:
        return self

    def predict(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [self._score(np.asarray(rows, dtype=np.float64)) for rows in inputs]

    def _score(self, rows: np.ndarray) -> np.ndarray:
        known = ~np.isnan(rows)
        values = np.where(known, rows, 0.0)
        count, total, square = (_before(part, self.window) for part in (known.astype(float), values, values**2))
        mean = total / np.maximum(count, 1)
        spread = np.sqrt(np.maximum(square / np.maximum(count, 1) - mean**2, 0.0))
        scores = np.abs(values - mean) / np.maximum(spread, LEAST_SPREAD)
        return np.where(known & (count >= LEAST), scores, 0.0).max(1, initial=0.0)

    def state(self) -> dict[str, Any]:
        return {"window": self.window}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        return cls(int(state["window"]))


class SeasonalResidual(Baseline):
    """The distance of a value from that one season before, in deviations of the training data; the largest counts.

    Args:
        season: season length in steps; 1 is the value before.
    """

    key = "seasonal_residual"
    name = "seasonal residual"

    def __init__(self, season: int = 1) -> None:
        self.season = season

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[Any]) -> Self:
        """Learn the usual size of residuals."""
        residuals = np.concatenate([self._residuals(rows) for rows in inputs])  # (N, V)
        known = ~np.isnan(residuals)
        squares = np.where(known, residuals**2, 0.0).sum(0) / np.maximum(known.sum(0), 1)
        self.spread_ = np.maximum(np.sqrt(squares), LEAST_SPREAD)
        return self

    def _residuals(self, rows: np.ndarray) -> np.ndarray:
        rows = np.asarray(rows, dtype=np.float64)
        before = np.full_like(rows, np.nan)
        before[self.season :] = rows[: max(len(rows) - self.season, 0)]
        return rows - before

    def predict(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        found = [np.nan_to_num(np.abs(self._residuals(rows)) / self.spread_) for rows in inputs]
        return [scores.max(1, initial=0.0) for scores in found]

    def state(self) -> dict[str, Any]:
        return {"season": self.season, "spread": self.spread_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls(int(state["season"]))
        baseline.spread_ = np.asarray(state["spread"])
        return baseline


class IsolationForestWindows(Baseline):
    """An isolation forest: how quickly random cuts separate a window from those of the training data.

    A saved one stores the windows that it was fitted on, and fits the same trees to them again.

    Args:
        window: steps of the window; the last one is scored.

    Source: F. T. Liu, K. M. Ting and Z.-H. Zhou, "Isolation Forest", ICDM 2008, section 4; scikit-learn's.
    """

    key = "isolation_forest"
    name = "isolation forest on windows"

    def __init__(self, window: int = 16) -> None:
        self.window = window

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[Any]) -> Self:
        """Fit the trees."""
        every = np.concatenate([self._windows(rows) for rows in inputs])
        every = every[np.lexsort(every.T)] if len(every) else np.zeros((1, self.window * inputs[0].shape[1]))
        used = sample([1] * len(every), MAX_WINDOWS)
        self.name = partly(type(self).name, len(used), len(every), "windows")
        return self._grow(every[used])

    def _grow(self, windows: np.ndarray) -> Self:
        self.windows_ = windows
        self.forest_ = IsolationForest(n_estimators=TREES, random_state=0).fit(windows)
        return self

    def _windows(self, rows: np.ndarray) -> np.ndarray:
        """Return the window that ends at each step, (T, window * V); before the first step its values are repeated."""
        rows = np.asarray(rows, dtype=np.float64)
        if not len(rows):
            return np.zeros((0, self.window * rows.shape[1]))
        place = np.maximum.accumulate(np.where(np.isnan(rows), 0, np.arange(len(rows))[:, None]), 0)
        filled = np.nan_to_num(np.take_along_axis(rows, place, 0))
        padded = np.concatenate([np.repeat(filled[:1], self.window - 1, 0), filled])
        views = np.lib.stride_tricks.sliding_window_view(padded, self.window, 0)  # (T, V, window)
        return views.reshape(len(rows), -1)

    def predict(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        found = [self._windows(rows) for rows in inputs]
        return [-self.forest_.score_samples(windows) if len(windows) else np.zeros(0) for windows in found]

    def state(self) -> dict[str, Any]:
        return {"window": self.window, "name": self.name, "windows": self.windows_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls(int(state["window"]))
        baseline.name = state["name"]
        return baseline._grow(np.asarray(state["windows"]))


class MarkovSurprise(Baseline):
    """The nats of each event given the one before it, from counts plus one, so that no event is impossible.

    Args:
        size: number of kinds of events, K.
    """

    key = "markov_surprise"
    name = "first-order Markov chain"

    def __init__(self, size: int) -> None:
        self.size = size

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[Any]) -> Self:
        """Count pairs in sequences of numbers below K, (T, 1), NaN unknown."""
        self.counts_ = np.ones((self.size + 1, self.size))  # the last row counts first events
        for rows in inputs:
            before, after = self._pairs(rows)
            known = ~np.isnan(after)
            np.add.at(self.counts_, (before[known], after[known].astype(np.int64)), 1.0)
        return self

    def _pairs(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        after = np.asarray(rows, dtype=np.float64)[:, 0]
        before = np.concatenate([[self.size], after[:-1]])[: len(after)]
        return np.where(np.isnan(before), self.size, before).astype(np.int64), after

    def predict(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        nats = -np.log(self.counts_ / self.counts_.sum(1, keepdims=True))
        answers = []
        for rows in inputs:
            before, after = self._pairs(rows)
            answers.append(np.where(np.isnan(after), 0.0, nats[before, np.nan_to_num(after).astype(np.int64)]))
        return answers

    def state(self) -> dict[str, Any]:
        return {"size": self.size, "counts": self.counts_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls(int(state["size"]))
        baseline.counts_ = np.asarray(state["counts"])
        return baseline


def _before(values: np.ndarray, window: int) -> np.ndarray:
    """Return the sum over the window before each row, without that row: (T, V)."""
    total = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values, 0)])
    rows = np.arange(len(values))
    return total[rows] - total[np.maximum(rows - window, 0)]
