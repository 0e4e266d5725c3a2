"""Lists that are written in the cells of a table of text, as JSON, or as pandas writes lists and arrays."""

import json
import re
from typing import Any

import polars as pl

from unrolled.data.kinds import column_of
from unrolled.errors import DataError

_LIST = r"^\s*\[[\s\S]*\]\s*$"
_WORD = r"""'[^'\\]*'|"[^"\\]*"|None"""
_BETWEEN = r"(?:\s*,\s*|\s+)"  # lists have commas, arrays blanks
_WORDS = re.compile(rf"\s*\[\s*(?:(?:{_WORD})(?:{_BETWEEN}(?:{_WORD}))*)?\s*\]\s*")  # ['a', "it's", None]
_SCALAR = re.compile(rf"\bnp\.\w+\(({_WORD}|[^()'\"]*)\)")  # np.float64(0.5), as NumPy 2 writes its numbers
_BLANKS = re.compile(r"(?<=[^\s\[])\s+(?=[^\s\]])")  # between the values of an array
_BARE_POINT = re.compile(r"(?<=\d)\.(?!\d)")  # 1. and 1.e+05
_OF_PYTHON = {"None": "null", "nan": "NaN", "True": "true", "False": "false", "inf": "Infinity", "-inf": "-Infinity"}
LOOKS_LIKE_LIST = pl.all().str.contains(_LIST)  # for each text of a column
_FRAMES = pl.List(pl.List(pl.Float64))  # frames of numbers, or lists of numbers
_NAMES = re.compile(r"(?<![\w.])(?:None|nan|True|False|-?inf)(?!\w)")


def are_lists(texts: pl.Series) -> bool:
    """Return whether all texts look like lists, from [ to ].

    Example:
        >>> are_lists(pl.Series(["[1, 2]", "[]"])), are_lists(pl.Series(["[1]", "none"]))
        (True, False)
    """
    return bool(len(texts)) and bool(texts.str.contains(_LIST).all())


def read_lists(texts: pl.Series, like: pl.List | None = None) -> pl.Series | None:
    """Return the lists that texts write; None if one of them writes none, or a list that is nested too deep.

    Args:
        texts: one column; null is missing.
        like: lists are nested no deeper than this kind; None = lists in lists of values, at most, and no dictionaries.

    Example:
        >>> read_lists(pl.Series("v", ["[1, 2.5]", None, "[nan]"])).to_list(), read_lists(pl.Series("w", ["[deleted]"]))
        ([[1.0, 2.5], None, [None]], None)
        >>> read_lists(pl.Series("words", ["['a', 'b']"])).to_list(), read_lists(pl.Series(["[1.  2.5]"])).to_list()
        ([['a', 'b']], [[1.0, 2.5]])
    """
    lists: list[list[Any] | None] = []
    for text in texts.to_list():
        lists.append(None if text is None else _read(text, like))
        if lists[-1] is None and text is not None:
            return None
    try:
        found = column_of(texts.name, lists)
    except DataError:
        return None
    if isinstance(found.dtype, pl.List) and found.dtype.inner == pl.Float64:
        found = found.list.eval(pl.element().fill_nan(None))
    return found


def first_unread(texts: pl.Series, like: pl.List | None = None) -> int:
    """Return the row of the first text that writes no such list, see `read_lists`; 0 if all do."""
    rows = (row for row, text in enumerate(texts.to_list()) if text is not None and _read(text, like) is None)
    return next(rows, 0)


def _read(text: str, like: pl.List | None) -> list[Any] | None:
    found = _of_json(text, like)
    if found is None:
        found = _of_words(text)
    if found is None:
        plain = _SCALAR.sub(r"\1", text).replace("np.True_", "True").replace("np.False_", "False")
        if "," not in plain and "'" not in plain:
            plain = _BARE_POINT.sub(".0", _BLANKS.sub(",", plain))
        if plain != text:
            found = _of_json(plain, like)
            found = _of_words(plain) if found is None else found
    return found


def _of_json(text: str, like: pl.List | None) -> list[Any] | None:
    quoted = "'" in text or '"' in text
    try:
        found = json.loads(text if quoted else _NAMES.sub(lambda name: _OF_PYTHON[name[0]], text))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and _is_nested_like(found, like or _FRAMES) else None


def _of_words(text: str) -> list[Any] | None:
    if not _WORDS.fullmatch(text):
        return None
    return [None if word == "None" else word[1:-1] for word in re.findall(_WORD, text)]


def _is_nested_like(value: list[Any], kind: pl.List) -> bool:
    """Return whether a list is nested no deeper than a kind: the kind of a deeper one would take long to find."""
    if isinstance(kind.inner, pl.List):
        lists = [one for one in value if isinstance(one, list)]
        return not any(isinstance(one, dict) for one in value) and all(
            _is_nested_like(one, kind.inner) for one in lists
        )
    return isinstance(kind.inner, pl.Struct) or {list, dict}.isdisjoint(map(type, value))
