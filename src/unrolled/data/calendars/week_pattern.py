"""Which slots of the week a series has: its weekdays, its hours of the day, and its hours by weekday."""

from math import exp, lgamma, log

import numpy as np
from scipy.special import bdtr  # scipy.stats takes more than a second to import

from unrolled.data.calendars.grids import DAY, MONDAY, WeekSlots

LEVEL = 0.002  # probability that slots are called closed although their rows are missing at random
EXPECTED = (((5, 6), 0.05), ((4, 5), 0.02), ((6,), 0.02))  # the same probability for usual weekends
RARE = 0.05  # a slot that occurs less often than this share of the usual is closed, and its rows do not fit
MOST_LOST = 0.03  # share of rows


def week_slots(ticks: np.ndarray, size: int, phase: int) -> WeekSlots | None:
    """Return the slots of the week that occur; None if no slot is left out.

    A slot is left out only if its rows are so rare that chance does not explain it, given how often the rows of other
    slots are missing.

    Args:
        ticks: distinct wall times of one series in microseconds, sorted, (T,).
        size: microseconds of one slot; it divides the day.
        phase: one of the times of the grid.
    """
    phase %= size
    per_day = DAY // size
    slot = np.unique(np.floor_divide(ticks - MONDAY - phase + size // 2, size))
    day, hour = np.divmod(slot, per_day)
    every_day = np.arange(day[0], day[-1] + 1)
    visited = np.unique(day)
    open_days = open_slots(np.bincount(visited % 7, minlength=7), np.bincount(every_day % 7, minlength=7))
    if open_days.all():
        open_days = _working_days(visited, every_day)
    kept = open_days[day % 7]
    visited = visited[open_days[visited % 7]]
    if not len(visited):
        return None
    edges = np.zeros((2, 7, per_day), np.int64)  # slots before the first row, and after the last, have no chance
    for edge, outside in ((0, np.arange(per_day) < hour[0]), (1, np.arange(per_day) > hour[-1])):
        end = day[-edge]
        if open_days[end % 7]:
            edges[edge, end % 7] = outside
    chances = np.bincount(visited % 7, minlength=7)[:, None] - edges.sum(0)  # (7, slots of a day)
    counts = np.bincount((day[kept] % 7) * per_day + hour[kept], minlength=7 * per_day).reshape(7, per_day)
    open_hours = open_slots(counts.sum(0), chances.sum(0))
    grid = open_days[:, None] & open_hours
    if per_day > 1:
        grid[grid] = open_slots(counts[grid], chances[grid])
        grid |= _chance_holes(grid, counts, chances)
    slots = np.flatnonzero(grid)
    if not len(slots) or len(slots) == 7 * per_day:
        return None
    return WeekSlots(size, tuple(slots.tolist()), phase)


def open_slots(counts: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """Return which slots occur, given how often each did and could, (S,)."""
    usual = _usual(counts, chances)
    for rare in (counts <= RARE * usual * chances, counts == 0):
        rare &= chances > 0
        size, left_out = len(counts), int(rare.sum())
        if not 0 < left_out < size or counts[rare].sum() > MOST_LOST * counts.sum():
            continue
        choices = lgamma(size + 1) - lgamma(left_out + 1) - lgamma(size - left_out + 1)
        if choices + _log_cdf(counts[rare], chances[rare], usual) < log(LEVEL):
            return ~rare
    return np.ones(len(counts), dtype=bool)


def _working_days(visited: np.ndarray, every_day: np.ndarray) -> np.ndarray:
    """Return the working days, if no weekend between the first and the last row has any, (7,).

    Few rows show it, as weekends are expected: two weeks without one, three weeks without a Sunday.
    """
    every, missing = np.ones(7, dtype=bool), len(every_day) - len(visited)
    for free_days, level in EXPECTED:
        working = ~np.isin(np.arange(7), free_days)
        free = int((~working[every_day % 7]).sum())
        if free and working[visited % 7].all():
            chance = _chance_of_all(free, missing, len(every_day))
            return working if chance < level else every
    return every


def _log_cdf(counts: np.ndarray, chances: np.ndarray, share: float) -> float:
    """Return the log of the binomial probability of these counts or smaller ones, summed over the slots."""
    with np.errstate(divide="ignore"):  # a probability below the smallest float has the log -inf
        return float(np.log(bdtr(counts, chances, share)).sum())


def _chance_of_all(free: int, missing: int, days: int) -> float:
    """Return the probability that `missing` days, drawn from all without order, hold all the `free` ones."""
    if missing < free:
        return 0.0
    return exp(lgamma(days - free + 1) + lgamma(missing + 1) - lgamma(missing - free + 1) - lgamma(days + 1))


def _chance_holes(grid: np.ndarray, counts: np.ndarray, chances: np.ndarray) -> np.ndarray:
    """Return the closed slots between two open ones of a day that chance may explain one by one, (7, slots)."""
    closed = np.zeros_like(grid)
    closed[:, 1:-1] = ~grid[:, 1:-1] & grid[:, :-2] & grid[:, 2:]
    likely = (1 - _usual(counts[grid], chances[grid])) ** np.maximum(chances, 0) * grid.sum() > LEVEL
    used = grid.any(0)  # a pause at noon is closed on all days
    return closed & likely & used


def _usual(counts: np.ndarray, chances: np.ndarray) -> float:
    """Return the share of the other times of a slot that have rows, for slots with rows."""
    return float((counts * (counts - 1)).sum()) / (float((counts * (chances - 1)).sum()) + 1)
