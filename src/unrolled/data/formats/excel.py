"""Excel's workbooks: one sheet as a table."""

from importlib import import_module
from pathlib import Path
from typing import Unpack

import polars as pl

from unrolled.data.forks import check_fork
from unrolled.data.opened import from_anywhere
from unrolled.data.source import Table, table_of
from unrolled.data.spans import open_file
from unrolled.data.time_words import TimeWords, times_from
from unrolled.errors import DataError, UnsupportedError, message
from unrolled.places import local_path


@from_anywhere(unpacks=False)
def read_excel(
    path: str | Path,
    sheet: str | None = None,
    time: str | None = None,
    group: str | None = None,
    header: bool = True,
    **times: Unpack[TimeWords],
) -> Table:
    """Read a sheet of a workbook; its first row names the columns.

    Args:
        path: the file: .xlsx, .xlsb, .xls or .ods.
        sheet: its name; None = the first one.
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series.
        header: whether the first row names the columns; without, they are column_1, column_2, ...
        times: `day_first`, `time_format`, `unit` and `zone`, as in `TimeOptions`; or `time_form`.

    Raises:
        UnsupportedError: fastexcel is not installed; `pip install 'unrolled[excel]'`.
        DataError: missing, damaged, an empty sheet, or no sheet of that name.
    """
    check_fork()
    place = local_path(path)
    open_file(place).close()
    try:
        library = import_module("fastexcel")
    except ModuleNotFoundError as fault:
        raise UnsupportedError("reading workbooks needs fastexcel; pip install 'unrolled[excel]'") from fault
    try:
        frame = pl.read_excel(place, sheet_name=sheet, has_header=header, infer_schema_length=None)
    except (library.FastExcelError, OSError, ValueError, pl.exceptions.PolarsError) as fault:
        received = str(fault).strip().partition("\n")[0] or "a damaged file"
        raise DataError(message(str(path), expected="a workbook with a filled sheet", received=received)) from fault
    if not header:
        frame.columns = [f"column_{place}" for place in range(1, frame.width + 1)]
    return table_of(frame, path, time, group, times_from(times))
