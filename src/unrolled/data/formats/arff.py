"""Weka's `.arff` tables, also with series: numbered attributes, or a relational one, become lists."""

import re
from collections.abc import Sequence
from itertools import pairwise
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
_BRACES = re.compile(r"\{(.*)\}", re.DOTALL)
_COMMENT = re.compile(r"[ \t]+%[^'\"]*$")  # after the values
_QUOTE = re.compile(r"['\"]")
_SHOWN = 8  # values in a sentence
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}
_NUMBERED = re.compile(r"(.*?)(\d+)")


class _Attribute(NamedTuple):
    """What a line `@attribute` says.

    Args:
        name: the column.
        kind: "numeric", "text" or "relational".
        values: the values that a nominal attribute has; empty = any.
        steps: number of attributes inside of a relational one.
    """

    name: str
    kind: str
    values: frozenset[str] = frozenset()
    steps: int = 0


@from_anywhere()
def read_arff(path: str | Path, encoding: str | None = None) -> Table:
    r"""Read a table of Weka: a column per attribute, numbers or text; `?` is a missing value.

    Numeric attributes whose names differ in their last number alone, which goes up by 1, as the UCR archive has them
    (att1, att2, ...), are one series: the list column `dim_0`. A relational attribute has one channel per line: dim_0,
    dim_1, ...; or one step per line, if it has a single attribute.

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
        values = _values(_COMMENT.sub("", text), path, line)
        if len(values) == 1 and len(attributes) > 1 and not _QUOTE.search(text):
            values = words(text)  # as Weka reads them too
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
                attributes[-1] = attributes[-1]._replace(steps=attributes[-1].steps + 1)
                continue
            relation = name if kind == "relational" else ""
            kind = "numeric" if kind in NUMERIC else kind if kind == "relational" else "text"
            if any(name == other.name for other in attributes[-1:]):
                raise DataError(message(f"{path}, line {line}", expected="another name", received=repr(name)))
            attributes.append(_Attribute(name, kind, _nominal(found[2])))
        elif not tag.startswith(("%", "@relation")):
            expected = "a comment, @attribute or @data"
            raise DataError(message(f"{path}, line {line}", expected=expected, received=repr(text.strip()[:40])))
    raise DataError(message(str(path), expected="an .arff file with attributes and a line @data", received="none"))


def _nominal(written: str) -> frozenset[str]:
    """Return the values of a nominal attribute, such as {up, down}; none for other kinds."""
    found = _BRACES.fullmatch(written.strip(" \t"))
    return frozenset(_plain(value[1]) for value in _VALUE.finditer(found[1]) if value[1]) if found else frozenset()


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
        rows = [numbers(part, path, line) for part in _plain(word).split("\n")]
        single = attribute.steps == 1 and all(len(row) <= 1 for row in rows)  # a series with a line for each step
        return [[value for row in rows for value in row]] if single else rows
    value = _plain(word)
    if attribute.values and value not in attribute.values:
        expected = f"a value that @attribute {attribute.name} names: {', '.join(sorted(attribute.values)[:_SHOWN])}"
        raise DataError(message(f"{path}, line {line}", expected=expected, received=repr(value[:40])))
    return value


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
    if len(numeric) > 1 and _follow_each_other([names[place] for place in numeric]):
        series = list_column([[row[place] for place in numeric] for row in rows], pl.Float64).alias("dim_0")
        rest = [place for place in range(len(names)) if place not in set(numeric)]
        return [series, *(column for place in rest for column in _column(attributes[place], place, rows, path))]
    return [column for place, found in enumerate(attributes) for column in _column(found, place, rows, path)]


def _follow_each_other(names: Sequence[str]) -> bool:
    """Return whether names differ in their last number alone, which goes up by 1."""
    found = [_NUMBERED.fullmatch(name) for name in names]
    parts = [(one[1], int(one[2][-18:])) for one in found if one is not None]  # digits of a 64-bit number
    return len(parts) == len(names) and all((stem, place + 1) == after for (stem, place), after in pairwise(parts))


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
