"""Schema: the columns that a model learnt from and their kinds; every later table is cast by it or refused."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import polars as pl

from unrolled.data.cells import typed
from unrolled.data.handed import column
from unrolled.data.kinds import (
    LONGEST_SHOWN,
    NUMBERS,
    kind_from_json,
    kind_to_json,
    named,
    text_of,
)
from unrolled.data.lists import regrouped
from unrolled.data.missing import MARKS
from unrolled.data.time_forms import as_datetimes
from unrolled.data.time_zones import unified
from unrolled.data.timestamps import parse_times
from unrolled.data.written_lists import are_lists, first_unread, read_lists
from unrolled.errors import ArtifactError, DataError, message


@dataclass(frozen=True)
class Schema:
    """Names and kinds of the columns of a table, and the texts that stand for a missing value.

    Args:
        kinds: kind of each column, as a polars type.
        missing: texts that stand for a missing value in columns that are no text.
        optional: columns that a task can do without, such as the target: what cannot be cast there passes unchanged.
        left: columns that are never cast, as the task reads them itself: times, by the form that was learnt.

    Example:
        >>> schema = Schema({"shop": pl.String(), "sold": pl.Int64()})
        >>> schema.cast(pl.DataFrame({"shop": [12], "sold": [2.5]})).rows()
        [('12', 2.5)]
        >>> print(schema)
        shop: text, sold: whole numbers
    """

    kinds: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = MARKS
    optional: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()

    @classmethod
    def of(cls, kinds: Mapping[str, Any]) -> Self:
        """Return the schema of columns of some kinds; objects and bytes are left out, as their codecs read them."""
        plain = {name: plain_kind(kind) for name, kind in kinds.items()}
        kept = {name: kind for name, kind in plain.items() if kind not in (pl.Object, pl.Binary, pl.Null)}
        return cls(kept, optional=frozenset(kept))

    def only(self, columns: Collection[str], optional: Collection[str], left: Collection[str] = ()) -> "Schema":
        """Return the schema of some of the columns; see the class for `optional` and `left`."""
        kept = {name: kind for name, kind in self.kinds.items() if name in columns}
        return Schema(kept, self.missing, frozenset(optional) & kept.keys(), frozenset(left) & kept.keys())

    def named(self, column: str) -> str:
        """Return what the kind of a column is called; empty for a column that is not known."""
        return named(self.kinds[column]) if column in self.kinds else ""

    def texts(self) -> list[str]:
        """Return the names of the columns of text."""
        return [name for name, kind in self.kinds.items() if kind == pl.String]

    def differing(self, kinds: Mapping[str, Any]) -> list[str]:
        """Return the names of known columns that have another kind in `kinds`."""
        return [
            name
            for name, kind in kinds.items()
            if kind != self.kinds.get(name, kind) and (name not in self.left or self._holds_lists(name, kind))
        ]

    def cast(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a table whose known columns have the kinds that were learnt; further columns pass unchanged.

        Numbers with decimals stay numbers where whole ones were learnt.

        Args:
            frame: the table.

        Raises:
            DataError: a value that has no place in the kind that was learnt; the message names column, row and value.
        """
        changed = []
        for name in self.differing(frame.schema):
            try:
                changed.append(self._column(frame[name]))
            except DataError:
                if name not in self.optional:
                    raise
        return frame.with_columns(changed)

    def cast_event(self, event: Any) -> Any:
        """Return an event of a stream with the kinds that were learnt; one that has them is returned unchanged.

        Columns of lists may hold one step. What cannot be cast passes unchanged: the codec of its column judges it.

        Args:
            event: values by column; anything else passes unchanged.
        """
        if isinstance(event, str) or not isinstance(event, Mapping):
            return event
        odd = [name for name, wanted in self._checked if type(event.get(name)) not in wanted]
        return {**event, **{name: self._cast_value(name, event[name]) for name in odd}} if odd else event

    def _holds_lists(self, name: str, kind: Any) -> bool:
        """Return whether a column of lists came as text, such as that of a table of text."""
        return isinstance(self.kinds[name], pl.List) and kind == pl.String

    @property
    def checks_events(self) -> bool:
        """Whether `cast_event` can change an event."""
        return bool(self._checked)

    @cached_property
    def _checked(self) -> list[tuple[str, tuple[type, ...]]]:
        """Columns whose values are looked at in every event: texts, whole numbers, true and false, and lists of them.

        Columns of numbers take every plain number, and so do their codecs.
        """
        found = []
        for name, kind in self.kinds.items():
            if name in self.left:
                continue
            step = kind.inner if isinstance(kind, pl.List) else kind
            if step in _PYTHON:
                wanted = (*_PYTHON[step], type(None))
                found.append((name, (*wanted, list) if step != kind else wanted))
        return found

    def _cast_value(self, name: str, value: Any) -> Any:
        kind = self.kinds[name]
        wanted = kind.inner if isinstance(kind, pl.List) and not isinstance(value, list | tuple) else kind
        try:
            return _cast(column(name, [value]), wanted, self.missing).to_list()[0]
        except DataError:
            return value

    def _column(self, column: pl.Series) -> pl.Series:
        if column.name in self.left:
            lists = read_lists(column) if are_lists(column.drop_nulls()) else None
            return column if lists is None else lists
        return _cast(column, self.kinds[column.name], self.missing)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        kinds = {name: kind_to_json(kind) for name, kind in self.kinds.items()}
        return {
            "columns": kinds,
            "missing": list(self.missing),
            "optional": sorted(self.optional),
            "left": sorted(self.left),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned; ArtifactError for damaged data."""
        try:
            kinds = {name: kind_from_json(kind) for name, kind in data["columns"].items()}
            columns = (frozenset(map(str, data[name])) for name in ("optional", "left"))
            return cls(kinds, tuple(map(str, data["missing"])), *columns)
        except (KeyError, TypeError, AttributeError, ValueError) as fault:
            raise ArtifactError(message("schema", expected="columns and marks", received=str(fault))) from fault

    def __str__(self) -> str:
        return ", ".join(f"{name}: {named(kind)}" for name, kind in self.kinds.items())


# types of values that need no cast
_PYTHON: dict[Any, tuple[type, ...]] = {
    pl.String(): (str,),
    pl.Int64(): (int,),
    pl.Float64(): (float, int),
    pl.Boolean(): (bool,),
}


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


def _cast(column: pl.Series, kind: Any, marks: Collection[str]) -> pl.Series:
    """Return a column in another kind without changing a value, or refuse it."""
    have = plain_kind(column.dtype)
    if column.null_count() == len(column):
        return column.cast(kind)
    if have == kind:
        narrow = column if column.dtype == kind else column.cast(kind, strict=False)
        lost = narrow.is_null() & column.is_not_null()
        return narrow if not lost.any() else _refuse(column, kind, lost)
    if isinstance(kind, pl.List):
        return _as_lists(column, kind, marks)
    if isinstance(kind, pl.Struct):
        return _as_records(column, kind, marks)
    if isinstance(have, pl.List | pl.Struct | pl.Object):
        raise _refused(column, kind, 0)
    if kind == pl.String:
        if have == pl.Binary:  # bytes that are no text
            raise _refused(column, kind, 0)
        return _as_text(column)
    if kind in NUMBERS:
        return _as_numbers(column, kind, marks)
    return _as_times(column, kind, marks) if kind.is_temporal() else column


def _as_text(column: pl.Series) -> pl.Series:
    """Return single values as text, as `kinds.text_of` writes them."""
    if column.dtype.is_float() or column.dtype.is_decimal() or column.dtype == pl.Datetime:
        texts = [None if value is None else text_of(value) for value in column.to_list()]
        return pl.Series(column.name, texts, dtype=pl.String)
    return column.cast(pl.String)


def _as_numbers(column: pl.Series, kind: Any, marks: Collection[str]) -> pl.Series:
    if column.dtype in (pl.String, pl.Categorical, pl.Enum):
        texts = column.cast(pl.String)
        column = typed(texts, marks)
        if column.dtype not in (*NUMBERS, pl.Null):
            column = _coded(texts, kind, marks)
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


def _coded(texts: pl.Series, kind: Any, marks: Collection[str]) -> pl.Series:
    """Return texts as the numbers that they write, with leading zeros or not; the first one that is none is refused."""
    found = texts.str.strip_chars().cast(pl.Float64, strict=False)
    wrong = found.is_null() & texts.is_not_null() & ~texts.str.strip_chars().is_in(list(marks))
    return found if not wrong.any() else _refuse(texts, kind, wrong)


def _as_times(column: pl.Series, kind: Any, marks: Collection[str]) -> pl.Series:
    if column.dtype == pl.String:
        column = parse_times(column.set(column.is_in(list(marks)), None))
    if not column.dtype.is_temporal():
        raise _refused(column, kind, 0)
    if kind == pl.Date and isinstance(column.dtype, pl.Datetime):
        return column.cast(kind) if (column.dt.time() == dt.time()).fill_null(True).all() else column
    if isinstance(kind, pl.Datetime) and isinstance(column.dtype, pl.Datetime | pl.Date):
        return unified(as_datetimes(column, kind.time_zone), kind.time_zone)
    return column


def _as_lists(column: pl.Series, kind: pl.List, marks: Collection[str]) -> pl.Series:
    if column.dtype == pl.String:
        texts = column.set(column.str.strip_chars().is_in(list(marks)), None)
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
        inner = _cast(flat.alias(column.name), kind.inner, marks)
    except DataError as fault:
        raise _refused(lists, kind, _first_refused(lists, kind, marks)) from fault
    return regrouped(inner, lengths.fill_null(0).to_numpy(), lists.is_not_null())


def _first_refused(lists: pl.Series, kind: pl.List, marks: Collection[str]) -> int:
    """Return the first row that cannot be cast, by halving the rows that it may be in."""
    first, rest = 0, len(lists)
    while rest - first > 1:
        middle = (first + rest) // 2
        try:
            _cast(lists[first:middle].explode(), kind.inner, marks)
            first = middle
        except DataError:
            rest = middle
    return first


def _as_records(column: pl.Series, kind: pl.Struct, marks: Collection[str]) -> pl.Series:
    if not isinstance(column.dtype, pl.Struct):
        raise _refused(column, kind, 0)
    given = {one.name for one in column.dtype.fields}
    fields = [
        _cast(column.struct.field(one.name), one.dtype, marks)
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
