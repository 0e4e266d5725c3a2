"""Calendar of a series: which times follow each other, the place of a time among them, and the next times."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from unrolled.data.calendars.calendar_words import duration_words, month_words, step_words, unit_words
from unrolled.data.calendars.grids import (
    DAY,
    FARTHEST,
    HOUR,
    WEEK,
    AnyGrid,
    EvenSteps,
    MonthDays,
    Turns,
    WeekSlots,
    grid_from_json,
)
from unrolled.data.calendars.month_days import MonthDay
from unrolled.data.calendars.public_holidays import Holidays
from unrolled.data.time_zones import to_utc, to_wall
from unrolled.errors import ArtifactError, message

LONGEST_SEASON = 5000  # steps
_WEEKS_OF_YEAR = 365.25 / 7
_SEASONS, _YEAR = (HOUR, DAY, WEEK), 365.25 * DAY
_NO_DAYS = np.zeros(0, "M8[D]")


@dataclass(frozen=True)
class CalendarCounts:
    """Counts of the rows that a calendar was learnt from.

    Args:
        rows: rows with a place of their own.
        steps: places from the first row of each series to its last.
        outside: rows whose time does not fit.
        example: the first of those times.
    """

    rows: int = 0
    steps: int = 0
    outside: int = 0
    example: str = ""

    def is_sound(self) -> bool:
        """Return whether counts are counts; a saved model may hold anything."""
        counts = all(type(one) is int and 0 <= one < FARTHEST for one in (self.rows, self.steps, self.outside))
        return counts and isinstance(self.example, str)

    def __add__(self, other: "CalendarCounts") -> "CalendarCounts":
        return CalendarCounts(
            self.rows + other.rows,
            self.steps + other.steps,
            self.outside + other.outside,
            self.example or other.example,
        )


@dataclass(frozen=True)
class Calendar:
    """Which times follow each other in a series.

    Args:
        grid: the times, without public holidays.
        zone: time zone of the times; steps of a day or longer, and hours of the day, are those of its wall clock.
            Times are given and returned in UTC.
        holidays: days without steps; None where the series has steps on holidays.
        irregular: whether the times follow no grid, so that a step is only the usual distance.
        dated: whether times are dates, not numbers.
        found: counts of the rows it was learnt from.

    Example:
        >>> day = np.datetime64("2024-01-05", "us")  # a Friday
        >>> Calendar(WeekSlots(DAY, (0, 1, 2, 3, 4))).after(day, [1, 2]).astype("M8[D]")
        array(['2024-01-08', '2024-01-09'], dtype='datetime64[D]')
    """

    grid: AnyGrid
    zone: str = ""
    holidays: Holidays | None = None
    irregular: bool = False
    dated: bool = True
    found: CalendarCounts = field(default_factory=CalendarCounts, compare=False)

    @property
    def wall(self) -> bool:
        """Whether times are those of a wall clock: short even steps are not, so a day may have 23 of them."""
        return not (isinstance(self.grid, EvenSteps) and self.grid.size < DAY)

    @property
    def follows(self) -> bool:
        """Whether steps are counted from one row to the next, as the times have no grid."""
        return isinstance(self.grid, EvenSteps) and self.grid.phase is None

    @property
    def step(self) -> tuple[str, float]:
        """The kind and the length of a step: months, microseconds or numbers."""
        if isinstance(self.grid, MonthDays):
            return "months", self.grid.size / max(1, len(self.grid.days))
        if isinstance(self.grid, WeekSlots):
            slots = np.array(self.grid.slots)
            return "time", int(np.diff(np.append(slots, slots[0] + WEEK // self.grid.size)).min()) * self.grid.size
        if isinstance(self.grid, Turns):
            return "time", int(np.diff(self.grid.offsets).min(initial=self.grid.size or 365 * DAY))
        return ("time" if self.dated else "numbers"), self.grid.size

    # ---- places and times -------------------------------------------------------------------

    def gaps(self, times: np.ndarray) -> np.ndarray:
        """Return the steps from each time to the next, (T - 1,); times between two steps count as the nearer one."""
        ticks = self._ticks(times)
        if self.follows:
            return self.grid.numbers(np.diff(ticks))
        closed = self._closed(ticks)
        numbers = self.grid.numbers(ticks, closed)
        return np.diff(numbers - np.searchsorted(self._left_out(closed), numbers))

    def positions(self, times: np.ndarray) -> np.ndarray:
        """Return the number of steps from the first time to each, (T,)."""
        return np.concatenate([np.zeros(min(1, len(times)), np.int64), np.cumsum(self.gaps(times), dtype=np.int64)])

    def after(self, start: Any, steps: np.ndarray | Sequence[int]) -> np.ndarray:
        """Return the times `steps` steps after `start`, in its dtype; negative steps are before it."""
        begin = np.asarray(start)
        count = np.asarray(steps, dtype=np.int64)
        ticks = self._ticks(begin.reshape(1))
        if self.follows:
            return self._times(ticks + self.grid.ticks(count), begin.dtype)
        number = int(self.grid.numbers(ticks, self._closed(ticks))[0])
        if self.holidays is None:
            return self._times(self.grid.ticks(number + count), begin.dtype)
        # no more than half of all days of its months are holidays, and no break is longer than a year
        reach = int(2 * np.abs(count).max(initial=0) / self.holidays.open_share) + (400 if self.holidays.months else 60)
        span = np.append(self.grid.ticks(np.array([number - reach, number + reach])), ticks)
        closed = self._closed(span)
        left_out = self._left_out(closed)
        open_numbers = number - int(np.searchsorted(left_out, number)) + count
        places = open_numbers + np.searchsorted(left_out - np.arange(len(left_out)), open_numbers, side="right")
        return self._times(self.grid.ticks(places, closed), begin.dtype)

    def on_grid(self, times: np.ndarray) -> np.ndarray:
        """Return the time of the calendar nearest to each time, in the dtype of the times."""
        ticks = self._ticks(times)
        closed = self._closed(ticks)
        return self._times(self.grid.ticks(self.grid.numbers(ticks, closed), closed), times.dtype)

    def anchored(self, start: Any) -> "Calendar":
        """Return this calendar for another series, with that series' own hour, and its own day of the month."""
        time = np.asarray(start).reshape(1)
        ticks = self._ticks(time)
        if isinstance(self.grid, EvenSteps) and self.grid.phase is not None:
            return replace(self, grid=replace(self.grid, phase=ticks[0].item() % self.grid.size))
        if isinstance(self.grid, WeekSlots):
            return replace(self, grid=replace(self.grid, phase=ticks[0].item() % self.grid.size))
        if isinstance(self.grid, MonthDays):
            month = ticks.astype("M8[us]").astype("M8[M]").astype(np.int64)[0].item()
            day, into = divmod(ticks[0].item() - month_start(month), DAY)
            first = self.grid.first if self.grid.days else month % self.grid.size
            days = self.grid.days or (MonthDay("day", day + 1),)
            months = self.grid.months if month % 12 in self.grid.months else ()
            return replace(self, grid=MonthDays(self.grid.size, days, first, into, months))
        if isinstance(self.grid, Turns):
            shift = (ticks - self.grid.ticks(self.grid.numbers(ticks)))[0].item()
            return replace(self, grid=replace(self.grid, phase=self.grid.phase + shift))
        return self

    def _ticks(self, times: np.ndarray) -> np.ndarray:
        """Return times as microseconds of the clock that the grid uses, or as numbers."""
        if times.dtype.kind != "M":
            return times if times.dtype.kind == "i" else times.astype(np.float64)
        return (to_wall(times, self.zone) if self.wall else times).astype("M8[us]").astype(np.int64)

    def _times(self, ticks: np.ndarray, kind: np.dtype) -> np.ndarray:
        if kind.kind != "M":
            limits = np.iinfo(kind) if kind.kind in "iu" else None
            return (ticks if limits is None else np.clip(ticks, limits.min, limits.max // 1024 * 1024)).astype(kind)
        times = ticks.astype(np.int64).astype("M8[us]")
        return (to_utc(times, self.zone) if self.wall else times).astype(kind)

    def _closed(self, ticks: np.ndarray) -> np.ndarray:
        """Return the holidays in the years around some times."""
        if self.holidays is None or not len(ticks):
            return _NO_DAYS
        years = np.array([ticks.min(), ticks.max()]).astype("M8[us]").astype("M8[Y]").astype(np.int64) + 1970
        return self.holidays.dates(int(years[0]) - 1, int(years[1]) + 1)

    def _left_out(self, closed: np.ndarray) -> np.ndarray:
        """Return the numbers of the grid that fall on holidays, sorted."""
        if not len(closed) or isinstance(self.grid, MonthDays | Turns):
            return np.zeros(0, np.int64)
        starts = closed.astype("M8[us]").astype(np.int64)
        most = 1 if isinstance(self.grid, EvenSteps) else len(self.grid.slots)
        near = self.grid.numbers(starts)[:, None] + np.arange(-1, min(most, DAY // int(self.grid.size)) + 2)
        return np.unique(near[np.isin(self.grid.ticks(near).astype("M8[us]").astype("M8[D]"), closed)])

    @property
    def _open_share(self) -> float:
        return 1.0 if self.holidays is None else self.holidays.open_share

    # ---- what it suggests -------------------------------------------------------------------

    def seasons(self) -> list[int]:
        """Return the seasons, in steps, that the calendar suggests; none for columns of numbers."""
        if not self.dated or self.irregular:
            return []
        if isinstance(self.grid, MonthDays):
            periods = [(len(self.grid.months) or 12) / self.grid.size * len(self.grid.days)]
        elif isinstance(self.grid, Turns):
            periods = [len(self.grid.offsets) * (365.25 * DAY / self.grid.size if self.grid.size else 1)]
        elif isinstance(self.grid, WeekSlots):
            days = np.unique(np.array(self.grid.slots) * self.grid.size // DAY)
            week = len(self.grid.slots)
            periods = [week / len(days), week, week * _WEEKS_OF_YEAR * self._open_share]
        else:
            periods = [period / self.grid.size for period in (*_SEASONS, _YEAR * self._open_share)]
        near = [round(one) for one in periods if 2 <= one <= LONGEST_SEASON and abs(one - round(one)) < 0.3]
        return sorted(set(near))

    # ---- saving -----------------------------------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {
            "grid": self.grid.to_json(),
            "zone": self.zone,
            "holidays": None if self.holidays is None else self.holidays.to_json(),
            "irregular": self.irregular,
            "dated": self.dated,
            "found": [self.found.rows, self.found.steps, self.found.outside, self.found.example],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned."""
        holidays = None if data["holidays"] is None else Holidays.from_json(data["holidays"])
        grid, found = grid_from_json(data["grid"]), CalendarCounts(*data["found"])
        to_wall(np.zeros(1, "M8[us]"), data["zone"])  # an unknown zone is refused here
        if not (type(data["irregular"]) is bool and type(data["dated"]) is bool and found.is_sound()):
            raise ArtifactError(message("calendar", expected="a calendar", received=str(dict(data))[:80]))
        if not data["dated"] and not isinstance(grid, EvenSteps):
            raise ArtifactError(message("calendar", expected="even steps of numbers", received=str(grid)[:80]))
        return cls(grid, data["zone"], holidays, data["irregular"], data["dated"], found)

    @classmethod
    def from_clock(cls, data: Mapping[str, Any]) -> Self:
        """Return the calendar of a model that was saved with one clock for all series: kind, size and month_end."""
        kind, size = data["kind"], data["size"]
        if kind == "month":
            return cls(MonthDays(int(size), (MonthDay("day", -1),) if data["month_end"] else ()))
        if kind == "weekday":
            return cls(WeekSlots(DAY, (0, 1, 2, 3, 4)))
        whole = int(size) if kind == "time" or size == int(size) else size
        return cls(EvenSteps(whole), dated=kind == "time")

    def __str__(self) -> str:
        found, distance = self.found, self.step[1]
        if self.irregular:
            usual = duration_words(distance) if self.dated else f"{distance:g}"
            parts = [f"irregular, usually {usual} apart"]
        else:
            parts = [step_words(self.grid, self.dated)]
        if self.zone:
            parts.append(f"{'local ' if self.wall else ''}time of {self.zone}")
        if self.holidays is not None and self.holidays.months:
            parts.append(month_words([month for month in range(12) if month not in self.holidays.months]))
        if self.holidays is not None and (self.holidays.country or self.holidays.days):
            parts.append(f"without the holidays {f'of {self.holidays.country}' if self.holidays.country else 'given'}")
        missing = found.steps - found.rows
        if missing > 0 and not self.irregular:
            parts.append(f"{missing} of {found.steps} {unit_words(self.grid, self.dated)} missing")
        if found.outside:
            share = found.outside / max(1, found.rows + found.outside)
            fit = "time" if found.outside == 1 else "times"
            parts.append(f"{found.outside} {fit} ({share:.1%}) off this calendar, the first is {found.example}")
        return ", ".join(parts)


def month_start(month: int) -> int:
    """Return the first moment of a month in microseconds; months count from January 1970."""
    return int(np.array(month).astype("M8[M]").astype("M8[us]").astype(np.int64))
