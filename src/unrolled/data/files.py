"""Columns of file names: the kind of file of each suffix, and names relative to the folder of their table."""

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
    """Return the kind of a file by its suffix: "sound", "picture", "film", or None.

    Example:
        >>> kind_of("birds/wren.WAV"), kind_of("wren")
        ('sound', None)
    """
    suffix = Path(name).suffix.lower() if isinstance(name, str | Path) else ""
    return next((kind for kind, suffixes in SUFFIXES.items() if suffix in suffixes), None)


def kind_of_all(names: Sequence[object]) -> str | None:
    """Return the common kind of all names; None if they differ, or if one is no file name."""
    kinds = {kind_of(name) for name in names}
    return kinds.pop() if len(kinds) == 1 else None


def find_files(source: Source) -> Source:
    """Return the source with file names relative to the working directory.

    File names in a table are relative to the table: each is looked up in the table's folder first. If nothing is
    there, the name stays unchanged.

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
