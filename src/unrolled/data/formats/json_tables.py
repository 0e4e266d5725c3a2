"""JSON files that hold one table: a list of records, a mapping of columns, or what pandas writes."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Unpack

from unrolled.data.documents import whole_text
from unrolled.data.formats.json_faults import json_fault
from unrolled.data.in_memory import FEW_CELLS, SPARSEST, frame_of
from unrolled.data.opened import from_anywhere
from unrolled.data.source import Table, table_of
from unrolled.data.time_words import TimeWords, times_from
from unrolled.errors import DataError, message, unknown
from unrolled.places import local_path

DEEPEST = 18  # nested lists or objects: 16 in a value, as in JSONL, and the table around it
_SHAPES = "a list of records, or an object of equally long lists"


@from_anywhere()
def read_json(
    path: str | Path,
    field: str | None = None,
    time: str | None = None,
    group: str | None = None,
    encoding: str | None = None,
    missing: Collection[str | float] | None = None,
    **times: Unpack[TimeWords],
) -> Table:
    """Read a table from one JSON value; lists within it become sequences.

    Known forms: a list of records; an object of columns (lists of one length); an object of which one member is a list
    of records; pandas' `orient=` "records", "list", "split", "table", and "columns" or "index" with numbered rows; an
    object of single values, which is one record; one object per line (JSONL).

    Args:
        path: the file; `.gz` is unpacked.
        field: the member that holds the table, where an object has several lists of records.
        time: in long format, the column of timestamps.
        group: in long format, the column that identifies the series.
        encoding: such as "latin1"; None = UTF-8, or what a byte order mark says.
        missing: texts and numbers that stand for a missing value in every column, such as [-9999].
        times: `day_first`, `time_format`, `unit` and `zone`, as in `TimeOptions`; or `time_form`.

    Raises:
        DataError: missing, empty, no JSON, or a value that is no table.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "answers.json"
        >>> _ = file.write_text('{"count": 2, "results": [{"x": [1, 2], "y": "a"}, {"x": [3], "y": "b"}]}')
        >>> list(read_json(file))
        [{'x': [1, 2], 'y': 'a'}, {'x': [3], 'y': 'b'}]
    """
    value = _value(whole_text(local_path(path), encoding), path)
    if _deep(value):
        raise DataError(message(str(path), expected=f"at most {DEEPEST} nested lists or objects", received="more"))
    if field is not None:
        if not isinstance(value, dict) or field not in value:
            raise unknown("field", field, value if isinstance(value, dict) else [], DataError)
        value = value[field]
    frame = frame_of(_records(value, path))
    return table_of(frame, path, time, group, times_from(times), missing)


def _value(text: str, path: str | Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as fault:
        lines = text.split("\n")
        if text.lstrip().startswith("{") and _is_object(lines[0]):
            return [_parsed(line, number, path) for number, line in enumerate(lines, 1) if line.strip()]
        raise _no_json(fault, None, path) from fault


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _parsed(line: str, number: int, path: str | Path) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError) as fault:
        raise _no_json(fault, number, path) from fault


def _no_json(fault: Exception, line: int | None, path: str | Path) -> DataError:
    if isinstance(fault, json.JSONDecodeError):
        line = line or fault.lineno
    where = str(path) if line is None else f"{path}, line {line}"
    return DataError(message(where, expected="JSON", received=json_fault(fault)))


def _deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ] if isinstance(value, dict | list) else []  # fmt: skip
    return bool(level)


def _records(value: Any, path: str | Path) -> Any:
    """Return the records or columns of a value."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict) or not value:
        received = "an empty object" if isinstance(value, dict) else type(value).__name__
        raise DataError(message(str(path), expected=_SHAPES, received=received))
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list) and set(value) <= _SPLIT:
        return _split(value["columns"], value["data"], path)
    tables = [name for name, member in value.items() if _is_records(member)]
    if len(tables) == 1:
        return _without_row_numbers(value, value[tables[0]])
    if tables:
        shown, remedy = ", ".join(map(repr, tables[:8])), f"choose one with field={tables[0]!r}"
        raise DataError(message(str(path), expected="one list of records", received=f"several: {shown}", remedy=remedy))
    if all(isinstance(member, dict) for member in value.values()):
        return _numbered(value, path)
    return value if all(isinstance(member, list) for member in value.values()) else [value]


_SPLIT = {"columns", "index", "data", "index_names", "column_names"}


def _without_row_numbers(value: dict[str, Any], records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out the numbers of rows that pandas' `orient="table"` writes as a key."""
    schema = value.get("schema")
    if not isinstance(schema, dict) or schema.get("primaryKey") != ["index"]:
        return records
    return [{name: member for name, member in record.items() if name != "index"} for record in records]


def _is_records(member: Any) -> bool:
    return isinstance(member, list) and bool(member) and all(isinstance(record, dict) for record in member)


def _split(columns: list[Any], rows: list[Any], path: str | Path) -> dict[str, list[Any]]:
    names = [" ".join(map(str, name)) if isinstance(name, list) else str(name) for name in columns]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, list) or len(row) != len(names):
            received = f"{len(row)}" if isinstance(row, list) else type(row).__name__
            raise DataError(message(f"{path}, row {number}", expected=f"{len(names)} values", received=received))
    if len(set(names)) < len(names):
        raise DataError(message(str(path), expected="different names of columns", received=", ".join(names)[:200]))
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


def _numbered(value: Mapping[str, Any], path: str | Path) -> Any:
    """Return pandas' columns of numbered rows, or numbered rows of columns."""
    inner = {key for member in value.values() for key in member}
    outer_numbered, inner_numbered = (all(key.isdecimal() for key in keys) for keys in (value, inner))
    if len(value) * len(inner) > SPARSEST * sum(map(len, value.values())) + FEW_CELLS:
        received = f"{len(value):,} columns that share few of {len(inner):,} rows"
        raise DataError(message(str(path), expected="records that share their columns", received=received))
    if inner and inner_numbered and not outer_numbered:
        rows = sorted(inner, key=int)
        return {name: [member.get(row) for row in rows] for name, member in value.items()}
    if outer_numbered and not inner_numbered:
        return [value[row] for row in value]
    remedy = "write a list of records"
    raise DataError(message(str(path), expected=_SHAPES, received="an object of objects", remedy=remedy))
