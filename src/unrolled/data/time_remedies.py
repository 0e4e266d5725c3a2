"""What settles a text that no writing of times reads, and years of other calendars, which are never misread."""

import datetime as dt
import re
from typing import NamedTuple

import polars as pl

from unrolled.errors import DataError, message

_NO_DATE = r"\s*(?:\d+ days?,? )?[+-]?\d{1,4}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:\s*[AaPp]\.?[Mm]\.?)?\s*|P\d*\w*T?\w*"
_ERA = r"^\s*(?:令和|平成|昭和|大正|明治|[RHSTMrhst](?:\d{1,2}|元)[./年-]\d{1,2}(?:\D|$))"
_REPUBLIC = r"民國|民国|^\s*(?:09\d|1[0-4]\d)[/.年-]\d{1,2}(?:\D|$)"
_THAI, _PERSIAN, _HEBREW = (
    r"[\u0E00-\u0E7F]|(?:^|\D)2[456]\d\d(?:\D|$)",
    r"(?:^|\D)1[345]\d\d(?:\D|$)",
    r"\b5[678]\d\d\b",
)
_GREGORIAN = "write dates of the Gregorian calendar"
_OPTION = "if these years are right, give time_format="
_FORMAT = "name the format with time_format="
_TOTAL = "leave out rows that are no times, such as totals"
_CLOSER = (
    (_ERA, "write 2024 for R6 or 令和6, 2019 for H31 or 平成31: years of Japanese eras are not read"),
    (_REPUBLIC, "add 1911 to years of the Republic of China: 113 is 2024"),
    (_THAI, "subtract 543 from years of the Buddhist calendar: 2567 is 2024"),
    (_PERSIAN, f"{_GREGORIAN}: 1403 began on 2024-03-20 in the Persian one, 1446 on 2024-07-07 in the Islamic one"),
    (_HEBREW, f"{_GREGORIAN}: 5785 began on 2024-10-03 in the Hebrew one"),
    (r"(?i)^\W*fy|fy\s?'?\d", "write the first day of each quarter, such as 2023-10-01: fiscal years begin anywhere"),
    (r"^\s*\d{4}[-/](?:0?\d|[1-4]\d|5[0-3])\s*$", 'write weeks as 2024-W05, or give time_format="%G-%V" or "%G/%V"'),
    (r"^\s*(?:0?\d|[1-4]\d|5[0-3])[-/]\d{4}\s*$", 'write weeks as 2024-W05, or give time_format="%V-%G" or "%V/%G"'),
    (r"(?i)^\W*(?:[ivx]+\W+\d{4}|\d{4}\W+[ivx]+)\s*$", "write quarters as 2024-Q1, or months as 2024-01"),
    (_NO_DATE, "give the date as well, or the time as a number of hours, minutes or seconds"),
)  # fmt: skip
_TWO_DIGITS = dt.timedelta(days=20 * 365)  # ahead of today; years of two digits that are farther are of another century


class OtherYears(NamedTuple):
    """Years that are seldom those of the Gregorian calendar.

    Args:
        first: the first of them.
        last: the last of them.
        calendar: the likely calendar.
        remedy: what to do.
    """

    first: int
    last: int
    calendar: str
    remedy: str


_YEARS = (
    OtherYears(1300, 1500, "the Persian or the Islamic calendar", _CLOSER[3][1]),
    OtherYears(2443, 2643, "the Buddhist calendar", _CLOSER[2][1]),
    OtherYears(5660, 5860, "the Hebrew calendar", _CLOSER[4][1]),
)


def remedy_of(text: str, row: int) -> str:
    """Return what settles a text that cannot be read; a first row without a digit may be of an unusual format.

    Example:
        >>> remedy_of("113/01/15", 0)
        'add 1911 to years of the Republic of China: 113 is 2024'
    """
    if row and not re.search(r"\d", text):
        return _TOTAL
    if re.fullmatch(_NO_DATE, text):
        return _CLOSER[-1][1]
    return next((remedy for pattern, remedy in _CLOSER[:-1] if re.search(pattern, text)), _FORMAT)


def refuse_eras(values: pl.Series, sample: pl.Series) -> None:
    """Refuse years of Japanese eras, such as R06/01/31, which would be read without their letter.

    Args:
        values: the column.
        sample: different texts of the column.

    Raises:
        DataError: such texts.
    """
    if len(sample) and sample.str.contains(_ERA).all():
        row = int(values.str.contains(_ERA).fill_null(False).arg_max() or 0)
        raise DataError(
            message(f"column {values.name!r}", expected="years such as 2024", received=f"{values[row]!r} in row {row}",
                    remedy=_CLOSER[0][1])
        )  # fmt: skip


def refuse_odd_years(times: pl.Series, given: pl.Series, later: bool = False) -> None:
    """Refuse times of which all years, or some beside usual ones, are likely those of another calendar.

    Args:
        times: dates or datetimes.
        given: the column as it was given.
        later: whether these are values for a model that learnt from usual years; only years far ahead are odd then.

    Raises:
        DataError: such years; years of two digits that would be more than 20 years ahead.

    Example:
        >>> refuse_odd_years(pl.Series("day", [dt.date(2024, 1, 31)]), pl.Series(["31/01/2024"]))
    """
    years, written = times.dt.year(), given.dtype == pl.String
    high = int(years.max() or 0)  # type: ignore[call-overload]
    for other in _YEARS:
        inside = years.is_between(other.first, other.last)
        ahead = other.first > dt.date.today().year
        if inside.any() and (ahead or (not later and written and inside.fill_null(True).all())):
            row = int(inside.fill_null(False).arg_max() or 0)
            option = f"; {_OPTION}" if written else ""
            raise DataError(
                message(f"column {times.name!r}", expected="years of the Gregorian calendar",
                        received=f"{_shown(given[row])} in row {row}, of the year {years[row]}, likely of "
                                 f"{other.calendar}",
                        remedy=f"{other.remedy}{option}")
            )  # fmt: skip
    farthest = (dt.date.today() + _TWO_DIGITS).year
    if not later and written and high > farthest:
        late = (years > farthest) & ~given.str.contains(r"\d{4}")
        if late.any():
            row = int(late.fill_null(False).arg_max() or 0)
            raise DataError(
                message(f"column {times.name!r}", expected="years of four digits, or of the last 80 years",
                        received=f"{given[row]!r} in row {row}, which would be the year {years[row]}",
                        remedy=f"write {int(years[row]) - 100} or {years[row]}, or give time_format=, such as %d/%m/%y")
            )  # fmt: skip


def _shown(value: object) -> str:
    return repr(value) if isinstance(value, str) else str(value)
