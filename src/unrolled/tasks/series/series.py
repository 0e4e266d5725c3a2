"""Series: the values, times and covariates of one series, oldest step first."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from unrolled.data.calendars.calendar import Calendar
from unrolled.errors import DataError

LARGEST = 3.4e38  # maximum of a value: the largest float32


@dataclass(frozen=True)
class Series:
    """One series, oldest step first.

    Args:
        name: value of the group column; None where there is none.
        calendar: which times follow each other.
        times: datetime64[us] in UTC or numbers, (T,).
        values: the target, NaN where missing, (T,) float64.
        past: encoded covariates known only up to now, (T, P).
        known: encoded covariates known in advance, (T, K).
        static: encoded covariates of the whole series, (S,).
        future: `known` of the steps after the last, (<= horizon, K).
        unread: number of steps at the front that came from an earlier table.
        fault: why the series cannot be read, and has no steps here; None where it can.
    """

    name: Any
    calendar: Calendar
    times: np.ndarray
    values: np.ndarray
    past: np.ndarray
    known: np.ndarray
    static: np.ndarray
    future: np.ndarray
    unread: int = 0
    fault: DataError | None = None

    def __len__(self) -> int:
        return len(self.values)

    def left_out(self, fault: DataError) -> "Series":
        """Return this series without steps, as it cannot be read."""
        return replace(self.cut(0, 0), fault=fault)

    def cut(self, start: int, stop: int | None = None) -> "Series":
        """Return the steps start <= t < stop, without a future."""
        return replace(
            self,
            times=self.times[start:stop],
            values=self.values[start:stop],
            past=self.past[start:stop],
            known=self.known[start:stop],
            future=self.future[:0],
            unread=max(0, self.unread - start),
        )
