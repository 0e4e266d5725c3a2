"""Folders of tables, paths in lists of any kind, names with signs of a pattern, and options of readers of odd kinds."""

import fsspec
import numpy as np
import pandas as pd
import polars as pl
import pytest

import unrolled as ur
from unrolled.errors import DataError, OptionError

# ---- folders, lists of any kind, and names ------------------------------------------------------------


def test_a_folder_of_tables_is_one_table_and_a_folder_of_texts_is_texts(tmp_path):
    for name, text in {
        "a.csv": "v,w\n1,x\n",
        "deep/b.csv": "w,v\ny,2.5\n",
        "_SUCCESS": "",
        ".hidden.csv": "q\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    assert ur.read(tmp_path).frame.rows() == [(1.0, "x"), (2.5, "y")]
    (tmp_path / "deep" / "c.jsonl").write_text('{"v": 1, "w": "z"}\n')
    with pytest.raises(DataError, match=r"files of one kind.*\.csv, \.jsonl"):
        ur.read(tmp_path)
    (tmp_path / "read me.txt").write_text("a text")
    assert list(ur.read(tmp_path)) == [{"text": "a text"}]
    (tmp_path / "parts").mkdir()
    for part in range(2):
        pl.DataFrame({"v": [part]}).write_parquet(tmp_path / "parts" / f"part-{part}.parquet")
    assert ur.read(tmp_path / "parts").frame["v"].to_list() == [0, 1]


@pytest.mark.parametrize("make", [list, tuple, iter, dict.fromkeys, np.array, pd.Series, pd.Index, pl.Series])
def test_paths_come_in_any_list(make, tmp_path):
    paths = [str(tmp_path / name) for name in ("a.csv", "b.csv")]
    for path in paths:
        (tmp_path / path).write_text("v\n1\n")
    given = make(paths)
    assert len(ur.read(given.keys() if isinstance(given, dict) else given)) == 2


@pytest.mark.parametrize("name", ["[ab]", "a*", "what?", "{a,b}", "sp ace", "é"])
def test_a_name_with_signs_of_a_pattern_is_that_file_and_no_other(name, tmp_path):
    for other in ("a", "b", "ab", "whatx"):
        (tmp_path / f"{other}.csv").write_text("v\n0\n")
        pl.DataFrame({"v": [0]}).write_parquet(tmp_path / f"{other}.parquet")
        pl.DataFrame({"v": [0]}).write_ipc(tmp_path / f"{other}.arrow")
    frame = pl.DataFrame({"v": [1]})
    writers = {
        "csv": frame.write_csv,
        "parquet": frame.write_parquet,
        "arrow": frame.write_ipc,
        "jsonl": frame.write_ndjson,
    }
    for suffix, write in writers.items():
        path = tmp_path / f"{name}.{suffix}"
        with path.open("wb") as file:
            write(file)
        assert list(ur.read(path)) == list(ur.read(str(path))) == [{"v": 1}]
    assert list(ur.scan_parquet(tmp_path / f"{name}.parquet")) == [{"v": 1}]


def test_a_file_of_fsspec_is_opened_as_it_says(tmp_path):
    (tmp_path / "a.csv").write_text("v\n1\n")
    assert list(ur.read_csv(fsspec.open(str(tmp_path / "a.csv")))) == [{"v": 1}]
    assert list(ur.read_csv(fsspec.open(str(tmp_path / "a.csv"), "r"))) == [{"v": 1}]


# ---- options of readers -------------------------------------------------------------------------------


def test_marks_of_missing_values_may_be_numbers(tmp_path):
    table = b"v,w\n-999,a\n2,-1.5\n"
    for missing in ([-999, -1.5], (-999, "-1.5"), {"-999", "-1.5"}, np.array([-999.0, -1.5]).tolist()):
        assert ur.read_csv(table, missing=missing).frame.rows() == [(None, "a"), (2, None)]
    assert ur.read_csv([table, b"v,w\n7.5,b\n"], missing=[-999]).frame["v"].to_list() == [None, 2.0, 7.5]


@pytest.mark.parametrize(
    ("option", "odd"),
    [
        ("header", "no"),
        ("header", None),
        ("header", 0),
        ("missing", [None]),
        ("missing", 5),
        ("missing", "NA"),
        ("separator", 5),
    ],
)
def test_options_of_odd_kinds_are_one_sentence(option, odd):
    with pytest.raises(OptionError, match=f"^{option}: expected"):
        ur.read_csv(b"v,w\n1,2\n", **{option: odd})


@pytest.mark.parametrize("odd", [3, ["v"], ("v",), 1.5])
@pytest.mark.parametrize("option", ["time", "group"])
def test_a_column_that_is_no_name_is_one_sentence(option, odd):
    with pytest.raises(OptionError, match=f"{option}: expected the name of one column"):
        ur.read_csv(b"v,w\n1,2\n", **{option: odd})
