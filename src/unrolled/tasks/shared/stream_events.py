"""Conversion of a data set to the events of a stream: texts in pieces, lists step by step, tables row by row."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from unrolled.codecs.base import Codec
from unrolled.codecs.holding import value_columns
from unrolled.data.event_log import EventLog
from unrolled.data.source import Source, Table, as_table

PIECE = 6  # maximum number of characters per piece of text


def events_of_records(
    records: Iterable[Mapping[str, Any]], codecs: Sequence[Codec], rng: np.random.Generator
) -> list[list[dict[str, Any]]]:
    """Return the pieces of each record; single values are in the first piece.

    Args:
        records: whole records.
        codecs: codecs of the columns that are read.
        rng: decides where texts are cut.

    Example:
        >>> from unrolled.codecs.tables.numeric import Numbers
        >>> rows = [{"load": [1.0, 2.0]}]
        >>> events_of_records(rows, [Numbers("load").fit(rows)], np.random.default_rng(0))
        [[{'load': 1.0}, {'load': 2.0}]]
    """
    growing = [column for codec in codecs if codec.spec.per_step for column in value_columns(codec)]
    growing = list(dict.fromkeys(growing))
    single = dict.fromkeys(column for codec in codecs for column in codec.columns if column not in growing)
    found = []
    for record in records:
        parts = {column: _parts(record[column], rng) for column in growing}
        if len({len(pieces) for pieces in parts.values()}) > 1:  # a text and a list: they only fit together as a whole
            parts = {column: [record[column]] for column in growing}
        events = [dict(zip(parts, pieces, strict=True)) for pieces in zip(*parts.values(), strict=True)]
        if events:
            events[0] |= {column: record[column] for column in single}
        found.append(events)
    return found


def _parts(value: Any, rng: np.random.Generator) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, str):
        return list(value)
    pieces, start = [], 0
    while start < len(value):
        stop = start + int(rng.integers(1, PIECE + 1))
        pieces.append(value[start:stop])
        start = stop
    return pieces


def events_of_log(log: EventLog) -> list[list[dict[str, Any]]]:
    """Return the events of each user, as records."""
    edges = np.cumsum(log.lengths)
    return [log.frame[int(stop - count) : int(stop)].to_dicts() for stop, count in zip(edges, log.lengths, strict=True)]


def events_of_table(source: Source) -> list[list[dict[str, Any]]]:
    """Return the rows of each series, as records."""
    table = source if isinstance(source, Table) else as_table(source)
    return [frame.to_dicts() for _, frame in table.series()]
