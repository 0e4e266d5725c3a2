"""Kinds of the columns of a table of text that a sample suggests, and that are tried while the table is read.

Numbers that are read as such take less time and memory than texts that become numbers afterwards. What is tried is
never decided: where a single value of the table does not fit, nothing is returned, and all columns are read as text.
"""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from unrolled.data.cells import typed
from unrolled.data.missing import MARKS

_ROWS = 1000  # of the first sample
_HEAD, _STRETCH = 1 << 18, 1 << 14  # bytes of the first sample and of the others
_STRETCHES = 8


class EarlyKinds(NamedTuple):
    """Names of columns by what they probably hold.

    Args:
        numbers: numbers with decimals.
        wholes: whole numbers, none with a sign or a leading zero.
        codes: whole numbers of which each has a leading zero.
    """

    numbers: list[str]
    wholes: list[str]
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
        piece = read(min(part * size // _STRETCHES, size - _STRETCH), _STRETCH)
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
        >>> early_kinds([pl.DataFrame({"a": ["1.5"], "b": ["12"], "c": ["012"], "d": ["NA"]})])
        EarlyKinds(numbers=['a'], wholes=['b'], codes=['c'])
    """
    found = EarlyKinds([], [], [])
    rows = pl.concat(samples)
    for column in rows.drop(list(texts), strict=False):
        plain = column.drop_nulls()
        kind = typed(plain, MARKS).dtype if len(plain) else pl.Null
        whole = plain.cast(pl.Int64, strict=False).is_not_null().all()
        if kind == pl.Float64 and plain.cast(pl.Float64, strict=False).is_not_null().all():
            found.numbers.append(column.name)
        elif kind == pl.Int64 and whole and not plain.str.contains("^[+-]").any():
            found.wholes.append(column.name)
        elif kind == pl.String and whole and plain.str.contains(r"^[+-]?0\d").all():
            found.codes.append(column.name)
    return found


def read_early(data: Path | bytes, scan: Callable[..., pl.LazyFrame], kinds: EarlyKinds) -> pl.DataFrame | None:
    """Return a table with numbers in the columns that probably hold them; None where one value does not fit.

    Args:
        data: the file, or its bytes.
        scan: opens a file or bytes as text, but for `schema_overrides`.
        kinds: what is tried.
    """
    table = scan(data, schema_overrides=dict.fromkeys(kinds.numbers, pl.Float64))
    written = [pl.col(name) for name in kinds.wholes]
    odd = [(text < "1") & (text.str.len_bytes() > 1) for text in written]  # begins with a zero, a sign or a blank
    odd += [pl.col(name).cast(pl.Int64, strict=False).is_null() & pl.col(name).is_not_null() for name in kinds.codes]
    flags = [f"\0{place}" for place in range(len(odd))]
    try:
        frame = table.with_columns(
            *(flag.alias(name) for flag, name in zip(odd, flags, strict=True)),
            *(text.cast(pl.Int64) for text in written),
            *(pl.col(name).fill_nan(None) for name in kinds.numbers),
        ).collect(engine="streaming")
    except (pl.exceptions.ComputeError, pl.exceptions.InvalidOperationError, pl.exceptions.DuplicateError):
        return None
    return None if any(frame[name].any() for name in flags) else frame.drop(flags)
