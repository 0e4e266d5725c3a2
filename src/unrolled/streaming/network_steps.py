"""Streams of tasks whose network carries a state: encode an event, step the network, decode the answer."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch

from unrolled.batch import Batch, Nested
from unrolled.data.source import Source
from unrolled.errors import UnrolledError
from unrolled.ragged import Ragged
from unrolled.state_forms import Exactly, FixedParts, Flag, Form, Maybe
from unrolled.streaming.engine import Engine
from unrolled.streaming.fast_step import Quick, quick_of
from unrolled.streaming.stacked_states import StreamStates, rows_of
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Answer, Answers

# they return None for an event that needs the general way
QuickStep = Callable[[Any, StreamState], Answer | None]
QuickSteps = Callable[[Sequence[Any], Sequence[StreamState]], tuple[list[Any], StreamStates] | None]
AT_ONCE = 1024  # events of a history that are read in one pass


class StreamReader(Protocol):
    """The task's own part of a stream: its events and answers.

    Attributes:
        repeats: whether an event without anything to read gets the previous answer again.
    """

    repeats: bool

    def events(self, source: Source, rng: np.random.Generator) -> list[list[Any]]:
        """Split a data set into the events of each sequence."""
        ...

    @property
    def quick(self) -> Callable[[Quick], tuple[QuickStep, QuickSteps]] | None:
        """A faster way for common events, of one stream and of many; None where there is none."""
        ...

    def initial(self) -> Any:
        """Return the memory before the first event, without the network's state."""
        ...

    def take(self, event: Any, memory: Any) -> tuple[Any, Any]:
        """Return what an event adds, and the memory after it."""
        ...

    def rest(self, memory: Any) -> tuple[Any, Any]:
        """Return what was held back, at the end of a sequence."""
        ...

    @property
    def form(self) -> Form:
        """The form of the memory."""
        ...

    @property
    def said(self) -> Form:
        """The form of an answer; used where `repeats`."""
        ...

    def parts(self, event: Any, most: int) -> list[Any]:
        """Cut an event into events of at most `most` steps, if it can be cut."""
        ...

    def joined(self, outputs: Sequence[Any]) -> Any:
        """Return the answer to an event from those to its parts."""
        ...

    def encode(self, pieces: Sequence[Any], fresh: Sequence[bool]) -> Batch:
        """Encode pieces for the network; `fresh` marks those that begin a sequence."""
        ...

    def answers(self, raw: Ragged, pieces: Sequence[Any]) -> list[Any]:
        """Decode the network's outputs (N, width) to one answer per piece, in plain values."""
        ...


class NetworkSteps:
    """The part of a stream that all tasks with a carried state share.

    The memory is (whether something was read, the answer to repeat, the reader's memory).

    Args:
        network: a causal arrangement.
        reader: the task's own part.
    """

    def __init__(self, network: Any, reader: StreamReader) -> None:
        self.engine, self.reader = Engine(network), reader
        quick = None if reader.quick is None else quick_of(network)
        self._quick, self._quick_many = (None, None) if quick is None or reader.quick is None else reader.quick(quick)

    @property
    def form(self) -> Form:
        """The form of the memory: a flag, the answer to repeat, and the reader's own part."""
        answer = Maybe(self.reader.said) if self.reader.repeats else Exactly(None)
        return FixedParts(Flag(), answer, self.reader.form)

    def initial_state(self) -> StreamState:
        return StreamState((False, None, self.reader.initial()), self.engine.first)

    def step(self, event: Any, state: StreamState) -> Answer:
        if self._quick is not None:
            answer = self._quick(event, state)
            if answer is not None:
                return answer
        piece, memory = self.reader.take(event, state.memory[2])
        return self._advance([piece], [memory], [state])[0]

    def step_many(self, events: Sequence[Any], states: Sequence[StreamState]) -> Answers:
        found = None if self._quick_many is None or not events else self._quick_many(events, states)
        if found is not None:
            return found
        answers = self._one_by_one(events, states)
        return [one if isinstance(one, UnrolledError) else one[0] for one in answers], [
            before if isinstance(one, UnrolledError) else one[1] for one, before in zip(answers, states, strict=True)
        ]

    def _one_by_one(self, events: Sequence[Any], states: Sequence[StreamState]) -> list[Answer | UnrolledError]:
        pieces, memories, befores, places = [], [], [], []
        answers: list[Any] = [None] * len(events)
        for place, (event, state) in enumerate(zip(events, states, strict=True)):
            try:
                piece, memory = self.reader.take(event, state.memory[2])
            except UnrolledError as fault:
                answers[place] = fault
                continue
            pieces.append(piece)
            memories.append(memory)
            befores.append(state)
            places.append(place)
        for place, found in zip(places, self._each(pieces, memories, befores), strict=True):
            answers[place] = found
        return answers

    def _each(self, pieces: list[Any], memories: list[Any], states: list[StreamState]) -> list[Any]:
        """Advance all together; if one cannot be encoded, one by one, so that the others still get their answers."""
        try:
            return self._advance(pieces, memories, states)
        except UnrolledError as fault:
            if len(pieces) == 1:
                return [fault]
        return [found for each in zip(pieces, memories, states, strict=True) for found in self._each(*map(_one, each))]

    def feed(self, history: Sequence[Any], state: StreamState) -> StreamState:
        for start in range(0, len(history), AT_ONCE):
            state = self._read(history[start : start + AT_ONCE], state)
        return state

    def _read(self, events: Sequence[Any], state: StreamState) -> StreamState:
        started, answer, memory = state.memory
        pieces = []
        for event in events:
            piece, memory = self.reader.take(event, memory)
            pieces.append(piece)
        fresh = [not started, *(False for _ in events[1:])]
        whole = end_to_end(self.reader.encode(pieces, fresh))
        raw, after = self.engine.run(whole, state.network[None], torch.tensor(fresh[:1]))
        if self.reader.repeats and len(raw.values):
            (answer,) = self.reader.answers(Ragged(raw.values[-1:], torch.ones(1, dtype=torch.int64)), pieces[-1:])
        return StreamState((started or whole.num_steps > 0, answer, memory), after[0])

    def finish(self, state: StreamState) -> Answer:
        piece, memory = self.reader.rest(state.memory[2])
        return self._advance([piece], [memory], [state])[0]

    def events(self, source: Source, rng: np.random.Generator) -> list[list[Any]]:
        return self.reader.events(source, rng)

    def parts(self, event: Any, most: int) -> list[Any]:
        return self.reader.parts(event, most)

    def joined(self, outputs: Sequence[Any]) -> Any:
        return self.reader.joined(outputs)

    def _advance(self, pieces: list[Any], memories: list[Any], states: list[StreamState]) -> list[Answer]:
        if not pieces:
            return []
        fresh = [not state.memory[0] for state in states]
        batch = self.reader.encode(pieces, fresh)
        raw, after = self.engine.run(batch, rows_of(states), torch.tensor(fresh))
        outputs = self.reader.answers(raw, pieces)
        answers = []
        counts = raw.lengths.tolist()
        for row, (output, memory, before) in enumerate(zip(outputs, memories, states, strict=True)):
            read = counts[row] > 0
            output = output if read or not self.reader.repeats else before.memory[1]
            kept = (read or before.memory[0], output if self.reader.repeats else None, memory)
            # a copy of the row: a view would keep the states of all the others alive
            answers.append((output, StreamState(kept, after[row].copy() if read else before.network)))
        return answers


def last_of(outputs: Sequence[Any]) -> Any:
    """Return the last answer; a part without anything to read has none."""
    return next((output for output in reversed(outputs) if output is not None), None)


def end_to_end(batch: Batch) -> Batch:
    """Join the pieces of one sequence; per-sequence inputs are taken from the last piece."""
    inputs = {name: _joined(value) for name, value in batch.inputs.items()}
    return replace(batch, inputs=inputs, statics={name: rows[-1:] for name, rows in batch.statics.items()})


def _joined(value: Ragged | Nested) -> Ragged | Nested:
    if isinstance(value, Nested):
        return Nested(Ragged(value.index.values, torch.tensor([len(value.index.values)])), value.pieces)
    return Ragged(value.values, torch.tensor([len(value.values)]))


def _one(value: Any) -> list[Any]:
    return [value]
