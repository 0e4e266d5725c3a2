"""Columns of lists, made from all values at once: polars takes 40 microseconds for each list of its own."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import polars as pl


def list_column(rows: Sequence[Sequence[Any]], kind: Any) -> pl.Series:
    """Return a column of lists.

    Args:
        rows: the lists.
        kind: polars' kind of their values.

    Example:
        >>> list_column([[1.0, None], [], [2.0]], pl.Float64).to_list()
        [[1.0, None], [], [2.0]]
    """
    lengths = np.fromiter(map(len, rows), dtype=np.int64, count=len(rows))
    values = pl.Series("value", list(chain.from_iterable(rows)), dtype=kind)
    places = pl.Series("row", np.repeat(np.arange(len(rows)), lengths))
    lists = pl.DataFrame([places, values]).group_by("row", maintain_order=True).agg("value")
    if not lengths.all():
        every = pl.DataFrame({"row": np.arange(len(rows))}).join(lists, on="row", how="left", maintain_order="left")
        lists = every.with_columns(pl.col("value").fill_null(pl.lit([], dtype=pl.List(kind))))
    return lists["value"]
