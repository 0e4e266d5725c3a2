"""Every usual file and every usual object becomes records; every bad one becomes one sentence."""

import gzip
import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import torch

from unrolled.data.formats.conll import read_conll
from unrolled.data.formats.fasta import read_fasta
from unrolled.data.formats.ts import read_ts
from unrolled.data.readers import (
    as_source,
    read,
    read_csv,
    read_jsonl,
    read_parquet,
    read_text,
    read_tsv,
    scan_parquet,
)
from unrolled.errors import DataError, InputError

ROWS = [{"text": "Grüße, Welt", "n": 1}, {"text": 'say "hi"', "n": 2}]


def put(folder, name, content):
    path = folder / name
    raw = content if isinstance(content, bytes) else content.encode()
    path.write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    return path


# ---- tables --------------------------------------------------------------------------------------

CSV = 'text,n\n"Grüße, Welt",1\n"say ""hi""",2\n'
TSV = 'text\tn\nGrüße, Welt\t1\nsay "hi"\t2\n'
JSONL = "\n".join(json.dumps(row, ensure_ascii=bool(row["n"] % 2)) for row in ROWS) + "\n\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", CSV),
        ("a.csv.gz", CSV),
        ("A.CSV", "\ufeff" + CSV),
        ("a.csv", CSV.replace("\n", "\r\n")),
        ("a.tsv", TSV),
        ("a.tsv.gz", TSV),
        ("a.tab", TSV),
        ("a.jsonl", JSONL),
        ("a.ndjson", JSONL),
        ("a.jsonl.gz", JSONL),
        ("a.jsonl", "\ufeff" + JSONL),
    ],
)
def test_tables_of_any_kind_are_the_same_records(tmp_path, name, content):
    source = read(put(tmp_path, name, content))
    assert source.columns == ["text", "n"]
    assert list(source) == ROWS
    assert list(source) == ROWS  # again


def test_parquet_is_the_same_in_memory_and_lazily(tmp_path):
    frame = pl.DataFrame({"text": ["a", "b", "c"], "values": [[1.0, 2.0], [], [3.0]]})
    frame.write_parquet(tmp_path / "a.parquet")
    want = frame.to_dicts()
    for source in (
        read(tmp_path / "a.parquet"),
        read_parquet(tmp_path / "a.parquet"),
        scan_parquet(tmp_path / "a.parquet"),
    ):
        assert source.columns == ["text", "values"]
        assert len(source) == 3
        assert list(source) == want


def test_a_lazy_file_splits_without_losing_a_row(tmp_path):
    pl.DataFrame({"n": range(100)}).write_parquet(tmp_path / "a.parquet")
    train, test = scan_parquet(tmp_path / "a.parquet").split(test=0.3, seed=1)
    kept, held = ([record["n"] for record in part] for part in (train, test))
    assert sorted(kept + held) == list(range(100))
    assert (len(train), len(test)) == (len(kept), len(held))
    assert 15 < len(held) < 45
    again = scan_parquet(tmp_path / "a.parquet").split(test=0.3, seed=1)[1]
    assert [record["n"] for record in again] == held


def test_without_a_header_columns_are_numbered(tmp_path):
    source = read_csv(put(tmp_path, "a.csv", "x;1\ny;2\n"), separator=";", header=False)
    assert source.columns == ["column_1", "column_2"]
    assert len(source) == 2


def test_stray_quotes_in_tsv_are_ordinary_characters(tmp_path):
    source = read_tsv(put(tmp_path, "a.tsv", 'text\tn\n"oh\t1\n5" disk\t2\n'))
    assert [record["text"] for record in source] == ['"oh', '5" disk']


def test_a_number_column_that_turns_to_text_late_is_text(tmp_path):
    source = read_csv(put(tmp_path, "a.csv", "x\n" + "1\n" * 500 + "abc\n"))
    assert [record["x"] for record in source][-2:] == ["1", "abc"]


def test_records_with_different_keys_have_holes(tmp_path):
    source = read_jsonl(put(tmp_path, "a.jsonl", '{"a": 1}\n{"b": [1, 2]}\n'))
    assert list(source) == [{"a": 1, "b": None}, {"a": None, "b": [1, 2]}]


def test_a_time_column_is_passed_on(tmp_path):
    path = put(tmp_path, "a.csv", "day,shop,x\n2024-01-02,a,2\n2024-01-01,a,1\n2024-01-01,b,7\n")
    source = read(path, time="day", group="shop")
    assert [record["x"] for record in source] == [1, 2, 7]
    assert (source.time, source.group) == ("day", "shop")


# ---- odd formats ---------------------------------------------------------------------------------


def test_ts_of_one_channel_has_class_labels(tmp_path):
    text = "# a comment\n@problemName toy\n@classLabel true up down\n@data\n1,2,3:up\n\n# between\n3.5,2e0:down\n"
    source = read_ts(put(tmp_path, "a.ts", text))
    assert list(source) == [{"dim_0": [1, 2, 3], "label": "up"}, {"dim_0": [3.5, 2.0], "label": "down"}]


def test_ts_of_several_channels_of_unequal_series_with_gaps(tmp_path):
    text = "@timestamps false\n@univariate false\n@CLASSLABEL TRUE 0 1\n@DATA\n1,?,3:4,NaN,6:0\n7:8:1\n"
    source = read(put(tmp_path, "a.ts", text))
    assert source.columns == ["dim_0", "dim_1", "label"]
    assert list(source) == [
        {"dim_0": [1, None, 3], "dim_1": [4, None, 6], "label": "0"},
        {"dim_0": [7], "dim_1": [8], "label": "1"},
    ]


def test_ts_with_target_labels_are_numbers(tmp_path):
    source = read_ts(put(tmp_path, "a.ts", "@targetlabel true\n@data\n1,2:0.25\n3:-4\n"))
    assert [record["label"] for record in source] == [0.25, -4]


def test_ts_without_labels_has_none(tmp_path):
    assert read_ts(put(tmp_path, "a.ts", "@classLabel false\n@data\n1,2\n")).columns == ["dim_0"]


def test_ts_with_windows_line_ends(tmp_path):
    source = read_ts(put(tmp_path, "a.ts", "@classLabel true a\r\n@data\r\n1,2:a\r\n"))
    assert list(source) == [{"dim_0": [1, 2], "label": "a"}]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,2,3\n", "@data"),
        ("@data\n", "at least one series"),
        ("@data\n1,2\n1,x\n", "line 3.*'x'"),
        ("@classLabel true a\n@data\n1:2:a\n1:a\n", "line 4.*2 channels.*1"),
        ("@timestamps true\n@data\n1,2\n", "line 3.*time,value"),
        ("@targetlabel true\n@data\n1,2:high\n", "line 3.*'high'"),
    ],
)
def test_a_bad_ts_file_is_one_sentence(tmp_path, text, words):
    with pytest.raises(DataError, match=words):
        read_ts(put(tmp_path, "a.ts", text))


def test_fasta_joins_lines_and_splits_names(tmp_path):
    text = ">one first gene\nACGT\nAC GT\n\n; remark\n>two\n>three x\nTTTT\n"
    source = read_fasta(put(tmp_path, "a.fasta", text))
    assert [record["id"] for record in source] == ["one", "two", "three"]
    assert [record["description"] for record in source] == ["first gene", "", "x"]
    assert [record["sequence"].replace(" ", "") for record in source] == ["ACGTACGT", "", "TTTT"]
    assert list(read(put(tmp_path, "a.fa.gz", text))) == list(source)


def test_letters_before_the_first_name_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"line 1.*>"):
        read_fasta(put(tmp_path, "a.fna", "ACGT\n>x\nA\n"))


def test_conll_makes_one_row_for_each_sentence(tmp_path):
    text = "# sent 1\nThe D\ncat N\n\n\n# 3\nruns V"
    source = read_conll(put(tmp_path, "a.conll", text), columns=["words", "tags"])
    assert list(source) == [{"words": ["The", "cat"], "tags": ["D", "N"]}, {"words": ["runs"], "tags": ["V"]}]
    assert read(tmp_path / "a.conll").columns == ["col_0", "col_1"]


def test_conll_with_tabs_keeps_blanks_inside_fields_and_hashes_as_tokens(tmp_path):
    source = read_conll(put(tmp_path, "a.conllu", "New York\tP\n#\tS\n# \tS\n"))
    assert list(source) == [{"col_0": ["New York", "#", "# "], "col_1": ["P", "S", "S"]}]


def test_a_ragged_conll_line_is_named(tmp_path):
    with pytest.raises(DataError, match=r"line 3.*2 fields.*3"):
        read_conll(put(tmp_path, "a.conll", "a b\nc d\ne f g\n"))
    with pytest.raises(DataError, match="2 different names"):
        read_conll(put(tmp_path, "b.conll", "a b\n"), columns=["words"])


def test_a_folder_is_one_text_for_each_file(tmp_path):
    put(tmp_path, "b.txt", "zwei")
    put(tmp_path, "a.txt", "eins")
    put(tmp_path, "notes.md", "no text")
    (tmp_path / "deep").mkdir()
    put(tmp_path / "deep", "c.txt", "drei")
    assert [record["text"] for record in read(tmp_path)] == ["eins", "zwei", "drei"]
    assert [record["line"] for record in read_text(tmp_path / "a.txt", "lines", column="line")] == ["eins"]


# ---- what a user holds in memory -----------------------------------------------------------------

COLUMNS = {"text": ["a", "b"], "values": [[1.0, 2.0], [3.0]]}


@pytest.mark.parametrize(
    "make",
    [
        pl.DataFrame,
        lambda columns: pl.DataFrame(columns).lazy(),
        pd.DataFrame,
        pa.table,
        dict,
        lambda columns: [{"text": "a", "values": [1.0, 2.0]}, {"text": "b", "values": (3.0,)}],
        lambda columns: [{"text": "a", "values": np.array([1.0, 2.0])}, {"text": "b", "values": [3.0]}],
        as_source,
    ],
)
def test_tables_in_memory_of_any_library_are_the_same_records(make):
    assert list(as_source(make(COLUMNS))) == [{"text": "a", "values": [1, 2]}, {"text": "b", "values": [3]}]


def test_a_pandas_series_or_arrow_array_of_texts_is_a_column():
    for data in (pd.Series(["a", "b"]), pa.array(["a", "b"]), pl.Series(["a", "b"]), np.array(["a", "b"]), ("a", "b")):
        source = as_source(data, [0, 1])
        assert [record["y"] for record in source] == [0, 1]
        assert [record[source.columns[0]] for record in source] == ["a", "b"]


def test_pandas_times_and_categories_are_read():
    frame = pd.DataFrame({"t": pd.date_range("2024-01-01", periods=2), "c": pd.Categorical(["u", "v"]), "x": [1, 2]})
    frame.index = [7, 3]
    assert as_source(frame, time="t").columns == ["t", "c", "x"]
    assert [record["c"] for record in as_source(frame)] == ["u", "v"]


@pytest.mark.parametrize(
    ("data", "columns", "first"),
    [
        (["to be", "or not"], ["x"], "to be"),
        ([[1, 2], [3]], ["x"], [1, 2]),
        ([np.array([1.0, 2.0]), np.array([3.0])], ["x"], [1, 2]),
        (np.array([[1.0, 2.0], [3.0, 4.0]]), ["x"], [1, 2]),
        (torch.tensor([[1.0, 2.0], [3.0, 4.0]]), ["x"], [1, 2]),
        ([torch.tensor([1.0, 2.0]), torch.tensor([3.0])], ["x"], [1, 2]),
        (np.zeros((2, 3, 2)), ["x_0", "x_1"], [0, 0, 0]),
        ([np.zeros((3, 2)), np.zeros((0, 2))], ["x_0", "x_1"], [0, 0, 0]),
        ([np.zeros((3, 2)), []], ["x_0", "x_1"], [0, 0, 0]),
        ([["a", "b"], ["c"]], ["x"], ["a", "b"]),
        ([["a", "b"], []], ["x"], ["a", "b"]),
    ],
)
def test_sequences_become_columns(data, columns, first):
    source = as_source(data, ["one", "two"])
    assert source.columns == [*columns, "y"]
    assert [record["y"] for record in source] == ["one", "two"]
    assert next(iter(source))[columns[0]] == first
    assert len(source) == 2


def test_a_source_takes_targets_too():
    source = as_source(as_source(["a", "b"]), [1, 2])
    assert list(source) == [{"x": "a", "y": 1}, {"x": "b", "y": 2}]


def test_numbers_of_two_kinds_share_a_column_and_missing_ones_stay():
    source = as_source([{"n": 1}, {"n": 2.5}, {"n": None}, {"n": np.float32(4)}])
    assert [record["n"] for record in source] == [1, 2.5, None, 4]


@pytest.mark.parametrize(
    ("data", "y", "words"),
    [
        ([], None, "at least one"),
        (pl.DataFrame(), None, "at least one row"),
        (pl.DataFrame({"x": []}), None, "at least one row"),
        (None, None, "NoneType"),
        (7, None, "int"),
        ("a text", None, "str"),
        (["a", "b"], [1], "expected 2 targets, received 1"),
        (as_source(["a", "b"]), [1, 2, 3], "expected 2 targets, received 3"),
        ({"a": [1, 2], "b": [1]}, None, "one length"),
        ([np.zeros((2, 3)), np.zeros((2, 4))], None, "shapes"),
        (np.zeros((2, 2, 2, 2, 2, 2)), None, "shapes"),
        ([{"x": "a"}, {"x": [1, 2]}], None, "column 'x'"),
        (["a", 1], None, "data|column|x"),
        ([1, 2, 3], None, "data|column|x"),
        ([object()], None, "data|column|x"),
    ],
)
def test_what_cannot_be_read_is_one_sentence(data, y, words):
    with pytest.raises(DataError, match=words) as caught:
        as_source(data, y)
    assert "\n" not in str(caught.value)


# ---- bad files -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["a.csv", "a.tsv", "a.jsonl", "a.ts", "a.fasta", "a.conll", "a.parquet", "a.txt", "a.csv.gz"]
)
def test_an_empty_or_missing_file_is_one_sentence(tmp_path, name):
    with pytest.raises(DataError, match=name) as caught:
        list(read(tmp_path / name))
    assert "No such file" in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(DataError, match=name):
        list(read(put(tmp_path, name, "")))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv"])
def test_a_header_alone_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="at least one row"):
        read(put(tmp_path, name, "text\tn\n"))


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.ts", "a.fasta", "a.conll", "a.txt"])
def test_another_encoding_is_named_with_its_position(tmp_path, name):
    path = put(tmp_path, name, "word\nGr\u00fc\u00dfe\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"UTF-8.*\b7\b") as caught:
        list(read(path))
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.jsonl.gz"])
def test_another_encoding_inside_gzip_is_refused_too(tmp_path, name):
    with pytest.raises(DataError, match=name):
        list(read(put(tmp_path, name, "word\nGr\u00fc\u00dfe\n".encode("latin-1"))))


def test_a_bad_json_line_is_numbered(tmp_path):
    with pytest.raises(DataError, match=r"line 3.*JSON"):
        read(put(tmp_path, "a.jsonl", '{"a": 1}\n\n{"a": 1,}\n'))
    with pytest.raises(DataError, match=r"line 2.*JSON object.*list"):
        read(put(tmp_path, "b.jsonl", '{"a": 1}\n[1]\n'))


def test_line_separators_inside_json_strings_do_not_break_lines(tmp_path):
    source = read(put(tmp_path, "a.jsonl", '{"a": "x\u2028y\u0085z"}\n{"a": "b"}\n'))
    assert [record["a"] for record in source] == ["x\u2028y\u0085z", "b"]


def test_a_file_that_is_no_gzip_or_parquet_is_one_sentence(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(b"plain")
    (tmp_path / "b.parquet").write_bytes(b"plain text that is long enough")
    for name in ("a.jsonl.gz", "b.parquet"):
        with pytest.raises(DataError, match=name):
            read(tmp_path / name)
    with pytest.raises(DataError, match=r"b\.parquet"):
        scan_parquet(tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"missing\.parquet"):
        scan_parquet(tmp_path / "missing.parquet")


def test_an_unknown_suffix_suggests_the_nearest(tmp_path):
    with pytest.raises(DataError, match=r"did you mean '.jsonl'"):
        read(put(tmp_path, "a.jsonll", "{}"))
    with pytest.raises(DataError, match="file type"):
        read(put(tmp_path, "noname", "x"))


def test_an_unknown_kind_of_text_suggests_the_nearest(tmp_path):
    with pytest.raises(InputError, match="did you mean 'lines'"):
        read_text(put(tmp_path, "a.txt", "x"), kind="line")


def test_a_missing_time_column_suggests_the_nearest(tmp_path):
    with pytest.raises(DataError, match="the nearest is 'date'"):
        read(put(tmp_path, "a.csv", "date,x\n2024-01-01,1\n"), time="Dates")


def test_an_uneven_csv_is_one_sentence(tmp_path):
    with pytest.raises(DataError, match=r"a\.csv"):
        read(put(tmp_path, "a.csv", "a,b\n1,2\n1,2,3,4\n"))
