"""Tables of other libraries, by the ways in which they pass their data on: Arrow first, as it copies nothing."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

import polars as pl

from unrolled.data.arrow_kinds import arrow_column, arrow_frame, unread_by_polars
from unrolled.data.handed import Handed, X, refuse_twice
from unrolled.errors import DataError, message

# what turns a table of another library into one of Arrow, pandas or polars; the first that there is
_METHODS = (
    "to_native",  # narwhals, which holds a table of another library
    "to_arrow_table",  # DuckDB
    "to_arrow",  # cuDF
    "toArrow",  # Spark
    "to_pyarrow",  # Ibis
    "to_table",  # datasets of Arrow
    "to_pandas",
    "toPandas",
)


def from_exchange(data: Any) -> Handed | None:
    """Return the table of an object that passes it on as Arrow; None for anything else.

    Args:
        data: anything.

    Raises:
        DataError: two columns of one name.

    Example:
        >>> from_exchange(pl.DataFrame({"v": [1, 2]})).frame.rows()
        [(1,), (2,)]
    """
    if isinstance(data, pl.DataFrame):
        return Handed(data)
    if isinstance(data, pl.LazyFrame):
        return Handed(data.collect())
    if isinstance(data, pl.Series):
        return _of_series(data)
    kind = type(data)
    _refuse_twice_in_arrow(data)
    if unread_by_polars(data):
        named = hasattr(kind, "schema")
        return Handed(arrow_frame(data) if named else arrow_column(X, data).to_frame(), named=named)
    if hasattr(kind, "__arrow_c_stream__") or hasattr(kind, "__arrow_c_array__"):
        return _of_series(pl.Series(data))
    if kind.__module__.partition(".")[0] == "pyarrow" and hasattr(kind, "as_py"):
        return _of_series(pl.Series([data.as_py()]))
    return None


def handed_over(data: Any) -> Any:
    """Return the table that a library computes from an object of its own; None if there is no way to ask for one.

    Args:
        data: for example a Dask frame, a dataset of xarray, or a relation of DuckDB.
    """
    kind = type(data)
    if kind.__module__.partition(".")[0] == "xarray":
        return _of_xarray(data)
    if hasattr(kind, "__dask_graph__"):
        return data.compute()
    for name in _METHODS:
        if callable(getattr(kind, name, None)):
            return getattr(data, name)()
    if not hasattr(kind, "__dataframe__"):
        return None
    if find_spec("pyarrow") is None:
        return pl.from_dataframe(data)
    return import_module("pyarrow.interchange").from_dataframe(data)  # newer polars has left this protocol


def is_dataset(data: Any) -> bool:
    """Return whether an object is a dataset of torch whose items have numbers; torch is not imported for the question.

    Args:
        data: anything.
    """
    of_torch = any(kind.__module__ == "torch.utils.data.dataset" for kind in type(data).__mro__)
    return of_torch and hasattr(type(data), "__len__")


def hands_out_batches(data: Any) -> bool:
    """Return whether an object is a loader of torch whose items are batches; torch is not imported for the question.

    Args:
        data: anything.
    """
    of_torch = any(kind.__module__ == "torch.utils.data.dataloader" for kind in type(data).__mro__)
    return of_torch and data.batch_sampler is not None


def _of_xarray(data: Any) -> Any:
    """Return a dataset or named array of xarray as a frame with its coordinates, and one without any as an array."""
    if not data.coords and hasattr(type(data), "__array__"):
        return data.to_numpy()
    frame = data.to_dataframe() if not hasattr(type(data), "to_series") else data.to_dataframe(name=data.name or X)
    return frame


def _of_series(series: pl.Series) -> Handed:
    if isinstance(series.dtype, pl.Struct):
        return Handed(series.struct.unnest())
    return Handed(series.to_frame(X), named=False)


def _refuse_twice_in_arrow(data: Any) -> None:
    names = getattr(data, "column_names", None)
    if isinstance(names, list):
        refuse_twice(map(str, names))


def refused(data: Any, accepted: str) -> DataError:
    """Return the error for data of a type that holds none, with what to do about the commonest ones."""
    kind = type(data)
    name = kind.__name__
    remedy = ""
    if isinstance(data, str | bytes | bytearray):
        remedy = "give a list; read a file with ur.read(path)"
    elif hasattr(kind, "__fspath__"):
        remedy = "read it first, with ur.read(path)"
    elif hasattr(kind, "read"):
        remedy = "read it first, for example with ur.read_csv(file)"
    elif kind.__module__.startswith("torch.utils.data"):
        remedy = "give its dataset; a loader gives batches"
    elif name.endswith("GroupBy"):
        remedy = "give the frame itself, and the column of its groups with group="
    elif kind.__module__.startswith("scipy.sparse"):
        remedy = "call toarray() where it fits in memory"
    return DataError(message("data", expected=accepted, received=f"one {name}" if kind is str else name, remedy=remedy))
