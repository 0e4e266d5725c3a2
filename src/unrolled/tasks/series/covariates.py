"""Covariates of series: their codecs, and their encoding as numbers side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl

from unrolled.codecs.base import Codec
from unrolled.codecs.tables.category import Categories
from unrolled.codecs.tables.numeric import Numbers
from unrolled.errors import OptionError, message
from unrolled.ragged import Ragged


def covariate_codecs(frame: pl.DataFrame, wanted: Sequence[str | Codec], kind: str) -> list[Codec]:
    """Return a codec for each covariate, unfitted.

    Args:
        frame: the table.
        wanted: columns, or codecs.
        kind: past, future or static; for messages.

    Raises:
        OptionError: a column or codec of another kind than numbers or text.
    """
    codecs: list[Codec] = []
    for item in wanted:
        if isinstance(item, Codec):
            if item.media:
                expected = "columns or codecs of numbers or text"
                raise OptionError(message(f"{kind}_covariates", expected=expected, received=repr(item)))
            codecs.append(type(item)(**item.arguments()))
            continue
        dtype = frame[item].dtype
        if dtype.is_numeric() or dtype == pl.Boolean:
            codecs.append(Numbers(item))
        elif dtype in (pl.String, pl.Categorical, pl.Enum):
            codecs.append(Categories(item, embedding_size=0))
        else:
            raise OptionError(
                message(f"{kind}_covariates", expected="columns of numbers or text", received=f"{item!r} of {dtype}")
            )
    return codecs


def record_of(frame: pl.DataFrame, codecs: Sequence[Codec]) -> dict[str, list[Any]]:
    """Return the columns that the codecs read, as lists."""
    columns = dict.fromkeys(column for codec in codecs for column in codec.columns)
    return {column: frame[column].to_list() for column in columns}


def encode_covariates(frame: pl.DataFrame, codecs: Sequence[Codec]) -> np.ndarray:
    """Return all covariates side by side as numbers, (R, C); categories one-hot."""
    record = record_of(frame, codecs)
    blocks = [np.zeros((len(frame), 0), dtype=np.float32)]
    for codec in codecs:
        encoded = codec.encode([record])
        assert isinstance(encoded, Ragged)
        values = encoded.values.numpy()
        blocks.append(values if values.ndim == 2 else np.eye(codec.spec.size, dtype=np.float32)[values])
    return np.concatenate(blocks, 1)
