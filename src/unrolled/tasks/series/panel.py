"""Panel: converts a long table (time, group, value, covariates) to one array per series on a regular clock."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import polars as pl

from unrolled.codecs.base import Codec
from unrolled.codecs.registry import codec_from_json
from unrolled.codecs.tables.category import Categories
from unrolled.codecs.tables.numeric import Numbers
from unrolled.codecs.tables.time import TimeFeatures
from unrolled.data.source import Table
from unrolled.data.time_forms import TimeForm, saved_form, series_of_one
from unrolled.data.timestamps import parse_times
from unrolled.errors import DataError, OptionError, message
from unrolled.ragged import Ragged
from unrolled.reading_report import note
from unrolled.tasks.series.clock import FARTHEST, Clock, grid, infer_clock
from unrolled.tasks.series.season import detrended
from unrolled.tasks.shared.column_codecs import require

CYCLES = {"hour_of_day": 1, "day_of_week": 7, "day_of_month": 30, "day_of_year": 365}  # days
MIN_EXPLAINED = 0.01  # least share of the variance that a cycle must explain to be used
WHOLE_CYCLES = 1.5  # a cycle is learnt only if the data cover it this many times


@dataclass(frozen=True)
class Series:
    """One series, oldest step first.

    Args:
        name: value of the group column; None where there is none.
        times: datetime64[us] or numbers, (T,).
        values: the target, NaN where missing, (T,) float64.
        past: encoded covariates known only up to now, (T, P).
        known: encoded covariates known in advance, (T, K).
        static: encoded covariates of the whole series, (S,).
        future: `known` of the steps after the last, (<= horizon, K).
        unread: number of steps at the front that came from an earlier table.
    """

    name: Any
    times: np.ndarray
    values: np.ndarray
    past: np.ndarray
    known: np.ndarray
    static: np.ndarray
    future: np.ndarray
    unread: int = 0

    def __len__(self) -> int:
        return len(self.values)

    def cut(self, start: int, stop: int | None = None) -> "Series":
        """Return the steps start <= t < stop, without a future."""
        return replace(
            self,
            times=self.times[start:stop],
            values=self.values[start:stop],
            past=self.past[start:stop],
            known=self.known[start:stop],
            future=self.future[:0],
            unread=max(0, self.unread - start),
        )


@dataclass
class Panel:
    """A reader of tables of series; it learns the clock and the covariates' codecs from the first table.

    Args:
        target: column to forecast.
        past: columns (or codecs) known only up to now.
        future: columns (or codecs) known in advance.
        static: columns (or codecs) constant within a series.
    """

    target: str
    past: Sequence[str | Codec] = ()
    future: Sequence[str | Codec] = ()
    static: Sequence[str | Codec] = ()
    time: str = ""
    group: str | None = None
    form: str = ""  # form of the time column: number, date or datetime
    time_form: TimeForm | None = None  # how its times are written; None in models of earlier versions
    clock: Clock = field(default_factory=lambda: Clock("number", 1.0))
    codecs: dict[str, list[Codec]] = field(default_factory=dict)
    calendar: TimeFeatures | None = None
    cycles: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)  # what the last `read` found

    # ---- learning ---------------------------------------------------------------------------

    def fit(self, source: Table) -> Self:
        """Learn the columns, the clock and the encoding of covariates from a table."""
        assert source.time is not None, "a table without time gets its step numbers first"
        self.time, self.group = source.time, source.group
        frame = source.frame
        self._require(frame)
        kinds = {"past": self.past, "future": self.future, "static": self.static}
        self.codecs = {kind: _covariate_codecs(frame, columns, kind) for kind, columns in kinds.items()}
        for kind, codecs in self.codecs.items():
            record = _record(self._statics(frame)[1] if kind == "static" else frame, codecs)
            for codec in codecs:
                codec.fit([record])
        self.time_form = source.time_form
        times, self.form = _read_times(frame[self.time], "", self.time_form)
        groups = _groups(frame, self.group)
        self.clock = infer_clock([times[rows] for _, rows in groups])
        self._learn_calendar(times, self._values(frame), groups)
        return self

    def _learn_calendar(self, times: np.ndarray, values: np.ndarray, groups: list[tuple[Any, np.ndarray]]) -> None:
        """Keep the cycles that the data cover often enough and that explain some of the target."""
        self.calendar, self.cycles = None, []
        if times.dtype.kind != "M" or len(np.unique(times)) < 2:
            return
        days = float((times.max() - times.min()) / np.timedelta64(1, "D"))
        calendar = TimeFeatures("time").fit([{"time": list(np.unique(times))}])
        names = calendar.features_
        encoded = calendar.encode([{"time": list(times)}]).values.numpy().astype(np.float64)
        target = np.zeros(len(values))  # each series around its own line, in its own unit
        for _, rows in groups:
            if np.isfinite(values[rows]).sum() > 2:
                rest = detrended(values[rows])
                target[rows] = rest / (rest.std() or 1.0)
        kept = []
        for i, name in enumerate(names):
            pair = np.stack([encoded[:, i], encoded[:, len(names) + i], np.ones(len(target))], 1)
            rest = target - pair @ np.linalg.lstsq(pair, target, rcond=None)[0]
            explains = 1 - rest.var() / (target.var() or 1.0)
            if CYCLES.get(name, 0) * WHOLE_CYCLES <= days and explains > MIN_EXPLAINED:
                kept.append(i)
        if kept:
            self.calendar, self.cycles = calendar, [*kept, *(len(names) + i for i in kept)]

    # ---- reading ----------------------------------------------------------------------------

    def read(self, source: Table, future: Table | None = None, horizon: int = 0) -> list[Series]:
        """Return one Series per group, sorted by time, with missing steps filled in.

        Args:
            source: the table; rows after a series' last known target are its future.
            future: more rows with the same columns, but without a target.
            horizon: steps of the future to keep.
        """
        if future is not None:
            rows = future.frame.drop(self.target, strict=False)
            together = pl.concat([source.frame, rows], how="diagonal_relaxed")
            source = Table(together, self.time, self.group, self.time_form)
        frame = source.frame
        self._require(frame)
        self.counts = {"filled gaps": 0, "irregular series": 0}
        values = self._values(frame)
        blocks = {kind: _encode(frame, self.codecs[kind]) for kind in ("past", "future")}
        names, statics = self._statics(frame)
        static = dict(zip(names, _encode(statics, self.codecs["static"]), strict=True))
        times, _ = _read_times(frame[self.time], self.form, self.time_form)
        series = []
        for name, rows in _groups(frame, self.group):
            past, known = blocks["past"][rows], blocks["future"][rows]
            one = Series(name, times[rows], values[rows], past, known, static[name], known[:0])
            series.append(self._split_future(self._filled(one), horizon))
        return series

    def _split_future(self, series: Series, horizon: int) -> Series:
        known = np.flatnonzero(~np.isnan(series.values))
        end = int(known[-1]) + 1 if len(known) else 0
        return replace(series.cut(0, end), future=series.known[end : end + horizon])

    def _filled(self, series: Series) -> Series:
        """Fill in missing steps as rows with an unknown target; their covariates repeat the row before."""
        if len(series) < 2:
            return series
        places = grid(self.clock, series.times)
        if places is None:
            self.counts["irregular series"] += 1
            note("times that did not fit", len(series))
            return series
        length = int(places[-1]) + 1
        if length == len(series):
            return series
        self.counts["filled gaps"] += length - len(series)
        note("gaps filled", length - len(series))
        source = np.searchsorted(places, np.arange(length), side="right") - 1  # the row at or before each place
        new = places[source] != np.arange(length)
        times = np.where(new, self.clock.after(series.times[0], np.arange(length)), series.times[source])
        values = np.where(new, np.nan, series.values[source])
        return replace(series, times=times, values=values, past=series.past[source], known=series.known[source])

    def join(self, older: Series | None, series: Series, longest: int) -> Series:
        """Return the steps of `older` that come before `series`, then `series`."""
        if older is None or not len(series):
            return series
        older = older.cut(0, int(np.searchsorted(older.times, series.times[0])))
        if not len(older):
            return series
        gap = int(self.clock.positions(np.array([older.times[-1], series.times[0]]))[1]) - 1
        if gap > longest:
            return series
        hole = np.full(max(0, gap), len(older) - 1)  # steps between the tables repeat the last row's covariates
        rows = np.concatenate([np.arange(len(older)), hole])
        between = self.clock.after(older.times[-1], np.arange(1, len(hole) + 1))
        return replace(
            series,
            times=np.concatenate([older.times, between, series.times]),
            values=np.concatenate([older.values, np.full(len(hole), np.nan), series.values]),
            past=np.concatenate([older.past[rows], series.past]),
            known=np.concatenate([older.known[rows], series.known]),
            unread=len(rows),
        )

    def with_future(self, series: Series, rows: Table, horizon: int) -> Series:
        """Return a series with the covariates of the steps after it, up to the first gap in the rows."""
        frame = rows.frame
        times, _ = _read_times(frame[self.time], self.form, self.time_form)
        known = _encode(frame, self.codecs["future"])
        found: dict[Any, int] = {}
        for name, places in _groups(frame, self.group):
            if name == series.name:
                found = {time: int(place) for time, place in zip(times[places].tolist(), places, strict=True)}
        wanted = self.clock.after(series.times[-1], np.arange(1, horizon + 1)).tolist()
        missing = next((i for i, time in enumerate(wanted) if time not in found), horizon)
        return replace(series, future=known[[found[time] for time in wanted[:missing]]])

    def require_startable(self, series: Sequence[Series], horizon: int) -> None:
        """Refuse series without a known value, or without the future covariates that the codecs need."""
        for one in series:
            name = "" if one.name is None else f" of series {one.name!r}"
            if not np.isfinite(one.values).any():
                raise DataError(message("data", expected=f"a known value{name}", received="none"))
            if self.codecs["future"] and len(one.future) < horizon:
                raise DataError(
                    message(
                        "future",
                        expected=f"future covariates for {horizon} steps after the last known value{name}",
                        received=f"{len(one.future)} rows",
                        remedy="add rows with an empty target to the table, or give future=",
                    )
                )

    def calendar_of(self, series: Series, ahead: int) -> np.ndarray:
        """Return calendar features of every step and of `ahead` steps after the last, (T + ahead, C)."""
        if self.calendar is None or not len(series):
            return np.zeros((len(series) + ahead, 0), dtype=np.float32)
        times = np.concatenate([series.times, self.clock.after(series.times[-1], np.arange(1, ahead + 1))])
        encoded = self.calendar.encode([{"time": list(times)}])
        return encoded.values.numpy()[:, self.cycles]

    def write_times(self, times: np.ndarray) -> pl.Series:
        """Return times as a column in the form of the original column."""
        column = pl.Series(self.time, times)
        return column.cast(pl.Date) if self.form == "date" else column

    # ---- pieces -----------------------------------------------------------------------------

    def _require(self, frame: pl.DataFrame) -> None:
        columns = [self.target, self.time, *([self.group] if self.group else [])]
        for item in (*self.past, *self.future, *self.static):
            columns += [item] if isinstance(item, str) else item.columns
        require(Table(frame), columns)

    def _values(self, frame: pl.DataFrame) -> np.ndarray:
        column = frame[self.target]
        if not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
            raise DataError(message(f"column {self.target!r}", expected="numbers", received=str(column.dtype)))
        values = column.cast(pl.Float64).to_numpy().astype(np.float64)
        if np.isinf(values).any():
            row = int(np.flatnonzero(np.isinf(values))[0])
            raise DataError(
                message(f"column {self.target!r}", expected="finite numbers", received=f"{values[row]} in row {row}",
                        remedy="write missing values as null")
            )  # fmt: skip
        return values

    def _statics(self, frame: pl.DataFrame) -> tuple[list[Any], pl.DataFrame]:
        """Return the names of the series, and the first row of each."""
        if self.group is None:
            return [None], frame.head(1)
        groups = _groups(frame, self.group)
        return [name for name, _ in groups], frame[[int(rows[0]) for _, rows in groups]]

    def to_json(self) -> dict[str, Any]:
        """Return everything learnt, as plain values."""
        return {
            "target": self.target,
            "time": self.time,
            "group": self.group,
            "form": self.form,
            "time_form": None if self.time_form is None else self.time_form.to_json(),
            "clock": self.clock.to_json(),
            "codecs": {kind: [codec.to_json() for codec in codecs] for kind, codecs in self.codecs.items()},
            "calendar": None if self.calendar is None else self.calendar.to_json(),
            "cycles": self.cycles,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned."""
        codecs = {kind: [codec_from_json(codec) for codec in codecs] for kind, codecs in data["codecs"].items()}
        calendar = None if data["calendar"] is None else codec_from_json(data["calendar"])
        assert calendar is None or isinstance(calendar, TimeFeatures)
        return cls(
            data["target"],
            *(codecs[kind] for kind in ("past", "future", "static")),
            time=data["time"],
            group=data["group"],
            form=data["form"],
            time_form=saved_form(data.get("time_form"), data["form"] == "number"),
            clock=Clock.from_json(data["clock"]),
            codecs=codecs,
            calendar=calendar,
            cycles=data["cycles"],
        )


def _groups(frame: pl.DataFrame, group: str | None) -> list[tuple[Any, np.ndarray]]:
    """Return the name and the row numbers of each series, in order of appearance."""
    if group is None:
        return [(None, np.arange(len(frame)))]
    if frame[group].null_count():
        raise DataError(message(f"column {group!r}", expected="a name in every row", received="null"))
    if not (frame[group].dtype == pl.String or frame[group].dtype.is_integer()):
        frame = frame.with_columns(pl.col(group).cast(pl.String))  # a name that JSON can hold
    parts = frame.with_row_index("row number").group_by(group, maintain_order=True).agg("row number")
    return [
        (name, np.asarray(rows, dtype=np.int64)) for name, rows in zip(parts[group], parts["row number"], strict=True)
    ]


def read_time(time: Any, panel: Panel) -> Any:
    """Return one time in the form that the arrays of a panel have."""
    return _read_times(series_of_one("start", time), panel.form, panel.time_form)[0][0]


def _read_times(column: pl.Series, form: str, known: TimeForm | None) -> tuple[np.ndarray, str]:
    """Return times as datetime64[us] or numbers, and their form."""
    name = column.name
    if column.null_count():
        row = int(column.is_null().arg_max() or 0)
        raise DataError(message(f"column {name!r}", expected="a time in every row", received=f"null in row {row}"))
    column = parse_times(column) if known is None else known.parse(column)
    if column.dtype.is_numeric():
        found, times = "number", _numbers(column)
    else:
        found = "date" if column.dtype == pl.Date else "datetime"
        times = column.cast(pl.Datetime("us")).to_numpy()
    if form and (form == "number") != (found == "number"):
        raise DataError(message(f"column {name!r}", expected=f"times as in training ({form})", received=found))
    return times, form or found


def _numbers(column: pl.Series) -> np.ndarray:
    """Return times that are numbers; limited so that sums and differences of two of them are finite."""
    values = column.cast(pl.Float64)
    wrong = ~(values.abs() <= FARTHEST)  # NaN as well
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        expected, received = f"times from -{FARTHEST:.1e} to {FARTHEST:.1e}", f"{values[row]:.4g} in row {row}"
        raise DataError(message(f"column {column.name!r}", expected=expected, received=received))
    return (column.cast(pl.Int64) if column.dtype in (pl.Int128, pl.UInt64) else column).to_numpy()


def _covariate_codecs(frame: pl.DataFrame, wanted: Sequence[str | Codec], kind: str) -> list[Codec]:
    codecs: list[Codec] = []
    for item in wanted:
        if isinstance(item, Codec):
            if item.media:
                expected = "columns or codecs of numbers or text"
                raise OptionError(message(f"{kind}_covariates", expected=expected, received=repr(item)))
            codecs.append(type(item)(**item.arguments()))
            continue
        dtype = frame[item].dtype
        if dtype.is_numeric() or dtype == pl.Boolean:
            codecs.append(Numbers(item))
        elif dtype in (pl.String, pl.Categorical, pl.Enum):
            codecs.append(Categories(item, embedding_size=0))
        else:
            raise OptionError(
                message(f"{kind}_covariates", expected="columns of numbers or text", received=f"{item!r} of {dtype}")
            )
    return codecs


def _record(frame: pl.DataFrame, codecs: Sequence[Codec]) -> dict[str, list[Any]]:
    columns = dict.fromkeys(column for codec in codecs for column in codec.columns)
    return {column: frame[column].to_list() for column in columns}


def _encode(frame: pl.DataFrame, codecs: Sequence[Codec]) -> np.ndarray:
    """Return all covariates side by side as numbers, (R, C); categories one-hot."""
    record = _record(frame, codecs)
    blocks = [np.zeros((len(frame), 0), dtype=np.float32)]
    for codec in codecs:
        encoded = codec.encode([record])
        assert isinstance(encoded, Ragged)
        values = encoded.values.numpy()
        blocks.append(values if values.ndim == 2 else np.eye(codec.spec.size, dtype=np.float32)[values])
    return np.concatenate(blocks, 1)
