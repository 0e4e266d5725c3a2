"""Marks of missing values that a user named: texts or numbers, such as -9999, that are no values in any column."""

from collections.abc import Collection
from typing import Any

import polars as pl

from unrolled.data.cells import typed
from unrolled.data.kinds import text_of
from unrolled.data.lists import regrouped
from unrolled.errors import OptionError, message

_PLAIN = (str, int, float)


def marks_of(missing: Any) -> tuple[str, ...] | None:
    """Return the marks that an option names, as texts; None where none was given.

    Args:
        missing: a list of texts or numbers, or None.

    Raises:
        OptionError: one text, or anything else that is no list of texts and numbers.

    Example:
        >>> marks_of([-9999, "absent"])
        ('-9999', 'absent')
    """
    if isinstance(missing, str):
        raise OptionError(message("missing", expected="a list of texts", received=repr(missing),
                                  remedy=f"write [{missing!r}]"))  # fmt: skip
    if missing is None:
        return None
    if not isinstance(missing, Collection) or not all(isinstance(mark, _PLAIN) for mark in missing):
        raise OptionError(message("missing", expected="a list of texts or numbers", received=missing))
    return tuple(text_of(mark) for mark in missing)


def without_marks(frame: pl.DataFrame, marks: Collection[str], retyped: bool = False) -> pl.DataFrame:
    """Return a table in which the marks are missing values: in texts and numbers, and in lists of numbers.

    Args:
        frame: the table; columns without a mark pass unchanged.
        marks: the marks, as texts.
        retyped: whether a column of texts that are all numbers but for the marks becomes a column of numbers.

    Example:
        >>> table = pl.DataFrame({"a": [1.5, -9999.0], "b": [[1, -9999], [2]], "c": ["3", "-9999"]})
        >>> without_marks(table, ["-9999"], retyped=True).rows()
        [(1.5, [1, None], 3), (None, [2], None)]
    """
    numbers = numbers_of(marks)
    changed = []
    for one in frame.get_columns():
        found = _without(one, marks, numbers)
        if found is not one:
            changed.append(typed(found, ()) if retyped and found.dtype == pl.String else found)
    return frame.with_columns(changed) if changed else frame


def numbers_of(marks: Collection[str]) -> frozenset[float]:
    """Return the numbers among some marks.

    Example:
        >>> numbers_of(["-9999", "absent"])
        frozenset({-9999.0})
    """
    found = pl.Series(list(marks), dtype=pl.String).cast(pl.Float64, strict=False)
    return frozenset(found.drop_nulls().drop_nans().to_list())


def value_without_marks(value: Any, marks: Collection[str], numbers: Collection[float], of_texts: bool = False) -> Any:
    """Return a value of an event, or None where it is a mark; values in lists are looked at one by one.

    Args:
        value: any value.
        marks: the marks, as texts.
        numbers: the numbers among them.
        of_texts: whether texts in lists are values, which stay, as they do in a column of lists of texts.

    Example:
        >>> value_without_marks([1, "-9999"], ["-9999"], {-9999.0}), value_without_marks("-9999", ["-9999"], ())
        ([1, None], None)
    """
    if isinstance(value, str):
        return None if value.strip() in marks else value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return None if value in numbers else value
    if isinstance(value, list | tuple):
        return [
            one if of_texts and isinstance(one, str) else value_without_marks(one, marks, numbers, of_texts)
            for one in value
        ]
    return value


def _without(values: pl.Series, marks: Collection[str], numbers: frozenset[float]) -> pl.Series:
    kind = values.dtype
    if kind == pl.String:
        found = values.str.strip_chars().is_in(list(marks))
    elif kind.is_numeric() and numbers:
        found = values.cast(pl.Float64, strict=False).is_in(list(numbers))
    elif isinstance(kind, pl.List) and numbers and holds_numbers(kind):
        lengths = values.list.len().fill_null(0)
        flat = values.filter(lengths > 0).explode()
        inner = _without(flat, marks, numbers)
        return values if inner is flat else regrouped(inner, lengths.to_numpy(), values.is_not_null())
    else:
        return values
    return values.set(found, None) if found.any() else values


def holds_numbers(kind: Any) -> bool:
    """Return whether a kind is that of numbers, or of lists of them at any depth.

    Example:
        >>> holds_numbers(pl.List(pl.List(pl.Int64))), holds_numbers(pl.List(pl.String))
        (True, False)
    """
    return holds_numbers(kind.inner) if isinstance(kind, pl.List) else kind.is_numeric()
