"""Packed files: gzip, bzip2, xz, zstd, and zip archives with one file, unpacked to a file beside."""

import bz2
import gzip
import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from unrolled.data.documents import PACKED
from unrolled.data.spans import size_of
from unrolled.data.unpacked_size import copy_unpacked, most_unpacked, too_large, zstd_bytes
from unrolled.errors import DataError, message, reason

SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd", ".zip": "zip"}
_OPENERS: dict[str, Callable[..., Any]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
_ZIP_FAULTS: dict[type[Exception], str] = {
    RuntimeError: "one with a password",
    NotImplementedError: "one that is packed in an unknown way",
}
_LONGEST_SUFFIX = 20  # characters
_SHOWN = 3  # names of files in a message
_TAR, _TAR_AT = b"ustar", 257  # the mark of an archive, and its place


def packing_of(path: Path) -> str | None:
    """Return how a file is packed, by its first bytes or else its suffix; None if it is not.

    A zip archive counts only if its name says so, because many formats are such archives themselves.

    Args:
        path: the file.

    Raises:
        DataError: it cannot be opened.
    """
    try:
        with path.open("rb") as file:
            start = file.read(max(map(len, PACKED)))
    except OSError as fault:
        received = f"{path} ({reason(fault)})"
        raise DataError(message("file", expected="one that can be read", received=received)) from fault
    by_name = SUFFIXES.get(path.suffix.lower())
    found = next((name for magic, name in PACKED.items() if start.startswith(magic)), by_name)
    return None if found == "zip" and by_name != "zip" else found


def name_inside(name: str) -> str:
    """Return the name of a packed file without the suffix of its packing.

    Example:
        >>> name_inside("prices.csv.gz"), name_inside("prices.csv")
        ('prices.csv', 'prices.csv')
    """
    path = Path(name)
    return path.stem if path.suffix.lower() in SUFFIXES else name


def unpack(path: Path, packing: str, folder: Path) -> Path:
    """Unpack a file into a folder and return the path of what was in it.

    Args:
        path: the packed file.
        packing: its packing, see `packing_of`.
        folder: a folder that is there.

    Raises:
        DataError: a damaged file, one that holds more than `most_unpacked` or is packed twice, an archive with several
            files or a link, or a full disk.
        UnsupportedError: a packing that nothing here unpacks.
    """
    try:
        target = _unzip(path, folder) if packing == "zip" else _unpack_stream(path, packing, folder)
    except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, OSError, pl.exceptions.PolarsError) as fault:
        if isinstance(fault, OSError) and fault.errno is not None:
            raise DataError(message(str(path), expected="room to unpack it", received=reason(fault))) from fault
        raise DataError(
            message(str(path), expected=f"a {packing} file", received=reason(fault, "a damaged one, or another kind"))
        ) from fault
    with target.open("rb") as file:
        start = file.read(_TAR_AT + len(_TAR))
    if start.endswith(_TAR):
        raise _several(path, "a tar archive")
    again = packing_of(target)
    if again is not None:
        received = f"a {again} file in a {packing} file"
        raise DataError(message(str(path), expected="a file that is packed once", received=received))
    return target


def _unpack_stream(path: Path, packing: str, folder: Path) -> Path:
    target = folder / name_inside(path.name)
    with target.open("wb") as file:
        if packing == "zstd":
            _unpack_zstd(path, file)
        else:
            with _OPENERS[packing](path, "rb") as source:
                copy_unpacked(source.read, file.write, path)
    return target


def is_archive(path: Path) -> bool:
    """Return whether a path is a zip archive by its name."""
    return path.suffix.lower() == ".zip" and path.is_file()


def only_member(path: Path) -> str:
    """Return the name of the one file of a zip archive; what a Mac adds beside it does not count.

    Raises:
        DataError: a damaged archive, several files, or a link.
    """
    with _archive(path) as archive:
        files = [one for one in archive.infolist() if not one.is_dir()]
    files = [one for one in files if not one.filename.startswith("__MACOSX/") and not _is_hidden(one.filename)]
    if len(files) != 1:
        shown = ", ".join(one.filename for one in files[:_SHOWN]) + (", ..." if len(files) > _SHOWN else "")
        raise _several(path, f"{len(files)} files ({shown})" if files else "none")
    kind = stat.S_IFMT(files[0].external_attr >> 16)  # the mode, where a Unix wrote the archive
    if kind not in (0, stat.S_IFREG):
        received = "a link" if kind == stat.S_IFLNK else "a device"
        raise DataError(message(str(path), expected="an archive with one file", received=received))
    return files[0].filename


def _is_hidden(name: str) -> bool:
    last = name.replace("\\", "/").rpartition("/")[2]
    return last.startswith(".") and last != ".."


@contextmanager
def _archive(path: Path) -> Generator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except DataError:
        raise
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError, zlib.error) as fault:  # a password too
        raise DataError(
            message(str(path), expected="a zip file", received=_ZIP_FAULTS.get(type(fault), "a damaged one"))
        ) from fault


def _unzip(path: Path, folder: Path) -> Path:
    name = only_member(path)
    target = folder / f"data{Path(name).suffix[:_LONGEST_SUFFIX]}"  # a name may lead out of the folder
    with _archive(path) as archive, archive.open(name) as source, target.open("wb") as file:
        copy_unpacked(source.read, file.write, path)
    return target


def _several(path: Path, received: str) -> DataError:
    remedy = "unpack it first, and give the files or a pattern such as 'folder/*.csv'"
    return DataError(message(str(path), expected="an archive with one file", received=received, remedy=remedy))


def _unpack_zstd(path: Path, file: BinaryIO) -> None:
    """Unpack with a library that is there; polars unpacks lines of text only."""
    if find_spec("pyarrow") is not None:
        with import_module("pyarrow").CompressedInputStream(str(path), "zstd") as source:
            copy_unpacked(source.read, file.write, path)
        return
    with path.open("rb") as packed:  # polars unpacks the whole file at once
        size, most = zstd_bytes(packed), most_unpacked(size_of(path))
    if size > most:
        raise too_large(path, most)
    _write_lines(pl.read_lines(path, glob=False)["line"], file)


def _write_lines(lines: pl.Series, file: BinaryIO) -> None:
    file.writelines(line.encode() + b"\n" for line in lines)
