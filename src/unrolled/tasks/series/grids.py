"""Grids: numbered times, at even steps, at slots of the week, or on days of the month."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from unrolled.errors import ArtifactError, message
from unrolled.tasks.series.month_days import MonthDay

HOUR = 3_600_000_000  # microseconds, the unit of all times here that are dates
DAY = 24 * HOUR
WEEK = 7 * DAY
MOST_MONTHS = 12_000  # from one step to the next
FARTHEST = 2.0**62  # steps; a time farther away has no place
MONDAY = 4 * DAY  # 1970-01-05, the first Monday after the start of all counts
_NO_DAYS = np.zeros(0, "M8[D]")


class Grid(Protocol):
    """Numbered times: each number has one time, later numbers have later times."""

    def numbers(self, ticks: np.ndarray, closed: np.ndarray = _NO_DAYS) -> np.ndarray:
        """Return the number of the nearest time of the grid, int64; ticks are microseconds since 1970 or numbers."""
        ...

    def ticks(self, numbers: np.ndarray, closed: np.ndarray = _NO_DAYS) -> np.ndarray:
        """Return the time of each number; `closed` are the dates of public holidays, for working days."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        ...


@dataclass(frozen=True)
class EvenSteps:
    """Times at equal distances.

    Args:
        size: microseconds, or units of a column of numbers.
        phase: one of the times; None where steps are counted from one row to the next, as they drift or have no grid.
    """

    size: int | float
    phase: int | float | None = None

    def numbers(self, ticks: np.ndarray, closed: np.ndarray = _NO_DAYS) -> np.ndarray:
        since = ticks - (0 if self.phase is None else self.phase)
        if since.dtype.kind == "i" and isinstance(self.size, int):
            return np.floor_divide(since + self.size // 2, self.size)
        return np.clip(np.rint(since / self.size), -FARTHEST, FARTHEST).astype(np.int64)

    def ticks(self, numbers: np.ndarray, closed: np.ndarray = _NO_DAYS) -> np.ndarray:
        return numbers * self.size + (0 if self.phase is None else self.phase)

    def to_json(self) -> dict[str, Any]:
        return {"kind": "even", "size": self.size, "phase": self.phase}


@dataclass(frozen=True)
class WeekSlots:
    """Times that recur each week, such as the days from Monday to Saturday, or 9:00 to 16:00 on working days.

    Args:
        size: microseconds of one slot; it divides the day.
        slots: those that occur, counted from Monday 0:00, in order.
        phase: microseconds from the start of a slot to its time.
    """

    size: int
    slots: tuple[int, ...]
    phase: int = 0

    def numbers(self, ticks: np.ndarray, closed: np.ndarray = _NO_DAYS) -> np.ndarray:
        per = WEEK // self.size
        slots = np.array(self.slots)
        around = np.concatenate([[slots[-1] - per], slots, [slots[0] + per]])
        since = ticks - MONDAY - self.phase
        week = np.floor_divide(since, WEEK)
        middle = (around[1:] + around[:-1]) * (self.size // 2)
        return week * len(slots) + np.searchsorted(middle, since - week * WEEK, side="right") - 1

    def ticks(self, numbers: np.ndarray, closed: np.ndarray = _NO_DAYS) -> np.ndarray:
        week, inside = np.divmod(numbers, len(self.slots))
        return week * WEEK + np.array(self.slots)[inside] * self.size + MONDAY + self.phase

    def to_json(self) -> dict[str, Any]:
        return {"kind": "week", "size": self.size, "slots": list(self.slots), "phase": self.phase}


@dataclass(frozen=True)
class MonthDays:
    """Times on the same days of each month, of each third month, and so on.

    Args:
        size: months from one step to the next.
        days: the days within such a month, in order; empty = that of the time from which steps are counted.
        first: months from January 1970 to one of the months, less than `size`.
        into: microseconds from midnight to the time.
    """

    size: int
    days: tuple[MonthDay, ...]
    first: int = 0
    into: int = 0

    def numbers(self, ticks: np.ndarray, closed: np.ndarray = _NO_DAYS) -> np.ndarray:
        moments = (ticks - self.into + DAY // 2).astype("M8[us]")
        period = np.floor_divide(moments.astype("M8[M]").astype(np.int64) - self.first, self.size)
        if self.days[0].kind == "usual":
            return period
        near = np.arange(-1, len(self.days) + 1)[:, None] + period * len(self.days)
        places = np.abs(self.ticks(near, closed) - ticks).argmin(0)
        return np.take_along_axis(near, places[None], 0)[0]

    def ticks(self, numbers: np.ndarray, closed: np.ndarray = _NO_DAYS) -> np.ndarray:
        period, inside = np.divmod(numbers, len(self.days))
        months = (period * self.size + self.first).astype("M8[M]")
        dates = np.choose(inside, [day.dates(months, closed) for day in self.days]).astype("M8[D]")
        return dates.astype(np.int64) * DAY + self.into

    def to_json(self) -> dict[str, Any]:
        days = [[day.kind, day.number] for day in self.days]
        return {"kind": "month", "size": self.size, "days": days, "first": self.first, "into": self.into}


def grid_from_json(data: Mapping[str, Any]) -> EvenSteps | WeekSlots | MonthDays:
    """Restore what `to_json` of a grid returned.

    Raises:
        ArtifactError: values that no grid has.
    """
    plain = {name: value for name, value in data.items() if name != "kind"}
    if data["kind"] == "even":
        grid: EvenSteps | WeekSlots | MonthDays = EvenSteps(**plain)
        sound = _is_number(grid.size) and grid.size > 0 and (grid.phase is None or _is_number(grid.phase))
    elif data["kind"] == "week":
        grid = WeekSlots(**{**plain, "slots": tuple(plain["slots"])})
        whole = all(type(one) is int for one in (grid.size, grid.phase, *grid.slots)) and grid.size > 0
        sound = whole and DAY % grid.size == 0 and 0 <= grid.phase < grid.size and len(grid.slots) > 0
        sound = sound and all(0 <= one < WEEK // grid.size for one in grid.slots)
        sound = sound and all(one < other for one, other in pairwise(grid.slots))
    else:
        grid = MonthDays(**{**plain, "days": tuple(MonthDay(kind, number) for kind, number in plain["days"])})
        whole = all(type(one) is int for one in (grid.size, grid.first, grid.into)) and grid.size > 0
        sound = whole and grid.size <= MOST_MONTHS and 0 <= grid.first < grid.size and 0 <= grid.into < DAY
        sound = sound and len(grid.days) > 0 and all(day.is_sound() for day in grid.days)
    if not sound:
        raise ArtifactError(message("calendar", expected="a grid of times", received=str(dict(data))[:80]))
    return grid


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= FARTHEST
