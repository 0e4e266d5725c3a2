"""Time columns: their reading without options, and a report of repeated and missing times and of the calendar."""

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import polars as pl

from unrolled.data.calendars.calendars import Calendars
from unrolled.data.forks import check_fork
from unrolled.data.time_forms import read_times
from unrolled.data.time_moments import to_moments
from unrolled.data.zone_names import home_of_repeated, home_of_skipped

_HOUR = dt.timedelta(hours=1)
_DESCRIBED = 100  # series whose calendars are learnt for the description


@dataclass(frozen=True)
class TimeReport:
    """Counts of irregularities in the timestamps of a long-format table, and its calendar in words.

    Args:
        duplicates: rows whose group and time occurred before; the last one is kept.
        missing: timestamps that are null.
        series: number of groups.
        separated_by: where many timestamps are duplicated, the columns that would tell the series apart.
        times: the times of each row, from which the calendar is learnt.
        names: the series of each row; None for a single one.
        clocks: the zone whose clocks, put back in autumn, explain every duplicated timestamp; None for none.
        skipped: the zone whose clocks, put forward in spring, explain missing hours, and their number; None for none.
    """

    duplicates: int
    missing: int
    series: int
    separated_by: tuple[str, ...] = ()
    times: pl.Series = field(default_factory=pl.Series, repr=False, compare=False)
    names: pl.Series | None = field(default=None, repr=False, compare=False)
    clocks: str | None = None
    skipped: tuple[str, int] | None = None

    @cached_property
    def calendar(self) -> str:
        """Which times follow each other, such as "daily, Monday to Saturday", of the first 100 series."""
        frame = pl.DataFrame([self.times.alias("time")]).drop_nulls()
        if self.names is not None:
            frame = pl.DataFrame([self.times.alias("time"), self.names.alias("name")]).drop_nulls("time")
            frame = frame.filter(
                pl.col("name").is_in(frame["name"].unique(maintain_order=True).head(_DESCRIBED).implode())
            )
        parts = [frame] if self.names is None else frame.partition_by("name", maintain_order=True)
        series = {place: np.unique(to_moments(part["time"])) for place, part in enumerate(parts)}
        if not any(len(times) > 1 for times in series.values()):
            return "no step, as no series has two times"
        kind = self.times.dtype
        return str(Calendars.learn(series, (kind.time_zone or "") if isinstance(kind, pl.Datetime) else ""))

    def __str__(self) -> str:
        notes = [
            f"{count} {name}"
            for count, name in (
                (self.duplicates, "duplicated timestamps (the last is kept)"),
                (self.missing, "missing timestamps"),
            )
            if count
        ]
        if self.clocks:
            notes.append(f'give zone="{self.clocks}", whose clocks show them twice')
        elif self.skipped:
            notes.append(f'give zone="{self.skipped[0]}" if its clocks skip {self.skipped[1]} missing hours in spring')
        return ", ".join([f"{self.series} series: {self.calendar}", *notes])


def parse_times(values: pl.Series) -> pl.Series:
    """Convert times to dates, datetimes (which keep their zone), or numbers.

    Raises:
        DataError: a value that cannot be read, or an order of day and month that is open.
    """
    check_fork()
    return read_times(values)[0]


def report_times(frame: pl.DataFrame, time: str, group: str | None) -> TimeReport:
    """Count the irregularities in a frame that is sorted by group and time."""
    keys = [time] if group is None else [group, time]
    known = frame.select(keys).drop_nulls(time)
    duplicates = known.height - known.unique().height
    naive = isinstance(frame[time].dtype, pl.Datetime) and frame[time].dtype.time_zone is None  # type: ignore[attr-defined]
    twice = known.filter(known.is_duplicated())[time] if duplicates and naive else None
    return TimeReport(
        duplicates=duplicates,
        clocks=None if twice is None else home_of_repeated(twice.unique()),
        skipped=_skipped(known, time, group) if naive else None,
        missing=frame[time].null_count(),
        series=1 if group is None else frame[group].n_unique(),
        times=frame[time],
        names=None if group is None else frame[group],
    )


def _skipped(known: pl.DataFrame, time: str, group: str | None) -> tuple[str, int] | None:
    """Return the zone whose clocks explain gaps of an hour between times at most an hour apart, and their number."""
    gap = pl.col(time).diff() if group is None else pl.col(time).diff().over(group)
    rows = known.select(pl.col(time), gap.alias("gap")).filter(pl.col("gap") > 0 * _HOUR)
    usual = rows["gap"].median()
    if usual is None or usual > _HOUR:  # type: ignore[operator]
        return None
    ends = rows.filter(pl.col("gap") == usual + _HOUR)[time]  # type: ignore[operator]
    return home_of_skipped(known[time], (ends - _HOUR).unique()) if len(ends) else None
