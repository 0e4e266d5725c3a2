"""Conversion of the accepted formats of series to one long table with one row per time step."""

from typing import Any

import numpy as np
import polars as pl

from unrolled.data.handed import X
from unrolled.data.mixtures import MAX_DUPLICATES, even_parts, holds_hours
from unrolled.data.source import Source, Table, as_table
from unrolled.data.time_forms import TimeForm
from unrolled.data.unnamed_times import ask_for_time
from unrolled.data.wide import columns_as_rows, is_wide, numbered_columns, rows_as_lists
from unrolled.errors import DataError, message
from unrolled.reading_report import note, warn_once
from unrolled.tasks.series.in_memory_series import SERIES, exploded, table_in_memory

_ROW = "\0row"  # a name that no column of a user has
STEP = "step"  # name of the time column of data without one: steps count from 0


def long_table(
    data: Any,
    target: str,
    time: str | None = None,
    group: str | None = None,
    wide: bool = False,
    form: TimeForm | None = None,
) -> Table:
    """Convert the accepted formats of series to one long table with one row per time step.

    Args:
        data: a Source; a frame or records, of which `time` and `group` are columns; a Series, or a list or mapping of
            them, whose index holds the times; a list of arrays of numbers, one per series; or one array, (T,) or
            (T, 1).
        target: name of the values' column if the data are arrays.
        time: column of timestamps; None takes the index of times where there is one, and else numbers the rows of
            each series.
        group: column that identifies the series.
        wide: whether a table without the target holds one series in each of its columns, all of them numbers, or one
            in each row where the columns are named by numbers that follow each other. The long table names the series
            in "series".
        form: the form of the timestamps, if it was learnt.

    Raises:
        DataError: arrays with more than one number per step, or data that is no table.
    """
    source = as_table(data) if isinstance(data, Source) else table_in_memory(data, target, time, group)
    source = _ordered(source, time, group, form)
    if wide and target not in source.columns and source.group is None:
        source = _long(source, target)
    if source.time is not None:
        _refuse_mixture(source, target)
        return source
    if source.group != SERIES:
        ask_for_time(source.frame, source.group)
    return _numbered(source)


def _ordered(source: Table, time: str | None, group: str | None, form: TimeForm | None) -> Table:
    """Return a table that is ordered by the named time, or else by the index of times that the data had."""
    if source.time is not None:
        return source
    own_time, own_group = source.indexed
    time = own_time if time is None or (own_time is not None and time not in source.columns) else time
    group = source.group or (own_group if group is None else group)
    if group == SERIES and SERIES not in source.columns:  # of a wide table, or one series where training had several
        group = None
    return source if time is None and group is None else Table(source.frame, time, group, form or source.times)


def _numbered(source: Table) -> Table:
    """Return a table whose rows are numbered in each series, in the column "step"."""
    count = pl.int_range(pl.len(), dtype=pl.Int64)
    steps = count if source.group is None else count.over(source.group)
    numbered = source.frame.with_columns(steps.alias(STEP))
    if STEP in source.columns and source.frame[STEP].to_list() != numbered[STEP].to_list():
        received = "a column of this name with other values"
        remedy = f"name it with time={STEP!r} if it holds the times, or rename it"
        expected = "the numbers of the rows, as the data have no times"
        raise DataError(message(f"column {STEP!r}", expected=expected, received=received, remedy=remedy))
    return Table(numbered, STEP, source.group)


def _long(source: Table, target: str) -> Table:
    """Return a wide table as a long one; one that is not wide is returned unchanged."""
    steps = numbered_columns(source.frame) if source.time is None else []
    others = [name for name in source.columns if name not in steps]
    if steps and len(others) <= 1:
        names = pl.col(others[0]) if others else pl.int_range(pl.len(), dtype=pl.Int64)
        lists = rows_as_lists(source.frame, steps).select(names.alias(SERIES), pl.col(X).alias(target))
        return Table(exploded(lists, target), group=SERIES)
    if not is_wide(source.frame, source.time):
        return source
    timed = source if source.time is not None else _numbered(source)
    assert timed.time is not None
    return Table(columns_as_rows(timed.frame, timed.time, target, SERIES), timed.time, SERIES)


def _refuse_mixture(source: Table, target: str) -> None:
    """Refuse a table with many repeated times, which are several series read as one."""
    repeated = source.report.duplicates if source.report else 0
    if repeated > MAX_DUPLICATES * (len(source) + repeated):
        assert source.report is not None
        columns = [repr(name) for name in source.report.separated_by if name != target]
        if not columns:
            remedy = "name the column that identifies the series with group=, or aggregate the rows"
        elif len(columns) == 1 and holds_hours(source.frame[source.report.separated_by[0]]):
            remedy = (
                f"column {columns[0]} holds times of the day: join {source.time!r} and {columns[0]} into one column"
            )
        elif len(columns) == 1 and source.group is None:
            remedy = f"column {columns[0]} tells the series apart: give group={columns[0]}, or aggregate the rows"
        else:
            joined = " and ".join([*([] if source.group is None else [repr(source.group)]), *columns])
            remedy = f"columns {joined} together tell the series apart: join them into one and name it with group="
        raise DataError(
            message(
                f"column {source.time!r}",
                expected="each time once per series",
                received=f"{repeated:,} rows with a time that occurred before",
                remedy=remedy,
            )
        )
    _warn_of_clocks(source, repeated)
    column = "" if source.group is not None or source.time is None else even_parts(source.frame, source.time, target)
    if column:
        warn_once(
            f"series in {column}",
            f"rows are read as one series, but column {column!r} separates them into series of even steps; give "
            f"group={column!r} if they are several series",
            stacklevel=3,
        )
    note("rows left out", repeated, len(source) + repeated)


def _warn_of_clocks(source: Table, repeated: int) -> None:
    """Warn of local times without a zone that the clocks show twice in autumn, or skip in spring."""
    report = source.report
    if report is None:
        return
    if repeated and report.clocks:
        text = (
            f"the last of two rows is kept for {repeated} times that the clocks of {report.clocks} show twice in "
            f'autumn; give zone="{report.clocks}" to keep both'
        )
    elif report.skipped:
        zone, hours = report.skipped
        text = (
            f"hours without rows that the clocks of {zone} skip in spring: {hours}; give "
            f'zone="{zone}" if these are local times there, so that none is filled in'
        )
    else:
        return
    warn_once(f"clocks in {source.time}", f"column {source.time!r}: {text}", stacklevel=4)


def recent_part(source: Table, share: float, least: int, before: int) -> tuple[Table, Table | None]:
    """Split off the last rows of every series that is long enough; None if no series is.

    Args:
        source: a long table, sorted by time.
        share: share of each series.
        least: minimum number of rows.
        before: rows that must stay, besides twice what is split off.
    """
    kept, held = [], []
    numbered = source.frame.with_row_index(_ROW)
    parts = numbered.partition_by(source.group, maintain_order=True) if source.group else [numbered]
    for part in parts:
        rows = part[_ROW].to_numpy()
        size = max(round(share * len(rows)), least) if share else 0
        if len(rows) < 3 * size + before:
            size = 0
        kept.append(rows[: len(rows) - size])
        held.append(rows[len(rows) - size :])
    if not sum(map(len, held)):
        return source, None
    return source.select(np.concatenate(kept)), source.select(np.concatenate(held))
