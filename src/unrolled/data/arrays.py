"""Arrays and lists of sequences, as columns of lists with one sequence per row."""

from collections.abc import Sequence
from reprlib import repr as shortened
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.handed import Handed, X, column, refuse_twice
from unrolled.data.kinds import PLAIN
from unrolled.data.plain_values import FILM, NoPlaceError, is_picture, is_tensor, plain_list, tensor_array
from unrolled.errors import DataError, message

LARGEST_EXACT = 2**53  # whole numbers beyond it change as floats
_MATRIX = 2  # axes
_PARTS = (
    "name the values of a row, as {'name': value}; give sequences and targets as two lists, fit(sequences, targets)"
)
_NEEDED = "sequences: a list of texts, or lists or arrays of numbers"


def from_array(array: np.ndarray) -> Handed | list[Any]:
    """Return the table of an array, or its items as a list where they are texts, objects or records.

    Args:
        array: numbers (T,), (B, T) or (B, T, F); texts, times or objects, one per row; or a structured array.

    Raises:
        DataError: a single number, or complex ones.
    """
    if array.dtype.names is not None:
        return _structured(array.reshape(-1))
    kind = array.dtype.kind
    if kind == "c":
        raise DataError(message("data", expected="real numbers", received=str(array.dtype)))
    if array.ndim == 0:
        if kind == "O":
            return [array.item()]
        raise DataError(message("data", expected="at least one sequence", received="a single value"))
    if array.ndim == 1 and kind in "MmV":
        return Handed(pl.DataFrame([column(X, plain_list(array))]), named=False)
    if kind in "OUSTMm":
        return plain_list(array) if kind != "O" else list(array)
    plain = array if isinstance(array, np.ma.MaskedArray) else np.asarray(array)  # a matrix keeps two axes in its rows
    return sequences(list(plain) if plain.ndim > 1 else [plain])


def sequences(items: list[Any]) -> Handed:
    """Return columns x, or x_0, x_1, ... for several features, of one list per sequence.

    Args:
        items: texts or missing ones; lists of words; or lists, arrays or tensors of numbers, (T,) or (T, F).

    Raises:
        DataError: items of another kind, or with unlike numbers of features; the message names the row.
    """
    try:
        items = [_opened(item) for item in items]
    except NoPlaceError as fault:
        raise DataError(message("data", expected=fault.expected, received=fault.received)) from fault
    if any(isinstance(item, str) for item in items):
        return Handed(pl.DataFrame([_texts(items)]), named=False)
    if any(isinstance(item, list) and any(isinstance(step, str) for step in item) for item in items):
        return Handed(pl.DataFrame([_words(items)]), named=False)
    if all(is_picture(item) or (isinstance(item, np.ndarray) and item.ndim in FILM) for item in items):
        return Handed(pl.DataFrame([column(X, items)]), named=False)
    if any(map(_is_long, items)):
        return Handed(pl.DataFrame([column(X, items)]), named=False)
    return Handed(_numbers([_floats(item, row) for row, item in enumerate(items)]), named=False)


def _numbers(arrays: list[np.ndarray]) -> pl.DataFrame:
    shapes = {array.shape[1:] for array in arrays if array.size} or {()}
    if len(shapes) > 1 or len(next(iter(shapes))) > 1:
        shown = sorted({str(array.shape) for array in arrays})[:4]
        is_pair = len(arrays) == _MATRIX and len(arrays[0]) == len(arrays[1])
        raise DataError(
            message("data", expected="arrays (T,) or (T, F) with one F", received=f"shapes {', '.join(shown)}",
                    remedy="give sequences and targets as two arguments, fit(sequences, targets)" if is_pair else "")
        )  # fmt: skip
    (rest,) = shapes
    if not rest:
        return pl.DataFrame([_lists(X, [array.reshape(-1) for array in arrays])])
    arrays = [array if array.ndim == _MATRIX else array.reshape(0, rest[0]) for array in arrays]
    return pl.DataFrame([_lists(f"{X}_{place}", [array[:, place] for array in arrays]) for place in range(rest[0])])


def _lists(name: str, arrays: list[np.ndarray]) -> pl.Series:
    """Return a column of lists; of arrays of one length polars makes a kind of their own."""
    return pl.Series(name, arrays).cast(pl.List(pl.Float64))


def _structured(array: np.ndarray) -> Handed:
    names = refuse_twice(array.dtype.names or ())
    return Handed(pl.DataFrame([column(name, plain_list(array[name])) for name in names]))


def _opened(item: Any) -> Any:
    """Return an item as an array or a list; a text, a missing item or a number is returned itself."""
    if item is None or isinstance(item, str | np.ndarray):
        if isinstance(item, np.ndarray) and item.dtype.kind in "OUSTMmV":
            return plain_list(item)
        return item
    if is_tensor(item):
        return tensor_array(item)
    if is_picture(item):
        return item
    if type(item) is list:
        return item if PLAIN.issuperset(map(type, item)) and str not in map(type, item) else plain_list(item)
    if hasattr(type(item), "__array__") and not hasattr(type(item), "to_list") and not np.isscalar(item):
        return np.asarray(item)
    (plain,) = plain_list([item])
    return plain


def _texts(items: list[Any]) -> pl.Series:
    """Return a column of texts, of which some may be missing."""
    for row, item in enumerate(items):
        missing = item is None or (isinstance(item, float) and item != item)
        if not isinstance(item, str) and not missing:
            received = f"{_named(item)} in row {row}"
            raise DataError(message("data", expected="a text in every row", received=received))
    return pl.Series(X, [item if isinstance(item, str) else None for item in items], dtype=pl.String)


def _words(items: list[Any]) -> pl.Series:
    """Return a column of lists of words, of which some may be missing."""
    for row, item in enumerate(items):
        if isinstance(item, list) and {str} < {
            str if isinstance(one, str) else type(one) for one in item if one is not None
        }:
            received = f"texts and other values together in row {row}: {shortened(item)}"
            raise DataError(message("data", expected="a list of words in every row", received=received,
                                    remedy=_PARTS))  # fmt: skip
        if item is not None and not isinstance(item, list):
            received = f"{_named(item)} in row {row}"
            raise DataError(message("data", expected="a list of words in every row", received=received))
    return column(X, items)


def _is_long(item: Any) -> bool:
    """Return whether a sequence holds whole numbers that would change as floats, such as long names of items."""
    if isinstance(item, np.ndarray):
        return item.dtype.kind in "iu" and bool(item.size) and int(abs(item).max()) > LARGEST_EXACT
    return isinstance(item, list) and any(type(step) is int and abs(step) > LARGEST_EXACT for step in item)


def _floats(item: Any, row: int) -> np.ndarray:
    """Return the numbers of one sequence; masked and missing ones are NaN."""
    if item is None or isinstance(item, float | int):
        missing = item is None or item != item
        received = f"a missing one in row {row}" if missing else f"a single number in row {row}"
        remedy = (
            "leave the row out" if missing else "give one list or array per sequence, or a Series for single values"
        )
        raise DataError(message("data", expected=_NEEDED, received=received, remedy=remedy))
    try:
        if isinstance(item, np.ma.MaskedArray):
            return np.ma.filled(item.astype(np.float64), np.nan)
        return np.asarray(item, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as fault:
        received = f"{_named(item)} in row {row}"
        remedy = _PARTS if isinstance(item, list) else ""  # perhaps lists of words beside their labels
        raise DataError(message("data", expected=_NEEDED, received=received, remedy=remedy)) from fault


def _named(item: Sequence[Any] | Any) -> str:
    """Return a short description of an item for a message."""
    return f"{type(item).__name__} {shortened(item)}"
