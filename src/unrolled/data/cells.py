"""Kinds of columns in tables that hold nothing but text, such as CSV: read whole, then typed over all values."""

import re
from collections.abc import Collection

import polars as pl

from unrolled.data.missing import MARKS

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
    return pl.DataFrame(kept)


def typed(values: pl.Series, marks: Collection[str] = MARKS, decimal: str = ".") -> pl.Series:
    """Return one column of text as whole numbers, numbers or true and false if all of its values are such.

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
        return values  # most texts are seen to be texts by their first values
    found = _kind_of(values, marks, decimal)
    if found.dtype == pl.String and values.str.contains(r"^\s|\s$").any():
        found = _kind_of(values.str.strip_chars(), marks, decimal)
    return values if found.dtype == pl.String else found


def _kind_of(values: pl.Series, marks: Collection[str], decimal: str) -> pl.Series:
    """Return texts without blanks at their ends as what all of them are."""
    likely = _without(values.drop_nulls().head(_LOOK_AT), marks)
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
    return found if not len(_without(rest, marks)) and found.null_count() < len(found) else None


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
