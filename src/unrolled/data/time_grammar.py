"""The ways in which dates and times are written, as patterns, and the parts that a pattern finds in a column."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

DAY_FIRST, MONTH_FIRST, YEAR_FIRST = "day", "month", "year"
_PIVOT = 69  # two-digit years from here on belong to the last century, as in Python's strptime
_HOUR, _MINUTE, _SECOND = 3_600_000_000, 60_000_000, 1_000_000  # microseconds
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAME = (
    r"(?<name>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\.?"
)
_WEEKDAY = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
_CLOCK = (
    r"(?<hour>\d{1,2})(?:[:.](?<minute>\d{2})(?:[:.](?<second>\d{2})(?:[.,:](?<fraction>\d{1,9}))?)?)?"
    r"(?:\s*(?<half>[ap])\.?m\.?)?"
)
_ZONE = r"(?:\s*(?<zone>(?:utc|gmt|z)?\s?[+-]\d{2}(?::?\d{2})?|utc|gmt|z))?"
_PLACE = r"(?:\s*\[(?<place>[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)*)\])?(?:\s*\([^()]*\))?"
_BETWEEN = r"(?:\s*[t,:]\s*|\s+(?:at\s+)?)"
_TAIL = rf"(?:{_BETWEEN}{_CLOCK}{_ZONE}{_PLACE})?"
_COMPACT_TAIL = (
    r"(?:[t\s]?(?<hour>\d{2}):?(?<minute>\d{2})(?::?(?<second>\d{2})(?:[.,](?<fraction>\d{1,9}))?)?"
    rf"{_ZONE}{_PLACE})?"
)
_DAY = r"(?<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?<year>\d{4}|\d{2})"


class Writing(NamedTuple):
    """One way to write a time.

    Args:
        name: an example.
        pattern: a regular expression with a named group for each part.
    """

    name: str
    pattern: str


def _writing(name: str, pattern: str) -> Writing:
    return Writing(name, rf"(?i)^\s*{pattern}\s*$")


THREE_NUMBERS = "31/01/2024"  # the only writing in which the order of the parts is open
WRITINGS = (
    _writing("2024-01-31", rf"(?<year>\d{{4}})[-/.年]\s?(?<month>\d{{1,2}})[-/.月]\s?(?<day>\d{{1,2}})[日.]?{_TAIL}"),
    _writing("2024 01 31", rf"(?<year>\d{{4}}) (?<month>\d{{2}}) (?<day>\d{{2}}){_TAIL}"),
    _writing("20240131", rf"(?<year>\d{{4}})(?<month>\d{{2}})(?<day>\d{{2}}){_COMPACT_TAIL}"),
    _writing(THREE_NUMBERS, rf"{_WEEKDAY}(?<a>\d{{1,2}})[-/. ](?<b>\d{{1,2}})[-/. ](?<c>\d{{4}}|\d{{2}}){_TAIL}"),
    _writing("10:00 31/01/2024",
             rf"{_CLOCK}{_ZONE}[\s,]+(?<a>\d{{1,2}})[-/.](?<b>\d{{1,2}})[-/.](?<c>\d{{4}}|\d{{2}})"),
    _writing("31 Jan 2024", rf"{_WEEKDAY}{_DAY}\.?[-/.,\s]*(?:of\s+)?{_NAME}[-/.,\s]*{_YEAR}{_TAIL}"),
    _writing("Jan 31, 2024", rf"{_WEEKDAY}{_NAME}[-/.\s]*{_DAY}(?:,\s*|[-/.\s]+){_YEAR}{_TAIL}"),
    _writing("2024 Jan 31", rf"(?<year>\d{{4}})[-/.,\s]*{_NAME}[-/.,\s]*{_DAY}{_TAIL}"),
    _writing("Wed Jan 31 10:00:00 2024",
             rf"{_WEEKDAY}{_NAME}\s+{_DAY}\s+{_CLOCK}{_ZONE}\s+(?<year>\d{{4}})"),
    _writing("2024-W05-3", r"(?<year>\d{4})[-\s]?w(?<week>\d{2})(?:-?(?<weekday>[1-7]))?" + _TAIL),
    _writing("Jan 2024", rf"{_NAME}[-/.,'\s]*{_YEAR}"),
    _writing("2024 Jan", rf"(?<year>\d{{4}})[-/.,\s]*{_NAME}"),
    _writing("2024 Q1", r"(?<year>\d{4})[-/.:\s]*q(?<quarter>[1-4])"),
    _writing("Q1 2024", rf"q(?<quarter>[1-4])[-/.:'\s]*{_YEAR}"),
    _writing("1Q2024", rf"(?<quarter>[1-4])q[-/.:'\s]*{_YEAR}"),
    _writing("2024-01", r"(?<year>\d{4})(?:[-/.\s]|-?m)(?<month>\d{1,2})"),
    _writing("01/2024", r"(?<month>\d{1,2})[-/.\s](?<year>\d{4})"),
    _writing("202401", r"(?<year>(?:19|20)\d{2})(?<month>\d{2})"),
    _writing("2024-031", r"(?<year>\d{4})-(?<ordinal>\d{3})" + _TAIL),
    _writing("2024", r"(?<year>\d{4})"),
)  # fmt: skip
BY_NAME = {writing.name: writing for writing in WRITINGS}
_COMPACT = ("20240131", "202401")  # the writings that a whole number may have
_WINDOW = {6: (190001, 210012), 8: (19000101, 21001231), 12: (190001010000, 210012312359),
           14: (19000101000000, 21001231235959)}  # fmt: skip


def writings_of(sample: pl.Series) -> list[Writing]:
    """Return the writings that fit every text of a sample.

    Example:
        >>> [writing.name for writing in writings_of(pl.Series(["13/01/2024", "14/01/2024 05:00"]))]
        ['31/01/2024']
    """
    return [writing for writing in WRITINGS if sample.str.contains(writing.pattern).all()]


def compact_writing(numbers: pl.Series) -> Writing | None:
    """Return the writing of whole numbers such as 20240131 that are all digits of dates, 1900 to 2100, else None."""
    low, high = numbers.min(), numbers.max()
    if low is None or high is None:
        return None
    for digits, (least, most) in _WINDOW.items():
        if least <= low and high <= most:  # type: ignore[operator]
            return BY_NAME[_COMPACT[digits == min(_WINDOW)]]
    return None


class Parts(NamedTuple):
    """What a writing finds in a column; the series have the column's length.

    Args:
        found: the text of each part, by name; null where a value has no such part.
        timed: which values have an hour.
        offsets: minutes east of Greenwich, null where a value has no offset.
        places: names of zones that values bear.
    """

    found: pl.DataFrame
    timed: pl.Series
    offsets: pl.Series
    places: list[str]


def parts_of(values: pl.Series, writing: Writing) -> Parts:
    """Return the parts of each value."""
    found = values.str.extract_groups(writing.pattern).struct.unnest()
    absent = pl.lit(None, dtype=pl.String)
    found = found.with_columns(
        absent.alias(name)
        for name in ("hour", "minute", "second", "fraction", "half", "zone", "place")
        if name not in found.columns
    )
    named = found["place"].drop_nulls().unique().to_list() if found["place"].null_count() < len(found) else []
    return Parts(found, found["hour"].is_not_null(), _offsets(found["zone"]), sorted(named))


def _offsets(zone: pl.Series) -> pl.Series:
    if zone.null_count() == len(zone):
        return pl.Series(zone.name, [None], dtype=pl.Int32).new_from_index(0, len(zone))
    digits = zone.str.extract_groups(r"(?<sign>[+-])(?<hours>\d{2}):?(?<minutes>\d{2})?$").struct.unnest()
    minutes = pl.col("hours").cast(pl.Int32) * 60 + pl.col("minutes").cast(pl.Int32).fill_null(0)
    signed = pl.when(pl.col("sign") == "-").then(-minutes).otherwise(minutes).fill_null(0)
    return digits.select(pl.when(pl.lit(zone.is_not_null())).then(signed)).to_series()


def date_of(parts: Parts, order: str) -> pl.Series:
    """Return the day of each value, null for one that does not exist; months and quarters begin on their first day.

    Args:
        parts: parts of the column.
        order: the part that comes first in 31/01/2024: "day", "month", or "year" (24/01/31).
    """
    found = parts.found
    if "a" in found.columns:
        names = {DAY_FIRST: "day month year", MONTH_FIRST: "month day year", YEAR_FIRST: "year month day"}[order]
        found = found.rename(dict(zip("abc", names.split(), strict=True)))
    year = _full_year(found["year"])
    if "week" in found.columns:
        text, form = pl.concat_str(year, pl.lit("-"), "week", pl.lit("-"), pl.col("weekday").fill_null("1")), "%G-%V-%u"
    elif "ordinal" in found.columns:
        text, form = pl.concat_str(year, pl.lit("-"), "ordinal"), "%Y-%j"
    else:
        text, form = (
            pl.concat_str(year, pl.lit("-"), _month(found.columns), pl.lit("-"), _day(found.columns)),
            "%Y-%m-%d",
        )
    return found.select(text.str.to_date(form, strict=False)).to_series()


def _full_year(year: pl.Series) -> pl.Expr:
    """Return years of four digits; two digits are 1969 to 2068."""
    two = pl.col("year").str.len_bytes() == 2
    number = pl.col("year").cast(pl.Int32, strict=False)
    century = pl.when(number >= _PIVOT).then(pl.lit("19")).otherwise(pl.lit("20"))
    if year.str.len_bytes().min() == 2:
        return pl.when(two).then(pl.concat_str(century, "year")).otherwise(pl.col("year"))
    return pl.col("year")


def _month(columns: Sequence[str]) -> pl.Expr:
    if "name" in columns:
        numbers = [f"{number:02d}" for number in range(1, 13)]
        return pl.col("name").str.slice(0, 3).str.to_lowercase().replace_strict(_MONTHS, numbers, default=None)
    if "quarter" in columns:
        return pl.col("quarter").replace_strict(["1", "2", "3", "4"], ["01", "04", "07", "10"], default=None)
    return pl.col("month").str.zfill(2) if "month" in columns else pl.lit("01")


def _day(columns: Sequence[str]) -> pl.Expr:
    return pl.col("day").str.zfill(2) if "day" in columns else pl.lit("01")


def clock_of(parts: Parts) -> pl.Series:
    """Return the time of day in microseconds, (N,); 0 without an hour, null for one that does not exist."""
    hour, minute, second = (
        pl.col(name).cast(pl.Int64, strict=False).fill_null(0) for name in ("hour", "minute", "second")
    )
    afternoon = pl.col("half").str.to_lowercase() == "p"
    halved = pl.col("half").is_not_null()
    turned = pl.when(halved).then(hour % 12 + pl.when(afternoon).then(12).otherwise(0)).otherwise(hour)
    part = pl.col("fraction").str.slice(0, 6).str.pad_end(6, "0").cast(pl.Int64, strict=False).fill_null(0)
    whole = turned * _HOUR + minute * _MINUTE + second * _SECOND + part
    real = (minute < 60) & (second < 60) & (~halved | hour.is_between(1, 12)) & (whole <= 24 * _HOUR)
    clear = pl.col("hour").is_null() | halved | pl.col("minute").is_not_null() | (pl.col("hour").str.len_bytes() == 2)
    return parts.found.select(pl.when(real & clear).then(whole)).to_series()
