"""The theta method: half of a straight line, half of simple exponential smoothing, with seasonal indices."""

import numpy as np

from unrolled.baselines.forecasting import Rule
from unrolled.baselines.seasonal_indices import are_ratios, is_seasonal, phases_ahead, seasonal_indices

RATES = np.concatenate([np.arange(0.02, 0.96, 0.02), [0.97, 0.99, 0.9999]])  # candidates of the smoothing parameter


class Theta(Rule):
    """The standard theta method, which won the M3 competition.

    A series with a season at the 10 % level is first divided by its seasonal indices (or they are subtracted, where
    values are not well above zero). The smoothing parameter is the one with the least squared error one step ahead.

    Source: V. Assimakopoulos and K. Nikolopoulos, "The theta model: a decomposition approach to forecasting", 2000; in
    the form of R. Hyndman and B. Billah, "Unmasking the Theta method", 2003: simple exponential smoothing with half
    the slope of the regression line as drift.

    Example:
        >>> Theta(horizon=2).predict([np.arange(40.0)]).round(1).tolist()
        [[39.5, 40.0]]
    """

    key = "theta"
    name = "theta"

    def _continue(self, rows: np.ndarray, season: int) -> np.ndarray:
        length = rows.shape[1]
        if length < 3:
            return np.repeat(rows[:, -1:], self.horizon, 1)
        seasonal, relative = is_seasonal(rows, season), are_ratios(rows)
        indices = np.repeat(np.where(relative, 1.0, 0.0)[:, None], season, 1)  # (M, season), which change nothing
        if seasonal.any():
            indices[seasonal] = seasonal_indices(rows[seasonal], season, relative[seasonal])
        now, ahead = np.arange(length) % season, phases_ahead(length, season, self.horizon)
        ratio = relative[:, None]
        flat = np.where(ratio, rows / np.where(ratio, indices, 1.0)[:, now], rows - indices[:, now])
        answers = self._flat(flat)
        return np.where(ratio, answers * indices[:, ahead], answers + indices[:, ahead])

    def _flat(self, rows: np.ndarray) -> np.ndarray:
        """Continue series without a season, (M, horizon)."""
        length = rows.shape[1]
        level = np.repeat(rows[:, :1], len(RATES), 1)  # (M, A)
        cost = np.zeros_like(level)
        for values in rows.T[1:]:
            error = values[:, None] - level
            cost += error * error
            level = level + RATES * error
        best = cost.argmin(1)
        rate = RATES[best][:, None]
        steps = np.arange(length) - (length - 1) / 2
        slope = (rows @ steps / (steps @ steps))[:, None]
        drift = np.arange(self.horizon) + (1 - (1 - rate) ** length) / rate
        return level[np.arange(len(rows)), best][:, None] + slope / 2 * drift
