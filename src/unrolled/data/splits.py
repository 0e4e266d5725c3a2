"""Which rows are held out, as boolean polars Series: at random, by group, by label, or by time."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.timestamps import parse_times
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


def time_split(times: pl.Series, edge: Any) -> pl.Series:
    """Return which rows lie before a time, True = past.

    Args:
        times: parsed times of the rows, in order.
        edge: a time in any form that a time column may have.

    Raises:
        DataError: a time of another kind, or no rows on one side of it.
    """
    parsed = parse_times(pl.Series(times.name, [edge]))
    kept, limit = times, parsed
    if times.dtype.is_temporal() and parsed.dtype.is_temporal():  # a date means its midnight
        kept, limit = times.cast(pl.Datetime("us")), parsed.cast(pl.Datetime("us"))
    try:
        past = (kept < limit[0]).fill_null(False)
    except (TypeError, NotImplementedError, pl.exceptions.PolarsError) as fault:
        raise DataError(message("split_at", expected=f"a time like {times[0]}", received=edge)) from fault
    if past.all() or not past.any():
        expected = f"a time between {times.min()} and {times.max()}"
        raise DataError(message("split_at", expected=expected, received=str(limit[0])))
    return past


def _count(total: int, test: float, unit: str) -> int:
    if not 0 < test < 1:
        raise OptionError(message("test", expected="a share in (0, 1)", received=test))
    if total < 2:
        raise DataError(message("split", expected=f"at least 2 {unit}", received=total))
    return min(max(1, round(total * test)), total - 1)
