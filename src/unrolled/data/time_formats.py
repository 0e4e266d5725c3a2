"""Texts in a format that was given, in the letters of strptime."""

import re

import polars as pl

from unrolled.data.time_texts import Read, blank
from unrolled.errors import DataError, message

_CLOCK_LETTERS = re.compile(r"%[-]?[HIMSTRrXcsk]")
_TURN = 2069
_DAY_LETTERS = re.compile(r"%[-]?[deDFjxcuwaA]|%s")


def by_format(values: pl.Series, asked: str, iso: bool) -> Read | None:
    """Return texts read by a format in the letters of strptime; None for texts in ISO 8601 where those are taken too.

    Args:
        values: the column.
        asked: the format.
        iso: whether texts may be in ISO 8601 instead.

    Raises:
        DataError: a text of another format, or no format.

    Example:
        >>> by_format(pl.Series(["07_2024"]), "%m_%Y", iso=False).naive.to_list()
        [datetime.date(2024, 7, 1)]
    """
    letters = asked.replace(".%f", "%.f").replace("%z", "%#z")
    clock, zoned = bool(_CLOCK_LETTERS.search(letters)), "%#z" in letters
    texts = values.str.strip_chars()
    if re.search(r"%[-]?[VWU]", letters) and not re.search(r"%[uwaA]", letters):
        texts, letters = texts + " 1", letters + " %u"  # weeks are read as their Monday
    elif not _DAY_LETTERS.search(letters):
        texts, letters = texts + " 1", letters + " %d"
    if "%b" not in letters and "%B" not in letters and not re.search(r"%[-]?[mjUWVDFxcs]", letters):
        texts, letters = texts + " 1", letters + " %m"
    if re.search(r"%[-]?[HI]", letters) and "%M" not in letters:
        texts, letters = texts + " 0", letters + " %M"
    try:
        if zoned:
            instants = texts.str.to_datetime(letters, time_unit="us", time_zone="UTC", strict=False)
            read = Read(instants.dt.replace_time_zone(None), instants.dt.year() * 0, [], asked)
        elif clock:
            read = Read(texts.str.to_datetime(letters, time_unit="us", strict=False), None, [], asked)
        else:
            read = Read(texts.str.to_date(letters, strict=False), None, [], asked)
    except pl.exceptions.PolarsError as fault:
        raise DataError(message("time_format", expected="a format of strptime", received=repr(asked))) from fault
    if "%y" in letters:
        read = read._replace(naive=_as_in_strptime(read.naive))
    missed = read.naive.is_null() & ~blank(values)
    if not missed.any():
        return read
    if iso and bool(values.filter(~blank(values)).str.contains(r"^\s*\d{4}-\d{2}-\d{2}").all()):
        return None
    row = int(missed.arg_max() or 0)
    raise DataError(
        message(f"column {values.name!r}", expected=f"times in the format {asked!r}",
                received=f"{values[row]!r} in row {row}")
    )  # fmt: skip


def _as_in_strptime(times: pl.Series) -> pl.Series:
    """Return times of years of two digits with 69 as 1969, which polars reads as 2069."""
    at = pl.col("at")
    return times.alias("at").to_frame().select(
        pl.when(at.dt.year() == _TURN).then(at.dt.offset_by("-100y")).otherwise(at).alias(times.name)
    ).to_series()  # fmt: skip
