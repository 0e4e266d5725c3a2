"""NumPy's files: `.npy` with one array, `.npz` with several by name."""

import datetime as dt
import sys
import warnings
import zipfile
import zlib
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import polars as pl

from unrolled.data.contents import ARRAY
from unrolled.data.documents import refuse_packed
from unrolled.data.in_memory import FEW_CELLS
from unrolled.data.opened import from_anywhere
from unrolled.data.source import Table
from unrolled.data.spans import open_file, size_of
from unrolled.data.unpacked_size import most_unpacked, too_large
from unrolled.errors import DataError, InputError, message, unknown
from unrolled.places import local_path

MOST_FEATURES = 10_000  # a table of more columns than that would take more memory than its file
_MAGIC = b"\x93NUMPY"


@from_anywhere()
def read_npy(path: str | Path) -> Table:
    """Read one array: (N, T) gives N series in column `x`, (N, T, F) gives x_0, x_1, ...; (T,) is a single series.

    An array with named fields gives a column per field. Arrays of Python objects are refused: to read them would run
    code from the file.

    Args:
        path: the file.

    Raises:
        DataError: missing, damaged, or an array of objects or of another number of axes.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "waves.npy"
        >>> np.save(file, [[1.0, 2.0], [3.0, 4.0]])
        >>> list(read_npy(file))
        [{'x': [1.0, 2.0]}, {'x': [3.0, 4.0]}]
    """
    place = local_path(path)
    refuse_packed(place, own=ARRAY)
    with open_file(place) as file:
        start = file.read(len(_MAGIC))
    if start != _MAGIC:
        raise DataError(message(str(path), expected="an array of NumPy (.npy)", received="a file of another kind"))
    try:
        with _quiet():
            mapped = np.load(place, mmap_mode="r", allow_pickle=False)  # a mapping is never larger than its file
            array = np.array(_sized("the array", mapped, path))
    except InputError:
        raise
    except (OSError, ValueError, EOFError, SyntaxError, TokenError, TypeError, OverflowError, MemoryError) as fault:
        raise _damaged(path, fault) from fault
    table = _table(array, path)
    rest = size_of(place) - (mapped.offset + mapped.nbytes if isinstance(mapped, np.memmap) else size_of(place))
    if rest:
        table.notes = (f"the file goes on for {rest:,} bytes after its array, which are not read",)
    return table


def _table(array: np.ndarray, path: str | Path) -> Table:
    if array.dtype.names is not None:
        columns = [column for name in array.dtype.names for column in _columns(name, array[name], path)]
        return Table(pl.DataFrame(columns))
    if array.ndim == 1 and array.dtype.kind not in "US":
        array = array.reshape(1, -1)  # a single series
    return Table(pl.DataFrame(_columns("x", array, path)))


@from_anywhere(unpacks=False)
def read_npz(path: str | Path, arrays: Sequence[str] | None = None) -> Table:
    """Read arrays of one length as columns by their names: (N,) values, (N, T) series, (N, T, F) columns of features.

    Args:
        path: the file.
        arrays: names of the arrays to read, such as ["x_train", "y_train"]; None = all.

    Raises:
        OptionError: a name that is not there.
        DataError: missing, damaged, more bytes than a packed file may hold, arrays of objects, or arrays of different
            lengths.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "waves.npz"
        >>> np.savez(file, x=[[1.0, 2.0], [3.0, 4.0]], y=["up", "down"])
        >>> list(read_npz(file))
        [{'x': [1.0, 2.0], 'y': 'up'}, {'x': [3.0, 4.0], 'y': 'down'}]
    """
    place = local_path(path)
    refuse_packed(place, unpacked=("zip",))
    try:
        with zipfile.ZipFile(place) as archive:
            sizes = {one.filename.removesuffix(".npy"): one.file_size for one in archive.infolist()}
        with open_file(place) as file, _quiet(), np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
            names = archive.files if arrays is None else list(arrays)
            missing = next((name for name in names if name not in archive.files), None)
            if missing is not None:
                raise unknown("arrays", missing, archive.files)
            most = most_unpacked(size_of(place))
            if sum(sizes.get(name, 0) for name in names) > most:
                raise too_large(place, most)
            found = {name: np.asarray(_sized(name, archive[name], path)) for name in names}
    except InputError:
        raise
    except (OSError, ValueError, EOFError, KeyError, SyntaxError, TokenError, TypeError, OverflowError, MemoryError,
            NotImplementedError, RuntimeError, zipfile.BadZipFile, zlib.error) as fault:  # fmt: skip
        raise _damaged(path, fault) from fault
    lengths = {name: len(array) if array.ndim else 0 for name, array in found.items()}
    if len(set(lengths.values())) != 1:
        shown = ", ".join(f"{name} {found[name].shape}" for name in list(lengths)[:8]) or "none"
        remedy = f"choose some with arrays=, such as arrays={_alike(lengths)}"
        raise DataError(message(str(path), expected="arrays of one length", received=shown, remedy=remedy))
    columns = [column for name, array in found.items() for column in _columns(name, array, path)]
    return Table(pl.DataFrame(columns))


@contextmanager
def _quiet() -> Generator[None]:
    """Leave out NumPy's remark about headers that Python 2 wrote; they are read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


def _sized(name: str, found: Any, path: str | Path) -> Any:
    """Return an array; one of empty texts, of which a file may say any number, is bounded."""
    if isinstance(found, np.ndarray) and not found.dtype.itemsize and found.size > FEW_CELLS:
        raise DataError(message(str(path), expected="texts", received=f"{found.size:,} empty ones in {name}"))
    return found


def _alike(lengths: dict[str, int]) -> list[str]:
    """Return the names of the longest arrays of one length."""
    longest = max(lengths.values(), default=0)
    return [name for name, length in lengths.items() if length == longest]


def _columns(name: str, array: np.ndarray, path: str | Path) -> list[pl.Series]:
    """Return an array as one column, or as one per feature."""
    if array.dtype.kind not in "biufUSMm" or array.ndim not in (1, 2, 3) or not array.size:
        expected = "an array (N,), (N, T) or (N, T, F) of numbers, texts or times"
        received = f"{name} {array.shape} of {'objects' if array.dtype.kind == 'O' else array.dtype}"
        raise DataError(message(str(path), expected=expected, received=received))
    if array.ndim > 2 and array.shape[2] > MOST_FEATURES:
        expected = f"at most {MOST_FEATURES:,} features"
        raise DataError(message(str(path), expected=expected, received=f"{name} {array.shape}"))
    if array.dtype.kind == "S":
        array = np.char.decode(array, "latin1")
    elif array.dtype.kind == "U":
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("="))
        codes = array.view(np.uint32) if array.dtype.itemsize else np.zeros(1, np.uint32)
        if codes.max() > sys.maxunicode or np.any((codes >= 0xD800) & (codes < 0xE000)):
            raise DataError(message(str(path), expected="texts", received=f"{name} with bytes that are no letters"))
    elif array.dtype.kind == "M":
        years = array.astype("datetime64[Y]").astype(np.int64)[~np.isnat(array)] + 1970  # NumPy's year 0
        if years.size and (years.min() < dt.MINYEAR or years.max() > dt.MAXYEAR):
            expected = f"times of the years {dt.MINYEAR} to {dt.MAXYEAR}"
            raise DataError(message(str(path), expected=expected, received=f"one of {years.max()} in {name}"))
        array = array.astype("datetime64[us]")
    elif array.dtype.kind == "m":
        array = array / np.timedelta64(1, "s")  # durations are seconds everywhere
    elif array.dtype.kind == "f":
        array = array.astype(np.float64 if array.dtype.itemsize > 4 else np.float32)  # in the machine's byte order
    elif array.dtype.kind in "iu":
        array = array.astype(array.dtype.newbyteorder("="))
    if array.ndim == 1:
        return [pl.Series(name, array)]
    if array.ndim == 2:
        return [_lists(name, array)]
    return [_lists(f"{name}_{place}", array[:, :, place]) for place in range(array.shape[2])]


def _lists(name: str, array: Any) -> pl.Series:
    rows, steps = array.shape
    if not steps:
        return pl.Series(name, [[]] * rows, dtype=pl.List(pl.Float64))
    flat = pl.Series(name, np.ascontiguousarray(array).reshape(-1))
    return flat.reshape((rows, steps)).arr.to_list()


def _damaged(path: str | Path, fault: Exception) -> DataError:
    if "pickle" in str(fault) or "object" in str(fault).lower():
        remedy = "save numbers or texts; to read objects would run code from the file"
        return DataError(message(str(path), expected="arrays of numbers", received="Python objects", remedy=remedy))
    return DataError(message(str(path), expected="arrays of NumPy", received="a damaged file"))
