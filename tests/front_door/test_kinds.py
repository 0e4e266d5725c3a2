"""The kind of a column is the widest over all values, at every depth, however the data come in."""

import datetime as dt
import io
import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unrolled.data.cells import typed
from unrolled.data.kinds import column_of, kind_from_json, kind_to_json, wider
from unrolled.data.readers import as_source, read_csv, read_jsonl, read_parquet, read_tsv
from unrolled.errors import DataError, OptionError


def put(folder, name, text):
    path = folder / name
    path.write_bytes(text.encode())
    return path


# ---- all values, at every depth --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ([[1, 2, 3], [0.4, 0.9, 0.2]], [[1, 2, 3], [0.4, 0.9, 0.2]]),
        ([[0.4], [1]], [[0.4], [1]]),
        ([[True, False], [2, 3]], [[1, 0], [2, 3]]),
        ([[1, 2.5]], [[1, 2.5]]),
        ([[1, None, 3]], [[1, None, 3]]),
        ([[], [1], None, [0.5]], [[], [1], None, [0.5]]),
        ([[[1, 2]], [[0.5, 0.25], []]], [[[1, 2]], [[0.5, 0.25], []]]),
        ([{"a": 1}, {"b": 2}], [{"a": 1, "b": None}, {"a": None, "b": 2}]),
        ([{"a": [1]}, {"a": [0.5], "b": "x"}], [{"a": [1], "b": None}, {"a": [0.5], "b": "x"}]),
        (
            [[{"a": 1}], [{"a": 0.5}, {"b": True}]],
            [[{"a": 1, "b": None}], [{"a": 0.5, "b": None}, {"a": None, "b": True}]],
        ),
        ([1, 2.5, None], [1, 2.5, None]),
        ([{"a": {"b": [1, 0.5]}}, {"a": {"b": [True, None]}}], [{"a": {"b": [1, 0.5]}}, {"a": {"b": [1, None]}}]),
        ([10**400, 0.5], [str(10**400), "0.5"]),
        ([True, 2], [1, 2]),
        ([1, "a", 2.5, True], ["1", "a", "2.5", "true"]),
        ([["a"], [1, 2.5]], [["a"], ["1", "2.5"]]),
        ([1, "n/a", "", "-", 2], [1, None, None, None, 2]),
        (["n/a", "-"], ["n/a", "-"]),
        ([2**70, 5], [str(2**70), "5"]),
        ([dt.date(2024, 1, 1), dt.datetime(2024, 1, 1, 5)], [dt.datetime(2024, 1, 1), dt.datetime(2024, 1, 1, 5)]),
    ],
)
def test_no_value_is_changed_for_the_sake_of_another(given, kept):
    assert column_of("v", given).to_list() == kept
    assert as_source([{"v": value} for value in given]).frame["v"].to_list() == kept
    assert as_source({"v": given}).frame["v"].to_list() == kept


@pytest.mark.parametrize(
    ("given", "row"),
    [
        ([[1], 2], "row 1: 2"),
        ([{"a": 1}, 3], "row 1: 3"),
        ([1, 2, dt.date(2024, 1, 1)], "row 2"),
        ([[1], "x"], "row 1: 'x'"),
    ],
)
def test_kinds_that_do_not_go_together_are_refused_with_the_row(given, row):
    with pytest.raises(DataError, match=f"column 'v'.*{row}"):
        as_source({"v": given})


def test_lists_inside_lists_have_a_bound():
    deep = 1
    for _ in range(500):
        deep = [deep]
    with pytest.raises(DataError, match=r"more than 16|at most 16"):
        as_source([{"v": deep}])


values = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**40), 2**40), st.floats(-1e9, 1e9), st.text("abc1", max_size=3)
)
lists = st.lists(st.one_of(st.none(), st.integers(-(2**40), 2**40), st.floats(-1e9, 1e9)), max_size=4)


@given(st.lists(st.one_of(st.none(), lists), min_size=1, max_size=8))
@settings(max_examples=200, deadline=None)
def test_lists_of_numbers_come_back_as_they_went_in(given):
    back = column_of("v", given).to_list()
    assert back == given
    assert column_of("v", given[::-1]).to_list() == back[::-1]


@given(st.lists(values, min_size=1, max_size=6), st.randoms())
@settings(max_examples=200, deadline=None)
def test_the_order_of_the_values_does_not_matter(given, random):
    places = list(range(len(given)))
    random.shuffle(places)
    ordered, mixed = column_of("v", given), column_of("v", [given[place] for place in places])
    assert ordered.dtype == mixed.dtype
    assert ordered[places].equals(mixed, null_equal=True)


kinds = st.recursive(
    st.sampled_from([pl.Boolean(), pl.Int64(), pl.Float64(), pl.String(), pl.Date(), pl.Datetime("us", "Asia/Tokyo")]),
    lambda inner: st.one_of(
        st.builds(pl.List, inner), st.builds(pl.Struct, st.dictionaries(st.text(max_size=3), inner, max_size=3))
    ),
    max_leaves=4,
)


@given(kinds, kinds)
@settings(max_examples=100, deadline=None)
def test_the_wider_kind_is_the_same_both_ways_and_kinds_survive_json(one, other):
    assert kind_from_json(json.loads(json.dumps(kind_to_json(one)))) == one
    assert wider(one, one) == one
    try:
        found = wider(one, other)
    except TypeError:
        with pytest.raises(TypeError):
            wider(other, one)
        return
    assert kind_to_json(found) == kind_to_json(wider(other, one)) or isinstance(found, pl.Struct)
    assert wider(found, one) == found


@pytest.mark.parametrize("kind", ["?", "i1", "u1", ">i4", "i8", "u4", "u8", "f2", "f4", ">f8"])
def test_an_array_of_numbers_is_the_column_of_its_values(kind):
    whole = np.array([0, 1, 7, 100])
    values = (np.array([0, 1.5, 7, 100, np.nan]) if "f" in kind else whole).astype(kind)
    for one in (values, values[::-2], values.reshape(-1, 1)[:, 0], np.ma.array(values, mask=values == 7)):
        found = as_source({"v": one}).frame["v"]
        assert found.equals(as_source({"v": list(one)}).frame["v"], check_dtypes=True)
        assert as_source(["x"] * len(one), one).frame["y"].dtype == found.dtype


# ---- tables of text --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        (["007", "012"], ["007", "012"]),
        (["0", "12", "-3"], [0, 12, -3]),
        (["1", "NA", "2.5", "-", "n/a", ""], [1, None, 2.5, None, None, None]),
        (["1", "2", "n/a"], [1, 2, None]),
        (["NA", "DE", "FR"], ["NA", "DE", "FR"]),  # Namibia
        (["True", "FALSE", "NA"], [True, False, None]),
        ([" 1", "2 "], [1, 2]),
        ([" 07", "12"], [" 07", "12"]),
        (["1e5", "2"], [1e5, 2]),
        (["1" * 45, "2" * 45], ["1" * 45, "2" * 45]),
        (["1", "2x"], ["1", "2x"]),
        (["1,234", "5"], ["1,234", "5"]),
        (["nan", "1.5"], [None, 1.5]),
    ],
)
def test_a_column_of_text_is_typed_over_all_of_its_values(tmp_path, written, kept):
    assert typed(pl.Series(written)).to_list() == kept
    table = "v;w\n" + "".join(f'"{value}";x\n' for value in written)
    assert read_csv(put(tmp_path, "a.csv", table), separator=";").frame["v"].to_list() == kept


def test_a_kind_does_not_depend_on_where_the_odd_value_stands(tmp_path):
    early = put(tmp_path, "early.csv", "v\nabc\n" + "1.5\n" * 3000)
    late = put(tmp_path, "late.csv", "v\n" + "1.5\n" * 3000 + "abc\n")
    assert read_csv(early).frame["v"].dtype == read_csv(late).frame["v"].dtype == pl.String
    mark = put(tmp_path, "mark.csv", "v\n" + "1.5\n" * 3000 + "n/a\n")
    assert read_csv(mark).frame["v"].to_list()[-2:] == [1.5, None]


@pytest.mark.parametrize(
    ("text", "options", "rows"),
    [
        ("a;b\n1,5;x\n1.234,5;y\n", {"separator": ";", "decimal": ","}, [(1.5, "x"), (1234.5, "y")]),
        ("1::2::x\n3::4::y\n", {"separator": "::", "header": False}, [(1, 2, "x"), (3, 4, "y")]),
        ("a¦b\n1¦2\n", {"separator": "¦"}, [(1, 2)]),
        ("a\tb\n1\t2\n", {"separator": "\\t"}, [(1, 2)]),
        ("a, b, c\n1, x, 2.5\n2, y, 3\n", {}, [(1, "x", 2.5), (2, "y", 3.0)]),
        ("a,b\n1,x\n\n2,y\n\n", {}, [(1, "x"), (2, "y")]),
        ("t\nx\n\ny\n\n", {}, [("x",), ("y",)]),
        ("t\n1\n\n2\n\n", {}, [(1,), (None,), (2,)]),
        ("a,b\nx,-9\ny,3\n", {"missing": ["-9", "y"]}, [("x", None), (None, 3)]),
        ("a\n1\n2\n", {"texts": ["a"]}, [("1",), ("2",)]),
        ("a,b\r1,2\r3,4\r", {}, [(1, 2), (3, 4)]),
        ('sep=;\na;b\n1;"x\ny"\n', {}, [(1, "x\ny")]),
    ],
)
def test_dialects_of_separated_values(tmp_path, text, options, rows):
    assert read_csv(put(tmp_path, "a.csv", text), **options).frame.rows() == rows


def test_tabs_have_the_same_dialects(tmp_path):
    table = read_tsv(put(tmp_path, "a.tsv", "shop\tprice\n007\t1,5\n012\tn/a\n"), decimal=",")
    assert table.frame.rows() == [("007", 1.5), ("012", None)]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"separator": ""}, "separator: expected one character or a few"),
        ({"decimal": ";"}, "decimal: expected '.' or ','"),
        ({"decimal": ","}, "decimal: expected another sign than the separator"),
        ({"missing": "NA"}, r"missing: expected a list of texts.*\['NA'\]"),
    ],
)
def test_a_dialect_that_cannot_be_is_refused(tmp_path, options, words):
    with pytest.raises(OptionError, match=words):
        read_csv(put(tmp_path, "a.csv", "a,b\n1,2\n"), **options)


def test_a_first_line_of_numbers_is_noticed(tmp_path):
    path = put(tmp_path, "a.csv", "1.5,2\n3,4\n")
    with pytest.warns(UserWarning, match="all names are numbers: 1.5,2.*header=False"):
        read_csv(path)
    assert read_csv(path, header=False).frame.rows() == [(1.5, 2), (3.0, 4)]


def test_another_separator_is_noticed(tmp_path):
    with pytest.warns(UserWarning, match="one column, 'a;b'.*separator=';'"):
        read_csv(put(tmp_path, "a.csv", "a;b\n1;2\n"))
    with pytest.raises(
        DataError, match=r"a.csv, line 2: expected 1 values.*received 2; .*separator=';', and decimal=','"
    ):
        read_csv(put(tmp_path, "a.csv", "a;b\n1;2,5\n"))
    assert read_csv(put(tmp_path, "a.csv", "text\none; two\nthree\n")).columns == ["text"]


def test_a_line_that_is_too_long_is_named(tmp_path):
    with pytest.raises(DataError, match="line 5: expected 2 values, as in the first line, received 3"):
        read_csv(put(tmp_path, "a.csv", 'a,b\n1,"x\ny"\n3\n4,5,6\n'))


# ---- the same content, however it comes in ----------------------------------------------------------

tables = st.integers(1, 6).flatmap(
    lambda rows: st.fixed_dictionaries(
        {
            "n": st.lists(st.one_of(st.none(), st.integers(-(10**9), 10**9)), min_size=rows, max_size=rows),
            "x": st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=rows, max_size=rows),
            "b": st.lists(st.booleans(), min_size=rows, max_size=rows),
            "t": st.lists(st.sampled_from(["007", "a", "b c", 'naïve, "quoted"', "A7"]), min_size=rows, max_size=rows),
        }
    )
)


@given(tables)
@settings(max_examples=60, deadline=None)
def test_the_same_content_gives_equal_frames_however_it_comes_in(tmp_path_factory, table):
    folder = tmp_path_factory.mktemp("same")
    kinds = {"n": pl.Int64, "x": pl.Float64, "b": pl.Boolean, "t": pl.String}
    want = pl.DataFrame(table, schema=kinds)
    rows = want.to_dicts()
    want.write_csv(folder / "a.csv")
    want.write_ndjson(folder / "a.jsonl")
    want.write_parquet(folder / "a.parquet")
    pandas = io.StringIO()
    pd.DataFrame(rows).astype({"n": "Int64"}).to_csv(pandas, index=False)
    (folder / "pandas.csv").write_text(pandas.getvalue(), encoding="utf-8")
    ways = {
        "CSV": read_csv(folder / "a.csv"),
        "CSV of pandas": read_csv(folder / "pandas.csv"),
        "JSONL": read_jsonl(folder / "a.jsonl"),
        "Parquet": read_parquet(folder / "a.parquet"),
        "polars": as_source(want),
        "pandas": as_source(pd.DataFrame(rows).astype({"n": "Int64"})),
        "Arrow": as_source(want.to_arrow()),
        "records": as_source(rows),
        "mapping": as_source(table),
        "arrays": as_source({name: np.array(column, dtype=object) for name, column in table.items()}),
    }
    missing = [name for name, column in table.items() if all(value is None for value in column)]
    for way, source in ways.items():
        frame = source.frame
        for name in want.columns:
            if name in missing:
                assert frame[name].null_count() == want.height, (way, name)
            else:
                assert (
                    frame[name].fill_nan(None).to_list() == want[name].to_list()
                    if name == "x"
                    else (frame[name].to_list() == want[name].to_list())
                ), (way, name)
                assert frame[name].dtype.base_type() in (kinds[name], pl.Float64 if name == "x" else kinds[name])


def test_half_of_a_pair_of_surrogates_is_named_with_its_row():
    with pytest.raises(DataError, match=r"column 'a': .*received '\\ud83d' in row 1"):
        column_of("a", ["x", "\ud83d"])
