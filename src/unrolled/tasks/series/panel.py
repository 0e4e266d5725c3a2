"""Panel: converts a long table (time, group, value, covariates) to one array per series on its own calendar."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np
import polars as pl

from unrolled.codecs.base import Codec
from unrolled.codecs.registry import codec_from_json
from unrolled.codecs.tables.time import TimeFeatures
from unrolled.data.calendars.calendar import Calendar
from unrolled.data.calendars.calendar_search import MOST_GRID
from unrolled.data.calendars.calendars import SPARE_GRID, Calendars, warn_of_dropped, warn_of_misfits
from unrolled.data.calendars.faults import warn_of_faults
from unrolled.data.calendars.public_holidays import Holidays
from unrolled.data.calendars.step_changes import change_words, warn_of_changes
from unrolled.data.kinds import shown_first
from unrolled.data.source import Source, Table
from unrolled.data.time_forms import TimeForm, learn_form, saved_form
from unrolled.data.time_moments import moments_of, written_moments
from unrolled.data.time_zones import to_wall
from unrolled.errors import DataError, message
from unrolled.reading_report import note
from unrolled.tasks.season import detrended
from unrolled.tasks.series.covariates import covariate_codecs, encode_covariates, record_of
from unrolled.tasks.series.group_rows import group_rows
from unrolled.tasks.series.left_out import left_out
from unrolled.tasks.series.series import LARGEST, Series
from unrolled.tasks.shared.column_codecs import require

CYCLES = {"hour_of_day": 1, "day_of_week": 7, "day_of_month": 30, "day_of_year": 365}  # days
MIN_EXPLAINED = 0.01  # least share of the variance that a cycle must explain to be used
WHOLE_CYCLES = 1.5  # a cycle is learnt only if the data cover it this many times


@dataclass
class Panel:
    """A reader of tables of series; it learns the calendars and the covariates' codecs from the first table.

    Args:
        target: column to forecast.
        past: columns (or codecs) known only up to now.
        future: columns (or codecs) known in advance.
        static: columns (or codecs) constant within a series.
        holidays: public holidays that the series may leave out.
    """

    target: str
    past: Sequence[str | Codec] = ()
    future: Sequence[str | Codec] = ()
    static: Sequence[str | Codec] = ()
    holidays: Holidays | None = None
    time: str = ""
    group: str | None = None
    form: TimeForm = field(default_factory=lambda: TimeForm("number"))  # of the times
    calendars: Calendars = field(default_factory=Calendars)
    codecs: dict[str, list[Codec]] = field(default_factory=dict)
    phases: TimeFeatures | None = None  # features of the hour, the day of the week, and so on
    cycles: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)  # what the last `read` found

    # ---- learning ---------------------------------------------------------------------------

    def fit(self, source: Table, whole: Source | None = None) -> Self:
        """Learn the columns, the calendars and the encoding of covariates from a table.

        Args:
            source: the table to learn from.
            whole: a table with more rows of the series, whose times the calendars are learnt from.
        """
        assert source.time is not None, "a table without time gets its step numbers first"
        self.time, self.group = source.time, source.group
        frame = source.frame
        require(source, [self.target], "target")
        self._require(frame)
        kinds = {"past": self.past, "future": self.future, "static": self.static}
        self.codecs = {kind: covariate_codecs(frame, columns, kind) for kind, columns in kinds.items()}
        for kind, codecs in self.codecs.items():
            record = record_of(self._statics(frame)[1] if kind == "static" else frame, codecs)
            for codec in codecs:
                codec.fit([record])
        self.form = source.time_form or learn_form(frame[self.time])
        times = moments_of(frame[self.time], self.form)
        groups = group_rows(frame, self.group)
        every = source if whole is None else whole
        assert isinstance(every, Table)
        moments = moments_of(every.frame[self.time], self.form)
        distinct = {name: np.unique(moments[rows]) for name, rows in group_rows(every.frame, self.group)}
        self.calendars = Calendars.learn(distinct, self.form.zone or "", self.holidays, dict(self.form.zones))
        warn_of_misfits(self.calendars.misfits)
        warn_of_changes(self.calendars.changes)
        self._learn_phases(self.calendars.walls(times, groups), self._values(frame), groups)
        return self

    def _learn_phases(self, times: np.ndarray, values: np.ndarray, groups: list[tuple[Any, np.ndarray]]) -> None:
        """Keep the cycles that the data cover often enough and that explain some of the target."""
        self.phases, self.cycles = None, []
        if times.dtype.kind != "M" or len(np.unique(times)) < 2:
            return
        days = float((times.max() - times.min()) / np.timedelta64(1, "D"))
        phases = TimeFeatures("time").fit([{"time": list(np.unique(times))}])
        names = phases.features_
        encoded = phases.encode([{"time": list(times)}]).values.numpy().astype(np.float64)
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
            self.phases, self.cycles = phases, [*kept, *(len(names) + i for i in kept)]

    # ---- reading ----------------------------------------------------------------------------

    def read(self, source: Table, future: Table | None = None, horizon: int = 0) -> list[Series]:
        """Return one Series per group, sorted by time, with missing steps filled in.

        Args:
            source: the table; rows after a series' last known target are its future.
            future: more rows with the same columns, but without a target.
            horizon: steps of the future to keep.
        """
        if future is not None:
            rows = self._in_form(future.frame.drop(self.target, strict=False))
            both = pl.concat([self._in_form(source.frame), rows], how="diagonal_relaxed")
            source = Table(both, self.time, self.group, self.form)
        frame = source.frame
        self._require(frame)
        self.counts = {"filled gaps": 0, "irregular series": 0, "rows off the calendar": 0}
        values = self._values(frame)
        blocks = {kind: encode_covariates(frame, self.codecs[kind]) for kind in ("past", "future")}
        names, statics = self._statics(frame)
        static = dict(zip(names, encode_covariates(statics, self.codecs["static"]), strict=True))
        times = moments_of(frame[self.time], self.form)
        series, misfits, changes = [], {}, {}
        for name, rows in group_rows(frame, self.group):
            past, known = blocks["past"][rows], blocks["future"][rows]
            try:
                calendar = self.calendars.of(name, times[rows])
            except DataError as fault:  # other series of the table are read all the same
                unread = Series(
                    name, self.calendars.common, times[rows], values[rows], past, known, static[name], known
                )
                series.append(unread.left_out(fault))
                continue
            if name not in self.calendars.places:
                if calendar.found.outside and calendar not in self.calendars.known:
                    misfits[name] = calendar
                if said := change_words(times[rows], self.form.zone or ""):
                    changes[name] = said
            one = Series(name, calendar, times[rows], values[rows], past, known, static[name], known[:0])
            target = _until_last_known(one.values)
            note("missing values", int(np.isnan(target).sum()), len(target))
            series.append(self._split_future(self._filled(one), horizon))
        warn_of_misfits(misfits)
        warn_of_changes(changes)
        return series

    def _split_future(self, series: Series, horizon: int) -> Series:
        end = len(_until_last_known(series.values))
        return replace(series.cut(0, end), future=series.known[end : end + horizon])

    def _in_form(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a table with its times in the form of training, so that two tables can be joined."""
        if self.time not in frame.columns:
            return frame
        return frame.with_columns(self.write_times(moments_of(frame[self.time], self.form)))

    def _filled(self, series: Series) -> Series:
        """Fill in missing steps as rows with an unknown target; their covariates repeat the row before.

        Of two rows of one step, the one nearer to the time of the calendar is kept.
        """
        if len(series) < 2:
            return series
        calendar = series.calendar
        places = calendar.positions(series.times)
        length = int(places[-1]) + 1
        if calendar.irregular or length > MOST_GRID * len(series) + SPARE_GRID:
            self.counts["irregular series"] += 1
            note("times that did not fit", len(series), len(series))
            return series
        if length == len(series) and (np.diff(places) == 1).all():
            return series
        off = (
            np.zeros(len(series))
            if calendar.follows
            else np.abs((calendar.on_grid(series.times) - series.times).astype(np.float64))
        )
        order = np.lexsort([off, np.isnan(series.values), places])
        kept = order[np.unique(places[order], return_index=True)[1]]  # the best row of each place
        if len(kept) < len(series):
            self.counts["rows off the calendar"] += len(series) - len(kept)
            dropped = np.setdiff1d(order, kept)
            warn_of_dropped(series.name, calendar, len(dropped), self.write_times(series.times[dropped[:1]])[0])
        self.counts["filled gaps"] += length - len(kept)
        note("gaps filled", length - len(kept), length)
        note("times that did not fit", len(series) - len(kept), len(series))
        source = kept[np.searchsorted(places[kept], np.arange(length), side="right") - 1]  # at or before each place
        new = places[source] != np.arange(length)
        times = np.where(new, calendar.after(series.times[0], np.arange(length)), series.times[source])
        values = np.where(new, np.nan, series.values[source])
        return replace(series, times=times, values=values, past=series.past[source], known=series.known[source])

    def join(self, older: Series | None, series: Series, longest: int) -> Series:
        """Return the steps of `older` that come before `series`, then `series`.

        Raises:
            DataError: a series that starts less than a step after the older one ends.
        """
        if older is None or not len(series):
            return series
        older = older.cut(0, int(np.searchsorted(older.times, series.times[0])))
        if not len(older):
            return series
        calendar = series.calendar
        if series.name not in self.calendars.places:
            calendar = self.calendars.of(series.name, np.concatenate([older.times, series.times]))
        gap = int(calendar.gaps(np.array([older.times[-1], series.times[0]]))[0]) - 1
        if gap < 0 and not calendar.irregular:
            raise DataError(
                message(
                    "data" if series.name is None else f"series {series.name!r}",
                    expected=f"times at least a step apart ({calendar})",
                    received=f"{series.times[0]} after {older.times[-1]}",
                )
            )
        if gap > longest:
            return series
        hole = np.full(max(0, gap), len(older) - 1)  # steps between the tables repeat the last row's covariates
        rows = np.concatenate([np.arange(len(older)), hole])
        between = calendar.after(older.times[-1], np.arange(1, len(hole) + 1))
        return replace(
            series,
            calendar=calendar,
            times=np.concatenate([older.times, between, series.times]),
            values=np.concatenate([older.values, np.full(len(hole), np.nan), series.values]),
            past=np.concatenate([older.past[rows], series.past]),
            known=np.concatenate([older.known[rows], series.known]),
            unread=len(rows),
        )

    def with_future(self, series: Series, rows: Source, horizon: int) -> Series:
        """Return a series with the covariates of the steps after it, up to the first gap in the rows."""
        assert isinstance(rows, Table)
        frame = rows.frame
        times = moments_of(frame[self.time], self.form)
        known = encode_covariates(frame, self.codecs["future"])
        mine = next((places for name, places in group_rows(frame, self.group) if name == series.name), None)
        later = np.zeros(0, np.int64) if mine is None else mine[times[mine] > series.times[-1]]
        steps = series.calendar.positions(np.concatenate([series.times[-1:], times[later]]))[1:]
        later, steps = later[steps > 0], steps[steps > 0]
        wanted, first = np.unique(steps, return_index=True)
        inside = np.flatnonzero(wanted == np.arange(1, len(wanted) + 1))[:horizon]
        return replace(series, future=known[later[first[inside]]])

    def readable(self, series: Sequence[Series], older: Mapping[Any, Series], longest: int) -> list[Series]:
        """Return all series, each with its older steps in front; those that do not follow theirs are left out, as said.

        Args:
            series: the series of a table.
            older: the earlier steps of some, by name.
            longest: steps that a gap between them may have.

        Raises:
            DataError: every series is left out.
        """
        joined = []
        for one in series:
            try:
                joined.append(self.join(older.get(one.name), one, longest))
            except DataError as fault:
                joined.append(one.left_out(fault))
        left_out(joined)
        return joined

    def startable(self, series: Sequence[Series], horizon: int) -> list[int]:
        """Return the index of each series that can be forecast, and warn of the others.

        Raises:
            DataError: no series has a known value and the future covariates that the codecs need.
        """
        faults = {
            index: fault for index, one in enumerate(series) if (fault := self._unready(one, horizon)) is not None
        }
        if len(faults) == len(series):
            raise next(iter(faults.values()), DataError(message("data", expected="rows", received="none")))
        unsaid = [fault for index, fault in faults.items() if series[index].fault is None]
        warn_of_faults(f"no forecast for {len(unsaid)} of {len(series)} series", unsaid)
        return [index for index in range(len(series)) if index not in faults]

    def _unready(self, series: Series, horizon: int) -> DataError | None:
        """Return the reason why a series cannot be forecast."""
        if series.fault is not None:
            return series.fault
        name = "" if series.name is None else f" of series {series.name!r}"
        if not np.isfinite(series.values).any():
            return DataError(message("data", expected=f"a known value{name}", received="none"))
        if not self.codecs["future"] or len(series.future) >= horizon:
            return None
        end = self.write_times(series.times[-1:])[0]
        return DataError(
            message(
                "future",
                expected=f"future covariates for {horizon} steps after the last known value{name}, {end}",
                received=f"{len(series.future)} rows",
                remedy="add rows with an empty target to the table, or give future=",
            )
        )

    def phases_of(self, series: Series, ahead: int) -> np.ndarray:
        """Return features of the time of every step and of `ahead` steps after the last, (T + ahead, C)."""
        if self.phases is None or not len(series):
            return np.zeros((len(series) + ahead, len(self.cycles)), dtype=np.float32)
        after = series.calendar.after(series.times[-1], np.arange(1, ahead + 1))
        times = to_wall(np.concatenate([series.times, after]), series.calendar.zone or self.form.zone)
        return self.phases.encode([{"time": list(times)}]).values.numpy()[:, self.cycles]

    def write_times(self, times: np.ndarray) -> pl.Series:
        """Return times as a column in the form of the original column."""
        return written_moments(self.time, times, self.form)

    # ---- pieces -----------------------------------------------------------------------------

    def _require(self, frame: pl.DataFrame) -> None:
        columns = [self.target, self.time, *([self.group] if self.group else [])]
        for item in (*self.past, *self.future, *self.static):
            columns += [item] if isinstance(item, str) else item.columns
        require(Table(frame), columns)

    def _values(self, frame: pl.DataFrame) -> np.ndarray:
        column = frame[self.target]
        if not (column.dtype.is_numeric() or column.dtype in (pl.Boolean, pl.Null)):
            raise DataError(message(f"column {self.target!r}", expected="numbers", received=shown_first(column)))
        values = column.cast(pl.Float64).to_numpy().astype(np.float64)
        too_large = np.abs(values) > LARGEST
        if too_large.any():
            row = int(np.flatnonzero(too_large)[0])
            raise DataError(
                message(f"column {self.target!r}", expected="finite numbers", received=f"{values[row]} in row {row}",
                        remedy="write missing values as null")
            )  # fmt: skip
        return values

    def _statics(self, frame: pl.DataFrame) -> tuple[list[Any], pl.DataFrame]:
        """Return the names of the series, and the first row of each."""
        if self.group is None:
            return [None], frame.head(1)
        groups = group_rows(frame, self.group)
        return [name for name, _ in groups], frame[[int(rows[0]) for _, rows in groups]]

    def to_json(self) -> dict[str, Any]:
        """Return everything learnt, as plain values."""
        return {
            "target": self.target,
            "time": self.time,
            "group": self.group,
            "time_form": self.form.to_json(),
            "calendars": self.calendars.to_json(),
            "codecs": {kind: [codec.to_json() for codec in codecs] for kind, codecs in self.codecs.items()},
            "phases": None if self.phases is None else self.phases.to_json(),
            "cycles": self.cycles,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Restore what `to_json` returned."""
        codecs = {kind: [codec_from_json(codec) for codec in codecs] for kind, codecs in data["codecs"].items()}
        form = saved_form(data.get("time_form"), data.get("form") == "number")
        old = "clock" in data  # saved before each series had its own calendar
        phases = data["calendar" if old else "phases"]
        found = None if phases is None else codec_from_json(phases)
        assert found is None or isinstance(found, TimeFeatures)
        calendars = Calendars([Calendar.from_clock(data["clock"])]) if old else Calendars.from_json(data["calendars"])
        return cls(
            data["target"],
            *(codecs[kind] for kind in ("past", "future", "static")),
            holidays=calendars.holidays,
            time=data["time"],
            group=data["group"],
            form=form or TimeForm(data["form"], zone=data.get("zone") or None),  # earlier versions kept no more
            calendars=calendars,
            codecs=codecs,
            phases=found,
            cycles=data["cycles"],
        )


def _until_last_known(values: np.ndarray) -> np.ndarray:
    """Return a series without the missing values at its end, which are the future."""
    known = np.flatnonzero(~np.isnan(values))
    return values[: known[-1] + 1] if len(known) else values[:0]
