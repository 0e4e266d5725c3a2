"""Days of a month, counted from either end: the 15th, the last day, the last working day, the third Friday."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_COUNTED = {1: "first", 2: "second", 3: "third", 4: "fourth", -1: "last", -2: "last but one", -3: "last but two"}
_ONE_DAY, _ONE_MONTH = np.timedelta64(1, "D"), np.timedelta64(1, "M")
_NO_DAYS = np.zeros(0, "M8[D]")


@dataclass(frozen=True)
class MonthDay:
    """One day of each month.

    Args:
        kind: "day"; "working day", Monday to Friday without public holidays; the name of a weekday; "next" or
            "previous", the day or the working day next to it; "usual", a day that varies from month to month.
        number: count from 1 at the front, or from -1 at the end; a day beyond the end is the last.
    """

    kind: str
    number: int

    def dates(self, months: np.ndarray, closed: np.ndarray = _NO_DAYS) -> np.ndarray:
        """Return the date in each month, datetime64[D].

        Args:
            months: datetime64[M].
            closed: dates of public holidays, datetime64[D].

        Example:
            >>> MonthDay("Friday", 3).dates(np.array(["2024-05"], "M8[M]"))
            array(['2024-05-17'], dtype='datetime64[D]')
        """
        first = months.astype("M8[D]")
        last = (months + _ONE_MONTH).astype("M8[D]") - _ONE_DAY
        if self.kind == "working day":
            if self.number > 0:
                return np.busday_offset(first, self.number - 1, roll="forward", holidays=closed)
            return np.busday_offset(last, self.number + 1, roll="backward", holidays=closed)
        if self.kind in WEEKDAYS:
            wanted = WEEKDAYS.index(self.kind)
            if self.number > 0:
                return first + (wanted - weekday(first)) % 7 + 7 * (self.number - 1)
            return last - (weekday(last) - wanted) % 7 + 7 * (self.number + 1)
        dates = np.minimum(first + self.number - 1, last) if self.number > 0 else last + self.number + 1
        if self.kind in ("next", "previous"):
            roll = "forward" if self.kind == "next" else "backward"
            return np.busday_offset(dates, 0, roll=roll, holidays=closed)
        return dates

    def is_sound(self) -> bool:
        """Return whether kind and number are those of a day; a saved model may hold anything."""
        if self.kind == "working day" or self.kind in WEEKDAYS:
            return self.number in _COUNTED
        number = type(self.number) is int and 1 <= abs(self.number) <= 31
        return number and self.kind in ("day", "next", "previous", "usual")

    def __str__(self) -> str:
        if self.kind == "working day" or self.kind in WEEKDAYS:
            return f"the {_COUNTED[self.number]} {self.kind}"
        if self.kind == "usual":
            return f"days that vary, usually day {self.number}"
        end = " or the last day" if self.number > 28 else ""
        day = f"day {self.number}{end}" if self.number > 0 else f"the {_COUNTED.get(self.number, self.number)} day"
        return day if self.kind == "day" else f"{day}, or the {self.kind} working day"


def weekday(dates: np.ndarray) -> np.ndarray:
    """Return the weekday of dates, 0 for Monday."""
    return (dates.astype("M8[D]").astype(np.int64) + 3) % 7  # 1970-01-01 was a Thursday


def rules_like(dates: np.ndarray) -> Iterator[MonthDay]:
    """Yield the rules that may give these dates, the simplest first.

    Args:
        dates: one date in each of some months, datetime64[D].
    """
    months = dates.astype("M8[M]")
    day = (dates - months.astype("M8[D]")).astype(np.int64) + 1
    left = ((months + _ONE_MONTH).astype("M8[D]") - dates).astype(np.int64)  # 1 on the last day
    if (left == 1).mean() > 0.5:
        yield MonthDay("day", -1)
    usual = _most_common(day)
    yield MonthDay("day", usual)
    if day.max() > 28 and day.max() != usual:
        yield MonthDay("day", int(day.max()))
    if (end := _most_common(left)) in (2, 3):
        yield MonthDay("day", -end)
    for number in (-1, 1, -2, 2, 3, -3):
        yield MonthDay("working day", number)
    name = WEEKDAYS[_most_common(weekday(dates))]
    for number in (1, 2, 3, 4, -1):
        yield MonthDay(name, number)
    for kind in ("next", "previous"):
        near = range(max(usual - 3, 1), min(usual + 3, 31) + 1)
        for number in sorted(near, key=lambda number: abs(number - usual)):
            yield MonthDay(kind, number)
    if len(dates) > 1:
        yield MonthDay("usual", int(np.median(day)))


def _most_common(values: np.ndarray) -> int:
    distinct, counts = np.unique(values, return_counts=True)
    return int(distinct[counts.argmax()])
