"""Casts of columns to the kinds that a model learnt: no value is changed, and what has no place is refused."""

import datetime as dt
from typing import Any, NamedTuple

import polars as pl

from unrolled.data.cells import typed
from unrolled.data.kinds import LONGEST_SHOWN, NUMBERS, named, text_of
from unrolled.data.lists import regrouped
from unrolled.data.missing import MARKS
from unrolled.data.time_forms import as_datetimes
from unrolled.data.time_zones import unified
from unrolled.data.timestamps import parse_times
from unrolled.data.written_lists import first_unread, read_lists
from unrolled.errors import DataError, message


class Written(NamedTuple):
    """How values are written as texts."""

    marks: tuple[str, ...] = MARKS  # of missing values, in columns that are no text
    decimal: str = "."  # sign before the decimals


def plain_kind(kind: Any) -> Any:
    """Return the kind that values of a polars type have once their width and encoding are left aside.

    Example:
        >>> plain_kind(pl.List(pl.UInt8)), plain_kind(pl.Categorical())
        (List(Int64), String)
    """
    if isinstance(kind, pl.List | pl.Array):
        return pl.List(plain_kind(kind.inner))
    if isinstance(kind, pl.Struct):
        return pl.Struct({one.name: plain_kind(one.dtype) for one in kind.fields})
    if isinstance(kind, pl.Datetime):
        return pl.Datetime("us", kind.time_zone)
    if kind.is_integer():
        return pl.Int64()
    if kind.is_float() or kind.is_decimal():
        return pl.Float64()
    return pl.String() if kind in (pl.Categorical, pl.Enum) else kind


def cast(column: pl.Series, kind: Any, written: Written) -> pl.Series:
    """Return a column in another kind without changing a value, or refuse it.

    Args:
        column: the values.
        kind: the kind that was learnt.
        written: how missing values and decimals are written.

    Raises:
        DataError: a value that has no place in the kind; the message names column, row and value.

    Example:
        >>> cast(pl.Series("sold", ["2,5", "NA"]), pl.Float64(), Written(("NA",), ",")).to_list()
        [2.5, None]
    """
    have = plain_kind(column.dtype)
    if column.null_count() == len(column):
        return column.cast(kind)
    if have == kind:
        narrow = column if column.dtype == kind else column.cast(kind, strict=False)
        lost = narrow.is_null() & column.is_not_null()
        return narrow if not lost.any() else _refuse(column, kind, lost)
    if isinstance(kind, pl.List):
        return _as_lists(column, kind, written)
    if isinstance(kind, pl.Struct):
        return _as_records(column, kind, written)
    if isinstance(have, pl.List | pl.Struct | pl.Object):
        raise _refused(column, kind, 0)
    if kind == pl.String:
        if have == pl.Binary:  # bytes that are no text
            raise _refused(column, kind, 0)
        return _as_text(column)
    if kind in NUMBERS:
        return _as_numbers(column, kind, written)
    return _as_times(column, kind, written) if kind.is_temporal() else column


def _as_text(column: pl.Series) -> pl.Series:
    """Return single values as text, as `kinds.text_of` writes them."""
    if column.dtype.is_float() or column.dtype.is_decimal() or column.dtype == pl.Datetime:
        texts = [None if value is None else text_of(value) for value in column.to_list()]
        return pl.Series(column.name, texts, dtype=pl.String)
    return column.cast(pl.String)


def _as_numbers(column: pl.Series, kind: Any, written: Written) -> pl.Series:
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        texts = column.cast(pl.String)
        texts = texts.set(texts.str.strip_chars().is_in(list(written.marks)), None)  # also marks that are numbers
        column = typed(texts, written.marks, written.decimal)
        if column.dtype not in (*NUMBERS, pl.Null):
            column = _coded(texts, kind)
    if column.dtype == pl.Null:
        return column.cast(kind)
    if not column.dtype.is_numeric() and column.dtype != pl.Boolean:
        raise _refused(column, kind, 0)
    if kind == pl.Boolean:
        numbers = column.cast(pl.Float64)
        wrong = (numbers != 0) & (numbers != 1)
        return column.cast(pl.Boolean) if not wrong.any() else _refuse(column, kind, wrong)
    if kind == pl.Int64 and column.dtype != pl.Boolean and not column.dtype.is_integer():
        plain = column.cast(pl.Float64)
        exact = plain.is_nan().fill_null(False) | (plain == plain.round()) & (plain.abs() < 2.0**53)
        return plain.fill_nan(None).cast(pl.Int64) if exact.fill_null(True).all() else plain
    return column.cast(kind, strict=False)


def _coded(texts: pl.Series, kind: Any) -> pl.Series:
    """Return texts as the numbers that they write, with leading zeros or not; the first one that is none is refused."""
    found = texts.str.strip_chars().cast(pl.Float64, strict=False)
    wrong = found.is_null() & texts.is_not_null()
    return found if not wrong.any() else _refuse(texts, kind, wrong)


def _as_times(column: pl.Series, kind: Any, written: Written) -> pl.Series:
    if column.dtype == pl.String:
        column = parse_times(column.set(column.is_in(list(written.marks)), None))
    if not column.dtype.is_temporal():
        raise _refused(column, kind, 0)
    if kind == pl.Date and isinstance(column.dtype, pl.Datetime):
        return column.cast(kind) if (column.dt.time() == dt.time()).fill_null(True).all() else column
    if isinstance(kind, pl.Datetime) and isinstance(column.dtype, pl.Datetime | pl.Date):
        return unified(as_datetimes(column, kind.time_zone), kind.time_zone)
    return column


def _as_lists(column: pl.Series, kind: pl.List, written: Written) -> pl.Series:
    if column.dtype == pl.String:
        texts = column.set(column.str.strip_chars().is_in(list(written.marks)), None)
        lists = read_lists(texts, kind)
        if lists is None:
            raise _refused(column, kind, first_unread(texts, kind))
        if lists.null_count() == len(lists):
            return lists.cast(kind)
        column = lists
    if not isinstance(column.dtype, pl.List | pl.Array):
        raise _refused(column, kind, 0)
    lists = column.cast(pl.List(column.dtype.inner)) if isinstance(column.dtype, pl.Array) else column
    lengths = lists.list.len()
    flat = lists.filter(lengths.fill_null(0) > 0).explode()
    if plain_kind(flat.dtype) == kind.inner or flat.null_count() == len(flat):
        return lists.cast(kind)
    try:
        inner = cast(flat.alias(column.name), kind.inner, written)
    except DataError as fault:
        raise _refused(lists, kind, _first_refused(lists, kind, written)) from fault
    return regrouped(inner, lengths.fill_null(0).to_numpy(), lists.is_not_null())


def _first_refused(lists: pl.Series, kind: pl.List, written: Written) -> int:
    """Return the first row that cannot be cast, by halving the rows that it may be in."""
    first, rest = 0, len(lists)
    while rest - first > 1:
        middle = (first + rest) // 2
        try:
            cast(lists[first:middle].explode(), kind.inner, written)
            first = middle
        except DataError:
            rest = middle
    return first


def _as_records(column: pl.Series, kind: pl.Struct, written: Written) -> pl.Series:
    if not isinstance(column.dtype, pl.Struct):
        raise _refused(column, kind, 0)
    given = {one.name for one in column.dtype.fields}
    fields = [
        cast(column.struct.field(one.name), one.dtype, written)
        if one.name in given
        else pl.Series(one.name, [None] * len(column), dtype=one.dtype)
        for one in kind.fields
    ]
    whole = pl.DataFrame(fields).to_struct(column.name)
    return whole.to_frame().select(pl.when(column.is_not_null()).then(pl.first())).to_series().alias(column.name)


def _refuse(column: pl.Series, kind: Any, wrong: pl.Series) -> pl.Series:
    raise _refused(column, kind, int(wrong.fill_null(False).arg_max() or 0))


def _refused(column: pl.Series, kind: Any, row: int) -> DataError:
    value = column.drop_nulls()[0] if column[row] is None else column[row]
    shown = repr(value.to_list() if isinstance(value, pl.Series) else value)
    shown = shown if len(shown) <= LONGEST_SHOWN else shown[: LONGEST_SHOWN - 3] + "..."
    return DataError(
        message(f"column {column.name!r}", expected=f"{named(kind)}, as in training",
                received=f"{shown} in row {row}")
    )  # fmt: skip
