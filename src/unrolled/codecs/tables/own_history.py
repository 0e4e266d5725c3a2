"""A user's own habits, as items: where he went from here last time, what he did most, what he did at this hour."""

import numpy as np

from unrolled.data.event_log import EventLog

AFTER, MOST, HOUR = "after", "most", "hour"
HOUR_SECONDS, WEEK_HOURS = 3600.0, 168


def recalled(log: EventLog, items: np.ndarray, nothing: int) -> dict[str, np.ndarray]:
    """For each event what the user's own events up to and with it suggest: items by index, (N,).

    All of it can be kept up to date event by event, with a few numbers for each of a user's items.

    Args:
        log: whole histories.
        items: the index of each event's item, (N,).
        nothing: the index that stands for no suggestion.

    Returns:
        after: what followed the last time the user's event was about this item.
        most: what the user's events were most often about; the one that was so first where counts tie.
        hour: what followed the user's last event in the same hour of the week; only where times are dates.
    """
    owners = np.repeat(np.arange(len(log.lengths)), log.lengths)
    found = {AFTER: _followed(owners, items, items, nothing), MOST: _most(owners, items)}
    if log.calendar:
        assert log.seconds is not None
        hours = (log.seconds // HOUR_SECONDS).astype(np.int64) % WEEK_HOURS
        found[HOUR] = _followed(owners, hours, items, nothing)
    return found


def _followed(owners: np.ndarray, keys: np.ndarray, items: np.ndarray, nothing: int) -> np.ndarray:
    """What came right after the owner's last earlier event with the same key, (N,)."""
    before = _earlier(owners, keys)
    known = before >= 0
    found = np.full(len(items), nothing)
    found[known] = items[before[known] + 1]  # at the latest this very event
    return found


def _earlier(owners: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The owner's last earlier event with the same key, -1 without one, (N,)."""
    order = np.lexsort((keys, owners))  # stable: events of one owner and key stay in order
    same = np.zeros(len(order), dtype=bool)
    same[1:] = (owners[order[1:]] == owners[order[:-1]]) & (keys[order[1:]] == keys[order[:-1]])
    before = np.full(len(order), -1)
    before[order[same]] = order[np.flatnonzero(same) - 1]
    return before


def _most(owners: np.ndarray, items: np.ndarray) -> np.ndarray:
    """The owner's most frequent item up to each event, (N,)."""
    size = len(items)
    if not size:
        return items.copy()
    order = np.lexsort((items, owners))
    starts = np.ones(size, dtype=bool)
    starts[1:] = (owners[order[1:]] != owners[order[:-1]]) | (items[order[1:]] != items[order[:-1]])
    place = np.arange(size)
    counts = np.empty(size, dtype=np.int64)
    counts[order] = place - np.maximum.accumulate(np.where(starts, place, 0)) + 1  # how often so far
    # counts of later owners are lifted above all of earlier ones, so that one running maximum serves all
    lifted = counts + owners * (size + 1)
    highest = np.maximum.accumulate(lifted)
    new = np.ones(size, dtype=bool)
    new[1:] = highest[1:] > highest[:-1]
    return items[np.maximum.accumulate(np.where(new, place, 0))]
