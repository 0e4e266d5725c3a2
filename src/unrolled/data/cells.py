"""Kinds of columns in tables that hold nothing but text, such as CSV: read whole, then typed over all values."""

import re
from collections.abc import Collection
from itertools import islice

import polars as pl

from unrolled.data.handed import frame_of_columns
from unrolled.data.many_columns import Columns, each, only, where_any, without
from unrolled.data.missing import MARKS
from unrolled.data.written_lists import LOOKS_LIKE_LIST, are_lists, read_lists

_LOOK_AT = 100  # values that decide what is tried first
_PERHAPS = r"(?i)^\s*([+-]?(\d[\d.,]*|[.,]\d+)(e[+-]?\d+)?|[+-]?inf(inity)?|nan|true|false)\s*$"
_DIGITS = r"^\s*[+-]?\d+\s*$"
_LEADING_ZERO = r"^\s*[+-]?0\d"
_GROUPED = r"^[+-]?\d{1,3}(\.\d{3})+(,\d+)?$"  # 1.234.567,89
_TRUTH = ("true", "false")
_TEXT = pl.all()


def typed_columns(
    frame: pl.DataFrame, marks: Collection[str] = MARKS, decimal: str = ".", texts: Collection[str] = ()
) -> pl.DataFrame:
    """Return a table whose columns of text have the kind that all of their values have.

    Whole numbers with a leading zero, or of more than 64 bits, are names: their column stays text. All columns are
    looked at together, since a table may have many.

    Args:
        frame: the table; columns that are not text pass unchanged.
        marks: texts that stand for a missing number, true or false; in columns of text they are texts.
        decimal: sign before the decimals, "." or ",".
        texts: names of columns that are text whatever is in them.

    Example:
        >>> typed_columns(pl.DataFrame({"a": ["1", "NA", "2.5"], "b": ["007", "12", "9"]})).rows()
        [(1.0, '007'), (None, '12'), (2.5, '9')]
    """
    kept = set(texts)
    table = {one.name: one for one in frame.get_columns() if one.dtype == pl.String and one.name not in kept}
    empty = [name for name, column in table.items() if column.null_count() == frame.height]
    found = {name: table[name].cast(pl.Null) for name in empty}
    table = without(table, empty)
    rest, table = table, _perhaps_numbers(table, marks)
    found |= _lists(without(rest, table), marks)
    no_whole = ~_is_mark(marks) & ~_TEXT.str.contains(_DIGITS)
    decimals = where_any(_head(table), no_whole)
    wholes = _read(without(table, decimals), pl.Int64, marks)
    coded = where_any(only(table, wholes), _TEXT.str.contains(_LEADING_ZERO))
    found |= without(wholes, coded)
    table = without(table, wholes)
    numbers = _numbers(table, marks, decimal)
    unseen = only(table, [name for name in numbers if name not in decimals])
    names = set(unseen) - where_any(unseen, no_whole)  # whole numbers of more than 64 bits
    found |= without(numbers, names)
    found |= _truth(without(table, numbers), marks)
    return frame_of_columns([found.get(column.name, column) for column in frame.get_columns()]) if found else frame


def typed(values: pl.Series, marks: Collection[str] = MARKS, decimal: str = ".") -> pl.Series:
    """Return one column of text with the kind that all of its values have, as `typed_columns` does.

    Args:
        values: the texts; null is missing.
        marks: texts that stand for a missing number, true or false.
        decimal: sign before the decimals, "." or ",".

    Example:
        >>> typed(pl.Series(["1", "NA", "2.5"])).to_list(), typed(pl.Series(["007", "12"])).to_list()
        ([1.0, None, 2.5], ['007', '12'])
    """
    return typed_columns(values.to_frame(), marks, decimal).to_series()


def _head(table: Columns) -> dict[str, pl.Series]:
    longer = any(len(column) > _LOOK_AT for column in islice(table.values(), 1))  # all are of one length
    return {name: column.head(_LOOK_AT) for name, column in table.items()} if longer else dict(table)


def _perhaps_numbers(table: Columns, marks: Collection[str]) -> dict[str, pl.Series]:
    """Return the columns that may hold numbers, true or false, as their first values tell."""
    return without(table, where_any(_head(table), ~_is_mark(marks) & ~_TEXT.str.contains(_PERHAPS)))


def _is_mark(marks: Collection[str]) -> pl.Expr:
    return _TEXT.str.strip_chars().is_in(list(marks))


def _numbers(table: Columns, marks: Collection[str], decimal: str) -> dict[str, pl.Series]:
    if decimal == ",":
        grouped = _TEXT.str.contains(_GROUPED)
        table = without(table, where_any(table, ~grouped & _TEXT.str.contains(".", literal=True)))
        table = each(table, _TEXT.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True))
    return each(_read(table, pl.Float64, marks), _TEXT.fill_nan(None))


def _read(table: Columns, kind: type[pl.DataType], marks: Collection[str]) -> dict[str, pl.Series]:
    """Return the columns of numbers: those in which every text is a number, or a mark of a missing one, but not all."""
    if not table:
        return {}
    found = each(table, _TEXT.cast(kind, strict=False))
    lost = only(table, [name for name, one in found.items() if one.null_count() > table[name].null_count()])
    odd = _TEXT.is_not_null() & _TEXT.cast(kind, strict=False).is_null()
    wrong = where_any(lost, odd & ~_is_mark(marks))
    spaced = only(table, where_any(only(table, wrong), odd & _TEXT.str.contains(r"^\s|\s$")))
    read = {name: one for name, one in found.items() if name not in wrong and one.null_count() < len(one)}
    return read | _read(each(spaced, _TEXT.str.strip_chars()), kind, marks)


def _lists(table: Columns, marks: Collection[str]) -> dict[str, pl.Series]:
    """Return the columns of which each value is a list, written as JSON or as pandas writes it."""
    found = {}
    for name, column in without(table, where_any(_head(table), ~_is_mark(marks) & ~LOOKS_LIKE_LIST)).items():
        texts = column.set(column.str.strip_chars().is_in(list(marks)), None)
        if are_lists(texts.drop_nulls()):
            lists = read_lists(texts)
            found |= {} if lists is None else {name: lists}
    return found


def _truth(table: Columns, marks: Collection[str]) -> dict[str, pl.Series]:
    """Return the columns of true and false."""
    lower = _TEXT.str.strip_chars().str.to_lowercase()
    table = without(table, where_any(table, ~lower.is_in(_TRUTH) & ~_is_mark(marks)))
    spelt = each(only(table, where_any(table, lower.is_in(_TRUTH))), lower)
    return each(spelt, _TEXT.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean))


def numeric_names(names: Collection[str]) -> bool:
    """Return whether all names of columns are numbers, as where a file without a header is read as if it had one."""
    return bool(names) and all(re.fullmatch(r"\s*[+-]?[\d.]+(e[+-]?\d+)?(_duplicated_\d+)?\s*", name) for name in names)


def without_blank_lines(frame: pl.DataFrame, blank: pl.Series) -> pl.DataFrame:
    """Leave out lines without any value; in a table of one column of numbers only those at the end.

    Args:
        frame: the table.
        blank: which of its lines have no value.
    """
    if not blank.any():
        return frame
    if frame.width == 1 and frame.dtypes[0] != pl.String and not blank.all():
        return frame.head(int((~blank).arg_true()[-1]) + 1)
    return frame.filter(~blank)
