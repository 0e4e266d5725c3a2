"""The UCR archive's tables: one series per line, its label first, values after it."""

from pathlib import Path

import polars as pl

from unrolled.data.documents import whole_text
from unrolled.data.formats.blanks import words
from unrolled.data.formats.numbers import MISSING, number, numbers
from unrolled.data.lists import list_column
from unrolled.data.opened import from_anywhere
from unrolled.data.source import Table
from unrolled.errors import DataError, message
from unrolled.places import local_path


@from_anywhere()
def read_ucr(path: str | Path, encoding: str | None = None) -> Table:
    r"""Read one series per line, the label first: columns `dim_0`, a list of numbers, and `label`, a text.

    Values are separated by tabs, as in the archive of 2018, or by commas or blanks, as in those before. A label that is
    a whole number is written like one: `1`, not `1.0000000e+00`. `NaN`, `?` and an empty place between tabs or commas
    are missing values; those at the end of a line are left out, because the archive fills shorter series with them.

    Args:
        path: the file: .tsv, .txt, .csv, or without a suffix; `.gz` is unpacked.
        encoding: such as "latin1"; None = UTF-8, or what a byte order mark says.

    Raises:
        DataError: missing, empty, or a value that is no number; the message names the line.

    Source: https://www.cs.ucr.edu/~eamonn/time_series_data_2018.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "toy_TRAIN.tsv"
        >>> _ = file.write_text("1\t.5\t.7\n-1\t2\tNaN\n")
        >>> list(read_ucr(file))
        [{'dim_0': [0.5, 0.7], 'label': '1'}, {'dim_0': [2.0], 'label': '-1'}]
    """
    labels, series = [], []
    for line, text in enumerate(whole_text(local_path(path), encoding).split("\n"), 1):
        if not text.strip():
            continue
        word, *values = _fields(text)
        if not values or not word:
            expected = "a label and values, between tabs, commas or blanks"
            raise DataError(message(f"{path}, line {line}", expected=expected, received=repr(text[:40])))
        plain = "," not in "".join(values)
        found = numbers(",".join(values), path, line) if plain else [number(value, path, line) for value in values]
        while found and found[-1] is None:
            found.pop()
        labels.append(None if word.lower() in MISSING else _plain(word))
        series.append(found)
    columns = {"dim_0": list_column(series, pl.Float64), "label": pl.Series(labels, dtype=pl.String)}
    return Table(pl.DataFrame(columns))


def _fields(text: str) -> list[str]:
    """Return the label and the values of a line; between tabs and commas, an empty place is a missing value."""
    sign = next((sign for sign in ("\t", ",") if sign in text.strip(" ")), None)
    return words(text) if sign is None else [field.strip() for field in text.split(sign)]


def _plain(label: str) -> str:
    try:
        value = float(label)
    except ValueError:
        return label
    return str(int(value)) if value.is_integer() else label
