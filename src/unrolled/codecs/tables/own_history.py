"""A user's own history as features: what followed last time, what is most frequent, and what is usual at this hour."""

import numpy as np

from unrolled.data.event_log import EventLog

AFTER, MOST, HOUR = "after", "most", "hour"
HOUR_SECONDS, WEEK_HOURS = 3600.0, 168


def recalled(log: EventLog, items: np.ndarray, nothing: int) -> dict[str, np.ndarray]:
    """Return for each event the items that the user's own events up to it suggest: by index, (N,).

    All of them can be updated event by event, with a few numbers per item of a user.

    Args:
        log: whole histories.
        items: the index of each event's item, (N,).
        nothing: the index that stands for no suggestion.

    Returns:
        after: what followed the last time that an event of this user had this item.
        most: the user's most frequent item; in a tie the one that reached the count first.
        hour: what followed the user's last event in the same hour of the week; only if times are dates.
    """
    owners = np.repeat(np.arange(len(log.lengths)), log.lengths)
    found = {AFTER: _followed(owners, items, items, nothing), MOST: _most(owners, items)}
    if log.calendar:
        local = log.local_seconds
        assert local is not None
        hours = (local // HOUR_SECONDS).astype(np.int64) % WEEK_HOURS
        found[HOUR] = _followed(owners, hours, items, nothing)
    return found


def _followed(owners: np.ndarray, keys: np.ndarray, items: np.ndarray, nothing: int) -> np.ndarray:
    """Return what came right after the owner's last earlier event with the same key, (N,)."""
    before = _earlier(owners, keys)
    known = before >= 0
    found = np.full(len(items), nothing)
    found[known] = items[before[known] + 1]  # at the latest this very event
    return found


def _earlier(owners: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the owner's last earlier event with the same key, -1 without one, (N,)."""
    order = np.lexsort((keys, owners))  # stable: events of one owner and key keep their order
    same = np.zeros(len(order), dtype=bool)
    same[1:] = (owners[order[1:]] == owners[order[:-1]]) & (keys[order[1:]] == keys[order[:-1]])
    before = np.full(len(order), -1)
    before[order[same]] = order[np.flatnonzero(same) - 1]
    return before


def _most(owners: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the owner's most frequent item up to each event, (N,)."""
    size = len(items)
    if not size:
        return items.copy()
    order = np.lexsort((items, owners))
    starts = np.ones(size, dtype=bool)
    starts[1:] = (owners[order[1:]] != owners[order[:-1]]) | (items[order[1:]] != items[order[:-1]])
    place = np.arange(size)
    counts = np.empty(size, dtype=np.int64)
    counts[order] = place - np.maximum.accumulate(np.where(starts, place, 0)) + 1  # occurrences so far
    # counts of later owners are raised above all of earlier ones, so that one running maximum is enough
    lifted = counts + owners * (size + 1)
    highest = np.maximum.accumulate(lifted)
    new = np.ones(size, dtype=bool)
    new[1:] = highest[1:] > highest[:-1]
    return items[np.maximum.accumulate(np.where(new, place, 0))]
