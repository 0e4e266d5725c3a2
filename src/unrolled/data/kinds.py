"""Kinds of values: the widest kind of a column over all its values, at every depth of lists and dictionaries.

A column that begins with whole numbers and goes on with decimals is a column of decimals; one that mixes numbers and
texts is a column of texts. No value is changed for the sake of the first one.
"""

import datetime as dt
import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.lists import regrouped
from unrolled.data.missing import MARKS
from unrolled.errors import DataError, message

PLAIN = {int, float, str, bool, type(None)}  # types whose values are used unchanged
DEEPEST = 16  # nested lists or dictionaries; a column's type takes ever longer to make with each level
LONGEST_SHOWN = 60  # characters of a value in a message
PLAINNUMBERS = PLAIN - {str}
LARGEST_FLOAT = 10**308
LARGEST = 2**63  # whole numbers beyond 64 bits are names, which are kept as text
MOST_FIELDS = 100_000  # of a dictionary inside a record, over all records
_LOOKED_AT = (int, str, list, tuple, Mapping, dt.datetime)  # types whose kind depends on the values
NUMBERS = (pl.Boolean, pl.Int64, pl.Float64)  # each holds every value of those before it
_SIMPLE: dict[type, Any] = {
    bool: pl.Boolean,
    float: pl.Float64,
    Decimal: pl.Float64,
    str: pl.String,
    bytes: pl.Binary,
    dt.date: pl.Date,
    dt.timedelta: pl.Duration("us"),
    dt.time: pl.Time,
    type(None): pl.Null,
}


_NAMES: dict[str, Any] = {
    "text": pl.String,
    "int": pl.Int64,
    "number": pl.Float64,
    "bool": pl.Boolean,
    "date": pl.Date,
    "time of day": pl.Time,
    "duration": pl.Duration,
    "bytes": pl.Binary,
    "object": pl.Object,
    "null": pl.Null,
}


class KindError(TypeError):
    """Values of kinds that no column can hold together; the text names the kinds."""


def column_of(name: str, values: Sequence[Any], marks: Iterable[str] = MARKS) -> pl.Series:
    """Return a column of the widest kind over all values, at every depth.

    Args:
        name: name of the column.
        values: plain Python values; None is missing.
        marks: texts that stand for a missing value in a column that holds numbers otherwise.

    Raises:
        DataError: kinds that no column can hold together, such as a list and a number; the message names the row.

    Example:
        >>> column_of("v", [[1, 2, 3], [0.4, None]]).to_list()
        [[1.0, 2.0, 3.0], [0.4, None]]
    """
    marks = frozenset(marks)
    try:
        kind = kind_of(values, marks)
    except KindError as fault:
        raise _mixed(name, values, marks, fault) from None
    if isinstance(kind, pl.List) and kind.inner in (pl.Int64, pl.Float64):
        return _lists_of_numbers(name, values, kind.inner)
    if kind == pl.Object:
        return pl.Series(name, values, dtype=pl.Object)
    try:
        return pl.Series(name, _fitted(values, kind), dtype=kind, strict=False)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError) as fault:
        row = next((row for row, value in enumerate(values) if not _has_a_place(value, kind)), None)
        found = " and ".join(sorted({type(value).__name__ for value in values if value is not None}))
        found = found if row is None else f"{ascii(values[row])[:LONGEST_SHOWN]} in row {row}"
        raise DataError(
            message(f"column {name!r}", expected="values of one kind that a column can hold", received=found)
        ) from fault


def _has_a_place(value: Any, kind: Any) -> bool:
    try:
        pl.Series([*_fitted([value], kind)], dtype=kind, strict=False)
    except (TypeError, ValueError, OverflowError, pl.exceptions.PolarsError):
        return False
    return True


def kind_of(values: Iterable[Any], marks: frozenset[str] = frozenset(), depth: int = 0) -> Any:
    """Return the widest kind of some values, as a polars type.

    Raises:
        KindError: kinds that no column can hold together, or too many lists or dictionaries inside each other.
    """
    if depth > DEEPEST:
        raise KindError(f"more than {DEEPEST} lists or dictionaries inside each other")
    found = values if isinstance(values, list) else list(values)
    types = set(map(type, found))
    kind: Any = pl.Null()
    for one in types:
        if not issubclass(one, _LOOKED_AT) or one is bool:
            kind = wider(kind, _simple(one))

    def of(*wanted: type) -> list[Any]:
        chosen = {one for one in types if issubclass(one, wanted) and one is not bool}
        return found if chosen == types else [value for value in found if type(value) in chosen] if chosen else []

    if moments := of(dt.datetime):
        kind = wider(kind, _moments(moments))
    if whole := of(int):
        largest = max(abs(min(whole)), max(whole) + 1)
        beyond = pl.Float64() if kind == pl.Float64 and largest < LARGEST_FLOAT else pl.String()
        kind = wider(kind, pl.Int64() if largest <= LARGEST else beyond)
    if (texts := of(str)) and not (kind in NUMBERS and marks.issuperset(texts)):
        kind = wider(kind, pl.String())
    if lists := of(list, tuple):
        kind = wider(kind, pl.List(kind_of(list(chain.from_iterable(lists)), marks, depth + 1)))
    if records := of(Mapping):
        kind = wider(kind, _fields(records, marks, depth + 1))
    return kind


def _lists_of_numbers(name: str, values: Sequence[Any], kind: Any) -> pl.Series:
    lengths = np.fromiter((0 if one is None else len(one) for one in values), dtype=np.int64, count=len(values))
    flat = list(chain.from_iterable(one for one in values if one is not None))
    inner = pl.Series(name, _fitted(flat, kind), dtype=kind, strict=False)
    return regrouped(inner, lengths, pl.Series([one is not None for one in values]))


def wider(first: Any, second: Any) -> Any:
    """Return the narrowest kind that holds every value of two kinds.

    Raises:
        TypeError: there is none, for example for a list and a number.

    Example:
        >>> wider(pl.List(pl.Int64), pl.List(pl.Float64))
        List(Float64)
    """
    if second in (first, pl.Null):
        return first
    if first == pl.Null:
        return second
    if first in NUMBERS and second in NUMBERS:
        return max(first, second, key=NUMBERS.index)
    if isinstance(first, pl.List) and isinstance(second, pl.List):
        return pl.List(wider(first.inner, second.inner))
    if isinstance(first, pl.Struct) and isinstance(second, pl.Struct):
        fields = {field.name: field.dtype for field in first.fields}
        for field in second.fields:
            fields[field.name] = wider(fields.get(field.name, pl.Null), field.dtype)
        return pl.Struct(fields)
    if {first.base_type(), second.base_type()} <= {pl.Date, pl.Datetime}:
        zones = {kind.time_zone for kind in (first, second) if isinstance(kind, pl.Datetime)}
        return pl.Datetime("us", zones.pop() if len(zones) == 1 else "UTC")
    if pl.String in (first, second) and all(map(_has_text, (first, second))):
        return pl.String()
    raise KindError(f"{named(first)} and {named(second)}")


def named(kind: Any) -> str:
    """Return what a kind is called in messages."""
    if isinstance(kind, pl.List | pl.Array):
        return f"lists of {named(kind.inner)}"
    if isinstance(kind, pl.Struct):
        return "dictionaries"
    if isinstance(kind, pl.Datetime):
        return "dates and times" + (f" ({kind.time_zone})" if kind.time_zone else "")
    if kind.is_integer():
        return "whole numbers"
    if kind.is_float() or kind.is_decimal():
        return "numbers"
    names = {pl.Boolean: "true/false", pl.Date: "dates", pl.Null: "nothing", pl.Object: "objects"}
    texts = kind in (pl.String, pl.Categorical, pl.Enum)
    return "text" if texts else next((name for one, name in names.items() if kind == one), str(kind).lower())


def shown_first(column: pl.Series) -> str:
    """Return the kind of a column and its first value, for a message.

    Example:
        >>> shown_first(pl.Series(["5 kg", "6 kg"]))
        "text, such as '5 kg' in row 0"
    """
    row = int(column.is_not_null().arg_max() or 0)
    value = column[row]
    shown = repr(value.to_list() if isinstance(value, pl.Series) else value)
    return f"{named(column.dtype)}, such as {shown[:LONGEST_SHOWN]} in row {row}"


def kind_to_json(kind: Any) -> Any:
    """Return a kind as plain values.

    Example:
        >>> kind_to_json(pl.List(pl.Int64)), kind_from_json({"list": "int"})
        ({'list': 'int'}, List(Int64))
    """
    if isinstance(kind, pl.List):
        return {"list": kind_to_json(kind.inner)}
    if isinstance(kind, pl.Struct):
        return {"fields": {field.name: kind_to_json(field.dtype) for field in kind.fields}}
    if isinstance(kind, pl.Datetime):
        return {"time": kind.time_zone}
    return next(name for name, one in _NAMES.items() if kind == one)


def kind_from_json(data: Any) -> Any:
    """Restore what `kind_to_json` returned; ValueError for anything else."""
    match data:
        case str() if data in _NAMES:
            return _NAMES[data]()
        case {"list": inner}:
            return pl.List(kind_from_json(inner))
        case {"fields": dict(fields)}:
            return pl.Struct({str(name): kind_from_json(inner) for name, inner in fields.items()})
        case {"time": None | str() as zone}:
            return pl.Datetime("us", zone)
        case _:
            raise ValueError(f"no kind of values: {str(data)[:60]}")


def _has_text(kind: Any) -> bool:
    return kind == pl.String or kind in NUMBERS or kind.is_temporal()


def _simple(kind: type) -> Any:
    found = next((_SIMPLE[one] for one in kind.__mro__ if one in _SIMPLE), pl.Object)
    return found() if isinstance(found, type) else found


def _moments(values: list[dt.datetime]) -> Any:
    """Return the kind of moments: with a zone if all have one and the same, else in UTC if any has one."""
    zones = {None if value.tzinfo is None else str(value.tzinfo) for value in values}
    if zones == {None}:
        return pl.Datetime("us")
    if None in zones:
        raise KindError("times with a zone and times without")
    key = next(iter(zones))
    return pl.Datetime("us", key if len(zones) == 1 and key and "/" in key else "UTC")


def _fields(records: list[Mapping[Any, Any]], marks: frozenset[str], depth: int) -> Any:
    names = list(dict.fromkeys(chain.from_iterable(records)))
    if not names:
        return pl.Struct({})
    if len(names) * len(records) > MOST_FIELDS + 100 * sum(map(len, records)):
        raise KindError(f"dictionaries of {len(names):,} different keys")
    return pl.Struct({str(name): kind_of([one.get(name) for one in records], marks, depth) for name in names})


def _fitted(values: Sequence[Any], kind: Any) -> Sequence[Any]:
    """Return values that polars converts to `kind` without loss; most pass unchanged."""
    if isinstance(kind, pl.List):
        if not _wants_care(kind):
            return values
        return [None if value is None else _fitted(list(value), kind.inner) for value in values]
    if isinstance(kind, pl.Struct):
        kinds = {field.name: field.dtype for field in kind.fields}
        columns = {
            name: _of_floats(_fitted([_field(value, name) for value in values], inner), inner)
            for name, inner in kinds.items()
        }
        rows = zip(*columns.values(), strict=True) if columns else ((),) * len(values)
        return [
            None if value is None else dict(zip(kinds, row, strict=True))
            for value, row in zip(values, rows, strict=True)
        ]
    if kind == pl.String:
        return [value if value is None or type(value) is str else text_of(value) for value in values]
    if kind in NUMBERS:
        texts = (str, Decimal)
        if PLAINNUMBERS.issuperset(map(type, values)):
            return values
        return [_number(value) if isinstance(value, texts) else value for value in values]
    return values


def _of_floats(values: Sequence[Any], kind: Any) -> Sequence[Any]:
    """Return lists of a column of lists of numbers with floats alone, as polars wants them within dictionaries."""
    if kind == pl.Float64:
        return [None if value is None else float(value) for value in values]
    if not isinstance(kind, pl.List):
        return values
    return [None if value is None else _of_floats(value, kind.inner) for value in values]


def _wants_care(kind: Any) -> bool:
    """Return whether a list holds anything but numbers, which need no look at each value."""
    return _wants_care(kind.inner) if isinstance(kind, pl.List) else True


def _field(value: Any, name: str) -> Any:
    return None if value is None else value.get(name)


def _number(value: str | Decimal) -> float | None:
    return None if isinstance(value, str) else float(value)  # a text among numbers is a mark of a missing value


def text_of(value: Any) -> str:
    """Return a single value as text: true and false as JSON writes them, whole numbers without a point.

    Example:
        >>> text_of(7), text_of(0.5), text_of(True)
        ('7', '0.5', 'true')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return value.isoformat(" ") if isinstance(value, dt.datetime) else str(value)


def _mixed(name: str, values: Sequence[Any], marks: frozenset[str], fault: KindError) -> DataError:
    """Return the error for values of kinds that do not go together; it names the first row that does not fit."""
    kind: Any = pl.Null()
    for row, value in enumerate(values):
        try:
            kind = wider(kind, kind_of([value], marks))
        except KindError as found:
            return DataError(
                message(f"column {name!r}", expected="values of one kind",
                        received=f"{found} in row {row}{_after(value)}",
                        remedy="give lists in every row or in none" if "lists of" in str(found) else "")
            )  # fmt: skip
    return DataError(message(f"column {name!r}", expected="values of one kind", received=str(fault)))


def _after(value: Any) -> str:
    """Return a single value as the end of a message; nothing for lists and dictionaries, which say little in short."""
    return "" if isinstance(value, list | tuple | Mapping) else f": {reprlib.repr(value)}"
