"""Whatever is in a file, a reader gives a table or one error of ours; it never lets another library's error out."""

import bz2
import contextlib
import gzip
import io
import json
import lzma
import random
import wave
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from unrolled.data import readers
from unrolled.data.file_access import Opening
from unrolled.data.sound import read_sound
from unrolled.errors import DataError, UnrolledError

ROWS = [{"word": f"wörd {n}", "number": n / 2, "list": [n, n + 1]} for n in range(40)]
MO = (  # one message, as msgfmt writes it
    b"\xde\x12\x04\x95"
    + b"".join(n.to_bytes(4, "little") for n in (0, 1, 28, 36, 0, 44, 4, 44, 5, 49))
    + b"Open\0auf!!\0"
)


def parquet() -> bytes:
    file = io.BytesIO()
    pl.DataFrame(ROWS).write_parquet(file)
    return file.getvalue()


def wav() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setparams((1, 2, 8000, 0, "NONE", ""))
        sound.writeframes(np.arange(800, dtype=np.int16).tobytes())
    return file.getvalue()


def written(write: Callable[[io.BytesIO], Any]) -> bytes:
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def plain(name: str, content: str | bytes) -> tuple[str, bytes]:
    return name, content.encode() if isinstance(content, str) else content


FILES = dict(
    (
        plain("a.csv", "word,number\n" + "\n".join(f'"wörd, {n}",{n / 2}' for n in range(40))),
        plain("a.tsv", "word\tnumber\n" + "\n".join(f"wörd {n}\t{n / 2}" for n in range(40))),
        plain("a.jsonl", "\n".join(json.dumps(row) for row in ROWS)),
        plain("a.parquet", parquet()),
        plain("a.txt", "to be or nöt to be\n" * 40),
        plain("a.fasta", "".join(f">seq{n} about\nACGT\nTTAA\n" for n in range(20))),
        plain("a.ts", "@problemName x\n@classLabel true a b\n@data\n" + "1.5,2,?:3,4,5:a\n" * 20),
        plain("a.conll", "\n".join("a\tDET\nword\tNOUN\n" for _ in range(20))),
        plain("a.po", 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8"\n\n'
              + "".join(f'#, c-format\nmsgctxt "c"\nmsgid "Open {n}"\nmsgstr "Öffne {n}"\n\n' for n in range(9))),
        plain("a.mo", MO),
        plain("a.tsf", "@attribute series_name string\n@attribute from date\n@attribute n numeric\n@frequency monthly\n"
              "@data\n" + "".join(f"T{n}:2020-01-31 00-00-00:{n}:1,?,3\n" for n in range(20))),
        plain("a.arff", "@relation x\n@attribute a1 numeric\n@attribute 'a 2' real\n@attribute r relational\n"
              "@attribute q numeric\n@end r\n@attribute c {a,'b c'}\n@data\n" + "1,2.5,'1,2\\n3,?','b c'\n" * 20),
        plain("a.fastq", "@r1 x\nACGT\n+\n!!++\n" * 20),
        plain("a.srt", "1\n00:00:01,500 --> 00:00:03,000\nTo be,\nor nöt?\n\n" * 20),
        plain("a.json", json.dumps({"columns": ["word", "n"], "data": [["wörd", n] for n in range(40)]})),
        plain("a.xes", "<log>" + '<trace><string key="concept:name" value="7"/><event><int key="n" value="3"/>'
              '<date key="time:timestamp" value="2024-01-31T12:00:00Z"/></event></trace>\n' * 20 + "</log>"),
        plain("a.conllu", "# text = a\n1-2\tdon't" + "\t_" * 8 + "\n1\tdo" + "\t_" * 8 + "\n2\tn't" + "\t_" * 8 + "\n"),
        plain("a.npy", written(lambda file: np.save(file, np.arange(60.0).reshape(20, 3)))),
        plain("b.npy", written(lambda file: np.save(file, np.array([(1, "ab")] * 20, [("n", int), ("s", "U3")])))),
        plain("a.npz", written(lambda file: np.savez(file, x=np.arange(60.0).reshape(20, 3), y=["a", "b"] * 10))),
        plain("a.arrow", written(lambda file: pl.DataFrame(ROWS).write_ipc(file))),
        plain("a.ipc", written(lambda file: pl.DataFrame(ROWS).write_ipc_stream(file))),
        plain("a.wav", wav()),
    )
)  # fmt: skip


BINARY = ("a.wav", "a.parquet", "a.npy", "b.npy", "a.npz", "a.arrow", "a.ipc")


def read_all(path: Path) -> Any:
    """Read a file by its suffix and everything in it."""
    if ".wav" in path.name:
        return read_sound(path, 8000, 1.0, "record 0", Opening(True))
    return list(readers.read(path))


def damaged(content: bytes, random_: random.Random) -> bytes:
    """One of the ways in which files are damaged: bits, cuts, holes, repeats, foreign bytes."""
    data = bytearray(content)
    for _ in range(random_.choice((1, 1, 3, 20))):
        place, length = random_.randrange(len(data) + 1), random_.choice((1, 1, 4, 30, 300))
        match random_.randrange(7):
            case 0 if place < len(data):
                data[place] ^= 1 << random_.randrange(8)
            case 1:
                del data[place : place + length]
            case 2:
                data[place:place] = data[place : place + length] * random_.choice((1, 5))
            case 3:
                data[place : place + length] = random_.randbytes(length)
            case 4:
                data[place:place] = random_.choice(
                    (b"\0", b'"', b"\r", b"[", b"{", b":", b",", b"\n", b"\xff\xfe", b"nan")
                )
            case 5:
                data[place : place + length] = bytes(len(data[place : place + length]))
            case _:
                del data[place:]
    return bytes(data)


@contextlib.contextmanager
def only_our_errors(what: str) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        raise
    except BaseException as fault:  # polars' PanicException is no Exception
        if not isinstance(fault, DataError) or not str(fault) or "\n" in str(fault):
            raise AssertionError(f"{what}: {type(fault).__name__}: {fault}") from fault
        said = str(fault.__cause__ or "").partition("\n")[0]
        if len(said) > 12 and not isinstance(fault.__cause__, UnrolledError) and said in str(fault):
            raise AssertionError(f"{what}: the words of a library: {fault}") from fault


@pytest.mark.parametrize("name", FILES)
def test_a_whole_file_is_read(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FILES[name])
    assert len(read_all(path)) > 0


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_a_table_or_one_error_of_ours(name: str, tmp_path: Path) -> None:
    path, draw = tmp_path / name, random.Random(name)
    for number in range(200):
        path.write_bytes(damaged(FILES[name], draw))
        with only_our_errors(f"damage {number}"):
            read_all(path)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.txt", "a.po"])
def test_a_damaged_gzip_is_a_table_or_one_error_of_ours(name: str, tmp_path: Path) -> None:
    path, draw, content = tmp_path / f"{name}.gz", random.Random(name), gzip.compress(FILES[name], mtime=0)
    for number in range(200):
        path.write_bytes(damaged(content, draw))
        with only_our_errors(f"damage {number}"):
            read_all(path)


def zipped(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a", content)
    return file.getvalue()


FORMS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: b"\x28\xb5\x2f\xfd\x04\x58" + content,
    ".zip": zipped,
    " empty": lambda content: b"",
    " of blanks": lambda content: b" \n" * 9,
    " of zeros": lambda content: bytes(4096),
    " of noise": lambda content: random.Random(0).randbytes(4096),
    " in UTF-16": lambda content: content.decode(errors="replace").encode("utf-16"),
    " in Latin-1": lambda content: content.decode(errors="replace").encode("latin-1", errors="replace") + b"\xfc",
    " cut": lambda content: content[: len(content) // 2],
}
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", FILES)
def test_any_form_of_a_file_is_a_table_or_one_error_of_ours(name: str, form: str, tmp_path: Path) -> None:
    content = FORMS[form](FILES[name])
    for place in {tmp_path / name, tmp_path / (name + form if form.startswith(".") else name)}:
        place.write_bytes(content)
        with only_our_errors(place.name):
            read_all(place)


@pytest.mark.parametrize("name", [name for name in FILES if name not in (*BINARY, "a.txt")])
def test_gzip_is_unpacked_by_every_reader_of_text(name: str, tmp_path: Path) -> None:
    whole, packed = tmp_path / name, tmp_path / f"{name}.gz"
    whole.write_bytes(FILES[name])
    packed.write_bytes(gzip.compress(FILES[name]))
    one, other = read_all(whole), read_all(packed)
    for record in (*one, *other):
        record.pop("file", None)
    assert one == other


@pytest.mark.parametrize("name", [name for name in FILES if name != "a.wav"])
@pytest.mark.parametrize("form", PACKED)
def test_a_packed_file_under_a_plain_name_is_read_or_called_what_it_is(name: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FORMS[form](FILES[name]))
    if form in (".gz", ".bz2", ".xz") and not name.endswith((".po", ".mo", ".npz", ".arrow", ".ipc")):
        plain = tmp_path / "plain" / name
        plain.parent.mkdir()
        plain.write_bytes(FILES[name])
        assert read_all(path) == read_all(plain)
        return
    if form == ".gz" and name not in (*BINARY, "a.txt"):
        assert read_all(path)
        return
    with pytest.raises(DataError, match=r"gzip|bzip2|xz|zstd|zip|corrupt|a\.[ct]sv|a\.npz"):
        read_all(path)


@pytest.mark.parametrize("deep", ["[" * 100_000, '{"a":' * 100_000])
def test_deep_json_is_one_error_that_names_the_line(deep: str, tmp_path: Path) -> None:
    path = tmp_path / "deep.jsonl"
    path.write_text('{"a": 1}\n' + deep)
    with pytest.raises(DataError, match="line 2"):
        readers.read_jsonl(path)


ODD = [
    '{"a":' + "[" * 600 + "]" * 600 + "}",
    '{"a": 1' + "0" * 400 + "}",
    '{"a": 1' + "0" * 6000 + "}",
    '{"a": "\\ud800"}',
    '{"a": NaN}',
    '{"a": -Infinity}',
    '{"": 1}',
    '{"a": []}',
    '{"a": {}}',
    '{"a": {"b": [{}]}}',
    '{"a": [1, "x", null]}',
    '{"a": true}',
    '{"a": 1e400}',
    '{"\\ud800": 1}',
]


@pytest.mark.parametrize("odd", ODD, ids=lambda line: line[:20])
def test_odd_json_is_a_table_or_one_error_of_ours(odd: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.jsonl"
    for first in ('{"a": 1}', '{"a": "x"}', '{"a": [1.5]}', odd):
        path.write_text(f"{first}\n{odd}\n")
        with only_our_errors(first):
            list(readers.read_jsonl(path))


@pytest.mark.parametrize("read", [readers.read_parquet, readers.scan_parquet])
def test_a_parquet_file_that_is_damaged_in_the_middle_is_named(read: Callable[[Path], Any], tmp_path: Path) -> None:
    path, content = tmp_path / "a.parquet", bytearray(parquet())
    content[8:200] = b"\xff" * 192
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"a\.parquet"):
        list(read(path))
