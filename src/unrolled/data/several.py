"""Several files that hold one table together: the same columns in each, of the widest kind over all."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from inspect import signature
from typing import Any

import polars as pl

from unrolled.data.cells import typed
from unrolled.data.documents import Documents
from unrolled.data.kinds import KindError, named, text_of, wider
from unrolled.data.missing import MARKS
from unrolled.data.schema import Schema
from unrolled.data.source import Source, Table
from unrolled.data.time_words import TimeWords, times_from
from unrolled.errors import DataError, message, nearest

OF_TIME = ("time", "group")  # options that belong to the whole table, and not to one file


def join(
    reader: Callable[..., Source], read: Callable[..., Any], places: Sequence[tuple[str, Any]], options: dict[str, Any]
) -> Any:
    """Return the table of several files, one after the other, or their texts.

    Args:
        reader: the reader of one file, which tells whether it takes `texts`, columns that are kept as text.
        read: reads one place, with further options.
        places: name and place of each file.
        options: options of the reader.

    Raises:
        DataError: a column that is not in every file, or whose kinds do not go together; the message names the file.
    """
    takes = signature(reader).parameters
    apart = {name: None for name in OF_TIME if name in takes}
    found: list[tuple[str, Any]] = [(shown, read(place, **apart)) for shown, place in places]
    if all(isinstance(one, Documents) for _, one in found):
        return found[0][1].around([span for _, one in found for span in one.spans])
    tables: list[tuple[str, pl.DataFrame]] = []
    for shown, one in found:  # Documents beside tables, or a lazy table
        if not isinstance(one, Table):
            remedy = "read them into memory, for example with read_parquet"
            raise DataError(
                message(shown, expected="one file, where it is read lazily", received="several", remedy=remedy)
            )
        tables.append((shown, _same_columns(one.frame, found[0][1].frame, shown, found[0][0])))
    frames = [frame for _, frame in tables]
    if "texts" in takes:
        frame = _of_texts(read, places, frames, {**options, **apart})
    else:
        frame = _stacked(frames, {name: _widest(name, tables) for name in frames[0].columns})
    columns = {name: options[name] for name in OF_TIME if options.get(name) is not None}
    times = times_from({name: how for name, how in options.items() if name in TimeWords.__annotations__})
    table = Table(frame, **columns, times=times)
    table.notes = tuple(f"{shown}: {note}" for shown, one in found for note in one.notes)
    folders = {one.folder for _, one in found}
    table.folder = folders.pop() if len(folders) == 1 else None
    return table


def _same_columns(frame: pl.DataFrame, first: pl.DataFrame, shown: str, other: str) -> pl.DataFrame:
    """Return a table with its columns in the order of the first one, or refuse it."""
    missing = [name for name in first.columns if name not in frame.columns]
    more = [name for name in frame.columns if name not in first.columns]
    if missing or more:
        received = f"none named {missing[0]!r}" if missing else f"a further one, {more[0]!r}"
        remedy = nearest(missing[0], more) if missing and more else ""
        raise DataError(message(shown, expected=f"the columns of {other}", received=received, remedy=remedy))
    return frame.select(first.columns)


def _widest(name: str, tables: Sequence[tuple[str, pl.DataFrame]]) -> Any:
    kinds = [Schema.of({name: frame.schema[name]}).kinds.get(name, frame.schema[name]) for _, frame in tables]
    try:
        return reduce(wider, kinds)
    except KindError as fault:
        shown = next(shown for (shown, _), kind in zip(tables, kinds, strict=True) if kind not in (kinds[0], pl.Null))
        received = f"{named(kinds[0])} in {tables[0][0]}, and another kind in {shown}"
        raise DataError(message(f"column {name!r}", expected="one kind in every file", received=received)) from fault


def _stacked(frames: Sequence[pl.DataFrame], kinds: Mapping[str, Any]) -> pl.DataFrame:
    """Return the rows of several tables, with columns of the given kinds."""
    cast = [Schema(kinds).cast(frame) for frame in frames]
    return pl.concat(
        [frame.cast({name: kind for name, kind in kinds.items() if frame.schema[name] != kind}) for frame in cast]
    )


def _of_texts(
    read: Callable[..., Any], places: Sequence[tuple[str, Any]], frames: list[pl.DataFrame], options: dict[str, Any]
) -> pl.DataFrame:
    """Return the rows of several tables of text; where kinds differ, texts are read again and typed all together."""
    unlike = [name for name in frames[0].columns if len({frame.schema[name] for frame in frames}) > 1]
    texts = list(options.pop("texts", None) or ())
    if unlike:
        again = {**options, "texts": [*texts, *unlike]}
        frames = [read(place, **again).frame.select(frames[0].columns) for _, place in places]
        frames = [frame.with_columns(pl.col(unlike).cast(pl.String)) for frame in frames]
    whole = pl.concat(frames)
    marks = MARKS if options.get("missing") is None else tuple(map(text_of, options["missing"]))
    kept = [typed(whole[name], marks, options.get("decimal", ".")) for name in unlike if name not in texts]
    return whole.with_columns(kept)
