"""Reading of values from records: checks that all codecs share, with errors that name column and record."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

import numpy as np

from unrolled.codecs.base import Record
from unrolled.errors import DataError, lacking, message
from unrolled.pauses import paused


def chunks(records: Iterable[Record], size: int = 1024) -> Iterator[tuple[int, list[Record]]]:
    """Yield lists of at most `size` records, each with the number of its first record; the records are read once."""
    iterator = iter(records)
    start = 0
    while chunk := list(islice(iterator, size)):
        yield start, chunk
        start += len(chunk)


def value_of(record: Record, column: str) -> Any:
    """Return one value; DataError with the nearest name if the column is missing."""
    try:
        return record[column]
    except KeyError:
        raise lacking(column, record.keys()) from None


def values_of(records: Sequence[Record], column: str) -> list[Any]:
    """Return one column's values."""
    try:
        return [record[column] for record in paused(records)]
    except KeyError:
        return [value_of(record, column) for record in records]


def bad_value(column: str, row: int, expected: str, received: object, remedy: str = "") -> DataError:
    """Return an error that names a value by its column and record; records count from 0."""
    return DataError(message(f"column {column!r}, record {row}", expected=expected, received=received, remedy=remedy))


def text_of(value: Any, column: str, row: int) -> str:
    """Return a value as text; a missing one becomes empty."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    remedy = "use Words or Categories for lists of text, Numbers for numbers"
    raise bad_value(column, row, "text", type(value).__name__, remedy)


def texts_of(records: Sequence[Record], column: str) -> list[str]:
    """Return one column's texts."""
    return [text_of(value, column, row) for row, value in enumerate(paused(values_of(records, column)))]


def holds_lists(values: Sequence[Any], column: str, start: int = 0, known: bool | None = None) -> bool | None:
    """Return True if a column holds a list in every record, False if in none, None if all are missing.

    Args:
        values: one column's values.
        column: name of the column, for the error.
        start: number of the first record, for the error.
        known: what earlier records showed; a column may not change its kind.
    """
    kinds = {kind: _is_list(kind) for kind in set(map(type, values)) if kind is not type(None)}
    found = set(kinds.values()) | ({known} - {None})
    if len(found) > 1:
        first = known if known is not None else next(kinds[type(v)] for v in values if v is not None)
        row = next(row for row, v in enumerate(values) if v is not None and kinds[type(v)] != first)
        shown = ("a list", "a single value") if first else ("a single value", "a list")
        raise bad_value(column, start + row, f"{shown[0]}, as in the other records", shown[1])
    return found.pop() if found else None


def flatten(values: Sequence[Any], per_step: bool) -> tuple[list[Any], np.ndarray]:
    """Return all steps end to end, and their number per record: (N,), (B,); a missing list becomes an empty one."""
    if not per_step:
        return list(values), np.ones(len(values), dtype=np.int64)
    lists = [() if value is None else value for value in values]
    lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
    return list(chain.from_iterable(lists)), lengths


def unflatten(flat: Sequence[Any], lengths: Sequence[int], per_step: bool) -> list[Any]:
    """Restore the values that `flatten` took."""
    if not per_step:
        return list(flat)
    ends = np.cumsum(lengths)
    return [list(flat[end - length : end]) for end, length in zip(ends, lengths, strict=True)]


def record_at(step: int, lengths: np.ndarray) -> int:
    """Return the index of the record that a flat step belongs to."""
    return int(np.searchsorted(np.cumsum(lengths), step, side="right"))


def nothing_to_learn(columns: Iterable[str], expected: str = "at least one record with a value") -> DataError:
    """Return the error for a fit on data without values."""
    shown = ", ".join(repr(column) for column in columns)
    return DataError(message(f"fit on {shown}", expected=expected, received="none", remedy="look at the column"))


def _is_list(kind: type) -> bool:
    return hasattr(kind, "__len__") and not issubclass(kind, (str, bytes, Mapping))
