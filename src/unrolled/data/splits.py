"""Random choices of held-out rows, as boolean polars Series, True = test."""

from collections import defaultdict
from collections.abc import Hashable, Sequence

import numpy as np
import polars as pl

from unrolled.errors import DataError, OptionError, message


def random_split(rows: int, test: float, seed: int) -> pl.Series:
    """Choose a random share of the rows; both sides get at least one."""
    held = np.zeros(rows, dtype=bool)
    held[np.random.default_rng(seed).permutation(rows)[: _count(rows, test, "rows")]] = True
    return pl.Series(held)


def stratified_split(labels: Sequence[Hashable], test: float, seed: int) -> pl.Series:
    """Choose the same share of every label, up to rounding; a label that occurs once stays in training."""
    _count(len(labels), test, "rows")
    rng = np.random.default_rng(seed)
    places: dict[Hashable, list[int]] = defaultdict(list)
    for row, label in enumerate(labels):
        places[label].append(row)
    held = np.zeros(len(labels), dtype=bool)
    owed = 0.0  # rounding is carried from label to label, so that the total share is right
    for rows in places.values():
        owed += len(rows) * test
        count = min(round(owed), len(rows) - 1)
        held[rng.permutation(rows)[:count]] = True
        owed -= count
    if not held.any():
        raise DataError(message("stratify", expected="a label that occurs more than once", received="none"))
    return pl.Series(held)


def group_split(groups: Sequence[Hashable], test: float, seed: int) -> pl.Series:
    """Choose a random share of the groups, with all their rows."""
    names = list(dict.fromkeys(groups))
    count = _count(len(names), test, "groups")
    chosen = {names[place] for place in np.random.default_rng(seed).permutation(len(names))[:count]}
    return pl.Series(np.array([name in chosen for name in groups], dtype=bool))


def _count(total: int, test: float, unit: str) -> int:
    if not 0 < test < 1:
        raise OptionError(message("test", expected="a share in (0, 1)", received=test))
    if total < 2:
        raise DataError(message("split", expected=f"at least 2 {unit}", received=total))
    return min(max(1, round(total * test)), total - 1)
