"""XES, the IEEE's format of event logs of processes: one row per event."""

import datetime as dt
import re
from pathlib import Path
from typing import Any
from xml.parsers import expat

import polars as pl

from unrolled.data.documents import refuse_packed
from unrolled.data.in_memory import FEW_CELLS, SPARSEST
from unrolled.data.opened import from_anywhere
from unrolled.data.source import Table
from unrolled.data.spans import open_file, unreadable
from unrolled.data.time_options import TimeOptions
from unrolled.data.time_zones import localised, placed
from unrolled.errors import DataError, message, reason
from unrolled.places import local_path

DEEPEST = 64  # nested elements
NAMES = ("concept:name", "time:timestamp")  # attributes of events that get a plain name
_KINDS, _TEXTS = ("string", "date", "int", "float", "boolean", "id"), ("string", "id")
_KEYS = re.compile(r"'([^']*)'|([^\s']+)")  # of a classifier
_LOGICAL = {"true": True, "1": True, "false": False, "0": False}
_LARGEST = 2**63 - 1
_TRACE = ("log", "trace")
_EVENTS = (("log", "event"), (*_TRACE, "event"))


@from_anywhere()
def read_xes(path: str | Path, zone: str | None = None) -> Table:
    r"""Read an event log: one row per event, with `case`, `activity`, `time` and a column per further attribute.

    `case` is the name of the event's trace (or trace 1, trace 2, ... where they have none), `activity` and `time` are
    its concept:name and time:timestamp. If no event has a concept:name, `activity` is made of the attributes that the
    first classifier of the log names, with + between them. Other attributes keep their names; those of traces begin
    with `case:`. Times keep their zone; several offsets become UTC. Nothing outside the file is read. The table's
    `notes` count attributes in lists or of attributes, which are left out, events without an activity, and traces of
    one name.

    Args:
        path: the file: .xes; `.gz` is unpacked.
        zone: name of a zone, such as "Europe/Berlin": that of times without one, and to which others are converted.

    Raises:
        OptionError: an unknown zone.
        DataError: missing, no XES, a value that is not of its kind, times with and without a zone, or a document type;
            the message names the line or the column.

    Source: https://xes-standard.org.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "shop.xes"
        >>> time = '<date key="time:timestamp" value="2024-01-31T12:00:00Z"/>'
        >>> event = f'<event><string key="concept:name" value="pay"/>{time}</event>'
        >>> _ = file.write_text(f"<log><trace>{event}</trace></log>")
        >>> [(row["case"], row["activity"], str(row["time"])) for row in read_xes(file)]
        [('trace 1', 'pay', '2024-01-31 12:00:00+00:00')]
    """
    TimeOptions(zone=zone)
    place = local_path(path)
    refuse_packed(place)
    log = _Log(place)
    try:
        with open_file(place) as file:
            log.parse(file)
    except OSError as fault:
        raise unreadable(place, fault) from fault
    if not log.events:
        raise DataError(message(str(path), expected="at least one event", received="none"))
    table = Table(_frame(log, path, zone))
    table.notes = _notes(log, table.frame["activity"])
    return table


class _Log:
    """What was read of a log so far.

    Args:
        path: for error messages.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.open: tuple[str, ...] = ()  # names of the elements that have begun and not ended
        self.traces: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.places: list[int | None] = []  # of the trace of each event; None outside of one
        self.classifier: tuple[str, ...] = ()  # attributes that the first classifier of events names
        self.nested = 0  # attributes in lists, or of attributes
        self.parser = expat.ParserCreate()
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype

    def parse(self, file: Any) -> None:
        """Read a whole file, piece by piece."""
        try:
            self.parser.ParseFile(file)
        except (expat.ExpatError, ValueError, LookupError) as fault:
            if isinstance(fault, DataError):
                raise
            raise self._wrong("an event log in XML", reason(fault, "something else")) from fault

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        name, inside = name.rpartition(":")[2], self.open
        if not inside and name != "log":
            raise self._wrong("an event log, whose first element is <log>", f"<{name[:40]}>")
        if len(inside) >= DEEPEST:
            raise self._wrong(f"at most {DEEPEST} nested elements", "more")
        self.open = (*inside, name)
        if self.open == _TRACE:
            self.traces.append({})
        elif self.open in _EVENTS:
            self.events.append({})
            self.places.append(len(self.traces) - 1 if inside == _TRACE else None)
        elif name in _KINDS and (inside == _TRACE or inside in _EVENTS):
            key, value = attributes.get("key"), attributes.get("value")
            if key is None:
                raise self._wrong(f"a key of <{name}>", ", ".join(attributes) or "none")
            if value is not None and (value.strip() or name in _TEXTS):
                (self.traces if inside == _TRACE else self.events)[-1][key] = self._value(name, value)
        elif name in _KINDS:
            self.nested += inside[1:2] in (("trace",), ("event",))
        elif name == "classifier" and inside == ("log",) and attributes.get("scope", "event") == "event":
            keys = tuple(map("".join, _KEYS.findall(attributes.get("keys", ""))))
            self.classifier = self.classifier or keys

    def _end(self, _: str) -> None:
        self.open = self.open[:-1]

    def _value(self, kind: str, value: str) -> Any:
        try:
            if kind == "date":
                moment = dt.datetime.fromisoformat(value.strip())
                return moment if dt.MINYEAR < moment.year < dt.MAXYEAR or moment.tzinfo is None else int("")
            if kind == "int":
                whole = int(value[:40])
                return whole if abs(whole) <= _LARGEST else int("")
            if kind == "float":
                return float(value)
            return _LOGICAL[value.strip().lower()] if kind == "boolean" else value
        except (ValueError, KeyError):
            raise self._wrong(f"a value of kind {kind}", repr(value[:40])) from None

    def _refuse_doctype(self, *_: object) -> None:
        raise self._wrong("XML without a document type", "one; it could name other files, or grow without end")

    def _wrong(self, expected: str, received: str) -> DataError:
        where = f"{self.path}, line {self.parser.CurrentLineNumber}"
        return DataError(message(where, expected=expected, received=received))


def _frame(log: _Log, path: str | Path, zone: str | None) -> pl.DataFrame:
    columns: dict[str, list[Any]] = {"case": [], "activity": [], "time": []}
    given = sum(map(len, log.events)) + sum(map(len, log.traces))
    names = {key for event in log.events for key in event} - set(NAMES)
    owned = {key for trace in log.traces for key in trace} - {"concept:name"}
    if (len(names) + len(owned)) * len(log.events) > SPARSEST * given + FEW_CELLS:
        received = f"{len(names) + len(owned):,} different attributes of {len(log.events):,} events"
        raise DataError(message(str(path), expected="events that share their attributes", received=received))
    cases = [trace.get("concept:name", f"trace {number}") for number, trace in enumerate(log.traces, 1)]
    columns["case"] = [None if place is None else _name(cases[place]) for place in log.places]
    columns["activity"] = _activities(log)
    columns["time"] = [event.get("time:timestamp") for event in log.events]
    for key in dict.fromkeys(key for event in log.events for key in event if key in names):
        columns[f"event:{key}" if key in columns else key] = [event.get(key) for event in log.events]
    for key in dict.fromkeys(key for trace in log.traces for key in trace if key in owned):
        found = [trace.get(key) for trace in log.traces]
        columns[f"case:{key}"] = [None if place is None else found[place] for place in log.places]
    return pl.DataFrame([_column(name, values, zone) for name, values in columns.items()])


def _activities(log: _Log) -> list[str | None]:
    """Return the names of all events; those that the classifier makes where no event has a name."""
    found = [_name(event.get("concept:name")) for event in log.events]
    keys = log.classifier
    if not keys or any(name is not None for name in found):
        return found
    return ["+".join(str(event[key]) for key in keys) if event.keys() >= {*keys} else None for event in log.events]


def _notes(log: _Log, activities: pl.Series) -> tuple[str, ...]:
    """Return sentences about what a table of events cannot show."""
    names = [trace["concept:name"] for trace in log.traces if "concept:name" in trace]
    notes = {
        f"{log.nested:,} attributes in lists, or of attributes, are left out": log.nested,
        f"{activities.null_count():,} of {len(activities):,} events have no concept:name": activities.null_count(),
        f"{len(names):,} traces have {len(set(names)):,} names, and those of one name are one case": len(names)
        - len(set(names)),
    }
    return tuple(note for note, count in notes.items() if count)


def _name(value: Any) -> str | None:
    return None if value is None else str(value)


def _column(name: str, values: list[Any], zone: str | None) -> pl.Series:
    """Return values of one kind as that kind, numbers of two kinds as decimals, and others as text."""
    kinds = {type(value) for value in values if value is not None}
    if not kinds and name == "time":
        return pl.Series(name, values, dtype=pl.Datetime("us"))
    if kinds == {dt.datetime}:
        plain = pl.Series(name, [value and value.replace(tzinfo=None) for value in values], dtype=pl.Datetime("us"))
        offsets = [value and value.utcoffset() for value in values]
        if not any(offset is not None for offset in offsets):
            return plain if zone is None else localised(plain, zone)
        minutes = [None if offset is None else offset // dt.timedelta(minutes=1) for offset in offsets]
        return placed(plain, pl.Series(minutes, dtype=pl.Int32), [], zone)
    if len(kinds) <= 1:
        kind = {str: pl.String, bool: pl.Boolean, int: pl.Int64, float: pl.Float64}.get(next(iter(kinds), str))
        return pl.Series(name, values, dtype=kind)
    if kinds == {int, float}:
        return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)
    texts = [value.isoformat() if isinstance(value, dt.datetime) else value for value in values]
    return pl.Series(name, [None if text is None else str(text) for text in texts], dtype=pl.String)
