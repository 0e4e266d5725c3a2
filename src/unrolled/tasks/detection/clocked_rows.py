"""Rows of a series in the form that a detector reads step by step, with the history it keeps between them."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from unrolled.data.calendars.calendar import Calendar
from unrolled.data.calendars.grids import DAY, MonthDays, Turns, WeekSlots

CYCLES = (1, 7)  # days in a cycle of the calendar
CYCLES_SEEN = 1.5  # a cycle is read if the training data cover it at least this many times


class SeriesEnd(NamedTuple):
    """The end of a series: everything that its next step depends on besides the network's state."""

    time: Any  # of the last row; None before the first
    values: np.ndarray  # as numbers, NaN unknown, (at most lookback, V)
    filled: np.ndarray  # values in which each unknown one is replaced by the one before it, (at most lookback, V)


class NetworkRows(NamedTuple):
    """Rows in the form that the network reads."""

    inputs: dict[str, np.ndarray]  # (T, F) or (T,) by name
    targets: np.ndarray  # the values to predict, (T, V) numbers or (T,) classes
    anchors: np.ndarray  # the values that predicted changes are added to, (T, V)
    values: np.ndarray  # as numbers, NaN unknown, (T, V)
    given: np.ndarray  # which rows were given, not filled in, (T,)
    history: SeriesEnd  # after them


def row_gaps(calendar: Calendar, times: np.ndarray) -> np.ndarray:
    """Return the steps between each row and the one before, at least 1; (T,) with 1 for the first row.

    Each gap depends on two neighbouring rows only, so that it does not matter where a table begins.
    """
    return np.concatenate([np.ones(min(len(times), 1), dtype=np.int64), np.maximum(calendar.gaps(times), 1)])


def filled_rows(calendar: Calendar, times: np.ndarray, before: Any, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the place of each row once missing ones are filled in, (T,), and the times of all rows.

    Args:
        calendar: calendar of the series.
        times: times of the rows, (T,).
        before: time of the row before them; None for the first.
        most: maximum number of rows to fill in between two rows; a longer gap is cut short.
    """
    known = times if before is None else np.concatenate([np.array([before], dtype=times.dtype), times])
    holes = np.minimum(row_gaps(calendar, known)[len(known) - len(times) :] - 1, most)
    if not holes.any():
        return np.arange(len(times)), times
    place = np.cumsum(holes + 1) - 1
    whole = np.repeat(times, holes + 1)
    for row in np.flatnonzero(holes):
        count = int(holes[row])
        whole[place[row] - count : place[row]] = calendar.after(times[row], np.arange(-count, 0))
    return place, whole


def cycles_of(usual: Calendar, series: Sequence[np.ndarray]) -> list[int]:
    """Return the cycles of days and weeks, in days, that the steps can resolve and that the series are long enough for.

    Args:
        usual: the most common calendar.
        series: times of each series.
    """
    if isinstance(usual.grid, MonthDays | Turns) or not usual.dated:
        return []
    longest = max(float((times[-1] - times[0]) / np.timedelta64(1, "us")) for times in series if len(times))
    return [days for days in CYCLES if 2 * usual.grid.size <= days * DAY and longest >= CYCLES_SEEN * days * DAY]


def steps_of_cycle(usual: Calendar, days: int) -> int:
    """Return the steps of the calendar in a day or a week."""
    if isinstance(usual.grid, WeekSlots):
        open_days = len({slot * usual.grid.size // DAY for slot in usual.grid.slots})
        return round(len(usual.grid.slots) / (open_days if days == 1 else 1))
    return round(days * DAY / usual.grid.size)


def day_phases(cycles: Sequence[int], times: np.ndarray) -> np.ndarray:
    """Return the phase of each time in each cycle: sine and cosine, and for weeks whether it is a weekend, (T, C)."""
    parts = [np.zeros((len(times), 0))]
    for days in cycles:
        since = times.astype("M8[us]").astype(np.int64) - (4 * int(DAY) if days == 7 else 0)  # 1970 began on a Thursday
        turn = 2 * np.pi * (since % (days * int(DAY))) / (days * float(DAY))
        parts.append(np.stack([np.sin(turn), np.cos(turn)], 1))
        if days == 7:
            parts.append((turn >= 2 * np.pi * 5 / 7)[:, None].astype(float))
    return np.concatenate(parts, 1)
