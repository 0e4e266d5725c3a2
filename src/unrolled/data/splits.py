"""Which rows are held out, as boolean polars Series: at random, by group, by label, or by time."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import polars as pl

from unrolled.data.time_forms import TimeForm, as_datetimes
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


def time_split(times: pl.Series, edge: Any, form: TimeForm | None = None) -> pl.Series:
    """Return which rows lie before a time, True = past.

    Args:
        times: parsed times of the rows, in order.
        edge: a time in any form that a time column may have; without a zone it is local time in that of `times`.
        form: the form of the column; None to recognise that of `edge`.

    Raises:
        DataError: a time of another kind, or no rows on one side of it.
    """
    limit = edge_of(times, edge, form, "split_at")
    past = (as_datetimes(times, None) < limit).fill_null(False)
    if past.all() or not past.any():
        expected = f"a time between {times.min()} and {times.max()}"
        raise DataError(message("split_at", expected=expected, received=str(limit)))
    return past


def edge_of(times: pl.Series, edge: Any, form: TimeForm | None, argument: str) -> Any:
    """Return a time that values of a column can be compared with; a date is its midnight.

    Args:
        times: parsed times.
        edge: a time in any form that a time column may have.
        form: the form of the column; None to recognise that of `edge`.
        argument: what `edge` is called in messages.

    Raises:
        DataError: a time of another kind.
    """
    zone = times.dtype.time_zone if isinstance(times.dtype, pl.Datetime) else None
    kind: Literal["number", "datetime"] = "datetime" if times.dtype.is_temporal() else "number"
    form = replace(form or TimeForm("datetime"), kind=kind, zone=zone)
    try:
        return form.parse_one(edge, argument)
    except DataError as fault:
        raise DataError(message(argument, expected=f"a time like {times[0]}", received=repr(edge))) from fault


def _count(total: int, test: float, unit: str) -> int:
    if not 0 < test < 1:
        raise OptionError(message("test", expected="a share in (0, 1)", received=test))
    if total < 2:
        raise DataError(message("split", expected=f"at least 2 {unit}", received=total))
    return min(max(1, round(total * test)), total - 1)
