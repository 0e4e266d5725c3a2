"""Intervals that keep their coverage: the width of each step ahead follows the errors of its own series.

One number per step ahead counts the misses beyond the nominal share, another follows the usual size of errors. The
width grows by a third with each miss too many, and falls with each one too few; it is as wide as can be, or nothing,
where the count leaves a band. So, whatever the series does, for the T forecasts of one step ahead

    |coverage - nominal| <= (max(a, 1 - a) + g) / (g T),    a = 1 - nominal, g = RATE.

Source: I. Gibbs and E. Candès, "Adaptive conformal inference under distribution shift", 2021, proposition 4.1, for the
band; A. Angelopoulos, E. Candès and R. Tibshirani, "Conformal PID control for time series prediction", 2023, section 2,
for the integral of the errors and its saturation.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from unrolled.tasks.series.series import Series

ONLINE = "online"
INTERVALS = ("fixed", ONLINE)
RATE = 0.02  # g: the count leaves the band after a / g misses too many
GAIN = 0.3  # logarithm of the width per miss too many
FOLLOWS = 0.03  # share of the newest error in the usual size
USUAL = 0.62  # mean error of a normal variable in units of an 80 % interval's half
FASTEST, SMALLEST = 10.0, 1e-3  # largest ratio of an error to the usual size, and smallest usual size
LOG_WIDEST = 13.0
WIDEST = 1e6  # half-widths: what stands for a width without end


@dataclass(frozen=True, eq=False)
class OnlineWidths:
    """The state of one series: what its forecasts missed, and the forecasts that wait for their values.

    Args:
        missed: misses of each step ahead minus their nominal number, (H,).
        sizes: usual size of errors of each step ahead, in half-widths, (H,).
        waiting: lower end, middle and upper end of the last H forecasts before they were widened, and what they were
            widened by; the newest first, NaN where none, (H, H, 4).
    """

    missed: np.ndarray
    sizes: np.ndarray
    waiting: np.ndarray

    @classmethod
    def start(cls, horizon: int) -> Self:
        """Return the state before the first forecast.

        Example:
            >>> OnlineWidths.start(3).factors(0.8).tolist()
            [1.0, 1.0, 1.0]
        """
        empty = np.full((horizon, horizon, 4), np.nan, dtype=np.float32)
        return cls(np.zeros(horizon), np.ones(horizon), empty)

    def factors(self, nominal: float) -> np.ndarray:
        """Return what half-widths are multiplied by, (H,).

        Args:
            nominal: share of values within the outermost quantiles, in (0, 1).
        """
        delay = np.arange(1, len(self.missed) + 1)
        allowed = 1 - nominal - RATE / np.maximum(1, delay / 4) * self.missed  # level of adaptive conformal inference
        width = self.sizes * np.exp(np.minimum(GAIN / np.maximum(1, delay / 3) * self.missed, LOG_WIDEST))
        return np.where(allowed <= 0, WIDEST, np.where(allowed >= 1, 0.0, np.minimum(width, WIDEST)))

    def seen(self, value: float, nominal: float) -> "OnlineWidths":
        """Return the state after a value: it is compared with the forecasts that were made for it.

        Args:
            value: the newest value; NaN where it is missing.
            nominal: share of values within the outermost quantiles.
        """
        steps = np.arange(len(self.missed))
        low, middle, high, factor = self.waiting[steps, steps].astype(np.float64).T  # of h steps ago, h steps ahead
        half = np.where(value >= middle, high - middle, middle - low)
        known = np.isfinite(half) & np.isfinite(value)
        error = np.where(known, np.abs(value - middle), 0.0)
        score = np.divide(error, half, out=np.where(error > 0, WIDEST, 0.0), where=known & (half > 0))
        missed = (score > factor) | (factor == 0)
        size = np.clip(score, 0.0, FASTEST * np.maximum(self.sizes, SMALLEST))
        sizes = (1 - FOLLOWS) * self.sizes + FOLLOWS * size / USUAL
        return OnlineWidths(
            self.missed + np.where(known, missed - (1 - nominal), 0.0), np.where(known, sizes, self.sizes), self.waiting
        )

    def made(self, quantiles: np.ndarray, nominal: float) -> "OnlineWidths":
        """Return the state after a forecast.

        Args:
            quantiles: the model's own quantiles, before they are widened, (H, Q).
            nominal: share of values within the outermost ones.
        """
        columns = (quantiles[:, 0], _middle(quantiles), quantiles[:, -1], self.factors(nominal))
        newest = np.stack(columns, 1).astype(np.float32)
        return OnlineWidths(self.missed, self.sizes, np.concatenate([newest[None], self.waiting[:-1]]))

    def widened(self, quantiles: np.ndarray, nominal: float) -> np.ndarray:
        """Return quantiles whose distance from the middle one is multiplied by the factors, (H, Q)."""
        middle = _middle(quantiles)[:, None]
        return middle + (quantiles - middle) * self.factors(nominal)[:, None]

    def parts(self) -> tuple[Any, ...]:
        """Return the arrays, for a stream's state and a saved model."""
        return self.missed, self.sizes, self.waiting


def replayed(
    quantiles: np.ndarray, values: np.ndarray, state: OnlineWidths, nominal: float
) -> tuple[np.ndarray, OnlineWidths]:
    """Return the widened quantiles of forecasts made after each of some steps in turn, and the state after them.

    Args:
        quantiles: the model's own quantiles after each step, (N, H, Q).
        values: the value of each step, NaN where missing, (N,).
        state: the state before the first of them.
        nominal: share of values within the outermost quantiles.
    """
    answers = np.empty_like(quantiles)
    for place, value in enumerate(values):
        state = state.seen(float(value), nominal)
        answers[place] = state.widened(quantiles[place], nominal)
        state = state.made(quantiles[place], nominal)
    return answers, state


def _middle(quantiles: np.ndarray) -> np.ndarray:
    """Return the middle quantile of each step, or the mean of the two in the middle, (H,)."""
    count = quantiles.shape[1]
    return (quantiles[:, (count - 1) // 2] + quantiles[:, count // 2]) / 2


def first_new(one: Series, older: Series | None, kept: OnlineWidths | None, horizon: int) -> tuple[int, OnlineWidths]:
    """Return the first step of a series whose error is not in the kept widths, and the widths to go on with.

    Args:
        one: the series, with the remembered steps in front if it continues them.
        older: the remembered steps, or None.
        kept: the widths after them, or None.
        horizon: steps ahead, H.
    """
    start = OnlineWidths.start(horizon)
    if older is not None and len(older) and one.unread:
        joined = int(np.searchsorted(one.times, older.times[-1], side="right"))
        if joined <= one.unread:
            return joined, kept or start
        return one.unread, start  # rows that were sent before: what followed them is not known yet
    known = np.flatnonzero(np.isfinite(one.values))
    return int(known[0]) if len(known) else len(one), start
