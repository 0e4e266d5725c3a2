"""Stepping a batch of streams at once, or one by one where that fails."""

from collections.abc import Sequence
from typing import Any

from unrolled.streaming.stacked_states import StreamStates
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Answers, Stream


def stepped(stream: Stream, events: Sequence[Any], states: Sequence[StreamState | None]) -> Answers:
    """Step many streams; an event that fails gets its exception as the answer, and the others are unaffected.

    Args:
        stream: of a fitted model.
        events: one per stream, at least one.
        states: of each stream; None = a new stream.
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
