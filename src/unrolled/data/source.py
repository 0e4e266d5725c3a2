"""Sources: records with known columns that can be read any number of times.

A sequence is a value in a column: text, or a list of numbers, tokens or vectors. In long format a table has
one row per time step instead, and names its `time` and, for several series, its `group` column.
"""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import polars as pl

from unrolled.data.forks import check_fork
from unrolled.data.handed import tidy
from unrolled.data.marked import marks_of, without_marks
from unrolled.data.mixtures import MAX_DUPLICATES, separating_columns
from unrolled.data.schema import Schema
from unrolled.data.spelling import Spelling
from unrolled.data.splits import group_split, random_split, stratified_split, time_split
from unrolled.data.table_notes import table_notes
from unrolled.data.time_forms import TimeForm, read_times
from unrolled.data.time_options import TimeOptions
from unrolled.data.timestamps import TimeReport, report_times
from unrolled.errors import DataError, OptionError, lacking, message, one_column

_NAMED = 3  # series that a note names
_SHOWN = 60  # characters of a value in a message


class Source(ABC):
    """Records, dictionaries from column to value, that can be iterated any number of times."""

    time: str | None = None
    group: str | None = None
    marks: tuple[str, ...] | None = None
    decimal: str = "."
    notes: tuple[str, ...] = ()

    @property
    @abstractmethod
    def columns(self) -> list[str]:
        """Names of the columns."""

    @property
    @abstractmethod
    def kinds(self) -> Mapping[str, Any]:
        """Kind of each column, as a polars type."""

    @abstractmethod
    def cast(self, schema: Schema) -> "Source":
        """Return a source whose columns have the kinds of a schema; further columns pass unchanged.

        Raises:
            DataError: a value that has no place in the kind of its column; a lazy source raises it while it is read.
        """

    @abstractmethod
    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield the records, from the first one, every time."""

    @abstractmethod
    def __len__(self) -> int:
        """Return the number of records."""

    @abstractmethod
    def split(
        self, test: float = 0.2, seed: int = 0, stratify: str | None = None, group: str | None = None
    ) -> tuple["Source", "Source"]:
        """Split into two parts, train and test; every record is in exactly one."""

    def require(self, *columns: str) -> None:
        """Refuse a column that does not exist, and suggest the nearest name."""
        for column in columns:
            if column not in self.columns:
                raise lacking(column, self.columns)


def as_table(source: Source) -> "Table":
    """Return a source as a table in memory; a table is returned unchanged."""
    return source if isinstance(source, Table) else Table(pl.DataFrame(list(source), infer_schema_length=None))


class Table(Source):
    """A table in memory, around a polars DataFrame.

    Args:
        frame: the data; it is never changed.
        time: in long format, the column of timestamps: dates, datetimes, ISO text or numbers. Rows are sorted by it.
        group: in long format, the column that identifies the series.
        times: options of the reading of times, or the form that was learnt from another table; they also hold for a
            column of times that only a task names.

    Attributes:
        report: counts of irregular timestamps (`TimeReport`), None without `time`.
        time_form: how the times are written (`TimeForm`), None without `time`.
        folder: folder of the file that the table was read from, None for a table in memory.
        indexed: the columns that an index held in memory, of times and of series, each None where there was none;
            forecasters and detectors use them where no `time` is named.
        row_labels: all columns that an index held; they are no inputs of a model unless they are named.
        notes: sentences about what a reader changed, such as letters that it made upper case.
        marks: texts that stand for a missing value, as they were given to the reader; None for the usual ones.
        decimal: sign before the decimals of its numbers in the file.
        spelling: how numbers that were read from text were written (`Spelling`), None for other tables.

    Raises:
        DataError: a column that does not exist, timestamps that cannot be read, or no row at all.

    Example:
        >>> import polars as pl
        >>> table = Table(pl.DataFrame({"day": ["2024-01-02", "2024-01-01"], "x": [2.0, 1.0]}), time="day")
        >>> [record["x"] for record in table]
        [1.0, 2.0]
    """

    def __init__(
        self,
        frame: pl.DataFrame,
        time: str | None = None,
        group: str | None = None,
        times: TimeOptions | TimeForm | None = None,
    ) -> None:
        check_fork()
        self.frame = frame
        self.time = time
        self.group = group
        self.report: TimeReport | None = None
        self.times = times
        self.time_form: TimeForm | None = None
        self.folder: Path | None = None
        self.indexed: tuple[str | None, str | None] = (None, None)
        self.row_labels: tuple[str, ...] = ()
        self.notes: tuple[str, ...] = ()
        self.spelling: Spelling | None = None
        for argument, name in (("group", group), ("time", time)):
            if name is not None:
                if not isinstance(name, str):
                    raise OptionError(one_column(argument, name))
                self.require(name)
                refuse_nested(frame[name])
        if time is not None:
            names = None if group is None else frame[group]
            if isinstance(times, TimeForm):
                read, self.time_form = times.parse(frame[time], names), times
            else:
                read, self.time_form = read_times(frame[time], times, names)
            if self.time_form.zones:
                shown = ", ".join(f"{name}: {zone}" for name, zone in self.time_form.zones[:_NAMED])
                self.notes = (f"each series has the days of its own zone ({shown}); times are shown in UTC",)
            frame = frame.with_columns(read)
            frame = frame.sort([time] if group is None else [group, time], maintain_order=True)
            self.report = report_times(frame, time, group)
            if self.report.duplicates > MAX_DUPLICATES * frame.height:
                self.report = replace(self.report, separated_by=separating_columns(frame, time, group))
            keys = [time] if group is None else [group, time]
            self.frame = frame.unique(subset=keys, keep="last", maintain_order=True)

    @property
    def columns(self) -> list[str]:
        return self.frame.columns

    @property
    def kinds(self) -> Mapping[str, Any]:
        return self.frame.schema

    def cast(self, schema: Schema) -> "Table":
        return self.around(schema.cast(self.frame)) if schema.changes(self.kinds) else self

    def as_written(self, texts: Collection[str]) -> "Table":
        """Return the table with some columns as they are written in its file; one without a file passes unchanged.

        Args:
            texts: columns that a model learnt as text.

        Raises:
            DataError: numbers whose spelling is lost, or a file that has changed.
        """
        lacking = [] if self.spelling is None else self.spelling.lacks(self.frame, texts)
        if self.spelling is None or self.spelling.again is None or not lacking:
            return self
        found = self.spelling.again(lacking)
        if len(found) == len(self):
            return found
        received = f"{len(found)} rows where there were {len(self)}"
        raise DataError(message("data", expected="the file as it was read", received=received, remedy="read it again"))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return self.frame.iter_rows(named=True)

    def __len__(self) -> int:
        return self.frame.height

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}: {kind}" for name, kind in self.frame.schema.items())
        notes = "".join(f"; {note}" for note in self.notes)
        return f"Table({len(self)} rows; {shown}{notes})"

    def select(self, rows: Sequence[int] | np.ndarray | range) -> "Table":
        """Return the given rows, in that order."""
        return self.around(self.frame[np.asarray(rows, dtype=np.int64)])

    def with_column(self, values: pl.Series) -> "Table":
        """Return the table with one column replaced or added, under the name of the series."""
        return self.around(self.frame.with_columns(values))

    def around(self, frame: pl.DataFrame) -> Self:
        """Return another frame with what is known of this table: its times, series, marks and notes."""
        table = type(self).__new__(type(self))
        table.frame, table.time, table.group, table.folder = frame, self.time, self.group, self.folder
        table.indexed, table.row_labels = self.indexed, self.row_labels
        table.notes, table.marks, table.decimal = self.notes, self.marks, self.decimal
        table.spelling = None if self.spelling is None else Spelling(self.spelling.columns)
        table.times, table.time_form = self.times, self.time_form
        table.report = None if self.time is None else report_times(frame, self.time, self.group)
        return table

    def split(
        self, test: float = 0.2, seed: int = 0, stratify: str | None = None, group: str | None = None
    ) -> tuple["Table", "Table"]:
        """Split into two tables, train and test; every row is in exactly one, and rows keep their order.

        Args:
            test: share of the rows (of the groups, with `group`) that goes to the second table.
            seed: determines the choice.
            stratify: keep the share of each value of this column in both tables.
            group: keep all rows with the same value in this column together.

        Raises:
            OptionError: a share outside (0, 1), both stratify and group, or time-ordered rows.
            DataError: too few rows, or a column that does not exist.
        """
        if self.time is not None and self.group is None:
            raise OptionError(
                message(
                    "split",
                    expected="rows that do not follow each other in time",
                    received=f"one series ordered by {self.time!r}",
                    remedy="use split_at(time), which keeps later rows out of training",
                )
            )
        if stratify is not None and group is not None:
            raise OptionError(message("split", expected="stratify or group", received="both"))
        self.require(*(column for column in (stratify, group) if column is not None))
        whole = group or (self.group if self.time is not None else None)
        if whole is not None:
            held = group_split(self.frame[whole].to_list(), test, seed)
        elif stratify is not None:
            held = stratified_split(self.frame[stratify].to_list(), test, seed)
        else:
            held = random_split(len(self), test, seed)
        return self.around(self.frame.filter(~held)), self.around(self.frame.filter(held))

    def split_at(self, time: Any) -> tuple["Table", "Table"]:
        """Split into the rows before `time` and the rows from `time` on.

        Args:
            time: a timestamp in any form that the time column may have.

        Raises:
            OptionError: a table without a time column.
            DataError: no rows on one side.
        """
        if self.time is None:
            raise OptionError(
                message("split_at", expected="a table with a time column", received="none", remedy="read it with time=")
            )
        past = time_split(self.frame[self.time], time, self.time_form)
        frame = self.frame
        return self.around(frame.filter(past)), self.around(frame.filter(~past))

    def series(self) -> Iterator[tuple[Any, pl.DataFrame]]:
        """Yield the key and rows of each group of a long-format table; without `group` one series with key None."""
        if self.group is None:
            yield None, self.frame
            return
        for (key,), frame in self.frame.group_by([self.group], maintain_order=True):
            yield key, frame


def refuse_nested(column: pl.Series) -> None:
    """Refuse a column of times, or of names of series, in which values are no single ones."""
    kind = column.dtype
    if kind in (pl.Object, pl.Binary) or kind.is_nested():
        value = next((repr(value) for value in column.to_list() if value is not None), "nothing")[:_SHOWN]
        expected = "single values, such as texts, numbers or times"
        raise DataError(message(f"column {column.name!r}", expected=expected, received=value))


def table_of(
    frame: pl.DataFrame,
    path: str | Path | None,
    time: str | None = None,
    group: str | None = None,
    times: TimeOptions | TimeForm | None = None,
    missing: Collection[str | float] | None = None,
    notes: tuple[str, ...] = (),
) -> Table:
    """Return a table that was read from a file, or from memory.

    Args:
        frame: the rows.
        path: the file, whose folder the table keeps; None = from memory.
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series.
        times: options of the reading of times, or a form that was learnt.
        missing: texts and numbers that stand for a missing value in every column; None for the usual marks.
        notes: of the reader, about the lines of the file.

    Raises:
        DataError: no row or no column.
        OptionError: marks that are no list.
    """
    if not frame.height or not frame.width:
        raise DataError(message(str(path or "data"), expected="at least one row", received="none"))
    frame, marks = tidy(frame), marks_of(missing)
    if marks is not None:
        frame = without_marks(frame, marks, retyped=True)
    table = Table(frame, time=time, group=group, times=times)
    table.marks = marks
    table.folder = None if path is None else Path(path).parent
    if path is not None:
        table.notes = (*table_notes(table.frame), *notes)
    return table
