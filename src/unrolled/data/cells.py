"""Kinds of columns in tables that hold nothing but text, such as CSV: read whole, then typed over all values."""

import re
from collections.abc import Collection

import polars as pl

from unrolled.data.handed import frame_of_columns
from unrolled.data.missing import MARKS
from unrolled.data.written_lists import are_lists, read_lists

_LOOK_AT = 100  # values that decide what is tried first
_PERHAPS = r"(?i)^\s*([+-]?(\d[\d.,]*|[.,]\d+)(e[+-]?\d+)?|[+-]?inf(inity)?|nan|true|false)\s*$"
_DIGITS = r"^[+-]?\d+$"
_LEADING_ZERO = r"^[+-]?0\d"
_GROUPED = r"^[+-]?\d{1,3}(\.\d{3})+(,\d+)?$"  # 1.234.567,89
_TRUTH = ("true", "false")


def typed_columns(
    frame: pl.DataFrame, marks: Collection[str] = MARKS, decimal: str = ".", texts: Collection[str] = ()
) -> pl.DataFrame:
    """Return a table whose columns of text have the kind that all of their values have.

    Args:
        frame: the table; columns that are not text pass unchanged.
        marks: texts that stand for a missing number, true or false; in columns of text they are texts.
        decimal: sign before the decimals, "." or ",".
        texts: names of columns that are text whatever is in them.
    """
    kept = [
        typed(column, marks, decimal) if column.dtype == pl.String and column.name not in texts else column
        for column in frame
    ]
    return frame_of_columns(kept)


def typed(values: pl.Series, marks: Collection[str] = MARKS, decimal: str = ".") -> pl.Series:
    """Return one column of text as whole numbers, numbers, true and false, or lists if all of its values are such.

    Whole numbers with a leading zero, or of more than 64 bits, are names: the column stays text.

    Args:
        values: the texts; null is missing.
        marks: texts that stand for a missing number, true or false.
        decimal: sign before the decimals, "." or ",".

    Example:
        >>> typed(pl.Series(["1", "NA", "2.5"])).to_list(), typed(pl.Series(["007", "12"])).to_list()
        ([1.0, None, 2.5], ['007', '12'])
    """
    if values.null_count() == len(values):
        return values.cast(pl.Null)
    head = values.drop_nulls().head(_LOOK_AT)
    likely = _without(head, marks)
    if len(likely) and not likely.str.contains(_PERHAPS).all():
        if are_lists(likely) and are_lists(_without(values, marks)):
            lists = read_lists(values.set(values.str.strip_chars().is_in(list(marks)), None))
            return values if lists is None else lists
        return values  # most texts are seen to be texts by their first values
    if likely.str.contains(_DIGITS).all():
        if likely.str.contains(_LEADING_ZERO).all() and not values.str.contains(r"[^\d+-]").any():
            return values
        wholes = _read(values, pl.Int64, marks)
        if wholes is not None:
            coded = values.str.starts_with("0") | values.str.starts_with("-0") | values.str.starts_with("+0")
            return values if coded.any() and values.filter(coded).str.contains(_LEADING_ZERO).any() else wholes
    numbers = _numbers(values, marks, decimal)
    if numbers is not None:
        return values if _without(values, marks).str.contains(_DIGITS).all() else numbers
    return _truth(values, marks)


def _numbers(values: pl.Series, marks: Collection[str], decimal: str) -> pl.Series | None:
    if decimal == ",":
        grouped = values.str.contains(_GROUPED)
        if values.filter(~grouped).str.contains(".", literal=True).any():
            return None
        plain = values.str.replace_all(".", "", literal=True) if grouped.any() else values
        values = plain.str.replace(",", ".", literal=True)
    found = _read(values, pl.Float64, marks)
    return None if found is None else found.fill_nan(None)


def _read(values: pl.Series, kind: type[pl.DataType], marks: Collection[str]) -> pl.Series | None:
    """Return the texts as numbers; None if one of them is neither a number nor a mark of a missing one."""
    found = values.cast(kind, strict=False)
    if found.null_count() == values.null_count():
        return found
    rest = values.filter(found.is_null() & values.is_not_null()).unique()
    if not len(_without(rest, marks)):
        return found if found.null_count() < len(found) else None
    if not rest.str.contains(r"^\s|\s$").any():
        return None
    return _read(values.str.strip_chars(), kind, marks)


def _truth(values: pl.Series, marks: Collection[str]) -> pl.Series:
    known = _without(values.unique(), marks)
    lower = known.str.strip_chars().str.to_lowercase()
    if not len(known) or not lower.is_in(_TRUTH).all():
        return values
    plain = values.str.strip_chars().str.to_lowercase()
    return plain.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)


def _without(values: pl.Series, marks: Collection[str]) -> pl.Series:
    stripped = values.drop_nulls()
    return stripped.filter(~stripped.str.strip_chars().is_in(list(marks)))


def numeric_names(names: Collection[str]) -> bool:
    """Return whether all names of columns are numbers, as where a file without a header is read as if it had one."""
    return bool(names) and all(re.fullmatch(r"\s*[+-]?[\d.]+(e[+-]?\d+)?(_duplicated_\d+)?\s*", name) for name in names)
