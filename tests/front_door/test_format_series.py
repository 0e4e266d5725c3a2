"""Formats of series: .ts, .tsf, UCR's tables and ARFF give every value at its place, with its label and its time."""

import datetime as dt

import pytest

import unrolled as ur
from unrolled.errors import DataError


def put(folder, name, text):
    path = folder / name
    path.write_bytes(text.encode())
    return path


# ---- .ts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ("1,2,,4", [1, 2, None, 4]),
        (",2", [None, 2]),
        ("1,", [1, None]),
        (",,", [None, None, None]),
        ("1, ,?", [1, None, None]),
        ("NaN,nan,NA,2e-1", [None, None, None, 0.2]),
        ("?", [None]),
        ("", []),
    ],
)
def test_a_value_that_is_missing_keeps_its_place(tmp_path, values, wanted):
    source = ur.read(put(tmp_path, "a.ts", f"@classLabel true a b\n@data\n{values}:a\n4,5:b\n"))
    assert [row["dim_0"] for row in source] == [wanted, [4, 5]]


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("@univariate true\n@classLabel true a b", "1,2,3"),
        ("@univariate false\n@classLabel true a b", "1,2,3:4,5,6"),
        ("@classLabel true a b", "1,2,3:"),
        ("@CLASSLABEL TRUE a b", "1:2"),
        ("@targetLabel true", "1,2,3"),
        ("@targetLabel true", "1,2,3:4,5,6"),
        ("@timeStamps true\n@classLabel true a b", "(0,1),(1,2)"),
    ],
)
def test_a_line_without_its_label_is_named(tmp_path, head, line):
    number = head.count("\n") + 4
    with pytest.raises(DataError, match=f"line {number}: expected a label"):
        ur.read(put(tmp_path, "a.ts", f"{head}\n@data\n%\n{line}\n"))


def test_labels_are_those_that_the_head_names_and_a_question_mark_is_none(tmp_path):
    text = "# @data in a comment\n@classLabel true Up 1 2.0\n@data\n1:up\n2:1.0\n# no\n3:2\n4:?\n"
    assert [row["label"] for row in ur.read(put(tmp_path, "a.ts", text))] == ["Up", "1", "2.0", None]
    targets = "@problemName x\n@targetlabel true\n@data\n1,2:0.25\n3:?\n5:-4e1\n"
    assert [row["label"] for row in ur.read(put(tmp_path, "b.ts", targets))] == [0.25, None, -40]
    assert ur.read(put(tmp_path, "c.ts", "@classLabel false\n@data\n1,2\n")).columns == ["dim_0"]


def test_times_become_a_column_of_lists(tmp_path):
    text = "@timeStamps True\n@classLabel true a\n@data\n(2007-01-01 00:00:00,1.5),(2007-01-01 00:01:00,?):a\n"
    assert list(ur.read(put(tmp_path, "a.ts", text))) == [
        {"dim_0": [1.5, None], "time": ["2007-01-01 00:00:00", "2007-01-01 00:01:00"], "label": "a"}
    ]
    numbered = "@timeStamps true\n@data\n(0,1),(1,2):(0,3),(1,4)\n(0,1):(5,2)\n"
    assert list(ur.read(put(tmp_path, "b.ts", numbered))) == [
        {"dim_0": [1, 2], "dim_1": [3, 4], "time_0": [0, 1], "time_1": [0, 1]},
        {"dim_0": [1], "dim_1": [2], "time_0": [0], "time_1": [5]},
    ]


@pytest.mark.parametrize("sign", ["\x0b", "\x1e", "\x85", "\u2028"], ids=ascii)
def test_rare_line_ends_cut_no_line(tmp_path, sign):
    text = f"# from{sign}a page\n@problemName a{sign}b\n@classLabel true a b{sign}c\n@data\n1,2:b{sign}c\n"
    assert list(ur.read(put(tmp_path, "a.ts", text))) == [{"dim_0": [1, 2], "label": f"b{sign}c"}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@classLabel true a b\n@data\n1:a\n1:c\n", "line 4.*a, b.*'c'"),
        ("@data\n1,2\n1,inf\n", "line 3.*'inf'"),
        ("@data\n1_000\n", "line 2.*'1_000'"),
        ("hello\n@data\n1\n", "line 1.*'hello'"),
        ("@timeStamps true\n@data\n(1,2\n", "line 3.*single \\("),
        ("@timeStamps true\n@data\n(?,2)\n", "line 3.*time,value"),
        ("@data\n" + "1:" * 20_000, "line 2.*10,000 channels"),
    ],
)
def test_a_bad_ts_file_is_one_sentence_that_names_the_line(tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        ur.read(put(tmp_path, "a.ts", text))


# ---- .tsf --------------------------------------------------------------------------------------------

TSF = "# x\n@relation toy\n@attribute series_name string\n@attribute start_timestamp date\n"


@pytest.mark.parametrize(
    ("frequency", "start", "times"),
    [
        ("monthly", "2024-01-31 00-00-00", ["2024-01-31", "2024-02-29", "2024-03-31"]),
        ("quarterly", "2023-11-01 00-00-00", ["2023-11-01", "2024-02-01", "2024-05-01"]),
        ("yearly", "2024-02-29 00-00-00", ["2024-02-29", "2025-02-28", "2026-02-28"]),
        ("weekly", "2024-02-26 00-00-00", ["2024-02-26", "2024-03-04", "2024-03-11"]),
        ("daily", "2024-02-28", ["2024-02-28", "2024-02-29", "2024-03-01"]),
        ("half_hourly", "2024-01-01 23-30-00", ["2024-01-01 23:30", "2024-01-02 00:00", "2024-01-02 00:30"]),
        ("10_minutes", "2024-01-01 00-00-00", ["2024-01-01 00:00", "2024-01-01 00:10", "2024-01-01 00:20"]),
        ("4_seconds", "2024-01-01 00-00-00", ["2024-01-01", "2024-01-01 00:00:04", "2024-01-01 00:00:08"]),
    ],
)
def test_times_of_tsf_follow_from_the_start_and_the_frequency(tmp_path, frequency, start, times):
    table = ur.read(put(tmp_path, "a.tsf", f"{TSF}@frequency {frequency}\n@horizon 4\n@data\nT1:{start}:5,?,7.5\n"))
    assert (table.time, table.group, table.columns) == ("time", "series_name", ["series_name", "time", "value"])
    assert [row["time"] for row in table] == [dt.datetime.fromisoformat(time) for time in times]
    assert [row["value"] for row in table] == [5, None, 7.5]


def test_attributes_of_tsf_are_columns_and_steps_are_numbered_without_a_start(tmp_path):
    head = "@attribute series_group string\n@attribute series_name string\n@attribute size numeric\n@frequency daily\n"
    table = ur.read(put(tmp_path, "a.tsf", f"{head}@data\nG:T2:1.5:1,2\nG:T1:?:3\n"))
    assert table.group == "series_name"
    assert list(table) == [
        {"series_name": "T1", "time": 0, "value": 3, "series_group": "G", "size": None},
        {"series_name": "T2", "time": 0, "value": 1, "series_group": "G", "size": 1.5},
        {"series_name": "T2", "time": 1, "value": 2, "series_group": "G", "size": 1.5},
    ]
    bare = ur.read(put(tmp_path, "b.tsf", "@data\n1,2\n3\n"))
    assert [(row["series"], row["time"], row["value"]) for row in bare] == [("T1", 0, 1), ("T1", 1, 2), ("T2", 0, 3)]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TSF, "@data"),
        (f"{TSF}@data\nT1:5,6\n", "line 6.*2 attributes.*1"),
        (f"{TSF}@data\nT1:2024-13-01 00-00-00:5\n", "line 6.*'2024-13-01"),
        (f"{TSF}@data\nT1:?:5,x\n", "line 6.*'x'"),
        (f"{TSF}@data\nT1:?:\n", "line 6.*at least one value"),
        (f"{TSF}@data\nT1:?:1\nT1:?:2\n", "two of 'T1'"),
        (f"{TSF}@frequency dayly\n@data\nT1:?:1\n", "line 5.*did you mean 'daily'"),
        ("@attribute value string\n@data\nT1:1\n", "other names.*value"),
        ("@attribute a string\n@data\n" + "x" * 2000 + ":1\n", "line 3.*1,000 characters"),
    ],
)
def test_a_bad_tsf_file_is_one_sentence_that_names_the_line(tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        ur.read(put(tmp_path, "a.tsf", text))


def test_a_forecaster_learns_from_a_tsf_file(tmp_path):
    values = ",".join(str(step % 7) for step in range(60))
    table = ur.read(put(tmp_path, "a.tsf", f"{TSF}@frequency daily\n@data\nT1:2024-01-01 00-00-00:{values}\n"))
    model = ur.Forecaster(target="value", horizon=2, context_length=14, hidden_size=8).fit(
        table, epochs=1, progress=False
    )
    assert model.predict(table)["time"].to_list() == [dt.datetime(2024, 3, 1), dt.datetime(2024, 3, 2)]


# ---- UCR and ARFF ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "1\t.5\tNaN\t.7\n-1\t2\tNaN\tNaN\n",
        "1.0,.5,,0.7\r\n-1,2\r\n",
        "  1.0000000e+00   5.0e-01  NaN 7.0e-01\n  -1.0000000e+00   2\n\n",
    ],
)
def test_ucr_has_the_label_first_and_no_filled_ends(tmp_path, text):
    assert list(ur.read_ucr(put(tmp_path, "a_TRAIN.tsv", text))) == [
        {"dim_0": [0.5, None, 0.7], "label": "1"},
        {"dim_0": [2], "label": "-1"},
    ]
    with pytest.raises(DataError, match=r"line 2.*'up'"):
        ur.read_ucr(put(tmp_path, "b.txt", "up,1,2\n1,up\n"))


def test_arff_of_a_table_has_its_columns(tmp_path):
    text = (
        "% c\n@RELATION 'a b'\n@ATTRIBUTE 'petal length' REAL\n@attribute kind {'a, b',\"c\"}\n@attribute s string\n"
        "@attribute day date yyyy-MM-dd\n@data\n1.5, 'a, b', 'it\\'s',2024-01-31\n?,c,?,?\n"
    )
    assert list(ur.read(put(tmp_path, "a.arff", text))) == [
        {"petal length": 1.5, "kind": "a, b", "s": "it's", "day": "2024-01-31"},
        {"petal length": None, "kind": "c", "s": None, "day": None},
    ]


def test_arff_of_series_has_lists(tmp_path):
    head = "@attribute att1 numeric\n@attribute att2 numeric\n@attribute target {1,2}\n@data\n"
    assert list(ur.read(put(tmp_path, "a.arff", f"{head}1.5,?,2\n"))) == [{"dim_0": [1.5, None], "target": "2"}]
    head = "@attribute series relational\n@attribute att1 numeric\n@end series\n@attribute class {up,down}\n@data\n"
    assert list(ur.read(put(tmp_path, "b.arff", f"{head}'1,2\\n3,?',up\n\"4,5\\n6,7\",down\n"))) == [
        {"dim_0": [1, 2], "dim_1": [3, None], "class": "up"},
        {"dim_0": [4, 5], "dim_1": [6, 7], "class": "down"},
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("@attribute a numeric\n@data\n1,2\n", "line 3.*1 values.*2"),
        ("@attribute a numeric\n@data\n{0 1}\n", "line 3.*sparse"),
        ("@attribute a string\n@data\n'x\n", "line 3.*quotes"),
        ("@attribute a\n@data\nx\n", "line 1.*kind"),
        ("@attribute a real\n@attribute b real\n@attribute a real\n@data\n1,2,3\n", "different names"),
        ("@attribute a real\n", "@data"),
    ],
)
def test_a_bad_arff_is_one_sentence(tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        ur.read(put(tmp_path, "a.arff", text))
