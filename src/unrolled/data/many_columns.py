"""Expressions over many columns at once: in a wide table polars' cost per column is more than that of its cells."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import polars as pl

Columns = Mapping[str, pl.Series]  # of one length and kind, by name
TALL = 4_000  # rows from which the columns are computed one by one, several at a time


def each(columns: Columns, expression: pl.Expr) -> dict[str, pl.Series]:
    """Return what an expression gives for each column.

    Args:
        columns: the columns.
        expression: written over `pl.all()`; each value of its result depends on one value.

    Example:
        >>> found = each({"a": pl.Series(["1", "x"]), "b": pl.Series(["2", "3"])}, pl.all().str.contains("x"))
        >>> {name: column.to_list() for name, column in found.items()}
        {'a': [False, True], 'b': [False, False]}
    """
    if not columns:
        return {}
    height = len(next(iter(columns.values())))
    if height >= TALL:
        found = pl.DataFrame(dict(columns)).select(expression)
        return dict(zip(columns, found.get_columns(), strict=True))
    joined = _computed(columns, expression)
    return {name: joined.slice(place * height, height).alias(name) for place, name in enumerate(columns)}


def where_any(columns: Columns, condition: pl.Expr) -> set[str]:
    """Return the names of the columns in which a condition holds for any value.

    Args:
        columns: the columns.
        condition: as in `each`; where it is null it does not hold.

    Example:
        >>> where_any({"a": pl.Series(["1", "x"]), "b": pl.Series(["2", None])}, pl.all() == "x")
        {'a'}
    """
    if not columns:
        return set()
    height = len(next(iter(columns.values())))
    held: Any
    if height >= TALL:
        held = pl.DataFrame(dict(columns)).select(condition.any()).row(0)
    else:
        joined = _computed(columns, condition).fill_null(value=False)
        held = joined.to_numpy().reshape(len(columns), height).any(axis=1)
    return {name for name, one in zip(columns, held, strict=True) if one}


def only(columns: Columns, names: Iterable[str]) -> dict[str, pl.Series]:
    """Return some of the columns, in the order of their names."""
    return {name: columns[name] for name in names}


def without(columns: Columns, names: Collection[str]) -> dict[str, pl.Series]:
    """Return the other columns."""
    left_out = set(names)
    return {name: column for name, column in columns.items() if name not in left_out}


def _computed(columns: Columns, expression: pl.Expr) -> pl.Series:
    """Return an expression over all columns end to end."""
    joined = pl.concat(list(columns.values()), rechunk=True)
    return joined.to_frame("values").select(expression).to_series()
