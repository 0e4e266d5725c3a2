"""Parquet read lazily, in batches of records, so that memory stays constant."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.contents import PARQUET
from unrolled.data.documents import refuse_packed
from unrolled.data.forks import check_fork
from unrolled.data.formats.parquet_size import check_parquet
from unrolled.data.handed import tidy
from unrolled.data.schema import Schema
from unrolled.data.source import Source
from unrolled.errors import DataError, OptionError, message, reason

BATCH_ROWS = 10_000


class ParquetStream(Source):
    """The rows of a Parquet file, read again from the disk each time.

    Args:
        path: the file.
        rows: which rows to read, as a boolean array; None = all.
        schema: kinds of the columns; None = as they are in the file.
    """

    def __init__(self, path: Path, rows: np.ndarray | None = None, schema: Schema | None = None) -> None:
        check_fork()
        self.path = path
        refuse_packed(path, own=PARQUET)
        check_parquet(path)
        try:
            self.scan = pl.scan_parquet(path, glob=False)
            self._kinds = tidy(self.scan.head(0).collect()).schema
            self.total = int(self.scan.select(pl.len()).collect().item())
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
            raise self._damaged(fault) from fault
        self.rows = rows
        self.schema = schema or Schema()

    @property
    def columns(self) -> list[str]:
        return list(self._kinds)

    @property
    def kinds(self) -> Mapping[str, Any]:
        return {**self._kinds, **{name: self.schema.kinds[name] for name in self.schema.differing(self._kinds)}}

    def cast(self, schema: Schema) -> "ParquetStream":
        return ParquetStream(self.path, self.rows, schema)

    def __len__(self) -> int:
        return self.total if self.rows is None else int(self.rows.sum())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        check_fork()
        for start in range(0, self.total, BATCH_ROWS):
            try:
                batch = self.scan.slice(start, BATCH_ROWS).collect()
            except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
                raise self._damaged(fault) from fault
            if self.rows is not None:
                batch = batch.filter(pl.Series(self.rows[start : start + BATCH_ROWS]))
            yield from self.schema.cast(tidy(batch)).iter_rows(named=True)

    def _damaged(self, fault: Exception) -> DataError:
        return DataError(message("file", expected="a Parquet file", received=f"{self.path} ({reason(fault)})"))

    def split(
        self, test: float = 0.2, seed: int = 0, stratify: str | None = None, group: str | None = None
    ) -> tuple["ParquetStream", "ParquetStream"]:
        """Split into two parts by a random choice of rows, without reading the data."""
        if stratify is not None or group is not None:
            raise OptionError(
                message(
                    "split",
                    expected="neither stratify nor group for a lazy file",
                    received="one of them",
                    remedy="use read_parquet",
                )
            )
        if not 0 < test < 1:
            raise OptionError(message("test", expected="a share in (0, 1)", received=test))
        mine = np.ones(self.total, dtype=bool) if self.rows is None else self.rows
        held = mine & (np.random.default_rng(seed).random(self.total) < test)
        return ParquetStream(self.path, mine & ~held, self.schema), ParquetStream(self.path, held, self.schema)
