"""Conversion of the accepted formats of series to one long table with one row per time step."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.mixtures import MAX_DUPLICATES
from unrolled.data.readers import as_source
from unrolled.data.source import Table
from unrolled.errors import DataError, message
from unrolled.reading_report import note

STEP = "step"  # name of the time column of data without one: steps count from 0
SERIES = "series"  # name of the group column of a list of series


def long_table(data: Any, target: str, time: str | None = None, group: str | None = None) -> Table:
    """Convert the accepted formats of series to one long table with one row per time step.

    Args:
        data: a Table; a frame or records, of which `time` and `group` are columns; a list of arrays of numbers, one
            per series; or one array.
        target: name of the values' column if the data are arrays.
        time: column of timestamps; None numbers the rows of each series.
        group: column that identifies the series.

    Raises:
        DataError: arrays with more than one number per step, or data that is no table.
    """
    if _is_arrays(data):
        alone = group == SERIES and np.ndim(data[0]) == 0  # one array, where training had a list of them
        source = _table_of_arrays([data] if alone else data, target)
    else:
        source = as_source(data) if isinstance(data, Table) else as_source(data, time=time, group=group)
    if not isinstance(source, Table):
        raise DataError(message("data", expected="a table in memory", received=type(source).__name__))
    if source.time is not None:
        _refuse_mixture(source, target)
        return source
    count = pl.int_range(pl.len(), dtype=pl.Int64)
    steps = count if source.group is None else count.over(source.group)
    return Table(source.frame.with_columns(steps.alias(STEP)), STEP, source.group)


def _refuse_mixture(source: Table, target: str) -> None:
    """Refuse a table with many repeated times, which are several series read as one."""
    repeated = source.report.duplicates if source.report else 0
    if repeated > MAX_DUPLICATES * (len(source) + repeated):
        assert source.report is not None
        columns = [repr(name) for name in source.report.separated_by if name != target]
        if not columns:
            remedy = "name the column that identifies the series with group=, or aggregate the rows"
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
    note("rows left out", repeated)


def _is_arrays(data: Any) -> bool:
    if isinstance(data, np.ndarray):
        return True
    if not isinstance(data, list | tuple) or not len(data) or isinstance(data[0], Mapping):
        return False
    return np.ndim(data[0]) > 0 or isinstance(data[0], int | float | np.number)


def _table_of_arrays(data: Any, target: str) -> Table:
    several = len(data) > 0 and np.ndim(data[0]) > 0
    series = [np.asarray(one, dtype=np.float64) for one in (data if several else [data])]
    if any(one.ndim != 1 for one in series):
        raise DataError(
            message(
                "data",
                expected="series of numbers, (T,) each",
                received="more than one number per step",
                remedy="give a table with one row per step",
            )
        )
    columns: dict[str, Any] = {target: np.concatenate(series)}
    if not several:
        return Table(pl.DataFrame(columns))
    names = np.repeat(np.arange(len(series)), [len(one) for one in series])
    return Table(pl.DataFrame({SERIES: names, **columns}), group=SERIES)


def recent_part(source: Table, share: float, least: int, before: int) -> tuple[Table, Table | None]:
    """Split off the last rows of every series that is long enough; None if no series is.

    Args:
        source: a long table, sorted by time.
        share: share of each series.
        least: minimum number of rows.
        before: rows that must stay, besides twice what is split off.
    """
    kept, held = [], []
    numbered = source.frame.with_row_index("row number")
    parts = numbered.partition_by(source.group, maintain_order=True) if source.group else [numbered]
    for part in parts:
        rows = part["row number"].to_numpy()
        size = max(round(share * len(rows)), least) if share else 0
        if len(rows) < 3 * size + before:
            size = 0
        kept.append(rows[: len(rows) - size])
        held.append(rows[len(rows) - size :])
    if not sum(map(len, held)):
        return source, None
    return source.select(np.concatenate(kept)), source.select(np.concatenate(held))
