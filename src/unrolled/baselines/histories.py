"""Histories: what a baseline knows of one series when it is asked how the series continues."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

EVEN = 64  # steps; of longer histories the oldest few are left out, so that more of them have one length
PARTS = 8


def _no_columns() -> np.ndarray:
    return np.zeros((0, 0))


@dataclass(frozen=True, eq=False)
class History:
    """The past of one series, and what is known in advance of the steps ahead.

    Args:
        values: oldest first, NaN where missing, (T,).
        season: season length in steps; 1 for none.
        known: features that are known in advance, of each step and of the steps ahead, (T + horizon, K); empty for
            none.

    Example:
        >>> History(np.array([1.0, np.nan, 3.0]), season=2).last(2).filled().tolist()
        [3.0, 3.0]
    """

    values: np.ndarray
    season: int = 1
    known: np.ndarray = field(default_factory=_no_columns)

    def __len__(self) -> int:
        return len(self.values)

    def last(self, steps: int) -> "History":
        """Return the last steps of this history."""
        first = max(len(self) - steps, 0)
        return replace(self, values=self.values[first:], known=self.known[first:])

    def before(self, origin: int, horizon: int) -> "History":
        """Return the steps before `origin`, and what is known of the `horizon` steps from there on."""
        return replace(self, values=self.values[:origin], known=self.known[: origin + horizon])

    def filled(self) -> np.ndarray:
        """Return the values without gaps, see `filled`."""
        return filled(self.values)


def history_of(values: Any, season: int) -> History:
    """Return a history; an array of numbers is one at the given season."""
    return values if isinstance(values, History) else History(np.asarray(values, dtype=np.float64), season)


def filled(history: np.ndarray) -> np.ndarray:
    """Return a history without gaps: each missing value is the one before it; an empty history is a single zero.

    Those before the first known value are equal to it.
    """
    values = np.asarray(history, dtype=np.float64)
    known = np.flatnonzero(~np.isnan(values))
    if len(known) == len(values) > 0:
        return values
    if not len(known):
        return np.zeros(1)
    place = np.maximum(np.searchsorted(known, np.arange(len(values)), side="right") - 1, 0)
    return values[known[place]]


def same_lengths(histories: Sequence[History], memory: int) -> Iterator[tuple[np.ndarray, np.ndarray, int]]:
    """Yield groups of histories that have one season and one length: places, values (M, T) without gaps, the season.

    Args:
        histories: the histories.
        memory: steps at the end of each that count.

    Example:
        >>> pasts = [History(np.arange(3.0)), History(np.arange(2.0)), History(np.ones(3))]
        >>> [(places.tolist(), rows.shape) for places, rows, _ in same_lengths(pasts, 8)]
        [([0, 2], (2, 3)), ([1], (1, 2))]
    """
    groups: dict[tuple[int, int], list[int]] = {}
    rows = []
    for place, history in enumerate(histories):
        values = history.last(memory).filled()
        values = values[len(values) % PARTS :] if EVEN < len(values) < memory else values
        rows.append(values)
        groups.setdefault((history.season, len(values)), []).append(place)
    for (season, _), places in groups.items():
        yield np.array(places), np.stack([rows[place] for place in places]), season
