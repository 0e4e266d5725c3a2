"""Kinds of columns in tables that hold nothing but text, such as CSV: read whole, then typed over all values."""

import re
from collections.abc import Collection, Iterable

import polars as pl

from unrolled.data.handed import frame_of_columns
from unrolled.data.missing import MARKS
from unrolled.data.written_lists import are_lists, read_lists

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
    table = _only(frame, [name for name, kind in frame.schema.items() if kind == pl.String and name not in kept])
    empty = {column.name for column in table if column.null_count() == frame.height}
    found = {name: table[name].cast(pl.Null) for name in empty}
    table = _without(table, empty)
    rest, table = table, _perhaps_numbers(table, marks)
    found |= _lists(_without(rest, table.columns), marks)
    no_whole = ~_is_mark(marks) & ~_TEXT.str.contains(_DIGITS)
    decimals = _columns_where(table.head(_LOOK_AT), no_whole)
    wholes = _read(_without(table, decimals), pl.Int64, marks)
    coded = _columns_where(_only(table, wholes), _TEXT.str.contains(_LEADING_ZERO))
    found |= {name: column for name, column in wholes.items() if name not in coded}
    table = _without(table, wholes)
    numbers = _numbers(table, marks, decimal)
    unseen = _only(table, numbers.keys() - decimals)
    names = set(unseen.columns) - _columns_where(unseen, no_whole)  # whole numbers of more than 64 bits
    found |= {name: column for name, column in numbers.items() if name not in names}
    found |= _truth(_without(table, numbers), marks)
    return frame_of_columns([found.get(column.name, column) for column in frame])


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


def _perhaps_numbers(table: pl.DataFrame, marks: Collection[str]) -> pl.DataFrame:
    """Return the columns that may hold numbers, true or false, as their first values tell."""
    if not table.width:
        return table
    first = table.head(_LOOK_AT)
    first.columns = list(map(str, range(first.width)))
    text = pl.col("text")
    odd = first.unpivot(variable_name="place", value_name="text").filter(
        text.is_not_null() & ~_is_mark(marks, "text") & ~text.str.contains(_PERHAPS)
    )
    return _without(table, {table.columns[int(place)] for place in odd["place"].unique()})


def _only(table: pl.DataFrame, names: Iterable[str]) -> pl.DataFrame:
    """Return columns by their exact names, which polars takes as patterns where they begin with `^`."""
    columns = dict(zip(table.columns, table.get_columns(), strict=True))
    return pl.DataFrame({name: columns[name] for name in names})


def _without(table: pl.DataFrame, names: Collection[str]) -> pl.DataFrame:
    return _only(table, [name for name in table.columns if name not in names])


def _is_mark(marks: Collection[str], column: str = "*") -> pl.Expr:
    return pl.col(column).str.strip_chars().is_in(list(marks))


def _columns_where(table: pl.DataFrame, condition: pl.Expr) -> set[str]:
    """Return the names of columns in which a condition holds for any value."""
    held = table.select(condition.any()).row(0) if table.width else ()
    return {name for name, one in zip(table.columns, held, strict=True) if one}


def _numbers(table: pl.DataFrame, marks: Collection[str], decimal: str) -> dict[str, pl.Series]:
    if decimal == ",":
        grouped = _TEXT.str.contains(_GROUPED)
        table = _without(table, _columns_where(table, ~grouped & _TEXT.str.contains(".", literal=True)))
        table = table.with_columns(_TEXT.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True))
    found = pl.DataFrame(_read(table, pl.Float64, marks)).with_columns(pl.all().fill_nan(None))
    return dict(zip(found.columns, found.get_columns(), strict=True))


def _read(table: pl.DataFrame, kind: type[pl.DataType], marks: Collection[str]) -> dict[str, pl.Series]:
    """Return the columns of numbers: those in which every text is a number, or a mark of a missing one, but not all."""
    if not table.width:
        return {}
    found = table.select(_TEXT.cast(kind, strict=False))
    lost = _only(table, [one.name for one in found if one.null_count() > table[one.name].null_count()])
    odd = _TEXT.filter(_TEXT.cast(kind, strict=False).is_null()).drop_nulls()
    wrong = _columns_where(lost, ~odd.str.strip_chars().is_in(list(marks)))
    spaced = _only(table, _columns_where(_only(table, wrong), odd.str.contains(r"^\s|\s$")))
    return {
        **{one.name: one for one in found if one.name not in wrong and one.null_count() < table.height},
        **_read(spaced.with_columns(_TEXT.str.strip_chars()), kind, marks),
    }


def _lists(table: pl.DataFrame, marks: Collection[str]) -> dict[str, pl.Series]:
    """Return the columns of which each value is a list, written as JSON or as pandas writes it."""
    found = {}
    for column in table:
        texts = column.set(column.str.strip_chars().is_in(list(marks)), None)
        if are_lists(texts.head(_LOOK_AT).drop_nulls()) and are_lists(texts.drop_nulls()):
            lists = read_lists(texts)
            found |= {} if lists is None else {column.name: lists}
    return found


def _truth(table: pl.DataFrame, marks: Collection[str]) -> dict[str, pl.Series]:
    """Return the columns of true and false."""
    lower = _TEXT.str.strip_chars().str.to_lowercase()
    other = _columns_where(table, ~lower.is_in(_TRUTH) & ~_is_mark(marks))
    table = _without(table, other)
    found = _only(table, _columns_where(table, lower.is_in(_TRUTH))).with_columns(lower)
    read = _TEXT.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    return {column.name: column for column in found.select(read)}


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
