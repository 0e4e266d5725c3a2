"""Histories of series as the baselines read them: values, season, and what is known of the steps ahead."""

from collections.abc import Sequence

import numpy as np

from unrolled.baselines.histories import History
from unrolled.tasks.forecasting.plan import ForecastPlan
from unrolled.tasks.forecasting.step_features import known_of
from unrolled.tasks.series.panel import Panel
from unrolled.tasks.series.series import Series


def histories_of(panel: Panel, plan: ForecastPlan, series: Sequence[Series], horizon: int) -> list[History]:
    """Return the whole history of each series; covariates that are not given for the steps ahead repeat the last.

    Args:
        panel: gives features of times.
        plan: gives the season of each series.
        series: the series.
        horizon: steps ahead.
    """
    found = []
    for one in series:
        known = known_of(panel, one, horizon)  # (T + horizon, K)
        static = np.broadcast_to(one.static, (len(known), len(one.static)))
        found.append(History(one.values, plan.season_of(one), np.concatenate([known, static], 1)))
    return found


def histories_before(
    histories: Sequence[History], owner: np.ndarray, places: np.ndarray, horizon: int
) -> list[History]:
    """Return the history up to and including each place, with what is known of the steps after it.

    Args:
        histories: whole histories.
        owner: index of the history that each place belongs to, (M,).
        places: last step of each, (M,).
        horizon: steps ahead.
    """
    pairs = zip(owner.tolist(), places.tolist(), strict=True)
    return [histories[index].before(place + 1, horizon) for index, place in pairs]
