"""Rows of each series of a table."""

from typing import Any

import numpy as np
import polars as pl

from unrolled.errors import DataError, message

_ROW = "\0row"  # a name that no column of a user has


def group_rows(frame: pl.DataFrame, group: str | None) -> list[tuple[Any, np.ndarray]]:
    """Return the name and the row numbers of each series, in order of appearance."""
    if group is None:
        return [(None, np.arange(len(frame)))]
    if frame[group].null_count():
        raise DataError(message(f"column {group!r}", expected="a name in every row", received="null"))
    if frame[group].dtype.is_nested() or frame[group].dtype == pl.Object:
        raise DataError(message(f"column {group!r}", expected="a name in every row", received=str(frame[group].dtype)))
    if not (frame[group].dtype == pl.String or frame[group].dtype.is_integer()):
        frame = frame.with_columns(pl.col(group).cast(pl.String))  # a name that JSON can hold
    parts = frame.with_row_index(_ROW).group_by(group, maintain_order=True).agg(_ROW)
    return [(name, np.asarray(rows, dtype=np.int64)) for name, rows in zip(parts[group], parts[_ROW], strict=True)]
