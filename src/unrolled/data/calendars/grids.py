"""Grids: numbered times, at even steps, at slots of the week, on days of the month, or in uneven turns."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from unrolled.data.calendars.month_days import MonthDay
from unrolled.errors import ArtifactError, message

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
        months: of steps of one month, the months of the year that occur, 0 for January; empty for all.
    """

    size: int
    days: tuple[MonthDay, ...]
    first: int = 0
    into: int = 0
    months: tuple[int, ...] = ()

    def numbers(self, ticks: np.ndarray, closed: np.ndarray = _NO_DAYS) -> np.ndarray:
        moments = (ticks - self.into + DAY // 2).astype("M8[us]")
        month = moments.astype("M8[M]").astype(np.int64)
        period = np.floor_divide(month - self.first, self.size)
        if self.months:
            before = np.searchsorted(self.months, month % 12, side="right") - 1
            period = month // 12 * len(self.months) + before
        if self.days[0].kind == "usual":
            return period
        near = np.arange(-1, len(self.days) + 1)[:, None] + period * len(self.days)
        places = np.abs(self.ticks(near, closed) - ticks).argmin(0)
        return np.take_along_axis(near, places[None], 0)[0]

    def ticks(self, numbers: np.ndarray, closed: np.ndarray = _NO_DAYS) -> np.ndarray:
        period, inside = np.divmod(numbers, len(self.days))
        month = period * self.size + self.first
        if self.months:
            year, place = np.divmod(period, len(self.months))
            month = year * 12 + np.array(self.months)[place]
        months = month.astype("M8[M]")
        dates = np.choose(inside, [day.dates(months, closed) for day in self.days]).astype("M8[D]")
        return dates.astype(np.int64) * DAY + self.into

    def to_json(self) -> dict[str, Any]:
        days = [[day.kind, day.number] for day in self.days]
        plain = {"size": self.size, "days": days, "first": self.first, "into": self.into}
        return {"kind": "month", **plain, "months": list(self.months)}


@dataclass(frozen=True)
class Turns:
    """Times at uneven distances that recur: 4, 4 and 5 weeks of a fiscal quarter, or every 8 days from each January 1.

    Args:
        size: microseconds of one turn; 0 for turns that start with each year.
        offsets: microseconds from the start of a turn to each of its times, in order.
        phase: the start of one turn, or the distance of the first time from the start of each year.
    """

    size: int
    offsets: tuple[int, ...]
    phase: int = 0

    def numbers(self, ticks: np.ndarray, closed: np.ndarray = _NO_DAYS) -> np.ndarray:
        offsets = np.array(self.offsets)
        turn = np.floor_divide(ticks - self.phase, self.size) if self.size else _year(ticks - self.phase)
        place = np.searchsorted((offsets[1:] + offsets[:-1]) // 2, ticks - self._starts(turn), side="right")
        number = turn * len(offsets) + place
        away = np.abs(self.ticks(number + np.array([[-1], [0], [1]])) - ticks)
        return number + away.argmin(0) - 1

    def ticks(self, numbers: np.ndarray, closed: np.ndarray = _NO_DAYS) -> np.ndarray:
        turn, inside = np.divmod(numbers, len(self.offsets))
        return self._starts(turn) + np.array(self.offsets)[inside]

    def _starts(self, turn: np.ndarray) -> np.ndarray:
        if self.size:
            return turn * self.size + self.phase
        return turn.astype("M8[Y]").astype("M8[us]").astype(np.int64) + self.phase

    def to_json(self) -> dict[str, Any]:
        return {"kind": "turns", "size": self.size, "offsets": list(self.offsets), "phase": self.phase}


AnyGrid = EvenSteps | WeekSlots | MonthDays | Turns


def _year(ticks: np.ndarray) -> np.ndarray:
    return ticks.astype("M8[us]").astype("M8[Y]").astype(np.int64)


def grid_from_json(data: Mapping[str, Any]) -> AnyGrid:
    """Restore what `to_json` of a grid returned.

    Raises:
        ArtifactError: values that no grid has.
    """
    plain = {name: value for name, value in data.items() if name != "kind"}
    if data["kind"] == "even":
        grid: AnyGrid = EvenSteps(**plain)
        sound = _is_number(grid.size) and grid.size > 0 and (grid.phase is None or _is_number(grid.phase))
    elif data["kind"] == "week":
        grid = WeekSlots(**{**plain, "slots": tuple(plain["slots"])})
        whole = all(type(one) is int for one in (grid.size, grid.phase, *grid.slots)) and grid.size > 0
        sound = whole and DAY % grid.size == 0 and 0 <= grid.phase < grid.size and len(grid.slots) > 0
        sound = sound and all(0 <= one < WEEK // grid.size for one in grid.slots)
        sound = sound and all(one < other for one, other in pairwise(grid.slots))
    elif data["kind"] == "turns":
        grid = Turns(**{**plain, "offsets": tuple(plain["offsets"])})
        whole = all(type(one) is int for one in (grid.size, grid.phase, *grid.offsets)) and grid.size >= 0
        sound = whole and len(grid.offsets) > 0 and grid.offsets[0] == 0 and abs(grid.phase) <= FARTHEST
        sound = sound and all(one < other for one, other in pairwise((*grid.offsets, grid.size or 366 * DAY)))
    else:
        grid = MonthDays(**{**plain, "days": tuple(MonthDay(kind, number) for kind, number in plain["days"]),
                            "months": tuple(plain.get("months", ()))})  # fmt: skip
        whole = all(type(one) is int for one in (grid.size, grid.first, grid.into, *grid.months)) and grid.size > 0
        whole = whole and list(grid.months) == sorted({month % 12 for month in grid.months})
        sound = whole and grid.size <= MOST_MONTHS and 0 <= grid.first < grid.size and 0 <= grid.into < DAY
        sound = sound and len(grid.days) > 0 and all(day.is_sound() for day in grid.days)
    if not sound:
        raise ArtifactError(message("calendar", expected="a grid of times", received=str(dict(data))[:80]))
    return grid


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) <= FARTHEST
