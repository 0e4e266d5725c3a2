"""Boosted trees on lags, calendar and known covariates: one model for all series and all steps ahead."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np

from unrolled.baselines.base import partly
from unrolled.baselines.decision_trees import DecisionTrees
from unrolled.baselines.forecasting import LARGEST, Forecast, effects_of
from unrolled.baselines.histories import History

MAX_ROWS = 20_000  # to learn from: a step ahead of a place in a history
MAX_NUMBERS = 1_000_000  # of their features: many covariates leave fewer rows
LAGS, CYCLES = 8, 3  # last values, and values at the same phase, that the trees read
OWN = LAGS + CYCLES + 1  # features of the series itself, before those of known covariates
LEAST_ROWS = 30
LEAST_STEPS = 8  # of a history before the first place that is learnt from
CHUNK = 4096  # histories that are asked together


class BoostedLags(Forecast):
    """Gradient-boosted trees over the last values, those of earlier seasons, and what is known of the step ahead.

    It corrects the seasonal naive forecast. The number of the step ahead is a feature, so that one model answers for
    all of them; values are relative to the mean of the last season, in the unit of the history's moves, so that it
    answers for all series.

    Source: the direct strategy of S. Ben Taieb et al., "A review and comparison of strategies for multi-step ahead time
    series forecasting", 2012, with boosted trees as the winners of the M5 competition used them.

    Example:
        >>> waves = [5 + np.sin(np.arange(120.0) * np.pi / 4 + shift) for shift in range(4)]
        >>> model = BoostedLags(horizon=2, season=8).fit(waves, [])
        >>> model.predict([waves[0][:80]]).round(1).tolist()
        [[5.0, 5.7]]
    """

    key = "boosted_lags"
    name = "boosted trees on lags"

    def __init__(self, horizon: int, season: int = 1) -> None:
        super().__init__(horizon, season)
        self.trees_: DecisionTrees | None = None  # without trees: the seasonal naive forecast
        # linear effects of known covariates, which a few rows show better to a line than to trees, (2 K,)
        self.effects_ = np.zeros(0)

    def _learn(self, histories: Sequence[History]) -> None:
        firsts = np.array([max(one.season, LEAST_STEPS) for one in histories], dtype=np.int64)
        counts = np.maximum(np.array([len(one) for one in histories], dtype=np.int64) - firsts, 0)  # places
        total = int(counts.sum()) * self.horizon
        self.trees_, self.effects_, self.name = None, np.zeros(0), type(self).name
        if not total:
            return
        places = _Places(histories, self.memory, self.horizon)
        most = min(MAX_ROWS, max(MAX_NUMBERS // places.width, LEAST_ROWS))
        rows = np.arange(total)
        if total > most:
            rows = np.unique(np.random.default_rng(0).integers(0, total, most))
            self.name = partly(self.name, len(rows), total, "windows")
        place, ahead = rows // self.horizon, rows % self.horizon
        ends = np.cumsum(counts)
        owner = np.searchsorted(ends, place, side="right")
        origin = firsts[owner] + place - (ends - counts)[owner]
        features, anchor, unit = places.features(owner, origin, ahead)
        moves = np.where(unit > 0, unit, np.nan)  # a constant history does not show how large the next move is
        targets = np.clip((places.truth(owner, origin + ahead) - anchor) / moves, -LARGEST, LARGEST)
        usable = np.isfinite(targets)
        if usable.sum() >= LEAST_ROWS:
            self.effects_ = effects_of(features[usable, OWN:], targets[usable])
            rest = targets[usable] - features[usable, OWN:] @ self.effects_
            self.trees_ = DecisionTrees.fit(features[usable], rest)

    def _forecasts(self, histories: Sequence[History]) -> np.ndarray:
        answers = np.zeros((len(histories), self.horizon))
        for first in range(0, len(histories), CHUNK):
            part = [one.last(self.memory) for one in histories[first : first + CHUNK]]
            owner = np.repeat(np.arange(len(part)), self.horizon)
            ahead = np.tile(np.arange(self.horizon), len(part))
            places = _Places(part, self.memory, self.horizon)
            features, anchor, unit = places.features(owner, places.lengths[owner], ahead)
            if self.trees_ is not None:
                anchor = anchor + unit * (self.trees_.predict(features) + features[:, OWN:] @ self.effects_)
            answers[first : first + CHUNK] = anchor.reshape(-1, self.horizon)
        return answers

    def state(self) -> dict[str, Any]:
        trees = {} if self.trees_ is None else self.trees_.state()
        return {**super().state(), **trees, "effects": self.effects_}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = super().from_state(state)
        baseline.trees_ = DecisionTrees.from_state(state) if "roots" in state else None
        baseline.effects_ = np.asarray(state["effects"])
        return baseline


class _Places:
    """Histories end to end, and the features of steps ahead of places in them.

    Args:
        histories: the histories.
        memory: steps before a place that count.
        horizon: steps ahead that are known of each.
    """

    def __init__(self, histories: Sequence[History], memory: int, horizon: int) -> None:
        self.memory = memory
        series = [one.filled() for one in histories]
        self.raw = np.concatenate([one.values if len(one) else np.full(1, np.nan) for one in histories])
        self.values = np.concatenate(series)
        self.lengths = np.array([len(values) for values in series], dtype=np.int64)
        self.starts = np.cumsum(self.lengths) - self.lengths
        self.seasons = np.array([one.season for one in histories], dtype=np.int64)
        # sums of each history by itself, so that rounding does not depend on the others
        self.sums = np.concatenate([np.cumsum(np.append(0.0, values)) for values in series])
        self.moves = np.concatenate([np.cumsum(np.append([0.0, 0.0], np.abs(np.diff(values)))) for values in series])
        width = histories[0].known.shape[1]
        blocks = [one.known if len(one) else np.zeros((1 + horizon, width)) for one in histories]
        self.known = np.concatenate(blocks)  # (sum of T + horizon, K)
        self.known_starts = self.starts + horizon * np.arange(len(histories)) * (width > 0)

    @property
    def width(self) -> int:
        """Number of features."""
        return OWN + 2 * self.known.shape[1]

    def truth(self, owner: np.ndarray, step: np.ndarray) -> np.ndarray:
        """Return the values at the given steps, NaN where unknown, (M,)."""
        inside = step < self.lengths[owner]
        return np.where(inside, self.raw[self.starts[owner] + np.where(inside, step, 0)], np.nan)

    def features(
        self, owner: np.ndarray, origin: np.ndarray, ahead: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return features (M, D), the seasonal naive forecast, and the unit of the history's moves, (M,) both.

        Args:
            owner: index of the history, (M,).
            origin: number of its steps that are known, (M,).
            ahead: which of the steps after them is meant, from 0, (M,).
        """
        start, season = self.starts[owner], self.seasons[owner]
        first, last = start + np.maximum(origin - self.memory, 0), start + origin  # the window first <= t < last
        recent = np.minimum(np.maximum(season, LAGS), last - first)
        level = (self.sums[last + owner] - self.sums[last + owner - recent]) / recent  # one sum more per history
        moved = self.moves[last + owner] - self.moves[np.minimum(first + 1, last) + owner]
        unit = moved / np.maximum(last - first - 1, 1)
        unit = np.where(unit > 1e-9 * np.abs(level), unit, 0.0)  # less is rounding
        size = np.where(unit > 0, unit, 1.0)
        back = origin + ahead - season * (ahead // season + 1)  # the last known step of the same phase
        steps = [*(origin - lag for lag in range(1, LAGS + 1)), *(back - cycle * season for cycle in range(CYCLES))]
        lags = np.stack([self.values[np.clip(start + step, first, last - 1)] for step in steps], 1)
        columns = [(lags - level[:, None]) / size[:, None], ahead[:, None]]
        if self.known.shape[1]:
            own = self.known_starts[owner]
            columns += [self.known[own + origin + ahead], self.known[own + np.maximum(back, 0)]]
        return np.concatenate(columns, 1), lags[:, LAGS], unit
