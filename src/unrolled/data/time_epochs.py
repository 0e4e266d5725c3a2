"""What numbers count, as a unit and a start: seconds since 1970 or 1960, days of a spreadsheet, Julian days."""

import datetime as dt
import re
from typing import NamedTuple

import polars as pl

from unrolled.errors import DataError, message

PER_SECOND = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}  # since 1970, in UTC
WORDS = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_SECOND, _DAY = 10**7, 864_000_000_000  # in units of 100 ns
_SIZES = {
    "100ns": 1, "us": 10, "ms": 10**4, "s": _SECOND, "minutes": 60 * _SECOND, "hours": 3600 * _SECOND, "days": _DAY,
    "weeks": 7 * _DAY,
}  # fmt: skip
_MONTHS = {"months": 1, "quarters": 3, "years": 12}
_LONG = {"microseconds": "us", "milliseconds": "ms", "seconds": "s"}
_SINCE = re.compile(
    r"(?P<unit>100ns|[a-z]+) since (?P<day>\d{4}-\d\d-\d\d)(?:[T ](?P<clock>\d\d:\d\d(?::\d\d)?)(?:Z| UTC)?)?"
)
NAMED = {  # the unit, and the day of 1970 in it
    "days": ("days", 0.0),
    "excel": ("days", 25_569.0),  # since 1899-12-30
    "julian": ("days", 2_440_587.5),
    "matlab": ("days", 719_529.0),
}
EXAMPLE = "s since 1960-01-01"
_FIRST, _LAST = -62_135_596_800, 253_402_300_799  # the years 1 to 9999, in seconds
_1970 = dt.datetime(1970, 1, 1)


class Count(NamedTuple):
    """What numbers count.

    Args:
        size: length of one in units of 100 ns; 0 for months.
        start: the moment of 0, in units of 100 ns since 1970.
        months: months in one; 0 for units of a fixed length.
    """

    size: int
    start: int
    months: int = 0


def count_of(unit: str) -> Count | None:
    """Return what a unit counts, None for an unknown unit.

    Args:
        unit: "days", "excel", "julian", "matlab", "s", "ms", "us", or a unit and its start, such as
            "s since 1960-01-01".

    Example:
        >>> count_of("days since 1970-01-02")
        Count(size=864000000000, start=864000000000, months=0)
    """
    if unit in NAMED:
        name, first = NAMED[unit]
        return Count(_SIZES[name], round(-first * _DAY))
    if unit in PER_SECOND:
        return Count(_SIZES[unit], 0) if unit in _SIZES else None
    found = _SINCE.fullmatch(unit)
    if found is None:
        return None
    name = _LONG.get(found["unit"], found["unit"])
    try:
        begin = dt.datetime.fromisoformat(f"{found['day']}T{found['clock'] or '00:00'}")
    except ValueError:
        return None
    start = (begin - _1970) // dt.timedelta(microseconds=1) * 10
    if name in _MONTHS:
        return Count(0, start, _MONTHS[name]) if begin.day == 1 and not found["clock"] else None
    return Count(_SIZES[name], start) if name in _SIZES else None


def counted(values: pl.Series, unit: str) -> pl.Series:
    """Return numbers of a unit other than those of `PER_SECOND` as dates or datetimes without a zone.

    Args:
        values: numbers, null where there is none.
        unit: as in `count_of`.

    Raises:
        DataError: a number outside the years 1 to 9999, or a part of a month; the message shows the row.

    Example:
        >>> counted(pl.Series([45292]), "excel")[0], counted(pl.Series([768]), "months since 1960-01-01")[0]
        (datetime.date(2024, 1, 1), datetime.date(2024, 1, 1))
    """
    count = count_of(unit)
    assert count is not None, "options of unknown units are refused"
    if count.months:
        return _months(values, unit, count)
    seconds = values.cast(pl.Float64) * (count.size / _SECOND) + count.start / _SECOND
    _refuse(values, ~seconds.is_between(_FIRST, _LAST), f"{unit}, in the years 1 to 9999")
    if values.dtype.is_integer():
        ticks = (values.cast(pl.Int64) * count.size + count.start) // 10
    elif count.size < _SIZES["hours"]:
        ticks = (values.cast(pl.Float64) * (count.size / 10)).round().cast(pl.Int64) + count.start // 10
    else:  # a day's fraction is exact to about a millisecond
        ticks = (seconds * 1e3).round().cast(pl.Int64) * 1000
    times = ticks.cast(pl.Datetime("us"))
    return times.cast(pl.Date) if bool((ticks % (_DAY // 10) == 0).all()) else times


def _months(values: pl.Series, unit: str, count: Count) -> pl.Series:
    whole = values.cast(pl.Float64)
    _refuse(values, (whole != whole.floor()) | ~whole.is_between(-96_000, 96_000), f"whole {unit}")
    begin = _1970 + dt.timedelta(microseconds=count.start // 10)
    number = whole.cast(pl.Int64) * count.months + begin.year * 12 + begin.month - 1
    _refuse(values, ~number.is_between(12, 12 * 10_000 - 1), f"{unit}, in the years 1 to 9999")
    frame = pl.DataFrame({"year": number // 12, "month": number % 12 + 1})
    return frame.select(pl.date("year", "month", 1)).to_series().set(values.is_null(), None).alias(values.name)


def _refuse(values: pl.Series, wrong: pl.Series, expected: str) -> None:
    if wrong.any():
        row = int(wrong.fill_null(False).arg_max() or 0)
        raise DataError(message(f"column {values.name!r}", expected=expected, received=f"{values[row]} in row {row}"))
