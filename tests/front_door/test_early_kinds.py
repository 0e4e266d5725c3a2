"""Numbers that are read as such from CSV are those that the exact way gives: all as text, and then typed."""

import io

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from unrolled.data.cells import typed_columns
from unrolled.data.formats import delimited
from unrolled.data.formats import early_kinds as module
from unrolled.data.formats.early_kinds import EarlyKinds, early_kinds, read_early, samples_of
from unrolled.data.readers import read_csv

WHOLE = st.integers(0, 2**63 - 1).map(str)
KINDS = st.sampled_from(
    [
        st.one_of(WHOLE, st.integers(0, 12).map(str)),
        st.floats(allow_nan=False).map(repr),
        st.one_of(st.integers(-(2**63), -1).map(str), st.integers(-12, 12).map(str)),
        st.integers(0, 99).map("{:05}".format),
        st.sampled_from(["x", "y", "NA"]),
    ]
)
SIGNS = [
    "",
    "NA",
    "-",
    "007",
    "+5",
    "+05",
    "-05",
    "-3",
    "0",
    "00",
    " 5",
    "5 ",
    " 07",
    "1,5",
    "5\n",
    "x",
    "1_000",
    "true",
]
OTHERS = [
    "1.5",
    "1e5",
    "1.",
    ".5",
    "-0",
    "-0.0",
    "inf",
    "nan",
    "NaN",
    "Infinity",
    str(2**63),
    str(2**70),
    "0x1f",
    "1d5",
]
ODD = st.sampled_from([*SIGNS, *OTHERS, "\u0661"])


def scan(data, **options):
    return pl.scan_csv(io.BytesIO(data), infer_schema=False, **options)


@st.composite
def tables(draw):
    kinds = draw(st.lists(KINDS, min_size=1, max_size=3))
    rows = draw(st.lists(st.tuples(*kinds), min_size=1, max_size=8))
    for place in draw(st.lists(st.tuples(st.integers(0, len(rows) - 1), st.integers(0, len(kinds) - 1)), max_size=2)):
        row, column = place
        rows[row] = (*rows[row][:column], draw(ODD), *rows[row][column + 1 :])
    names = [f"c{place}" for place in range(len(kinds))]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row").write_csv().encode()


@settings(max_examples=100, deadline=None)
@given(tables(), st.integers(1, 4))
def test_numbers_that_are_read_early_are_those_of_the_whole_columns(raw, looked_at):
    kinds = early_kinds([scan(raw, n_rows=looked_at).collect()])
    found = read_early(raw, scan, kinds)
    if found is not None:
        exact = typed_columns(scan(raw).collect())
        assert_frame_equal(typed_columns(found, texts=kinds.codes), exact, check_exact=True)


@pytest.mark.parametrize("late", ["NA", "007", "1.5", "x", str(2**70), "-5", "+5", " 5", " 07", "true"])
@pytest.mark.parametrize("early", ["5", "-5", "1.5", "007"])
def test_a_value_that_comes_late_counts_as_one_that_comes_early(early, late, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_HEAD", 1 << 10)
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["v,w", *[f"{early},x"] * 2000, f"{late},x"]) + "\n")
    late_frame = read_csv(path).frame
    path.write_text("\n".join(["v,w", f"{late},x", *[f"{early},x"] * 2000]) + "\n")
    assert_frame_equal(late_frame, read_csv(path).frame.reverse())


def test_usual_columns_are_read_early(monkeypatch):
    raw = b"code,count,change,price,name\n" + b"007,12,-3,1.5,x\n012,0,10,2,y\n" * 20_000
    monkeypatch.setattr(delimited, "typed_columns", lambda frame, marks, decimal, texts: frame if texts else None)
    frame, _ = delimited.parse_delimited(raw, delimited.Dialect())
    assert [str(kind) for kind in frame.dtypes] == ["String", "Int64", "Int64", "Float64", "String"]


def test_samples_come_from_the_whole_file(tmp_path):
    raw = b"v\n" + b"1\n" * 300_000 + b"x\n" * 100_000
    path = tmp_path / "a.csv"
    path.write_bytes(raw)
    for data in (raw, path):
        samples = samples_of(data, lambda data, **how: pl.scan_csv(data, infer_schema=False, **how))
        assert early_kinds(samples) == EarlyKinds([], [], [], [])
        assert early_kinds(samples[:1]) == EarlyKinds([], ["v"], [], [])


@pytest.mark.parametrize("name", ["^.*$", "*", "text", "column", "\0wholes", "é", "with space"])
def test_columns_may_have_any_name(name, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(f"{name},v\n" + "5,x\n" * 80_000)
    assert str(read_csv(path).frame.schema[name]) == "Int64"
    path.write_text(f"{name},v\n007,1.5\n")
    assert read_csv(path).frame.rows() == [("007", 1.5)]


def test_a_table_of_many_columns_takes_time_by_its_columns(tmp_path, monkeypatch):
    selects = []
    select = pl.DataFrame.select
    monkeypatch.setattr(pl.DataFrame, "select", lambda frame, *how: selects.append(how) or select(frame, *how))
    path = tmp_path / "a.csv"
    path.write_text(",".join(f"c{place}" for place in range(500)) + "\n" + ",".join(["1.5"] * 500) + "\n")
    assert read_csv(path).frame.width == 500
    assert len(selects) < 20  # not one per column, which takes half a millisecond each
