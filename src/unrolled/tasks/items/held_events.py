"""The latest events of a log, held out: nothing is learnt from them, and each has what came before it as context."""

import numpy as np
import polars as pl

from unrolled.data.event_log import EventLog
from unrolled.data.source import Table
from unrolled.tasks.base import MAX_HELD_OUT, MIN_HELD_OUT
from unrolled.tasks.items.item_ranking import owners, places

PART, ROW = "\0part", "\0event"  # what an event is for, and its number; no column of a user has these names
LEFT_OUT, READ, ASKED = 0, 1, 2
MOST_EVENTS = 10_000  # events that are not learnt from; of a longer log the share is smaller


def hold_out(table: Table, log: EventLog, share: float, seed: int) -> tuple[Table, Table | None]:
    """Split a log into the events to learn from and the latest ones, which are predicted from all before them.

    Where there are times, the latest events are those from a point of time on; else they are the last part of each
    user's history. The training table holds all rows, so that the names of all items are known; which events may be
    learnt from, read or asked about is in the column PART.

    Args:
        table: the rows, as `numbered` returns them.
        log: the same rows as a log.
        share: share of the events to hold out.
        seed: decides which of the held-out events are asked about, if there are more than 1,000.

    Returns:
        The training table and the held-out one; the table itself and None if fewer than 8 events can be asked about.
    """
    wanted = round(min(share * len(log.items), MOST_EVENTS))
    draw = np.random.default_rng(seed)
    for later in (_from_a_time_on(log, wanted), _last_of_each(log, wanted, draw)):
        asked = np.flatnonzero(later & (places(log) > 0))
        if len(asked) >= MIN_HELD_OUT:
            break
    else:
        return table, None
    asked = np.sort(draw.permutation(asked)[:MAX_HELD_OUT])
    last = np.full(len(log.lengths), -1)
    np.maximum.at(last, owners(log)[asked], asked)
    held = np.where(np.arange(len(later)) <= last[owners(log)], READ, LEFT_OUT)  # up to the user's last question
    held[asked] = ASKED
    train = _marked(table, log, np.where(later, LEFT_OUT, READ), READ)
    watched = _marked(table, log, held, LEFT_OUT)
    part = pl.col(PART).list.max() if isinstance(watched.frame.schema[PART], pl.List) else pl.col(PART)
    return train, watched.around(watched.frame.filter(part > LEFT_OUT))


def _from_a_time_on(log: EventLog, wanted: int) -> np.ndarray:
    """Return which events are at or after the time that leaves about the wanted number, (N,); none without times."""
    none = np.zeros(len(log.items), dtype=bool)
    if log.seconds is None or not wanted:
        return none
    ordered = np.sort(log.seconds)
    edge = ordered[len(ordered) - wanted]
    later = log.seconds >= edge
    if later.sum() <= min(2 * wanted, len(later) - 1):
        return later
    return log.seconds > edge  # many events share this time


def _last_of_each(log: EventLog, wanted: int, draw: np.random.Generator) -> np.ndarray:
    """Return which events are in the last part of their user's history, (N,); a user's first event never is.

    The part of a user is rounded up or down at random, so that short histories are held out at the same rate.
    """
    parts = np.floor(log.lengths * wanted / max(len(log.items), 1) + draw.random(len(log.lengths)))
    parts = np.minimum(parts, np.maximum(log.lengths - 1, 0)).astype(np.int64)
    return places(log) >= np.repeat(log.lengths - parts, log.lengths)


def _marked(table: Table, log: EventLog, parts: np.ndarray, other: int) -> Table:
    """Return a table with the part of each event in the column PART; `other` for rows that are no event of the log."""
    numbers = table.frame[ROW]
    in_lists = isinstance(numbers.dtype, pl.List)
    found = np.full((int(numbers.list.len().sum()) if in_lists else len(numbers)), other, dtype=np.int8)
    found[log.frame[ROW].to_numpy()] = parts
    if not in_lists:
        return table.with_column(pl.Series(PART, found))
    edges = numbers.list.len().fill_null(0).cum_sum().to_numpy()[:-1]
    rows = zip(np.split(found, edges), numbers.is_null(), strict=True)
    lists = [None if null else part.tolist() for part, null in rows]
    return table.with_column(pl.Series(PART, lists, dtype=pl.List(pl.Int8)))


def numbered(table: Table, item: str) -> Table:
    """Return a table with the column ROW, which numbers its events: one number, or one list of numbers, per row."""
    frame = table.frame
    if not isinstance(frame.schema.get(item), pl.List | pl.Array):  # places among positions have no column yet
        return table.with_column(pl.int_range(frame.height, eager=True).alias(ROW))
    sizes = pl.col(item).list.len().fill_null(0).cast(pl.Int64)
    ends = sizes.cum_sum()
    numbers = pl.when(pl.col(item).is_not_null()).then(pl.int_ranges(ends - sizes, ends))
    return table.around(frame.with_columns(numbers.alias(ROW)))


def without_left_out(log: EventLog) -> EventLog:
    """Return a log without the events that are left out of it."""
    return log.where(log.frame[PART].to_numpy() > LEFT_OUT) if PART in log.frame.columns else log


def questions_of(log: EventLog) -> np.ndarray | None:
    """Return which events are asked about, (N,); None where the log does not say."""
    if PART not in log.frame.columns:
        return None
    asked = log.frame[PART].to_numpy() == ASKED
    return asked if asked.any() else None
