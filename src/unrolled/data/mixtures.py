"""Tables of several series that were read as one: which columns tell the series apart."""

from itertools import combinations

import polars as pl

MAX_DUPLICATES = 0.05  # a larger share of repeated times means that several series were read as one
LOOKED_AT, PAIRED = 32, 6  # columns that are tried alone, and columns with the fewest values that are tried in pairs
LEAST_ROWS = 3  # mean number of rows of a series, below which a column numbers rows


def separating_columns(frame: pl.DataFrame, time: str, group: str | None) -> tuple[str, ...]:
    """Return the column, or the two columns, that give each series every time only once; none if none does.

    Args:
        frame: the rows, with repeated times.
        time: column of times.
        group: column that identifies the series so far; None without one.

    Example:
        >>> frame = pl.DataFrame({"day": [1, 2, 3] * 2, "site": ["a"] * 3 + ["b"] * 3, "kwh": [5, 5, 6, 7, 8, 9]})
        >>> separating_columns(frame, "day", None)
        ('site',)
    """
    keys = [time] if group is None else [group, time]
    frame = frame.drop_nulls(keys)
    sizes = {}
    for name, kind in list(frame.schema.items())[:LOOKED_AT]:
        named = kind in (pl.String, pl.Categorical, pl.Boolean) or isinstance(kind, pl.Enum)
        if name not in keys and (named or kind.is_integer()):
            size = frame[name].n_unique()
            if 1 < size <= frame.height / LEAST_ROWS:
                sizes[name] = (not named, size)
    ranked = sorted(sizes, key=lambda name: sizes[name])
    for tried in (*((name,) for name in ranked), *combinations(ranked[:PAIRED], 2)):
        repeated = frame.height - frame.select([*keys, *tried]).n_unique()
        if repeated <= MAX_DUPLICATES * frame.height:
            return tried
    return ()
