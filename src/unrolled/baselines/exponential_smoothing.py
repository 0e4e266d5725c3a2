"""Exponential smoothing (ETS): level, damped trend and season, with models weighted by AICc for each history."""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, Self

import numpy as np

from unrolled.baselines.base import sample
from unrolled.baselines.forecasting import Rule
from unrolled.baselines.histories import History, same_lengths
from unrolled.baselines.seasonal_indices import are_ratios, phases_ahead, seasonal_indices

LONGEST = 24  # steps; of longer seasons the indices are constant, as in R's `stlf`
RATES = (0.02, 0.08, 0.2, 0.4, 0.65, 0.9, 0.999)  # of the level
TRENDS = ((0.0, 1.0), *product((0.02, 0.1, 0.3), (0.85, 0.98)))  # of the trend, relative to the level's; damping
SEASONS = (0.0, 0.1, 0.4, 0.9)  # of the season, relative to what the level leaves
KINDS = ("none", "sum", "product")  # how a season enters
KEPT = 24  # models that a fit keeps
LEARNT_FROM = 64  # histories
CHUNK = 2_000_000  # numbers of a state


class ExponentialSmoothing(Rule):
    """Exponential smoothing with additive errors: ETS(A, N or Ad, N, A or M), averaged by Akaike weights.

    A fit keeps the models that have the most weight over the histories; each history then weights them by itself.

    Source: R. Hyndman, A. Koehler, J. Ord and R. Snyder, "Forecasting with Exponential Smoothing", 2008, table 2.2 and
    section 7.2; S. Kolassa, "Combining exponential smoothing forecasts using Akaike weights", 2011.

    Example:
        >>> ExponentialSmoothing(horizon=2).fit([np.full(30, 5.0)], []).predict([np.full(20, 7.0)]).round(9).tolist()
        [[7.0, 7.0]]
    """

    key = "exponential_smoothing"
    name = "exponential smoothing"

    def __init__(self, horizon: int, season: int = 1) -> None:
        super().__init__(horizon, season)
        self.models_ = every_model()  # rate of the level, of the trend, damping, rate of the season, kind: (K, 5)

    def _learn(self, histories: Sequence[History]) -> None:
        self.models_ = every_model()
        weights = np.zeros(len(self.models_))
        some = [histories[place] for place in sample([1] * len(histories), LEARNT_FROM)]
        for _, rows, season in same_lengths(some, self.memory):
            weights += self._weighted(rows, season)[0].sum(0)
        self.models_ = self.models_[np.sort(np.argsort(-weights, kind="stable")[:KEPT])]

    def _continue(self, rows: np.ndarray, season: int) -> np.ndarray:
        parts = max(1, rows.shape[0] * len(self.models_) * (min(season, LONGEST) + 2) // CHUNK)
        answers = []
        for part in np.array_split(rows, min(parts, len(rows))):
            weights, points = self._weighted(part, season)
            answers.append(np.einsum("mk,mkh->mh", weights, points))
        return np.concatenate(answers)

    def _weighted(self, rows: np.ndarray, season: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the Akaike weight of each model for each history, (M, K), and their forecasts, (M, K, H)."""
        count, length = rows.shape
        constant = np.zeros((count, self.horizon))
        cycle = season if length > 2 * season + 1 else 1
        if cycle > LONGEST:
            indices = seasonal_indices(rows, cycle, np.zeros(count, dtype=bool))
            constant = indices[:, phases_ahead(length, cycle, self.horizon)]
            rows, cycle = rows - indices[:, np.arange(length) % cycle], 1
        scores = np.full((count, len(self.models_)), np.inf)
        points = np.zeros((*scores.shape, self.horizon))
        for kind in range(len(KINDS)):
            mine = np.flatnonzero(self.models_[:, 4] == kind)
            if len(mine) and (kind == 0 or cycle > 1):
                scores[:, mine], points[:, mine] = _smoothed(rows, cycle, self.models_[mine], self.horizon)
        if not np.isfinite(scores).any():  # no model of a history this short
            return np.full(scores.shape, 1 / len(self.models_)), np.repeat(rows[:, None, -1:], self.horizon, 2) + points
        best = scores.min(1, keepdims=True)
        weights = np.exp(-0.5 * np.where(np.isfinite(scores), scores - best, np.inf))
        return weights / weights.sum(1, keepdims=True), points + constant[:, None]

    def state(self) -> dict[str, Any]:
        return {**super().state(), "models": self.models_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = super().from_state(state)
        baseline.models_ = np.asarray(state["models"])
        return baseline


def every_model() -> np.ndarray:
    """Return the models to choose from: rates of level, trend and season, damping, and the kind of season, (K, 5)."""
    rows = []
    for rate, (trend, damping) in product(RATES, TRENDS):
        rows.append((rate, rate * trend, damping, 0.0, 0.0))
        rows += [(rate, rate * trend, damping, (1 - rate) * s, kind) for s in SEASONS for kind in (1.0, 2.0)]
    return np.array(rows)


def _smoothed(rows: np.ndarray, season: int, models: np.ndarray, horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the AICc of models that have one kind of season, (M, K), and their forecasts, (M, K, H)."""
    rate, trend_rate, damping, season_rate, kinds = models.T  # (K,) each
    kind = KINDS[int(kinds[0])]
    count, length = rows.shape
    product_of, cycle = kind == "product", 1 if kind == "none" else season
    levels, slopes, indices = _start(rows, cycle, np.full(count, product_of))
    wide = np.zeros((count, len(models)))
    level, trend = levels[:, None] + wide, np.where(trend_rate > 0, slopes[:, None], 0.0) + wide
    seasons = np.repeat(indices[:, :, None], len(models), 2)  # (M, S, K)
    cost = wide.copy()
    for step in range(length):
        values, phase = rows[:, step, None], step % cycle
        base, old = level + damping * trend, seasons[:, phase]
        if product_of:
            error = values - base * old
            level = base + rate * error / old
            trend = damping * trend + trend_rate * error / old
            seasons[:, phase] = np.maximum(old + season_rate * error / np.where(np.abs(base) > 1e-9, base, 1e-9), 1e-3)
        else:
            error = values - base - old
            level = base + rate * error
            trend = damping * trend + trend_rate * error
            if kind == "sum":
                seasons[:, phase] = old + season_rate * error
        cost += error * error
    ahead = np.cumsum(np.power(damping[:, None], np.arange(1, horizon + 1)), 1)  # (K, H)
    points = level[:, :, None] + trend[:, :, None] * ahead
    last = np.moveaxis(seasons[:, phases_ahead(length, cycle, horizon)], 1, 2)  # (M, K, H)
    points = points * last if product_of else points + last
    free = 2 + 3 * (trend_rate > 0) + (0 if kind == "none" else (season_rate > 0) + cycle - 1)  # (K,)
    left = length - free - 1
    floor = 1e-12 * np.maximum(np.square(rows).mean(1, keepdims=True), 1e-300)
    score = length * np.log(np.maximum(cost / length, floor)) + 2 * free + 2 * free * (free + 1) / np.maximum(left, 1)
    usable = (left > 0) & np.isfinite(score) & (are_ratios(rows)[:, None] if product_of else True)
    return np.where(usable, score, np.inf), np.where(usable[:, :, None], points, 0.0)


def _start(rows: np.ndarray, cycle: int, relative: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the first level and slope, (M,) both, and the first seasonal indices, (M, S)."""
    if cycle > 1:
        indices = seasonal_indices(rows, cycle, relative)
        indices = np.where(relative[:, None], np.maximum(indices, 1e-3), indices)
        spread = indices[:, np.arange(rows.shape[1]) % cycle]
        flat = np.where(relative[:, None], rows / np.where(relative[:, None], spread, 1.0), rows - spread)
    else:
        indices, flat = np.where(relative, 1.0, 0.0)[:, None], rows
    first = flat[:, : max(10, 2 * cycle)]
    if first.shape[1] < 3:
        return flat[:, 0], np.zeros(len(flat)), indices
    steps = np.arange(first.shape[1]) - (first.shape[1] - 1) / 2
    slope = first @ steps / (steps @ steps)
    return first.mean(1) + slope * (steps[0] - 1), slope, indices
