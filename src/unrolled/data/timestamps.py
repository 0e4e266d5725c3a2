"""Time columns: their reading without options, and a report of irregular timestamps."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from unrolled.data.forks import check_fork
from unrolled.data.time_forms import read_times


@dataclass(frozen=True)
class TimeReport:
    """Counts of irregularities in the timestamps of a long-format table.

    Args:
        step: the usual distance between neighbours, a timedelta or a number; None with fewer than two rows.
        irregular: neighbours at another distance (months of 28 to 31 days count as regular).
        duplicates: rows whose group and time occurred before; the last one is kept.
        missing: timestamps that are null.
        series: number of groups.
        separated_by: where many timestamps are duplicated, the columns that would tell the series apart.
    """

    step: Any
    irregular: int
    duplicates: int
    missing: int
    series: int
    separated_by: tuple[str, ...] = ()

    def __str__(self) -> str:
        notes = [
            f"{count} {name}"
            for count, name in (
                (self.irregular, "irregular steps"),
                (self.duplicates, "duplicated timestamps (the last is kept)"),
                (self.missing, "missing timestamps"),
            )
            if count
        ]
        return f"{self.series} series, step {self.step}" + (": " + ", ".join(notes) if notes else ", regular")


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
    distinct = frame.unique(subset=keys, keep="last", maintain_order=True).drop_nulls(time)
    gap = pl.col(time).diff()
    gaps = distinct.select(gap if group is None else gap.over(group)).to_series().drop_nulls()
    step = gaps.mode().min() if len(gaps) else None
    irregular = int((gaps != step).sum()) if len(gaps) else 0
    if irregular and gaps.dtype == pl.Duration and _calendar(gaps):
        irregular = 0
    return TimeReport(
        step=step,
        irregular=irregular,
        duplicates=frame.drop_nulls(time).height - distinct.height,
        missing=frame[time].null_count(),
        series=1 if group is None else frame[group].n_unique(),
    )


def _calendar(gaps: pl.Series) -> bool:
    """Return whether steps of unequal days are whole months, quarters or years."""
    days = gaps.dt.total_days()
    low, high = int(days.min() or 0), int(days.max() or 0)  # type: ignore[arg-type]
    return any(first <= low and high <= last for first, last in ((28, 31), (89, 92), (365, 366)))
