"""Tables of separated values: CSV, TSV and their many dialects, read as text and then typed over all values."""

import csv
import io
import re
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from unrolled.data.cells import numeric_names, typed_columns
from unrolled.data.kinds import LONGEST_SHOWN, text_of
from unrolled.data.missing import MARKS
from unrolled.errors import DataError, OptionError, message

_HEAD = 1 << 16  # bytes that show how lines end
_SEPARATORS = (";", "\t", "|")  # that a table may have in place of commas
_SAMPLE = 1000  # rows that decide which columns are read as numbers at once
_STAND_INS = ("\x1f", "\x1e", "\x1d", "\x1c", "\x01", "\x02")  # for separators that polars does not take
_MARKS = (str, int, float)
_WRITTEN = {"\\t": "\t", "tab": "\t"}


@dataclass(frozen=True)
class Dialect:
    r"""How the values of a table of text are written.

    Args:
        separator: characters between values: one, or several such as "::"; "\t" and "tab" stand for a tab.
        decimal: sign before the decimals, "." or ","; with "," a point between groups of three digits is left out.
        header: whether the first line names the columns; without, they are column_1, column_2, ...
        quote: character around values that hold separators; None = none.
        missing: texts that stand for a missing value. The default marks count in columns of numbers only; marks that
            are given count in every column.
        texts: names of columns that are text whatever is in them.
    """

    separator: str = ","
    decimal: str = "."
    header: bool = True
    quote: str | None = '"'
    missing: Collection[str] | None = None
    texts: Collection[str] = field(default=())

    def checked(self) -> "Dialect":
        """Return the dialect with written signs replaced.

        Raises:
            OptionError: an empty separator, or a decimal sign that is neither "." nor ",".
        """
        if not isinstance(self.separator, str) or not self.separator or set(self.separator) & {"\n", "\r", '"'}:
            raise OptionError(
                message("separator", expected="one character or a few, such as ',' or '::'", received=self.separator)
            )
        if self.decimal not in (".", ","):
            raise OptionError(message("decimal", expected="'.' or ','", received=self.decimal))
        if not isinstance(self.header, bool):
            raise OptionError(message("header", expected="True or False", received=self.header))
        if isinstance(self.missing, str):
            raise OptionError(message("missing", expected="a list of texts", received=repr(self.missing),
                                      remedy=f"write [{self.missing!r}]"))  # fmt: skip
        if self.missing is not None and not (
            isinstance(self.missing, Collection) and all(isinstance(mark, _MARKS) for mark in self.missing)
        ):
            raise OptionError(message("missing", expected="a list of texts or numbers", received=self.missing))
        separator = _WRITTEN.get(self.separator, self.separator)
        if separator == self.decimal:
            raise OptionError(message("decimal", expected="another sign than the separator", received=self.decimal,
                                      remedy="such tables mostly have separator=';'"))  # fmt: skip
        missing = None if self.missing is None else [text_of(mark) for mark in self.missing]
        return replace(self, separator=separator, missing=missing)


def parse_delimited(data: Path | bytes, dialect: Dialect) -> pl.DataFrame:
    """Return a table of separated values, with the kind of each column decided over all of its values.

    Lines without any value are left out. Where a blank follows every separator, blanks before values are left out.

    Args:
        data: the file, or its bytes in UTF-8.
        dialect: how values are written.

    Raises:
        OptionError: a dialect that cannot be.
        polars.exceptions.PolarsError: a table that cannot be read.
    """
    data, dialect = _with_plain_lines(data, dialect.checked())
    if len(dialect.separator.encode()) > 1:
        data, dialect = _with_stand_in(data, dialect)
    marks = MARKS if dialect.missing is None else tuple(dialect.missing)
    try:
        frame = _typed_early(data, dialect, marks)
    except pl.exceptions.ComputeError:
        _refuse_longer_lines(data, dialect)
        raise
    if dialect.header:
        frame = frame.rename(lambda name: name.strip().replace('""', '"') if dialect.quote else name.strip())
        _warn_of_names(frame, dialect)
    else:
        frame.columns = [f"column_{place}" for place in range(1, frame.width + 1)]
    blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    if dialect.missing is not None:
        text = pl.col(pl.String)
        frame = frame.with_columns(pl.when(~text.is_in(list(marks))).then(text))
    return _without_blank_lines(typed_columns(frame, marks, dialect.decimal, dialect.texts), blank)


def _warn_of_names(frame: pl.DataFrame, dialect: Dialect) -> None:
    """Warn of a first line that hardly names columns: all numbers, or one name that holds other separators."""
    shown = dialect.separator.join(frame.columns)[:LONGEST_SHOWN]
    if numeric_names(frame.columns):
        warnings.warn(
            f"the first line names the columns, and all names are numbers: {shown}; "
            "if it holds values, give header=False",
            stacklevel=6,
        )
    other = next((sign for sign in _SEPARATORS if sign in shown), None) if frame.width == 1 else None
    if other is not None and frame.height and frame.select(pl.first().str.contains(other, literal=True).all()).item():
        warnings.warn(
            f"the table has one column, {shown!r}; if {other!r} stands between values, give separator={other!r}",
            stacklevel=6,
        )


def _with_plain_lines(data: Path | bytes, dialect: Dialect) -> tuple[Path | bytes, Dialect]:
    r"""Replace lines that end in `\r` alone, and follow a first line such as `sep=;`, as Excel writes it."""
    if isinstance(data, Path):
        with data.open("rb") as file:
            start = file.read(_HEAD)
    else:
        start = data[:_HEAD]
    if b"\r" in start and b"\n" not in start:
        data = start = _whole(data).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    said = re.match(rb'(?:\xef\xbb\xbf)?"?sep=([^\r\n])"?\r?\n', start)
    if said:
        return _whole(data)[said.end() :], replace(dialect, separator=said[1].decode())
    return data, dialect


def _whole(data: Path | bytes) -> bytes:
    return data.read_bytes() if isinstance(data, Path) else data


def _refuse_longer_lines(data: Path | bytes, dialect: Dialect) -> None:
    """Refuse a table in which a line has more values than the first one, and say which; else return."""
    text = io.StringIO(_whole(data).decode(errors="replace"), newline="")
    quotes: dict[str, Any] = {"quotechar": dialect.quote} if dialect.quote else {"quoting": csv.QUOTE_NONE}
    lines = csv.reader(text, delimiter=dialect.separator, **quotes)
    try:
        first = next(lines, [])
        width, other = len(first), next((sign for sign in _SEPARATORS if any(sign in name for name in first)), None)
        remedy = "" if other is None else f"if {other!r} stands between values, give separator={other!r}"
        remedy += ", and decimal=',' for numbers such as 1,5" if other == ";" else ""
        for values in lines:
            if len(values) > width:
                raise DataError(message(f"line {lines.line_num}", expected=f"{width} values, as in the first line",
                                        received=f"{len(values)}", remedy=remedy))  # fmt: skip
    except csv.Error:
        return


def _typed_early(data: Path | bytes, dialect: Dialect, marks: Collection[str]) -> pl.DataFrame:
    """Read columns that begin with decimals as numbers at once, which is faster, and everything else as text."""
    read = _reader(data, dialect)
    sample = read(n_rows=_SAMPLE, infer_schema=False)
    spaced = sample.width > 1 and dialect.header and all(name.startswith(" ") for name in sample.columns[1:])
    if spaced:
        return _without_leading_blanks(read(infer_schema=False))
    if dialect.decimal == "." and dialect.missing is None:
        early = [c.name for c in typed_columns(sample, marks) if c.dtype == pl.Float64 and c.name not in dialect.texts]
        kinds = {name: pl.Float64 if name in early else pl.String for name in sample.columns}
        if early:
            try:
                frame = read(schema_overrides=kinds)
            except pl.exceptions.ComputeError:
                return read(infer_schema=False)  # a value that is no number comes later
            return frame.with_columns(pl.col(early).fill_nan(None))
    return read(infer_schema=False)


def _reader(data: Path | bytes, dialect: Dialect) -> Callable[..., pl.DataFrame]:
    def read(**options: Any) -> pl.DataFrame:
        return pl.read_csv(
            data if isinstance(data, Path) else io.BytesIO(data),
            separator=dialect.separator,
            has_header=dialect.header,
            quote_char=dialect.quote,
            glob=False,
            **options,
        )

    return read


def _without_leading_blanks(frame: pl.DataFrame) -> pl.DataFrame:
    first, *rest = frame.columns
    quoted = pl.any_horizontal(pl.col(rest).str.starts_with(' "').any())
    if frame.select(quoted).item():
        raise DataError(
            message("table", expected="quotes right after the separator", received="a blank between them",
                    remedy="leave out the blanks after the separators")
        )  # fmt: skip
    return frame.with_columns(pl.col(rest).str.strip_prefix(" ")).select(first, *rest)


def _with_stand_in(data: Path | bytes, dialect: Dialect) -> tuple[bytes, Dialect]:
    """Replace a separator of several bytes by one that occurs nowhere."""
    raw = _whole(data)
    stand_in = next((sign for sign in _STAND_INS if sign.encode() not in raw), None)
    if stand_in is None:
        raise DataError(message("separator", expected="text without control characters", received="a table with them"))
    return raw.replace(dialect.separator.encode(), stand_in.encode()), replace(dialect, separator=stand_in)


def _without_blank_lines(frame: pl.DataFrame, blank: pl.Series) -> pl.DataFrame:
    """Leave out lines without any value; in a table of one column of numbers only those at the end."""
    if not blank.any():
        return frame
    if frame.width == 1 and frame.dtypes[0] != pl.String and not blank.all():
        return frame.head(int((~blank).arg_true()[-1]) + 1)
    return frame.filter(~blank)
