"""A folder of sounds, pictures or films, with one subfolder per label, as a table of file names."""

from collections.abc import Collection
from pathlib import Path

import polars as pl

from unrolled.data.files import SUFFIXES, kind_of
from unrolled.data.opened import suffix_of
from unrolled.data.source import Table
from unrolled.errors import DataError, message, unknown
from unrolled.places import local_path


def read_folder(path: str | Path, kind: str | None = None) -> Table:
    """Read the names of a folder's files: columns `file` and `label`, the name of the subfolder.

    A folder without subfolders gives `file` alone, for new data without labels. Nothing is opened; names that start
    with a dot, and files of other kinds, are left out.

    Args:
        path: the folder; `voices/anna/hello.wav` has the label anna, however deep below `anna` it is.
        kind: "sound", "picture" or "film"; None = the only kind there is.

    Raises:
        DataError: no folder, no such file in it, several kinds, or files both with and without a label.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("anna/hello.wav", "ben/hello.wav", "ben/notes.txt"):
        ...     (folder / name).parent.mkdir(exist_ok=True)
        ...     (folder / name).touch()
        >>> [(Path(record["file"]).name, record["label"]) for record in read_folder(folder)]
        [('hello.wav', 'anna'), ('hello.wav', 'ben')]
    """
    if kind is not None and kind not in SUFFIXES:
        raise unknown("kind", kind, SUFFIXES)
    place = local_path(path)
    if not place.is_dir():
        raise DataError(message("folder", expected="a folder", received=str(path)))
    kinds = {file: kind_of(file) for file in files_in(place)}
    present = sorted({found for found in kinds.values() if found is not None})
    if kind is None and len(present) > 1:
        remedy = f"say kind={present[0]!r}"
        raise DataError(message(str(path), expected="files of one kind", received=" and ".join(present), remedy=remedy))
    files = [file for file, found in kinds.items() if found is not None and found == (kind or found)]
    if not files:
        raise DataError(
            message(str(path), expected=f"at least one {kind or 'sound, picture or film'}", received="none")
        )
    labels = [file.relative_to(place).parts[0] if file.parent != place else None for file in files]
    columns = {"file": list(map(str, files)), "label": labels}
    if None in labels:
        if any(labels):
            loose, remedy = files[labels.index(None)], "put it into the subfolder of its label"
            raise DataError(message("folder", expected="a label for every file", received=str(loose), remedy=remedy))
        del columns["label"]
    return Table(pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String)))


def holds_media(path: Path) -> bool:
    """Return whether a folder contains at least one sound, picture or film."""
    return any(kind_of(file) for file in files_in(path))


def files_of_tables(path: Path, suffixes: Collection[str]) -> list[Path]:
    """Return the tables of a folder; none unless it holds nothing else, but for files of a program such as `_SUCCESS`.

    Args:
        path: the folder; files in its subfolders count.
        suffixes: those of tables.
    """
    files = [file for file in files_in(path) if not file.name.startswith("_")]
    return files if all(suffix_of(file) in suffixes for file in files) else []


def files_in(folder: Path) -> list[Path]:
    """Return every file below a folder, in order; hidden ones are left out."""
    found = (file for file in folder.rglob("*") if file.is_file())
    return sorted(file for file in found if not any(p.startswith(".") for p in file.relative_to(folder).parts))
