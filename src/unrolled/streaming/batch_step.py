"""Stepping a batch of streams at once, or one by one where that fails; a long event is stepped part by part."""

from collections.abc import Hashable, Sequence
from typing import Any

from polars.exceptions import PanicException

from unrolled.errors import StoreUnavailable
from unrolled.streaming.event_batching import PART, Work
from unrolled.streaming.stacked_states import StreamStates
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Answers, Stream

MOST_STARTS = 50  # how often a long event is read from its start, where others change its session
UNREAD = object()  # the answer to an event of which further parts are to be read


class EventProgress:
    """How far a long event was read, from the state of its session when reading began.

    Args:
        stream: of a fitted model.
        event: the event.
        state: of the session; None = a new one.
        version: of that state: a session with another version was changed since.
        starts: how often reading began.
    """

    __slots__ = ("first", "outputs", "parts", "starts", "state", "stream", "version")

    def __init__(
        self, stream: Stream, event: Any, state: StreamState | None, version: Hashable, starts: int = 1
    ) -> None:
        self.stream, self.first, self.state, self.version, self.starts = stream, state, state, version, starts
        self.parts = stream.parts(event, PART)
        self.outputs: list[Any] = []

    @property
    def part(self) -> Any:
        """The next part."""
        return self.parts[len(self.outputs)]

    def take(self, output: Any, after: StreamState) -> bool:
        """Note what the next part gave; return whether it was the last one."""
        self.outputs.append(output)
        self.state = after
        return len(self.outputs) == len(self.parts)


def stepped(
    stream: Stream, works: Sequence[Work], states: Sequence[StreamState | None], versions: Sequence[Hashable]
) -> Answers:
    """Step many streams; an event that fails gets its exception as the answer, and the others are unaffected.

    Args:
        stream: of a fitted model.
        works: one event per stream, at least one: all of them long, or none.
        states: of each stream; None = a new stream.
        versions: of the states; used for long events, of which one part is read. Until the last part was read the
            answer is `UNREAD`, and a session that changed in between is read from the start again.
    """
    if not works[0].is_long:
        return _together(stream, [work.event for work in works], states)
    outputs: list[Any] = [None] * len(works)
    after = [state or stream.initial_state() for state in states]
    readings: dict[int, EventProgress] = {}
    for place, (work, state, version) in enumerate(zip(works, states, versions, strict=True)):
        try:
            readings[place] = _reading(stream, work, state, version)
        except Exception as fault:
            outputs[place] = fault
    if readings:
        found = _together(stream, [one.part for one in readings.values()], [one.state for one in readings.values()])
        for (place, reading), output, state in zip(readings.items(), *found, strict=True):
            if isinstance(output, Exception) and len(reading.parts) > 1:  # its message should be about the whole event
                (outputs[place],), (after[place],) = _together(stream, [works[place].event], [reading.first])
            elif isinstance(output, Exception) or len(reading.parts) == 1:
                outputs[place], after[place] = output, state
            elif reading.take(output, state):
                outputs[place], after[place] = stream.joined(reading.outputs), state
            else:
                outputs[place] = UNREAD
    return outputs, after


def _reading(stream: Stream, work: Work, state: StreamState | None, version: Hashable) -> EventProgress:
    """Return how far an event was read; it begins again where the model or the session is another one.

    Raises:
        StoreUnavailable: nobody waits for the answer, or the session was changed too often; the event was not counted.
    """
    if not work.is_wanted:
        raise StoreUnavailable("nobody waits for the answer, and this event was not counted")
    one: EventProgress | None = work.reading
    if one is None or one.stream is not stream or one.version != version or len(one.outputs) == len(one.parts):
        one = work.reading = EventProgress(stream, work.event, state, version, 1 if one is None else one.starts + 1)
        if one.starts > MOST_STARTS:
            raise StoreUnavailable(f"session {work.key!r}: it was changed {MOST_STARTS} times meanwhile; try again")
    return one


def _together(stream: Stream, events: Sequence[Any], states: Sequence[StreamState | None]) -> Answers:
    if len(events) > 1:
        try:
            return stream.step_many(events, states, errors="return")
        except (Exception, PanicException):
            alone = [_together(stream, [event], [state]) for event, state in zip(events, states, strict=True)]
            return [outputs[0] for outputs, _ in alone], [after[0] for _, after in alone]
    try:
        output, after = stream.step(events[0], states[0])
    except (Exception, PanicException) as fault:
        # a panic of polars is no Exception, and would end the thread that answers everybody
        told = fault if isinstance(fault, Exception) else RuntimeError("a panic of polars")
        return [told], [states[0] or stream.initial_state()]
    return [output], StreamStates([after.memory], after.network[None])
