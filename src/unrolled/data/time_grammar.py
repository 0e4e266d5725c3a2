"""The ways in which dates and times are written, as patterns, and the parts that a pattern finds in a column."""

from collections.abc import Sequence
from typing import NamedTuple

import polars as pl

from unrolled.data.zone_names import name_offsets

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
    r"(?<hour>\d{1,2})(?:[:.h](?<minute>\d{2})(?:[:.](?<second>\d{2})(?:[.,:](?<fraction>\d{1,9}))?)?|h\b)?"
    r"(?:\s*(?<half>[ap])\.?\s?m\.?)?(?:\s*(?:uhr|hrs|h)\b)?"
)
_ZONE = r"(?:\s*(?<zone>(?:utc|gmt|z)?\s?[+-]\d{2}(?::?\d{2})?|(?:utc|gmt)[+-]\d\b|utc\b|gmt\b|z\b))?"
_PLACE = r"(?:\s*\[?(?<place>[a-z_]+(?:/[a-z0-9_+-]+)+|utc)\]?)?"
_NAMED = r"(?:\s*\[?(?<abbreviation>[a-z]{2,5})\b\]?)?"
_NOTE = r"(?:\s*\((?<note>[^()]*)\))?"
_NOTED = r"(?i)^((?:utc|gmt)\s?[+-]\d{1,2}(?::?\d{2})?)$"  # an offset in brackets
_BETWEEN = r"(?:\s*[t,;_]\s*|\s+(?:at\s+)?)"
_AFTER = rf"{_CLOCK}{_ZONE}{_PLACE}{_NAMED}{_NOTE}"
_TAIL = rf"(?:{_BETWEEN}{_AFTER})?"
_COMPACT_TAIL = (
    r"(?:[t\s_-]?(?<hour>\d{2})(?::?(?<minute>\d{2})(?::?(?<second>\d{2})(?:[.,]?(?<fraction>\d{1,9}))?)?)?"
    rf"{_ZONE}{_PLACE}{_NAMED})?"
)
_PART = r"(?:\s?[-/.]\s?| )"  # of 31/01/2024
_DAY = r"(?<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?<year>\d{4}|\d{2})"
_WEEK = r"(?:w|kw|cw|wk\.?|week|woche|(?:calendar\s)?week)"
_QUARTER = r"(?:q|t|k|qtr\.?|quarter|quartal|kvartal|kwartaal|trimestre)"
_HALF = r"(?:h|s|hj|hy|half|halbjahr|semestre)"
_NUMBERED = r"(?:st|nd|rd|th|er|e|[.\xba\xaa])?\s?"  # 1st, 1., 1er


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


THREE_NUMBERS = "31/01/2024"  # the order of its parts is open
SEASON = "2023/24"
SHORT_MONTHS = "2024.1"  # to 2024.12, as text; as a number 2024.1 is October
WRITINGS = (
    _writing("2024-01-31",
             rf"(?<year>\d{{4}})[-/.:年년]\s?(?<month>\d{{1,2}})[-/.:月월]\s?(?<day>\d{{1,2}})[日일.]?(?:(?:{_BETWEEN}|-){_AFTER})?"),
    _writing("2024 01 31", rf"(?<year>\d{{4}}) (?<month>\d{{2}}) (?<day>\d{{2}}){_TAIL}"),
    _writing("20240131", rf"(?<year>\d{{4}})(?<month>\d{{2}})(?<day>\d{{2}}){_COMPACT_TAIL}"),
    _writing(THREE_NUMBERS, rf"{_WEEKDAY}(?<a>\d{{1,2}}){_PART}(?<b>\d{{1,2}}){_PART}(?<c>\d{{4}}|\d{{2}}){_TAIL}"),
    _writing("31012024", r"(?<a>\d{2})(?<b>\d{2})(?<c>(?:19|20)\d{2})"),
    _writing("10:00 31/01/2024",
             rf"{_CLOCK}{_ZONE}{_NAMED}[\s,]+(?<a>\d{{1,2}})[-/.](?<b>\d{{1,2}})[-/.](?<c>\d{{4}}|\d{{2}})"),
    _writing("31 Jan 2024", rf"{_WEEKDAY}{_DAY}\.?[-/.,\s]*(?:of\s+)?{_NAME}[-/.,\s]*{_YEAR}{_TAIL}"),
    _writing("31/Jan/2024:10:00:00", rf"{_DAY}[-/]?{_NAME}[-/]?(?<year>\d{{4}}):{_AFTER}"),
    _writing("Jan 31, 2024", rf"{_WEEKDAY}{_NAME}[-/.\s]*{_DAY}(?:,\s*|[-/.\s]+){_YEAR}{_TAIL}"),
    _writing("2024 Jan 31", rf"(?<year>\d{{4}})[-/.,\s]*{_NAME}[-/.,\s]*{_DAY}\.?{_TAIL}"),
    _writing("Wed Jan 31 10:00:00 2024",
             rf"{_WEEKDAY}{_NAME}\s+{_DAY}\s+{_CLOCK}{_ZONE}{_NAMED}\s+(?<year>\d{{4}})"),
    _writing("2024-W05-3", rf"(?<year>\d{{4}})[-/\s]?{_WEEK}[-\s]?(?<week>\d{{1,2}})(?:-(?<weekday>[1-7]))?{_TAIL}"),
    _writing("2024W053", rf"(?<year>\d{{4}})-?w(?<week>\d{{2}})(?<weekday>[1-7])?{_TAIL}"),
    _writing("W05 2024", rf"{_WEEK}[\s.]*(?<week>\d{{1,2}})[-/.,\s]+(?<year>\d{{4}})"),
    _writing("Jan 2024", rf"{_NAME}[-/.,'\s]*{_YEAR}"),
    _writing("2024 Jan", rf"(?<year>\d{{4}})[-/.,\s]*{_NAME}"),
    _writing("2024 Q1", rf"(?<year>\d{{4}}|\d{{2}})[-/.:\s]*{_QUARTER}\s?0?(?<quarter>[1-4])"),
    _writing("Q1 2024", rf"{_QUARTER}\s?(?<quarter>[1-4])[-/.:,'\s]*{_YEAR}"),
    _writing("2024 1. Quartal", rf"(?<year>\d{{4}})[-/.:\s]+(?<quarter>[1-4]){_NUMBERED}{_QUARTER}"),
    _writing("1Q2024", rf"(?<quarter>[1-4]){_NUMBERED}{_QUARTER}[-/.:,'\s]*{_YEAR}"),
    _writing("2024 H1", rf"(?<year>\d{{4}}|\d{{2}})[-/.:\s]*{_HALF}\s?0?(?<halfyear>[12])"),
    _writing("H1 2024", rf"{_HALF}\s?(?<halfyear>[12])[-/.:,'\s]*{_YEAR}"),
    _writing("1H2024", rf"(?<halfyear>[12]){_NUMBERED}{_HALF}[-/.:,'\s]*{_YEAR}"),
    _writing(SEASON, r"(?:fy\s?)?(?<year>\d{4})[-/](?<next>\d{4}|\d{2})"),
    _writing("2024-01", r"(?<year>\d{4})(?:[-/.\s年]|[-\s]?mm?)(?<month>\d{1,2})月?"),
    _writing("2024:01", r"(?<year>(?:19|20)\d{2}):(?<month>\d{2})"),
    _writing("01/2024", r"(?<month>\d{1,2})[-/.\s](?<year>\d{4})"),
    _writing("202401", r"(?<year>(?:19|20)\d{2})(?<month>\d{2})"),
    _writing("012024", r"(?<month>0[1-9]|1[0-2])(?<year>(?:19|20)\d{2})"),
    _writing("2024-031", r"(?<year>\d{4})-d?(?<ordinal>\d{3})" + _TAIL),
    _writing("1950s", r"(?<year>\d{3}0)s"),
    _writing("FY2024", rf"fy\s?'?{_YEAR}"),
    _writing("2024", r"(?<year>\d{4})(?:-?a1|jj00)?"),
)  # fmt: skip
_WEEKS = _writing("202453", r"(?<year>(?:19|20)\d{2})(?<week>[0-5]\d)")  # read only where the digits turn as weeks do
_SHORT_MONTHS = _writing(SHORT_MONTHS, r"(?<year>\d{4})\.(?<month>\d{1,2})")
BY_NAME = {writing.name: writing for writing in (*WRITINGS, _WEEKS, _SHORT_MONTHS)}


def writings_of(sample: pl.Series) -> list[Writing]:
    """Return the writings that fit every text of a sample.

    Example:
        >>> [writing.name for writing in writings_of(pl.Series(["13/01/2024", "14/01/2024 05:00"]))]
        ['31/01/2024']
    """
    return [writing for writing in WRITINGS if sample.str.contains(writing.pattern).all()]


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


def parts_of(values: pl.Series, writing: Writing, zone: str | None = None) -> Parts:
    """Return the parts of each value.

    Args:
        values: the column.
        writing: how it is written.
        zone: the zone that was given or learnt, whose abbreviations are known; None for none.

    Raises:
        DataError: an abbreviation of a zone that has several meanings, or none.
    """
    found = values.str.extract_groups(writing.pattern).struct.unnest()
    absent = pl.lit(None, dtype=pl.String)
    found = found.with_columns(
        absent.alias(name)
        for name in ("hour", "minute", "second", "fraction", "half", "zone", "place", "abbreviation", "note")
        if name not in found.columns
    )
    named = found["place"].drop_nulls().unique().to_list() if found["place"].null_count() < len(found) else []
    offsets = _offsets(found.select(pl.coalesce("zone", pl.col("note").str.extract(_NOTED))).to_series())
    # what stands in brackets after an offset only names it
    bare = pl.col("zone").is_null() & pl.col("place").is_null() & ~pl.col("note").str.contains(_NOTED)
    alone = pl.coalesce("abbreviation", pl.when(bare).then("note"))
    short = found.select(alone).to_series().alias(values.name)
    if short.null_count() < len(short):
        offsets = pl.select(pl.coalesce(offsets, name_offsets(short, zone))).to_series()
    return Parts(found, found["hour"].is_not_null(), offsets, sorted(named))


def _offsets(zone: pl.Series) -> pl.Series:
    if zone.null_count() == len(zone):
        return pl.Series(zone.name, [None], dtype=pl.Int32).new_from_index(0, len(zone))
    digits = zone.str.extract_groups(r"(?<sign>[+-])(?<hours>\d{1,2}?):?(?<minutes>\d{2})?$").struct.unnest()
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
        weekday = pl.col("weekday").fill_null("1") if "weekday" in found.columns else pl.lit("1")
        text, form = pl.concat_str(year, pl.lit("-"), pl.col("week").str.zfill(2), pl.lit("-"), weekday), "%G-%V-%u"
    elif "ordinal" in found.columns:
        text, form = pl.concat_str(year, pl.lit("-"), "ordinal"), "%Y-%j"
    else:
        text, form = (
            pl.concat_str(year, pl.lit("-"), _month(found.columns), pl.lit("-"), _day(found.columns)),
            "%Y-%m-%d",
        )
    day = text.str.to_date(form, strict=False)
    if "next" in found.columns:  # 2023/24 is a year that ends in the next one
        end = pl.col("next").cast(pl.Int32, strict=False)
        day = pl.when((pl.col("year").cast(pl.Int32, strict=False) + 1 - end) % 100 == 0).then(day)
    return found.select(day).to_series()


def _full_year(year: pl.Series) -> pl.Expr:
    """Return years of four digits, null for the year 0; two digits are 1969 to 2068."""
    number = pl.col("year").cast(pl.Int32, strict=False)
    full = pl.when(pl.col("year") != "0000").then(pl.col("year"))
    if year.str.len_bytes().min() != 2:
        return full
    century = pl.when(number >= _PIVOT).then(pl.lit("19")).otherwise(pl.lit("20"))
    two = pl.col("year").str.len_bytes() == 2
    return pl.when(two).then(pl.concat_str(century, "year")).otherwise(full)


def _month(columns: Sequence[str]) -> pl.Expr:
    if "name" in columns:
        numbers = [f"{number:02d}" for number in range(1, 13)]
        return pl.col("name").str.slice(0, 3).str.to_lowercase().replace_strict(_MONTHS, numbers, default=None)
    if "halfyear" in columns:
        return pl.col("halfyear").replace_strict(["1", "2"], ["01", "07"], default=None)
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
    leap = (second == 60) & (minute == 59)  # a second that is added to a day is the first of the next one
    real = (minute < 60) & ((second < 60) | leap) & (~halved | hour.is_between(1, 12)) & (whole <= 24 * _HOUR)
    clear = pl.col("hour").is_null() | halved | pl.col("minute").is_not_null() | (pl.col("hour").str.len_bytes() == 2)
    return parts.found.select(pl.when(real & clear).then(whole)).to_series()
