"""Event logs with one row per event (user, item, time): sorted by user and time, with a report of irregularities."""

import time as clock
from dataclasses import asdict, dataclass, replace

import numpy as np
import polars as pl

from unrolled.data.source import Source, Table, as_table, refuse_nested
from unrolled.data.time_forms import TimeForm, read_times
from unrolled.data.time_options import NUMBER, TimeOptions
from unrolled.data.time_zones import local_seconds
from unrolled.errors import DataError, listed, message

USER = "user"  # name of the user column of a list of sessions
_ROW, _FIRST, _TIME = "\0row", "\0first row", "\0seconds"  # names that no column of a user has
_TOMORROW = 86_400.0


@dataclass(frozen=True)
class EventReport:
    """Counts of irregularities in an event log.

    Args:
        unsorted: events that came after a later one of the same user; they were sorted.
        duplicates: rows that repeat user, item and time of another; one of them is kept.
        incomplete: rows without a user, an item or a time; they are left out.
        future: events later than tomorrow by the clock of this machine; they are kept.
    """

    unsorted: int = 0
    duplicates: int = 0
    incomplete: int = 0
    future: int = 0

    def __str__(self) -> str:
        meanings = {
            "unsorted": "out of order (sorted)",
            "duplicates": "duplicates (one is kept)",
            "incomplete": "without user, item or time (left out)",
            "future": "in the future",
        }
        notes = [f"{count:,} {meanings[name]}" for name, count in asdict(self).items() if count]
        return ", ".join(notes) or "in order"


@dataclass(frozen=True, eq=False)
class EventLog:
    """Events sorted by user and time, with users in the order of their first appearance in the data.

    Args:
        frame: the rows, (N,).
        item: the column of items.
        users: a key for each user, (B,).
        lengths: events of each user, (B,).
        seconds: time of each event, in seconds since 1970 (UTC) or in the log's own numbers, (N,); None if the
            log has no time.
        report: counts of irregularities.
        form: the form of the times, None if the log has no time.
    """

    frame: pl.DataFrame
    item: str
    users: pl.Series
    lengths: np.ndarray
    seconds: np.ndarray | None
    report: EventReport
    form: TimeForm | None = None

    @property
    def items(self) -> pl.Series:
        """Return the item of each event, (N,)."""
        return self.frame[self.item]

    @property
    def calendar(self) -> bool:
        """Whether the times are dates, with hours and weekdays."""
        return self.form is not None and self.form.kind != NUMBER

    @property
    def local_seconds(self) -> np.ndarray | None:
        """Return the time of each event by the clocks of the log's zone, as if they showed UTC, (N,)."""
        zone = None if self.form is None else self.form.zone
        return None if self.seconds is None else local_seconds(self.seconds, zone)

    def rows_of(self, users: np.ndarray) -> np.ndarray:
        """Return the row numbers of some users, one user after the other."""
        starts = np.cumsum(self.lengths) - self.lengths
        counts = self.lengths[users]
        ends = np.cumsum(counts)
        return np.arange(counts.sum()) + np.repeat(starts[users] - (ends - counts), counts)

    def select(self, users: np.ndarray) -> "EventLog":
        """Return the events of some users, in that order."""
        rows = self.rows_of(users)
        seconds = None if self.seconds is None else self.seconds[rows]
        return replace(self, frame=self.frame[rows], users=self.users[users], lengths=self.lengths[users],
                       seconds=seconds)  # fmt: skip

    def where(self, kept: np.ndarray) -> "EventLog":
        """Return the events marked in `kept`, (N,) bool, and the users who have one."""
        owners = np.repeat(np.arange(len(self.lengths)), self.lengths)
        lengths = np.bincount(owners[kept], minlength=len(self.lengths))
        seconds = None if self.seconds is None else self.seconds[kept]
        users = self.users.filter(pl.Series(lengths > 0, dtype=pl.Boolean))
        return replace(self, frame=self.frame.filter(pl.Series(kept, dtype=pl.Boolean)), users=users,
                       lengths=lengths[lengths > 0], seconds=seconds)  # fmt: skip


def event_log(
    data: Source,
    user: str | None,
    item: str,
    time: str | None = None,
    empty: bool = False,
    form: TimeForm | None = None,
) -> EventLog:
    """Sort events by user and time.

    Args:
        data: a table with one row per event; or with one list of items per row, which is then one session.
        user: the column that identifies the user; None for a table of sessions.
        item: the column that names the item.
        time: the column of times: dates, times, text or numbers; None if the rows are in order already.
        empty: keep users without a complete event, with no events.
        form: the form of the times that was learnt; None to learn it, by the table's own options.

    Raises:
        DataError: columns that do not exist, times that cannot be read, or no complete event.

    Example:
        >>> from unrolled.data.source import Table
        >>> log = event_log(Table(pl.DataFrame({"who": ["a", "b", "a"], "what": [1, 2, 3], "when": [9, 5, 4]})),
        ...                 "who", "what", "when")
        >>> log.items.to_list(), log.lengths.tolist(), str(log.report)
        ([3, 1, 2], [2, 1], '1 out of order (sorted)')
    """
    table = as_table(data)
    frame = table.frame
    data.require(*(column for column in (item, user, time) if column is not None))
    sessions = isinstance(frame[item].dtype, pl.List | pl.Array)
    if user is None and sessions:
        user = USER
        frame = frame.with_columns(pl.int_range(pl.len()).alias(USER))
    elif user is None:
        raise DataError(
            message(
                "user",
                expected="the column that identifies the user",
                received="None, with one item in each row",
                remedy=f"name one of {listed(frame.columns)}, or give a list of items in each row",
            )
        )
    refuse_nested(frame[user])
    everybody = frame.select(pl.col(user)).drop_nulls().unique(maintain_order=True)
    if sessions:
        frame = _exploded(frame, item, time)
    rows = frame.height
    frame = frame.with_columns(pl.int_range(pl.len()).alias(_ROW))
    if time is not None:
        found, form = _times(table, frame[time], frame[user], form)
        frame = frame.with_columns(seconds_of(found).alias(_TIME))
    frame = frame.drop_nulls([user, item, *([_TIME] if time is not None else [])])
    incomplete = rows - frame.height
    if not (everybody if empty else frame).height:
        raise DataError(message("data", expected="at least one event with user and item", received=f"{rows} rows"))
    frame = frame.with_columns(pl.col(_ROW).min().over(user).alias(_FIRST))
    order = [_FIRST, _TIME, _ROW] if time is not None else [_FIRST, _ROW]
    frame = frame.sort(order)
    late = frame.select((pl.col(_ROW).diff() < 0).over(_FIRST).sum()).item() or 0
    before = frame.height
    if time is not None:
        frame = frame.unique(subset=[_FIRST, item, _TIME], keep="first", maintain_order=True)
    sizes = frame.group_by(_FIRST, maintain_order=True).agg(pl.len().alias("events"), pl.col(user).first())
    if empty:  # keep the order of the data, so that answers come in the order of the questions
        sizes = everybody.join(sizes, on=user, how="left", maintain_order="left")
        sizes = sizes.with_columns(pl.col("events").fill_null(0))
    seconds = frame[_TIME].to_numpy().astype(np.float64) if time is not None else None
    future = (
        0 if seconds is None or form is None or form.kind == NUMBER else int((seconds > clock.time() + _TOMORROW).sum())
    )
    report = EventReport(int(late), before - frame.height, incomplete, future)
    kept = frame.drop([_ROW, _FIRST, *([_TIME] if time is not None else [])])
    return EventLog(kept, item, sizes[user], sizes["events"].to_numpy().astype(np.int64), seconds, report,
                    None if time is None else form)  # fmt: skip


def _times(table: Table, values: pl.Series, user: pl.Series, form: TimeForm | None) -> tuple[pl.Series, TimeForm]:
    """Return the times of a log, and the form in which they were read."""
    if form is None and table.time == values.name:
        form = table.time_form
    known = form or (table.times if isinstance(table.times, TimeForm) else None)
    if known is not None:
        return known.parse(values, user), known
    return read_times(values, table.times if isinstance(table.times, TimeOptions) else None, user)


def _exploded(frame: pl.DataFrame, item: str, time: str | None) -> pl.DataFrame:
    """Return one row per event, from one row per session; other lists of the same length are split like the items."""
    lists = [name for name, kind in frame.schema.items() if isinstance(kind, pl.List | pl.Array)]
    if time is not None and time not in lists:
        raise DataError(message(f"column {time!r}", expected="a list of times for the items", received="one value"))
    sizes = frame.select(pl.col(name).list.len().fill_null(0) for name in lists)
    for name in lists:
        if not (sizes[name] == sizes[item]).all():
            raise DataError(
                message(f"column {name!r}", expected=f"lists as long as those of {item!r}", received="another length")
            )
    return frame.explode(lists)


def seconds_of(times: pl.Series) -> pl.Series:
    """Return parsed times in seconds since 1970 (UTC); numbers stay unchanged."""
    if times.dtype.is_temporal():
        return times.cast(pl.Datetime("us")).to_physical().cast(pl.Float64) / 1e6
    numbers = times.cast(pl.Float64).fill_nan(None)
    if numbers.is_infinite().any():
        raise DataError(message(f"column {times.name!r}", expected="finite times", received="an infinite one"))
    return numbers
