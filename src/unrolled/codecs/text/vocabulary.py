"""Choice of the values that get an index, the most frequent ones, with counting in bounded memory."""

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

from unrolled.errors import OptionError, message
from unrolled.pauses import paused

UNKNOWN = 0


class BoundedCounter:
    """Counts of hashable values in bounded memory.

    Above `limit` distinct values the rarest are forgotten (lossy counting), so a count may then be too low
    by at most the number of times that happened.

    Args:
        limit: maximum number of distinct values in memory.
    """

    def __init__(self, limit: int = 1_000_000) -> None:
        self.limit = limit
        self.counts: Counter[Hashable] = Counter()
        self._floor = 0

    def update(self, values: Iterable[Hashable]) -> None:
        """Count further values."""
        self.counts.update(values)
        while len(self.counts) > self.limit:
            self._floor += 1
            self.counts = Counter({value: count for value, count in self.counts.items() if count > self._floor})

    def most_frequent(self, max_size: int | None, min_count: int) -> list[Any]:
        """Return the values that get an index: frequent ones first, equally frequent ones in sorted order."""
        if min_count < 1 or (max_size is not None and max_size < 1):
            raise OptionError(message("min_count, max_size", expected="numbers >= 1", received=(min_count, max_size)))
        kept = [(value, count) for value, count in self.counts.items() if count >= min_count and _can_be_saved(value)]
        kept.sort(key=lambda pair: (-pair[1], order(pair[0])))
        return [value for value, _ in kept[:max_size]]


def order(value: Any) -> tuple[int, Any]:
    """Return a sorting key for a mix of numbers, texts and missing values."""
    if value is None:
        return (2, 0)
    return (1, value) if isinstance(value, str) else (0, value)


def index_of(entries: Iterable[Hashable], first: int = 1) -> dict[Any, int]:
    """Return a mapping from each entry to its index, counted from `first`."""
    return {entry: index for index, entry in enumerate(entries, first)}


def look_up(index: dict[Any, int], values: list[Any], missing: int = UNKNOWN) -> np.ndarray:
    """Return the index of every value, `missing` if it has none: (N,) int64."""
    get = index.get
    return np.fromiter((get(value, missing) for value in paused(values)), dtype=np.int64, count=len(values))


def _can_be_saved(value: Hashable) -> bool:
    """Return False for text with a lone surrogate, which no file can hold."""
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            return False
    return True
