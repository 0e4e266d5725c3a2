"""Readers of files of any usual kind. Every error is one sentence that names the file."""

import os
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, TypeVar, Unpack

import polars as pl

from unrolled.data.contents import PARQUET, content_of_suffix, refused_content
from unrolled.data.documents import KINDS, Documents, in_utf8, refuse_packed, whole_bytes, whole_text
from unrolled.data.forks import check_fork
from unrolled.data.formats.catalogues import holds_catalogues, read_po
from unrolled.data.formats.delimited import Dialect, parse_delimited
from unrolled.data.formats.folders import files_of_tables, holds_media, read_folder
from unrolled.data.formats.json_lines import parse_json_lines
from unrolled.data.formats.parquet import ParquetStream
from unrolled.data.formats.parquet_size import check_parquet
from unrolled.data.formats.registry import FORMATS
from unrolled.data.handed import Handed
from unrolled.data.in_memory import frame_of, hand_in
from unrolled.data.marked import marks_of, without_marks
from unrolled.data.opened import Anywhere, from_anywhere, places_of, shown_place, suffix_of
from unrolled.data.source import Source, Table, as_table, table_of
from unrolled.data.spans import unreadable
from unrolled.data.time_forms import TimeForm
from unrolled.data.time_options import TimeOptions
from unrolled.data.time_words import TimeWords, times_from
from unrolled.data.utf8_copies import with_units
from unrolled.errors import DataError, OptionError, message, reason, unknown
from unrolled.places import local_path

Place = str | Path
Found = TypeVar("Found")


@from_anywhere()
def read_csv(
    path: Place,
    time: str | None = None,
    group: str | None = None,
    *,
    separator: str = ",",
    decimal: str = ".",
    header: bool = True,
    missing: Collection[str | float] | None = None,
    texts: Collection[str] = (),
    encoding: str | None = None,
    **times: Unpack[TimeWords],
) -> Table:
    r"""Read comma-separated values; quotes protect commas and line breaks.

    The kind of a column is decided over all of its values. Whole numbers with a leading zero, such as 007, are texts.
    Lines without any value are left out.

    Args:
        path: the file; `.gz` is unpacked.
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series.
        separator: characters between values: one, or a few such as "::".
        decimal: sign before the decimals, "." or ",".
        header: whether the first line names the columns; without, they are column_1, column_2, ...
        missing: texts and numbers that stand for a missing value in every column, such as [-9999]. By default NA, n/a,
            - and the like do so in columns of numbers only.
        texts: names of columns that are text whatever is in them.
        encoding: such as "cp1252"; None = UTF-8, or what a byte order mark says.
        times: `day_first`, `time_format`, `unit` and `zone`, as in `TimeOptions`; or `time_form`.

    Raises:
        DataError: missing, empty, damaged or in another encoding.
        OptionError: a separator or decimal sign that cannot be.

    Example:
        >>> import pathlib, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = pathlib.Path(folder) / "prices.csv"
        ...     _ = path.write_text("shop;price\n007;1,5\n012;n/a\n")
        ...     list(read_csv(path, separator=";", decimal=","))
        [{'shop': '007', 'price': 1.5}, {'shop': '012', 'price': None}]
    """
    dialect = Dialect(separator, decimal, header, missing=marks_of(missing), texts=texts)
    frame, notes = _delimited(path, dialect, encoding)
    return table_of(frame, path, time, group, times_from(times), notes=notes)


@from_anywhere()
def read_tsv(
    path: Place,
    time: str | None = None,
    group: str | None = None,
    *,
    decimal: str = ".",
    header: bool = True,
    missing: Collection[str | float] | None = None,
    texts: Collection[str] = (),
    encoding: str | None = None,
    **times: Unpack[TimeWords],
) -> Table:
    """Read tab-separated values; quotes are ordinary characters, because texts may contain single ones.

    Args:
        path: the file; `.gz` is unpacked.
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series.
        decimal: sign before the decimals, "." or ",".
        header: whether the first line names the columns; without, they are column_1, column_2, ...
        missing: texts and numbers that stand for a missing value in every column, as in `read_csv`.
        texts: names of columns that are text whatever is in them.
        encoding: such as "cp1252"; None = UTF-8, or what a byte order mark says.
        times: `day_first`, `time_format`, `unit` and `zone`, as in `TimeOptions`; or `time_form`.

    Raises:
        DataError: missing, empty, damaged or in another encoding.
    """
    dialect = Dialect("\t", decimal, header, quote=None, missing=marks_of(missing), texts=texts)
    frame, notes = _delimited(path, dialect, encoding)
    return table_of(frame, path, time, group, times_from(times), notes=notes)


@from_anywhere()
def read_jsonl(
    path: Place,
    time: str | None = None,
    group: str | None = None,
    encoding: str | None = None,
    missing: Collection[str | float] | None = None,
    **times: Unpack[TimeWords],
) -> Table:
    """Read one JSON object per line; lists become sequences.

    Args:
        path: the file.
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series.
        encoding: such as "latin1"; None = UTF-8, or what a byte order mark says.
        missing: texts and numbers that stand for a missing value in every column, such as [-9999].
        times: `day_first`, `time_format`, `unit` and `zone`, as in `TimeOptions`; or `time_form`.

    Raises:
        DataError: missing, empty, or a line that is no JSON object; the message gives its number.
    """
    place = local_path(path)
    frame = parse_json_lines(whole_bytes(place, table=True), place, encoding)
    return table_of(frame, path, time, group, times_from(times), missing)


@from_anywhere()
def read_parquet(
    path: Place,
    time: str | None = None,
    group: str | None = None,
    missing: Collection[str | float] | None = None,
    **times: Unpack[TimeWords],
) -> Table:
    """Read Parquet into memory; see `scan_parquet` for larger files.

    Args:
        path: the file.
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series.
        missing: texts and numbers that stand for a missing value in every column, such as [-9999].
        times: `day_first`, `time_format`, `unit` and `zone`, as in `TimeOptions`; or `time_form`.

    Raises:
        DataError: missing or no Parquet.
    """

    def whole(place: Path) -> pl.DataFrame:
        check_parquet(place)
        return pl.read_parquet(place, glob=False)

    return table_of(_polars(whole, path), path, time, group, times_from(times), missing)


@from_anywhere()
def scan_parquet(path: Place) -> ParquetStream:
    """Read Parquet lazily, in batches of rows, so that memory stays constant.

    Raises:
        DataError: missing or no Parquet.
    """
    return ParquetStream(local_path(path))


@from_anywhere()
def read_text(path: Place, kind: str | None = None, column: str = "text", encoding: str | None = None) -> Documents:
    """Read plain text lazily.

    Args:
        path: a file, or a folder of which each file ending in .txt (or each file, if none does) is one text.
        kind: "document" (the file is one text), "lines" (each line is one); a folder is always "files".
        column: name of the text column.
        encoding: such as "cp1252"; None = UTF-8, or what a byte order mark says. Files in encodings in which characters
            cannot be found from the middle of a text, such as "cp932", are copied in UTF-8 to a temporary folder.

    Raises:
        OptionError: an unknown encoding.
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
        return _documents(chosen, "files", column, encoding)
    return _documents([place], kind or "document", column, encoding)


def _documents(paths: Sequence[Path], kind: str, column: str, encoding: str | None) -> Documents:
    for path in paths:
        refuse_packed(path)
    files = [with_units(path, encoding) for path in paths]
    (found, *_) = (kept for _, kept in files)
    return Documents([path for path, _ in files], kind, column, found)


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


def read(
    path: Anywhere,
    time: str | None = None,
    group: str | None = None,
    missing: Collection[str | float] | None = None,
    **times: Unpack[TimeWords],
) -> Source:
    """Read a file by its suffix; a folder as names of its sounds, pictures or films, as catalogues, tables or texts.

    Args:
        path: the file; a pattern such as "data/*.csv", or a list of files, which are one table together; an address
            such as https://host/prices.csv or s3://bucket/prices.csv; or an open file with a name. A suffix of a
            packed file, such as `.gz` or `.zip`, does not count. The tables of a folder without a `.txt` are one table.
        time: for tables in long format, the column of timestamps.
        group: for tables in long format, the column that identifies the series.
        missing: texts and numbers that stand for a missing value in every column; texts are then read into memory.
        times: `day_first`, `time_format`, `unit` and `zone` of that column of timestamps, as in `TimeOptions`; or
            `time_form`, the form of another table.

    Raises:
        OptionError: options of times for a file that is no table.
        DataError: an unknown suffix, files of several kinds, or an error of the reader.
    """
    places = places_of(path)
    if len(places) == 1 and isinstance(places[0], str | os.PathLike) and Path(places[0]).is_dir():
        place = local_path(places[0])
        if holds_media(place):
            return as_source(read_folder(place), missing=missing)
        if holds_catalogues(place):
            return as_source(read_po(place), missing=missing)
        tables = files_of_tables(place, [suffix for suffix, reader in _BY_SUFFIX.items() if reader in _LONG])
        if not tables:
            return as_source(read_text(place), missing=missing)
        places = list(tables)
    suffixes = list(dict.fromkeys(map(suffix_of, places)))
    readers = [_BY_SUFFIX.get(suffix) for suffix in suffixes]
    if None in readers:
        unread = suffixes[readers.index(None)]
        content = content_of_suffix(unread)
        if content is not None:
            raise refused_content(shown_place(places[suffixes.index(unread)]), content)
        found = unknown("file type", unread or shown_place(places[0]), _BY_SUFFIX, DataError)
        raise DataError(f"{found}; or choose the reader: ur.read_csv(path), and --format csv on the command line")
    if len(set(readers)) > 1:
        received = ", ".join(suffixes)
        raise DataError(message("path", expected="files of one kind", received=received, remedy="read each by itself"))
    (reader, *_) = readers
    given = places[0] if len(places) == 1 else places
    assert reader is not None
    if reader in _LONG:
        return reader(given, time=time, group=group, missing=missing, **times)
    refused = [name for name, value in times.items() if value is not None and name != "time_form"]
    if refused:
        expected = f"a table, as {refused[0]} is given"
        raise OptionError(message("path", expected=expected, received=f"a file ending in {suffixes[0]}"))
    return as_source(reader(given), missing=missing)


def as_source(
    data: Any,
    y: Any = None,
    time: str | None = None,
    group: str | None = None,
    missing: Collection[str | float] | None = None,
    **times: Unpack[TimeWords],
) -> Source:
    """Convert the user's data to a Source.

    Args:
        data: a Source; a table of polars, pandas, pyarrow or of any library that passes on Arrow tables, arrays or
            frames; a list or generator of records (dictionaries, dataclasses, named tuples, models with `model_dump`);
            a mapping of columns; or sequences: a list of texts, of arrays (T,) or (T, F) of unequal lengths, or one
            array or tensor (B, T) or (B, T, F). They become the column "x", or "x_0", "x_1", ... for several features.
            A Series is a column "x" of single values. An index of times becomes a column, named as the index or
            "time", and so do named indexes and every level of several.
        y: one target per sequence; becomes the column "y".
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series; an index of times is then the time.
        missing: texts and numbers that stand for a missing value in every column, such as [-9999]; a column of texts
            that are all numbers but for them becomes numbers. A model keeps them.
        times: how the times of that column are read: `day_first`, `time_format`, `unit` and `zone`, as in
            `TimeOptions`; or `time_form`, the form of another table.

    Raises:
        DataError: data that cannot be read as sequences, or `data` and `y` of different lengths.

    Example:
        >>> as_source(["to be", "or not"], [1, 0]).columns
        ['x', 'y']
    """
    check_fork()
    if isinstance(data, str | Path):
        local_path(data, "data")
    marks = marks_of(missing)
    if isinstance(data, Source) and y is None:
        data = data if marks is None else _marked(as_table(data), marks)
        given = times_from(times) if times or not isinstance(data, Table) else data.times
        if time is None:
            return data if not times else _timed(data, data.time, data.group, given)
        return _timed(data, time, group, given)
    handed = hand_in(list(data) if isinstance(data, Source) else data, y)
    return source_of(handed, time, group, times_from(times), missing)


def _marked(table: Table, marks: tuple[str, ...]) -> Table:
    """Return a table in which further marks are missing values."""
    found = table.around(without_marks(table.frame, marks, retyped=table.spelling is None))
    found.marks = marks
    return found


def source_of(
    handed: Handed,
    time: str | None = None,
    group: str | None = None,
    times: TimeOptions | TimeForm | None = None,
    missing: Collection[str | float] | None = None,
) -> Table:
    """Return what was handed in as a source; see `as_source` for its options, and `Table` for `times`.

    Raises:
        DataError: no row.
    """
    table = table_of(handed.frame, None, time or (handed.time if group is not None else None), group, times, missing)
    table.indexed, table.row_labels = (handed.time, handed.group), handed.labels
    return table


def _timed(source: Source, time: str | None, group: str | None, times: TimeOptions | TimeForm | None) -> Table:
    """Return a source as a table with a column of times."""
    if not isinstance(source, Table):
        return table_of(frame_of(list(source)), None, time, group, times)
    table = table_of(source.frame, None, time, group, times)
    table.marks, table.decimal = source.marks, source.decimal
    if source.spelling is not None:
        table.spelling = source.spelling.after(lambda again: _timed(again, time, group, times))
    return table


def _delimited(path: Place, dialect: Dialect, encoding: str | None) -> tuple[pl.DataFrame, tuple[str, ...]]:
    def read(place: Path) -> tuple[pl.DataFrame, tuple[str, ...]]:
        raw = in_utf8(place, encoding)
        try:
            return parse_delimited(raw, dialect)
        except DataError as fault:
            whole_text(place, encoding)  # which refuses other encodings, whose lines are no lines
            raise DataError(f"{path}, {fault}") from fault

    return _polars(read, path, text=True)


def _polars(reader: Callable[[Path], Found], path: Place, text: bool = False) -> Found:
    check_fork()
    place = local_path(path)
    refuse_packed(place, own="" if text else PARQUET, text=text)
    try:
        return reader(place)
    except OSError as fault:
        raise unreadable(place, fault) from fault
    except pl.exceptions.NoDataError as fault:
        raise DataError(message(str(place), expected="at least one row", received="an empty file")) from fault
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as fault:
        if text:
            whole_text(place)  # which refuses other encodings
        raise DataError(message(str(place), expected="a readable table", received=reason(fault))) from fault
