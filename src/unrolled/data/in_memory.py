"""Conversion of data in memory to a polars DataFrame: the one door for all objects that hold data."""

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.arrays import from_array, sequences
from unrolled.data.exchange import from_exchange, handed_over, hands_out_batches, is_dataset, refused
from unrolled.data.forks import check_fork
from unrolled.data.handed import Handed, array_column, column, frame_of_columns, refuse_twice, tidy
from unrolled.data.pairs import PAIR, pairs_apart
from unrolled.data.pandas_tables import from_pandas, pandas_row
from unrolled.data.plain_values import NoPlaceError, has_no_order, is_tensor, record_of, sequences_of, tensor_array
from unrolled.errors import DataError, OptionError, UnrolledError, listed, message, reason
from unrolled.pauses import paused

SPARSEST, FEW_CELLS = 100, 1_000_000  # a table has at most SPARSEST cells per given value, plus FEW_CELLS
_ACCEPTED = "a table, records, or sequences (a list of texts, lists or arrays)"
_SPLIT = {"index", "columns", "data"}  # keys of `DataFrame.to_dict("split")` of pandas
_TIGHT = {*_SPLIT, "index_names", "column_names"}  # and of "tight"
_SHOWN = 6  # names in a message
_SIDES = (1, PAIR)  # parts of an item of a dataset: a sequence, and perhaps a target
TARGET = "y"  # name of the column of targets by default
_FAULTS = (Exception, pl.exceptions.PanicException)


def frame_of(data: Any, y: Any = None) -> pl.DataFrame:
    """Return a DataFrame of tables, records or sequences, with targets `y` as column "y".

    Raises:
        DataError: another type, or lengths that differ.
    """
    return hand_in(data, y).frame


def hand_in(data: Any, y: Any = None, target: str | None = TARGET) -> Handed:
    """Return data of any kind as a table, with targets `y` as a column; generators are read once, and kept.

    Pairs of a sequence and a target, such as a dataset of torch gives, are read as the two lists of them.

    Faults of the libraries that hold the data become a sentence here, whatever they are.

    Args:
        data: a table, records or sequences, see `unrolled.as_source`.
        y: one target per row.
        target: name of the column of targets; None for data that are their own target.

    Raises:
        DataError: another type, values that no column can hold, or lengths that differ.
        OptionError: pairs where data are their own target.

    Example:
        >>> hand_in({"v": np.array([1, 2])}).frame.rows()
        [(1,), (2,)]
    """
    check_fork()
    with_library = data
    try:
        handed = _handed(data)
        handed = replace(handed, frame=tidy(handed.frame))
        if y is None:
            return handed if handed.named or TARGET not in handed.frame.columns else _with_targets(handed, target)
        with_library = y
        targets = targets_of(y)
        if len(targets) != handed.frame.height:
            raise DataError(message("y", expected=f"{handed.frame.height} targets", received=len(targets)))
        frame = handed.frame.with_columns(tidy(targets.to_frame()).to_series().alias(str(target)))
        return replace(handed, frame=frame)
    except UnrolledError:
        raise
    except _FAULTS as fault:
        received = f"{type(with_library).__name__} ({reason(fault, 'which failed while it was read')})"
        argument = "data" if with_library is data else "y"
        raise DataError(message(argument, expected=_ACCEPTED, received=received)) from fault


def _with_targets(handed: Handed, target: str | None) -> Handed:
    """Return what pairs held, with the column of their targets under another name."""
    if target is None:
        expected, received = "None: the data are their own target", "pairs of a sequence and a target"
        raise OptionError(message("y", expected=expected, received=received, remedy="give the sequences alone"))
    return replace(handed, frame=handed.frame.rename({TARGET: target}))


def targets_of(y: Any) -> pl.Series:
    """Return targets, one per row: a list, an array, a tensor, a Series, or a table of one column.

    Raises:
        DataError: one value instead of many, a set, or a table of several columns.
    """
    if isinstance(y, Mapping) or record_of(y) is not None or isinstance(y, str | bytes):
        raise DataError(message("y", expected="a list of targets, one per row", received=f"one {type(y).__name__}"))
    if has_no_order(y):
        received = f"a {type(y).__name__}, which has no order"
        raise DataError(message("y", expected="a list of targets, one per row", received=received))
    if isinstance(y, list | tuple):
        return column("y", list(y))
    if is_tensor(y):
        y = _dense(y)
    if not isinstance(y, np.ndarray):
        found = from_pandas(y) or from_exchange(y)
        if found is None and not isinstance(y, Iterable):
            found = _of_foreign(y)
        if found is not None:
            held = (found.time, found.group) if found.named else found.frame.columns[:-1]
            frame = found.frame.drop([name for name in held if name is not None])
            if frame.width != 1:
                raise DataError(
                    message("y", expected="one column of targets", received=f"columns {listed(frame.columns)}")
                )
            return frame.to_series()
    if isinstance(y, np.ndarray):
        if y.ndim == 0:
            raise DataError(message("y", expected="a list of targets, one per row", received="a single value"))
        y = y[:, 0] if y.ndim > 1 and y.shape[1:] == (1,) else y  # (B, 1), as many libraries keep targets
        return array_column("y", y)
    return column("y", list(y))


def _handed(data: Any) -> Handed:
    found = from_exchange(data) if isinstance(data, pl.DataFrame | pl.LazyFrame | pl.Series) else from_pandas(data)
    if found is not None:
        return found
    if isinstance(data, Mapping):
        return _items(_rows_apart(data)) if _SPLIT <= set(data) <= _TIGHT else Handed(_mapping(data))
    if hands_out_batches(data):
        remedy = "give its dataset, loader.dataset"
        raise DataError(message("data", expected=_ACCEPTED, received="a DataLoader of torch that hands out batches",
                                remedy=remedy))  # fmt: skip
    if is_dataset(data):
        return _dataset(data)
    packed = sequences_of(data)
    if packed is not None:
        return sequences(packed)
    if isinstance(data, array) or (isinstance(data, memoryview) and data.format not in ("B", "b", "c")):
        data = np.asarray(data)
    if is_tensor(data):
        data = _dense(data)
    if isinstance(data, np.ndarray):
        made = from_array(data)
        return made if isinstance(made, Handed) else _items(made)
    if isinstance(data, str | bytes | bytearray | memoryview):
        raise refused(data, _ACCEPTED)
    if has_no_order(data):
        received = f"a {type(data).__name__}, which has no order"
        raise DataError(message("data", expected=_ACCEPTED, received=received, remedy="give a list"))
    if record_of(data) is not None:
        remedy = "put a single record in a list"
        raise DataError(message("data", expected=_ACCEPTED, received=f"one {type(data).__name__}", remedy=remedy))
    if isinstance(data, Sequence | Iterator) and not _hands_over(data):  # a file yields its lines
        return _items(list(data))
    return _of_foreign(data)


def _of_foreign(data: Any) -> Handed:
    """Return the table of an object of another library."""
    if type(data).__name__.endswith("GroupBy"):
        raise refused(data, _ACCEPTED)
    if type(data).__module__.partition(".")[0] not in ("narwhals", "xarray"):  # they hold an index of their own
        found = from_exchange(data)
        if found is not None:
            return found
    table = handed_over(data)
    if table is not None and type(table) is not type(data):
        return _handed(table)
    if hasattr(type(data), "__array__"):
        return _handed(np.asarray(data))
    is_file = hasattr(type(data), "read") or hasattr(type(data), "__fspath__")
    if isinstance(data, Iterable) and not is_file and not type(data).__module__.startswith("scipy.sparse"):
        return _items(list(data))
    raise refused(data, _ACCEPTED)


def _hands_over(data: Any) -> bool:
    return any(hasattr(type(data), name) for name in ("__arrow_c_stream__", "__dataframe__", "read"))


def _dense(tensor: Any) -> np.ndarray:
    try:
        return tensor_array(tensor)
    except NoPlaceError as fault:
        raise DataError(message("data", expected=fault.expected, received=fault.received)) from fault


def _items(items: list[Any]) -> Handed:
    if not items:
        raise DataError(message("data", expected="at least one sequence or record", received="none"))
    first = _row(items[0])
    if first is None:
        pairs = pairs_apart(items)
        return sequences(items) if pairs is None else hand_in(*pairs, TARGET)
    records = [first, *map(_row, paused(items[1:]))]
    for row, record in enumerate(records):
        if record is None:
            received = f"{type(items[row]).__name__} in row {row}"
            raise DataError(message("data", expected="a record in every row", received=received))
    return Handed(_records([record for record in records if record is not None]))


def _row(item: Any) -> Mapping[Any, Any] | None:
    record = record_of(item)
    return pandas_row(item) if record is None else record


def _records(records: list[Mapping[Any, Any]]) -> pl.DataFrame:
    names = list(dict.fromkeys(chain.from_iterable(records)))
    _refuse_sparse(records, len(names))
    if not names:
        raise DataError(message("data", expected="records with at least one column", received="empty ones"))
    titles = refuse_twice(map(str, names))
    return frame_of_columns(
        [column(title, [one.get(name) for one in paused(records)]) for title, name in zip(titles, names, strict=True)]
    )


def _refuse_sparse(records: list[Any], width: int) -> None:
    """Refuse records whose table would be nearly empty, because memory must follow the number of values."""
    count, given = len(records), sum(map(len, records))
    if width * count > SPARSEST * given + FEW_CELLS:
        raise DataError(
            message("data", expected="records that share their columns",
                    received=f"{width:,} different columns in {count:,} records, {given / count:.1f} in each",
                    remedy="give names and values as two lists in each record")
        )  # fmt: skip


def _rows_apart(data: Mapping[Any, Any]) -> list[Any]:
    """Return the records of a mapping that holds names and rows apart, as `DataFrame.to_dict("split")` gives it."""
    names = [str(name) for name in data["columns"]]
    for row, values in enumerate(data["data"]):
        if not isinstance(values, list | tuple) or len(values) != len(names):
            received = f"{str(values)[:60]} in row {row}"
            raise DataError(message("data", expected=f"{len(names)} values in each row", received=received))
    return [dict(zip(names, values, strict=True)) for values in data["data"]]


def _dataset(data: Any) -> Handed:
    """Return the table of a dataset of torch: its records, or the pairs of a sequence and a target."""
    items = [data[place] for place in range(len(data))]
    if not items or not all(isinstance(item, tuple | list) and len(item) in _SIDES for item in items):
        return _items(items)
    sequences_of_items, *targets = map(list, zip(*items, strict=True))
    return hand_in(sequences_of_items, targets[0] if targets else None, TARGET)


def _mapping(data: Mapping[Any, Any]) -> pl.DataFrame:
    """Return the table of a mapping from columns to their values."""
    names = refuse_twice(map(str, data))
    if not names:
        raise DataError(message("data", expected="at least one column", received="none"))
    columns = [_one_column(name, values) for name, values in zip(names, data.values(), strict=True)]
    lengths = {one.name: len(one) for one in columns}
    if len(set(lengths.values())) > 1:
        raise DataError(message("data", expected="columns of one length", received=lengths))
    return frame_of_columns(columns)


def _one_column(name: str, values: Any) -> pl.Series:
    """Return one column of a mapping: a list, an array, a Series, or anything that yields values in an order."""
    single = isinstance(values, str | bytes | int | float | Mapping | type(None))
    if single or has_no_order(values):
        raise DataError(
            message(f"column {name!r}", expected="a list of values", received=f"one {type(values).__name__}",
                    remedy="put a single record in a list; of pandas, give the frame itself")
        )  # fmt: skip
    if isinstance(values, list | tuple):
        return column(name, list(values))
    if is_tensor(values):
        values = _dense(values)
    if isinstance(values, np.ndarray):
        if values.ndim == 0:
            raise DataError(message(f"column {name!r}", expected="a list of values", received="a single one"))
        return array_column(name, values)
    found = from_pandas(values) or from_exchange(values)
    if found is None and not isinstance(values, Iterable):
        found = _of_foreign(values)
    if found is None:
        return column(name, list(values))
    own = [one for one in found.frame.columns if one not in found.labels]
    if found.named and len(own) > 1:
        received = f"a table of columns {own[:_SHOWN]}"
        remedy = "put such tables one below the other, with a column that names the series"
        raise DataError(message(f"column {name!r}", expected="a list of values", received=received, remedy=remedy))
    return found.frame[:, -1].alias(name)
