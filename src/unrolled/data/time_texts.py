"""Texts as times: one way of writing is chosen that reads all of a column; doubt about the order is refused."""

from typing import NamedTuple

import polars as pl

from unrolled.data.month_names import english_names
from unrolled.data.time_grammar import (
    BY_NAME,
    DAY_FIRST,
    MONTH_FIRST,
    SEASON,
    THREE_NUMBERS,
    YEAR_FIRST,
    Parts,
    Writing,
    clock_of,
    date_of,
    parts_of,
    writings_of,
)
from unrolled.data.time_remedies import refuse_eras, remedy_of
from unrolled.data.time_signs import plain_signs, starts_of_spans
from unrolled.data.time_spellings import usual_spelling
from unrolled.data.time_steps import steps_of
from unrolled.errors import DataError, message

ISO = "2024-01-31"
_SAMPLE = 200  # values on which the ways of writing are tried
_LONG = 2_000  # from this number of rows on, one parse with a plain format is tried first
_PLAIN = ("%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f",
          "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M")  # fmt: skip
_OFFSET = r":\d{2}(?:\.\d+)?([Zz]|[+-]\d{2}(?::?\d{2})?)$"  # after a time of day
_MINUTE = 60_000_000  # microseconds
_FOUR_DIGITS = 1000  # the first year of four digits
_EXAMPLES = "times such as 2024-01-31, 2024-01-31 12:00, 31.01.2024 or Jan 2024"
_MOST_DAYS = 12  # more different numbers than this are days rather than years
_MISSING = ("", "nat", "nan", "na", "n/a", "null", "none", "-")
_THIRDS = 3


class Hints(NamedTuple):
    """What is known of a column of texts.

    Args:
        order: the part that comes first in 31/01/2024: "day", "month", "year", or "" to decide by all values.
        writing: the way of writing, "" to recognise it.
        language: the language of its months, "" for English, or to recognise it.
        zone: the zone that was given or learnt, None for none.
        learnt: whether the writing is that of training.
        spans: whether training had spans of time.
    """

    order: str = ""
    writing: str = ""
    language: str = ""
    zone: str | None = None
    learnt: bool = False
    spans: bool = False


class Read(NamedTuple):
    """A column of texts as times.

    Args:
        naive: dates, or datetimes as they are written, without their offsets.
        offsets: minutes east of Greenwich, null where a value bears none; None where no value bears one.
        places: names of zones that values bear.
        writing: an example of the way of writing.
        order: the part that comes first in 31/01/2024, "" where it is not open, or makes no difference.
        language: the language of names of months, "" for English or none.
        spans: whether the texts are spans, of which the first time is read.
    """

    naive: pl.Series
    offsets: pl.Series | None
    places: list[str]
    writing: str
    order: str = ""
    language: str = ""
    spans: bool = False


def blank(values: pl.Series) -> pl.Series:
    """Return which texts are missing, hold only blanks or a usual mark of a missing time."""
    return values.is_null() | values.str.strip_chars().str.to_lowercase().is_in(_MISSING).fill_null(False)


def read_texts(values: pl.Series, hints: Hints, group: pl.Series | None) -> Read:
    """Return texts as times.

    Args:
        values: the column.
        hints: what was learnt or given.
        group: the series of each value, which decides what steps are regular; None for a single one.

    Raises:
        DataError: a value that no way of writing reads, or an order that the values leave open.
    """
    given, order = values, hints.order
    sample = _sample(values)
    values = plain_signs(values, sample)
    sample = _sample(values) if values is not given else sample
    refuse_eras(values, sample)
    values = usual_spelling(values, sample, hints.writing)
    starts = starts_of_spans(values, _sample(values) if values is not given else sample, hints.spans)
    spans, values = starts is not values, starts
    sample = _sample(values) if values is not given else sample
    found, language = _writings(sample, hints.writing), ""
    if not found or hints.language:
        english, spoken = english_names(values, hints.language)
        translated = _sample(english)
        if read := _writings(translated, hints.writing) if len(translated) else []:
            values, sample, found, language = english, translated, read, spoken
    if len(values) >= _LONG and found and found[0].name == ISO:
        plain = _plain(values, sample)
        if plain is not None:
            return plain
    absent = blank(values)
    best: tuple[int, Writing] | None = None
    for writing in found:
        if writing.name == SEASON and sample.n_unique() < 2:
            continue  # a single 2010/11 is a month
        parts = parts_of(values, writing, hints.zone)
        read = _orders(values, parts, absent, order, writing, group) if "a" in parts.found.columns else {
            "": _moments(parts, "")}  # fmt: skip
        misses = {first: _first_miss(times, absent) for first, times in read.items()}
        for first, times in read.items():
            if misses[first] is None:
                if writing.name == "Jan 2024" and writing.name != hints.writing:
                    _refuse_days(values, parts, times, group)
                if "quarter" in parts.found.columns:
                    _refuse_thirds(given, parts)
                offsets = parts.offsets if parts.offsets.null_count() < len(parts.offsets) else None
                return Read(times.alias(values.name), offsets, parts.places, writing.name, first, language, spans)
        row = max(miss for miss in misses.values() if miss is not None)
        best = max(best, (row, writing), key=lambda one: one[0]) if best else (row, writing)
    row = best[0] if best else _first_odd(values, absent, sample)
    known = hints.writing
    likely = f"times written like {known}, as in training" if known and hints.learnt else _EXAMPLES
    if order and best and best[1].name == THREE_NUMBERS:
        likely = f"times with the {order} first, such as {_example(order)}"
    raise DataError(
        message(f"column {values.name!r}", expected=likely, received=f"{given[row]!r} in row {row}",
                remedy=remedy_of(str(given[row]), row))
    )  # fmt: skip


def _writings(sample: pl.Series, known: str) -> list[Writing]:
    """Return the writings that fit a sample, the known one first."""
    found = writings_of(sample)
    first = BY_NAME.get(known)
    if first is None or not sample.str.contains(first.pattern).all():
        return found
    return [first, *(one for one in found if one is not first)]


def _example(order: str) -> str:
    return {DAY_FIRST: "31/01/2024", MONTH_FIRST: "01/31/2024", YEAR_FIRST: "24/01/31"}[order]


def _sample(values: pl.Series) -> pl.Series:
    """Return some different texts of a column, without blank ones."""
    some = values.gather_every(max(1, len(values) // _SAMPLE))
    some = some.filter(~blank(some))
    return (some if len(some) else values.filter(~blank(values)).head(_SAMPLE)).unique(maintain_order=True)


def _plain(values: pl.Series, sample: pl.Series) -> Read | None:
    """Return a column that one plain format reads, at the speed of one parse; None if none does."""
    zoned = bool(sample.str.contains(_OFFSET).all())
    forms = [form + "%#z" for form in _PLAIN if "%S%.f" in form] if zoned else _PLAIN
    for form in forms:
        if _strict(sample, form).null_count() == 0:
            read = _strict(values, form)
            earliest = read.dt.year().min()
            # a two-digit year is read as the first century, so the column needs a closer look
            if read.null_count() != values.null_count() or int(earliest or 0) < _FOUR_DIGITS:  # type: ignore[call-overload]
                return None
            return _with_offsets(values, read) if zoned else Read(read, None, [], ISO)
    return None


def _with_offsets(values: pl.Series, instants: pl.Series) -> Read:
    """Return instants with the offsets that they were written with."""
    written = values.str.extract(_OFFSET)
    minutes = {text: _minutes(text) for text in written.unique().drop_nulls().to_list()}
    offsets = written.replace_strict(minutes, default=None, return_dtype=pl.Int32)
    naive = instants.dt.replace_time_zone(None).to_physical() + offsets.cast(pl.Int64) * _MINUTE
    return Read(naive.cast(pl.Datetime("us")).alias(values.name), offsets, [], ISO)


def _minutes(offset: str) -> int:
    digits = offset[1:].replace(":", "")
    size = 60 * int(digits[:2]) + int(digits[2:] or 0) if digits else 0
    return -size if offset[0] == "-" else size


def _strict(values: pl.Series, form: str) -> pl.Series:
    if "%#z" in form:
        return values.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False)
    if "%H" in form:
        return values.str.to_datetime(form, time_unit="us", strict=False)
    return values.str.to_date(form, strict=False)


def _moments(parts: Parts, order: str) -> pl.Series:
    """Return dates, or datetimes if some value has an hour; null where a value has no such moment."""
    day = date_of(parts, order)
    if not parts.timed.any():
        return day
    clock = clock_of(parts)
    return (day.cast(pl.Datetime("us")).to_physical() + clock).cast(pl.Datetime("us"))


def _first_miss(times: pl.Series, absent: pl.Series) -> int | None:
    missed = times.is_null() & ~absent
    return int(missed.arg_max() or 0) if missed.any() else None


def _first_odd(values: pl.Series, absent: pl.Series, sample: pl.Series) -> int:
    """Return the first row that the way of writing of most values does not read."""
    usual = max(BY_NAME.values(), key=lambda writing: int(sample.str.contains(writing.pattern).sum()))
    return int((~values.str.contains(usual.pattern).fill_null(False) & ~absent).arg_max() or 0)


# ---- order of day and month -----------------------------------------------------------------------


def _orders(
    values: pl.Series, parts: Parts, absent: pl.Series, order: str, writing: Writing, group: pl.Series | None
) -> dict[str, pl.Series]:
    """Return the times of the order that is right, under its name; "" where the orders agree."""
    if order:
        return {order: _moments(parts, order)}
    dotted = bool(values.str.contains(r"^\s*\d{1,2}\.\s?\d{1,2}\.").any())
    choices = (DAY_FIRST, MONTH_FIRST) if dotted else (DAY_FIRST, MONTH_FIRST, YEAR_FIRST)
    possible = [first for first in choices if _possible(parts, first)] or [DAY_FIRST]
    read = {first: _moments(parts, first) for first in possible}
    able = {first: times for first, times in read.items() if _first_miss(times, absent) is None}
    if not able:
        return read
    if len(able) == 1:
        return able
    first, *others = able.values()
    if all(first.equals(other) for other in others):
        return {"": first}
    regular = {name: times for name, times in able.items() if steps_of(times, group).regular}
    if len(regular) == 1:
        return regular
    if not regular:
        able = _without_many_years(able, parts)
        if len(able) == 1:
            return able
    if dotted:  # points are written with the day first wherever they are usual
        return {DAY_FIRST: read[DAY_FIRST]}
    names = list(able)
    row = int((able[names[0]] != able[names[1]]).fill_null(False).arg_max() or 0)
    shown = " or ".join(f"{able[name][row]:%-d %B %Y}" for name in names)
    settles = "day_first=True or day_first=False" if YEAR_FIRST not in able else 'day_first=, or time_format="%y/%m/%d"'
    raise DataError(
        message(
            f"column {values.name!r}",
            expected="times of which the values show whether the day or the month comes first",
            received=f"{values[row]!r} in row {row}, which is {shown}",
            remedy=f"give {settles}",
        )
    )


def _possible(parts: Parts, first: str) -> bool:
    """Return whether the month is at most 12 in an order, and its day at most 31."""
    month = parts.found["a" if first == MONTH_FIRST else "b"]
    day = parts.found[{DAY_FIRST: "a", MONTH_FIRST: "b", YEAR_FIRST: "c"}[first]]
    most = month.cast(pl.Int32, strict=False).max(), day.cast(pl.Int32, strict=False).max()
    return int(most[0] or 0) <= 12 and int(most[1] or 0) <= 31  # type: ignore[call-overload]


def _without_many_years(able: dict[str, pl.Series], parts: Parts) -> dict[str, pl.Series]:
    """Leave out orders that make years of the numbers that change like days."""
    if YEAR_FIRST not in able or len(able) == 1 or parts.found["b"].n_unique() == 1:
        return able
    start, end = parts.found["a"].n_unique(), parts.found["c"].n_unique()
    if start > _MOST_DAYS and 2 * end < start:
        return {name: times for name, times in able.items() if name != YEAR_FIRST}
    if end > _MOST_DAYS and 2 * start < end:
        return {YEAR_FIRST: able[YEAR_FIRST]}
    return able


def _refuse_days(values: pl.Series, parts: Parts, times: pl.Series, group: pl.Series | None) -> None:
    """Refuse Jan 05, which may be a day without a year, unless the column has the steps of months."""
    year = parts.found["year"].drop_nulls()
    if len(year) == 0 or year.str.len_bytes().max() != 2 or int(year.max()) > 31:  # type: ignore[arg-type]
        return
    steps = steps_of(times, group)
    if not steps.regular or steps.months >= 12:
        row = int(times.is_not_null().arg_max() or 0)
        raise DataError(
            message(f"column {values.name!r}", expected="times with a year",
                    received=f"{values[row]!r} in row {row}, which is a day or a month",
                    remedy='give time_format="%b-%y" if these are months of years')
        )  # fmt: skip


def _refuse_thirds(values: pl.Series, parts: Parts) -> None:
    """Refuse 2024-T1 to 2024-T3 of several years: thirds of a year in some countries, quarters in others."""
    letters = values.str.contains(r"(?i)\bt\s?\d|\dt\d").fill_null(False)
    quarters = parts.found["quarter"].drop_nulls()
    if letters.any() and int(quarters.max() or 0) == _THIRDS and parts.found["year"].n_unique() > 1:  # type: ignore[call-overload]
        row = int(letters.arg_max() or 0)
        raise DataError(
            message(f"column {values.name!r}", expected="quarters of a year, 1 to 4",
                    received=f"{values[row]!r} in row {row}, and none is a fourth",
                    remedy="write dates such as 2024-05-01")
        )  # fmt: skip
