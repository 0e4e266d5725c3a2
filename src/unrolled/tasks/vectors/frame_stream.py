"""Streams of sequence models: vectors in, the next vector out."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import expit
from torch.nn.functional import pad

from unrolled.batch import Batch
from unrolled.codecs.tables.frames import Frames
from unrolled.data.source import Source
from unrolled.nn.heads import BinaryVectorOutput
from unrolled.nn.output import Output
from unrolled.ragged import Ragged
from unrolled.state_forms import Exactly
from unrolled.streaming.engine import final
from unrolled.streaming.fast_step import Quick
from unrolled.streaming.network_steps import QuickStep, QuickSteps, last_of
from unrolled.streaming.record_pieces import Pieces
from unrolled.streaming.stacked_states import StreamStates, rows_of
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Answer
from unrolled.tasks.shared.stream_events import events_of_records


class FrameReader:
    """A reader of events that hold any number of vectors.

    Args:
        codec: codec of the vectors.
        output: the output that gives the network's numbers their meaning.
        own_units: converts vectors (T, V) of the network to the units and form of the column.
        mixture: whether the network reads a start first, and predicts whether the sequence ends.
    """

    repeats = False

    def __init__(
        self,
        codec: Frames,
        output: Output,
        own_units: Callable[[Sequence[np.ndarray]], list[np.ndarray]],
        mixture: bool,
    ) -> None:
        self._codec, self._output, self._own_units, self._mixture = codec, output, own_units, mixture
        pieces = Pieces([codec])
        self.initial, self.take, self.rest, self.parts = pieces.initial, pieces.take, pieces.rest, pieces.parts
        self.joined = last_of
        self.quick = None if mixture else self._quick
        self.form, self.said = pieces.form, Exactly(None)

    def encode(self, pieces: Sequence[dict[str, Any]], fresh: Sequence[bool]) -> Batch:
        frames = self._codec.encode(pieces)
        if not self._mixture:
            return Batch({"frames": frames})
        start = torch.zeros(1, self._codec.spec.size + 1)
        start[0, -1] = 1.0
        rows = [[start[: int(new)], pad(some, (0, 1))] for some, new in zip(frames, fresh, strict=True)]
        return Batch({"frames": Ragged.from_sequences([torch.cat(parts) for parts in rows])})

    def answers(self, raw: Ragged, pieces: Sequence[dict[str, Any]]) -> list[Any]:
        said = self._output.describe(final(raw))  # (M, V), and for a mixture whether it ends
        width = self._codec.spec.size
        (units,) = self._own_units([said[:, :width].numpy()])
        found = iter(zip(units.tolist(), said[:, width:].tolist(), strict=True))
        return [self._answer(*next(found)) if length else None for length in raw.lengths.tolist()]

    def events(self, source: Source, rng: np.random.Generator) -> list[list[Any]]:
        return events_of_records(source, [self._codec], rng)

    def _quick(self, quick: Quick) -> tuple[QuickStep, QuickSteps]:
        """Return fast steps for one vector of finite numbers, if the network reads nothing else."""
        centre, spread = np.array(self._codec.scaling_, dtype=np.float64)
        memory = (True, None, self.initial())
        binary = isinstance(self._output, BinaryVectorOutput)
        return _one_step(quick, centre, spread, binary, memory), _many_steps(quick, centre, spread, binary, memory)

    def _answer(self, numbers: list[float], ends: list[float]) -> dict[str, Any]:
        return {"next": numbers, **({"ends": ends[0]} if self._mixture else {})}


def _one_step(quick: Quick, centre: np.ndarray, spread: np.ndarray, binary: bool, memory: Any) -> QuickStep:
    scaled = bool((centre != 0).any() or (spread != 1).any())
    pack, buffer, width = struct.Struct(f"{len(centre)}f").pack_into, memoryview(quick.inputs).cast("B"), len(centre)
    centres, spreads, own = centre.tolist(), spread.tolist(), scaled and not binary
    run, lock = quick.step, quick.lock

    def step(event: Any, state: StreamState) -> Answer | None:
        if not isinstance(event, list | tuple) or len(event) != width:
            return None
        try:
            total = sum(event)
            if total - total != 0:  # a value is missing or infinite
                return None
            values = [(x - c) / s for x, c, s in zip(event, centres, spreads, strict=True)] if scaled else event
            with lock:
                pack(buffer, 0, *values)
                raw, after = run(state.network)
        except (TypeError, OverflowError, struct.error):
            return None  # the general path reports the error
        numbers = (expit(raw) if binary else raw).tolist()
        if own:
            numbers = [x * s + c for x, c, s in zip(numbers, centres, spreads, strict=True)]
        return {"next": numbers}, StreamState(memory, after)

    return step


def _many_steps(quick: Quick, centre: np.ndarray, spread: np.ndarray, binary: bool, memory: Any) -> QuickSteps:
    def step(events: Sequence[Any], states: Sequence[StreamState]) -> tuple[list[Any], StreamStates] | None:
        try:
            values = np.array(events)
        except ValueError:  # of unequal lengths
            return None
        if values.dtype.kind not in "fiu" or values.shape[1:] != centre.shape:
            return None
        with np.errstate(over="ignore"):
            inputs = ((values - centre) / spread).astype(np.float32)
        if not np.isfinite(inputs).all():
            return None
        raw, after = quick.step_many(inputs, rows_of(states))
        numbers = expit(raw) if binary else raw * spread + centre
        return [{"next": row} for row in numbers.tolist()], StreamStates([memory] * len(events), after)

    return step
