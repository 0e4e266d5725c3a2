"""Streams of a blend: the network and the baselines read each event, each with a state of its own."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from unrolled.baselines.steps import ClassBaseline, Steps
from unrolled.blending.blend import NETWORK, Blend
from unrolled.data.source import Source
from unrolled.errors import UnrolledError
from unrolled.state_forms import FixedParts, Form, Many, Real
from unrolled.streaming.network_steps import AT_ONCE, NetworkSteps
from unrolled.streaming.stacked_states import StreamStates, memories_of, rows_of
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Answer, Answers, step_alone
from unrolled.tasks.classification.blend_choice import pooled
from unrolled.tasks.classification.record_stream import RecordReader


class SharesReader(RecordReader):
    """A reader whose answers are the network's probabilities alone; `answer` makes an answer of them."""

    @property
    def said(self) -> Form:
        return Many(Real(0, 1), len(self._labels))

    def whole(self, shares: Sequence[float]) -> tuple[float, ...]:
        return tuple(shares)

    def answer(self, shares: Sequence[float]) -> dict[str, Any]:
        """Return the answer of a record stream from the probabilities of the classes."""
        return super().whole(shares)


class BlendedSteps:
    """The part of a stream of a classifier that answers with a blend.

    The memory is (that of the network's part, the state of each baseline).

    Args:
        network: the network's part; its answers are probabilities.
        reader: its reader.
        baselines: the baselines with a weight, by key.
        blend: the weights.
        several: whether each label is a yes or no of its own.
    """

    def __init__(
        self, network: NetworkSteps, reader: SharesReader, baselines: Mapping[str, Any], blend: Blend, several: bool
    ) -> None:
        self._network, self._reader, self._blend, self._several = network, reader, blend, several
        self._baselines: dict[str, ClassBaseline] = dict(baselines)
        self._steps: list[Steps] = [one.steps(reader.columns) for one in self._baselines.values()]

    @property
    def form(self) -> Form:
        """The form of the memory."""
        return FixedParts(self._network.form, FixedParts(*(steps.form for steps in self._steps)))

    def initial_state(self) -> StreamState:
        memory, network = self._network.initial_state()
        return StreamState((memory, tuple(steps.initial for steps in self._steps)), network)

    def step(self, event: Any, state: StreamState) -> Answer:
        return step_alone(self, event, state)

    def step_many(self, events: Sequence[Any], states: Sequence[StreamState]) -> Answers:
        befores, rows = memories_of(states), rows_of(states)
        mine = StreamStates([memory for memory, _ in befores], rows)
        said, after = self._network.step_many(events, mine)
        rows_after = np.array(rows_of(after)) if len(after) else rows
        answers, memories = list(said), list(befores)
        for place, (event, shares, memory) in enumerate(zip(events, said, memories_of(after), strict=True)):
            if isinstance(shares, UnrolledError):
                continue
            before, states_before = befores[place]
            piece, _ = self._reader.take(event, before[2])
            try:
                kept = self._advanced(piece, states_before)
            except UnrolledError as fault:
                answers[place], rows_after[place] = fault, rows[place]
                continue
            answers[place], memories[place] = self._answer(shares, piece, kept), (memory, kept)
        return answers, StreamStates(memories, rows_after)

    def feed(self, history: Sequence[Any], state: StreamState) -> StreamState:
        (memory, states), network = state
        after = self._network.feed(history, StreamState(memory, network))
        waiting = memory[2]
        for start in range(0, len(history), AT_ONCE):
            pieces = []
            for event in history[start : start + AT_ONCE]:
                piece, waiting = self._reader.take(event, waiting)
                pieces.append(piece)
            states = self._advanced(self._reader.pieces.joined(pieces), states)
        return StreamState((after.memory, states), after.network)

    def finish(self, state: StreamState) -> Answer:
        (memory, states), network = state
        shares, after = self._network.finish(StreamState(memory, network))
        piece, _ = self._reader.rest(memory[2])
        kept = self._advanced(piece, states)
        return self._answer(shares, piece, kept), StreamState((after.memory, kept), after.network)

    def events(self, source: Source, rng: np.random.Generator) -> list[list[Any]]:
        return self._network.events(source, rng)

    def parts(self, event: Any, most: int) -> list[Any]:
        return self._network.parts(event, most)

    def joined(self, outputs: Sequence[Any]) -> Any:
        return self._network.joined(outputs)

    def _advanced(self, piece: Mapping[str, Any], states: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(steps.step(piece, state) for steps, state in zip(self._steps, states, strict=True))

    def _answer(self, shares: Sequence[float] | None, piece: Mapping[str, Any], states: Sequence[Any]) -> Any:
        """Return the answer of the blend; None where nothing was read so far."""
        if shares is None:
            return None
        members = {NETWORK: np.array([shares])}
        for (key, baseline), steps, state in zip(self._baselines.items(), self._steps, states, strict=True):
            members[key] = np.asarray(baseline.shares(steps.read(piece, state)))[None]
        return self._reader.answer(pooled(self._blend, members, self._several)[0].tolist())
