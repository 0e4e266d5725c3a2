"""Kinds of columns of Arrow that polars does not read, such as unions: their values are read one by one."""

from typing import Any

import polars as pl

from unrolled.data.handed import column, frame_of_columns

# by the beginning of their names in pyarrow; polars panics at some of them, and writes to standard error
_UNREAD = ("run_end_encoded", "sparse_union", "dense_union", "list_view", "large_list_view", "decimal256")


def unread_by_polars(data: Any) -> bool:
    """Return whether a table or array of pyarrow holds a kind that polars does not read; False for anything else.

    Args:
        data: anything.
    """
    kind = type(data)
    if kind.__module__.partition(".")[0] != "pyarrow":
        return False
    if hasattr(kind, "schema"):
        return any(map(_is_unread, data.schema.types))
    return hasattr(kind, "to_pylist") and _is_unread(data.type)


def arrow_frame(data: Any) -> pl.DataFrame:
    """Return the table of one of pyarrow, whatever the kinds of its columns.

    Args:
        data: a table, a batch, or what reads batches.
    """
    table = data if hasattr(type(data), "column") else data.read_all() if hasattr(data, "read_all") else data.to_table()
    names = list(table.schema.names)
    return frame_of_columns([arrow_column(name, table.column(place)) for place, name in enumerate(names)])


def arrow_column(name: str, values: Any) -> pl.Series:
    """Return a column of an array of pyarrow.

    Args:
        name: name of the column.
        values: the array, of one or several chunks.
    """
    if unread_by_polars(values):
        return column(name, values.to_pylist())
    return pl.Series(name, pl.from_arrow(values))


def _is_unread(kind: Any) -> bool:
    parts = [kind.field(place).type for place in range(kind.num_fields)]
    return str(kind).startswith(_UNREAD) or any(map(_is_unread, parts))
