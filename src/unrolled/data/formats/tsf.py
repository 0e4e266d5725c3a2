"""The Monash archive's `.tsf` format: one series per line after its attributes, as a table in long format."""

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.documents import whole_text
from unrolled.data.formats.blanks import words
from unrolled.data.formats.numbers import MISSING, number, numbers
from unrolled.data.opened import from_anywhere
from unrolled.data.source import Table
from unrolled.errors import DataError, message, nearest
from unrolled.places import local_path

SECONDS = {"seconds": 1, "secondly": 1, "minutely": 60, "minutes": 60, "half_hourly": 1800, "hourly": 3600,
           "hours": 3600, "daily": 86_400, "days": 86_400, "weekly": 604_800, "weeks": 604_800}  # fmt: skip
MONTHS = {"monthly": 1, "months": 1, "quarterly": 3, "quarters": 3, "yearly": 12, "years": 12}
KINDS = {"string": pl.String, "numeric": pl.Float64, "date": pl.Datetime("us")}
MOST_ATTRIBUTES, LONGEST = 100, 1000  # attributes, and characters of each; they are repeated for every value
_YEAR = 31_556_952  # seconds
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:[ T](\d\d)[-:](\d\d)[-:](\d\d))?")
_STEP = re.compile(r"(?:(\d+)_)?(\w+)")


@from_anywhere()
def read_tsf(path: str | Path, encoding: str | None = None) -> Table:
    r"""Read the Monash format in long format: one row per value, with `time`, `value` and a column per attribute.

    The times follow from each series' date of start and the frequency; without one of the two they are 0, 1, 2, ...
    The series are told apart by the attribute series_name, or by the first of text; without any, by a column `series`.
    `?` is a missing value and stays a row.

    Args:
        path: the file; `.gz` is unpacked.
        encoding: such as "latin1"; None = UTF-8, or what a byte order mark says.

    Raises:
        DataError: missing, empty or damaged; the message names the line.

    Source: https://forecastingdata.org.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "toy.tsf"
        >>> head = "@attribute series_name string\n@attribute start_timestamp date\n@frequency monthly\n@data\n"
        >>> _ = file.write_text(head + "T1:2024-01-31 00-00-00:5,?\n")
        >>> [(row["series_name"], str(row["time"].date()), row["value"]) for row in read_tsf(file)]
        [('T1', '2024-01-31', 5.0), ('T1', '2024-02-29', None)]
    """
    lines = whole_text(local_path(path), encoding).split("\n")
    head = _head(lines, path)
    rows: list[list[Any]] = []
    series: list[list[float | None]] = []
    for line, text in enumerate(lines[head.lines :], head.lines + 1):
        if not text.strip() or text.startswith("#"):
            continue
        *attributes, values = text.split(":")
        if len(attributes) != len(head.attributes):
            expected = f"{len(head.attributes)} attributes and the values, between colons"
            raise DataError(message(f"{path}, line {line}", expected=expected, received=f"{len(attributes)} colons"))
        found = numbers(values, path, line)
        if not found:
            raise DataError(message(f"{path}, line {line}", expected="at least one value", received="none"))
        pairs = zip(attributes, head.attributes.values(), strict=True)
        rows.append([_attribute(word.strip(" \t"), kind, path, line) for word, kind in pairs])
        series.append(found)
    if not series:
        raise DataError(message(str(path), expected="at least one series after @data", received="none"))
    return _long(head, rows, series, path)


@dataclass(frozen=True)
class _Head:
    """What the lines before the series say.

    Args:
        lines: their number, with that of @data.
        attributes: the kind of each, by its name.
        seconds: distance of two values in seconds.
        months: the same in months.
    """

    lines: int
    attributes: dict[str, str]
    seconds: int = 0
    months: int = 0


def _head(lines: Sequence[str], path: str | Path) -> _Head:
    attributes: dict[str, str] = {}
    seconds = months = 0
    for line, text in enumerate(lines, 1):
        found = words(text)
        if not found or found[0].startswith("#"):
            continue
        tag, where = found[0].lower(), f"{path}, line {line}"
        if tag == "@data":
            return _Head(line, attributes, seconds, months)
        if tag == "@attribute":
            kind = found[-1].lower()
            name = " ".join(found[1:-1])
            if not name or kind not in KINDS or name in attributes or len(attributes) >= MOST_ATTRIBUTES:
                expected = f"a new name and one of {', '.join(KINDS)}; at most {MOST_ATTRIBUTES} attributes"
                raise DataError(message(where, expected=expected, received=repr(text.strip()[:40])))
            attributes[name] = kind
        elif tag == "@frequency":
            seconds, months = _step(found[1:], where)
        elif not tag.startswith("@"):
            expected = "a comment, a line that begins with @, or @data"
            raise DataError(message(where, expected=expected, received=repr(text.strip()[:40])))
    raise DataError(message(str(path), expected="a .tsf file with a line @data", received="none"))


def _step(written: list[str], where: str) -> tuple[int, int]:
    """Return the seconds and the months of a frequency such as 10_minutes or monthly."""
    found = _STEP.fullmatch("_".join(written).lower())
    count, unit = (int((found[1] or "1")[:6]), found[2]) if found else (0, "")
    if not count or unit not in SECONDS | MONTHS:
        remedy = nearest(unit, [*SECONDS, *MONTHS])
        expected = "a frequency such as daily or 10_minutes"
        raise DataError(message(where, expected=expected, received=" ".join(written) or "none", remedy=remedy))
    return count * SECONDS.get(unit, 0), count * MONTHS.get(unit, 0)


def _attribute(word: str, kind: str, path: str | Path, line: int) -> Any:
    if kind == "numeric":
        return number(word, path, line)
    if kind == "string":
        if len(word) > LONGEST:
            expected = f"at most {LONGEST:,} characters of an attribute"
            raise DataError(message(f"{path}, line {line}", expected=expected, received=f"{len(word):,}"))
        return word
    if word.lower() in MISSING:
        return None
    found = _TIME.fullmatch(word)
    try:
        parts = [0] * 6 if found is None else [int(part or 0) for part in found.groups()]
        year, month, day, hour, minute, second = parts
        return dt.datetime(year, month, day, hour, minute, second)  # a ValueError without a match as well
    except ValueError as fault:
        expected = "a date such as 2024-01-31 00-00-00"
        raise DataError(message(f"{path}, line {line}", expected=expected, received=repr(word[:40]))) from fault


def _long(head: _Head, rows: list[list[Any]], series: list[list[float | None]], path: str | Path) -> Table:
    kinds = head.attributes
    texts = [name for name, kind in kinds.items() if kind == "string"]
    dates = [name for name, kind in kinds.items() if kind == "date"]
    group = "series_name" if "series_name" in texts else next(iter(texts), "series")
    start = next((name for name in dates if name == "start_timestamp"), next(iter(dates), None))
    lengths = np.array([len(values) for values in series])
    columns = {
        name: pl.Series([row[place] for row in rows], dtype=KINDS[kind])
        for place, (name, kind) in enumerate(kinds.items())
    }
    columns.setdefault(group, pl.Series([f"T{place}" for place in range(1, len(rows) + 1)]))
    reserved = {"time", "value"} & set(columns)
    if reserved:
        raise DataError(message(str(path), expected="other names of attributes", received=", ".join(sorted(reserved))))
    names = columns[group]
    if names.n_unique() < len(names):
        double = names.filter(names.is_duplicated())[0]
        raise DataError(message(str(path), expected=f"another {group} for each series", received=f"two of {double!r}"))
    frame = pl.DataFrame(columns).select(pl.all().gather(np.repeat(np.arange(len(rows)), lengths)))
    steps = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    frame = frame.with_columns(pl.Series("time", steps), pl.Series("value", _flat(series), dtype=pl.Float64))
    if start is not None and (head.seconds or head.months) and not columns[start].has_nulls():
        years = lengths * (head.months / 12 + head.seconds / _YEAR) + columns[start].dt.year().to_numpy()
        if years.max() >= dt.MAXYEAR:
            received = f"later ones in series {names[int(years.argmax())]!r}"
            raise DataError(message(str(path), expected=f"times before the year {dt.MAXYEAR}", received=received))
        frame = frame.with_columns(_times(pl.col(start), head))
    rest = [name for name in columns if name not in (group, start)]
    return Table(frame.select(group, "time", "value", *rest), time="time", group=group)


def _flat(series: list[list[float | None]]) -> list[float | None]:
    return [value for values in series for value in values]


def _times(start: pl.Expr, head: _Head) -> pl.Expr:
    if head.months:
        return start.dt.offset_by(pl.format("{}mo", pl.col("time") * head.months)).alias("time")
    return (start + pl.duration(seconds=pl.col("time") * head.seconds)).alias("time")
