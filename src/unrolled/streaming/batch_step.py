"""A batch is stepped at once; where that breaks, one by one."""

from collections.abc import Sequence
from typing import Any

from unrolled.streaming.stacked_states import StreamStates
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Answers, Stream


def stepped(stream: Stream, events: Sequence[Any], states: Sequence[StreamState | None]) -> Answers:
    """One step of many, so that an event harms nobody but its sender: his answer is then the exception.

    Args:
        stream: of a fitted model.
        events: one for each stream, at least one.
        states: what is remembered of each; None = nothing yet.
    """
    if len(events) > 1:
        try:
            return stream.step_many(events, states, errors="return")
        except Exception:
            alone = [stepped(stream, [event], [state]) for event, state in zip(events, states, strict=True)]
            return [outputs[0] for outputs, _ in alone], [after[0] for _, after in alone]
    try:
        output, after = stream.step(events[0], states[0])
    except Exception as fault:
        return [fault], [states[0] or stream.initial_state()]
    return [output], StreamStates([after.memory], after.network[None])
