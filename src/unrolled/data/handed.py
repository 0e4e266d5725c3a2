"""What was handed in, as a table: its columns, and which of them held the times and the names of series."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.kinds import column_of
from unrolled.data.plain_values import FILM, NoPlaceError, is_tensor, plain_list, tensor_array
from unrolled.errors import DataError, message

_LARGE = (pl.UInt64, pl.Int128, pl.UInt128)  # kinds of whole numbers of which some have more than 64 bits
X = "x"  # name of the column of sequences, and of single values without a name
_AT_ONCE = {  # arrays of numbers that fit in 64 bits
    "b1": np.bool_,
    **dict.fromkeys(("i1", "i2", "i4", "i8", "u1", "u2", "u4"), np.int64),
    **dict.fromkeys(("f4", "f8"), np.float64),
}


@dataclass(frozen=True)
class Handed:
    """Data from memory as a table.

    Args:
        frame: the table.
        time: column that was an index of times; None = there was none.
        group: column that was an index of series; None = there was none.
        labels: columns that were an index, and so are no inputs unless they are named as such.
        named: whether the data named its columns; sequences and single columns of values become "x".
    """

    frame: pl.DataFrame
    time: str | None = None
    group: str | None = None
    named: bool = True
    labels: tuple[str, ...] = ()


def column(name: str, values: Sequence[Any]) -> pl.Series:
    """Return a column of values of any type that a cell may have.

    Args:
        name: name of the column.
        values: one value per row.

    Raises:
        DataError: a value that no cell can hold; the message names column and row.

    Example:
        >>> from decimal import Decimal
        >>> column("price", [Decimal("1.5"), None]).to_list()
        [1.5, None]
    """
    if any(getattr(value, "ndim", 0) in FILM and is_tensor(value) for value in values):
        values = [tensor_array(value) if is_tensor(value) else value for value in values]
    if any(getattr(value, "ndim", 0) in FILM and type(value).__module__ == "numpy" for value in values):
        return pl.Series(name, values, dtype=pl.Object)  # unchanged: a list of every pixel would take minutes
    try:
        return column_of(name, plain_list(values))
    except NoPlaceError as fault:
        raise _placed(name, values, fault) from fault


def array_column(name: str, values: np.ndarray) -> pl.Series:
    """Return the column of an array, of numbers at once and of anything else value by value.

    Example:
        >>> array_column("v", np.array([1, 2], dtype=np.uint8)).dtype
        Int64
    """
    kind = _AT_ONCE.get(values.dtype.str[1:])
    if kind is None or values.ndim != 1 or type(values) is not np.ndarray:  # of a subclass: masked values
        return column(name, list(values))
    return pl.Series(name, values.astype(kind))


def frame_of_columns(columns: Sequence[pl.Series]) -> pl.DataFrame:
    """Return a table of columns with their own names; polars gives another one to a column whose name is empty.

    Example:
        >>> frame_of_columns([pl.Series("", [1])]).columns
        ['']
    """
    named = {one.name: one for one in columns}
    return pl.DataFrame(named) if "" in named else pl.DataFrame(list(named.values()))  # names take most of the time


def refuse_twice(names: Iterable[str]) -> list[str]:
    """Return the names of columns; two of one name are refused.

    Raises:
        DataError: a name that occurs twice.

    Example:
        >>> refuse_twice(["y", "x", "y"])
        Traceback (most recent call last):
            ...
        unrolled.errors.DataError: columns: expected names that occur once, received 'y' twice; rename or drop one
    """
    known: set[str] = set()
    for name in (given := list(names)):
        if name in known:
            received = f"{name!r} twice"
            raise DataError(
                message("columns", expected="names that occur once", received=received, remedy="rename or drop one")
            )
        known.add(name)
    return given


def tidy(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table whose durations, decimals, large whole numbers and bytes are what they are in records.

    Durations are seconds, decimals numbers, and whole numbers of more than 64 bits texts, also within lists; and so is
    a column of bytes that are all UTF-8.

    Args:
        frame: the table; one without such columns is returned itself.

    Example:
        >>> from decimal import Decimal
        >>> tidy(pl.DataFrame({"price": [Decimal("1.50")], "n": pl.Series([2**64 - 1], dtype=pl.UInt64)})).rows()
        [(1.5, '18446744073709551615')]
    """
    odd = {kind for kind in set(frame.dtypes) if _is_odd(kind)}  # of many columns the kinds are few
    return frame.with_columns(_tidy(one) for one in frame if one.dtype in odd) if odd else frame


def _is_odd(kind: Any) -> bool:
    if isinstance(kind, pl.List | pl.Array):
        return _is_odd(kind.inner)
    return isinstance(kind, pl.Duration) or kind.is_decimal() or kind in _LARGE or kind == pl.Binary


def _tidy(values: pl.Series) -> pl.Series:
    kind = values.dtype
    if isinstance(kind, pl.Duration):
        return values.dt.total_nanoseconds() / 1e9
    if kind.is_decimal():
        return values.cast(pl.Float64)
    if kind in _LARGE:
        narrow = values.cast(pl.Int64, strict=False)
        return narrow if narrow.null_count() == values.null_count() else values.cast(pl.String)
    if kind == pl.Binary:
        try:
            return values.cast(pl.String)
        except pl.exceptions.ComputeError:  # of a picture, for example
            return values
    return column(values.name, values.to_list())


def _placed(name: str, values: Sequence[Any], fault: NoPlaceError) -> DataError:
    """Return the error of a value with its column and row."""
    for row, value in enumerate(values):
        try:
            plain_list([value])
        except NoPlaceError as found:
            where = f"column {name!r}, row {row}"
            return DataError(message(where, expected=found.expected, received=found.received))
    return DataError(message(f"column {name!r}", expected=fault.expected, received=fault.received))
