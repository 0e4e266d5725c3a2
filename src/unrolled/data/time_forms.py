"""TimeForm: how the times of a column are written. It is learnt from the whole column and reads later values."""

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

import polars as pl

from unrolled.data.time_grammar import DAY_FIRST, MONTH_FIRST, compact_writing
from unrolled.data.time_numbers import PER_SECOND, finite, refuse_other_unit, times_of, unit_of, usual
from unrolled.data.time_options import NUMBER, TimeOptions
from unrolled.data.time_texts import Read, blank, read_texts
from unrolled.data.time_zones import placed, unified
from unrolled.errors import ArtifactError, DataError, message

_DIGITS = r"^\s*[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?\s*$"
_DIGITS_OR_BLANK = rf"{_DIGITS}|^$"
_TRIED = 10
_YEAR = r"^\s*\d{4}\s*$"
_ACCEPTED = "dates, datetimes, ISO text or numbers"
_CLOCK_LETTERS = re.compile(r"%[-]?[HIMSTRrXcsk]")
_DAY_ONE = dt.date(1970, 1, 1)
_DAY_LETTERS = re.compile(r"%[-]?[deDFjxcuwaA]|%s")


@dataclass(frozen=True)
class TimeForm:
    """How the times of a column are written, as plain values; `parse` reads later values in the same way.

    Args:
        kind: "number", "date" or "datetime".
        writing: an example of how texts are written, such as "31/01/2024"; "" for a column that held no text.
        order: the part that comes first in 31/01/2024: "day", "month" or "year"; "" where it is not open.
        time_format: the format that was given, None if none was.
        unit: what numbers count, None for a column that held no numbers, or dates such as 20240131.
        zone: the zone of the times, None for times without one.

    Example:
        >>> form = learn_form(pl.Series("day", ["13/04/2024", "14/04/2024"]))
        >>> form.order, form.parse(pl.Series("day", ["10/04/2024"]))[0]
        ('day', datetime.date(2024, 4, 10))
    """

    kind: Literal["number", "date", "datetime"]
    writing: str = ""
    order: str = ""
    time_format: str | None = None
    unit: str | None = None
    zone: str | None = None

    def parse(self, values: pl.Series, group: pl.Series | None = None) -> pl.Series:
        """Return later values as times of this form.

        Args:
            values: dates, datetimes, text or numbers.
            group: the series of each value; None for a single one.

        Raises:
            DataError: values of another kind or order, or in a zone where training had none.
        """
        where = f"column {values.name!r}"
        if self.unit and values.dtype.is_numeric():
            refuse_other_unit(values, self.unit)
        times, found = _read(values, self, group)
        if (found.kind == NUMBER) != (self.kind == NUMBER):
            wanted = "numbers, as in training" if self.kind == NUMBER else "dates and times, as in training"
            raise DataError(message(where, expected=wanted, received=_shown(values)))
        if self.kind == NUMBER:
            return times
        if found.zone == "UTC" and self.zone is None:
            times = times.dt.replace_time_zone(None)  # times without a zone are UTC where others are
        elif found.zone is not None and self.zone is None:
            raise DataError(
                message(where, expected="times without a zone or in UTC, as in training", received=_shown(values),
                        remedy="leave the zone out, or train with zone=")
            )  # fmt: skip
        return as_datetimes(times, self.zone) if self.kind == "datetime" else times

    def parse_one(self, value: Any, column: str = "time") -> Any:
        """Return one later value as a date, a datetime or a number.

        Args:
            value: in any form that a time column may have.
            column: its name, for messages.

        Raises:
            DataError: as in `parse`, and for a missing value.
        """
        time = self.parse(series_of_one(column, value))[0]
        if time is None:
            raise DataError(message(f"column {column!r}", expected="a time", received=repr(value)))
        return time

    def seconds_of_one(self, value: Any, column: str = "time") -> float:
        """Return one later value in seconds since 1970 (UTC); a number that is no time stays itself.

        Args:
            value: in any form that a time column may have; the usual types are converted without a table.
            column: its name, for messages.

        Raises:
            DataError: as in `parse_one`.
        """
        if isinstance(value, int | float) and not isinstance(value, bool):
            if self.kind == NUMBER and math.isfinite(value):
                return float(value)
            if self.unit in PER_SECOND and usual(value, self.unit):
                return value / PER_SECOND[self.unit]
        time = self.parse_one(value, column)
        if isinstance(time, dt.datetime):
            return (time if time.tzinfo else time.replace(tzinfo=dt.UTC)).timestamp()
        if isinstance(time, dt.date):
            return (time - _DAY_ONE).days * 86_400.0
        if not math.isfinite(time):
            raise DataError(message(f"column {column!r}", expected="a time", received=repr(value)))
        return float(time)

    def local_second(self, seconds: float) -> float:
        """Return seconds since 1970 by the clocks of the zone, as if they showed UTC."""
        if self.zone in (None, "UTC"):
            return seconds
        offset = dt.datetime.fromtimestamp(seconds, ZoneInfo(str(self.zone))).utcoffset()
        return seconds + (offset or dt.timedelta(0)).total_seconds()

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned; ArtifactError for other values."""
        try:
            TimeOptions(time_format=data["time_format"], unit=data["unit"], zone=data["zone"])
            form = cls(**data)
        except (KeyError, TypeError, ValueError) as fault:
            raise ArtifactError(
                message("form of times", expected="what to_json returned", received=str(fault))
            ) from fault
        if form.kind not in (NUMBER, "date", "datetime") or form.order not in ("", "day", "month", "year"):
            raise ArtifactError(message("form of times", expected="a kind and an order", received=repr(data)))
        return form

    def __str__(self) -> str:
        notes = [
            f"written like {self.writing}" if self.writing else "",
            f"the {self.order} first" if self.order else "",
            f"in {self.unit}" if self.unit and self.unit != NUMBER else "",
            f"zone {self.zone}" if self.zone else "",
        ]
        return ", ".join([self.kind, *(note for note in notes if note)])


def saved_form(data: Mapping[str, Any] | None, numbers: bool) -> TimeForm | None:
    """Return the form that a saved model holds; models of earlier versions have none, and took numbers for no times.

    Args:
        data: what `TimeForm.to_json` returned, or None.
        numbers: whether the model's times are numbers.
    """
    if data is not None:
        return TimeForm.from_json(data)
    return TimeForm(NUMBER) if numbers else None


def learn_form(values: pl.Series, options: TimeOptions | None = None, group: pl.Series | None = None) -> TimeForm:
    """Return the form that reads every value of a column; see `read_times`."""
    return read_times(values, options, group)[1]


def read_times(
    values: pl.Series, options: TimeOptions | None = None, group: pl.Series | None = None
) -> tuple[pl.Series, TimeForm]:
    """Return a column as dates, datetimes or numbers, and the form that was learnt from all of its values.

    Where the order of day and month is open, the one that makes the steps regular is taken, if only one does.

    Args:
        values: dates, datetimes, text or numbers.
        options: what the values leave open; None for no options.
        group: the series of each value; None for a single one.

    Raises:
        DataError: a value that cannot be read, or doubt that an option settles; the message names both.
    """
    chosen = options or TimeOptions()
    order = "" if chosen.day_first is None else DAY_FIRST if chosen.day_first else MONTH_FIRST
    times, form = _read(values, TimeForm("datetime", "", order, chosen.time_format, chosen.unit, chosen.zone), group)
    for name in ("zone", "time_format", "day_first"):
        if form.kind == NUMBER and getattr(chosen, name) is not None:
            raise DataError(
                message(f"column {values.name!r}", expected=f"times, as {name}={getattr(chosen, name)!r} is given",
                        received=_shown(values), remedy="name what the numbers count with unit=")
            )  # fmt: skip
    return times, form


def series_of_one(column: str, value: Any) -> pl.Series:
    """Return a single value as a column; DataError for a value that no column can hold."""
    try:
        return pl.Series(column, [value])
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as fault:
        raise DataError(message(f"column {column!r}", expected=_ACCEPTED, received=repr(value)[:60])) from fault


def as_datetimes(times: pl.Series, zone: str | None) -> pl.Series:
    """Return dates as their midnights, in a zone if one is given; datetimes stay unchanged."""
    return unified(times.cast(pl.Datetime("us")), zone) if times.dtype == pl.Date else times


def _read(values: pl.Series, hints: TimeForm, group: pl.Series | None) -> tuple[pl.Series, TimeForm]:
    kind = values.dtype
    if kind in (pl.Categorical, pl.Enum):
        values, kind = values.cast(pl.String), pl.String()
    if kind == pl.Date or isinstance(kind, pl.Datetime):
        return _formed(unified(values, hints.zone, group), hints)
    if kind.is_numeric():
        return _numbers(values, hints, group)
    if kind == pl.String:
        return _texts(values, hints, group)
    raise DataError(message(f"column {values.name!r}", expected=_ACCEPTED, received=str(kind)))


def _formed(
    times: pl.Series, hints: TimeForm, writing: str = "", order: str = "", unit: str | None = None
) -> tuple[pl.Series, TimeForm]:
    zone = times.dtype.time_zone if isinstance(times.dtype, pl.Datetime) else None
    kind: Literal["date", "datetime"] = "date" if times.dtype == pl.Date else "datetime"
    return times, TimeForm(kind, writing, order, hints.time_format, unit, zone)


def _numbers(values: pl.Series, hints: TimeForm, group: pl.Series | None) -> tuple[pl.Series, TimeForm]:
    if NUMBER in (hints.kind, hints.unit):
        return values, TimeForm("number", unit=hints.unit)
    known = finite(values)
    if hints.unit is None:
        digits = _digits(known)
        if digits is not None and (hints.time_format or compact_writing(digits)):
            return _texts(digits.cast(pl.String), hints, group)
    unit = hints.unit or unit_of(values)
    if unit == NUMBER:
        return values, TimeForm("number")
    return _formed(unified(times_of(values, unit), hints.zone, group), hints, unit=unit)


def _digits(known: pl.Series) -> pl.Series | None:
    """Return whole numbers as integers, None where one has decimals or there is none."""
    if known.null_count() == len(known):
        return None
    if known.dtype.is_integer():
        return known
    whole = known.cast(pl.Float64)
    return known.cast(pl.Int64, strict=False) if bool((whole == whole.floor()).all()) else None


def _texts(values: pl.Series, hints: TimeForm, group: pl.Series | None) -> tuple[pl.Series, TimeForm]:
    if values.null_count() == len(values) or (blank(values.head(1)).all() and blank(values).all()):
        raise DataError(message(f"column {values.name!r}", expected="at least one time", received="none"))
    read = None if hints.time_format is None else _by_format(values, hints)
    if read is None:
        numbers = _numeric(values, hints.kind == NUMBER)
        if numbers is not None and (hints.kind == NUMBER or hints.unit or not compact_writing(numbers)):
            return _numbers(numbers, hints, group)
        if hints.kind == NUMBER:
            raise DataError(
                message(f"column {values.name!r}", expected="numbers, as in training", received=_shown(values))
            )
        read = read_texts(values, hints.order, hints.writing, group)
    if read.offsets is not None:
        times = placed(read.naive, read.offsets, read.places, hints.zone)
    else:
        times = unified(read.naive, hints.zone, group)
    return _formed(times.alias(values.name), hints, read.writing, read.order)


def _numeric(values: pl.Series, years: bool) -> pl.Series | None:
    """Return texts that are all numbers as such, None for others, and for years unless they are wanted."""
    first = values.drop_nulls().head(_TRIED).str.strip_chars()
    if not first.str.contains(_DIGITS_OR_BLANK).all():
        return None
    given = values.filter(~blank(values))
    if not given.str.contains(_DIGITS).all() or (not years and given.str.contains(_YEAR).all()):
        return None
    whole = values.str.strip_chars()
    numbers = whole.cast(pl.Int64, strict=False)
    return numbers if len(numbers) - numbers.null_count() == len(given) else whole.cast(pl.Float64, strict=False)


def _by_format(values: pl.Series, hints: TimeForm) -> Read | None:
    """Return texts read by the given format; None where later texts are ISO instead."""
    asked = str(hints.time_format)
    letters = asked.replace(".%f", "%.f").replace("%z", "%#z")
    clock, zoned = bool(_CLOCK_LETTERS.search(letters)), "%#z" in letters
    texts = values.str.strip_chars()
    if not _DAY_LETTERS.search(letters):
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
        received = f"{asked!r} ({str(fault).splitlines()[0]})"
        raise DataError(message("time_format", expected="a format of strptime", received=received)) from fault
    missed = read.naive.is_null() & ~blank(values)
    if not missed.any():
        return read
    if hints.writing and bool(values.filter(~blank(values)).str.contains(r"^\s*\d{4}-\d{2}-\d{2}").all()):
        return None
    row = int(missed.arg_max() or 0)
    raise DataError(
        message(f"column {values.name!r}", expected=f"times in the format {asked!r}",
                received=f"{values[row]!r} in row {row}")
    )  # fmt: skip


def _shown(values: pl.Series) -> str:
    row = int(values.is_not_null().arg_max() or 0)
    return f"{values.dtype}: {values[row]!r} in row {row}" if len(values) else str(values.dtype)
