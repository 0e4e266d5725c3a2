"""Tables of separated values: CSV, TSV and their many dialects, read as text and then typed over all values."""

import io
import re
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import polars as pl

from unrolled.data.cells import numeric_names, typed_columns, without_blank_lines
from unrolled.data.formats.blanks import single_blanks
from unrolled.data.formats.delimited_faults import (
    SEPARATORS,
    refuse_escaped_quotes,
    refuse_longer_lines,
    refuse_quotes,
    short_lines,
)
from unrolled.data.formats.early_kinds import early_kinds, read_early, samples_of
from unrolled.data.kinds import LONGEST_SHOWN
from unrolled.data.marked import marks_of, without_marks
from unrolled.data.missing import MARKS
from unrolled.data.width import check_width
from unrolled.errors import DataError, OptionError, message

_HEAD = 1 << 16  # bytes that show how lines end
_STAND_INS = ("\x1f", "\x1e", "\x1d", "\x1c", "\x01", "\x02")  # for separators that polars does not take
_WRITTEN = {"\\t": "\t", "tab": "\t"}


@dataclass(frozen=True)
class Dialect:
    r"""How the values of a table of text are written.

    Args:
        separator: characters between values: one, or several such as "::"; "\t" and "tab" stand for a tab. Where the
            first line has several blanks in a row, any number of blanks is one separator " ".
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
        separator = _WRITTEN.get(self.separator, self.separator)
        if separator == self.decimal:
            raise OptionError(message("decimal", expected="another sign than the separator", received=self.decimal,
                                      remedy="such tables mostly have separator=';'"))  # fmt: skip
        return replace(self, separator=separator, missing=marks_of(self.missing))


def parse_delimited(data: Path | bytes, dialect: Dialect) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return a table of separated values, and notes on its lines; the kind of a column is that of all of its values.

    Lines without any value are left out. Where a blank follows every separator, blanks before values are left out.

    Args:
        data: the file, or its bytes in UTF-8.
        dialect: how values are written.

    Raises:
        OptionError: a dialect that cannot be.
        polars.exceptions.PolarsError: a table that cannot be read.
    """
    data, dialect = with_plain_lines(data, dialect)
    check_width(_first_line(data).count(dialect.separator.encode()) + 1, "the first line")
    frame = parse_plain(data, dialect)
    if dialect.header:
        _warn_of_names(frame, dialect)
    if frame.width < 2 or not frame.to_series(-1).null_count():  # a line with too few values lacks the last one
        return frame, ()
    return frame, short_lines(data, dialect.separator, dialect.quote, frame.width)


def parse_plain(data: Path | bytes, dialect: Dialect) -> pl.DataFrame:
    """Return a table as `parse_delimited` does, of what `with_plain_lines` returned, without warnings and notes."""
    separator = dialect.separator
    if len(separator.encode()) > 1:
        data, dialect = _with_stand_in(data, dialect)
    marks = MARKS if dialect.missing is None else tuple(dialect.missing)
    if dialect.quote:
        refuse_escaped_quotes(data, dialect.separator, dialect.quote)
    try:
        frame, texts = _typed_early(data, dialect)
    except pl.exceptions.ComputeError:
        refuse_longer_lines(data, dialect.separator, dialect.quote)
        refuse_quotes(data, dialect.separator, dialect.quote)
        raise
    if dialect.separator != separator:  # within quotes it is part of a text
        frame = frame.with_columns(pl.col(pl.String).str.replace_all(dialect.separator, separator, literal=True))
        frame = frame.rename(lambda name: name.replace(dialect.separator, separator))
    if dialect.header:
        frame.columns = [name.strip().replace('""', '"') if dialect.quote else name.strip() for name in frame.columns]
    else:
        frame.columns = [f"column_{place}" for place in range(1, frame.width + 1)]
    blank = _blank_lines(frame)
    frame = _without_formulas(typed_columns(frame, marks, dialect.decimal, texts))
    return without_blank_lines(frame if dialect.missing is None else without_marks(frame, marks), blank)


def _without_formulas(frame: pl.DataFrame) -> pl.DataFrame:
    """Return a table in which `="007"`, which makes a spreadsheet keep the text 007, is that text."""
    formula = r'^="([^"]*)"$'
    found = [one for one in frame.get_columns() if one.dtype == pl.String and one.str.starts_with('="').any()]
    return frame.with_columns([one.str.replace(formula, "${1}") for one in found]) if found else frame


def _blank_lines(frame: pl.DataFrame) -> pl.Series:
    """Return which lines have no value: they are empty, or blanks that the first column took for a text."""
    first, *rest = frame.get_columns()
    if any(not one.null_count() for one in rest):  # a column has a value in every line: nothing else is looked at
        return pl.repeat(value=False, n=frame.height, dtype=pl.Boolean, eager=True)
    empty = first.is_null()
    if first.dtype == pl.String:
        empty = empty | (first.str.strip_chars() == "")
    if not rest or not empty.any():
        return empty
    rows = empty.arg_true()  # few, mostly
    found = pl.select(pl.all_horizontal([one.gather(rows).is_null() for one in rest])).to_series()
    return empty.scatter(rows, found)


def _warn_of_names(frame: pl.DataFrame, dialect: Dialect) -> None:
    """Warn of a first line that hardly names columns: all numbers, or one name that holds other separators."""
    shown = dialect.separator.join(frame.columns)[:LONGEST_SHOWN]
    if numeric_names(frame.columns):
        warnings.warn(
            f"the first line names the columns, and all names are numbers: {shown}; "
            "if it holds values, give header=False",
            stacklevel=6,
        )
    is_text = frame.width == 1 and frame.height > 0 and frame.dtypes[0] == pl.String
    other = next((sign for sign in SEPARATORS if sign in shown), None) if is_text else None
    if other is not None and frame.select(pl.first().str.contains(other, literal=True).all()).item():
        warnings.warn(
            f"the table has one column, {shown!r}; if {other!r} stands between values, give separator={other!r}",
            stacklevel=6,
        )


def with_plain_lines(data: Path | bytes, dialect: Dialect) -> tuple[Path | bytes, Dialect]:
    r"""Return a table whose lines end in `\n`, and its dialect: a first line such as `sep=;`, of Excel, is followed.

    Raises:
        OptionError: a dialect that cannot be.
    """
    dialect = dialect.checked()
    if isinstance(data, Path):
        with data.open("rb") as file:
            start = file.read(_HEAD)
    else:
        start = data[:_HEAD]
    if b"\r" in start and b"\n" not in start:
        data = start = _whole(data).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if dialect.separator == " ":
        data = single_blanks(data, dialect.quote)
    said = re.match(rb'(?:\xef\xbb\xbf)?"?sep=([^\r\n\x80-\xff])"?\r?\n', start)
    if said:
        return _whole(data)[said.end() :], replace(dialect, separator=said[1].decode()).checked()
    return data, dialect


def _first_line(data: Path | bytes) -> bytes:
    with data.open("rb") if isinstance(data, Path) else io.BytesIO(data) as file:
        return file.readline()


def _whole(data: Path | bytes) -> bytes:
    return data.read_bytes() if isinstance(data, Path) else data


def _typed_early(data: Path | bytes, dialect: Dialect) -> tuple[pl.DataFrame, Collection[str]]:
    """Return the table with columns of numbers where a sample suggests them, and names of columns that stay text."""
    scan = _scanner(dialect)
    samples = samples_of(data, scan)
    names = samples[0].columns
    if len(names) > 1 and dialect.header and all(name.startswith(" ") for name in names[1:]):
        return _without_leading_blanks(scan(data).collect()), dialect.texts
    if len(samples) > 1 and dialect.decimal == "." and dialect.missing is None:
        kinds = early_kinds(samples, dialect.texts)
        found = read_early(data, scan, kinds) if any(kinds) else None
        if found is not None:
            return found, {*dialect.texts, *kinds.codes}
    return scan(data).collect(), dialect.texts


def _scanner(dialect: Dialect) -> Callable[..., pl.LazyFrame]:
    def scan(data: Path | bytes, **options: Any) -> pl.LazyFrame:
        return pl.scan_csv(
            data if isinstance(data, Path) else io.BytesIO(data),
            separator=dialect.separator,
            quote_char=dialect.quote,
            infer_schema=False,
            glob=False,
            **{"has_header": dialect.header, **options},
        )

    return scan


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
