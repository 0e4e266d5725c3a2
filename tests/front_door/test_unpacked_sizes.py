"""Packed files unpack to a bounded size, checked while they are unpacked; archives lead nowhere else."""

import bz2
import errno
import gzip
import io
import lzma
import os
import stat
import tempfile
import zipfile

import numpy as np
import pyarrow as pa
import pytest

import unrolled as ur
from unrolled.data import packings
from unrolled.data.unpacked_size import LEAST_BOUND, MOST_BOUND, RATIO, VARIABLE, most_unpacked, zstd_bytes
from unrolled.errors import DataError, OptionError

BOUND = 100_000
TABLE = b"a\n" + b"1\n" * (BOUND // 2 - 1)  # which fits exactly


def zipped(raw, name="a.csv", mode=0):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        part = zipfile.ZipInfo(name)
        part.external_attr = mode << 16
        archive.writestr(part, raw, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def zstd(raw):
    return pa.compress(raw, "zstd", asbytes=True)


PACKERS = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd, ".zip": zipped}


@pytest.fixture
def bounded(tmp_path, monkeypatch):
    """A folder for temporary files, and a small bound."""
    monkeypatch.setenv(VARIABLE, str(BOUND))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return tmp_path / "temporary"


@pytest.mark.parametrize("suffix", PACKERS)
def test_a_packed_file_up_to_the_bound_is_read_and_a_longer_one_refused(suffix, tmp_path, bounded):
    path = tmp_path / f"a.csv{suffix}"
    path.write_bytes(PACKERS[suffix](TABLE))
    assert len(ur.read(path)) == BOUND // 2 - 1
    path.write_bytes(PACKERS[suffix](TABLE + b"1"))
    with pytest.raises(DataError) as caught:
        ur.read(path)
    packed = f"{path.stat().st_size:,} are packed"
    assert f"{path}: expected at most 100,000 bytes when it is unpacked ({packed}), received more" in str(caught.value)
    assert VARIABLE in str(caught.value)
    assert list(bounded.iterdir()) == []


def test_zstd_is_bounded_before_it_is_unpacked_by_a_library_that_unpacks_all_at_once(tmp_path, bounded, monkeypatch):
    monkeypatch.setattr(packings, "find_spec", lambda name: None)
    monkeypatch.setenv(VARIABLE, str(2 * BOUND))  # a block counts as 131,072 bytes
    (tmp_path / "a.csv.zst").write_bytes(zstd(TABLE[: BOUND // 4]))
    assert len(ur.read(tmp_path / "a.csv.zst")) == BOUND // 8 - 1
    (tmp_path / "a.csv.zst").write_bytes(zstd(b"1\n" * 10 * BOUND))
    with pytest.raises(DataError, match="at most 200,000 bytes"):
        ur.read(tmp_path / "a.csv.zst")


@pytest.mark.parametrize("size", [0, 1, 1000, 1 << 17, (1 << 17) + 1, 1_000_000])
@pytest.mark.parametrize("letters", ["one", "random", "text"])
def test_the_heads_of_zstd_never_say_too_little(size, letters):
    raw = {"one": b"a" * size, "random": os.urandom(size), "text": b"to be or not " * (size // 13 + 1)}[letters][:size]
    skipped = (0x184D2A53).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"abc"
    packed = zstd(raw)
    found = zstd_bytes(io.BytesIO(packed))
    assert size <= found <= size + (1 << 17)
    assert zstd_bytes(io.BytesIO(packed + skipped + packed)) == 2 * found


def test_arrays_in_an_archive_and_parallel_texts_are_bounded_too(tmp_path, bounded):
    np.savez_compressed(tmp_path / "a.npz", x=np.zeros((2, 5_000)), y=np.zeros(2 * BOUND))
    assert len(ur.read_npz(tmp_path / "a.npz", arrays=["x"])) == 2
    with pytest.raises(DataError, match=r"a\.npz: expected at most 100,000 bytes"):
        ur.read_npz(tmp_path / "a.npz")
    (tmp_path / "a.en.gz").write_bytes(gzip.compress(b"a\n" * BOUND))
    with pytest.raises(DataError, match=r"a\.en\.gz: expected at most 100,000 bytes"):
        ur.read_parallel(tmp_path / "a.en.gz", tmp_path / "a.en.gz")


@pytest.mark.parametrize("kind", ["|S0", "<U0", "|V0"])
@pytest.mark.parametrize("read", ["npy", "npz"])
def test_empty_texts_of_which_a_header_may_say_any_number_are_refused(kind, read):
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': (10000000000,), }}".encode().ljust(117) + b"\n"
    raw = b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head
    with pytest.raises(DataError, match="expected texts, received 10,000,000,000 empty ones"):
        ur.read_npy(raw) if read == "npy" else ur.read_npz(zipped(raw, "x.npy"))


def test_the_bound_grows_with_the_file_between_two_limits_and_a_variable_replaces_it(monkeypatch):
    sizes = [0, LEAST_BOUND // RATIO, 2_000_000, 10**9, 10**15]
    assert [most_unpacked(size) for size in sizes] == [LEAST_BOUND, LEAST_BOUND, 5 * 10**8, MOST_BOUND, MOST_BOUND]
    monkeypatch.setenv(VARIABLE, "10")
    assert most_unpacked(10**9) == 10
    for wrong in ("10 GB", "-1", "1e9", "9" * 30):
        monkeypatch.setenv(VARIABLE, wrong)
        with pytest.raises(OptionError, match="UNROLLED_UNPACKED_BYTES: expected a whole number of bytes"):
            most_unpacked(1)


NAMES = ["../x.csv", "/etc/x.csv", "..\\x.csv", "C:\\x.csv", "..", "a/../../x.csv", "x\n.csv", "é" * 200 + ".csv", "~"]


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_file_in_an_archive_leads_nowhere(name, tmp_path, bounded):
    (tmp_path / "a.zip").write_bytes(zipped(b"a\n1\n", name))
    before = sorted(tmp_path.rglob("*"))
    assert list(ur.read_csv(tmp_path / "a.zip")) == [{"a": 1}]
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("mode", "words"), [(stat.S_IFLNK, "a link"), (stat.S_IFCHR, "a device"), (stat.S_IFIFO, "a device")]
)
def test_a_link_or_a_device_in_an_archive_is_refused(mode, words, tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped(b"/etc/passwd", "a.csv", mode | 0o777))
    with pytest.raises(DataError, match=f"an archive with one file, received {words}"):
        ur.read(tmp_path / "a.zip")
    (tmp_path / "a.zip").write_bytes(zipped(b"a\n1\n", "a.csv", stat.S_IFREG | 0o600))
    assert len(ur.read(tmp_path / "a.zip")) == 1


@pytest.mark.parametrize("inner", [".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("outer", PACKERS)
def test_a_file_that_is_packed_twice_is_refused(outer, inner, tmp_path, bounded):
    raw = PACKERS[inner](b"a\n1\n")
    packed = zipped(raw, f"a.csv{inner}") if outer == ".zip" else PACKERS[outer](raw)
    (tmp_path / f"a.csv{outer}").write_bytes(packed)
    with pytest.raises(DataError, match="a file that is packed once, received a"):
        ur.read_csv(tmp_path / f"a.csv{outer}")
    assert list(bounded.iterdir()) == []


def test_a_text_that_begins_like_a_packed_one_is_read_as_text(tmp_path):
    (tmp_path / "a.csv").write_bytes("xڇ,b\n1,2\n".encode())  # the mark of zlib, which polars unpacks
    assert list(ur.read(tmp_path / "a.csv")) == [{"xڇ": 1, "b": 2}]


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(packings, "copy_unpacked", full)
    for suffix, pack in PACKERS.items():
        (tmp_path / f"a.csv{suffix}").write_bytes(pack(b"a\n1\n"))
        with pytest.raises(DataError, match="room to unpack it, received No space left on device"):
            ur.read(tmp_path / f"a.csv{suffix}")
