"""The same small table and the same sequences, handed in in every usual way, are one and the same frame."""

import array
import dataclasses
import datetime as dt
import sqlite3
import uuid
from collections import ChainMap, OrderedDict, UserDict, UserList, deque, namedtuple
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from pathlib import PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import NamedTuple

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from unrolled.data.readers import as_source, read_parquet, scan_parquet
from unrolled.errors import DataError

narwhals = pytest.importorskip("narwhals")
pydantic = pytest.importorskip("pydantic")

# ---- a table -------------------------------------------------------------------------------------

RECORDS = [{"name": "a", "n": 1, "v": 0.5}, {"name": "b", "n": 2, "v": None}, {"name": None, "n": 3, "v": 2.5}]
FRAME = pl.DataFrame(RECORDS)
PANDAS = pd.DataFrame(RECORDS)
ARROW = pa.Table.from_pylist(RECORDS)
NAMES, NUMBERS, VALUES = (FRAME[name].to_list() for name in FRAME.columns)


class Row(NamedTuple):
    name: str | None
    n: int
    v: float | None


@dataclasses.dataclass
class Record:
    name: str | None
    n: int
    v: float | None


class Model(pydantic.BaseModel):
    name: str | None
    n: int
    v: float | None


class OnlyStream:
    """An object that is known by its Arrow stream alone, as a relation of DuckDB or a table of Ibis is."""

    def __init__(self, table):
        self.table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class OnlyArray:
    def __init__(self, batch):
        self.batch = batch

    def __arrow_c_array__(self, requested_schema=None):
        return self.batch.__arrow_c_array__(requested_schema)


class OnlyExchange:
    """An object that knows nothing but the protocol of exchange between frames."""

    def __init__(self, frame):
        self.frame = frame

    def __dataframe__(self, nan_as_null=False, allow_copy=True):
        return self.frame.__dataframe__(nan_as_null, allow_copy)


class Lazy:
    """A collection like Dask's, which has to compute its frame."""

    def __dask_graph__(self):
        return {}

    def compute(self):
        return PANDAS


def asked(method, table):
    return type("Asked", (), {method: lambda self: table})()


def rows_of_sqlite():
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    connection.execute("create table t (name, n, v)")
    connection.executemany("insert into t values (:name, :n, :v)", RECORDS)
    rows = connection.execute("select * from t").fetchall()
    connection.close()
    return rows


def structured():
    return np.array(
        [("a", 1, 0.5), ("b", 2, np.nan), (None, 3, 2.5)], dtype=[("name", object), ("n", "i8"), ("v", "f8")]
    )


TABLES = {
    "polars": FRAME,
    "polars lazily": FRAME.lazy(),
    "a Series of records": FRAME.to_struct("any"),
    "categories of polars": FRAME.with_columns(pl.col("name").cast(pl.Categorical)),
    "an Enum of polars": FRAME.with_columns(pl.col("name").cast(pl.Enum(["a", "b"]))),
    "narrow kinds of polars": FRAME.cast({"n": pl.UInt8, "v": pl.Float32}),
    "decimals of polars": FRAME.cast({"v": pl.Decimal(10, 2)}),
    "pandas": PANDAS,
    "pandas with nullable kinds": PANDAS.convert_dtypes(),
    "pandas with objects": PANDAS.astype(object),
    "pandas with Arrow inside": PANDAS.convert_dtypes(dtype_backend="pyarrow"),
    "pandas with categories": PANDAS.astype({"name": "category", "n": "category"}),
    "pandas with sparse columns": PANDAS.astype({"v": pd.SparseDtype("float64")}),
    "pandas with narrow numbers": PANDAS.astype({"n": "int16", "v": "float16"}),
    "pandas with big-endian numbers": PANDAS.astype({"n": ">i4", "v": ">f8"}),
    "pandas with columns on two levels": pd.DataFrame(
        [list(record.values()) for record in RECORDS],
        columns=pd.MultiIndex.from_tuples([("name", ""), ("", "n"), ("v", "")]),
    ),
    "pandas with numbers of rows left over": pd.concat([PANDAS, PANDAS])[:3].rename(index={0: 17}),
    "pandas with a named index": PANDAS.set_index("name"),
    "pandas with an index of two levels": PANDAS.set_index(["name", "n"]),
    "pandas with an index beside its column": PANDAS.set_index("name", drop=False),
    "pandas, rows labelled without a name": PANDAS.set_axis(["k", "l", "m"]),
    "pandas transposed": PANDAS.T.T,
    "Arrow": ARROW,
    "Arrow in batches": ARROW.to_batches()[0],
    "Arrow, a reader": ARROW.to_reader(),
    "Arrow, an array of records": pa.array(RECORDS),
    "Arrow, with a dictionary": ARROW.set_column(0, "name", ARROW["name"].dictionary_encode()),
    "Arrow, a dataset": pyarrow.dataset.dataset(ARROW),
    "a stream of Arrow": OnlyStream(ARROW),
    "an array of Arrow": OnlyArray(ARROW.to_batches()[0]),
    "narwhals around polars": narwhals.from_native(FRAME),
    "narwhals around pandas": narwhals.from_native(PANDAS),
    "narwhals lazily": narwhals.from_native(FRAME.lazy()),
    "narwhals around Arrow": narwhals.from_native(ARROW),
    "the protocol of exchange": OnlyExchange(ARROW),
    "like Dask": Lazy(),
    "like Spark": asked("toArrow", ARROW),
    "like cuDF": asked("to_arrow", ARROW),
    "like Ibis": asked("to_pyarrow", ARROW),
    "like Modin": asked("to_pandas", PANDAS),
    "records": RECORDS,
    "a tuple of records": tuple(RECORDS),
    "a deque of records": deque(RECORDS),
    "a generator of records": lambda: (record for record in RECORDS),
    "an iterator of records": lambda: iter(RECORDS),
    "a map of records": lambda: map(dict, RECORDS),
    "values of a dictionary": {"one": RECORDS[0], "two": RECORDS[1], "three": RECORDS[2]}.values(),
    "a UserList of records": UserList(RECORDS),
    "an object array of records": np.array(RECORDS, dtype=object),
    "a Series of pandas with records": pd.Series(RECORDS),
    "records with other orders of columns": [RECORDS[0], dict(reversed(RECORDS[1].items())), RECORDS[2]],
    "records without what is missing": [{"name": "a", "n": 1, "v": 0.5}, {"name": "b", "n": 2}, {"n": 3, "v": 2.5}],
    "records that are no dict": [OrderedDict(RECORDS[0]), MappingProxyType(RECORDS[1]), ChainMap(RECORDS[2])],
    "records of a UserDict": [UserDict(record) for record in RECORDS],
    "named tuples": [Row(**record) for record in RECORDS],
    "collections.namedtuple": [namedtuple("Any", "name n v")(**record) for record in RECORDS],
    "dataclasses": [Record(**record) for record in RECORDS],
    "models of pydantic": [Model(**record) for record in RECORDS],
    "rows of sqlite3": rows_of_sqlite(),
    "records of pandas, with NaN": PANDAS.to_dict("records"),
    "records of NumPy's values": [
        {"name": np.str_("a"), "n": np.int32(1), "v": np.float64(0.5)},
        {"name": np.str_("b"), "n": np.uint8(2), "v": np.float32("nan")},
        {"name": None, "n": np.int64(3), "v": np.float32(2.5)},
    ],
    "columns": {"name": NAMES, "n": NUMBERS, "v": VALUES},
    "columns of tuples": {"name": tuple(NAMES), "n": tuple(NUMBERS), "v": tuple(VALUES)},
    "columns of arrays": {
        "name": np.array(NAMES, dtype=object),
        "n": np.array(NUMBERS),
        "v": np.array(VALUES, dtype=object),
    },
    "columns of masked arrays": {
        "name": np.ma.array(["a", "b", "?"], mask=[0, 0, 1]),
        "n": np.ma.array([1, 2, 3]),
        "v": np.ma.array([0.5, -9999.0, 2.5], mask=[0, 1, 0]),
    },
    "columns of tensors": {"name": NAMES, "n": torch.tensor(NUMBERS), "v": VALUES},
    "columns of Series": {"name": pd.Series(NAMES), "n": pl.Series(NUMBERS), "v": pa.array(VALUES)},
    "columns of ranges and generators": lambda: {"name": iter(NAMES), "n": range(1, 4), "v": (v for v in VALUES)},
    "columns of any numbers": {
        "name": NAMES,
        "n": array.array("h", NUMBERS),
        "v": [Fraction(1, 2), None, Decimal("2.5")],
    },
    "a structured array": structured(),
    "a record array": structured().view(np.recarray),
}


@pytest.mark.parametrize("way", TABLES)
def test_every_way_gives_the_same_table(way):
    given = TABLES[way]
    if callable(given) and type(given).__name__ == "function":
        given = given()
    frame = as_source(given).frame.select(FRAME.columns).cast(dict(FRAME.schema))
    assert frame.with_columns(pl.col("v").fill_nan(None)).equals(FRAME)
    assert sorted(as_source(TABLES["polars"]).columns) == sorted(FRAME.columns)


# ---- sequences -----------------------------------------------------------------------------------

SERIES = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]
MATRIX = np.array(SERIES)

SEQUENCES = {
    "lists": SERIES,
    "tuples": tuple(map(tuple, SERIES)),
    "whole numbers": [[1, 2, 3], [4, 5, 6]],
    "an array": MATRIX,
    "a list of arrays": list(MATRIX),
    "an array of objects": np.array(SERIES, dtype=object),
    "a matrix": MATRIX.view(np.matrix),
    "a masked array": np.ma.array(MATRIX),
    "a narrow array": MATRIX.astype(np.float16),
    "a wide array": MATRIX.astype(np.longdouble),
    "a big-endian array": MATRIX.astype(">f4"),
    "a tensor": torch.tensor(SERIES),
    "a tensor with gradients": torch.tensor(SERIES, requires_grad=True),
    "a tensor of bfloat16": torch.tensor(SERIES, dtype=torch.bfloat16),
    "a tensor of halves": torch.tensor(SERIES, dtype=torch.float16),
    "a tensor of whole numbers": torch.tensor(SERIES).to(torch.uint8),
    "a list of tensors": [torch.tensor(one) for one in SERIES],
    "a parameter": torch.nn.Parameter(torch.tensor(SERIES)),
    "a list of Series": [pd.Series(one) for one in SERIES],
    "a list of Series of polars": [pl.Series(one) for one in SERIES],
    "a list of Arrow arrays": [pa.array(one) for one in SERIES],
    "a Series of lists": pd.Series(SERIES),
    "a Series of arrays": pd.Series(list(MATRIX)),
    "a Series of Series": pd.Series([pd.Series(one) for one in SERIES]),
    "a Series of polars": pl.Series(SERIES),
    "a Series of arrays of polars": pl.Series(SERIES, dtype=pl.Array(pl.Float64, 3)),
    "an array of Arrow": pa.array(SERIES),
    "a chunked array of Arrow": pa.chunked_array([[SERIES[0]], [SERIES[1]]]),
    "a stream of Arrow": OnlyStream(pa.chunked_array([SERIES])),
    "a Series of narwhals": narwhals.from_native(pl.Series(SERIES), series_only=True),
    "a deque of lists": deque(SERIES),
    "a list of deques": [deque(one) for one in SERIES],
    "a list of ranges": [range(1, 4), range(4, 7)],
    "a list of arrays of Python": [array.array("d", one) for one in SERIES],
    "a generator": lambda: (one for one in SERIES),
    "a list of generators": lambda: [iter(one) for one in SERIES],
    "an object with __array__": SimpleNamespace,
    "a memoryview": memoryview(MATRIX),
    "a list of memoryviews": [memoryview(one) for one in MATRIX],
    "a packed sequence": pack_sequence([torch.tensor(one) for one in SERIES]),
    "a nested tensor": torch.nested.nested_tensor([torch.tensor(one) for one in SERIES], layout=torch.jagged),
    "an array of views": pa.array(SERIES, pa.list_view(pa.float64())),
}


class HasArray:
    def __array__(self, dtype=None, copy=None):
        return MATRIX


@pytest.mark.parametrize("way", SEQUENCES)
def test_every_way_gives_the_same_sequences(way):
    given = SEQUENCES[way]
    if given is SimpleNamespace:
        given = HasArray()
    elif type(given).__name__ == "function":
        given = given()
    assert as_source(given).frame.cast({"x": pl.List(pl.Float64)})["x"].to_list() == SERIES


TEXTS = {
    "lists": ["a b", "c"],
    "an array": np.array(["a b", "c"]),
    "an array of bytes": np.array([b"a b", b"c"]),
    "an array of objects": np.array(["a b", "c"], dtype=object),
    "an array of variable width": np.array(["a b", "c"], dtype=np.dtypes.StringDType()),
    "a Series": pd.Series(["a b", "c"]),
    "a Series of categories": pd.Series(["a b", "c"], dtype="category"),
    "an Index": pd.Index(["a b", "c"]),
    "a Series of polars": pl.Series(["a b", "c"]),
    "an Arrow array": pa.array(["a b", "c"]),
    "keys of a dictionary": {"a b": 1, "c": 2}.keys(),
    "bytes": [b"a b", bytearray(b"c")],
    "NumPy's texts": [np.str_("a b"), np.str_("c")],
    "a generator": lambda: (text for text in ("a b", "c")),
}


@pytest.mark.parametrize("way", TEXTS)
def test_every_way_gives_the_same_texts(way):
    given = TEXTS[way]
    assert as_source(given() if callable(given) else given).frame["x"].cast(pl.String).to_list() == ["a b", "c"]


# ---- targets -------------------------------------------------------------------------------------

TARGETS = {
    "a list": [1, 0],
    "a tuple": (1, 0),
    "an array": np.array([1, 0]),
    "a column": np.array([[1], [0]]),
    "a tensor": torch.tensor([1, 0]),
    "a Series": pd.Series([1, 0], index=pd.date_range("2024", periods=2)),
    "a frame of one column": pd.DataFrame({"label": [1, 0]}),
    "a Series of polars": pl.Series("label", [1, 0]),
    "an Arrow array": pa.array([1, 0]),
    "a generator": lambda: iter([1, 0]),
}


@pytest.mark.parametrize("way", TARGETS)
def test_every_way_gives_the_same_targets(way):
    given = TARGETS[way]
    source = as_source(["a", "b"], given() if callable(given) and not torch.is_tensor(given) else given)
    assert source.frame.rows() == [("a", 1), ("b", 0)]


@pytest.mark.parametrize(
    ("y", "words"),
    [
        ("ab", "one str"),
        ({"a": 1}, "one dict"),
        ({1, 2}, "no order"),
        (np.array(1), "single value"),
        (pd.DataFrame({"a": [1, 2], "b": [1, 2]}), "one column of targets"),
        (7, "int"),
    ],
)
def test_targets_that_cannot_be_are_one_sentence(y, words):
    with pytest.raises(DataError, match=words):
        as_source(["a", "b"], y)


# ---- cells ---------------------------------------------------------------------------------------


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


CELLS = {
    "Decimal": (Decimal("1.5"), 1.5),
    "Fraction": (Fraction(3, 2), 1.5),
    "UUID": (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
    "Enum": (Colour.RED, "red"),
    "path": (PurePosixPath("a/b.wav"), "a/b.wav"),
    "timedelta": (dt.timedelta(minutes=2), 120.0),
    "pandas Timedelta": (pd.Timedelta("2min"), 120.0),
    "NumPy timedelta": (np.timedelta64(2, "m"), 120.0),
    "datetime": (dt.datetime(2024, 1, 2, 3), dt.datetime(2024, 1, 2, 3)),
    "Timestamp": (pd.Timestamp("2024-01-02 03:00"), dt.datetime(2024, 1, 2, 3)),
    "datetime64": (np.datetime64("2024-01-02T03:00:00", "ns"), dt.datetime(2024, 1, 2, 3)),
    "date": (dt.date(2024, 1, 2), dt.date(2024, 1, 2)),
    "datetime64 of days": (np.datetime64("2024-01-02"), dt.date(2024, 1, 2)),
    "NaT": (pd.NaT, None),
    "NA": (pd.NA, None),
    "masked": (np.ma.masked, None),
    "Interval": (pd.Interval(0, 1), "(0, 1]"),
    "Series": (pd.Series([1.0, 2.0]), [1.0, 2.0]),
    "Series with a gap": (pd.Series([1, None], dtype="Int64"), [1, None]),
    "Series of polars": (pl.Series([1, 2]), [1, 2]),
    "tensor": (torch.tensor([1.0, 2.0], requires_grad=True), [1.0, 2.0]),
    "scalar tensor": (torch.tensor(3), 3),
    "0-d array": (np.array(3), 3),
    "masked array": (np.ma.array([1, -9999], mask=[0, 1]), [1, None]),
    "Arrow scalar": (pa.scalar(3), 3),
    "Arrow array": (pa.array([1, None]), [1, None]),
    "deque": (deque([1, 2]), [1, 2]),
    "range": (range(2), [0, 1]),
    "nested tuples": (((1, 2), (3,)), [[1, 2], [3]]),
    "array in a list": ([np.array([1, 2]), np.array([3])], [[1, 2], [3]]),
    "record": (Row("a", 1, None), {"name": "a", "n": 1, "v": None}),
    "bytes of text": (b"abc", "abc"),
    "bool_": (np.bool_(True), True),
    "longdouble": (np.longdouble("1.5"), 1.5),
    "memoryview of numbers": (memoryview(array.array("d", [1.5, 2.5])), [1.5, 2.5]),
}


@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_of_any_kind_is_a_plain_value_in_records_columns_and_pandas(kind):
    given, want = CELLS[kind]
    assert as_source([{"k": 1, "v": given}]).frame["v"].to_list() == [want]
    assert as_source({"v": [given]}).frame["v"].to_list() == [want]
    frame = pd.DataFrame({"v": pd.Series([None], dtype=object)})
    frame.at[0, "v"] = given
    assert as_source(frame).frame["v"].to_list() == [want]


@pytest.mark.parametrize("given", [{1, 2}, frozenset("a"), 1 + 2j, np.array([1j])])
def test_a_cell_that_cannot_be_is_named_by_column_and_row(given):
    with pytest.raises(DataError, match="column 'v', row 1"):
        as_source([{"v": None}, {"v": given}])


def test_nested_lists_have_a_limit():
    value = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(DataError, match="at most 16 nested"):
        as_source([{"v": value}])
    with pytest.raises(DataError, match="at most 16 nested"):
        as_source([value])


# ---- what is refused -----------------------------------------------------------------------------


class Broken:
    def __arrow_c_stream__(self, requested_schema=None):
        raise OverflowError("raw fault")


def failing():
    yield {"a": 1}
    raise KeyError("raw fault")


REFUSED = {
    "two columns of one name": (pd.DataFrame(np.ones((3, 2)), columns=["y", "y"]), "'y' twice"),
    "two columns of one name in Arrow": (pa.table([pa.array([1]), pa.array([2])], names=["y", "y"]), "'y' twice"),
    "names that are one text": (pd.DataFrame([[1, 2]], columns=[1, "1"]), "'1' twice"),
    "keys that are one text": ([{1: "a", "1": "b"}], "'1' twice"),
    "a set": ({"a", "b"}, "no order"),
    "bytes": (b"abc", "bytes"),
    "a text": ("abc", "one str"),
    "one record": ({"text": "abc", "y": "b"}, "put a single record in a list"),
    "pandas as a dictionary of dictionaries": ({"a": {0: 1, 1: 2}}, "give the frame itself"),
    "one dataclass": (Record("a", 1, None), "one Record"),
    "a sparse tensor": (torch.eye(3).to_sparse(), "dense"),
    "complex numbers": (np.array([[1j]]), "real numbers"),
    "a number": (np.array(3.0), "single value"),
    "a broken library": (Broken(), "failed while it was read"),
    "a broken generator": (failing(), "failed while it was read"),
    "records and others": ([{"a": 1}, [1, 2]], "list in row 1"),
    "an open file": (open(__file__, "rb"), "read it first"),  # noqa: SIM115
    "no rows": (pd.DataFrame({"a": []}), "at least one row"),
    "nothing": ([], "received none"),
    "an empty generator": (iter(()), "received none"),
    "a tensor without values": (torch.ones(2, 3, device="meta"), "device meta"),
    "groups of pandas": (PANDAS.groupby("n"), "give the frame itself"),
    "groups of polars": (FRAME.group_by("n"), "give the frame itself"),
    "two keys of one name in a cell": ([{"v": {1: 2, "1": 3}}], "column 'v', row 0: expected names that occur once"),
    "intervals of months": (pa.table({"a": pa.array([pa.MonthDayNano([1, 2, 3])])}), "data"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_holds_no_table_is_refused_in_one_sentence(name):
    given, words = REFUSED[name]
    with pytest.raises(DataError, match=words) as caught:
        as_source(given)
    assert "\n" not in str(caught.value)
    if name == "an open file":
        given.close()


@pytest.mark.parametrize("hole", [None, float("nan"), pd.NA, np.nan])
def test_a_missing_text_is_missing_as_in_a_column(hole):
    assert as_source(["a good day", hole, "a bad day"]).frame["x"].to_list() == ["a good day", None, "a bad day"]
    assert as_source([hole, "a"]).frame["x"].to_list() == [None, "a"]
    with pytest.raises(DataError, match="row 1"):
        as_source(["a good day", 3, hole])


def test_whole_numbers_of_any_length_keep_every_digit():
    long = 10**44 + 1
    assert as_source([{"id": long}, {"id": 2}]).frame["id"].to_list() == [str(long), "2"]
    assert as_source([[2**60 + 1, 3]]).frame["x"].to_list() == [[2**60 + 1, 3]]
    assert as_source([[long, 3]]).frame["x"].to_list() == [[str(long), "3"]]


def test_masked_values_are_missing_and_never_learnt():
    (sequence,) = as_source(np.ma.array([[1.0, -9999.0, 3.0]], mask=[[0, 1, 0]])).frame["x"].to_list()
    assert sequence[0] == 1.0
    assert np.isnan(sequence[1])


def test_packed_sequences_keep_their_order_and_their_features():
    rows = [torch.arange(length * 2.0).reshape(length, 2) for length in (2, 4, 3)]
    packed = pack_sequence(rows, enforce_sorted=False)
    assert as_source(packed).frame.equals(as_source(rows).frame)
    assert as_source(torch.nested.nested_tensor(rows, layout=torch.jagged)).frame.equals(as_source(rows).frame)


# ---- kinds of columns ----------------------------------------------------------------------------

ODD_KINDS = {
    "decimals": (pl.Series([Decimal("1.50"), None], dtype=pl.Decimal(10, 2)), [1.5, None]),
    "lists of decimals": (pl.Series([[Decimal("1.50")], []]), [[1.5], []]),
    "whole numbers without a sign": (pl.Series([7, None], dtype=pl.UInt64), [7, None]),
    "whole numbers of 65 bits": (pl.Series([2**64 - 1, 7], dtype=pl.UInt64), [str(2**64 - 1), "7"]),
    "whole numbers of 128 bits": (pl.Series([2**100, 7], dtype=pl.Int128), [str(2**100), "7"]),
    "lists of such": (pl.Series([[2**100], [7]], dtype=pl.List(pl.Int128)), [[str(2**100)], ["7"]]),
    "lists of durations": (pl.Series([[dt.timedelta(minutes=2)], []]), [[120.0], []]),
    "runs of Arrow": (pa.RunEndEncodedArray.from_arrays([1, 2], ["a", "b"]), ["a", "b"]),
    "a union of Arrow": (
        pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["a", "b"])]),
        ["1", "b"],
    ),
    "decimals of 256 bits": (pa.array([Decimal("1.5"), None], pa.decimal256(50, 2)), [1.5, None]),
}


@pytest.mark.parametrize("kind", ODD_KINDS)
def test_a_column_of_any_kind_is_what_its_values_are_in_records(kind, tmp_path, capfd):
    given, want = ODD_KINDS[kind]
    frame = pl.DataFrame({"v": given}) if isinstance(given, pl.Series) else pa.table({"v": given})
    assert as_source(frame).frame["v"].to_list() == want
    assert as_source({"v": given}).frame["v"].to_list() == want
    values = given.to_list() if isinstance(given, pl.Series) else given.to_pylist()
    assert as_source([{"v": value} for value in values]).frame["v"].to_list() == want
    assert as_source(["a", "b"], given).frame["y"].to_list() == want
    if isinstance(given, pl.Series):
        frame.write_parquet(tmp_path / "a.parquet")
        assert read_parquet(tmp_path / "a.parquet").frame["v"].to_list() == want
        small = "bits" not in kind and kind != "lists of such"  # a lazy file has no look at all its values
        assert not small or [row["v"] for row in scan_parquet(tmp_path / "a.parquet")] == want
    assert capfd.readouterr().err == ""  # where polars would write of its panic
