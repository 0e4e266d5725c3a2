"""The number of columns of a table: time and memory grow with it, also where the columns are empty."""

from pathlib import Path

from unrolled.errors import DataError, message

MOST_COLUMNS = 100_000  # each takes some 0.2 milliseconds and a kilobyte, whatever is in it


def check_width(columns: int, path: str | Path) -> None:
    """Refuse a table of more columns than one is read with.

    Args:
        columns: their number.
        path: for error messages.

    Raises:
        DataError: more than 100,000.

    Example:
        >>> check_width(20_000, "genes.csv")
    """
    if columns > MOST_COLUMNS:
        remedy = "swap rows and columns, or save it with numpy.save as an array, for read_npy"
        expected = f"at most {MOST_COLUMNS:,} columns"
        raise DataError(message(str(path), expected=expected, received=f"{columns:,}", remedy=remedy))
