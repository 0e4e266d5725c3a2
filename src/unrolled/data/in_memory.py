"""Conversion of data in memory to a polars DataFrame."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.forks import check_fork
from unrolled.data.kinds import PLAIN, column_of
from unrolled.errors import DataError, message

FILM = (3, 4)  # axes of an array that holds a picture in colour, or a film
SPARSEST, FEW_CELLS = 100, 1_000_000  # a table has at most SPARSEST cells per given value, plus FEW_CELLS
_PAIR = 2
_ACCEPTED = "a table, records, or sequences (a list of texts, lists or arrays)"


def frame_of(data: Any, y: Any = None) -> pl.DataFrame:
    """Return a DataFrame of tables, records or sequences, with targets `y` as column "y".

    Raises:
        DataError: another type, or lengths that differ.
    """
    check_fork()
    frame = _frame(data)
    if y is None:
        return frame
    targets = list(y)
    if len(targets) != frame.height:
        raise DataError(message("y", expected=f"{frame.height} targets", received=len(targets)))
    return frame.with_columns(_column("y", targets))


def _frame(data: Any) -> pl.DataFrame:
    if isinstance(data, pl.DataFrame):
        return data
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if isinstance(data, pl.Series):
        return data.to_frame("x")
    kind = type(data).__module__.partition(".")[0]
    if kind == "pandas":
        return _frame(pl.from_pandas(data))
    if kind == "pyarrow":
        return _frame(pl.from_arrow(data))
    if isinstance(data, Mapping):
        return _columns({str(name): list(values) for name, values in data.items()})
    if isinstance(data, np.ndarray):
        if data.ndim == 1 and data.dtype.kind in "OUST":  # texts, or sequences of unequal lengths
            return _list(data.tolist())
        return _sequences(list(data)) if data.ndim > 1 else _sequences([data])
    if hasattr(data, "detach") and hasattr(data, "numpy"):  # a tensor, without importing torch
        return _frame(data.detach().cpu().numpy())
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _list(list(data))
    raise DataError(message("data", expected=_ACCEPTED, received=type(data).__name__))


def _list(items: list[Any]) -> pl.DataFrame:
    if not items:
        raise DataError(message("data", expected="at least one sequence or record", received="none"))
    if all(isinstance(item, Mapping) for item in items):
        names = list(dict.fromkeys(chain.from_iterable(items)))
        _refuse_sparse(items, len(names))
        return _columns({name: [item.get(name) for item in items] for name in names})
    if all(isinstance(item, str) for item in items):
        return pl.DataFrame({"x": items})
    return _sequences(items)


def _refuse_sparse(records: list[Any], width: int) -> None:
    """Refuse records whose table would be nearly empty, because memory must follow the number of values."""
    count, given = len(records), sum(map(len, records))
    if width * count > SPARSEST * given + FEW_CELLS:
        raise DataError(
            message("data", expected="records that share their columns",
                    received=f"{width:,} different columns in {count:,} records, {given / count:.1f} in each",
                    remedy="give names and values as two lists in each record")
        )  # fmt: skip


def _sequences(items: list[Any]) -> pl.DataFrame:
    """Return columns x, or x_0, x_1, ... for several features, of one list per sequence."""
    if all(isinstance(item, list | tuple) and all(isinstance(step, str) for step in item) for item in items):
        return pl.DataFrame({"x": pl.Series([list(item) for item in items], dtype=pl.List(pl.String))})
    if all(isinstance(item, np.ndarray) and item.ndim in FILM for item in items):
        return pl.DataFrame([_column("x", items)])
    try:
        arrays = [np.asarray(item, dtype=np.float64) for item in items]
    except (TypeError, ValueError) as fault:
        raise DataError(message("data", expected=_ACCEPTED, received=f"items that are no numbers: {fault}")) from fault
    shapes = {array.shape[1:] for array in arrays if array.ndim and array.size} or {()}
    if len(shapes) > 1 or any(array.ndim == 0 for array in arrays) or len(next(iter(shapes))) > 1:
        shown = sorted({str(array.shape) for array in arrays})[:4]
        raise DataError(
            message("data", expected="arrays (T,) or (T, F) with one F", received=f"shapes {', '.join(shown)}")
        )
    (rest,) = shapes
    if not rest:
        return pl.DataFrame({"x": pl.Series([array.reshape(-1) for array in arrays], dtype=pl.List(pl.Float64))})
    arrays = [array if array.ndim == 2 else array.reshape(0, rest[0]) for array in arrays]
    return pl.DataFrame(
        {
            f"x_{place}": pl.Series([array[:, place] for array in arrays], dtype=pl.List(pl.Float64))
            for place in range(rest[0])
        }
    )


def _columns(values: dict[str, list[Any]]) -> pl.DataFrame:
    lengths = {name: len(column) for name, column in values.items()}
    if len(set(lengths.values())) > 1:
        raise DataError(message("data", expected="columns of one length", received=lengths))
    return pl.DataFrame([_column(name, column) for name, column in values.items()])


def _column(name: str, values: list[Any]) -> pl.Series:
    if not PLAIN.issuperset(map(type, values)):
        if any(isinstance(value, np.ndarray) and value.ndim in FILM for value in values):
            return pl.Series(name, values, dtype=pl.Object)  # unchanged: a list of every pixel would take minutes
        values = [_plain(value) for value in values]
    return column_of(name, values)


def _plain(value: Any) -> Any:
    """Convert NumPy values to Python's, so that every column gets one polars type."""
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, tuple) and len(value) == _PAIR and np.ndim(value[1]) == 0 and isinstance(value[0], np.ndarray):
        return {"array": value[0].tolist(), "sampling_rate": _plain(value[1])}  # a recording and its rate
    return list(value) if isinstance(value, tuple) else value
