"""Time columns: reading of any usual form, and a report of irregular timestamps."""

from dataclasses import dataclass
from typing import Any

import polars as pl

from unrolled.data.forks import check_fork
from unrolled.errors import DataError, message

_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y%m%d", "%d.%m.%Y", "%m/%d/%Y")
_DATETIMES = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y/%m/%d %H:%M:%S")
_MONTHS = ("%Y-%m", "%b %Y", "%B %Y", "%b %d %Y")


@dataclass(frozen=True)
class TimeReport:
    """Counts of irregularities in the timestamps of a long-format table.

    Args:
        step: the usual distance between neighbours, a timedelta or a number; None with fewer than two rows.
        irregular: neighbours at another distance (months of 28 to 31 days count as regular).
        duplicates: rows whose group and time occurred before; the last one is kept.
        missing: timestamps that are null.
        series: number of groups.
    """

    step: Any
    irregular: int
    duplicates: int
    missing: int
    series: int

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
    """Convert times to dates, datetimes, with their zone if they have one, or numbers.

    Raises:
        DataError: text in an unknown form; the message shows the first bad value.
    """
    check_fork()
    kind = values.dtype
    if kind == pl.Date or kind.is_numeric():
        return values
    if isinstance(kind, pl.Datetime):
        return values.dt.cast_time_unit("us") if kind.time_zone else values
    if kind == pl.String:
        return _parse_text(values)
    raise DataError(
        message(f"column {values.name!r}", expected="dates, datetimes, ISO text or numbers", received=str(kind))
    )


def _parse_text(values: pl.Series) -> pl.Series:
    known = values.drop_nulls()
    for form in _DATES:
        if known.str.to_date(form, strict=False).null_count() == 0:
            return values.str.to_date(form, strict=False)
    for form in _DATETIMES:
        if known.str.to_datetime(form, strict=False).null_count() == 0:
            return values.str.to_datetime(form, strict=False)
    for form in _MONTHS:
        day = pl.lit(" 1") if "%d" not in form else pl.lit("")
        dated = known.to_frame().select(pl.concat_str(pl.first(), day)).to_series()
        if dated.str.to_date(form + (" %d" if "%d" not in form else ""), strict=False).null_count() == 0:
            whole = values.to_frame().select(pl.concat_str(pl.first(), day)).to_series()
            return whole.str.to_date(form + (" %d" if "%d" not in form else ""), strict=False).alias(values.name)
    zoned = known.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_zone="UTC")
    if zoned.null_count() == 0:
        whole = values.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%#z", strict=False, time_zone="UTC")
        return whole.dt.replace_time_zone(None)
    odd = known
    for form in (*_DATES, *_DATETIMES):
        odd = odd.filter(odd.str.to_datetime(form, strict=False).is_null())
    bad = odd[0] if len(odd) else known[0]
    raise DataError(
        message(f"column {values.name!r}", expected="times such as 2024-01-31 or 2024-01-31 12:00", received=repr(bad))
    )


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
