"""How regular times are: the share of the steps of a clock or a calendar that have a row."""

from typing import NamedTuple

import polars as pl

from unrolled.errors import DataError, message

_MONTHS = 12
LEAST = 6  # times of a series; fewer are regular by chance
_HEAD = 2_000  # rows that are tried with day and month exchanged
_MANY = 20  # from this number of times on, more steps may be without a row
_SHARE, _SHARE_OF_MANY = 0.8, 0.6


class Steps(NamedTuple):
    """The steps of a column of times.

    Args:
        regular: whether most steps have a row.
        months: shortest distance between neighbours in months, 0 within a month.
    """

    regular: bool
    months: int


def steps_of(times: pl.Series, group: pl.Series | None = None) -> Steps:
    """Return how regular times are, over all series with at least six times.

    Args:
        times: dates or datetimes, in any order.
        group: the series of each time; None for a single one.

    Example:
        >>> import datetime as dt
        >>> steps_of(pl.Series([dt.date(2021, month, 1) for month in range(1, 13)])).regular
        True
    """
    moment = times.cast(pl.Datetime("us")).alias("time")
    names = pl.Series("series", [0]).new_from_index(0, len(times)) if group is None else group.alias("series")
    frame = pl.DataFrame([names, moment]).drop_nulls("time").unique().sort("series", "time")
    start = pl.col("time").dt.month_start().dt.truncate("1d")
    month = (pl.col("time").dt.year().cast(pl.Int64) * 12 + pl.col("time").dt.month()).alias("month")
    last = pl.col("time").dt.truncate("1d") == pl.col("time").dt.month_end().dt.truncate("1d")
    frame = frame.select("series", pl.col("time").to_physical().alias("tick"), month, last.alias("last"),
                         (pl.col("time") - start).to_physical().alias("into"))  # fmt: skip
    gap, months = pl.col("tick").diff(), pl.col("month").diff()
    found = frame.group_by("series").agg(
        pl.len().alias("rows"),
        (pl.col("tick").max() - pl.col("tick").min()).alias("span"),
        gap.min().alias("gap"),
        (gap % gap.min() == 0).all().alias("even"),
        (pl.col("month").max() - pl.col("month").min()).alias("month_span"),
        months.min().alias("months"),
        (months % months.min() == 0).all().alias("even_months"),
        ((pl.col("into").n_unique() == 1) | pl.col("last").all()).alias("same_day"),
    ).filter(pl.col("rows") >= LEAST)  # fmt: skip
    if not found.height:
        return Steps(False, 0)
    never = pl.lit(2**40)
    by_clock = pl.when("even").then(pl.col("span") // pl.col("gap") + 1).otherwise(never)
    by_month = pl.when(pl.col("same_day") & pl.col("even_months") & (pl.col("months") > 0)).then(
        pl.col("month_span") // pl.col("months") + 1).otherwise(never)  # fmt: skip
    rows, places, step = found.select(
        pl.col("rows").sum(), pl.min_horizontal(by_clock, by_month).sum().alias("places"), pl.col("months").min()
    ).row(0)
    return Steps(rows / places >= (_SHARE_OF_MANY if rows >= _MANY else _SHARE), int(step))


def refuse_swapped(times: pl.Series, group: pl.Series | None = None) -> None:
    """Refuse times that get even steps if day and month are exchanged where both are at most 12.

    Spreadsheets read 02/01/2024 as the first of February and leave 13/01/2024 as it is.

    Args:
        times: dates or datetimes, in any order.
        group: the series of each time; None for a single one.

    Raises:
        DataError: such times; the message shows the first.
    """
    some, names = times.head(_HEAD), None if group is None else group.head(_HEAD)
    day, month = pl.col("time").dt.day(), pl.col("time").dt.month()
    walls = some if some.dtype == pl.Date else some.dt.replace_time_zone(None)
    frame = walls.cast(pl.Datetime("us")).alias("time").to_frame()
    both = (day <= _MONTHS) & (day != month)
    found = frame.select(both.fill_null(False)).to_series()
    if not found.any() or found.all() or steps_of(frame["time"], names).regular:
        return
    exchanged = pl.col("time").dt.replace(month=day, day=month)
    other = frame.select(pl.when(both).then(exchanged).otherwise(pl.col("time"))).to_series()
    if steps_of(other, names).regular:
        row = int(found.arg_max() or 0)
        raise DataError(
            message(f"column {times.name!r}", expected="days and months in one order",
                    received=f"{some[row]} in row {row}; only {other[row]:%Y-%m-%d} in its place gives even steps",
                    remedy="export the table again with dates such as 2024-01-31, or give day_first= if they are right")
        )  # fmt: skip
