"""Examples as users give them: sequences and targets as two lists, under the names of the columns of a task."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import polars as pl

from unrolled.codecs.base import Codec
from unrolled.data.handed import Handed, X
from unrolled.data.handed import column as handed_column
from unrolled.data.in_memory import hand_in
from unrolled.data.readers import source_of
from unrolled.data.source import Source, Table, as_table
from unrolled.data.wide import numbered_columns, rows_as_lists
from unrolled.errors import DataError, OptionError, message

_SHOWN = 40  # characters of a value in a message


def examples_of(data: Any, y: Any = None, reads: str | None = None, writes: str | None = "y") -> Source:
    """Return data as a source; sequences without a name get that of the column that a task reads.

    Args:
        data: a Source, a table, records or sequences.
        y: one target per sequence or row.
        reads: name of the column of sequences; None leaves "x".
        writes: name of the column of targets; None refuses them.

    Raises:
        OptionError: targets for a task that takes none.
        DataError: data that cannot be read, or another number of targets.

    Example:
        >>> examples_of(["to be"], ["sein"], "source", "target").columns
        ['source', 'target']
    """
    if y is not None and writes is None:
        raise OptionError(message("y", expected="None: the data are their own target", received=type(y).__name__))
    if isinstance(data, Source) and y is None:
        return data
    handed = hand_in(as_table(data).frame if isinstance(data, Source) else data, y, writes)
    frame = handed.frame
    if not handed.named and reads is not None:
        frame = frame.rename({X: reads}) if X in frame.columns else _of_vectors(frame, reads)
    return source_of(replace(handed, frame=frame))


def without_mixtures(data: Any, read: Collection[str]) -> list[dict[str, Any]] | None:
    """Return records without the columns that no table can hold, where a model reads none of them; None otherwise.

    Args:
        data: records, or other data.
        read: the columns that the model reads.

    Example:
        >>> without_mixtures([{"text": "a", "meta": [1]}, {"text": "b", "meta": "none"}], ["text"])
        [{'text': 'a'}, {'text': 'b'}]
    """
    if not isinstance(data, list | tuple) or not all(isinstance(one, Mapping) for one in data):
        return None
    mixed = set()
    for name in dict.fromkeys(chain.from_iterable(data)):
        try:
            handed_column(str(name), [one.get(name) for one in data])
        except DataError:
            mixed.add(name)
    if not mixed or not mixed.isdisjoint(read):
        return None
    return [{name: value for name, value in one.items() if name not in mixed} for one in data]


def name_of(column: Any) -> str | None:
    """Return the name of the one column that an option names: a name, a codec, or a list of one; else None.

    Example:
        >>> name_of("text"), name_of(["text"]), name_of(["a", "b"])
        ('text', 'text', None)
    """
    if isinstance(column, list | tuple) and len(column) == 1:
        return name_of(column[0])
    if isinstance(column, Codec):
        return column.columns[0] if len(column.columns) == 1 else None
    return column if isinstance(column, str) else None


def row_labels(source: Source) -> tuple[str, ...]:
    """Return the columns that were an index in memory: labels of rows are no inputs unless they are named."""
    return source.row_labels if isinstance(source, Table) else ()


def sessions_of(data: Any, y: Any, item: str, user: str | None) -> Source:
    """Return events as a source; lists of items without names are one user each, numbered from 0.

    Args:
        data: a Source, a table, records, or lists of items.
        y: targets, which are refused: the next item is the target.
        item: the column of items.
        user: the column of users; None for a table of sessions.

    Raises:
        DataError: single items where lists are needed.
        OptionError: targets.
    """
    if isinstance(data, Source) or y is not None:
        return examples_of(data, y, writes=None)
    handed = hand_in(data, target=None)
    if handed.named:
        return source_of(handed)
    lists = handed.frame[X] if X in handed.frame.columns else None
    if lists is None or not isinstance(lists.dtype, pl.List | pl.Array):
        received = "single values" if lists is not None else "several numbers for each event"
        raise DataError(message("data", expected="a list of items for each user", received=received))
    if lists.dtype == pl.List(pl.Float64) and (lists.explode() == lists.explode().round()).all():
        lists = lists.cast(pl.List(pl.Int64))  # whole numbers are names of items
    users = [] if user is None else [pl.Series(user, np.arange(len(lists)))]
    return source_of(Handed(pl.DataFrame([*users, lists.alias(item)])))


def frames_of(data: Any, column: str) -> Source:
    """Return sequences of vectors as a source with one column of lists of vectors.

    Args:
        data: a Source, a table, records, or arrays (T,) or (T, V), one per sequence.
        column: name of the column.
    """
    if isinstance(data, Source):
        return data
    handed = hand_in(data, target=None)
    if handed.named:
        return source_of(handed)
    lists = handed.frame.get_column(X, default=pl.Series())
    if isinstance(lists.dtype, pl.List | pl.Array) and isinstance(lists.explode().dtype, pl.List | pl.Array):
        return source_of(Handed(pl.DataFrame([lists.alias(column)])))  # vectors already
    return source_of(Handed(_of_vectors(handed.frame.rename({X: f"{X}_0"}, strict=False), column)))


def _of_vectors(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return a table whose columns x_0, x_1, ... of lists are one column of lists of vectors; others pass unchanged."""
    features = [f"{X}_{place}" for place in range(frame.width) if f"{X}_{place}" in frame.columns]
    for one in frame.select(features):
        if one.dtype != pl.List(pl.Float64):
            received = repr(one.drop_nulls().to_list()[:1])
            raise DataError(message("data", expected="arrays or lists of numbers, one per sequence", received=received))
    rows = [np.stack(list(map(np.asarray, row)), axis=1).tolist() for row in frame.select(features).iter_rows()]
    vectors = pl.Series(name, rows, dtype=pl.List(pl.List(pl.Float64)))
    return frame.select(vectors, pl.exclude(features)) if features else frame


def with_sequences(source: Source, apart: str | None) -> Source:
    """Return a table of numbered columns of numbers as one with a column "x" of lists; any other is unchanged.

    Args:
        source: the data.
        apart: the column of targets.
    """
    kinds = dict(source.kinds)
    if any(not kind.is_numeric() for name, kind in kinds.items() if name != apart):
        return source
    table = as_table(source)
    steps = numbered_columns(table.frame, () if apart is None else (apart,))
    if not steps or set(table.columns) - set(steps) - {apart}:
        return source
    return source_of(Handed(rows_as_lists(table.frame, steps)))


def require_lists(
    source: Source, columns: Sequence[str], of: str, remedy: str = "split it, for example with text.split()"
) -> None:
    """Refuse a column of texts where each row needs a list.

    Args:
        source: the data.
        columns: the columns.
        of: what the lists hold, such as "words".
        remedy: what to do.

    Raises:
        DataError: names the column, and shows its first text.
    """
    for name in columns:
        if source.kinds.get(name) == pl.String:
            row, value = next(((row, one[name]) for row, one in enumerate(source) if one[name] is not None), (0, ""))
            shown = repr(value if len(value) <= _SHOWN else value[:_SHOWN] + "...")
            expected, received = f"a list of {of} in each row", f"the text {shown} in row {row}"
            raise DataError(message(f"column {name!r}", expected=expected, received=received, remedy=remedy))
