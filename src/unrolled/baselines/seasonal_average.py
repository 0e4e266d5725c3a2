"""Moving averages: of the last values, or of the same phase in the last seasons."""

import numpy as np

from unrolled.baselines.forecasting import Rule

SEASONS = 4  # at most; of a series without a season, the mean of its last values


class SeasonalAverage(Rule):
    """The mean of the last season, and the average of the last four seasons around their means.

    Without a season it is the mean of the last four values.

    Example:
        >>> SeasonalAverage(horizon=3, season=2).predict([np.array([1.0, 5.0, 4.0, 6.0])]).tolist()
        [[3.5, 6.5, 3.5]]
    """

    key = "seasonal_average"
    name = "seasonal average"

    def _continue(self, rows: np.ndarray, season: int) -> np.ndarray:
        whole = min(rows.shape[1] // season, SEASONS)
        if not whole:
            return np.repeat(rows.mean(1, keepdims=True), self.horizon, 1)
        parts = rows[:, -whole * season :].reshape(len(rows), whole, season)
        if season == 1:
            return np.repeat(parts.mean(1), self.horizon, 1)
        means = parts.mean(2)  # (M, whole)
        shape = (parts - means[:, :, None]).mean(1)  # (M, season)
        return (means[:, -1:] + shape)[:, np.arange(self.horizon) % season]
