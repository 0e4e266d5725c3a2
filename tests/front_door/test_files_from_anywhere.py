"""Files are read from every place that they may be in, several at once, open, packed or at an address."""

import bz2
import gzip
import io
import lzma
import tempfile
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import unrolled as ur
from unrolled.data.packings import unpack
from unrolled.errors import DataError, OptionError

fsspec = pytest.importorskip("fsspec")

TEXT = "name,n\nGrüße,1\nb,2\n"
RAW = TEXT.encode()
ROWS = [{"name": "Grüße", "n": 1}, {"name": "b", "n": 2}]
PACKED = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


class Named:
    """A path of another library."""

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return str(self.path)


def zipped(*names, raw=RAW):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, raw)
    return made.getvalue()


def write(folder, name="a.csv", raw=RAW):
    path = folder / name
    path.write_bytes(raw)
    return path


def opened_in_memory(folder):
    with fsspec.open("memory://data/a.csv", "wb") as file:
        file.write(RAW)
    return "memory://data/a.csv"


def spooled(folder):
    file = tempfile.SpooledTemporaryFile()  # noqa: SIM115
    file.write(RAW)
    file.seek(0)
    return file


WAYS = {
    "a text": lambda folder: str(write(folder)),
    "a Path": write,
    "a PathLike": lambda folder: Named(write(folder)),
    "bytes of a path": lambda folder: Named(write(folder)),
    "bytes": lambda folder: RAW,
    "a bytearray": lambda folder: bytearray(RAW),
    "a view of bytes": lambda folder: memoryview(RAW),
    "BytesIO": lambda folder: io.BytesIO(RAW),
    "StringIO": lambda folder: io.StringIO(TEXT),
    "BufferedReader": lambda folder: io.BufferedReader(io.BytesIO(RAW)),
    "a file open for text": lambda folder: write(folder).open(encoding="utf-8"),
    "a file open for bytes": lambda folder: write(folder).open("rb"),
    "an unbuffered file": lambda folder: write(folder).open("rb", buffering=0),
    "a spooled file": spooled,
    "a file open with gzip": lambda folder: gzip.open(write(folder, "a.csv.gz", gzip.compress(RAW))),  # noqa: SIM115
    "a path within an archive": lambda folder: zipfile.Path(write(folder, "z.zip", zipped("a.csv")), "a.csv"),
    "file://": lambda folder: write(folder).as_uri(),
    "memory://": opened_in_memory,
    "a Path of memory://": lambda folder: Path(opened_in_memory(folder)),
    "gzip": lambda folder: write(folder, "a.csv.gz", gzip.compress(RAW)),
    "bzip2": lambda folder: write(folder, "a.csv.bz2", bz2.compress(RAW)),
    "xz": lambda folder: write(folder, "a.csv.xz", lzma.compress(RAW)),
    "zip": lambda folder: write(folder, "a.zip", zipped("a.csv")),
    "zip in a folder, made on a Mac": lambda folder: write(
        folder, "a.csv.zip", zipped("in/a.csv", "__MACOSX/in/._a.csv")
    ),
    "gzip under a plain name": lambda folder: write(folder, "a.csv", gzip.compress(RAW)),
    "packed bytes": lambda folder: bz2.compress(RAW),
    "a packed open file": lambda folder: io.BytesIO(gzip.compress(RAW)),
    "a list of one": lambda folder: [write(folder)],
    "a pattern": lambda folder: str(write(folder).with_name("*.csv")),
    "a pattern of folders": lambda folder: str(write(folder).parent.parent / "**" / f"{folder.name}" / "?.csv"),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_place_gives_the_same_table(way, tmp_path):
    given = WAYS[way](tmp_path)
    assert list(ur.read_csv(given)) == ROWS
    if callable(getattr(given, "close", None)):
        given.close()


@pytest.mark.parametrize("way", [way for way in WAYS if "StringIO" not in way and "byte" not in way.lower()])
def test_read_knows_the_kind_by_the_name_inside(way, tmp_path):
    given = WAYS[way](tmp_path)
    if isinstance(getattr(given, "name", "a.csv"), str) and not isinstance(
        given, io.BytesIO | io.BufferedReader | tempfile.SpooledTemporaryFile
    ):
        assert list(ur.read(given)) == ROWS
    else:
        with pytest.raises(DataError, match="file type"):
            ur.read(given)
    if callable(getattr(given, "close", None)):
        given.close()


def test_zstd_is_unpacked(tmp_path):
    with pa.CompressedOutputStream(str(tmp_path / "a.csv.zst"), "zstd") as file:
        file.write(RAW)
    assert list(ur.read(tmp_path / "a.csv.zst")) == ROWS
    (tmp_path / "out").mkdir()
    assert unpack(tmp_path / "a.csv.zst", "zstd", tmp_path / "out").read_bytes() == RAW


def test_zstd_is_unpacked_without_arrow(tmp_path, monkeypatch):
    with pa.CompressedOutputStream(str(tmp_path / "a.csv.zst"), "zstd") as file:
        file.write(RAW)
    monkeypatch.setattr("unrolled.data.packings.find_spec", lambda name: None)
    assert unpack(tmp_path / "a.csv.zst", "zstd", tmp_path / "..").read_bytes() == RAW


def test_an_address_of_the_web_is_read(tmp_path):
    write(tmp_path, "a.csv.gz", gzip.compress(RAW))
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path))
    handler.func.log_message = lambda *args: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        try:
            assert list(ur.read(f"{address}/a.csv.gz?key=secret")) == ROWS
            assert list(ur.read([f"{address}/a.csv.gz", f"{address}/a.csv.gz"])) == ROWS * 2
            with pytest.raises(DataError, match="404") as caught:
                ur.read_csv(f"{address}/b.csv?key=secret")
        finally:
            server.shutdown()
    assert "secret" not in str(caught.value)


EVERY = {
    "read_jsonl": (b'{"n": 1}\n{"n": 2}\n', 2),
    "read_tsv": (b"n\tm\n1\t2\n", 1),
    "read_fasta": (b">a\nACGT\n", 1),
    "read_ts": (b"@classLabel true 0 1\n@data\n1,2,3:0\n", 1),
    "read_conll": (b"the DET\ncat NOUN\n", 1),
    "read_text": (b"to be or not", 1),
}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("form", ["bytes", "open", *PACKED])
def test_every_reader_reads_from_anywhere(name, form, tmp_path):
    raw, count = EVERY[name]
    given = raw if form == "bytes" else io.BytesIO(raw)
    if form in PACKED:
        given = write(tmp_path, f"a{form}", PACKED[form](raw))
    source = getattr(ur, name)(given)
    assert len(list(source)) == count
    assert list(source) == list(source)  # a lazy source finds its file again


def test_parquet_is_read_from_memory_and_lazily(tmp_path):
    made = io.BytesIO()
    pl.DataFrame({"n": [1, 2, 3]}).write_parquet(made)
    assert ur.read_parquet(made.getvalue()).frame["n"].to_list() == [1, 2, 3]
    made.seek(0)
    assert [record["n"] for record in ur.scan_parquet(made)] == [1, 2, 3]
    with fsspec.open("memory://data/a.parquet", "wb") as file:
        file.write(made.getvalue())
    assert len(ur.read("memory://data/a.parquet")) == 3


# ---- several files -------------------------------------------------------------------------------


def files(folder, *texts):
    return [write(folder, f"{place}.csv", text.encode()) for place, text in enumerate(texts)]


def test_several_files_are_one_table_in_their_order(tmp_path):
    paths = files(tmp_path, "a,b\n1,2\n", "b,a\n4,3\n")
    opened = io.BytesIO(paths[0].read_bytes())
    for given in (
        paths,
        tuple(paths),
        iter(paths),
        [opened, paths[1].read_bytes()],
        str(tmp_path / "*.csv"),
    ):
        assert ur.read_csv(given).frame.rows() == [(1, 2), (3, 4)]
    assert ur.read(str(tmp_path / "*.csv")).folder == tmp_path


@pytest.mark.parametrize(
    ("texts", "want"),
    [
        (("v\n1\n", "v\n2.5\n"), [1.0, 2.5]),
        (("v\n12\n", "v\n007\n"), ["12", "007"]),
        (("v\n1.50\n", "v\nA1\n"), ["1.50", "A1"]),
        (("v,w\nn/a,1\n", "v,w\n3,1\n"), [None, 3]),
        (("v\ntrue\n", "v\nyes\n"), ["true", "yes"]),
    ],
)
def test_a_column_has_the_widest_kind_over_all_files(texts, want, tmp_path):
    assert ur.read_csv(files(tmp_path, *texts)).frame["v"].to_list() == want
    assert ur.read(files(tmp_path, *texts)).frame["v"].to_list() == want


def test_lists_of_several_files_are_widened_too(tmp_path):
    one, other = (write(tmp_path, f"{v[1]}.jsonl", f'{{"v": {v}}}\n'.encode()) for v in ("[1, 2]", "[0.5]"))
    assert ur.read_jsonl([one, other]).frame["v"].to_list() == [[1.0, 2.0], [0.5]]


def test_several_files_are_sorted_by_time_together(tmp_path):
    paths = files(tmp_path, "day,v\n2024-01-03,3\n2024-01-01,1\n", "day,v\n2024-01-02,2\n")
    assert ur.read_csv(paths, "day").frame["v"].to_list() == [1, 2, 3]
    assert ur.read(paths, time="day").time == "day"


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (("a,b\n1,2\n", "a\n1\n"), "1.csv: expected the columns of .*0.csv, received none named 'b'"),
        (("a\n1\n", "a,b\n1,2\n"), "1.csv: expected the columns of .*0.csv, received a further one, 'b'"),
        (("price\n1\n", "prise\n1\n"), "did you mean 'prise'"),
        (("a\n1\n", ""), "1.csv.*empty"),
    ],
)
def test_a_file_that_does_not_fit_is_named(texts, words, tmp_path):
    with pytest.raises(DataError, match=words):
        ur.read_csv(files(tmp_path, *texts))


def test_files_of_unlike_kinds_are_not_one_table(tmp_path):
    with pytest.raises(DataError, match=r"files of one kind, received \.csv, \.jsonl"):
        ur.read([write(tmp_path), write(tmp_path, "a.jsonl", b'{"a": 1}')])


def test_several_texts_are_several_documents(tmp_path):
    paths = [write(tmp_path, f"{name}.txt", name.encode() * 10) for name in "ab"]
    assert [record["text"] for record in ur.read_text(paths)] == ["a" * 10, "b" * 10]
    assert len(ur.read(str(tmp_path / "*.txt"))) == 2


def test_lazy_tables_are_read_one_by_one(tmp_path):
    for name in "ab":
        pl.DataFrame({"n": [1]}).write_parquet(tmp_path / f"{name}.parquet")
    with pytest.raises(DataError, match="read_parquet"):
        ur.scan_parquet(str(tmp_path / "*.parquet"))
    assert len(ur.read(str(tmp_path / "*.parquet"))) == 2


# ---- what cannot be read -------------------------------------------------------------------------


class Asynchronous:
    name = "upload.csv"

    async def read(self, size=-1):
        return RAW


def closed():
    file = io.BytesIO(RAW)
    file.close()
    return file


REFUSED = {
    "no match": (lambda folder: str(folder / "*.csv"), "at least one file that matches"),
    "no file": (lambda folder: [], "at least one file, received none"),
    "a missing file": (lambda folder: folder / "none.csv", "No such file"),
    "a missing one of several": (lambda folder: [write(folder), folder / "none.csv"], "none.csv"),
    "a missing one in memory": (lambda folder: "memory://none.csv", "memory://none.csv"),
    "a storage that nobody knows": (lambda folder: "nowhere://none.csv", "nowhere"),
    "another machine": (lambda folder: "file://elsewhere/a.csv", "path of this machine"),
    "two files in an archive": (
        lambda folder: write(folder, "a.zip", zipped("a.csv", "b.csv")),
        r"2 files \(a.csv, b.csv\)",
    ),
    "a damaged archive": (lambda folder: write(folder, "a.zip", b"PK\x03\x04abc"), "a zip file"),
    "half a file": (lambda folder: write(folder, "a.csv.gz", gzip.compress(RAW)[:-9]), "a gzip file"),
    "an archive of tar": (
        lambda folder: write(folder, "a.tar.gz", gzip.compress(b"\0" * 257 + b"ustar" + b"\0" * 99)),
        "tar",
    ),
    "nothing in it": (lambda folder: io.BytesIO(), "given BytesIO: expected at least one row"),
    "a closed file": (lambda folder: closed(), "closed file"),
    "an asynchronous file": (lambda folder: Asynchronous(), "reads coroutine"),
    "a table as text": (lambda folder: TEXT, "StringIO"),
    "a number": (lambda folder: 7, "an open file, bytes, or a list"),
    "a frame": (lambda folder: pd.DataFrame({"a": [1]}), "an open file, bytes, or a list"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_one_sentence(name, tmp_path):
    make, words = REFUSED[name]
    with pytest.raises(DataError, match=words) as caught:
        ur.read_csv(make(tmp_path))
    assert "\n" not in str(caught.value)
    assert "unrolled-" not in str(caught.value)  # the name of a temporary file


def test_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ur.read_csv(io.BytesIO(RAW))
    with pytest.raises(DataError):
        ur.read_csv(io.BytesIO(b""))
    assert list(tmp_path.iterdir()) == []


def test_a_table_of_a_packed_file_knows_its_folder_and_one_from_elsewhere_none(tmp_path):
    assert ur.read_csv(write(tmp_path, "a.csv.gz", gzip.compress(RAW))).folder == tmp_path
    assert ur.read_csv(RAW).folder is None


def test_options_are_refused_before_anything_is_fetched():
    with pytest.raises(OptionError, match="separator"):
        ur.read_csv(RAW, separator="")
    with pytest.raises(TypeError):
        ur.read_csv()
