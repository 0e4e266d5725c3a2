"""Conversion of a table to the series that a detector reads, and checks of the table."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, NamedTuple, Self

import numpy as np
import polars as pl

from unrolled.data.source import Source, Table
from unrolled.data.table_notes import counts_rows
from unrolled.data.time_forms import TimeForm, saved_form, series_of_one
from unrolled.data.timestamps import parse_times
from unrolled.errors import DataError, OptionError, listed, message, whole_number
from unrolled.forms import some
from unrolled.reading_report import note, warn_once
from unrolled.tasks.detection.event_sequences import EventPlan
from unrolled.tasks.detection.number_series import SeriesPlan
from unrolled.tasks.shared.column_codecs import require
from unrolled.tasks.shared.event_values import LARGEST, category_of, name_of, number_of
from unrolled.tasks.shared.option_checks import MOST_STEPS

Target = Sequence[str] | str
PART = "unrolled part"
_ODD = 2400  # from this year on, times may be of another calendar


class Rows(NamedTuple):
    """The rows of one series."""

    name: str  # name of the series; "" where there is no group
    times: np.ndarray  # datetime64[us] or numbers, sorted, (T,)
    values: np.ndarray  # numbers, NaN missing, or events, None missing, (T, V)
    keys: pl.DataFrame  # time and group as they were given


@dataclass(frozen=True)
class WatchedColumns:
    """The watched columns of a table and their kinds.

    Args:
        columns: columns of numbers, or one column of categories.
        events: whether the column holds categories.
        time: column of timestamps.
        group: column that identifies the series.
        dated: whether times are dates, not numbers.
        time_form: how the times are written; None in models of earlier versions.
    """

    columns: Annotated[list[str], some]
    events: bool
    time: str
    group: str | None
    dated: bool
    time_form: TimeForm | None = None

    def plan(self, components: int) -> SeriesPlan | EventPlan:
        """Return an unfitted plan of the right kind."""
        form = self.time_form
        zone, zones = ("", {}) if form is None else (form.zone or "", {str(name): one for name, one in form.zones})
        if not self.events:
            return SeriesPlan(self.columns, components, zone, zones=zones)
        usual = Counter(zones.values()).most_common(1)
        return EventPlan(self.columns, zone=usual[0][0] if usual else zone, zones=zones)

    def plan_from_json(self, data: Mapping[str, Any]) -> SeriesPlan | EventPlan:
        """Return a saved plan."""
        return EventPlan.from_json(data) if self.events else SeriesPlan.from_json(data)

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned."""
        return cls(**{**data, "time_form": saved_form(data.get("time_form"), not data["dated"])})


def watch(source: Table, target: Target, label: str, warm_up: int) -> WatchedColumns:
    """Choose the columns: the named ones, or all numbers except time, group and label.

    Raises:
        DataError: a column that does not exist, none at all, one that holds neither numbers nor categories, nothing
            but missing values, or no series longer than the warm-up.
        OptionError: several columns of which one holds categories.
    """
    assert source.time is not None
    named = [target] if isinstance(target, str) else list(target)
    if not named:
        beside: tuple[str | None, ...] = (source.time, source.group, label)
        beside += source.row_labels
        named = [name for name in source.columns if source.frame[name].dtype.is_numeric() and name not in beside]
        counters = [name for name in named if counts_rows(source.frame, name, source.group)]
        if counters and len(counters) < len(named):
            named = [name for name in named if name not in counters]
            shown = listed(counters)
            warn_once("counters", f"not watched, as they only count the rows: columns {shown}; name them to watch them")
    if not named:
        raise DataError(
            message(
                "target",
                expected="a column of numbers",
                received=f"none among {listed(source.columns)}",
                remedy="for events, name their column",
            )
        )
    require(source, named, "target")
    kinds = {name: source.frame[name].dtype for name in named}
    for name, kind in kinds.items():
        if not (kind.is_numeric() or kind == pl.Null or _is_event(kind)):
            raise DataError(message(f"column {name!r}", expected="numbers or categories", received=str(kind)))
    events = any(_is_event(kind) for kind in kinds.values())
    if events and len(named) > 1:
        raise OptionError(message("target", expected="one column of events, or columns of numbers", received=named))
    dated = moments(source.frame[source.time], None, source.time_form).dtype.kind == "M"
    watched = WatchedColumns(named, events, source.time, source.group, dated, source.time_form)
    rows = series_of(source, watched)
    longest = max(len(one.times) for one in rows)
    if longest <= warm_up:
        raise DataError(
            message(
                "data",
                expected=f"a series longer than the warm-up of {warm_up} steps",
                received=f"{longest} in the longest",
                remedy="give more rows, or lower warm_up",
            )
        )
    for name in named:
        if source.frame[name].is_null().all() or (kinds[name].is_float() and source.frame[name].is_nan().all()):
            raise DataError(message(f"column {name!r}", expected="at least one value", received="none"))
    return watched


def series_of(source: Table, watched: WatchedColumns) -> list[Rows]:
    """Return the series of a table, each sorted by time.

    Raises:
        DataError: columns that differ from those in training, missing times, or infinite numbers.
    """
    if source.time != watched.time or source.group != watched.group:
        wanted, got = ((f"time={one.time!r} and group={one.group!r}") for one in (watched, source))
        raise DataError(message("data", expected=f"a table with {wanted}, as in training", received=got))
    keys = [name for name in (watched.time, watched.group) if name is not None]
    require(source, [*keys, *watched.columns])
    for name in watched.columns:
        _check_column(source.frame[name], watched.events)
    if watched.group is not None and source.frame[watched.group].null_count():
        raise DataError(message(f"column {watched.group!r}", expected="a name in every row", received="null"))
    moments(source.frame[watched.time], watched.dated, watched.time_form)
    found = []
    for name, frame in source.series():
        times = moments(frame[watched.time], watched.dated, watched.time_form)
        values = _events(frame[watched.columns[0]]) if watched.events else _numbers(frame, watched.columns)
        if not watched.events:  # the codec of events counts its own
            note("missing values", int(np.isnan(values).sum()), values.size)
        found.append(Rows("" if name is None else str(name), times, values, frame.select(keys)))
    return found


def parts_of(source: Source, every: int) -> Iterator[Table]:
    """Yield tables of `every` rows of each series, one after the other.

    Raises:
        OptionError: every < 1.
    """
    assert isinstance(source, Table)
    every = whole_number("every", every, 1, MOST_STEPS)
    number = pl.int_range(pl.len())
    number = number if source.group is None else number.over(source.group)
    numbered = source.frame.with_columns((number // every).alias(PART)).sort(PART, maintain_order=True)
    for part in numbered.partition_by(PART, maintain_order=True, include_key=False):
        yield Table(part, source.time, source.group, source.time_form)


def next_row(record: Mapping[str, Any], watched: WatchedColumns, before: Any) -> Rows:
    """Return a record as the next row of a series.

    Args:
        record: one value per column.
        watched: the watched columns.
        before: time of the row before; None for the first.

    Raises:
        DataError: a missing column, a value of another kind, or a time that does not come after `before`.
    """
    keys = [name for name in (watched.time, watched.group) if name is not None]
    for name in (*keys, *watched.columns):
        if name not in record:
            raise DataError(message("record", expected=f"a value for {name!r}", received=f"only {sorted(record)}"))
    time = _moment(record[watched.time], watched)
    if before is not None and time <= before:
        raise DataError(
            message(
                f"column {watched.time!r}",
                expected=f"a time after {before}",
                received=str(record[watched.time]),
                remedy="sort the rows, and leave out repeated ones",
            )
        )
    if watched.events:
        column = watched.columns[0]
        values = np.array([[category_of(record[column], column)]], dtype=object)
    else:
        values = np.array([[number_of(record[name], name) for name in watched.columns]])
        note("missing values", int(np.isnan(values).sum()), values.size)
    name = "" if watched.group is None else name_of(record[watched.group], watched.group)
    return Rows(name, np.array([time]), values, pl.DataFrame())


def moments(column: pl.Series, dated: bool | None, form: TimeForm | None) -> np.ndarray:
    """Return times as datetime64[us] in UTC, or numbers.

    Args:
        column: column of times.
        dated: whether training had dates; None before training.
        form: how the times are written; None to recognise it.

    Raises:
        DataError: a missing time, or numbers where training had dates, or the other way round.
    """
    where = f"column {column.name!r}"
    if column.null_count():
        row = int(column.is_null().arg_max() or 0)
        raise DataError(message(where, expected="a time in every row", received=f"null in row {row}"))
    column = parse_times(column) if form is None else form.parse(column)
    if dated is not None and column.dtype.is_numeric() == dated:
        wanted = "dates and times, as in training" if dated else "numbers, as in training"
        raise DataError(message(where, expected=wanted, received=str(column.dtype)))
    if column.dtype.is_numeric():
        return _finite_times(column.cast(pl.Float64).to_numpy().astype(np.float64), where)
    return column.cast(pl.Datetime("us")).to_numpy()  # of times with a zone, those in UTC


def _finite_times(times: np.ndarray, where: str) -> np.ndarray:
    far = ~(np.abs(times) <= LARGEST)
    if far.any():
        row = int(np.argmax(far))
        raise DataError(message(where, expected="finite times", received=f"{times[row]} in row {row}"))
    return times


def _moment(time: Any, watched: WatchedColumns) -> Any:
    """Return one time; the usual types are converted without a table."""
    naive = watched.time_form is None or watched.time_form.zone is None
    if watched.dated and naive and isinstance(time, dt.datetime) and time.tzinfo is None and time.year < _ODD:
        return np.datetime64(time, "us")
    if not watched.dated and isinstance(time, int | float) and not isinstance(time, bool):
        return _finite_times(np.array([number_of(time, watched.time)]), f"column {watched.time!r}")[0]
    return moments(series_of_one(watched.time, time), watched.dated, watched.time_form)[0]


def _is_event(kind: pl.DataType) -> bool:
    return kind in (pl.String, pl.Boolean, pl.Categorical) or isinstance(kind, pl.Enum)


def _check_column(column: pl.Series, events: bool) -> None:
    where = f"column {column.name!r}"
    if column.dtype != pl.Null and _is_event(column.dtype) != events:
        wanted = "categories, as in training" if events else "numbers, as in training"
        raise DataError(message(where, expected=wanted, received=str(column.dtype)))
    too_large = column.fill_nan(None).abs() > LARGEST if column.dtype.is_float() else pl.Series([False])
    if too_large.any():
        row = int(too_large.arg_max() or 0)
        raise DataError(
            message(
                where,
                expected="finite numbers",
                received=f"{column[row]} in row {row}",
                remedy="write missing values as null",
            )
        )


def _numbers(frame: pl.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return columns of numbers as an array, (T, V), NaN where missing."""
    return frame.select(pl.col(columns).cast(pl.Float64)).to_numpy().astype(np.float64)


def _events(column: pl.Series) -> np.ndarray:
    """Return a column of events as an array of text, (T, 1), None where missing."""
    return np.array(column.cast(pl.String).to_list(), dtype=object).reshape(-1, 1)
