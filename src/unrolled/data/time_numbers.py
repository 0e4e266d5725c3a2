"""Numbers that are times: seconds, milliseconds and so on since 1970, days of a spreadsheet, digits of dates."""

from typing import NamedTuple

import polars as pl

from unrolled.data.time_epochs import PER_SECOND, WORDS, counted
from unrolled.data.time_options import NUMBER
from unrolled.data.time_zones import refuse_equal
from unrolled.errors import DataError, message

_1990, _2100 = 631_152_000, 4_102_444_800  # in seconds since 1970
_SMALL = (pl.Int8, pl.Int16, pl.Int32, pl.UInt8, pl.UInt16, pl.UInt32)
_SHARE = 0.9  # share of values that look like times, from which on the others are refused
_FIRST, _LAST = -62_135_596_800, 253_402_300_799  # the years 1 to 9999


class Epoch(NamedTuple):
    """Numbers as times.

    Args:
        times: dates, or datetimes in UTC (those of a spreadsheet have no zone).
        unit: what the numbers count.
    """

    times: pl.Series
    unit: str


def finite(values: pl.Series) -> pl.Series:
    """Return numbers with NaN as null, and small whole numbers as those that hold all units of time."""
    if values.dtype.is_float():
        return values.fill_nan(None)
    return values.cast(pl.Int64) if values.dtype in _SMALL else values


def usual(value: float, unit: str) -> bool:
    """Return whether a number is a time of the years 1990 to 2100 in a unit."""
    return _1990 <= value / PER_SECOND[unit] <= _2100


def unit_of(values: pl.Series) -> str:
    """Return the unit in which all numbers are times of the years 1990 to 2100, or "number".

    Raises:
        DataError: most numbers are such times, but not all of one unit; the message shows two rows.

    Example:
        >>> unit_of(pl.Series([1_700_000_000, 1_700_003_600])), unit_of(pl.Series([1, 2, 3]))
        ('s', 'number')
    """
    known = finite(values)
    count = len(known) - known.null_count()
    rows: dict[str, int] = {}
    inside = 0
    for unit, size in PER_SECOND.items():
        fits = known.is_between(_1990 * size, _2100 * size).fill_null(False)
        hits = int(fits.sum())
        if hits and hits == count:
            return unit
        if hits:
            rows[unit], inside = int(fits.arg_max() or 0), inside + hits
    if not rows or inside < _SHARE * count:
        return NUMBER
    (unit, row), *others = sorted(rows.items(), key=lambda found: found[1])
    if others:
        other, place = others[0]
        received = f"{values[row]} in row {row} ({WORDS[unit]}) beside {values[place]} in row {place} ({WORDS[other]})"
    else:
        odd = ~known.is_between(_1990 * PER_SECOND[unit], _2100 * PER_SECOND[unit])
        place = int(odd.fill_null(False).arg_max() or 0)
        received = f"{values[row]} in row {row} ({WORDS[unit]}) beside {values[place]} in row {place}"
    raise DataError(
        message(f"column {values.name!r}", expected="times since 1970 in one unit", received=received,
                remedy='write missing times as null, or give unit="number" if these are no times')
    )  # fmt: skip


def times_of(values: pl.Series, unit: str, group: pl.Series | None = None) -> pl.Series:
    """Return numbers of a unit as datetimes in UTC, or, if they do not count since 1970 in seconds, without a zone.

    Raises:
        DataError: a number outside the years 1 to 9999; the message shows the row.
    """
    known = finite(values).rename(values.name)
    if unit not in PER_SECOND:
        return counted(known, unit)
    size = PER_SECOND[unit]
    wrong = ~(known.cast(pl.Float64) / size).is_between(_FIRST, _LAST)
    if wrong.any():
        row = int(wrong.fill_null(False).arg_max() or 0)
        meaning = f"{WORDS[unit]} since 1970"
        raise DataError(message(f"column {values.name!r}", expected=meaning, received=f"{values[row]} in row {row}"))
    whole = known.dtype.is_integer()
    ticks = (
        known.cast(pl.Int64) * (10**6 // size) if whole and size <= 10**6
        else known.cast(pl.Int64) // (size // 10**6) if whole
        else (known.cast(pl.Float64) * (10**6 / size)).round()
    )  # fmt: skip
    if size > 10**6:
        refuse_equal(known, ticks, group)
    return ticks.cast(pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def refuse_other_unit(values: pl.Series, unit: str) -> None:
    """Refuse later numbers that are times in another unit than the learnt one."""
    if unit not in PER_SECOND or not len(values.drop_nulls()):
        return
    found = unit_of(values)
    if found not in (unit, NUMBER):
        raise DataError(
            message(f"column {values.name!r}", expected=f"{WORDS[unit]} since 1970, as in training",
                    received=f"{values.drop_nulls()[0]}, which looks like {WORDS[found]}")
        )  # fmt: skip
