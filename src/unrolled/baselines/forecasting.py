"""Baselines that continue a series: point forecasts (B, horizon) and quantiles from histories of unequal length."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from unrolled.baselines.base import Baseline, partly, sample
from unrolled.baselines.histories import History, history_of, same_lengths

PENALTY = 1.0
MAX_WINDOWS = 20_000
LARGEST = 10.0  # moves are clipped to this many spreads, so that one jump does not dominate the fit
MAX_ORIGINS = 256  # places in all histories together at which a baseline is tried, to measure its errors
PER_SERIES = 64  # of them in one history
LEAST_ORIGINS = 2
MEMORY, SEASONS = 256, 4  # steps, or seasons if that is more, of the end of a history that a baseline reads
LEVELS = np.array([0.005, 0.01, 0.025, *np.arange(0.05, 0.96, 0.05).round(2), 0.975, 0.99, 0.995])  # of kept errors


class Forecast(Baseline):
    """Point forecasts, and quantiles from the errors of the same baseline in back-tests within the histories.

    A forecast depends on the last `memory` steps of a history alone, so that a stream needs to keep no more.

    Args:
        horizon: steps ahead, H.
        season: season length in steps of histories that are plain arrays; 1 for none.
    """

    def __init__(self, horizon: int, season: int = 1) -> None:
        self.horizon = horizon
        self.season = season
        self.name = type(self).name
        self.errors_ = np.zeros((horizon, len(LEVELS)))  # quantiles of the errors by step ahead, in the history's unit

    @property
    def memory(self) -> int:
        """Steps at the end of a history that a forecast depends on."""
        return memory_of(self.horizon, self.season)

    def fit(self, inputs: Sequence[Any], targets: Sequence[Any]) -> Self:
        """Learn from histories; the targets are not used.

        What is learnt from the older part of each is tried on the rest, to measure errors; then all is learnt from.
        """
        histories = [history_of(one, self.season) for one in inputs]
        origins = _origins(histories, self.horizon)
        if origins:
            edges = dict(reversed(origins))  # the first of each
            self._learn([one.before(edges.get(i, len(one)), self.horizon) for i, one in enumerate(histories)])
            pasts = [histories[index].before(origin, self.horizon) for index, origin in origins]
            truth = np.array([histories[index].values[place : place + self.horizon] for index, place in origins])
            units = np.array([unit_of(past, self.memory) for past in pasts])[:, None]
            errors = np.divide(truth - self.predict(pasts), units, out=np.full(truth.shape, np.nan), where=units > 0)
            self.errors_ = np.stack([_quantiles_of(column) for column in errors.T])
        self._learn(histories)
        return self

    def predict(self, inputs: Sequence[Any]) -> np.ndarray:
        """Return point forecasts, (B, H)."""
        return self._forecasts([history_of(one, self.season) for one in inputs])

    def quantiles(self, inputs: Sequence[Any], levels: Sequence[float]) -> np.ndarray:
        """Return quantiles, (B, H, Q): the point forecast plus the quantiles of past errors, in the history's unit.

        A history without a move has no unit: all its quantiles are the point forecast.

        Args:
            inputs: histories.
            levels: Q numbers between 0 and 1.
        """
        histories = [history_of(one, self.season) for one in inputs]
        errors = np.stack([np.interp(levels, LEVELS, row) for row in self.errors_])  # (H, Q)
        units = np.array([unit_of(one, self.memory) for one in histories]).reshape(-1, 1, 1)
        return self._forecasts(histories)[:, :, None] + units * errors

    def state(self) -> dict[str, Any]:
        return {"horizon": self.horizon, "season": self.season, "name": self.name, "errors": self.errors_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls(int(state["horizon"]), int(state["season"]))
        baseline.name = state.get("name", cls.name)
        baseline.errors_ = np.asarray(state.get("errors", baseline.errors_))  # versions before kept none
        return baseline

    def _learn(self, histories: Sequence[History]) -> None:
        """Learn from histories; a rule has nothing to learn."""

    @abstractmethod
    def _forecasts(self, histories: Sequence[History]) -> np.ndarray:
        """Return point forecasts, (B, H)."""


class Rule(Forecast):
    """A baseline that continues histories of one length together; a subclass defines how."""

    def _forecasts(self, histories: Sequence[History]) -> np.ndarray:
        answers = np.zeros((len(histories), self.horizon))
        for places, rows, season in same_lengths(histories, self.memory):
            answers[places] = self._continue(rows, season)
        return answers

    @abstractmethod
    def _continue(self, rows: np.ndarray, season: int) -> np.ndarray:
        """Return point forecasts (M, H) of histories without gaps (M, T)."""


class LastValue(Rule):
    """The last value, repeated."""

    key = "last_value"
    name = "last value"

    def _continue(self, rows: np.ndarray, season: int) -> np.ndarray:
        return np.repeat(rows[:, -1:], self.horizon, 1)


class SeasonalNaive(Rule):
    """The value one season before each step; the last value if the history is shorter than a season."""

    key = "seasonal_naive"
    name = "seasonal naive"

    def _continue(self, rows: np.ndarray, season: int) -> np.ndarray:
        season = season if rows.shape[1] >= season else 1
        return rows[:, -season:][:, np.arange(self.horizon) % season]


class Drift(Rule):
    """The straight line through the first and the last value."""

    key = "drift"
    name = "drift"

    def _continue(self, rows: np.ndarray, season: int) -> np.ndarray:
        slope = (rows[:, -1:] - rows[:, :1]) / max(rows.shape[1] - 1, 1)
        return rows[:, -1:] + slope * np.arange(1, self.horizon + 1)


class RidgeWindow(Forecast):
    """A fixed window, each step relative to the last value and the window's spread; then direct ridge regression."""

    key = "ridge_window"
    name = "fixed window + ridge"

    def __init__(self, horizon: int, season: int = 1) -> None:
        super().__init__(horizon, season)
        self.window = int(min(max(2 * season, 3 * horizon, 8), 200))
        self.weights_ = np.zeros((self.window + 1, self.horizon))  # without a window: repeats the last value

    def _learn(self, histories: Sequence[History]) -> None:
        """Learn from windows of the histories, equally many per series."""
        size = self.window + self.horizon
        series = [history.filled() for history in histories]
        total = sum(max(len(values) - size + 1, 0) for values in series)
        pieces = []
        for values in series:
            if len(values) >= size:
                parts = np.lib.stride_tricks.sliding_window_view(values, size)
                keep = max(1, len(parts) * MAX_WINDOWS // total) if total > MAX_WINDOWS else len(parts)
                pieces.append(parts[np.linspace(0, len(parts) - 1, keep).astype(np.int64)])
        self.weights_ = np.zeros((self.window + 1, self.horizon))
        if not pieces:
            return
        rows = np.concatenate(pieces)
        used = sample([1] * len(rows), MAX_WINDOWS)
        self.name = partly(type(self).name, len(used), total, "windows")
        before, after = rows[used, : self.window], rows[used, self.window :]
        last, spread = _anchor(before)
        moves = spread[:, 0] > 0  # a constant window does not show how large the next move is
        x = _design(before[moves], last[moves], spread[moves])
        wanted = np.clip((after[moves] - last[moves]) / spread[moves], -LARGEST, LARGEST)
        self.weights_ = np.linalg.solve(x.T @ x + PENALTY * np.eye(x.shape[1]), x.T @ wanted)

    def _forecasts(self, histories: Sequence[History]) -> np.ndarray:
        rows = np.array([_last(history.last(self.memory).filled(), self.window) for history in histories])
        rows = rows.reshape(len(histories), self.window)
        last, spread = _anchor(rows)
        return _design(rows, last, spread) @ self.weights_ * spread + last

    def state(self) -> dict[str, Any]:
        return {**super().state(), "weights": self.weights_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = super().from_state(state)
        baseline.weights_ = np.asarray(state["weights"])
        return baseline


def effects_of(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the linear effect of each covariate, by ridge regression, (K,) or (K, H).

    Args:
        known: covariates, (M, K).
        wanted: what they are to explain, (M,) or (M, H).

    Example:
        >>> effects_of(np.array([[0.0], [1.0], [0.0], [1.0]] * 50), np.array([2.0, 5.0] * 100)).round(1).tolist()
        [2.9]
    """
    middle = known.mean(0)
    x = known - middle
    return np.linalg.solve(x.T @ x + PENALTY * np.eye(x.shape[1]), x.T @ (wanted - wanted.mean(0)))


def memory_of(horizon: int, season: int) -> int:
    """Return the number of steps at the end of a history that the baselines of a horizon and a season read.

    Example:
        >>> memory_of(24, 168)
        672
    """
    return max(MEMORY, SEASONS * season, 3 * horizon)


def unit_of(history: History, memory: int) -> float:
    """Return the mean move of a history from one season to the next, or from step to step in one without a season.

    Args:
        history: the history.
        memory: steps at its end that count.

    Example:
        >>> unit_of(History(np.array([0.0, 5.0, 2.0, 9.0]), season=2), 100)
        3.0
    """
    values = history.last(memory).values
    lag = history.season if len(values) > history.season else 1
    moves = np.abs(values[lag:] - values[:-lag])
    moves = moves[np.isfinite(moves)]
    return float(moves.mean()) if len(moves) else 0.0


def _origins(histories: Sequence[History], horizon: int) -> list[tuple[int, int]]:
    """Return places to try a baseline from: the index of a history and its number of steps that are known.

    The first half of a history, and at least a season, is only read.
    """
    chosen = np.unique(np.linspace(0, len(histories) - 1, MAX_ORIGINS).round().astype(np.int64)) if histories else []
    each = min(PER_SERIES, max(1, MAX_ORIGINS // max(len(chosen), 1)))
    found = []
    for index in map(int, chosen):
        history = histories[index]
        first, last = max(len(history) // 2, history.season, 2), len(history) - horizon
        if last >= first:
            places = np.unique(np.linspace(first, last, each).astype(np.int64))
            found += [(index, int(place)) for place in places]
    return found if len(found) >= LEAST_ORIGINS else []


def _quantiles_of(errors: np.ndarray) -> np.ndarray:
    known = errors[np.isfinite(errors)]
    return np.quantile(known, LEVELS) if len(known) else np.zeros(len(LEVELS))


def _anchor(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the last value of every row, and its spread; 0 if that is only rounding: (M, 1) both."""
    spread = rows.std(1, keepdims=True)
    return rows[:, -1:], np.where(spread > 1e-9 * np.abs(rows).max(1, keepdims=True), spread, 0.0)


def _design(rows: np.ndarray, last: np.ndarray, spread: np.ndarray) -> np.ndarray:
    scaled = (rows - last) / np.where(spread > 0, spread, 1.0)
    return np.concatenate([scaled, np.ones((len(rows), 1))], axis=1)


def _last(values: np.ndarray, count: int) -> np.ndarray:
    return np.pad(values[-count:], (max(0, count - len(values)), 0), mode="edge")
