"""Excel's workbooks: one sheet as a table."""

import datetime as dt
import logging
from collections.abc import Collection
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import polars as pl

from unrolled.data.cells import typed, typed_columns, without_blank_lines
from unrolled.data.contents import WORKBOOK, refuse_content
from unrolled.data.forks import check_fork
from unrolled.data.formats.workbook_size import check_workbook
from unrolled.data.handed import tidy
from unrolled.data.opened import from_anywhere
from unrolled.data.source import Table, table_of
from unrolled.data.spans import open_file
from unrolled.data.time_words import TimeWords, times_from
from unrolled.errors import DataError, InputError, OptionError, UnsupportedError, message, reason, unknown
from unrolled.places import local_path

_UNNAMED = "__UNNAMED__"  # fastexcel's name of a column without one
_DAY_ZERO = (dt.date(1899, 12, 31), dt.date(1899, 12, 30), dt.date(1904, 1, 1))  # of a time of day
_MOST_EXACT = 2.0**53  # whole numbers that a cell holds exactly
_SHOWN = 8  # names in a sentence


@from_anywhere(unpacks=False)
def read_excel(
    path: str | Path,
    sheet: str | None = None,
    time: str | None = None,
    group: str | None = None,
    header: bool = True,
    missing: Collection[str | float] | None = None,
    **times: Unpack[TimeWords],
) -> Table:
    """Read a sheet of a workbook; its first filled row names the columns.

    A column of numbers and marks such as NA is one of numbers; other mixtures are texts. Cells with errors such as #N/A
    are missing. Formulas give the results that are stored with them. The table's `notes` say which of several sheets
    was read, which columns have no name, and whether formulas have no result.

    Args:
        path: the file: .xlsx, .xlsb, .xls or .ods.
        sheet: its name; None = the first one.
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series.
        header: whether the first row names the columns; without, they are column_1, column_2, ...
        missing: texts and numbers that stand for a missing value in every column, such as [-9999].
        times: `day_first`, `time_format`, `unit` and `zone`, as in `TimeOptions`; or `time_form`.

    Raises:
        UnsupportedError: fastexcel is not installed; `pip install 'unrolled[excel]'`.
        OptionError: no sheet of that name.
        DataError: missing, damaged, an empty sheet, or a workbook that holds more than a packed file may.
    """
    check_fork()
    place = local_path(path)
    with open_file(place):
        refuse_content(place, (WORKBOOK,), text=True)
    try:
        library = import_module("fastexcel")
    except ModuleNotFoundError as fault:
        raise UnsupportedError("reading workbooks needs fastexcel; pip install 'unrolled[excel]'") from fault
    logging.getLogger("fastexcel").setLevel(logging.ERROR)  # it warns of every empty column
    unsolved = check_workbook(place)
    try:
        book = library.read_excel(place)
        found = _Sheet(library, book, _chosen(book.sheet_names, sheet), header)
        frame, notes = found.table()
    except DataError as fault:
        raise DataError(f"{path}, {fault}") from fault
    except InputError:
        raise
    except (library.FastExcelError, OSError, ValueError, pl.exceptions.PolarsError) as fault:
        received = reason(fault, "a damaged one, or none")
        raise DataError(message(str(path), expected="a workbook with a filled sheet", received=received)) from fault
    except BaseException as fault:
        if type(fault).__name__ != "PanicException":  # of Rust, which fastexcel does not export
            raise
        raise DataError(message(str(path), expected="a workbook that can be read", received="a damaged one")) from fault
    if not frame.height or not frame.width:
        rest = [name for name in book.sheet_names if name != found.name]
        remedy = f"choose another with sheet=, such as sheet={rest[0]!r}" if rest else ""
        received = f"none in sheet {found.name!r}"
        raise DataError(message(str(path), expected="at least one row", received=received, remedy=remedy))
    table = table_of(frame, path, time, group, times_from(times), missing)
    if sheet is None and len(book.sheet_names) > 1:
        shown = ", ".join(map(repr, book.sheet_names[1 : _SHOWN + 1]))
        notes.insert(0, f"sheet {found.name!r} is read; further sheets are {shown}")
    if unsolved:
        notes.append(f"{unsolved:,} formulas have no stored result and are missing; save the workbook in a spreadsheet")
    table.notes = tuple(notes)
    return table


def _chosen(names: list[str], sheet: str | None) -> str:
    if sheet is None:
        if not names:
            raise DataError(message("workbook", expected="at least one sheet", received="none"))
        return names[0]
    if not isinstance(sheet, str):
        raise OptionError(message("sheet", expected="the name of a sheet", received=sheet))
    if sheet not in names:
        raise unknown("sheet", sheet, names)
    return sheet


class _Sheet(NamedTuple):
    """A sheet of an open workbook.

    Args:
        library: fastexcel.
        book: its reader.
        name: of the sheet.
        header: whether its first row names the columns.
    """

    library: Any
    book: Any
    name: str
    header: bool

    def _load(self, **options: Any) -> pl.DataFrame:
        header = 0 if self.header else None
        return self.book.load_sheet(
            self.name, **{"header_row": header, "schema_sample_rows": None, **options}
        ).to_polars()

    def table(self) -> tuple[pl.DataFrame, list[str]]:
        """Return the rows with kinds as everywhere else, and notes."""
        try:
            frame = self._load()
        except self.library.CalamineCellError:  # a column of errors alone
            frame = typed_columns(self._load(dtypes="string"))
        except self.library.UnsupportedColumnTypeCombinationError as fault:
            column = str(fault).partition("\n")[2].rpartition("for column ")[2].strip()
            raise DataError(message(f"column {column!r}", expected="cells of one kind", received="several")) from fault
        blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series() if frame.width else pl.Series([])
        frame = tidy(pl.DataFrame([self._kind(column) for column in frame]))
        notes: list[str] = []
        if not self.header:
            frame.columns = [f"column_{place}" for place in range(1, frame.width + 1)]
        elif any(name.startswith(_UNNAMED) for name in frame.columns):
            frame, notes = self._named(frame)
        if self.header:
            frame = frame.rename(str.strip)
        return without_blank_lines(frame, blank) if frame.width else frame, notes

    def _named(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
        """Return the table with names that are no texts, such as dates; columns without name and value are left out."""
        first = self._load(header_row=None, n_rows=1, dtypes="string").row(0)
        names: dict[str, str] = {}
        bare: list[str] = []
        for place, name in enumerate(frame.columns):
            written = first[place] if name.startswith(_UNNAMED) and place < len(first) else name
            if written is None and frame[name].null_count() == frame.height:
                continue
            if written is None:
                bare.append(_free(f"column_{place + 1}", {*frame.columns, *names.values()}))
            names[name] = bare[-1] if written is None else written.removesuffix(" 00:00:00")
        notes = []
        if bare:
            notes.append(f"columns without a name in the first row are called {', '.join(bare[:_SHOWN])}")
        return frame.select(list(names)).rename(names), notes

    def _kind(self, values: pl.Series) -> pl.Series:
        if values.null_count() == len(values):
            return values.cast(pl.Null)
        if isinstance(values.dtype, pl.Datetime) and values.drop_nulls().dt.date().is_in(_DAY_ZERO).all():
            return values.dt.time()
        if isinstance(values.dtype, pl.Datetime):
            return values.cast(pl.Date) if (values.dt.time() == dt.time()).all() else values
        if values.dtype == pl.Float64:
            whole = values.fill_null(0.0)
            exact = bool((whole == whole.floor()).all()) and float(whole.abs().max()) < _MOST_EXACT  # type: ignore[arg-type]
            return values.cast(pl.Int64) if exact else values
        return typed(values) if values.dtype == pl.String and self._is_mixed(values.name) else values

    def _is_mixed(self, column: str) -> bool:
        """Return whether a column of texts has other cells than texts."""
        try:
            self._load(use_columns=[column], dtype_coercion="strict")
        except self.library.UnsupportedColumnTypeCombinationError:
            return True
        return False


def _free(name: str, taken: set[str]) -> str:
    """Return a name for a column that none has."""
    while name in taken:
        name += "_"
    return name
