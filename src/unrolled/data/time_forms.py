"""TimeForm: how the times of a column are written. It is learnt from the whole column and reads later values."""

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any, Literal, Self
from zoneinfo import ZoneInfo

import polars as pl

from unrolled.data.time_digits import decimal_months, digits_writing, padded
from unrolled.data.time_doubts import refuse_doubt, refuse_other_start
from unrolled.data.time_epochs import PER_SECOND
from unrolled.data.time_formats import by_format
from unrolled.data.time_grammar import DAY_FIRST, MONTH_FIRST, SHORT_MONTHS
from unrolled.data.time_numbers import finite, refuse_other_unit, times_of, unit_of, usual
from unrolled.data.time_options import NUMBER, TimeOptions
from unrolled.data.time_remedies import refuse_odd_years
from unrolled.data.time_steps import refuse_swapped
from unrolled.data.time_texts import Hints, blank, read_texts
from unrolled.data.time_zones import local_midnights, placed, single_place, unified, zones_of_midnights, zones_of_series
from unrolled.errors import ArtifactError, DataError, message

_DIGITS = r"^\s*[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?\s*$"
_DIGITS_OR_BLANK = rf"{_DIGITS}|^$"
_TRIED = 10
_YEAR = r"^\d{4}$"
_MONTH_YEAR, _YEAR_MONTH = r"^\d{1,3}\.(?:19|20)\d{2}$", r"^(?:19|20)\d{2}\.(?:0[1-9]|1[0-2])$"
_SHORT_MONTH = r"^\s*(?:19|20)\d{2}\.(?:[1-9]|1[0-2])\s*$"
_SHORT_MONTH_OR_BLANK = rf"{_SHORT_MONTH}|^$"
DIGITS = ("20240131", "202401", "31012024", "012024", "202453")  # the writings that a whole number may have
DECIMALS = ("2024-01", "01/2024")  # those of 2024.01 and 1.2024
_ACCEPTED = "dates, datetimes, ISO text or numbers"
_DAY_ONE = dt.date(1970, 1, 1)


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
        language: the language of the names of months, "" for English or none.
        spans: whether texts are spans of time, of which the first one is read.
        learnt: whether this was learnt from a column, and is not what options say.
        zones: the zone of each series, by its name, if there are several; times are in UTC then.

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
    language: str = ""
    spans: bool = False
    learnt: bool = True
    zones: tuple[tuple[Any, str], ...] = ()

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
        if self.time_format is None and self.unit is None:
            refuse_odd_years(times, values, later=True)
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
            form = cls(**{**data, "zones": tuple((name, zone) for name, zone in data.get("zones", ()))})
            for _, zone in form.zones:
                TimeOptions(zone=zone)
        except (KeyError, TypeError, ValueError) as fault:
            raise ArtifactError(
                message("form of times", expected="what to_json returned", received="other values")
            ) from fault
        if form.kind not in (NUMBER, "date", "datetime") or form.order not in ("", "day", "month", "year"):
            raise ArtifactError(message("form of times", expected="a kind and an order", received=repr(data)))
        return form

    def __str__(self) -> str:
        notes = [
            f"written like {self.writing}" if self.writing else "",
            f"months in {self.language}" if self.language else "",
            f"the {self.order} first" if self.order else "",
            f"in {self.unit}" if self.unit and self.unit != NUMBER else "",
            f"zone {self.zone}" if self.zone else "",
            f"of zones such as {self.zones[0][1]}" if self.zones else "",
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
    times, form = _read(
        values, TimeForm("datetime", "", order, chosen.time_format, chosen.unit, chosen.zone, learnt=False), group
    )
    if form.kind != NUMBER and chosen.time_format is None and chosen.day_first is None:
        refuse_swapped(times, group)
    if form.zone == "UTC" and chosen.zone is None and not form.zones:
        form = replace(form, zones=zones_of_midnights(times, group))
    if form.kind != NUMBER and chosen.time_format is None and chosen.unit is None:
        refuse_odd_years(times, values)
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
        return pl.Series(
            column, [float(value) if isinstance(value, Decimal) else value]
        )  # polars panics at Decimal("NaN")
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
        if kind == pl.Date or kind.time_zone is None:  # type: ignore[attr-defined]
            _refuse_bare(values, hints.zones)
        return _formed(unified(values, hints.zone, group), hints)
    if kind.is_numeric():
        return _numbers(values, hints, group)
    if kind == pl.String:
        return _texts(values, hints, group)
    remedy = "give the date as well" if kind == pl.Time else ""
    raise DataError(message(f"column {values.name!r}", expected=_ACCEPTED, received=str(kind), remedy=remedy))


def _formed(times: pl.Series, hints: TimeForm, **found: Any) -> tuple[pl.Series, TimeForm]:
    if hints.zone is None and not hints.learnt:
        times = local_midnights(times)
    zone = times.dtype.time_zone if isinstance(times.dtype, pl.Datetime) else None
    kind: Literal["date", "datetime"] = "date" if times.dtype == pl.Date else "datetime"
    return times, TimeForm(kind, time_format=hints.time_format, zone=zone, **found)


def _refuse_bare(values: pl.Series, zones: tuple[tuple[Any, str], ...]) -> None:
    """Refuse times without a zone where the series of training had several."""
    if zones:
        expected = "times with an offset, as in training, where series have several zones"
        raise DataError(message(f"column {values.name!r}", expected=expected, received=_shown(values)))


def _numbers(values: pl.Series, hints: TimeForm, group: pl.Series | None) -> tuple[pl.Series, TimeForm]:
    if NUMBER in (hints.kind, hints.unit):
        return values, TimeForm("number", unit=hints.unit)
    if hints.unit is None:
        texts = _of_digits(finite(values), hints)
        if texts is not None:
            return _texts(texts[0], replace(hints, writing=texts[1]), group)
    unit = hints.unit or unit_of(values)
    known = finite(values)
    if unit == NUMBER:
        refuse_doubt(values, known, _digits(known))
        return values, TimeForm("number")
    if hints.unit is None:
        refuse_other_start(values, known, unit)
    return _formed(unified(times_of(values, unit, group), hints.zone, group), hints, unit=unit)


def _of_digits(known: pl.Series, hints: TimeForm) -> tuple[pl.Series, str] | None:
    """Return numbers whose digits are dates as texts, and how they are written; None for other numbers."""
    digits = _digits(known)
    if digits is None:
        months = None if known.null_count() == len(known) else decimal_months(known, hints.writing in DECIMALS)
        return None if months is None else (months, hints.writing)
    if hints.time_format is not None:
        return digits.cast(pl.String), hints.writing
    writing = hints.writing if hints.writing in DIGITS else digits_writing(digits)
    return (padded(digits, writing), writing) if writing else None


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
    read = None if hints.time_format is None else by_format(values, hints.time_format, hints.learnt)
    if read is None:
        numbers = _numeric(values, hints)
        if numbers is not None and (hints.kind == NUMBER or hints.unit or not _written_digits(numbers, hints)):
            return _numbers(numbers, hints, group)
        if hints.kind == NUMBER:
            raise DataError(
                message(f"column {values.name!r}", expected="numbers, as in training", received=_shown(values))
            )
        if numbers is None and _short_months(values):
            hints = replace(hints, writing=SHORT_MONTHS)
        if numbers is not None:
            writing = _written_digits(numbers, hints)
            values, hints = padded(numbers, writing).alias(values.name), replace(hints, writing=writing)
        known = Hints(hints.order, hints.writing, hints.language, hints.zone, hints.learnt, hints.spans)
        read = read_texts(values, known, group)
    zones = hints.zones
    if read.offsets is not None:
        if hints.zone is None and not hints.learnt:
            zones = zones_of_series(read.naive, read.offsets, group)
        times = placed(read.naive, read.offsets, read.places, hints.zone, bool(zones))
    else:
        _refuse_bare(values, zones)
        times = unified(read.naive, hints.zone or single_place(read.naive, read.places), group)
    words = {
        "writing": read.writing,
        "order": read.order,
        "language": read.language,
        "spans": read.spans,
        "zones": zones,
    }
    return _formed(times.alias(values.name), hints, **words)


def _written_digits(numbers: pl.Series, hints: TimeForm) -> str:
    """Return the writing of numbers whose digits are dates, "" for others."""
    if not numbers.dtype.is_integer():
        return ""
    return hints.writing if hints.writing in DIGITS else digits_writing(numbers)


def _numeric(values: pl.Series, hints: TimeForm) -> pl.Series | None:
    """Return texts that are all numbers as such; None for others, and for years and months unless wanted."""
    first = values.drop_nulls().head(_TRIED).str.strip_chars()
    if not first.str.contains(_DIGITS_OR_BLANK).all():
        return None
    given = values.filter(~blank(values)).str.strip_chars()
    wanted = hints.kind == NUMBER or hints.unit is not None
    if not given.str.contains(_DIGITS).all() or (not wanted and _years_or_months(given, hints)):
        return None
    whole = values.str.strip_chars()
    numbers = whole.cast(pl.Int64, strict=False)
    return numbers if len(numbers) - numbers.null_count() == len(given) else whole.cast(pl.Float64, strict=False)


def _years_or_months(given: pl.Series, hints: TimeForm) -> bool:
    """Return whether texts that are numbers are years, or months such as 2024.01 and 01.2024."""
    if given.str.contains(_YEAR).all():
        return True
    several = hints.writing in DECIMALS or given.n_unique() > 1
    if several and (given.str.contains(_MONTH_YEAR).all() or given.str.contains(_YEAR_MONTH).all()):
        return True
    return _short_months(given) or (hints.writing == SHORT_MONTHS and bool(given.str.contains(_SHORT_MONTH).all()))


def _short_months(given: pl.Series) -> bool:
    """Return whether texts are 2024.1 to 2024.12, with 2024.5 and 2024.10 among them."""
    if not given.head(_TRIED).str.contains(_SHORT_MONTH_OR_BLANK).all():
        return False
    several = bool(given.str.ends_with(".10").any()) and bool(given.str.contains(r"\.[5-9]$").any())
    return several and bool(given.str.contains(_SHORT_MONTH_OR_BLANK).all())


def _shown(values: pl.Series) -> str:
    row = int(values.is_not_null().arg_max() or 0)
    return f"{values.dtype}: {values[row]!r} in row {row}" if len(values) else str(values.dtype)
