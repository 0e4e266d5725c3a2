"""Tables of several series that were read as one: which columns tell the series apart."""

import re
from itertools import combinations

import polars as pl

MAX_DUPLICATES = 0.05  # a larger share of repeated times means that several series were read as one
LOOKED_AT, PAIRED = 32, 6  # columns that are tried alone, and columns with the fewest values that are tried in pairs
_EACH = 10  # rows of each series of which no time occurs twice
_EVEN, _ALIKE = 0.9, 1.15  # share of distances that are within this ratio of the usual one, in even steps
_NAMES = re.compile(  # of columns that tell series apart even if all times together are even
    r"(?i)(?:^|[^a-z])(?:site|station|sensor|device|meter|shop|store|region|country|city|product|sku|item|ticker|symbol|"
    r"series|machine|plant|client|customer|user|account|patient|node|host|id)(?:[^a-z]|$)"
)
_HOURS = re.compile(r"(?i)(?:^|[^a-z])(?:hour|hr|hh|minute|stunde|heure|hora|uur)s?(?:[^a-z]|$)")  # names of columns
_CLOCK = r"^\s*\d{1,2}[:h]\d{2}(?:\D|$)"  # how times of the day are written
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
        if name not in keys and (named or kind.is_integer() or kind == pl.Time):
            size = frame[name].n_unique()
            if 1 < size <= frame.height / LEAST_ROWS:
                sizes[name] = (not named, size)
    ranked = sorted(sizes, key=lambda name: sizes[name])
    for tried in (*((name,) for name in ranked), *combinations(ranked[:PAIRED], 2)):
        repeated = frame.height - frame.select([*keys, *tried]).n_unique()
        if repeated <= MAX_DUPLICATES * frame.height:
            return tried
    return ()


def holds_hours(column: pl.Series) -> bool:
    """Return whether a column holds times of the day, which belong to the time and tell no series apart.

    Args:
        column: texts, times of the day or whole numbers.

    Example:
        >>> holds_hours(pl.Series("at", ["00:00", "1:30"])), holds_hours(pl.Series("hour", [0, 23]))
        (True, True)
        >>> holds_hours(pl.Series("shop", ["12", "5"])), holds_hours(pl.Series("shop", [0, 23]))
        (False, False)
    """
    known = column.drop_nulls()
    if known.dtype == pl.String:
        return bool(len(known)) and bool(known.str.contains(_CLOCK).all())
    if not known.dtype.is_integer():
        return known.dtype == pl.Time
    return bool(_HOURS.search(column.name)) and bool(known.is_between(0, 2400).all())


def even_parts(frame: pl.DataFrame, time: str, target: str) -> str:
    """Return the column whose values have even steps each, while the rows together have none; "" if none has.

    Args:
        frame: the rows, sorted by time, of which no time occurs twice.
        time: column of times.
        target: column of the values, which names no series.

    Example:
        >>> frame = pl.DataFrame({"at": [0, 20, 60, 80] * 10, "site": ["a", "b"] * 20}).with_row_index("n")
        >>> frame = frame.select(pl.col("at") + pl.col("n") // 4 * 120, "site")
        >>> even_parts(frame, "at", "y")
        'site'
    """
    frame = frame.drop_nulls(time)
    if frame.height < 2 * _EACH or frame[time].dtype == pl.String:
        return ""
    moment = frame[time].to_physical().cast(pl.Float64).alias("moment")
    uneven = not _even(moment.to_frame().select(pl.col("moment").diff().alias("gap"), pl.lit(0).alias("name")))
    for name, kind in list(frame.schema.items())[:LOOKED_AT]:
        text = kind in (pl.String, pl.Categorical) or isinstance(kind, pl.Enum)
        if name in (time, target) or not (text or kind.is_integer()):
            continue
        names = frame[name].alias("name")
        size = names.n_unique()
        if not 1 < size <= frame.height / _EACH or int(names.value_counts()["count"].min() or 0) < _EACH:  # type: ignore[call-overload]
            continue
        gap = pl.col("moment").diff()
        parts = pl.DataFrame([moment, names]).with_columns(gap.over("name").alias("gap"), gap.alias("together"))
        if not _even(parts):
            continue
        turn = parts.filter((pl.col("name") != pl.col("name").shift()).fill_null(False))
        if turn.height == size - 1:  # one after the other, with a pause between them
            longest = parts["gap"].max() or 0.0
            if float(turn["together"].min() or 0) > 2 * float(longest):  # type: ignore[arg-type]
                return name
        elif turn.height > frame.height / 2 and (uneven or (_NAMES.search(name) and size <= _EACH)):
            return name
    return ""


def _even(parts: pl.DataFrame) -> bool:
    """Return whether nearly all distances of each name are alike."""
    usual = pl.col("gap").median().over("name")
    near = (pl.col("gap") < _ALIKE * usual) & (usual < _ALIKE * pl.col("gap"))
    return bool(parts.drop_nulls("gap").select(near.mean() >= _EVEN).item())
