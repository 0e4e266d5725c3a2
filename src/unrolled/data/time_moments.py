"""Columns of times as arrays of moments, and moments as columns in the form that was learnt."""

from typing import Any

import numpy as np
import polars as pl

from unrolled.data.calendars.grids import FARTHEST
from unrolled.data.time_forms import TimeForm, series_of_one
from unrolled.errors import DataError, message

_LAST = np.datetime64("9999-12-30T23:59:59.999999")  # UTC; in some zone it is the next day


def moments_of(column: pl.Series, form: TimeForm) -> np.ndarray:
    """Return the times of a column as datetime64[us], in UTC if they have a zone, or as numbers.

    Args:
        column: the column.
        form: its form.

    Raises:
        DataError: a missing time, or one of another form.

    Example:
        >>> from unrolled.data.time_forms import learn_form
        >>> days = pl.Series("day", ["31.01.2024"])
        >>> moments_of(days, learn_form(days)).astype("M8[D]")
        array(['2024-01-31'], dtype='datetime64[D]')
    """
    if column.null_count():
        row = int(column.is_null().arg_max() or 0)
        raise DataError(
            message(f"column {column.name!r}", expected="a time in every row", received=f"null in row {row}")
        )
    return to_moments(form.parse(column))


def moment_of(time: Any, form: TimeForm, name: str) -> Any:
    """Return one time in the form that arrays of moments have.

    Args:
        time: in any form that a column may have.
        form: the form of the column.
        name: its name, for messages.
    """
    return moments_of(series_of_one(name, time), form)[0]


def to_moments(column: pl.Series) -> np.ndarray:
    """Return dates and datetimes as datetime64[us], in UTC if they have a zone; numbers as numbers."""
    if column.dtype.is_numeric():
        return _numbers(column)
    return column.cast(pl.Datetime("us")).to_numpy()  # of times with a zone, those in UTC


def written_moments(name: str, moments: np.ndarray, form: TimeForm) -> pl.Series:
    """Return moments in UTC, or numbers, as a column of a form.

    Raises:
        DataError: a time after the year 9999.
    """
    column = pl.Series(name, moments)
    if moments.dtype.kind == "M" and len(moments) and moments.max() > _LAST:
        raise DataError(
            message(
                f"column {name!r}", expected="times up to the year 9999", received=str(moments.max().astype("M8[D]"))
            )
        )
    if form.kind == "date":
        return column.cast(pl.Date)
    if form.kind == "number" or form.zone is None:
        return column
    return column.dt.replace_time_zone("UTC").dt.convert_time_zone(form.zone)


def _numbers(column: pl.Series) -> np.ndarray:
    """Return times that are numbers; limited so that sums and differences of two of them are finite."""
    values = column.cast(pl.Float64)
    wrong = ~(values.abs() <= FARTHEST)  # NaN as well
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        expected, received = f"times from -{FARTHEST:.1e} to {FARTHEST:.1e}", f"{values[row]:.4g} in row {row}"
        raise DataError(message(f"column {column.name!r}", expected=expected, received=received))
    return (column.cast(pl.Int64) if column.dtype in (pl.Int128, pl.UInt64) else column).to_numpy()
