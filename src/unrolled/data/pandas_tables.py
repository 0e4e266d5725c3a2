"""Tables of pandas: every kind of column, and the index, which holds the times of series."""

import sys
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.arrow_kinds import arrow_column
from unrolled.data.handed import Handed, X, column, frame_of_columns, refuse_twice
from unrolled.data.timestamps import parse_times
from unrolled.errors import DataError, message

TIME = "time"  # name of the column of an index of times without a name
_PAIR = 2


def from_pandas(data: Any) -> Handed | None:
    """Return the table of a frame, series, index or array of pandas; None for anything else.

    An index of times becomes a column, named as the index or else "time"; so do named indexes and every level of
    several. Row numbers are left out. Names of columns on several levels are joined with "_".

    Args:
        data: anything.

    Raises:
        DataError: two columns of one name, or values that no column can hold.
    """
    pandas: Any = sys.modules.get("pandas")  # data of pandas are there only where it was imported
    if pandas is None:
        return None
    if isinstance(data, pandas.DataFrame):
        names = [_joined(name) for name in data.columns]
        columns = [pandas_column(name, data.iloc[:, place]) for place, name in enumerate(names)]
        return _with_index(pandas, data.index, columns, named=True)
    if isinstance(data, pandas.Series):
        found = pandas_column(X, data)
        records = isinstance(found.dtype, pl.Struct)
        columns = found.struct.unnest().get_columns() if records else [found]
        return _with_index(pandas, data.index, columns, named=records)
    if isinstance(data, pandas.MultiIndex):
        return from_pandas(data.to_frame(index=False))
    if isinstance(data, pandas.Index | pandas.api.extensions.ExtensionArray):
        return Handed(pl.DataFrame([pandas_column(X, pandas.Series(data))]), named=False)
    return None


def pandas_row(value: Any) -> dict[str, Any] | None:
    """Return a row of a frame of pandas, as `iterrows` yields it, as a record; None for anything else.

    Args:
        value: a Series whose index are texts, the names of columns; or a pair of a label and such a Series.
    """
    pandas: Any = sys.modules.get("pandas")
    if pandas is None:
        return None
    row: Any = value[1] if isinstance(value, tuple) and len(value) == _PAIR else value
    if not isinstance(row, pandas.Series) or not len(row) or not all(isinstance(one, str) for one in row.index):
        return None
    refuse_twice(row.index)
    return dict(zip(row.index, row.tolist(), strict=True))


def pandas_column(name: str, values: Any) -> pl.Series:
    """Return one column of a Series of pandas, of whatever kind.

    Args:
        name: name of the column.
        values: the Series.

    Raises:
        DataError: values that no column can hold.
    """
    pandas: Any = sys.modules["pandas"]
    kind = values.dtype
    if isinstance(kind, pandas.SparseDtype):
        return pandas_column(name, values.sparse.to_dense())
    if isinstance(kind, pandas.PeriodDtype):
        starts = pandas_column(name, values.dt.to_timestamp())
        part_of_day = isinstance(kind.freq, pandas.offsets.Tick) and not isinstance(kind.freq, pandas.offsets.Day)
        return starts if part_of_day else starts.cast(pl.Date)
    if isinstance(kind, pandas.DatetimeTZDtype):
        return _zoned(name, values, str(kind.tz))
    if isinstance(kind, pandas.ArrowDtype):
        return arrow_column(name, values.array.__arrow_array__())
    if isinstance(kind, np.dtype):
        return _of_numpy(name, values.to_numpy(), values)
    inside = getattr(kind, "numpy_dtype", None)  # nullable numbers, true and false
    if isinstance(inside, np.dtype) and inside.kind in "biuf":
        gaps = values.isna().to_numpy()
        filled = values.fillna(False if inside.kind == "b" else 0).to_numpy(dtype=inside)
        return _with_gaps(_of_numpy(name, filled, values), gaps)
    return _of_objects(name, values)


def _of_numpy(name: str, array: np.ndarray, values: Any) -> pl.Series:
    kind = array.dtype.kind
    if kind in "biuf":
        wanted = np.dtype(np.float64) if kind == "f" and array.dtype.itemsize not in (4, 8) else array.dtype
        return pl.Series(name, array.astype(wanted.newbyteorder("="), copy=False), nan_to_null=kind == "f")
    if kind == "M":
        return pl.Series(name, array.astype("datetime64[us]"))
    if kind == "m":
        return _with_gaps(pl.Series(name, array / np.timedelta64(1, "s"), dtype=pl.Float64), np.isnat(array))
    return _of_objects(name, values)


def _of_objects(name: str, values: Any) -> pl.Series:
    """Return a column of values that are objects of Python; None, NaN, NA and NaT are missing."""
    gaps = values.isna().tolist()
    return column(name, [None if gap else value for value, gap in zip(values.tolist(), gaps, strict=True)])


def _zoned(name: str, values: Any, zone: str) -> pl.Series:
    """Return times with their zone; of a fixed distance in whole hours as Etc/GMT, of another one in UTC."""
    moments = values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    found = pl.Series(name, moments).dt.replace_time_zone("UTC")
    try:
        return found.dt.convert_time_zone(zone)
    except pl.exceptions.PolarsError:  # no name of a zone
        first = values.dropna()
        hours = first.iloc[0].utcoffset().total_seconds() / 3600 if len(first) else 0.0
        return found.dt.convert_time_zone(f"Etc/GMT{-int(hours):+d}") if hours.is_integer() and hours else found


def _with_gaps(found: pl.Series, gaps: np.ndarray) -> pl.Series:
    return found if not gaps.any() else pl.select(pl.when(~pl.Series(gaps)).then(found)).to_series().alias(found.name)


def _joined(name: Any) -> str:
    return "_".join(str(part) for part in name if str(part)) if isinstance(name, tuple) else str(name)


def _with_index(pandas: Any, index: Any, columns: list[pl.Series], named: bool) -> Handed:
    taken = refuse_twice(one.name for one in columns)
    several = index.nlevels > 1
    held: list[pl.Series] = []
    times: list[str] = []
    for level in range(index.nlevels):
        values = pandas.Series(index.get_level_values(level))
        own = index.names[level]
        name = str(own) if own is not None else f"level_{level}" if several else ""
        if own is None and _is_time(pandas, values.dtype):
            name = TIME if TIME not in (*taken, *(one.name for one in held)) else f"index of {TIME}"
        found = None if not name and values.dtype.kind in "iufb" else pandas_column(name or TIME, values)
        if found is None:
            continue  # numbers of rows
        if _orders_rows(pandas, values.dtype, found, several):
            times.append(found.name)
        elif not name:
            continue  # labels of rows without a name
        if name in taken and found.equals(columns[taken.index(name)]):
            continue  # pandas keeps a column beside the index that was made of it
        held.append(found)
    if several and not times and index.nlevels == _PAIR and held[-1].dtype.is_integer():
        times.append(held[-1].name)  # series, and the numbers of their steps
    time = times[0] if len(times) == 1 else None
    others = [one.name for one in held if one.name != time]
    group = others[0] if several and time is not None and len(others) == 1 else None
    refuse_twice([*(one.name for one in held), *taken])
    if not columns and not held:
        raise DataError(message("data", expected="at least one column", received="none"))
    return Handed(frame_of_columns([*held, *columns]), time, group, named, tuple(one.name for one in held))


def _is_time(pandas: Any, kind: Any) -> bool:
    return isinstance(kind, pandas.PeriodDtype | pandas.DatetimeTZDtype) or kind.kind in "Mm"


def _orders_rows(pandas: Any, kind: Any, values: pl.Series, several: bool) -> bool:
    """Return whether an index holds times: their kind, texts of times, or named numbers that rise or fall."""
    if _is_time(pandas, kind):
        return True
    if values.dtype == pl.String and len(values):
        try:
            parse_times(values)
        except DataError:
            return False
        return values.null_count() == 0 and not values.str.contains(r"^\d+$").any()
    if several or not values.dtype.is_numeric() or values.null_count() or not len(values):
        return False
    return values.n_unique() == len(values) and (values.is_sorted() or values.is_sorted(descending=True))
