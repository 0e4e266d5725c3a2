"""Readers of files of any usual kind. Every error is one sentence that names the file."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from unrolled.data.documents import KINDS, Documents, in_utf8, plain_suffix, refuse_packed, whole_text
from unrolled.data.forks import check_fork
from unrolled.data.formats.catalogues import holds_catalogues, read_po
from unrolled.data.formats.folders import holds_media, read_folder
from unrolled.data.formats.parquet import ParquetStream
from unrolled.data.formats.registry import FORMATS
from unrolled.data.in_memory import frame_of
from unrolled.data.source import Source, Table
from unrolled.data.spans import unreadable
from unrolled.errors import DataError, message, unknown
from unrolled.places import local_path

Place = str | Path
DEEPEST = 16  # nested lists or objects; a column's type takes ever longer to make with each level


def read_csv(
    path: Place,
    time: str | None = None,
    group: str | None = None,
    separator: str = ",",
    header: bool = True,
    encoding: str | None = None,
) -> Table:
    """Read comma-separated values; quotes protect commas and line breaks.

    Args:
        path: the file; `.gz` is unpacked.
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series.
        separator: one character between values.
        header: whether the first line names the columns; without, they are column_1, column_2, ...
        encoding: such as "cp1252"; None = UTF-8, or what a byte order mark says.

    Raises:
        DataError: missing, empty, damaged or in another encoding.
    """
    return _table(_csv(path, encoding, separator=separator, has_header=header), path, time, group)


def read_tsv(
    path: Place,
    time: str | None = None,
    group: str | None = None,
    header: bool = True,
    encoding: str | None = None,
) -> Table:
    """Read tab-separated values; quotes are ordinary characters, because texts may contain single ones.

    Args:
        path: the file; `.gz` is unpacked.
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series.
        header: whether the first line names the columns; without, they are column_1, column_2, ...
        encoding: such as "cp1252"; None = UTF-8, or what a byte order mark says.

    Raises:
        DataError: missing, empty, damaged or in another encoding.
    """
    return _table(_csv(path, encoding, separator="\t", has_header=header, quote_char=None), path, time, group)


def read_jsonl(path: Place, time: str | None = None, group: str | None = None, encoding: str | None = None) -> Table:
    """Read one JSON object per line; lists become sequences.

    Args:
        path: the file; `.gz` is unpacked.
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series.
        encoding: such as "latin1"; None = UTF-8, or what a byte order mark says.

    Raises:
        DataError: missing, empty, or a line that is no JSON object; the message gives its number.
    """
    records = []
    for number, line in enumerate(whole_text(local_path(path), encoding).split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as fault:
            raise DataError(message(f"{path}, line {number}", expected="JSON", received=str(fault))) from fault
        if not isinstance(record, dict):
            raise DataError(message(f"{path}, line {number}", expected="a JSON object", received=type(record).__name__))
        if _deep(record):
            expected = f"at most {DEEPEST} nested lists or objects"
            raise DataError(message(f"{path}, line {number}", expected=expected, received="more"))
        records.append(record)
    return _table(frame_of(records), path, time, group)


def _deep(record: dict[str, Any]) -> bool:
    level: list[Any] = [record]
    for _ in range(DEEPEST):
        level = [
            child
            for value in level
            for child in (value.values() if isinstance(value, dict) else value)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def read_parquet(path: Place, time: str | None = None, group: str | None = None) -> Table:
    """Read Parquet into memory; see `scan_parquet` for larger files.

    Raises:
        DataError: missing or no Parquet.
    """
    return _table(_polars(pl.read_parquet, path), path, time, group)


def scan_parquet(path: Place) -> ParquetStream:
    """Read Parquet lazily, in batches of rows, so that memory stays constant.

    Raises:
        DataError: missing or no Parquet.
    """
    return ParquetStream(local_path(path))


def read_text(path: Place, kind: str | None = None, column: str = "text", encoding: str | None = None) -> Documents:
    """Read plain text lazily.

    Args:
        path: a file, or a folder of which each file ending in .txt (or each file, if none does) is one text.
        kind: "document" (the file is one text), "lines" (each line is one); a folder is always "files".
        column: name of the text column.
        encoding: such as "cp1252"; None = UTF-8, or what a byte order mark says.

    Raises:
        OptionError: an encoding that is unknown, or in which characters cannot be found from the middle of a text.
        DataError: missing or empty; text in another encoding is refused when it is read.
    """
    if kind is not None and kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    place = local_path(path)
    if place.is_dir():
        files = sorted(file for file in place.rglob("*") if file.is_file() and not file.name.startswith("."))
        chosen = [file for file in files if file.suffix == ".txt"] or files
        if not chosen:
            raise DataError(message("folder", expected="at least one file", received=f"{place} (empty)"))
        return Documents(chosen, "files", column, encoding)
    return Documents([place], kind or "document", column, encoding)


_BY_SUFFIX: dict[str, Callable[..., Source]] = {
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".tab": read_tsv,
    ".jsonl": read_jsonl,
    ".ndjson": read_jsonl,
    ".parquet": read_parquet,
    ".txt": read_text,
    **{suffix: form.read for form in FORMATS.values() for suffix in form.suffixes},
}
_LONG = {read_csv, read_tsv, read_jsonl, read_parquet, *(form.read for form in FORMATS.values() if form.tables)}


def read(path: Place, time: str | None = None, group: str | None = None) -> Source:
    """Read a file by its suffix; a folder as names of its sounds, pictures or films, as its catalogues, or as texts.

    Args:
        path: the file; a last `.gz` does not count as the suffix.
        time: for tables in long format, the column of timestamps.
        group: for tables in long format, the column that identifies the series.

    Raises:
        DataError: an unknown suffix, or an error of the reader.
    """
    place = local_path(path)
    if place.is_dir():
        if holds_media(place):
            return read_folder(place)
        return read_po(place) if holds_catalogues(place) else read_text(place)
    suffix = plain_suffix(place)
    reader = _BY_SUFFIX.get(suffix)
    if reader is None:
        raise unknown("file type", suffix or str(place), _BY_SUFFIX, DataError)
    if reader in _LONG:
        return reader(place, time=time, group=group)
    return reader(place)


def as_source(data: Any, y: Any = None, time: str | None = None, group: str | None = None) -> Source:
    """Convert the user's data to a Source.

    Args:
        data: a Source; a table of polars, pandas or pyarrow; a list of records; a mapping of columns; or sequences: a
            list of texts, of arrays (T,) or (T, F) of unequal lengths, or one array (B, T) or (B, T, F). They become
            the column "x", or "x_0", "x_1", ... for several features.
        y: one target per sequence; becomes the column "y".
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series.

    Raises:
        DataError: data that cannot be read as sequences, or `data` and `y` of different lengths.

    Example:
        >>> as_source(["to be", "or not"], [1, 0]).columns
        ['x', 'y']
    """
    check_fork()
    if isinstance(data, str | Path):
        local_path(data, "data")
    if isinstance(data, Source):
        if y is None:
            return data if time is None else _table(_frame(data), None, time, group)
        return _table(frame_of(list(data), y), None, time, group)
    return _table(frame_of(data, y), None, time, group)


def _frame(source: Source) -> pl.DataFrame:
    return source.frame if isinstance(source, Table) else frame_of(list(source))


def _table(frame: pl.DataFrame, path: Place | None, time: str | None, group: str | None) -> Table:
    if not frame.height or not frame.width:
        raise DataError(message(str(path or "data"), expected="at least one row", received="none"))
    table = Table(frame, time=time, group=group)
    table.folder = None if path is None else Path(path).parent
    return table


def _csv(path: Place, encoding: str | None, **options: Any) -> pl.DataFrame:
    frame = _polars(pl.read_csv, path, encoding, infer_schema_length=None, **options)
    if not options["has_header"]:
        frame.columns = [f"column_{place}" for place in range(1, frame.width + 1)]
    return frame


def _polars(
    reader: Callable[..., pl.DataFrame], path: Place, encoding: str | None = None, **options: Any
) -> pl.DataFrame:
    check_fork()
    place = local_path(path)
    refuse_packed(place, unpacked=() if reader is pl.read_parquet else ("gzip", "zstd"))
    try:
        return reader(place if reader is pl.read_parquet else in_utf8(place, encoding), **options)
    except OSError as fault:
        raise unreadable(place, fault) from fault
    except pl.exceptions.NoDataError as fault:
        raise DataError(message(str(place), expected="at least one row", received="an empty file")) from fault
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
        _refuse_other_encodings(place)
        raise DataError(
            message(str(place), expected="a readable table", received=str(fault).strip().splitlines()[0])
        ) from fault


def _refuse_other_encodings(path: Path) -> None:
    if path.suffix not in (".gz", ".parquet"):
        whole_text(path)
