"""Schema: the columns that a model learnt from and their kinds; every later table is cast by it or refused."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Self

import polars as pl

from unrolled.data.casts import Written, cast, plain_kind
from unrolled.data.handed import column
from unrolled.data.kinds import kind_from_json, kind_to_json, named
from unrolled.data.marked import holds_numbers, numbers_of, value_without_marks, without_marks
from unrolled.data.missing import MARKS
from unrolled.data.written_lists import are_lists, read_lists
from unrolled.errors import ArtifactError, DataError, message


@dataclass(frozen=True)
class Schema:
    """Names and kinds of the columns of a table, and the texts that stand for a missing value.

    Args:
        kinds: kind of each column, as a polars type.
        missing: texts that stand for a missing value: the usual ones in columns that are no text, and those that were
            given to the reader of the training data in every column.
        optional: columns that a task can do without, such as the target: what cannot be cast there passes unchanged.
        left: columns that are never cast, as the task reads them itself: times, by the form that was learnt.
        decimal: sign before the decimals of numbers that are written as text.
        facts: what else is known of how the data was read, in words: the form of times, their zone, the calendar.

    Example:
        >>> schema = Schema({"shop": pl.String(), "sold": pl.Int64()})
        >>> schema.cast(pl.DataFrame({"shop": [12], "sold": [2.5]})).rows()
        [('12', 2.5)]
        >>> print(schema)
        shop: text
        sold: whole numbers
        missing values: NA, n/a, -, empty and the like, in columns of numbers
        decimals: point
    """

    kinds: Mapping[str, Any] = field(default_factory=dict)
    missing: tuple[str, ...] = MARKS
    optional: frozenset[str] = frozenset()
    left: frozenset[str] = frozenset()
    decimal: str = "."
    facts: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, kinds: Mapping[str, Any], marks: tuple[str, ...] | None = None, decimal: str = ".") -> Self:
        """Return the schema of columns of some kinds; objects and bytes are left out, as their codecs read them.

        Args:
            kinds: kind of each column, as a polars type.
            marks: texts that stand for a missing value in every column; None = the usual ones.
            decimal: sign before the decimals of numbers that are written as text.
        """
        plain = {name: plain_kind(kind) for name, kind in kinds.items()}
        kept = {name: kind for name, kind in plain.items() if kind not in (pl.Object, pl.Binary, pl.Null)}
        return cls(kept, MARKS if marks is None else marks, frozenset(kept), decimal=decimal)

    def only(
        self,
        columns: Collection[str],
        optional: Collection[str],
        left: Collection[str] = (),
        facts: Mapping[str, str] | None = None,
    ) -> "Schema":
        """Return the schema of some of the columns; see the class for `optional`, `left` and `facts`."""
        kept = {name: kind for name, kind in self.kinds.items() if name in columns}
        parts = (frozenset(optional) & kept.keys(), frozenset(left) & kept.keys())
        return Schema(kept, self.missing, *parts, self.decimal, dict(facts or {}))

    def named(self, column: str) -> str:
        """Return what the kind of a column is called; empty for a column that is not known."""
        return named(self.kinds[column]) if column in self.kinds else ""

    @cached_property
    def given_marks(self) -> tuple[str, ...]:
        """Marks that were given to the reader and hold in every column; empty where only the usual ones are known."""
        return () if self.missing == MARKS else self.missing

    @cached_property
    def _numbers(self) -> frozenset[float]:
        return numbers_of(self.given_marks)

    @cached_property
    def _written(self) -> Written:
        return Written((*self.missing, ""), self.decimal)

    def rules(self) -> dict[str, str]:
        """Return how values are read, in words: marks of missing ones, decimals, and what `facts` says of times."""
        given = ", ".join(mark or "empty" for mark in self.given_marks)
        marks = f"{given}, in every column" if given else "NA, n/a, -, empty and the like, in columns of numbers"
        return {"missing values": marks, "decimals": "comma" if self.decimal == "," else "point", **self.facts}

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

    def changes(self, kinds: Mapping[str, Any]) -> bool:
        """Return whether `cast` may change a table of columns of these kinds."""
        return bool(self.given_marks or self.differing(kinds))

    def cast(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a table whose known columns have the kinds that were learnt; further columns pass unchanged.

        Numbers with decimals stay numbers where whole ones were learnt.

        Args:
            frame: the table.

        Raises:
            DataError: a value that has no place in the kind that was learnt; the message names column, row and value.
        """
        if self.given_marks:
            known = [name for name in frame.columns if name in self.kinds]
            frame = frame.with_columns(without_marks(frame.select(known), self.given_marks).get_columns())
        changed = []
        for name in self.differing(frame.schema):
            try:
                changed.append(self._column(frame[name]))
            except DataError:
                if name not in self.optional:
                    raise
        return frame.with_columns(changed)

    def cast_event(self, event: Any, unnamed: str = "") -> Any:
        """Return an event of a stream with the kinds that were learnt; one that has them is returned unchanged.

        Columns of lists may hold one step. What cannot be cast passes unchanged: the codec of its column judges it.

        Args:
            event: values by column; or a value of the column `unnamed`, in which only given marks are looked for.
            unnamed: the column of values that come without a name; empty where there is none.
        """
        if isinstance(event, str) or not isinstance(event, Mapping):
            return self._without_marks({unnamed: event})[unnamed] if unnamed and self.given_marks else event
        if self.given_marks:
            event = self._without_marks(event)
        odd = [name for name, wanted in self._checked if type(event.get(name)) not in wanted]
        return {**event, **{name: self._cast_value(name, event[name]) for name in odd}} if odd else event

    def _without_marks(self, event: Mapping[Any, Any]) -> dict[Any, Any]:
        known = {
            name: value_without_marks(event[name], self.given_marks, self._numbers, not holds_numbers(kind))
            for name, kind in self.kinds.items()
            if name in event
        }
        return {**event, **known}

    def _holds_lists(self, name: str, kind: Any) -> bool:
        """Return whether a column of lists came as text, such as that of a table of text."""
        return isinstance(self.kinds[name], pl.List) and kind == pl.String

    @property
    def checks_events(self) -> bool:
        """Whether `cast_event` can change an event."""
        return bool(self._checked or self.given_marks)

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
            return cast(column(name, [value]), wanted, self._written).to_list()[0]
        except DataError:
            return value

    def _column(self, column: pl.Series) -> pl.Series:
        if column.name in self.left:
            lists = read_lists(column) if are_lists(column.drop_nulls()) else None
            return column if lists is None else lists
        return cast(column, self.kinds[column.name], self._written)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        kinds = {name: kind_to_json(kind) for name, kind in self.kinds.items()}
        return {
            "columns": kinds,
            "missing": list(self.missing),
            "optional": sorted(self.optional),
            "left": sorted(self.left),
            "decimal": self.decimal,
            "facts": dict(self.facts),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned; ArtifactError for damaged data."""
        try:
            kinds = {name: kind_from_json(kind) for name, kind in data["columns"].items()}
            optional, left = (frozenset(map(str, data[name])) for name in ("optional", "left"))
            facts = {str(name): str(fact) for name, fact in data.get("facts", {}).items()}  # older models have none
            decimal = str(data.get("decimal", "."))
            return cls(kinds, tuple(map(str, data["missing"])), optional, left, decimal, facts)
        except (KeyError, TypeError, AttributeError, ValueError) as fault:
            raise ArtifactError(message("schema", expected="columns and marks", received="others")) from fault

    def __str__(self) -> str:
        columns = {name: named(kind) for name, kind in self.kinds.items()}
        return "\n".join(f"{name}: {fact}" for name, fact in (*columns.items(), *self.rules().items()))


# types of values that need no cast
_PYTHON: dict[Any, tuple[type, ...]] = {
    pl.String(): (str,),
    pl.Int64(): (int,),
    pl.Float64(): (float, int),
    pl.Boolean(): (bool,),
}
