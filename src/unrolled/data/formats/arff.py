"""Weka's `.arff` tables, also with series: numbered attributes, or a relational one, become lists."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from unrolled.data.documents import whole_text
from unrolled.data.formats.blanks import words
from unrolled.data.formats.numbers import number, numbers
from unrolled.data.lists import list_column
from unrolled.data.opened import from_anywhere
from unrolled.data.source import Table
from unrolled.errors import DataError, message
from unrolled.places import local_path

NUMERIC = ("numeric", "real", "integer")
MOST_CHANNELS = 10_000  # a table of more columns than that would take more memory than its file
_QUOTED = r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\""
_ATTRIBUTE = re.compile(rf"@attribute[ \t]+({_QUOTED}|[^ \t{{]+)[ \t]*(.*)", re.IGNORECASE | re.DOTALL)
_VALUE = re.compile(rf"[ \t]*({_QUOTED}|[^,'\"]*?)[ \t]*(,|$)", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_NUMBERED = re.compile(r"(.*?)(\d+)")


class _Attribute(NamedTuple):
    name: str
    kind: str  # "numeric", "text" or "relational"


@from_anywhere()
def read_arff(path: str | Path, encoding: str | None = None) -> Table:
    r"""Read a table of Weka: a column per attribute, numbers or text; `?` is a missing value.

    Numeric attributes whose names differ in their last number alone, as the UCR archive has them (att1, att2, ...), are
    one series: the list column `dim_0`. A relational attribute has one channel per line: dim_0, dim_1, ...

    Args:
        path: the file; `.gz` is unpacked.
        encoding: such as "latin1"; None = UTF-8, or what a byte order mark says.

    Raises:
        DataError: missing, empty, damaged, or with sparse rows; the message names the line.

    Source: https://waikato.github.io/weka-wiki/formats_and_processing/arff_stable.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "toy.arff"
        >>> head = "@attribute att1 numeric\n@attribute att2 numeric\n@attribute target {up,down}\n"
        >>> _ = file.write_text(head + "@data\n1.5,?,up\n")
        >>> list(read_arff(file))
        [{'dim_0': [1.5, None], 'target': 'up'}]
    """
    lines = whole_text(local_path(path), encoding).split("\n")
    attributes, first = _head(lines, path)
    rows: list[list[Any]] = []
    for line, text in enumerate(lines[first:], first + 1):
        if not text.strip() or text.lstrip().startswith("%"):
            continue
        if text.lstrip().startswith("{"):
            expected = "a value for each attribute"
            raise DataError(message(f"{path}, line {line}", expected=expected, received="a sparse row in { }"))
        values = _values(text, path, line)
        if len(values) != len(attributes):
            expected = f"{len(attributes)} values"
            raise DataError(message(f"{path}, line {line}", expected=expected, received=len(values)))
        rows.append([_cell(*pair, path, line) for pair in zip(values, attributes, strict=True)])
    if not rows:
        raise DataError(message(str(path), expected="at least one row after @data", received="none"))
    return Table(pl.DataFrame(_columns(attributes, rows, path)))


def _head(lines: Sequence[str], path: str | Path) -> tuple[list[_Attribute], int]:
    """Return the attributes and the number of the line @data."""
    attributes: list[_Attribute] = []
    relation = ""  # name of the relational attribute whose parts follow
    for line, text in enumerate(lines, 1):
        tag = next(iter(words(text)), "%").lower()
        if tag == "@data" and attributes:
            return attributes, line
        if tag == "@end":
            relation = ""
        elif tag == "@attribute":
            found = _ATTRIBUTE.fullmatch(text.strip(" \t"))
            if found is None or not found[2]:
                expected = "@attribute, a name and a kind"
                raise DataError(message(f"{path}, line {line}", expected=expected, received=repr(text.strip()[:40])))
            name, kind = _plain(found[1]), words(found[2])[0].lower()
            if relation:
                continue
            relation = name if kind == "relational" else ""
            kind = "numeric" if kind in NUMERIC else kind if kind == "relational" else "text"
            if any(name == other.name for other in attributes[-1:]):
                raise DataError(message(f"{path}, line {line}", expected="another name", received=repr(name)))
            attributes.append(_Attribute(name, kind))
        elif not tag.startswith(("%", "@relation")):
            expected = "a comment, @attribute or @data"
            raise DataError(message(f"{path}, line {line}", expected=expected, received=repr(text.strip()[:40])))
    raise DataError(message(str(path), expected="an .arff file with attributes and a line @data", received="none"))


def _values(text: str, path: str | Path, line: int) -> list[str]:
    values, place = [], 0
    while True:
        found = _VALUE.match(text, place)
        if found is None:
            expected = "values between commas, with quotes that end"
            raise DataError(message(f"{path}, line {line}", expected=expected, received=repr(text[place : place + 40])))
        values.append(found[1])
        place = found.end()
        if not found[2]:
            return values


def _cell(word: str, attribute: _Attribute, path: str | Path, line: int) -> Any:
    if word == "?" or (not word and attribute.kind != "relational"):
        return None
    if attribute.kind == "numeric":
        return number(_plain(word), path, line)
    if attribute.kind == "relational":
        return [numbers(part, path, line) for part in _plain(word).split("\n")]
    return _plain(word)


def _plain(word: str) -> str:
    """Return a word without its quotes."""
    if len(word) > 1 and word[0] == word[-1] and word[0] in "'\"":
        return _ESCAPE.sub(lambda found: _ESCAPES.get(found[1], found[1]), word[1:-1])
    return word


def _columns(attributes: Sequence[_Attribute], rows: list[list[Any]], path: str | Path) -> list[pl.Series]:
    names = [attribute.name for attribute in attributes]
    if len(set(names)) < len(names):
        raise DataError(message(str(path), expected="different names of attributes", received=", ".join(names)[:200]))
    numeric = [place for place, attribute in enumerate(attributes) if attribute.kind == "numeric"]
    stems = {found[1] if (found := _NUMBERED.fullmatch(names[place])) else None for place in numeric}
    if len(numeric) > 1 and len(stems) == 1 and None not in stems:
        series = list_column([[row[place] for place in numeric] for row in rows], pl.Float64).alias("dim_0")
        rest = [place for place in range(len(names)) if place not in set(numeric)]
        return [series, *(column for place in rest for column in _column(attributes[place], place, rows, path))]
    return [column for place, found in enumerate(attributes) for column in _column(found, place, rows, path)]


def _column(attribute: _Attribute, place: int, rows: list[list[Any]], path: str | Path) -> list[pl.Series]:
    values = [row[place] for row in rows]
    if attribute.kind != "relational":
        return [pl.Series(attribute.name, values, dtype=pl.Float64 if attribute.kind == "numeric" else pl.String)]
    widths = {len(channels) for channels in values if channels is not None}
    if len(widths) != 1 or max(widths) > MOST_CHANNELS:
        received = f"{len(widths)} different numbers of them" if len(widths) != 1 else f"{max(widths):,}"
        raise DataError(
            message(str(path), expected=f"one number of channels, at most {MOST_CHANNELS:,}", received=received)
        )
    return [
        pl.Series(f"dim_{channel}", [found and found[channel] for found in values], dtype=pl.List(pl.Float64))
        for channel in range(widths.pop())
    ]
