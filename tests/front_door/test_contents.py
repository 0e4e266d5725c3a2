"""Files of other kinds are refused by what they are, with what to do, under any name; none is read as text."""

import gzip
import io
import pickle
import re
import sqlite3
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest
import scipy.io

import unrolled as ur
from unrolled.data.contents import CONTENTS, content_of
from unrolled.data.formats.registry import FORMATS
from unrolled.errors import DataError

FRAME = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})


def office(folder: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr(f"{folder}/document.xml", "<x/>")
    return file.getvalue()


def written(write: str) -> bytes:
    file = io.BytesIO()
    getattr(pl.from_pandas(FRAME), write)(file)
    return file.getvalue()


def of_matlab() -> bytes:
    file = io.BytesIO()
    scipy.io.savemat(file, {"x": np.eye(3)})
    return file.getvalue()


def of_stata(version: int) -> bytes:
    file = io.BytesIO()
    FRAME.to_stata(file, version=version)
    return file.getvalue()


def of_sqlite(folder: Path) -> bytes:
    with sqlite3.connect(folder / "a.db") as connection:
        connection.execute("create table a (b)")
    connection.close()
    return (folder / "a.db").read_bytes()


EDF = b"0       " + b" ".ljust(160) + b"01.02.2413.14.15256     " + b" " * 300
BINARY = {
    "a workbook": office("xl"),
    "a document": office("word"),
    "slides": office("ppt"),
    "a Parquet file": written("write_parquet"),
    "an Arrow file": written("write_ipc"),
    "an Avro file": written("write_avro"),
    "a file of MATLAB": of_matlab(),
    "a file of Stata": of_stata(118),
    "a file of pickle": pickle.dumps(FRAME),
    "a file of SPSS": b"$FL2@(#) SPSS DATA FILE",
    "a file of SAS": bytes(12) + bytes.fromhex("c2ea8160b31411cfbd92080009c7318c181f1011"),
    "a file of HDF5": b"\x89HDF\r\n\x1a\n" + bytes(50),
    "a file of NetCDF": b"CDF\x01" + bytes(50),
    "a file of R": b"X\n\0\0\0\2" + bytes(50),
    "an ORC file": b"ORC\x0a\x01" + bytes(50),
    "a recording in EDF": EDF,
    "a pointer of Git LFS": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 12\n",
    "a MIDI file": b"MThd\0\0\0\6" + bytes(50),
    "a PDF": b"%PDF-1.4\n",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(50),
    "a recording": b"RIFF\0\0\0\0WAVEfmt " + bytes(40),
}
TEXTS = {
    "a web page": b"\n<!-- a -->\n<!DOCTYPE html>\n<html><title>Log in</title></html>\n",
    "XML": b"<?xml version='1.0'?>\n<rows><a>1</a></rows>\n",
    "tunes in ABC": b"X: 1\nT: A tune\nK: C\n",
    "a record of WFDB": b"100 2 360 650000\n100.dat 212 200 11 1024 995 -22131 0 MLII\n",
}
OWN = {"a Parquet file": ".parquet", "an Arrow file": ".arrow", "a workbook": ".xlsx"}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".txt", ".parquet", ".arrow", ".npy", ".xlsx"])
@pytest.mark.parametrize("name", BINARY)
def test_a_file_of_another_kind_is_named_under_any_suffix(name: str, suffix: str, tmp_path: Path) -> None:
    if OWN.get(name) == suffix:
        return
    (tmp_path / f"a{suffix}").write_bytes(BINARY[name])
    with pytest.raises(DataError, match=rf"expected another kind of file, received {name}; \w"):
        ur.read(tmp_path / f"a{suffix}")


@pytest.mark.parametrize("name", TEXTS)
def test_texts_of_another_kind_are_no_tables_and_may_be_texts(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(TEXTS[name])
    with pytest.raises(DataError, match=f"received {name}; "):
        ur.read(tmp_path / "a.csv")
    assert len(ur.read_text(tmp_path / "a.csv")) == 1


def test_what_a_packed_file_holds_is_named_too(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(BINARY["a file of R"]))
    with pytest.raises(DataError, match=r"a\.csv\.gz: expected another kind of file, received a file of R; save it"):
        ur.read(tmp_path / "a.csv.gz")


def test_databases_and_older_files_are_known(tmp_path: Path) -> None:
    for raw, name in ((of_sqlite(tmp_path), "a database of SQLite"), (of_stata(114), "a file of Stata")):
        (tmp_path / "a").write_bytes(raw)
        found = content_of(tmp_path / "a")
        assert found is not None
        assert found.name == name


SUFFIXES = [suffix for one in CONTENTS for suffix in one.suffixes]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_suffix_that_no_reader_takes_has_a_remedy(suffix: str, tmp_path: Path) -> None:
    assert SUFFIXES.count(suffix) == 1
    assert not any(suffix in form.suffixes for form in FORMATS.values())
    (tmp_path / f"a{suffix}").write_bytes(b"1,2\n")
    with pytest.raises(DataError, match=rf"a{re.escape(suffix)}: expected another kind of file, received .+; \w"):
        ur.read(tmp_path / f"a{suffix}")


def test_another_suffix_asks_for_the_reader(tmp_path: Path) -> None:
    (tmp_path / "abalone.data").write_bytes(b"1,2\n")
    with pytest.raises(DataError, match=r"received \.data.*choose the reader: ur\.read_csv\(path\), and --format csv"):
        ur.read(tmp_path / "abalone.data")


@pytest.mark.parametrize(
    "text",
    [
        "0       1.5     2.5\n" * 30,
        "ORC,size\n1,2\n",
        "X: 1\n2\n",
        "Obj,1\n2,3\n",
        "MATLAB,R\n1,2\n",
        "<b>,a\n1,2\n",
        "xl/,a\n1,2\n",
    ],
)
def test_texts_that_begin_like_other_kinds_are_read(text: str) -> None:
    assert ur.read_csv(text.encode()).columns
