"""`unrolled stream MODEL --key COLUMN`: events in, answers out, one state per key."""

import gc
import json
import signal
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, NamedTuple

import typer

from unrolled.cli.lines import Numbered, lines
from unrolled.cli.secrets import from_file, warn_of_password
from unrolled.errors import DataError, InputError, StoreUnavailable, message, reason


class EventLine(NamedTuple):
    """A line that can be read: its number, its record, its key and its event id."""

    number: int
    record: dict[str, Any]
    key: str
    event_id: str | int | None


def stream(
    model: Annotated[str, typer.Argument(help="model folder")],
    key: Annotated[str, typer.Option(help="column with the key of an event, such as the user")],
    data: Annotated[str, typer.Argument(help="file of JSON lines, one event per line; - is standard input")] = "-",
    store: Annotated[
        str,
        typer.Option(
            envvar="UNROLLED_STORE", help="where states are stored: memory:, sqlite:///sessions.db, redis://host:6379/0"
        ),
    ] = "memory:",
    store_file: Annotated[
        str, typer.Option(help="file that contains the address of the store, with its password")
    ] = "",
    event_id: Annotated[
        str,
        typer.Option(
            help="column with the id of an event: a text, or a number that grows from event to event of a key; "
            "an event that is repeated changes nothing"
        ),
    ] = "",
    precision: Annotated[
        str, typer.Option(help="number format of stored states: float32, float16 or bfloat16")
    ] = "float32",
    ttl: Annotated[
        float | None, typer.Option(help="seconds without events after which the state of a key is deleted")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="wait for more lines at the end of the file, like tail -f")
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="stop at the first bad line; lines are then processed one by one, which is slow"),
    ] = False,
) -> None:
    """Answer every event as it arrives, with a separate state per key. JSON lines in, JSON lines out."""
    from unrolled.streaming.sessions import Sessions
    from unrolled.tasks.registry import load

    asked = load(model).stream()
    gc.freeze()  # the garbage collector need not search the model again and again
    store = from_file("--store-file", store_file, "an address") or store
    warn_of_password(store)
    with Sessions(asked, store, max_batch=1024, ttl=ttl, precision=precision) as sessions:
        bad = _run(sessions, data, key, event_id, follow, strict)
        for line in sessions.unknown:
            print(f"note: {line}", file=sys.stderr)
    if bad:
        raise DataError(message(data if data != "-" else "standard input", expected="only lines that can be answered",
                                received=f"{bad:,} that cannot, named above"))  # fmt: skip


def _run(sessions: Any, data: str, key: str, event_id: str, follow: bool, strict: bool) -> int:
    """Answer until the end or Ctrl-C; return how many lines were bad."""
    bad = 0
    with _stopping() as stop:
        try:
            source = lines(data, follow)
            while (found := stop.interrupted_by(source)) is not None:
                for some in [[line] for line in found] if strict else [found]:
                    faults = _answer(sessions, some, key, event_id)
                    if strict and faults:
                        raise DataError(faults[0])
                    bad += len(faults)
                    for fault in faults:
                        print(_writable(f"error: {fault}"), file=sys.stderr)
        except OSError as fault:
            raise DataError(
                message("DATA", expected="a file that can be read", received=f"{data} ({reason(fault)})")
            ) from fault
    return bad


def _answer(sessions: Any, found: Sequence[Numbered], key: str, event_id: str) -> list[str]:
    """Write the answers to some lines; return what is wrong with the others."""
    faults, events = {}, []
    for number, line in found:
        if line is not None and not line.strip():
            continue
        try:
            events.append(_event(number, line, key, event_id))
        except DataError as fault:
            faults[number] = f"line {number:,}: {fault}"
    answers = sessions.step_many(
        [(event.key, event.record) for event in events], [event.event_id for event in events], errors="return"
    )
    written, broken = [], None
    for event, answer in zip(events, answers, strict=True):
        if isinstance(answer, InputError):
            faults[event.number] = f"line {event.number:,}: {answer}"
        elif isinstance(answer, Exception):
            broken = broken or (event.number, answer)
        else:
            name = {event_id: event.record[event_id]} if event_id else {}
            written.append(json.dumps({key: event.record[key], **name, "answer": answer}, ensure_ascii=False))
    if written:
        sys.stdout.write(_writable("\n".join(written) + "\n"))
        sys.stdout.flush()
    if broken is not None:
        number, fault = broken
        if isinstance(fault, StoreUnavailable):
            raise StoreUnavailable(f"stopped at line {number:,}: {fault}") from fault
        raise fault
    return [faults[number] for number in sorted(faults)]


def _writable(text: str) -> str:
    r"""Return a text whose halves of characters, which no UTF-8 has, are written as JSON writes them: \ud800."""
    return text.encode(errors="backslashreplace").decode()


def _event(number: int, line: bytes | None, key: str, event_id: str) -> EventLine:
    from unrolled.streaming.sessions import checked, checked_id

    if line is None:
        raise DataError(message("event", expected="a line of at most 64 MiB", received="a longer one"))
    try:
        record = json.loads(line, parse_constant=_refused)
    except (ValueError, RecursionError) as fault:
        shown = line[:60].decode(errors="replace") + ("..." if len(line) > 60 else "")
        raise DataError(message("event", expected="a JSON object", received=f"{shown} ({reason(fault)})")) from fault
    if not isinstance(record, dict):
        raise DataError(message("event", expected="a JSON object", received=f"a {type(record).__name__}"))
    name = checked_id(_named(record, event_id), event_id) if event_id else None
    return EventLine(number, record, checked(str(_named(record, key)), key), name)


def _named(record: dict[str, Any], column: str) -> str | int:
    """Return the text or whole number in a column."""
    if column not in record:
        raise DataError(message(f"column {column!r}", expected="one in every event", received="none"))
    value = record[column]
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise DataError(message(f"column {column!r}", expected="a text or a whole number", received=value))
    return value


def _refused(name: str) -> None:
    raise DataError(f"{name} is not a JSON number")


class _Stop:
    """Whether the command was asked to stop; a request to stop also ends the wait for lines."""

    def __init__(self) -> None:
        self.asked = self.waiting = False

    def ask(self, *_: Any) -> None:
        self.asked = True
        if self.waiting:
            raise KeyboardInterrupt

    def interrupted_by(self, source: Generator[list[Numbered], None, None]) -> list[Numbered] | None:
        """Return the next lines, None at the end."""
        if self.asked:
            raise KeyboardInterrupt
        self.waiting = True
        try:
            return next(source, None)
        finally:
            self.waiting = False


@contextmanager
def _stopping() -> Generator[_Stop, None, None]:
    """Stop on Ctrl-C and SIGTERM between two batches: every event that was read is answered and written."""
    stop = _Stop()
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
