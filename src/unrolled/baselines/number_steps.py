"""Steps of numbers: the last steps, summary statistics, and means."""

from collections.abc import Callable
from typing import Any

import numpy as np

from unrolled.baselines.steps import Columns, Steps
from unrolled.baselines.values import Example, is_series, series
from unrolled.state_forms import Array, FixedParts, Form, Whole

Row = Callable[[np.ndarray], np.ndarray]
FIELDS = 8  # of a running summary


class NumberSteps(Steps):
    """Rows of numbers that grow; a subclass says what is kept of them.

    Args:
        columns: of the records.
        channels: numbers per step, C: more are cut, fewer are filled with NaN.
        row: the features of a whole array (T, C), for records whose numbers do not grow.
    """

    def __init__(self, columns: Columns, channels: int, row: Row) -> None:
        self._columns, self._channels, self._row = columns, channels, row

    def step(self, piece: Example, state: Any) -> Any:
        grows = [name for name in self._columns.lists if is_series(piece[name]) and len(piece[name])]
        return self._add(fitted(series(piece), self._channels), state) if grows else state

    def read(self, piece: Example, state: Any) -> np.ndarray:
        if self._count(state):
            return self._features(state)
        return self._row(fitted(series(self._columns.single(piece)), self._channels))

    def _add(self, rows: np.ndarray, state: Any) -> Any:
        """Return the state after more rows, (T, C)."""
        raise NotImplementedError

    def _count(self, state: Any) -> int:
        """Return how many rows a state has seen; any number above 0 will do after the first."""
        raise NotImplementedError

    def _features(self, state: Any) -> np.ndarray:
        raise NotImplementedError


def fitted(array: np.ndarray, count: int) -> np.ndarray:
    """Return exactly `count` channels: more are cut, fewer are filled with NaN."""
    return np.pad(array, ((0, 0), (0, max(0, count - array.shape[1]))), constant_values=np.nan)[:, :count]


class WindowSteps(NumberSteps):
    """The last rows.

    Args:
        columns, channels, row: as for `NumberSteps`.
        window: number of rows that are kept, W.
    """

    def __init__(self, columns: Columns, channels: int, row: Row, window: int) -> None:
        super().__init__(columns, channels, row)
        self._window = window
        self.initial = np.zeros((0, channels))
        self.form: Form = Array(["float64"], (None, channels), most=window, missing=True)

    def _add(self, rows: np.ndarray, state: np.ndarray) -> np.ndarray:
        return np.concatenate([state, rows])[-self._window :]

    def _count(self, state: np.ndarray) -> int:
        return len(state)

    def _features(self, state: np.ndarray) -> np.ndarray:
        return self._row(state)


class SummarySteps(NumberSteps):
    """Mean, spread, extremes, ends and jumps of every channel, by Chan's and Welford's updates.

    All sums are of distances from the first value, so that no digits cancel where a series is far from zero.

    Source: T. Chan, G. Golub and R. LeVeque, "Algorithms for Computing the Sample Variance", The American
    Statistician 37 (1983), equation 2.1.
    """

    def __init__(self, columns: Columns, channels: int, row: Row) -> None:
        super().__init__(columns, channels, row)
        empty = np.zeros((FIELDS, channels))  # count, first, last, mean and squares of distances, extremes, jumps
        self.initial = (0, empty)
        self.form: Form = FixedParts(Whole(), Array(["float64"], (FIELDS, channels)))

    def _count(self, state: tuple[int, np.ndarray]) -> int:
        return state[0]

    def _add(self, rows: np.ndarray, state: tuple[int, np.ndarray]) -> tuple[int, np.ndarray]:
        length, (count, first, last, mean, squares, low, high, jumps) = state[0], state[1]
        known = ~np.isnan(rows)  # (T, C)
        new = known.sum(0)  # (C,)
        some, fresh = new > 0, count == 0
        channel = np.arange(self._channels)
        ended = len(rows) - 1 - known[::-1].argmax(0)  # the last known value's row, (C,)
        first = np.where(fresh & some, rows[known.argmax(0), channel], first)
        apart = np.where(known, rows - first, 0.0)  # (T, C)
        middle = apart.sum(0) / np.maximum(new, 1)
        around = (np.where(known, apart - middle, 0.0) ** 2).sum(0)
        total = np.maximum(count + new, 1)
        shift = middle - mean
        mean = np.where(some, mean + shift * new / total, mean)
        squares = squares + around + np.where(some, shift**2 * count * new / total, 0.0)
        lowest, highest = np.where(known, rows, np.inf).min(0), np.where(known, rows, -np.inf).max(0)
        low = np.where(some, np.where(fresh, lowest, np.minimum(low, lowest)), low)
        high = np.where(some, np.where(fresh, highest, np.maximum(high, highest)), high)
        jumps = jumps + _jumps(rows, known, np.where(fresh, np.nan, last))
        last = np.where(some, rows[ended, channel], last)
        return length + len(rows), np.stack([count + new, first, last, mean, squares, low, high, jumps])

    def _features(self, state: tuple[int, np.ndarray]) -> np.ndarray:
        length, (count, first, last, mean, squares, low, high, jumps) = state
        spread = np.sqrt(squares / np.maximum(count, 1))
        steps = jumps / np.maximum(count - 1, 1)
        found = np.stack([first + mean, spread, low, high, first, last, steps])  # (7, C)
        return np.array([*np.where(count > 0, found, np.nan).T.ravel(), length])


def _jumps(rows: np.ndarray, known: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Return the sum of distances between known values that follow each other, (C,), the first from `last`."""
    whole, there = np.concatenate([last[None], rows]), np.concatenate([~np.isnan(last)[None], known])
    place = np.maximum.accumulate(np.where(there, np.arange(len(whole))[:, None], 0), 0)
    before = np.take_along_axis(whole, place[:-1], 0)  # the last known value before each row; NaN where there is none
    return np.nan_to_num(np.abs(np.where(known, rows - before, 0.0))).sum(0)


def summary(array: np.ndarray) -> np.ndarray:
    """Return mean, spread, least, largest, first and last value and mean jump of each column, (7, F).

    A column without values has NaN.

    Args:
        array: (T, F), without NaN.

    Example:
        >>> summary(np.array([[1.0], [3.0], [2.0]])).ravel().round(3).tolist()
        [2.0, 0.816, 1.0, 3.0, 1.0, 2.0, 1.5]
    """
    if not len(array):
        return np.full((7, array.shape[1]), np.nan)
    apart = array - array[0]  # the spread of a constant is exactly 0
    jumps = np.abs(np.diff(array, axis=0)).mean(0) if len(array) > 1 else np.zeros(array.shape[1])
    ends = array[0], array[-1]
    return np.stack([array[0] + apart.mean(0), apart.std(0), array.min(0), array.max(0), *ends, jumps])


class MeanSteps(NumberSteps):
    """The mean of all rows; NaN for a channel with a missing value."""

    def __init__(self, columns: Columns, channels: int, row: Row) -> None:
        super().__init__(columns, channels, row)
        self.initial = (0, np.zeros(channels))
        self.form: Form = FixedParts(Whole(), Array(["float64"], (channels,), missing=True))

    def _count(self, state: tuple[int, np.ndarray]) -> int:
        return state[0]

    def _add(self, rows: np.ndarray, state: tuple[int, np.ndarray]) -> tuple[int, np.ndarray]:
        count, mean = state
        total = count + len(rows)
        return total, mean + (rows - mean).sum(0) / total

    def _features(self, state: tuple[int, np.ndarray]) -> np.ndarray:
        return state[1]
