"""Columns of file names: which suffix is what, and where a name leads from the table that holds it."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from unrolled.data.source import Source, Table

SUFFIXES = {
    "sound": (".wav", ".flac", ".ogg", ".mp3", ".opus", ".aif", ".aiff", ".au", ".caf", ".w64"),
    "picture": (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".tif", ".tiff"),
    "film": (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v"),
}


def kind_of(name: object) -> str | None:
    """What a file name stands for by its suffix: "sound", "picture", "film", or None.

    Example:
        >>> kind_of("birds/wren.WAV"), kind_of("wren")
        ('sound', None)
    """
    suffix = Path(name).suffix.lower() if isinstance(name, str | Path) else ""
    return next((kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes), None)


def kind_of_all(names: Sequence[object]) -> str | None:
    """The one kind that all names stand for; None where they differ, or where one is no file name."""
    kinds = {kind_of(name) for name in names}
    return kinds.pop() if len(kinds) == 1 else None


def find_files(source: Source) -> Source:
    """The source with its file names as they lead from the working directory.

    A table says where files are as seen from itself: a relative name is looked for in the table's folder first. Where
    nothing is there, the name stays as it is.

    Args:
        source: records; only a `Table` that was read from a file knows its folder.
    """
    folder = source.folder if isinstance(source, Table) else None
    if not isinstance(source, Table) or folder is None:
        return source
    texts = [name for name, kind in source.frame.schema.items() if kind == pl.String]
    named = [name for name in texts if kind_of(source.frame[name].drop_nulls().first())]
    for name in named:
        places = [_place(folder, value) for value in source.frame[name]]
        source = source.with_column(pl.Series(name, places, dtype=pl.String))
    return source


def _place(folder: Path, name: str | None) -> str | None:
    beside = folder / name if name else None
    return name if beside is None or not beside.is_file() else str(beside)
