"""Columns of times and of series' names: read as arrays, and written in their original form."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.time_forms import TimeForm, series_of_one
from unrolled.data.time_zones import to_utc
from unrolled.data.timestamps import parse_times
from unrolled.errors import DataError, message
from unrolled.tasks.series.grids import FARTHEST

_ROW = "\0row"  # a name that no column of a user has


@dataclass(frozen=True)
class TimeColumn:
    """The form of a column of times.

    Args:
        kind: number, date or datetime.
        zone: time zone of datetimes, or ""; None for a model saved before zones were kept, which reads all as UTC.
        written: how the times are written; None in models of earlier versions, which recognise it anew.
    """

    kind: str
    zone: str | None = ""
    written: TimeForm | None = None

    def write(self, name: str, times: np.ndarray) -> pl.Series:
        """Return times in UTC, or numbers, as a column of this form."""
        column = pl.Series(name, times)
        if self.kind == "date":
            return column.cast(pl.Date)
        if self.kind == "number" or not self.zone:
            return column
        return column.dt.replace_time_zone("UTC").dt.convert_time_zone(self.zone)


def read_times(
    column: pl.Series, form: TimeColumn | None = None, written: TimeForm | None = None
) -> tuple[np.ndarray, TimeColumn]:
    """Return times as datetime64[us] in UTC or numbers, and their form.

    Args:
        column: the column.
        form: the form in training; times without a zone are then wall times of its zone. None while learning.
        written: while learning, how the times are written; None recognises it.

    Raises:
        DataError: a missing time, or times in another form than in training.
    """
    name = column.name
    if column.null_count():
        row = int(column.is_null().arg_max() or 0)
        raise DataError(message(f"column {name!r}", expected="a time in every row", received=f"null in row {row}"))
    written = written if form is None else form.written
    column = parse_times(column) if written is None else written.parse(column)  # it may be text yet
    if column.dtype.is_numeric():
        found, times = TimeColumn("number", written=written), _numbers(column)
    elif column.dtype == pl.Date:
        found, times = TimeColumn("date", written=written), column.cast(pl.Datetime("us")).to_numpy()
    else:
        zone = column.dtype.time_zone if isinstance(column.dtype, pl.Datetime) else None
        found = TimeColumn("datetime", zone or "", written)
        times = _in_utc(column)
    if form is None:
        return times, found
    if (form.kind == "number") != (found.kind == "number"):
        raise DataError(
            message(f"column {name!r}", expected=f"times as in training ({form.kind})", received=found.kind)
        )
    if found.zone and form.zone == "":
        raise DataError(
            message(
                f"column {name!r}",
                expected="times without a time zone, as in training",
                received=f"times of {found.zone}, the first is {column[0]}",
                remedy="convert the times to the zone of the training data, and drop the zone",
            )
        )
    return (to_utc(times, form.zone) if form.zone and not found.zone else times), form


def read_time(time: Any, form: TimeColumn) -> Any:
    """Return one time in the form that the arrays of a panel have."""
    return read_times(series_of_one("start", time), form)[0][0]


def _in_utc(column: pl.Series) -> np.ndarray:
    if isinstance(column.dtype, pl.Datetime) and column.dtype.time_zone:
        column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
    return column.cast(pl.Datetime("us")).to_numpy()


def _numbers(column: pl.Series) -> np.ndarray:
    """Return times that are numbers; limited so that sums and differences of two of them are finite."""
    values = column.cast(pl.Float64)
    wrong = ~(values.abs() <= FARTHEST)  # NaN as well
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        expected, received = f"times from -{FARTHEST:.1e} to {FARTHEST:.1e}", f"{values[row]:.4g} in row {row}"
        raise DataError(message(f"column {column.name!r}", expected=expected, received=received))
    return (column.cast(pl.Int64) if column.dtype in (pl.Int128, pl.UInt64) else column).to_numpy()


def group_rows(frame: pl.DataFrame, group: str | None) -> list[tuple[Any, np.ndarray]]:
    """Return the name and the row numbers of each series, in order of appearance."""
    if group is None:
        return [(None, np.arange(len(frame)))]
    if frame[group].null_count():
        raise DataError(message(f"column {group!r}", expected="a name in every row", received="null"))
    if not (frame[group].dtype == pl.String or frame[group].dtype.is_integer()):
        frame = frame.with_columns(pl.col(group).cast(pl.String))  # a name that JSON can hold
    parts = frame.with_row_index(_ROW).group_by(group, maintain_order=True).agg(_ROW)
    return [(name, np.asarray(rows, dtype=np.int64)) for name, rows in zip(parts[group], parts[_ROW], strict=True)]
