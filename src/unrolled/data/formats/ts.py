"""The UCR/aeon `.ts` format: one series per line, channels between colons, the label last."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
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

MOST_CHANNELS = 10_000  # a table of more columns than that would take more memory than its file
_CLASS, _TARGET = "@classlabel", "@targetlabel"
_PIECE = re.compile(r"\([^()]*\)|[^:()]+|:|[()]")  # of a line with time stamps, in which (12:30:00,5) has colons too

Values = list[float | None]


@from_anywhere()
def read_ts(path: str | Path, encoding: str | None = None) -> Table:
    r"""Read the UCR/aeon format: one list column per channel, dim_0, dim_1, ..., and `label`.

    `?`, `NaN` and an empty place are missing values, `?` is a missing label. A label is text; that of a regression set
    (`@targetLabel true`) is a number. Series may have different lengths. With `@timeStamps true` the times are a list
    column too: `time`, or time_0, time_1, ... where channels have different ones.

    Args:
        path: the file; `.gz` is unpacked.
        encoding: such as "latin1"; None = UTF-8, or what a byte order mark says.

    Raises:
        DataError: missing, empty or damaged, or a line without its label; the message names the line.

    Source: https://www.aeon-toolkit.org, "Data formats"; https://www.timeseriesclassification.com.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "toy.ts"
        >>> _ = file.write_text("@classLabel true up down\n@data\n1,2,?:up\n3,2:down\n")
        >>> list(read_ts(file))
        [{'dim_0': [1.0, 2.0, None], 'label': 'up'}, {'dim_0': [3.0, 2.0], 'label': 'down'}]
    """
    lines = whole_text(local_path(path), encoding).split("\n")
    head = _head(lines, path)
    channels: list[list[Values]] = []
    times: list[list[list[str]]] = []
    labels: list[str | float | None] = []
    for line, text in enumerate(lines[head.lines :], head.lines + 1):
        if not text.strip() or text.lstrip().startswith(("#", "%")):
            continue
        parts = _split(text, path, line) if head.stamped else text.strip().split(":")
        if head.label:
            labels.append(_label(parts, head, path, line))
        if len(parts) != (len(channels) or len(parts)) or len(parts) > MOST_CHANNELS:
            expected = f"{len(channels)} channels" if channels else f"at most {MOST_CHANNELS:,} channels"
            raise DataError(message(f"{path}, line {line}", expected=expected, received=f"{len(parts)}"))
        channels, times = channels or [[] for _ in parts], times or [[] for _ in parts]
        for place, part in enumerate(parts):
            if head.stamped:
                stamps, values = _stamped(part, path, line)
                times[place].append(stamps)
            else:
                values = numbers(part, path, line)
            channels[place].append(values)
    if not channels:
        raise DataError(message(str(path), expected="at least one series after @data", received="none"))
    columns = {f"dim_{place}": list_column(values, pl.Float64) for place, values in enumerate(channels)}
    if head.stamped:
        columns |= _time_columns(times)
    if head.label:
        columns["label"] = pl.Series(labels, dtype=pl.String if head.label == _CLASS else pl.Float64)
    return Table(pl.DataFrame(columns))


@dataclass(frozen=True)
class _Head:
    """What the lines before the series say.

    Args:
        lines: their number, with that of @data.
        label: the tag of the labels, or "".
        classes: the labels that are declared, by their lower case; empty = any.
        stamped: whether each value has a time.
    """

    lines: int
    label: str = ""
    classes: dict[str, str] = field(default_factory=dict)
    stamped: bool = False


def _head(lines: Sequence[str], path: str | Path) -> _Head:
    tags: dict[str, list[str]] = {}
    for place, line in enumerate(lines, 1):
        found = words(line)
        if found and found[0].lower() == "@data":
            label = next((name for name in (_CLASS, _TARGET) if _true(tags.get(name))), "")
            classes = {word.lower(): word for word in tags[label][1:]} if label == _CLASS else {}
            return _Head(place, label, classes, _true(tags.get("@timestamps")))
        if found and found[0].startswith("@"):
            tags[found[0].lower()] = found[1:]
        elif found and not found[0].startswith(("#", "%")):
            expected = "a comment, a line that begins with @, or @data"
            raise DataError(message(f"{path}, line {place}", expected=expected, received=repr(line.strip()[:40])))
    raise DataError(message(str(path), expected="a .ts file with a line @data", received="none"))


def _true(tag: list[str] | None) -> bool:
    return bool(tag) and tag[0].lower() == "true"


def _label(parts: list[str], head: _Head, path: str | Path, line: int) -> str | float | None:
    """Take the label, which is the last part, from the others."""
    where = f"{path}, line {line}"
    word = parts.pop().strip(" \t") if len(parts) > 1 else ""
    if not word or "," in word or "(" in word:
        remedy = "write ? for a label that is not known"
        raise DataError(message(where, expected="a label after the last colon", received="none", remedy=remedy))
    if word == "?":
        return None
    if head.label == _TARGET:
        return number(word, path, line)
    if not head.classes or word.lower() in head.classes:
        return head.classes.get(word.lower(), word)
    number_ = next((known for known in head.classes.values() if _same_number(known, word)), None)
    if number_ is None:
        shown = ", ".join(list(head.classes.values())[:12])
        raise DataError(message(where, expected=f"a label that @classLabel names: {shown}", received=repr(word)))
    return number_


def _same_number(one: str, other: str) -> bool:
    try:
        return float(one) == float(other)
    except ValueError:
        return False


def _split(text: str, path: str | Path, line: int) -> list[str]:
    """Split a line with time stamps at the colons that are not inside parentheses."""
    parts: list[list[str]] = [[]]
    for piece in _PIECE.findall(text.strip()):
        if piece in ("(", ")"):
            expected = "(time,value) pairs between commas"
            raise DataError(message(f"{path}, line {line}", expected=expected, received=f"a single {piece}"))
        if piece == ":":
            parts.append([])
        else:
            parts[-1].append(piece)
    return ["".join(pieces) for pieces in parts]


def _stamped(part: str, path: str | Path, line: int) -> tuple[list[str], Values]:
    """Return times and values of (time,value) pairs."""
    stamps, values = [], []
    for pair in filter(None, (piece.strip(" \t,") for piece in _PIECE.findall(part))):
        time, comma, value = pair.removeprefix("(").removesuffix(")").rpartition(",")
        if not pair.startswith("(") or not comma or time.strip().lower() in MISSING:
            expected = "(time,value) pairs between commas"
            raise DataError(message(f"{path}, line {line}", expected=expected, received=repr(pair[:40])))
        stamps.append(time.strip())
        values.append(number(value, path, line))
    return stamps, values


def _time_columns(times: list[list[list[str]]]) -> dict[str, pl.Series]:
    """Return columns of times: numbers where all are numbers, and otherwise text."""
    same = all(other == times[0] for other in times[1:])
    columns = {}
    for place, rows in enumerate(times[:1] if same else times):
        values = list_column(rows, pl.String)
        as_numbers = values.cast(pl.List(pl.Float64), strict=False)
        whole = as_numbers.explode().null_count() == values.explode().null_count()
        columns["time" if same else f"time_{place}"] = as_numbers if whole else values
    return columns
