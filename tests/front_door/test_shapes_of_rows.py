"""Rows of a frame are records in every shape in which libraries give them, and mixtures are never read as words."""

import io
import sqlite3
from collections import namedtuple

import numpy as np
import pandas as pd
import polars as pl
import pydantic
import pytest
import torch
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

import unrolled as ur
from unrolled.data.readers import as_source
from unrolled.errors import DataError

FRAME = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"], "c": [0.5, 2.5, 1.5]})
POLARS = pl.from_pandas(FRAME)
Row = namedtuple("Row", "a b c")


class Model(pydantic.BaseModel):
    a: int
    b: str
    c: float | None


def from_sqlite() -> list[sqlite3.Row]:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.execute("create table rows (a, b, c)")
    connection.executemany("insert into rows values (?, ?, ?)", POLARS.rows())
    rows = connection.execute("select * from rows").fetchall()
    connection.close()
    return rows


SHAPES = {
    "Series of iterrows": lambda: [row for _, row in FRAME.iterrows()],
    "iterrows": FRAME.iterrows,
    "pairs of iterrows": lambda: list(FRAME.iterrows()),
    "itertuples": lambda: FRAME.itertuples(index=False),
    "named tuples": lambda: [Row(*row) for row in POLARS.rows()],
    "models": lambda: [Model(**row) for row in POLARS.rows(named=True)],
    "named rows of polars": lambda: POLARS.iter_rows(named=True),
    "rows of sqlite": from_sqlite,
    "records of a recarray": lambda: list(FRAME.to_records(index=False)),
    "recarray": lambda: FRAME.to_records(index=False),
    **{
        f"to_dict({how!r})": lambda how=how: FRAME.to_dict(how)
        for how in ("records", "list", "split", "tight", "series")
    },
}


@pytest.mark.parametrize("shape", SHAPES)
def test_rows_of_a_frame_are_records_in_every_shape(shape: str) -> None:
    assert list(as_source(SHAPES[shape]())) == list(as_source(FRAME))


def test_series_without_names_are_sequences() -> None:
    assert list(as_source([pd.Series([1.0, 2.0]), pd.Series([3.0])])) == [{"x": [1.0, 2.0]}, {"x": [3.0]}]
    days = pd.Series([1.0, 2.0], index=pd.date_range("2024-01-01", periods=2))
    assert list(as_source([days])) == [{"x": [1.0, 2.0]}]


MIXTURES = {
    "rows of polars": POLARS.rows(),
    "columns": list(FRAME[["a"]].items()),
}


@pytest.mark.parametrize("kind", MIXTURES)
def test_texts_beside_other_values_are_no_words(kind: str) -> None:
    with pytest.raises(DataError, match=r"texts and other values together in row 0.*fit\(sequences, targets\)"):
        as_source(MIXTURES[kind])


@pytest.mark.parametrize(
    "pairs", [[("good", 1), ("bad", 0)], [["good", 1], ["bad", 0]], zip(["good", "bad"], [1, 0], strict=True)]
)
def test_texts_beside_numbers_are_sequences_and_targets(pairs) -> None:
    assert list(as_source(pairs)) == [{"x": "good", "y": 1}, {"x": "bad", "y": 0}]


def test_sequences_and_targets_in_one_tuple_are_said() -> None:
    with pytest.raises(DataError, match=r"two arguments, fit\(sequences, targets\)"):
        as_source((np.zeros((4, 5)), np.zeros(4)))


def test_a_table_is_no_column_of_another_one() -> None:
    two = FRAME[["a", "c"]]
    with pytest.raises(DataError, match=r"column 'north': expected a list of values, received a table of columns"):
        as_source({"north": two, "south": two})
    assert as_source({"north": FRAME[["a"]], "south": FRAME["c"]}).columns == ["north", "south"]


class Items(Dataset):
    def __init__(self, items: list) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, place: int) -> object:
        return self.items[place]


class Stream(IterableDataset):
    def __iter__(self):
        return iter([{"x": [1.0, 2.0], "y": 0}])


@pytest.mark.filterwarnings("ignore")
def test_datasets_of_torch_are_records_or_sequences_with_targets() -> None:
    values, targets = torch.arange(6.0).reshape(3, 2), torch.tensor([0, 1, 0])
    want = [{"x": row, "y": target} for row, target in zip(values.tolist(), targets.tolist(), strict=True)]
    assert list(as_source(TensorDataset(values, targets))) == want
    assert list(as_source(Items([(row, int(target)) for row, target in zip(values, targets, strict=True)]))) == want
    assert list(as_source(Items(want))) == want
    assert list(as_source(Subset(Items(want), [2, 0]))) == [want[2], want[0]]
    assert list(as_source(TensorDataset(values))) == [{"x": one["x"]} for one in want]
    assert list(as_source(Stream())) == want[:0] + [{"x": [1.0, 2.0], "y": 0}]


def test_a_split_mapping_with_a_short_row_is_said() -> None:
    with pytest.raises(DataError, match=r"2 values in each row, received \[1\] in row 1"):
        as_source({"index": [0, 1], "columns": ["a", "b"], "data": [[1, 2], [1]]})


def test_wide_tables_are_read_from_a_file_as_from_memory() -> None:
    wide = pl.DataFrame({f"gene{place}": [0.5 * place, 1.5] for place in range(2000)})
    raw = io.BytesIO()
    wide.write_csv(raw)
    assert ur.read_csv(raw.getvalue()).frame.equals(as_source(wide).frame)
