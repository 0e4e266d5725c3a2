"""Words for calendars: "daily, Monday to Saturday", "monthly, on the last day"."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unrolled.data.calendars.grids import DAY, HOUR, WEEK, AnyGrid, MonthDays, Turns, WeekSlots
from unrolled.data.calendars.month_days import WEEKDAYS

_UNITS = ((WEEK, "week"), (DAY, "day"), (HOUR, "hour"), (60_000_000, "minute"), (1_000_000, "second"))
_OFTEN = {"day": "daily", "week": "weekly", "hour": "hourly", "month": "monthly", "3 months": "quarterly"}
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
          "December")  # fmt: skip
_MOST_TIMES = 4  # times of a day that are listed


def step_words(grid: AnyGrid, dated: bool = True) -> str:
    """Return the length of a step and the times that occur.

    Example:
        >>> step_words(WeekSlots(DAY, (0, 1, 2, 3, 4, 5)))
        'daily, Monday to Saturday'
    """
    if not dated:
        return f"steps of {grid.size:g}"
    if isinstance(grid, MonthDays):
        years = grid.size % 12 == 0
        length = _several(grid.size // 12, "year") if years else _several(grid.size, "month")
        often = "yearly" if length == "year" else _OFTEN.get(length, f"every {length}")
        if len(grid.days) > 1:
            often = f"{len(grid.days)} times every {length}"
        named = [f"on {_listed([str(day) for day in grid.days])}"] if grid.days else []
        return ", ".join([often, *named, *([month_words(grid.months)] if grid.months else [])])
    if isinstance(grid, WeekSlots):
        return f"{_often(grid.size)}, {_week_words(grid)}" if grid.size < DAY else f"daily, {_week_words(grid)}"
    if isinstance(grid, Turns):
        return _turn_words(grid)
    return _often(grid.size)


def unit_words(grid: AnyGrid, dated: bool = True) -> str:
    """Return the plural of what one step is: days, months, steps."""
    if isinstance(grid, Turns):
        return "steps"
    if isinstance(grid, MonthDays):
        return {1: "months", 3: "quarters", 12: "years"}.get(grid.size, "steps") if len(grid.days) < 2 else "steps"
    return next((f"{name}s" for size, name in _UNITS if size == grid.size and dated), "steps")


def time_words(time: Any) -> str:
    """Return a time of a series: a date for midnights, seconds for others, a number as it is.

    Example:
        >>> time_words(np.datetime64("2024-01-31T00:00:00.000000")), time_words(np.datetime64("2024-01-31T05:00"))
        ('2024-01-31', '2024-01-31T05:00:00')
    """
    if not isinstance(time, np.datetime64):
        return str(time)
    day = time.astype("M8[D]")
    return str(day if day == time else time.astype("M8[s]"))


def duration_words(size: float) -> str:
    """Return a length of time given in microseconds.

    Example:
        >>> duration_words(5 * HOUR), duration_words(250_000)
        ('5 hours', '0.25 seconds')
    """
    whole = next(((size // unit, name) for unit, name in _UNITS[1:] if size % unit == 0 and size >= unit), None)
    if whole is None:
        return f"{size / 1_000_000:g} seconds"
    return f"{whole[0]:g} {whole[1]}" + ("s" if whole[0] != 1 else "")


def _often(size: float) -> str:
    name = next(
        (_several(int(size // unit), one) for unit, one in _UNITS if size % unit == 0 and size >= unit),
        f"{size / 1_000_000:g} seconds",
    )
    return _OFTEN.get(name, f"every {name}")


def month_words(months: Sequence[int]) -> str:
    """Return the months of the year, 0 for January; neighbours as one range."""
    starts = [month for month in months if (month - 1) % 12 not in months]
    parts = []
    for start in starts:
        length = next(count for count in range(1, 13) if (start + count) % 12 not in months)
        parts.append(MONTHS[start] if length == 1 else f"{MONTHS[start]} to {MONTHS[(start + length - 1) % 12]}")
    return _listed(parts)


def _turn_words(grid: Turns) -> str:
    lengths = np.diff([*grid.offsets, grid.size])[: None if grid.size else -1]
    if not grid.size:
        return f"{_often(int(lengths.min(initial=366 * DAY)))}, from each January 1"
    unit, name = (WEEK, "weeks") if not (lengths % WEEK).any() else (DAY, "days")
    return f"every {_listed([f'{length / unit:g}' for length in lengths])} {name} in turn"


def _several(count: int, name: str) -> str:
    return name if count == 1 else f"{count} {name}s"


def _week_words(grid: WeekSlots) -> str:
    per = DAY // grid.size
    hours = [tuple(slot % per for slot in grid.slots if slot // per == day) for day in range(7)]
    parts, day = [], 0
    while day < 7:
        end = day
        while end < 6 and hours[end + 1] == hours[day]:
            end += 1
        if hours[day]:
            parts.append((day, end, hours[day]))
        day = end + 1
    if all(one[2] == parts[0][2] for one in parts):
        days = [name for first, last, _ in parts for name in _days(first, last)]
        named = "" if len(parts) == 1 and parts[0][:2] == (0, 6) else _listed(days)
        times = _hours(grid, parts[0][2])
        return ", ".join(part for part in (times, named) if part)
    return ", ".join(f"{_listed(_days(first, last))} {_hours(grid, times)}" for first, last, times in parts)


def _days(first: int, last: int) -> list[str]:
    if last - first < 2:
        return list(WEEKDAYS[first : last + 1])
    return [f"{WEEKDAYS[first]} to {WEEKDAYS[last]}"]


def _hours(grid: WeekSlots, slots: Sequence[int]) -> str:
    """Return the times of a day; empty for a whole day."""
    if grid.size == DAY:
        return ""
    shown = [_clock(slot * grid.size + grid.phase) for slot in slots]
    if len(shown) > 2 and (np.diff(slots) == 1).all():
        return f"{shown[0]} to {shown[-1]}"
    return _listed(shown) if len(shown) <= _MOST_TIMES else f"{len(shown)} times from {shown[0]} to {shown[-1]}"


def _clock(into: int) -> str:
    hour, minute = divmod(into // 60_000_000, 60)
    return f"{hour}:{minute:02d}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
