"""Counts of the parts of JSON lines, found in the bytes alone, and of the parts of the table that was read from them.

polars reads JSON fast and checks numbers, but it writes any other value as text where a column is text, leaves out
keys that it does not know, and takes the first of two equal keys. Each of these makes two of these counts differ.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

_BLOCK = 1 << 18  # bytes looked at together, which fit in the cache of a core
_QUOTE, _COLON, _OPENS, _CLOSES, _BRACKET = b'":{}['
_BLANKS = np.frombuffer(b" \t", dtype=np.uint8)
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")  # half of a character that takes two escapes
_WHOLE = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}")


class Counts(NamedTuple):
    """Parts of JSON lines or of a table.

    Args:
        members: keys with a value; in a table, values of columns and fields that are not missing.
        strings: texts that are values.
        lists: lists at every depth.
    """

    members: int
    strings: int
    lists: int


def count_tokens(data: bytes) -> Counts | None:
    r"""Return the counts of valid JSON lines; None where they cannot be told from the bytes alone.

    That is so where a blank stands after a text, and where half of a character is escaped, which polars reads as zero.

    Args:
        data: lines that end in a line feed.

    Example:
        >>> count_tokens(b'{"a": ["x", "\\""], "b": 1}\n')
        Counts(members=2, strings=2, lists=1)
    """
    members = strings = lists = 0
    for raw in _blocks(data):
        block = _signs(raw)
        quotes = np.flatnonzero(block == _QUOTE)
        after = block[quotes[1::2] + 1]
        if np.isin(after, _BLANKS).any() or (b"\\" in raw and _halves(raw)):
            return None
        keys = int(np.count_nonzero(after == _COLON))
        members += keys
        strings += len(after) - keys
        lists += len(_outside(block, _BRACKET, quotes))
    return Counts(members, strings, lists)


def count_objects(data: bytes) -> int:
    r"""Return the number of braces that open objects, and of those within texts.

    Example:
        >>> count_objects(b'{"a": {"b": "{"}}\n')
        3
    """
    return sum(int(np.count_nonzero(np.frombuffer(raw, dtype=np.uint8) == _OPENS)) for raw in _blocks(data))


def count_values(frame: pl.DataFrame) -> Counts:
    """Return the counts of a table, which are those of its JSON lines if polars has kept every value as it was.

    Example:
        >>> count_values(pl.DataFrame({"a": [["x", None], None]}))
        Counts(members=1, strings=1, lists=1)
    """
    members = sum(column.count() for column in frame)
    inner = [_inside(column) for column in frame]
    return Counts(
        members + sum(one.members for one in inner),
        sum(one.strings for one in inner),
        sum(one.lists for one in inner),
    )


def _inside(column: pl.Series) -> Counts:
    """Return the counts of a column without the membership of its own values."""
    kind = column.dtype
    if isinstance(kind, pl.Struct):
        return count_values(column.struct.unnest()) if kind.fields else Counts(0, 0, 0)
    if not isinstance(kind, pl.List):
        return Counts(0, column.count() if kind == pl.String else 0, 0)
    inner = _inside(column.explode()) if kind.inner.is_nested() or kind.inner == pl.String else Counts(0, 0, 0)
    return inner._replace(lists=inner.lists + column.count())


def same_keys(data: bytes, width: int) -> bool:
    r"""Return whether all lines have the same keys in the same order and in the same objects; values may be null.

    Args:
        data: valid JSON lines, as for `count_tokens`.
        width: number of keys in a line, at every depth.

    Example:
        >>> same_keys(b'{"a": 1, "b": null}\n{"a": null, "b": 2}\n', 2), same_keys(b'{"a": 1, "a": 2}\n{}\n', 1)
        (True, False)
    """
    first: list[np.ndarray] = []
    for raw in _blocks(data):
        found = _key_rows(raw, width)
        if found is None:
            return False
        if not first:
            first = [rows[:1] for rows in found if len(rows)]
        if any(rows.shape[1] != one.shape[1] or (rows != one).any() for rows, one in zip(found, first, strict=False)):
            return False
    return True


def _key_rows(raw: bytes, width: int) -> tuple[np.ndarray, ...] | None:
    """Return where the keys of each line stand in its objects, their lengths and their letters; None if they differ."""
    block = _signs(raw)
    quotes = np.flatnonzero(block == _QUOTE)
    is_key = block[quotes[1::2] + 1] == _COLON
    starts, ends = quotes[::2][: len(is_key)][is_key] + 1, quotes[1::2][is_key]
    if len(starts) % width:
        return None
    opens = (block[starts - 2] == _OPENS).reshape(-1, width)
    closes = _outside(block, _CLOSES, quotes)
    if not opens[:, 0].all() or opens.sum() != len(closes):
        return None
    before = np.searchsorted(closes, starts).reshape(-1, width)  # objects that end before each key
    lengths = (ends - starts).reshape(-1, width)
    if (lengths != lengths[:1]).any():
        return None
    letters = _letters(block, starts, lengths.ravel()).reshape(len(lengths), int(lengths[:1].sum()))
    return opens, before - before[:, :1], lengths, letters


def _letters(block: np.ndarray, starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Return the bytes of several stretches, end to end."""
    shift = starts - np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return block[np.repeat(shift, lengths) + np.arange(lengths.sum())]


def _outside(block: np.ndarray, sign: int, quotes: np.ndarray) -> np.ndarray:
    """Return the places of a sign that is in no text."""
    places = np.flatnonzero(block == sign)
    return places[np.searchsorted(quotes, places) % 2 == 0]


def _halves(raw: bytes) -> bool:
    """Return whether a character is escaped by half."""
    plain = raw.replace(rb"\\", b"__")
    return len(_HALF.findall(plain)) != 2 * len(_WHOLE.findall(plain))


def _signs(raw: bytes) -> np.ndarray:
    """Return bytes as numbers, without quotes that are escaped, which end no text."""
    if b"\\" in raw:
        raw = raw.replace(rb"\\", b"__").replace(rb"\"", b"__")
    return np.frombuffer(raw, dtype=np.uint8)


def _blocks(data: bytes) -> Iterator[bytes]:
    """Yield whole lines of some hundred kilobytes."""
    start = 0
    while start < len(data):
        stop = data.find(b"\n", min(start + _BLOCK, len(data) - 1)) + 1 or len(data)
        yield data[start:stop]
        start = stop
