"""Tables whose column of times was not named: their rows would be taken one after the other, also of several series."""

import warnings

import polars as pl

from unrolled.data.mixtures import MAX_DUPLICATES, holds_hours, separating_columns
from unrolled.data.time_forms import learn_form
from unrolled.errors import DataError, message
from unrolled.reading_report import UnrolledWarning

SAMPLE = 64  # texts by which a column of times is recognised
DATE = r"^\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(\D|$)"  # how texts of dates begin; codes and versions seldom do


def ask_for_time(frame: pl.DataFrame, group: str | None) -> None:
    """Warn of a column of dates that was not named as the time, and refuse the rows if they are of several series.

    Args:
        frame: rows that are about to be numbered.
        group: column that identifies the series; None without one.

    Raises:
        DataError: many of the times occur several times in a series, so the rows are of several.

    Example:
        >>> days = ["2024-01-01", "2024-01-02", "2024-01-03"] * 2
        >>> ask_for_time(pl.DataFrame({"day": days, "site": ["a"] * 3 + ["b"] * 3}), None)
        Traceback (most recent call last):
        ...
        unrolled.errors.DataError: time: expected the column of times, received none, and 3 rows with a value of 'day' \
that occurred before; give time='day' and group='site'
    """
    time = next((column.name for column in frame.iter_columns() if column.name != group and _holds_dates(column)), None)
    if time is None:
        return
    keys = [time] if group is None else [group, time]
    known = frame.select(keys).drop_nulls()
    repeated = known.height - known.n_unique()
    if repeated <= MAX_DUPLICATES * known.height:
        warnings.warn(
            f"column {time!r} holds times, and is not read: rows follow each other as they come; give time={time!r}",
            UnrolledWarning,
            stacklevel=5,
        )
        return
    columns = separating_columns(frame, time, group)
    clock = len(columns) == 1 and holds_hours(frame[columns[0]])
    more = f" and group={columns[0]!r}" if len(columns) == 1 and group is None else ""
    received = f"none, and {repeated:,} rows with a value of {time!r} that occurred before"
    remedy = f"give time={time!r}{more}"
    if clock:
        remedy = f"join {time!r} and {columns[0]!r}, which holds times of the day, into one column and give time="
    raise DataError(message("time", expected="the column of times", received=received, remedy=remedy))


def _holds_dates(column: pl.Series) -> bool:
    if column.dtype != pl.String:
        return column.dtype in (pl.Date, pl.Datetime)
    sample = column.drop_nulls().head(SAMPLE)
    if not len(sample) or not sample.str.contains(DATE).all():
        return False
    try:
        return learn_form(sample).kind in ("date", "datetime")
    except DataError:  # not times, or an order of day and month that is open, which is asked for by time=
        return False
