"""Plain values: what a cell of a table may be in Python, converted to numbers, texts, times, lists and dictionaries."""

import dataclasses
import datetime as dt
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set, ValuesView
from enum import Enum
from fractions import Fraction
from ipaddress import IPv4Address, IPv6Address
from pathlib import PurePath
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl

from unrolled.data.kinds import DEEPEST, PLAIN

FILM = (3, 4)  # axes of an array that holds a picture in colour, or a film
_PAIR = 2
_DOUBLE = 8  # bytes
_SHOWN = 6  # names in a message
_WRITTEN = (UUID, PurePath, IPv4Address, IPv6Address)  # kept as their text
_VIEWS = (type({}.keys()), type({}.items()))  # sets that keep an order
_IN_ORDER = (list, tuple, deque, range, Iterator, ValuesView, *_VIEWS)


class NoPlaceError(Exception):
    """A value that no cell can hold; who catches it adds the column and the row."""

    def __init__(self, expected: str, received: str) -> None:
        super().__init__(expected, received)
        self.expected, self.received = expected, received


def plain_list(values: Iterable[Any], depth: int = 0) -> list[Any]:
    """Return plain values of a list; NaN among texts is missing.

    Args:
        values: the list, or anything that yields values in their order.
        depth: number of lists and dictionaries around it.

    Raises:
        NoPlaceError: a value that no cell can hold, or more than 16 nested lists or dictionaries.

    Example:
        >>> plain_list([np.float32(0.5), UUID(int=7), np.ma.masked])
        [0.5, '00000000-0000-0000-0000-000000000007', None]
    """
    if depth > DEEPEST:
        raise NoPlaceError(f"at most {DEEPEST} nested lists or objects", f"more than {DEEPEST} lists inside each other")
    given = values if isinstance(values, list) else list(values)
    kinds = set(map(type, given))
    if not kinds <= PLAIN:
        given = [value if type(value) in PLAIN else plain_value(value, depth) for value in given]
        kinds = set(map(type, given))
    if str in kinds and float in kinds:
        return [None if value != value else value for value in given]
    return given


def plain_value(value: Any, depth: int = 0) -> Any:
    """Return one value as plain Python: a number, text, time, list or dictionary; what is unknown passes unchanged.

    Durations become seconds; members of enumerations their values; pandas and arrays lists; records dictionaries.

    Args:
        value: any value.
        depth: number of lists and dictionaries around it.

    Raises:
        NoPlaceError: a value that no cell can hold, such as a set, which has no order.
    """
    if type(value) is list:
        return plain_list(value, depth + 1)
    if isinstance(value, np.ndarray | np.generic):
        return from_numpy(value, depth)
    if isinstance(value, Enum):
        return value.value if type(value.value) in PLAIN else value.name
    if isinstance(value, str | int | float):  # of a subclass
        return next(kind(value) for kind in (str, int, float) if isinstance(value, kind))
    if isinstance(value, memoryview) and value.format not in ("B", "b", "c"):
        return from_numpy(np.asarray(value), depth)
    if isinstance(value, bytes | bytearray | memoryview):
        return _decoded(bytes(value))
    if isinstance(value, dt.date | dt.time | dt.timedelta):
        return _time(value)
    if isinstance(value, _WRITTEN):
        return str(value)
    if isinstance(value, Fraction):
        return float(value)
    if has_no_order(value):
        raise NoPlaceError("a list", f"a {type(value).__name__}, which has no order")
    if isinstance(value, complex):
        raise NoPlaceError("a real number", repr(value))
    if _is_recording(value):
        return {"array": plain_value(value[0], depth + 1), "sampling_rate": plain_value(value[1])}
    record = record_of(value)
    if record is not None:
        names = list(map(str, record))
        if len(set(names)) < len(names):
            raise NoPlaceError("names that occur once", f"two of one name among {names[:_SHOWN]}")
        return dict(zip(names, plain_list(record.values(), depth + 1), strict=True))
    if isinstance(value, _IN_ORDER):
        return plain_list(value, depth + 1)
    return _foreign(value, depth)


def has_no_order(value: Any) -> bool:
    """Return whether a value is a set; views of a dictionary keep its order.

    Example:
        >>> has_no_order({1, 2}), has_no_order({1: 2}.keys())
        (True, False)
    """
    return isinstance(value, Set) and not isinstance(value, _VIEWS)


def record_of(value: Any) -> Mapping[Any, Any] | None:
    """Return the fields of a record: a mapping, a named tuple, a dataclass, a model with `model_dump`; else None.

    So are an element of a structured array, and a row of sqlite3 or SQLAlchemy.

    Example:
        >>> from collections import namedtuple
        >>> record_of(namedtuple("Point", "x y")(1, 2))
        {'x': 1, 'y': 2}
    """
    if isinstance(value, Mapping):
        return value
    kind = type(value)
    sqlite = sys.modules.get("sqlite3")  # nobody has its rows without having imported it
    if sqlite is not None and isinstance(value, sqlite.Row):
        return dict(zip(value.keys(), value, strict=True))
    if isinstance(value, np.void) and value.dtype.names is not None:
        return {name: value[name] for name in value.dtype.names}
    if dataclasses.is_dataclass(kind):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(kind)}
    if hasattr(kind, "__attrs_attrs__"):
        return {field.name: getattr(value, field.name) for field in kind.__attrs_attrs__}
    for name in ("_asdict", "model_dump"):  # named tuples and rows of SQLAlchemy; models of pydantic
        if callable(getattr(kind, name, None)):
            return getattr(value, name)()
    return None


def from_numpy(value: np.ndarray | np.generic, depth: int = 0) -> Any:
    """Return an array as lists, or a scalar as a value: masked entries are missing, durations are seconds.

    Raises:
        NoPlaceError: complex numbers.
    """
    if value.dtype.names is not None:
        return _fields(value, depth)
    if value.dtype.kind == "c":
        raise NoPlaceError("real numbers", f"{value.dtype}")
    found: Any = value
    if value.dtype.kind == "M":
        found = value.astype("datetime64[us]")
        if np.datetime_data(str(value.dtype))[0] in ("D", "W", "M", "Y"):
            found = value.astype("datetime64[D]")
    if value.dtype.kind == "m":
        found = np.array([_seconds(one) for one in np.ravel(value)], dtype=object).reshape(value.shape)
    if value.dtype.kind == "T":
        found = found.astype(object)
    if value.dtype.kind == "f" and value.dtype.itemsize > _DOUBLE:
        found = found.astype(np.float64)  # a longdouble stays one in a list
    listed = found.tolist()
    if value.dtype.kind in "OSV":
        return plain_list(listed, depth + 1) if value.ndim else plain_list([listed], depth)[0]
    return listed


def _fields(value: Any, depth: int) -> Any:
    """Return a structured array as dictionaries."""
    if value.ndim:
        return [_fields(one, depth + 1) for one in value]
    return {name: plain_list([value[name]], depth + 1)[0] for name in value.dtype.names}


def _seconds(value: Any) -> float | None:
    return None if np.isnat(value) else float(value / np.timedelta64(1, "s"))


def _time(value: Any) -> Any:
    """Return a time without what subclasses add, and a duration in seconds."""
    if value != value:  # pandas' NaT
        return None
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if type(value) in (dt.datetime, dt.date, dt.time):
        return value
    if isinstance(value, dt.datetime):
        clock = dt.time(value.hour, value.minute, value.second, value.microsecond, value.tzinfo, fold=value.fold)
        return dt.datetime.combine(dt.date(value.year, value.month, value.day), clock)
    if isinstance(value, dt.date):
        return dt.date(value.year, value.month, value.day)
    return dt.time(value.hour, value.minute, value.second, value.microsecond, value.tzinfo, fold=value.fold)


def _decoded(value: bytes) -> str | bytes:
    """Return bytes as the text that they are in UTF-8; others stay bytes, such as those of a picture."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value


def _is_recording(value: Any) -> bool:
    """Return whether a value is a pair of an array and a number, its sampling rate."""
    return type(value) is tuple and len(value) == _PAIR and np.ndim(value[1]) == 0 and isinstance(value[0], np.ndarray)


def _foreign(value: Any, depth: int) -> Any:
    """Return a value of another library: of pandas, polars, or one that is an array."""
    if isinstance(value, pl.Series):
        return plain_list(value.to_list(), depth + 1)
    pandas = sys.modules.get("pandas")
    if pandas is not None:
        if value is pandas.NA or value is pandas.NaT:
            return None
        if isinstance(value, pandas.Period):
            return _time(value.start_time)
        if isinstance(value, pandas.Interval):
            return str(value)
        if isinstance(value, pandas.Series | pandas.Index | pandas.api.extensions.ExtensionArray):
            return plain_list([None if missing else one for one, missing in zip(value, value.isna(), strict=True)])
        if isinstance(value, pandas.DataFrame):
            return plain_list(value.to_numpy().tolist(), depth + 1)
    if is_tensor(value):
        return from_numpy(tensor_array(value), depth)
    if is_picture(value):
        return value
    if hasattr(type(value), "__arrow_c_array__") or hasattr(type(value), "__arrow_c_stream__"):
        return plain_list(pl.Series(value).to_list(), depth + 1)
    if hasattr(type(value), "as_py"):  # a scalar of Arrow
        return plain_list([value.as_py()], depth)[0]
    return from_numpy(np.asarray(value), depth) if hasattr(type(value), "__array__") else value


def is_picture(value: Any) -> bool:
    """Return whether a value is an image of PIL, which is not imported for the question."""
    return any(kind.__module__ == "PIL.Image" for kind in type(value).__mro__)


def is_tensor(value: Any) -> bool:
    """Return whether a value is a tensor of torch, which is not imported for the question."""
    return hasattr(value, "detach") and hasattr(value, "numpy")


def sequences_of(tensor: Any) -> list[np.ndarray] | None:
    """Return the sequences of a packed sequence or a nested tensor of torch, in their order; None for anything else.

    Args:
        tensor: anything.
    """
    if type(tensor).__name__ == "PackedSequence" and is_tensor(getattr(tensor, "data", None)):
        sizes, flat = tensor.batch_sizes.tolist(), tensor_array(tensor.data)
        steps = np.split(flat, np.cumsum(sizes)[:-1])  # one array per time step, of the sequences that go on
        rows = [np.stack([step[row] for step in steps if row < len(step)]) for row in range(sizes[0])]
        order = range(len(rows)) if tensor.unsorted_indices is None else tensor.unsorted_indices.tolist()
        return [rows[place] for place in order]
    if is_tensor(tensor) and tensor.is_nested:
        return [tensor_array(one) for one in tensor.unbind()]
    return None


def tensor_array(tensor: Any) -> np.ndarray:
    """Return the values of a tensor as an array, also with gradients, on another device, or in bfloat16.

    Raises:
        NoPlaceError: a sparse tensor, which may have more entries than fit in memory, or one without values.
    """
    if tensor.is_meta:
        raise NoPlaceError("a tensor with values", "one on the device meta")
    if str(tensor.layout) != "torch.strided":
        raise NoPlaceError("a dense tensor", f"a sparse one ({tensor.layout}); call to_dense()")
    plain = tensor.detach().cpu()
    if plain.is_quantized:
        plain = plain.dequantize()
    if plain.is_floating_point() and str(plain.dtype) not in ("torch.float64", "torch.float32"):
        plain = plain.float()
    return plain.resolve_conj().resolve_neg().numpy()
