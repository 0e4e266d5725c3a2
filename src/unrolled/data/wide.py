"""Wide tables: one series in each column, or one in each row, as tables and lists of sequences in the usual forms."""

import re
from collections.abc import Sequence

import polars as pl

from unrolled.data.handed import X

LEAST_STEPS = 3  # numbered columns; fewer are no series
_NUMBERED = re.compile(r"^(.*?)(\d+)$")


def numbered_columns(frame: pl.DataFrame, apart: Sequence[str] = ()) -> list[str]:
    """Return the columns that are the steps of one series in each row: numbers, named 0, 1, 2, ... or t1, t2, t3, ...

    Args:
        frame: the table.
        apart: columns that are no steps.

    Returns:
        Their names in the order of their numbers; none unless all numbers follow each other.

    Example:
        >>> numbered_columns(pl.DataFrame({"label": ["a"], "t1": [1.0], "t2": [2.0], "t3": [0.5]}))
        ['t1', 't2', 't3']
    """
    places: dict[int, str] = {}
    prefixes = set()
    for name in (name for name, kind in frame.schema.items() if name not in apart and kind.is_numeric()):
        found = _NUMBERED.match(name)
        if found is None:
            continue
        prefixes.add(found[1])
        places[int(found[2])] = name
    steps = sorted(places)
    if len(prefixes) != 1 or len(steps) < LEAST_STEPS or steps != list(range(steps[0], steps[0] + len(steps))):
        return []
    return [places[step] for step in steps]


def rows_as_lists(frame: pl.DataFrame, steps: Sequence[str]) -> pl.DataFrame:
    """Return a table in which some columns of numbers are one column "x" of lists; missing ends are left out.

    Args:
        frame: the table.
        steps: the columns, in the order of the steps.

    Example:
        >>> rows_as_lists(pl.DataFrame({"0": [1.0, 2.0], "1": [3.0, None]}), ["0", "1"])["x"].to_list()
        [[1.0, 3.0], [2.0]]
    """
    known = pl.concat_list(pl.col(list(steps)).cast(pl.Float64).fill_nan(None))
    lengths = pl.max_horizontal(
        *(pl.when(pl.col(name).cast(pl.Float64).fill_nan(None).is_not_null()).then(place + 1).otherwise(0)
          for place, name in enumerate(steps))
    )  # fmt: skip
    return frame.select(pl.exclude(list(steps)), known.list.head(lengths).alias(X))


def columns_as_rows(frame: pl.DataFrame, time: str, target: str, series: str) -> pl.DataFrame:
    """Return a table with one row per time and series, of a table with one series in each column.

    Args:
        frame: the table.
        time: column of times.
        target: name of the column of values in the long table.
        series: name of the column that takes the names of the columns.

    Example:
        >>> columns_as_rows(pl.DataFrame({"day": [1, 2], "a": [3, 4], "b": [5, None]}), "day", "y", "series").rows()
        [(1, 'a', 3.0), (2, 'a', 4.0), (1, 'b', 5.0)]
    """
    numbers = frame.with_columns(pl.exclude(time).cast(pl.Float64).fill_nan(None))
    return numbers.unpivot(index=time, variable_name=series, value_name=target).drop_nulls(target)


def is_wide(frame: pl.DataFrame, time: str | None) -> bool:
    """Return whether every column beside the time holds numbers."""
    kinds = [kind for name, kind in frame.schema.items() if name != time]
    return bool(kinds) and all(kind.is_numeric() or kind == pl.Null for kind in kinds)
