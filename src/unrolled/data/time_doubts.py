"""Numbers that may be times, or times since another start, where nothing says so: refused with the options."""

import datetime as dt
import re

import numpy as np
import polars as pl

from unrolled.data.time_digits import lost_zeros, other_years, periods_of_years, short_dates
from unrolled.data.time_epochs import PER_SECOND, WORDS, counted
from unrolled.errors import DataError, message

_LARGE = (  # nothing else has these numbers
    "100ns since 0001-01-01", "100ns since 1601-01-01", "us since 1601-01-01", "ms since 0001-01-01",
    "s since 1582-10-14", "s since 1601-01-01",
)  # fmt: skip
_SMALL = (  # a counter may have these numbers as well
    "excel", "days", "days since 1960-01-01", "days since 1904-01-01", "matlab", "julian", "days since 1858-11-17",
    "hours since 1900-01-01", "hours since 1970-01-01", "minutes since 1970-01-01",
)  # fmt: skip
_STARTS = ("1960-01-01", "1904-01-01", "1900-01-01", "2001-01-01")  # of SAS and Stata, old Macs, NTP, and Apple
_KNOWN = {
    "excel": "days of a spreadsheet", "julian": "Julian days", "matlab": "datenum of MATLAB", "days": "days since 1970",
    "100ns since 0001-01-01": "ticks of .NET", "100ns since 1601-01-01": "file times of Windows",
    "s since 1582-10-14": "seconds of SPSS", "us since 1601-01-01": "microseconds since 1601",
    "days since 1960-01-01": "days of SAS or Stata", "s since 1960-01-01": "seconds of SAS",
    "ms since 1960-01-01": "milliseconds of Stata", "s since 1904-01-01": "seconds of a Mac",
    "s since 2001-01-01": "seconds of Apple", "days since 1858-11-17": "modified Julian days",
}  # fmt: skip
_NAMES = frozenset({
    "date", "dates", "datetime", "datum", "data", "fecha", "day", "dag", "tag", "dia", "jour", "giorno", "month",
    "monat", "mes", "mois", "week", "woche", "timestamp", "zeitpunkt", "period", "periode",
})  # fmt: skip
_PIECE = r"[A-Z]?[a-z]+|[A-Z]+"
_EARLIEST = dt.date(1990, 1, 1)
_EARLY = dt.date(1996, 1, 1)  # seconds since 1970 before this day are more often seconds since 2001
_AHEAD = dt.timedelta(days=730)  # the farthest future of a table
_FEW, _WEEK, _WORKDAYS = 6, 7, 5
_MINUTES = 1440
_SHOWN = 3  # meanings that a message names


def refuse_doubt(values: pl.Series, known: pl.Series, digits: pl.Series | None) -> None:
    """Refuse numbers that may be dates or times, where nothing says so.

    Args:
        values: the column.
        known: its numbers, null for NaN.
        digits: the same as whole numbers; None where one has decimals.

    Raises:
        DataError: a day or a month of a year of two digits, periods that are counted within years, days of a
            spreadsheet and the like; the message names the options.

    Example:
        >>> moments = pl.Series("t", [133485408000000000])
        >>> refuse_doubt(moments, moments, moments)
        Traceback (most recent call last):
        ...
        unrolled.errors.DataError: column 't': expected dates, or numbers that are no times, received \
133485408000000000 in row 0, which may be file times of Windows (2024-01-01); give \
unit="100ns since 1601-01-01", or unit="number" if these are no times
    """
    doubt, option = "", "write them as dates"
    if digits is None:
        if known.null_count() < len(known) and lost_zeros(known):
            doubt, option = "months or quarters of years, of which 2024.10 and 2024.1 are one", "give them as text"
    elif short := short_dates(digits):
        doubt, option = "a day of a year of two digits", f'give time_format="{short}"'
    elif years := other_years(digits):
        doubt, option = f"a day of {years}", "write dates such as 2024-01-31"
    elif turn := periods_of_years(digits):
        doubt = f"a period of a year: after {turn[0]} comes {turn[1]}"
    row = int(known.is_not_null().arg_max() or 0)
    if doubt:
        raise DataError(
            message(f"column {values.name!r}", expected="times with a year of four digits, or numbers",
                    received=f"{values.dtype}: {values[row]} in row {row}, which may be {doubt}",
                    remedy=f'{option}, or give unit="number" if these are no times')
        )  # fmt: skip
    meanings = [] if known.null_count() == len(known) else _meanings(values.name, known)
    if meanings:
        raise DataError(
            message(f"column {values.name!r}", expected="dates, or numbers that are no times",
                    received=f"{values[row]} in row {row}, which may be {_listed(meanings, known[row])}",
                    remedy=f'give {_options(meanings)}, or unit="number" if these are no times')
        )  # fmt: skip


def refuse_other_start(values: pl.Series, known: pl.Series, unit: str) -> None:
    """Refuse seconds and the like whose times since 1970 are odd, and are usual ones since another start.

    Args:
        values: the column.
        known: its numbers, null for NaN.
        unit: "s", "ms", "us" or "ns".

    Raises:
        DataError: most times since 1970 are more than two years ahead, or before 1996.
    """
    middle = float(
        np.median(known.drop_nulls().cast(pl.Float64).to_numpy())
    )  # a few clocks that are wrong decide nothing
    usual = dt.date(1970, 1, 1) + dt.timedelta(seconds=middle / PER_SECOND[unit])
    today = dt.date.today()
    if _EARLY <= usual <= today + _AHEAD:
        return
    others = [_LARGE[0]] if unit == "ns" else [f"{unit} since {start}" for start in _STARTS]
    meanings = [one for one in others if _within(known, one, _EARLIEST, today + _AHEAD)]
    if meanings:
        row = int(known.is_not_null().arg_max() or 0)
        first = counted(known[[row]].cast(pl.Float64) / PER_SECOND[unit], "s since 1970-01-01")[0]
        shown = f"{WORDS[unit]} since 1970 ({str(first)[:10]}) or {_listed(meanings, known[row])}"
        raise DataError(
            message(f"column {values.name!r}", expected="times since 1970",
                    received=f"{values[row]} in row {row}, which may be {shown}",
                    remedy=f'give {_options([unit, *meanings])}, or unit="number" if these are no times')
        )  # fmt: skip


def _meanings(name: str, known: pl.Series) -> list[str]:
    """Return the units in which numbers are times from 1990 to next year, the likely ones first."""
    latest = dt.date.today() + _AHEAD / 2
    large = [unit for unit in _LARGE if _within(known, unit, _EARLIEST, latest)]
    if large:
        return large
    small = [unit for unit in _SMALL if _within(known, unit, _EARLIEST, latest)]
    if not small:
        return []
    clear = [unit for unit in small if _like_a_calendar(known, unit)]
    if clear:
        return clear[:1] if clear[0] == "excel" else clear
    named = any(piece.lower() in _NAMES for piece in re.findall(_PIECE, name))
    return small if named else []


def _like_a_calendar(known: pl.Series, unit: str) -> bool:
    """Return whether the times of a unit are those of a clock or a calendar, as chance would not have them."""
    times = counted(known, unit).drop_nulls().unique()
    if len(times) < _FEW or unit.startswith(("hours", "minutes")):
        return False
    if times.dtype == pl.Date:
        weekdays = times.dt.weekday()
        working = len(times) > 2 * _WEEK and weekdays.max() == _WORKDAYS and weekdays.n_unique() == _WORKDAYS
        firsts = (times.dt.day() == 1).all() or (times == times.dt.month_end()).all()
        return working or bool(firsts)
    fractions = known.drop_nulls().cast(pl.Float64)
    parts = fractions * _MINUTES  # 1/24 is a part of a day that no decimals end at
    long = ((fractions * 10_000 - (fractions * 10_000).round()).abs() > 1e-3).any()
    return bool(long and ((parts - parts.round()).abs() < 1e-3).all())


def _within(known: pl.Series, unit: str, first: dt.date, last: dt.date) -> bool:
    """Return whether the least and the largest number are times between two days in a unit."""
    ends = pl.Series([float(end) for end in _ends(known)])
    try:
        low, high = counted(ends, unit).cast(pl.Date).to_list()
    except DataError:  # not in the years 1 to 9999
        return False
    return first <= low and high < last


def _ends(known: pl.Series) -> tuple[float, float]:
    return float(known.min()), float(known.max())  # type: ignore[arg-type]


def _listed(meanings: list[str], value: float) -> str:
    shown = []
    for unit in meanings[:_SHOWN]:
        day = counted(pl.Series([float(value)]), unit).cast(pl.Date)[0]
        shown.append(f"{_KNOWN.get(unit, unit)} ({day})")
    return " or ".join(shown)


def _options(units: list[str]) -> str:
    return " or ".join(f'unit="{unit}"' for unit in units[: _SHOWN + 1])
