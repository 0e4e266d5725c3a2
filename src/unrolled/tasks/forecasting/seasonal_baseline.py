"""A baseline that continues histories of several seasons, each with its own."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from unrolled.baselines.forecasting import SeasonalNaive


def at_seasons(baselines: Iterable[Any], seasons: Sequence[int], owner: np.ndarray) -> list["SeasonalBaseline"]:
    """Return fitted baselines that know the season of each history.

    Args:
        baselines: fitted for the most common season.
        seasons: season of each series.
        owner: index of the series of each history, (M,).
    """
    return [SeasonalBaseline(one, np.array(seasons)[owner]) for one in baselines]


class SeasonalBaseline:
    """A fitted baseline; the seasonal naive forecast uses the season of each history.

    Args:
        baseline: fitted for the most common season.
        seasons: season of each history, (M,).
    """

    def __init__(self, baseline: Any, seasons: np.ndarray) -> None:
        self.baseline, self.seasons = baseline, seasons
        self.name = baseline.name

    def predict(self, histories: Sequence[np.ndarray]) -> np.ndarray:
        """Return forecasts, (M, horizon)."""
        return self._by_season(histories, lambda one, some: one.predict(some))

    def quantiles(self, histories: Sequence[np.ndarray], levels: Sequence[float]) -> np.ndarray:
        """Return quantiles of the forecasts, (M, horizon, Q)."""
        return self._by_season(histories, lambda one, some: one.quantiles(some, levels))

    def _by_season(
        self, histories: Sequence[np.ndarray], ask: Callable[[Any, Sequence[np.ndarray]], Any]
    ) -> np.ndarray:
        own = self.baseline
        if not isinstance(own, SeasonalNaive):
            return np.asarray(ask(own, histories))
        distinct = np.unique(self.seasons)
        if (distinct == own.season).all():
            return np.asarray(ask(own, histories))
        rows = [np.flatnonzero(self.seasons == season) for season in distinct]
        parts = [
            np.asarray(ask(SeasonalNaive(own.horizon, int(season)), [histories[row] for row in some.tolist()]))
            for season, some in zip(distinct, rows, strict=True)
        ]
        return np.concatenate(parts)[np.argsort(np.concatenate(rows), kind="stable")]
