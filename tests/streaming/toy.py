"""A small stream for tests: it counts, adds up, and steps a random layer whose result no neighbour changes."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unrolled.errors import DataError, UnrolledError, message
from unrolled.state_forms import FixedParts, Form, Real, Whole
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Answer, Answers, Stream

SIZE = 8


class Toy:
    """Events are numbers; the answer says how many there were, their sum, and a number of the hidden state."""

    def __init__(self, seed: int = 0, size: int = SIZE) -> None:
        self.weights = np.random.default_rng(seed).normal(0, 0.5, (size, size)).astype(np.float32)
        self.batches: list[int] = []

    @property
    def form(self) -> Form:
        return FixedParts(Whole(), Real())

    def initial_state(self) -> StreamState:
        return StreamState((0, 0.0), np.zeros(len(self.weights), dtype=np.float32))

    def step(self, event: Any, state: StreamState) -> Answer:
        (output,), (after,) = self.step_many([event], [state])
        if isinstance(output, UnrolledError):
            raise output
        return output, after

    def step_many(self, events: Sequence[Any], states: Sequence[StreamState]) -> Answers:
        self.batches.append(len(events))
        good = [place for place, event in enumerate(events) if isinstance(event, int | float) and event == event]
        outputs: list[Any] = [DataError(message("event", expected="a number", received=event)) for event in events]
        after = list(states)
        if good:
            hidden = np.stack([states[place].network for place in good])  # (B, S)
            given = np.array([[events[place]] for place in good], dtype=np.float32)  # (B, 1)
            hidden = np.tanh((self.weights[None] * hidden[:, None]).sum(-1) + given)  # (B, S), row by row
            for row, place in enumerate(good):
                count, total = states[place].memory
                memory = (count + 1, total + float(events[place]))
                outputs[place] = {"count": memory[0], "sum": memory[1], "hidden": float(hidden[row, 0])}
                after[place] = StreamState(memory, hidden[row])
        return outputs, after

    def feed(self, history: Sequence[Any], state: StreamState) -> StreamState:
        for event in history:
            _, state = self.step(event, state)
        return state

    def parts(self, event: Any, most: int) -> list[Any]:
        return [event]

    def joined(self, outputs: Sequence[Any]) -> Any:
        return outputs[-1]

    def finish(self, state: StreamState) -> Answer:
        return {"count": state.memory[0]}, state


def toy_stream(seed: int = 0) -> Stream:
    """A stream of a toy; each seed is another model."""
    return Stream(Toy(seed), f"{seed:016x}")
