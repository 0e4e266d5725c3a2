"""JSON Lines: a table of one object per line, read by polars where its result is proved to be the exact one.

The exact reader is Python's own, line by line, with the widest kind over all values. polars is several times faster.
Kinds come from a sample of the lines; polars refuses numbers that do not fit them, and the counts of `json_tokens` tell
whether it changed or left out anything else. In doubt everything is read by the exact reader, which names bad lines.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from unrolled.data.documents import text_of_bytes
from unrolled.data.encodings import SAMPLE_BYTES, UTF_8, decoded, encoding_of
from unrolled.data.formats.json_tokens import count_tokens, count_values, same_keys
from unrolled.data.in_memory import FEW_CELLS, SPARSEST, frame_of
from unrolled.errors import DataError, message, reason

FEWEST_BYTES = 1 << 20  # below, the exact reader takes some milliseconds
_STRETCHES, _STRETCH = 16, 1 << 14  # number and bytes of the stretches of lines that the kinds are found in
_LARGEST_SHARE = 8  # long lines are looked at until they are an eighth of the file
_ONE_VALUE = "if the file is one value and not a line for each record, read it with read_json"


def parse_json_lines(raw: bytes, path: Path, encoding: str | None = None) -> pl.DataFrame:
    r"""Return the table of JSON lines.

    Args:
        raw: the file.
        path: for error messages.
        encoding: such as "latin1"; None = UTF-8, or what a byte order mark says.

    Raises:
        DataError: no text, no line, or a line that is no JSON object; the message gives its number.

    Example:
        >>> parse_json_lines(b'{"a": 1}\n{"a": 0.5}\n', Path("a.jsonl")).rows()
        [(1.0,), (0.5,)]
    """
    if len(raw) >= FEWEST_BYTES:
        found = read_at_once(_in_utf8(raw, path, encoding))
        if found is not None:
            return found
    return frame_of(list(records_of(text_of_bytes(raw, path, encoding).split("\n"), path)))


def records_of(lines: Iterable[str], path: str | Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of lines, with Python's own reader of JSON.

    Raises:
        DataError: a line that is no JSON object; the message gives its number.
    """
    decode = json.JSONDecoder().raw_decode
    for number, line in enumerate(lines, 1):
        line, where = line.strip(), f"{path}, line {number}"
        if not line:
            continue
        remedy = _ONE_VALUE if line == "{" or line.startswith("[") else ""
        try:
            record, end = decode(line)
            if end != len(line):
                record = json.loads(line)  # which says what is wrong
        except (ValueError, RecursionError) as fault:
            raise DataError(message(where, expected="JSON", received=reason(fault), remedy=remedy)) from fault
        if not isinstance(record, dict):
            raise DataError(message(where, expected="a JSON object", received=type(record).__name__, remedy=remedy))
        yield record


def read_at_once(data: bytes, stretch: int = _STRETCH) -> pl.DataFrame | None:
    r"""Return the table of JSON lines as polars reads it; None where it is not proved to be the exact one.

    Args:
        data: lines in UTF-8 without a byte order mark.
        stretch: bytes of each of the stretches of lines that the kinds are found in.

    Example:
        >>> read_at_once(b'{"a": 1}\n{"a": 2}\n').rows(), read_at_once(b'{"a": "x"}\n{"a": 2}\n')
        ([(1,), (2,)], None)
    """
    data = _plain_lines(data)
    stretches = _stretches(data, stretch)
    if b"\r" in data or not stretches:
        return None
    try:
        first, width = _kinds(stretches[:1])
        kinds, _ = _kinds(stretches)
    except (UnicodeDecodeError, DataError):
        return None  # the exact reader says what is wrong, and where
    if not width or _fields(first) != _fields(kinds):  # columns stand in the order in which they first occur
        return None
    if any(kind.is_nested() and _holds_nothing(kind) for kind in kinds.values()):
        return None  # polars drops values of which none was seen before
    return None if _proved(b"".join(stretches), kinds, width) is None else _proved(data, kinds, width)


def _plain_lines(data: bytes) -> bytes:
    data = data.replace(b"\r\n", b"\n") if b"\r" in data else data
    return data if data.endswith(b"\n") else data + b"\n"


def _stretches(data: bytes, size: int) -> list[bytes]:
    """Return whole lines from the start, and from places at equal distances."""
    found, stop, total = [], 0, 0
    for part in range(_STRETCHES):
        start = max(stop, data.find(b"\n", part * len(data) // _STRETCHES) + 1 if part else 0)
        stop = max(data.rfind(b"\n", start, start + size), data.find(b"\n", start)) + 1
        total += stop - start
        if stop <= start or total > max(_STRETCHES * size, len(data) // _LARGEST_SHARE):
            break
        found.append(data[start:stop])
    return found


def _kinds(stretches: Sequence[bytes]) -> tuple[Mapping[str, Any], int]:
    """Return the kinds of the columns of some lines, and the number of keys in the first line, at every depth."""
    lines = (line for one in stretches for line in one.decode().split("\n"))
    records = list(records_of(lines, "sample"))
    if not records:
        raise DataError("sample: no line")
    return frame_of(records).schema, _keys(records[0])


def _keys(value: Any) -> int:
    """Return the number of keys of a value at every depth."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return (len(value) if isinstance(value, dict) else 0) + sum(map(_keys, inner))


def _fields(kinds: Mapping[str, Any]) -> list[str]:
    """Return the names of columns and of the fields within them."""
    found = []
    for name, kind in kinds.items():
        while isinstance(kind, pl.List):
            kind = kind.inner
        found += [name, *_fields({one.name: one.dtype for one in kind.fields} if isinstance(kind, pl.Struct) else {})]
    return found


def _holds_nothing(kind: Any) -> bool:
    inner = [kind.inner] if isinstance(kind, pl.List) else []
    inner = [one.dtype for one in kind.fields] if isinstance(kind, pl.Struct) else inner
    return kind == pl.Null or any(map(_holds_nothing, inner))


def _proved(data: bytes, kinds: Mapping[str, Any], width: int) -> pl.DataFrame | None:
    """Return the table that polars reads; None where a part may have been changed, left out, or take much memory."""
    tokens = count_tokens(data)
    if tokens is None or len(_fields(kinds)) * data.count(b"{") > SPARSEST * tokens.members + FEW_CELLS:
        return None
    try:
        frame = pl.read_ndjson(data, schema=kinds)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException):
        return None  # the exact reader says what is wrong, and where
    values = count_values(frame)
    whole = tokens.members == values.members or (
        tokens.members == width * frame.height and same_keys(data, width)
    )  # without missing values the counts are enough
    return frame if whole and tokens[1:] == values[1:] else None


def _in_utf8(raw: bytes, path: Path, encoding: str | None) -> bytes:
    """Return text in UTF-8 without a byte order mark."""
    known = encoding_of(raw[:SAMPLE_BYTES], path, encoding)
    return raw[known.mark :] if known.name == UTF_8.name else decoded(raw, path, encoding).encode()
