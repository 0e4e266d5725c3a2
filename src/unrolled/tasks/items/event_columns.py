"""Further columns of an event log: features of the events, and features of the items."""

import copy
from collections.abc import Sequence
from dataclasses import replace

import polars as pl
import torch
from torch import Tensor

from unrolled.codecs.base import Codec, Spec
from unrolled.codecs.record import Record
from unrolled.codecs.tables.category import Categories
from unrolled.codecs.tables.numeric import Numbers
from unrolled.data.source import Table
from unrolled.errors import OptionError, message
from unrolled.ragged import Ragged
from unrolled.tasks.shared.column_codecs import require

Columns = str | Codec | Sequence[str | Codec] | None


def learn_columns(columns: Columns, frame: pl.DataFrame, argument: str) -> Record | None:
    """Return fitted codecs of columns with one value per row; a plain name is read as numbers or as categories.

    Raises:
        OptionError: a codec that makes a sequence of each value.
    """
    wanted = [columns] if isinstance(columns, str | Codec) else list(columns or ())
    if not wanted:
        return None
    named = [name for entry in wanted for name in ([entry] if isinstance(entry, str) else entry.columns)]
    require(Table(frame), named)
    codecs = [_codec(entry, frame) if isinstance(entry, str) else copy.deepcopy(entry) for entry in wanted]
    record = Record(codecs).fit(frame.select(named).iter_rows(named=True))
    for name, spec in record.specs.items():
        if spec.per_step or spec.kind not in ("index", "vector"):
            raise OptionError(message(argument, expected="columns with one number or category in a row", received=name))
    return record


def _codec(name: str, frame: pl.DataFrame) -> Codec:
    return Numbers(name) if frame[name].dtype.is_numeric() else Categories(name)


def encode_columns(record: Record, frame: pl.DataFrame) -> dict[str, Tensor]:
    """Encode the columns: one row per row of the frame, by the column's name."""
    require(Table(frame), record.columns)
    return dict(record.encode_all(frame.select(record.columns).to_dicts()).statics)


def stepwise(specs: dict[str, Spec]) -> dict[str, Spec]:
    """Return the specs of columns of rows as specs of columns of steps."""
    return {name: replace(spec, per_step=True) for name, spec in specs.items()}


def before_each(values: Tensor, lengths: Tensor, start: Tensor | int | float, whole: bool) -> Ragged:
    """Return what came before each event: the start value, then all events but the last, or all of them.

    Args:
        values: one row per event, (N, ...).
        lengths: events per user, (B,).
        start: the value before a user's first event.
        whole: also return what comes after the last event, one more step per user.
    """
    longer = lengths + 1
    ends = longer.cumsum(0)
    joined = values.new_empty(int(longer.sum()), *values.shape[1:])
    own = torch.ones(len(joined), dtype=torch.bool)
    own[ends - longer] = False
    joined[own], joined[~own] = values, torch.as_tensor(start, dtype=values.dtype)
    steps = Ragged(joined, longer)
    return steps if whole else steps.slice(0, lengths)
