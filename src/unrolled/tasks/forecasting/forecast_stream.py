"""Streams of a forecaster: steps of one series in, its next steps out.

A forecaster reads its context again before each forecast, so its memory is the end of the series.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from unrolled.codecs.base import Codec
from unrolled.data.handed import column
from unrolled.data.source import Source, Table
from unrolled.errors import DataError, UnrolledError, lacking, message
from unrolled.reading_report import note_unseen
from unrolled.state_forms import Also, Array, Chars, Either, Exactly, FixedParts, Form, Many, Maybe, Plain, Whole
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Answer, Answers, step_alone
from unrolled.tasks.forecasting.forecasts import answer_columns
from unrolled.tasks.forecasting.online_intervals import OnlineWidths, first_new
from unrolled.tasks.forecasting.plan import ForecastPlan
from unrolled.tasks.series.left_out import left_out
from unrolled.tasks.series.long_table import STEP
from unrolled.tasks.series.panel import Panel
from unrolled.tasks.series.series import LARGEST, Series
from unrolled.tasks.shared.stream_events import events_of_table

LONGEST_TIME = 250_000_000_000_000_000  # microseconds since 1970: the year 9892
MOST_NAME = 10_000  # characters of a series' name
FUTURE = "future"  # key of an event: rows of covariates of the steps to forecast
_NOTHING = np.zeros(0, dtype=np.float32)
Row = Mapping[str, Any]
Advance = Callable[
    [Sequence[Series], Sequence[int], Sequence[OnlineWidths]], list[tuple[int, np.ndarray, OnlineWidths]]
]


class _Kept(NamedTuple):
    """The memory of a series: its end, and rows after its last known value."""

    steps: int = 0  # rows so far
    tail: Any = None  # the fields of a Series
    waiting: tuple[Row, ...] = ()
    widths: Any = None  # the arrays of OnlineWidths


class ForecastSteps:
    """A forecaster's part of a stream. Rows that follow the training data continue that series from its end.

    Args:
        panel: converts rows to series.
        plan: gives the number of past steps that a forecast depends on.
        tails: the ends of the training series, by name.
        forecast: maps series to numbers (M, horizon) or quantiles (M, horizon, Q), from the end of each.
        horizon: steps ahead.
        quantiles: quantiles of the answers, or None.
        advance: maps series, their first new steps and their widths to answers and the widths after them; None where
            intervals do not follow errors.
        widths: the widths after the training series, by name.
    """

    def __init__(
        self,
        panel: Panel,
        plan: ForecastPlan,
        tails: Mapping[Any, Series],
        forecast: Callable[[Sequence[Series]], np.ndarray],
        horizon: int,
        quantiles: Sequence[float] | None,
        advance: Advance | None = None,
        widths: Mapping[Any, OnlineWidths] | None = None,
    ) -> None:
        self._advance, self._widths = advance, widths or {}
        self._panel, self._plan, self._tails, self._forecast = panel, plan, tails, forecast
        self._horizon, self._quantiles = horizon, quantiles

    @property
    def form(self) -> Form:
        """Form of a memory: the number of rows, the end of the series, and rows after its last known value."""
        panel, back = self._panel, self._plan.lookback
        widths = {kind: sum(_width(codec) for codec in panel.codecs[kind]) for kind in ("past", "future", "static")}
        most = self._plan.kept
        number = Array(["int64", "float64", "int32", "float32", "uint32", "uint64"], [None], most)
        moment = Array(["int64"], [None], most, -LONGEST_TIME, LONGEST_TIME)
        times = number if panel.form.kind == "number" else moment
        name = Exactly(None) if panel.group is None else Either(Chars(MOST_NAME), Whole(-(2**63), 2**63))
        covariates = [Array(["float32"], [None, widths[kind]], most, missing=True) for kind in ("past", "future")]
        static = Array(["float32"], [widths["static"]], missing=True)
        values = Array(["float64"], [None], most, low=-LARGEST, high=LARGEST, missing=True)
        tail = Also(FixedParts(name, times, values, *covariates, static, Whole(0, most)), _fits, "steps in order")
        steps, number = self._horizon, 1e9
        arrays = [
            Array(["float64"], [steps], low=-number, high=number),
            Array(["float64"], [steps], low=0.0, high=number),
            Array(["float32"], [steps, steps, 4], low=-LARGEST, high=LARGEST, missing=True),
        ]
        widths = Exactly(None) if self._advance is None else Maybe(FixedParts(*arrays))
        parts = FixedParts(Whole(), Maybe(tail), Many(Plain(), back), widths)
        return Also(parts, self._follows, "rows of one series that follow its end")

    def _follows(self, memory: Any) -> bool:
        """Return whether the rows that wait can be read, and belong to the stored series."""
        kept = _Kept(*memory)
        if self._panel.time == STEP and kept.tail is not None and kept.tail[1][-1] >= max(kept.steps, 1):
            return False
        if not kept.waiting:
            return True
        if not all(isinstance(row, dict) and all(isinstance(name, str) for name in row) for row in kept.waiting):
            return False
        (one,) = self._panel.read(self._table(list(kept.waiting)), None, self._horizon)
        return one.fault is None and not len(one) and (kept.tail is None or one.name == kept.tail[0])

    def initial_state(self) -> StreamState:
        return StreamState(tuple(_Kept()), _NOTHING)

    def step(self, event: Any, state: StreamState) -> Answer:
        return step_alone(self, event, state)

    def step_many(self, events: Sequence[Any], states: Sequence[StreamState]) -> Answers:
        answers: list[Any] = [None] * len(events)
        found = list(states)
        series: dict[int, Series] = {}
        for place, (event, state) in enumerate(zip(events, states, strict=True)):
            try:
                one, after = self._read([event], state)
                if one is not None:
                    self._panel.startable([one], self._horizon)
                    series[place] = one
                found[place] = after
            except UnrolledError as fault:
                answers[place] = fault
        if series:
            for place, numbers in self._numbers(series, states, found):
                answers[place] = self._answer(series[place], numbers)
        return answers, found

    def _numbers(
        self, series: Mapping[int, Series], before: Sequence[StreamState], found: list[StreamState]
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yield the place and the forecast of each series; widths that follow errors are put into the new states."""
        if self._advance is None:
            yield from zip(series, self._forecast(list(series.values())), strict=True)
            return
        begun = [self._begun(one, _Kept(*before[place].memory)) for place, one in series.items()]
        replays = self._advance(list(series.values()), [first for first, _ in begun], [state for _, state in begun])
        for place, (_, answers, after) in zip(series, replays, strict=True):
            found[place] = _state(_Kept(*found[place].memory)._replace(widths=after.parts()))
            yield place, answers[-1]

    def _begun(self, one: Series, kept: _Kept) -> tuple[int, OnlineWidths]:
        if kept.tail is None:
            return first_new(one, self._tails.get(one.name), self._widths.get(one.name), self._horizon)
        widths = None if kept.widths is None else OnlineWidths(*kept.widths)
        older = _opened(kept.tail, one, self._panel)
        joined = int(np.searchsorted(one.times, older.times[-1], side="right"))  # 0 after too long a gap
        return first_new(replace(one, unread=joined), older, widths, self._horizon)

    def feed(self, history: Sequence[Any], state: StreamState) -> StreamState:
        if not history:
            return state
        one, after = self._read(history, state)
        found = [after]
        if one is not None and self._advance is not None:
            list(self._numbers({0: one}, [state], found))
        return found[0]

    def finish(self, state: StreamState) -> Answer:
        return None, state

    def events(self, source: Source, rng: np.random.Generator) -> list[list[Any]]:
        return events_of_table(source)

    def parts(self, event: Any, most: int) -> list[Any]:
        return [event]

    def joined(self, outputs: Sequence[Any]) -> Any:
        return outputs[-1]

    def _read(self, events: Sequence[Any], state: StreamState) -> tuple[Series | None, StreamState]:
        """Return the series with its new steps, None before its first known value; and its new memory."""
        panel, kept = self._panel, _Kept(*state.memory)
        rows = [self._row(event, kept.steps + number) for number, event in enumerate(events)]
        source = self._table([*kept.waiting, *rows])
        ahead = events[-1].get(FUTURE) if isinstance(events[-1], Mapping) else None
        read = panel.read(source, None if ahead is None else self._ahead(ahead), self._horizon)
        left_out(read)
        if len(read) != 1:
            names = [one.name for one in read]
            raise DataError(message("event", expected="rows of one series in a stream", received=repr(names)))
        if not kept.steps:
            note_unseen([read[0].name], self._tails, served=[read[0].name])  # its scale is measured as it grows
        older = self._tails.get(read[0].name) if kept.tail is None else _opened(kept.tail, read[0], panel)
        first = read[0].times[:1]
        if kept.tail is not None and older is not None and len(first) and first[0] <= older.times[-1]:
            raise DataError(
                message(f"column {panel.time!r}", expected=f"a time after {older.times[-1]}", received=str(first[0]),
                        remedy="send rows in order, each once")
            )  # fmt: skip
        known = max((place + 1 for place, row in enumerate(rows) if not _missing(row[panel.target])), default=0)
        waiting = tuple(rows[known:]) if known else (*kept.waiting, *rows)
        waiting = waiting[-self._plan.lookback :]
        count = kept.steps + len(rows)
        if not len(read[0]):
            after = _Kept(count, kept.tail, waiting, kept.widths)
            return None if older is None or kept.tail is None else replace(older, future=read[0].future), _state(after)
        one = panel.join(older, read[0], self._plan.lookback)
        # only series that came with the model count as known
        one = replace(one, unread=older.unread if older is not None and kept.tail is not None else one.unread)
        tail = one.cut(max(0, len(one) - self._plan.kept))
        return one, _state(_Kept(count, _closed(tail), waiting, kept.widths))

    def _row(self, event: Any, number: int) -> Row:
        row = event if isinstance(event, Mapping) else {self._panel.target: event}
        row = {name: value for name, value in row.items() if name != FUTURE}
        if self._panel.target not in row:
            raise lacking(self._panel.target, row)
        return {**row, STEP: number} if self._panel.time == STEP else row

    def _ahead(self, rows: Any) -> Table:
        if not isinstance(rows, list | tuple) or not all(isinstance(row, Mapping) for row in rows):
            received = type(rows).__name__ if not isinstance(rows, list | tuple) else "a list of other values"
            raise DataError(message(f"event, {FUTURE!r}", expected="a list of records", received=received))
        return self._table(list(rows))

    def _table(self, rows: list[Row]) -> Table:
        names = dict.fromkeys(name for row in rows for name in row)
        frame = pl.DataFrame([column(name, [row.get(name) for row in rows]) for name in names])
        return Table(frame, self._panel.time, self._panel.group, self._panel.form)

    def _answer(self, series: Series, answer: np.ndarray) -> dict[str, Any]:
        times = series.calendar.after(series.times[-1], np.arange(1, self._horizon + 1))
        written = [time if isinstance(time, int | float) else str(time) for time in self._panel.write_times(times)]
        columns = answer_columns(answer[None], self._quantiles)
        return {self._panel.time: written, **{name: values.tolist() for name, values in columns.items()}}


def _width(codec: Codec) -> int:
    """Return the number of features that a covariate has per step."""
    return codec.spec.size


def _fits(tail: tuple[Any, ...]) -> bool:
    """Return whether there are equally many steps of each kind, at least one, in order."""
    _, times, values, past, known, _, unread = tail
    lengths = {len(times), len(values), len(past), len(known)}
    return len(lengths) == 1 and 0 < len(times) >= unread and bool((np.diff(times) > 0).all())


def _missing(value: Any) -> bool:
    return value is None or value != value


def _state(kept: _Kept) -> StreamState:
    return StreamState(tuple(kept), _NOTHING)


def _closed(series: Series) -> tuple[Any, ...]:
    times = series.times.astype("M8[us]").astype(np.int64) if series.times.dtype.kind == "M" else series.times
    return series.name, times, series.values, series.past, series.known, series.static, series.unread


def _opened(tail: tuple[Any, ...], like: Series, panel: Panel) -> Series:
    name, times, values, past, known, static, unread = tail
    if name != like.name:
        raise DataError(message("event", expected=f"rows of series {name!r}", received=f"series {like.name!r}"))
    times = times if panel.form.kind == "number" else times.astype("M8[us]")
    calendar = panel.calendars.of(name, times[-1:] if name in panel.calendars.places else times)
    return Series(name, calendar, times, values, past, known, static, like.future[:0], unread)
