"""Kinds of the columns of a table of text that a sample suggests, and that are tried while the table is read.

Numbers that are read as such take less time and memory than texts that become numbers afterwards. What is tried is
never decided: where a single value of the table does not fit, nothing is returned, and all columns are read as text.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl
from polars.selectors import by_name

from unrolled.data.cells import typed_columns

_ROWS = 1000  # of the first sample
_HEAD, _STRETCH = 1 << 18, 1 << 14  # bytes of the first sample and of the others
_STRETCHES = 8


class EarlyKinds(NamedTuple):
    """Names of columns by what they probably hold.

    Args:
        numbers: numbers with decimals.
        wholes: whole numbers, none with a sign or a leading zero.
        signed: whole numbers, some with a minus sign, none with a leading zero.
        codes: whole numbers of which each has a leading zero.
    """

    numbers: list[str]
    wholes: list[str]
    signed: list[str]
    codes: list[str]


def samples_of(data: Path | bytes, scan: Callable[..., pl.LazyFrame]) -> list[pl.DataFrame]:
    """Return the first rows of a table, and some from places at equal distances.

    Lines of the latter may be cut where a quoted value holds line breaks; samples that do not fit are left out.

    Args:
        data: the file, or its bytes.
        scan: opens a file or bytes as text.

    Raises:
        polars.exceptions.PolarsError: first rows that cannot be read.
    """
    head, *others = _stretches(data)
    try:
        samples = [scan(head, n_rows=_ROWS).collect()]
    except pl.exceptions.PolarsError:  # the first rows are longer
        samples = [scan(data, n_rows=_ROWS).collect()]
    for one in others:
        try:
            rows = scan(one, has_header=False).collect()
        except pl.exceptions.PolarsError:
            continue
        if rows.width == samples[0].width:
            rows.columns = samples[0].columns
            samples.append(rows)
    return samples


def _stretches(data: Path | bytes) -> list[bytes]:
    """Return whole lines from the start of a file, and from places at equal distances."""
    if isinstance(data, bytes):
        size, read = len(data), lambda start, length: data[start : start + length]
    else:
        size, read = data.stat().st_size, lambda start, length: _piece(data, start, length)
    head = read(0, _HEAD)
    found = [head if len(head) == size else head[: head.rfind(b"\n") + 1]]
    for part in range(1, _STRETCHES + 1) if size > _HEAD else ():
        piece = read(max(0, min(part * size // _STRETCHES, size - _STRETCH)), _STRETCH)
        found.append(piece[piece.find(b"\n") + 1 : piece.rfind(b"\n") + 1])
    return found


def _piece(path: Path, start: int, length: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(length)


def early_kinds(samples: Sequence[pl.DataFrame], texts: Collection[str] = ()) -> EarlyKinds:
    """Return what columns probably hold; columns with marks of missing values are left out.

    Args:
        samples: rows of the table, from several places, all of text.
        texts: names of columns that are left out.

    Example:
        >>> early_kinds([pl.DataFrame({"a": ["1.5"], "b": ["12"], "c": ["012"], "d": ["x"]})])
        EarlyKinds(numbers=['a'], wholes=['b'], signed=[], codes=['c'])
    """
    kept = set(texts)
    rows = pl.concat(samples)
    rows = pl.DataFrame([one for one in rows if one.name not in kept and one.null_count() < rows.height])
    kinds = typed_columns(rows)
    plain = [one for one, text in zip(kinds, rows, strict=True) if one.null_count() == text.null_count()]
    integers = rows.select(by_name(*[one.name for one in plain if one.dtype == pl.Int64]))
    codes = [one.name for one in plain if one.dtype == pl.String]
    wholes = _all_of(integers, r"^\d")
    return EarlyKinds(
        [one.name for one in plain if one.dtype == pl.Float64],
        wholes,
        _all_of(integers.drop(wholes), r"^-?[1-9]|^0$"),
        _all_of(rows.select(by_name(*codes)), r"^[+-]?0\d{1,17}$"),
    )


def _all_of(rows: pl.DataFrame, pattern: str) -> list[str]:
    """Return the names of columns in which every value that is there has a pattern."""
    held = rows.select(pl.all().str.contains(pattern).all()).row(0) if rows.width else ()
    return [name for name, one in zip(rows.columns, held, strict=True) if one]


def read_early(data: Path | bytes, scan: Callable[..., pl.LazyFrame], kinds: EarlyKinds) -> pl.DataFrame | None:
    """Return a table with numbers in the columns that probably hold them; None where one value does not fit.

    Args:
        data: the file, or its bytes.
        scan: opens a file or bytes as text, but for `schema_overrides`.
        kinds: what is tried.
    """
    table = scan(data, schema_overrides=dict.fromkeys(kinds.numbers, pl.Float64))
    numbers, wholes, signed, codes = (by_name(*names) for names in kinds)
    odd = {}  # whether any value of a row does not fit
    if kinds.wholes:  # zeros, signs and blanks come before "1"
        odd["\0wholes"] = pl.any_horizontal((wholes < "1") & (wholes.str.len_bytes() > 1))
    if kinds.signed:  # after "-1" and before "-:" are a minus sign and a digit that is no zero
        below = (signed < "1") & (signed.str.len_bytes() > 1)
        odd["\0signed"] = pl.any_horizontal(below & ((signed < "-1") | (signed >= "-:")))
    if kinds.codes:  # which fails where a value is no whole number
        odd["\0codes"] = pl.any_horizontal(codes.cast(pl.Int64).is_null() & codes.is_not_null())
    columns = [by_name(*kinds.wholes, *kinds.signed).cast(pl.Int64), numbers.fill_nan(None)]
    try:
        frame = table.with_columns(*columns, **odd).collect(engine="streaming")
    except (pl.exceptions.ComputeError, pl.exceptions.InvalidOperationError, pl.exceptions.DuplicateError):
        return None
    return None if any(frame[name].any() for name in odd) else frame.drop(list(odd))
