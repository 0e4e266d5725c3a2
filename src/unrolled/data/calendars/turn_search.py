"""Search for uneven steps that recur: from each January 1 on, or within each fiscal quarter."""

import numpy as np

from unrolled.data.calendars.grids import DAY, WEEK, Turns

SHIFT = 8 * DAY  # a year of 53 weeks moves all later times of a fiscal calendar by a week
_YEARS_OF_53 = 5 * 52 * WEEK  # a year of 53 weeks comes every five or six years
_LONGEST = 4  # steps of a turn
_LEAST = 2  # turns


def yearly_turns(walls: np.ndarray) -> Turns | None:
    """Return the turns of times that start anew with each year, such as days 1, 9, 17 of each year; None for others.

    Args:
        walls: distinct times in microseconds, sorted.

    Example:
        >>> days = [f"{year}-01-01" for year in (2022, 2023)]
        >>> walls = np.concatenate([np.arange(0, 365, 8) + np.datetime64(day) for day in days])
        >>> len(yearly_turns(walls.astype("M8[us]").astype(np.int64)).offsets)
        46
    """
    years = walls.astype("M8[us]").astype("M8[Y]")
    since = walls - years.astype("M8[us]").astype(np.int64)
    first, size = int(since.min()), int(np.median(np.diff(walls)))
    inside = np.diff(walls)[np.diff(years).astype(np.int64) == 0]
    if len(np.unique(years)) < _LEAST or size < 2 * DAY or size % DAY or first >= size or not len(inside):
        return None
    turning = np.diff(walls)[np.diff(years).astype(np.int64) > 0]
    if ((since - first) % size).any() or not (turning % size).any():
        return None
    return Turns(0, tuple(range(0, int(since.max()) - first + 1, size)), first)


def fiscal_turns(walls: np.ndarray) -> Turns | None:
    """Return the turns of times that are 4, 4 and 5 weeks apart, or so; None for others.

    The turns are those of the last times; earlier ones may be a week apart.

    Example:
        >>> weeks = np.cumsum([0, 4, 4, 5, 4, 4, 5, 4, 4, 5])
        >>> [offset // WEEK for offset in fiscal_turns(weeks * WEEK).offsets]
        [0, 4, 8]
    """
    gaps = np.diff(walls)
    if (gaps % WEEK).any():
        return None
    for size in range(2, _LONGEST + 1):
        if len(gaps) < _LEAST * size + 1:
            return None
        sums = np.convolve(gaps, np.ones(size, np.int64), "valid")
        usual = int(np.median(sums))
        whole = np.flatnonzero(sums == usual)
        longer = 1 + int(gaps.sum()) // _YEARS_OF_53  # years with one more week, each of which differs twice
        if len(whole) and int((gaps[size:] != gaps[:-size]).sum()) <= 2 * longer:
            start = int(whole[-1])
            turn = gaps[start : start + size]
            if len(np.unique(turn)) == 1:
                return None
            turn, start = _from_even(turn, start)
            return Turns(usual, (0, *np.cumsum(turn[:-1]).tolist()), int(walls[start]))
    return None


def _from_even(turn: np.ndarray, start: int) -> tuple[np.ndarray, int]:
    """Return a turn from the step after its longest one on, as 5, 4 and 4 weeks are 4, 4 and 5."""
    place = (int(turn.argmax()) + 1) % len(turn)
    return np.roll(turn, -place), start + place
