"""Streams of a detector: rows of one series in, an anomaly score and alarm for each out."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from unrolled.data.source import Source
from unrolled.errors import DataError, UnrolledError, message
from unrolled.state_forms import Also, Array, Chars, Either, Exactly, FixedParts, Form, Many, Maybe, Real, Whole
from unrolled.streaming.flat_state import StateLayout
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Answer, Answers
from unrolled.tasks.detection.bookkeeping import Keeping
from unrolled.tasks.detection.clocked_rows import SeriesEnd
from unrolled.tasks.detection.detections import as_row
from unrolled.tasks.detection.likelihood import RECENT, Usual
from unrolled.tasks.detection.series_state import DetectorState, plain_time, time_from_plain
from unrolled.tasks.detection.tables import WatchedColumns, next_row
from unrolled.tasks.series.long_table import STEP
from unrolled.tasks.shared.event_values import name_of
from unrolled.tasks.shared.stream_events import events_of_table

_NAME = 4  # place of the series' name in a memory; memories of earlier versions have none
MOST_NAME = 10_000  # characters of a series' name
LONGEST_TIME = 250_000_000_000_000_000  # microseconds since 1970: the year 9892


def judged(
    keeping: Keeping, watched: WatchedColumns, record: Mapping[str, Any], before: DetectorState | None
) -> tuple[dict[str, Any], DetectorState]:
    """Return a detector's answer for a record, and the state after it.

    Args:
        keeping: the network, and everything else that was learnt.
        watched: the watched columns.
        record: one value per column.
        before: the state; None = the known state of the record's series, if the record follows it.
    """
    last = None if before is None else before.history.time
    one = next_row(record, watched, last)
    if last is None:
        keeping.note_unseen([one])
    found, after = keeping.advance(one, keeping.state_before(one) if before is None else before)
    keys = {name: record[name] for name in (watched.time, watched.group) if name is not None}
    return keys | as_row(found, keeping.threshold), after


class DetectorSteps:
    """A detector's part of a stream. Rows that follow a series read before continue from its state.

    Args:
        keeping: the network, and everything else that was learnt.
        watched: the watched columns.
    """

    def __init__(self, keeping: Keeping, watched: WatchedColumns) -> None:
        self._keeping, self._watched = keeping, watched
        with torch.no_grad():
            self._layout = StateLayout(keeping.network.initial_state(1))

    @property
    def form(self) -> Form:
        """Form of a memory: empty; or number of rows, last time, end of the series, its usual scores, and its name."""
        plan, quiet = self._keeping.plan, self._keeping.quiet
        size, back = plan.size, plan.lookback
        low, high = (0.0, float(plan.codec.spec.size - 1)) if self._watched.events else (-1e300, 1e300)
        rows = Array(["float64"], [None, size], back, low, high, missing=True)
        mean = Array(["float64"], [size + 1])
        spread = Array(["float64"], [size + 1], low=0.0)
        recent = Array(["float64"], [None, size + 1], RECENT)
        edge = Array(["float64"], [size], missing=True, infinite=True)
        peaks = Many(FixedParts(Whole(0, max(quiet, 0)), Real(low=0.0)), max(quiet, 1))
        usual = FixedParts(Whole(), mean, spread, recent, edge, edge, peaks, Whole(0, self._keeping.warm_up))
        time = Whole(-LONGEST_TIME, LONGEST_TIME) if self._watched.dated else Real()
        parts = (Whole(), Maybe(time), FixedParts(rows, rows), usual)
        nameless = Also(FixedParts(*parts), self._fits, "rows that fit together")  # as earlier versions stored them
        return Either(
            Exactly(()),
            Either(Also(FixedParts(*parts, Chars(MOST_NAME)), self._fits, "rows that fit together"), nameless),
        )

    def _fits(self, memory: Any) -> bool:
        """Return whether a memory has equally many rows of each kind, a time if any, and whole numbers for events."""
        _, time, (values, filled), *_ = memory
        whole = not self._watched.events or bool((np.isnan(values) | (values == np.rint(values))).all())
        return values.shape == filled.shape and (time is None) == (len(values) == 0) and whole

    def initial_state(self) -> StreamState:
        return StreamState((), self._layout.flat(self._keeping.first_state().network)[0])

    def step(self, event: Any, state: StreamState) -> Answer:
        record, number = self._record(event, state)
        name = self._series(record)
        if len(state.memory) > _NAME and state.memory[_NAME] != name:
            expected = f"rows of series {state.memory[_NAME]!r}"
            raise DataError(message("event", expected=expected, received=f"series {name!r}"))
        before = None if not state.memory else self._opened(state)
        row, after = judged(self._keeping, self._watched, record, before)
        return {name: _plain(value) for name, value in row.items()}, self._closed(after, number, name)

    def step_many(self, events: Sequence[Any], states: Sequence[StreamState]) -> Answers:
        answers: list[Any] = []
        after = list(states)
        for place, (event, state) in enumerate(zip(events, states, strict=True)):
            try:
                answer, after[place] = self.step(event, state)
            except UnrolledError as fault:
                answer = fault
            answers.append(answer)
        return answers, after

    def feed(self, history: Sequence[Any], state: StreamState) -> StreamState:
        for event in history:
            _, state = self.step(event, state)
        return state

    def finish(self, state: StreamState) -> Answer:
        return None, state

    def events(self, source: Source, rng: np.random.Generator) -> list[list[Any]]:
        return events_of_table(source)

    def parts(self, event: Any, most: int) -> list[Any]:
        return [event]

    def joined(self, outputs: Sequence[Any]) -> Any:
        return outputs[-1]

    # ---- conversion between a detector's state and a stream's -------------------------------------

    def _record(self, event: Any, state: StreamState) -> tuple[Mapping[str, Any], int]:
        """Return the event by column, and the number of rows so far; rows without a time are numbered."""
        number = state.memory[0] if state.memory else 0
        if not isinstance(event, Mapping):
            columns = self._watched.columns
            values = [event] if len(columns) == 1 and not isinstance(event, list | tuple | np.ndarray) else event
            if not isinstance(values, list | tuple | np.ndarray) or len(values) != len(columns):
                expected = f"a record, or a list with one value for each of {list(columns)}"
                raise DataError(message("event", expected=expected, received=event))
            event = dict(zip(columns, values, strict=True))
        if self._watched.time == STEP:
            event = {**event, STEP: number}
        return event, number + 1

    def _series(self, record: Mapping[str, Any]) -> str:
        """Return the name of an event's series; empty where there are no names, or it is lacking."""
        group = self._watched.group
        name = "" if group is None or group not in record else name_of(record[group], group)
        if len(name) > MOST_NAME:
            expected = f"a name of at most {MOST_NAME:,} characters"
            raise DataError(message(f"column {group!r}", expected=expected, received=f"{len(name):,}"))
        return name

    def _closed(self, state: DetectorState, number: int, name: str) -> StreamState:
        kept = (
            number,
            plain_time(state.history.time),
            (state.history.values, state.history.filled),
            tuple(state.usual),
            name,
        )
        return StreamState(kept, self._layout.flat(state.network)[0])

    def _opened(self, state: StreamState) -> DetectorState:
        _, number, (values, filled), usual, *_ = state.memory
        history = SeriesEnd(time_from_plain(number, self._watched.dated), values, filled)
        return DetectorState(history, self._layout.nested(state.network[None]), Usual(*usual))


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and value != value:
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
