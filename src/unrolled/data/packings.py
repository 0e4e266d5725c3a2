"""Packed files: gzip, bzip2, xz, zstd, and zip archives with one file, unpacked to a file beside."""

import bz2
import gzip
import lzma
import shutil
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
from unrolled.errors import DataError, message

BLOCK_BYTES = 1 << 20
SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "zstd", ".zip": "zip"}
_OPENERS: dict[str, Callable[..., Any]] = {"gzip": gzip.open, "bzip2": bz2.open, "xz": lzma.open}
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
        received = f"{path} ({fault.strerror or fault})"
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
        DataError: a damaged file, an archive with several files, or a packing that nothing here unpacks.
        OSError: the disk.
    """
    target = folder / name_inside(path.name)
    try:
        if packing == "zip":
            return _unzip(path, folder)
        if packing == "zstd":
            _unpack_zstd(path, target)
        else:
            with _OPENERS[packing](path, "rb") as source, target.open("wb") as file:
                shutil.copyfileobj(source, file, BLOCK_BYTES)
    except (gzip.BadGzipFile, EOFError, zlib.error, lzma.LZMAError, OSError, pl.exceptions.PolarsError) as fault:
        if isinstance(fault, OSError) and fault.errno is not None:
            raise
        raise DataError(message(str(path), expected=f"a {packing} file", received=str(fault))) from fault
    with target.open("rb") as file:
        if file.read(_TAR_AT + len(_TAR)).endswith(_TAR):
            raise _several(path, "a tar archive")
    return target


def is_archive(path: Path) -> bool:
    """Return whether a path is a zip archive by its name."""
    return path.suffix.lower() == ".zip" and path.is_file()


def only_member(path: Path) -> str:
    """Return the name of the one file of a zip archive; what a Mac adds beside it does not count.

    Raises:
        DataError: a damaged archive, or several files.
    """
    with _archive(path) as archive:
        names = [one.filename for one in archive.infolist() if not one.is_dir()]
    names = [name for name in names if not name.startswith("__MACOSX/") and not Path(name).name.startswith(".")]
    if len(names) != 1:
        shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
        raise _several(path, f"{len(names)} files ({shown})" if names else "none")
    return names[0]


@contextmanager
def _archive(path: Path) -> Generator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, zlib.error) as fault:  # RuntimeError: a password
        raise DataError(message(str(path), expected="a zip file", received=str(fault))) from fault


def _unzip(path: Path, folder: Path) -> Path:
    name = only_member(path)
    target = folder / Path(name).name
    with _archive(path) as archive, archive.open(name) as source, target.open("wb") as file:
        shutil.copyfileobj(source, file, BLOCK_BYTES)
    return target


def _several(path: Path, received: str) -> DataError:
    remedy = "unpack it first, and give the files or a pattern such as 'folder/*.csv'"
    return DataError(message(str(path), expected="an archive with one file", received=received, remedy=remedy))


def _unpack_zstd(path: Path, target: Path) -> None:
    """Unpack with a library that is there; polars unpacks lines of text only."""
    with target.open("wb") as file:
        if find_spec("pyarrow") is not None:
            with import_module("pyarrow").CompressedInputStream(str(path), "zstd") as source:
                shutil.copyfileobj(source, file, BLOCK_BYTES)
            return
        _write_lines(pl.read_lines(path, glob=False)["line"], file)


def _write_lines(lines: pl.Series, file: BinaryIO) -> None:
    file.writelines(line.encode() + b"\n" for line in lines)
