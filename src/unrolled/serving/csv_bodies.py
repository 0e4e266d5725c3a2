"""Checks on a CSV body before it is parsed: its header, its rows and its cells."""

import csv
import io

from unrolled.errors import DataError, message
from unrolled.serving.bounds import Bounds
from unrolled.serving.errors import Fault

HEADER = 1 << 20  # bytes in which the first line has to end
MARK = b"\xef\xbb\xbf"  # byte order mark of UTF-8; polars looks for compressed data only where a file has none


def check_csv(data: bytes, bounds: Bounds, separator: str = ",") -> None:
    """Refuse a table that is too wide or too long, or has two columns of one name, without parsing its rows.

    Cells are rows times columns, as short rows are filled up to the header. Every line counts as a row, even where it
    is part of a quoted text.

    Args:
        data: what the parser will read: lines that end in a line feed, without a first line that names the separator.
        bounds: of the server.
        separator: of the table.

    Raises:
        Fault: more columns, rows or cells than the bounds.
        DataError: a header that cannot be read, or a name that comes twice.
    """
    names = _header(data, separator)
    if len(names) > bounds.columns:
        raise _too_many(bounds.columns, "columns", len(names))
    again = next((name for place, name in enumerate(names) if name in names[:place]), None)
    if again is not None:
        raise DataError(message("body", expected="columns of different names", received=f"{again[:80]!r} twice"))
    if any('"' in name for name in names):  # readers differ in where such a header ends
        raise DataError(message("body", expected="names of columns without quotes", received="one with a quote"))
    rows = data.count(b"\n") - data.endswith(b"\n")
    if rows > bounds.length:
        raise _too_many(bounds.length, "rows", rows)
    if rows * len(names) > bounds.cells:
        raise _too_many(bounds.cells, "cells", rows * len(names))


def marked(data: bytes) -> bytes:
    """Mark a table as plain text, so that one that looks compressed (gzip, zlib, zstd) is not decompressed.

    Decompressing could turn megabytes into gigabytes, after everything was counted.
    """
    return data if data.startswith(MARK) else MARK + data


def _header(data: bytes, separator: str) -> list[str]:
    try:
        lines = io.StringIO(
            data[:HEADER].decode("utf-8-sig", "strict" if len(data) <= HEADER else "ignore"), newline=""
        )
        return next(csv.reader(lines, delimiter=separator), [])
    except UnicodeDecodeError as error:
        raise DataError(message("body", expected="CSV in UTF-8", received="other bytes")) from error
    except (csv.Error, ValueError, TypeError) as error:  # the latter two for a separator that cannot be
        raise DataError(message("body", expected="CSV, whose first line has names", received="another")) from error


def _too_many(most: int, kind: str, found: int) -> Fault:
    return Fault("length", message("body", expected=f"at most {most:,} {kind}", received=f"{found:,}"))
