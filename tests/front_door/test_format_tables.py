"""Formats of tables: XES, NumPy's and Arrow's files, workbooks and JSON give their rows, or one sentence."""

import datetime as dt
import gzip
import io
import json
import sys

import numpy as np
import pandas as pd
import polars as pl
import pyarrow.feather
import pytest

import unrolled as ur
from unrolled.errors import DataError, OptionError, UnsupportedError


def put(folder, name, content):
    path = folder / name
    raw = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path


# ---- XES ---------------------------------------------------------------------------------------------


def event(name, time="2024-01-31T12:00:00.5+01:00", more=""):
    return (
        f'<event><string key="concept:name" value="{name}"/><date key="time:timestamp" value="{time}"/>{more}</event>'
    )


LOG = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<!-- c --><log xmlns="http://www.xes-standard.org/">'
    '<global scope="event"><string key="concept:name" value="none"/></global><string key="origin" value="x"/>\n'
    '<trace><string key="concept:name" value="7"/>'
    + event(
        "a &amp; b", more='<int key="n" value="3"><string key="deep" value="x"/></int><boolean key="b" value="true"/>'
    )
    + event("pay", more='<float key="n" value="2.5"/><list key="l"><values><string key="v" value="1"/></values></list>')
    + '<string key="kind" value="gold"/></trace>\n<trace>'
    + event("pay", more='<string key="case" value="own"/>')
    + "</trace><trace/></log>"
)
FIRST = dt.datetime(2024, 1, 31, 11, 0, 0, 500_000, tzinfo=dt.UTC)


@pytest.mark.parametrize("name", ["a.xes", "a.xes.gz"])
def test_an_event_log_has_one_row_per_event(tmp_path, name):
    table = ur.read(put(tmp_path, name, LOG))
    assert [(row["case"], row["activity"]) for row in table] == [("7", "a & b"), ("7", "pay"), ("trace 2", "pay")]
    assert [row["time"] for row in table] == [FIRST] * 3
    assert [row["n"] for row in table] == [3, 2.5, None]
    assert [row["b"] for row in table] == [True, None, None]
    assert [row["event:case"] for row in table] == [None, None, "own"]
    assert [row["case:kind"] for row in table] == ["gold", "gold", None]
    assert set(table.columns) == {"case", "activity", "time", "n", "b", "event:case", "case:kind"}


def test_an_event_log_in_utf_16_and_events_without_traces_or_times_are_read(tmp_path):
    text = '<log><event><string key="concept:name" value="ö"/></event></log>'
    table = ur.read(put(tmp_path, "a.xes", text.encode("utf-16")))
    assert list(table) == [{"case": None, "activity": "ö", "time": None}]
    local = ur.read(put(tmp_path, "b.xes", f"<log><trace>{event('a', '2024-01-31T12:00:00')}</trace></log>"))
    assert [row["time"] for row in local] == [dt.datetime(2024, 1, 31, 12)]


def test_a_recommender_learns_from_an_event_log(tmp_path):
    days = [event("abc"[day % 3], f"2024-01-{day + 1:02}T00:00:00Z") for day in range(12)]
    traces = "".join(f'<trace><string key="concept:name" value="c{n}"/>{"".join(days)}</trace>' for n in range(8))
    table = ur.read(put(tmp_path, "a.xes", f"<log>{traces}</log>"))
    model = ur.Recommender(user="case", item="activity", time="time", hidden_size=8)
    assert model.fit(table, epochs=1, progress=False).predict(table, k=1).height == 8


BOMB = (
    '<?xml version="1.0"?>\n<!DOCTYPE log [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;">]><log><event>&b;</event></log>'
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (BOMB, "line 2.*document type"),
        ('<!DOCTYPE log SYSTEM "file:///etc/passwd"><log/>', "line 1.*document type"),
        ("<log><trace>\n</log>", "line 2.*event log in XML"),
        ("<html/>", "line 1.*<html>"),
        ("<log>" * 100, "64 nested"),
        ("<log><trace/></log>", "at least one event"),
        ('<log><event><int key="n" value="1.5"/></event></log>', "line 1.*kind int.*'1.5'"),
        ('<log><event><int key="n" value="99999999999999999999"/></event></log>', "kind int"),
        ('<log><event>\n<date key="n" value="1.5.24"/></event></log>', "line 2.*kind date"),
        ('<log><event><boolean key="n" value="maybe"/></event></log>', "kind boolean"),
        ('<log><event><string value="n"/></event></log>', "a key of <string>.*value"),
        ("<log>" + "".join(f'<event><int key="{n}" value="1"/></event>' for n in range(2000)) + "</log>", "share"),
    ],
)
def test_a_bad_event_log_is_one_sentence(tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        ur.read(put(tmp_path, "a.xes", text))


# ---- NumPy -------------------------------------------------------------------------------------------


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    ("array", "rows"),
    [
        (np.array([[1.0, np.pi], [3, 4]]), [{"x": [1, np.pi]}, {"x": [3, 4]}]),
        (np.array([1.0, 2.0, 3.0]), [{"x": [1, 2, 3]}]),
        (np.array([[1, 2], [3, 4]], dtype=">i2"), [{"x": [1, 2]}, {"x": [3, 4]}]),
        (np.asfortranarray([[1.0, 2.0], [3.0, 4.0]]), [{"x": [1, 2]}, {"x": [3, 4]}]),
        (np.arange(4.0).reshape(1, 2, 2), [{"x_0": [0, 2], "x_1": [1, 3]}]),
        (np.array(["to be", "or"]), [{"x": "to be"}, {"x": "or"}]),
        (np.array([[True, False]]), [{"x": [True, False]}]),
        (np.array([(1, "a"), (2, "b")], dtype=[("n", "i4"), ("s", "U2")]), [{"n": 1, "s": "a"}, {"n": 2, "s": "b"}]),
    ],
)
def test_an_array_is_read_as_rows(tmp_path, array, rows):
    assert list(ur.read(put(tmp_path, "a.npy", npy(array)))) == rows


def npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def test_arrays_of_one_length_are_columns(tmp_path):
    arrays = {"X": np.arange(6).reshape(3, 2), "y": ["a", "b", "c"], "f": np.arange(12.0).reshape(3, 2, 2)}
    table = ur.read(put(tmp_path, "a.npz", npz(**arrays)))
    assert table.columns == ["X", "y", "f_0", "f_1"]
    assert list(table)[2] == {"X": [4, 5], "y": "c", "f_0": [8, 10], "f_1": [9, 11]}


def test_arrays_of_several_lengths_are_chosen_by_name(tmp_path):
    parts = {"x_train": np.zeros((3, 2)), "y_train": np.arange(3), "x_test": np.zeros((2, 2)), "y_test": np.arange(2)}
    path = put(tmp_path, "a.npz", npz(**parts))
    with pytest.raises(DataError, match=r"x_train \(3, 2\).*arrays=\['x_train', 'y_train'\]"):
        ur.read(path)
    assert [row["y_test"] for row in ur.read_npz(path, ["x_test", "y_test"])] == [0, 1]
    with pytest.raises(OptionError, match="did you mean 'x_test'"):
        ur.read_npz(path, ["x_tset"])


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.npy", npy(np.array([{}], dtype=object), allow_pickle=True), "Python objects.*run code"),
        ("a.npz", npz(x=np.array([{}], dtype=object)), "Python objects.*run code"),
        ("a.npy", npy(np.zeros((2, 2, 2, 2))), r"\(2, 2, 2, 2\)"),
        ("a.npy", npy(np.zeros((2, 2), complex)), "complex"),
        ("a.npy", npy(np.zeros((0, 2))), r"\(0, 2\)"),
        ("a.npy", npy(np.zeros((1, 1, 20_000))), "10,000 features"),
        ("a.npy", b"1,2\n", "of another kind"),
        ("a.npy", npy(np.zeros(9)).replace(b"(9,)", b"(9999999999,)"), "damaged"),
        ("a.npz", npz(x=np.zeros(())), "one length|an array"),
        ("a.npz", b"1,2\n", "damaged"),
    ],
)
def test_a_bad_array_is_one_sentence(tmp_path, name, content, words):
    with pytest.raises(DataError, match=words):
        ur.read(put(tmp_path, name, content))


# ---- Arrow and workbooks -----------------------------------------------------------------------------

FRAME = pl.DataFrame(
    {"text": ["a", None], "values": [[1.0, 2.0], []], "day": [dt.date(2024, 1, 2), dt.date(2024, 1, 1)]}
)


def test_durations_are_seconds_and_times_beyond_the_calendar_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1500, "NaT"]], "m8[ms]"))
    (row,) = ur.read(tmp_path / "a.npy").frame["x"].to_list()
    assert row[0] == 1.5
    assert np.isnan(row[1])
    frame = pl.DataFrame({"gap": [dt.timedelta(hours=1), None]})
    frame.write_ipc(tmp_path / "a.arrow")
    frame.write_parquet(tmp_path / "a.parquet")
    for name in ("a.arrow", "a.parquet"):
        assert list(ur.read(tmp_path / name)) == list(ur.as_source(frame)) == [{"gap": 3600.0}, {"gap": None}]
    for year in ("30000", "-1"):
        np.save(tmp_path / "b.npy", np.array([year], "M8[Y]"))
        with pytest.raises(DataError, match=f"times of the years 1 to 9999, received one of {year}"):
            ur.read(tmp_path / "b.npy")


def test_a_second_array_in_one_file_is_said(tmp_path):
    with (tmp_path / "a.npy").open("wb") as file:
        np.save(file, np.eye(2))
        np.save(file, np.eye(2))
    assert ur.read(tmp_path / "a.npy").notes == ("the file goes on for 160 bytes after its array, which are not read",)


@pytest.mark.parametrize("name", ["a.arrow", "a.ipc", "a.feather"])
def test_tables_of_arrow_are_read_with_their_kinds(tmp_path, name):
    for write in (FRAME.write_ipc, FRAME.write_ipc_stream, lambda path: FRAME.write_ipc(path, compression="zstd")):
        write(tmp_path / name)
        assert list(ur.read(tmp_path / name)) == FRAME.to_dicts()
    assert [row["day"].day for row in ur.read(tmp_path / name, time="day")] == [1, 2]
    pyarrow.feather.write_feather(FRAME.to_arrow(), str(tmp_path / name))
    assert list(ur.read(tmp_path / name)) == FRAME.to_dicts()


def test_an_old_empty_or_foreign_table_of_arrow_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match="version 1"):
        ur.read(put(tmp_path, "a.feather", b"FEA1" + bytes(60) + b"FEA1"))
    FRAME.head(0).write_ipc(tmp_path / "a.arrow")
    with pytest.raises(DataError, match="at least one row"):
        ur.read(tmp_path / "a.arrow")
    with pytest.raises(DataError, match=r"b\.arrow"):
        ur.read(put(tmp_path, "b.arrow", "hello"))


def test_a_workbook_without_its_reader_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fastexcel", None)
    with pytest.raises(UnsupportedError, match=r"fastexcel; pip install 'unrolled\[excel\]'"):
        ur.read(put(tmp_path, "a.xlsx", "x"))
    with pytest.raises(DataError, match="No such file"):
        ur.read(tmp_path / "missing.xlsx")


def test_a_workbook_is_read_by_sheet(tmp_path):
    pytest.importorskip("fastexcel")
    with pytest.raises(DataError, match="workbook"):
        ur.read(put(tmp_path, "a.xlsx", "x"))


# ---- JSON --------------------------------------------------------------------------------------------

PANDAS = pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", None], "c": [[1, 2], [3], []]})
ROWS = [{"a": 1, "b": "x", "c": [1, 2]}, {"a": 2, "b": "y", "c": [3]}, {"a": 3, "b": None, "c": []}]


@pytest.mark.parametrize("orient", ["records", "split", "columns", "index", "table"])
def test_what_pandas_writes_is_read_back(tmp_path, orient):
    assert list(ur.read(put(tmp_path, "a.json", PANDAS.to_json(orient=orient)))) == ROWS


@pytest.mark.parametrize(
    "value",
    [
        ROWS,
        {"a": [1, 2, 3], "b": ["x", "y", None], "c": [[1, 2], [3], []]},
        {"count": 3, "next": None, "results": ROWS},
        {"data": ROWS, "meta": {"k": 1}, "tags": ["x"]},
    ],
)
def test_a_table_in_json_is_found(tmp_path, value):
    for text in (json.dumps(value), json.dumps(value, indent=1), "\ufeff" + json.dumps(value)):
        assert list(ur.read(put(tmp_path, "a.json", text))) == ROWS
    assert list(ur.read(put(tmp_path, "a.json.gz", json.dumps(value).encode("utf-16")))) == ROWS


def test_lines_of_objects_one_record_and_lists_are_read_too(tmp_path):
    assert list(ur.read(put(tmp_path, "a.json", '{"a": 1}\n\n{"a": 2}\n'))) == [{"a": 1}, {"a": 2}]
    assert list(ur.read(put(tmp_path, "b.json", '{"a": 1, "v": [1, 2]}'))) == [{"a": 1, "v": [1, 2]}]
    assert list(ur.read(put(tmp_path, "c.json", '["to be", "or"]'))) == [{"x": "to be"}, {"x": "or"}]
    both = put(tmp_path, "d.json", json.dumps({"train": ROWS, "test": ROWS[:1]}))
    with pytest.raises(DataError, match="'train', 'test'; choose one with field='train'"):
        ur.read(both)
    assert list(ur.read_json(both, field="test")) == ROWS[:1]
    with pytest.raises(DataError, match="did you mean 'train'"):
        ur.read_json(both, field="trian")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1,", "line 1.*JSON"),
        ('{"a": 1}\n{"a": }\n', "line 2.*JSON"),
        ("7", "int"),
        ("{}", "an empty object"),
        ("[]", "at least one"),
        ("[" * 100_000, "JSON"),
        ("[" * 30 + "]" * 30, "nested"),
        ('{"ann": {"age": 1}, "ben": {"age": 2}}', "object of objects"),
        ('{"columns": ["a", "b"], "data": [[1, 2], [1]]}', "row 2.*2 values.*1"),
        ("{" + ",".join(f'"a{n}": {{"{n}": 1}}' for n in range(3000)) + "}", "share"),
    ],
)
def test_json_without_a_table_is_one_sentence(tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        ur.read(put(tmp_path, "a.json", text))
