"""Series in memory, as a table with one row per step: arrays, lists of numbers, Series with an index, frames."""

import array
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.handed import Handed, X
from unrolled.data.in_memory import hand_in
from unrolled.data.plain_values import is_tensor, plain_list
from unrolled.data.readers import source_of
from unrolled.data.source import Table
from unrolled.errors import DataError, message

SERIES = "series"  # name of the group column of a list of series
_ORDERED = (list, tuple, range, deque, array.array)


def table_in_memory(data: Any, target: str, time: str | None = None, group: str | None = None) -> Table:
    """Return the table of a frame, records, Series or arrays; its attribute `indexed` names what its index held.

    Args:
        data: see `long_table`.
        target: name of the column of values, if the data have no names.
        time: column of times in training; an index of times takes this name.
        group: column of series in training; an index of series takes this name.

    Raises:
        DataError: more than one number per step.
    """
    data = list(data) if isinstance(data, Iterator) else data
    parts = _list_of_series(data)
    if parts is not None:
        handed = _together(parts, target)
    elif _is_one_series(data):
        one = hand_in([np.array(plain_list(data), dtype=np.float64) if isinstance(data, _ORDERED) else data])
        handed = Handed(exploded(one.frame.rename({X: target}), target), named=False)
    else:
        handed = _with_target(hand_in(data, target=None), target)
    frame = handed.frame
    if not handed.named and handed.group is None and group == SERIES:  # one series, where training had a list
        frame, handed = frame.with_columns(pl.lit(0).alias(SERIES)), Handed(frame, handed.time, SERIES)
    if handed.group == SERIES and group not in (None, SERIES) and group not in frame.columns:
        frame, handed = frame.rename({SERIES: group}), Handed(frame, handed.time, group)
    for own, name in ((handed.time, time), (handed.group, group)):  # an index may have another name than in training
        if own and name and own in frame.columns and name not in frame.columns and own != SERIES:
            frame = frame.rename({own: name})
            time_now, group_now = (name if one == own else one for one in (handed.time, handed.group))
            handed = Handed(frame, time_now, group_now)
    return source_of(Handed(frame, handed.time, handed.group))


def exploded(frame: pl.DataFrame, target: str) -> pl.DataFrame:
    """Return one row per step of a table with one list per series; empty series have none.

    Example:
        >>> exploded(pl.DataFrame({"series": [0, 1], "y": [[1.0, 2.0], []]}), "y").rows()
        [(0, 1.0), (0, 2.0)]
    """
    return frame.filter(pl.col(target).list.len() > 0).explode(target)


def _with_target(handed: Handed, target: str) -> Handed:
    """Return data without names with the values in the column of the target, one row per step."""
    frame = handed.frame
    if handed.named:
        return handed
    if f"{X}_1" in frame.columns:
        raise DataError(
            message(
                "data",
                expected="series of numbers, (T,) each",
                received="more than one number per step",
                remedy="give a table with one row per step",
            )
        )
    frame = frame.rename({frame.columns[-1]: target})
    if not isinstance(frame.schema[target], pl.List | pl.Array):
        return Handed(frame, handed.time, handed.group, named=False)
    lists = frame.with_columns(pl.col(target).cast(pl.List(pl.Float64), strict=False))
    if lists.height > 1 and (lists[target].list.len() == 1).all():
        return Handed(exploded(lists, target).select(target), named=False)  # (T, 1): one series as a column
    if handed.group is None:
        lists = lists.select(pl.int_range(pl.len(), dtype=pl.Int64).alias(SERIES), target)
    return Handed(exploded(lists, target), handed.time, handed.group or SERIES)


def _is_one_series(data: Any) -> bool:
    """Return whether the data are the numbers of one series: an array or tensor of one axis, or a list of numbers."""
    if is_tensor(data):
        return data.ndim == 1
    if isinstance(data, np.ndarray):
        return data.ndim == 1 and (data.dtype.kind in "biuf" or (data.dtype.kind == "O" and _are_numbers(data)))
    return isinstance(data, _ORDERED) and len(data) > 0 and _are_numbers(data)


def _are_numbers(values: Any) -> bool:
    kinds = {type(value) for value in values} - {type(None)}
    return bool(kinds) and all(issubclass(kind, Real | Decimal | np.number) for kind in kinds)


def _list_of_series(data: Any) -> list[tuple[Any, Handed]] | None:
    """Return the name and table of each Series of a list or mapping, if all have an index of times; else None."""
    pandas: Any = sys.modules.get("pandas")
    values = list(data.values()) if isinstance(data, Mapping) else data
    if pandas is None or not isinstance(values, list | tuple) or not values:
        return None
    if not all(isinstance(one, pandas.Series) for one in values):
        return None
    parts = [hand_in(one, target=None) for one in values]
    if any(part.time is None or part.group is not None for part in parts):
        return None
    names = list(data) if isinstance(data, Mapping) else [one.name for one in values]
    if None in names or len(set(names)) < len(names):
        names = list(range(len(values)))
    return list(zip(names, parts, strict=True))


def _together(parts: Sequence[tuple[Any, Handed]], target: str) -> Handed:
    """Return one long table of series that have times of their own."""
    time = str(parts[0][1].time)
    frames = [
        part.frame.select(pl.lit(name).alias(SERIES), pl.col(str(part.time)).alias(time), pl.col(X).alias(target))
        for name, part in parts
    ]
    return Handed(pl.concat(frames, how="vertical_relaxed"), time, SERIES)
