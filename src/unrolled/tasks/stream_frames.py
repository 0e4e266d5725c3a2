"""Streams of sequence models: vectors in, the next vector out."""

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from unrolled.batch import Batch
from unrolled.codecs.frames import Frames
from unrolled.nn.heads import BinaryVectorOutput
from unrolled.nn.output import Output
from unrolled.streaming.network_steps import QuickStep
from unrolled.streaming.pieces import Memory, Pieces
from unrolled.streaming.quick import quick_of
from unrolled.streaming.state import StreamState
from unrolled.streaming.stream import Answer
from unrolled.tasks.drawing import started


class FrameReader:
    """Reads vectors, as many in an event as there are.

    Args:
        codec: of the vectors.
        output: what the network's numbers mean.
        own_units: vectors (T, V) as the network has them, in the form the column has.
        mixture: the network reads a start first, and says whether the sequence ends.
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
        self._pieces = Pieces([codec])

    def initial(self) -> Memory:
        return self._pieces.initial()

    def take(self, event: Any, memory: Memory) -> tuple[dict[str, Any], Memory]:
        return self._pieces.take(event, memory)

    def rest(self, memory: Memory) -> tuple[dict[str, Any], Memory]:
        return self._pieces.rest(memory)

    def encode(self, pieces: Sequence[dict[str, Any]], fresh: Sequence[bool]) -> Batch:
        frames = self._codec.encode(pieces)
        if not self._mixture:
            return Batch({"frames": frames})
        begun = started(frames)  # a piece without a vector stays one: there is nothing to begin yet
        real = torch.tensor([0 if new else 1 for new in fresh])
        return Batch({"frames": begun.slice(torch.minimum(real, begun.lengths), begun.lengths)})

    def answers(self, raw: Sequence[Tensor], pieces: Sequence[dict[str, Any]]) -> list[Any]:
        rows = [numbers[-1:] for numbers in raw]
        said = self._output.describe(torch.cat(rows))  # (M, V), and for a mixture whether it ends
        width = self._codec.spec.size
        (units,) = self._own_units([said[:, :width].numpy()])
        found = iter(zip(units.tolist(), said[:, width:].tolist(), strict=True))
        return [self._answer(*next(found)) if len(row) else None for row in rows]

    def quick(self, network: Any) -> QuickStep | None:
        """One vector of finite numbers, where the network reads nothing else."""
        quick = None if self._mixture else quick_of(network)
        if quick is None:
            return None
        centre, spread = np.array(self._codec.scaling_, dtype=np.float64).tolist()
        scaled = any(centre) or any(each != 1.0 for each in spread)
        pack, buffer, width = (
            struct.Struct(f"{len(centre)}f").pack_into,
            memoryview(quick.inputs).cast("B"),
            len(centre),
        )
        binary = isinstance(self._output, BinaryVectorOutput)
        own = scaled and not binary
        memory = (True, None, self._pieces.initial())
        run, lock = quick.step, quick.lock

        def step(event: Any, state: StreamState) -> Answer | None:
            if not isinstance(event, list | tuple) or len(event) != width:
                return None
            try:
                total = sum(event)
                if total - total != 0:  # something is missing, or infinite
                    return None
                values = [(x - c) / s for x, c, s in zip(event, centre, spread, strict=True)] if scaled else event
                with lock:
                    pack(buffer, 0, *values)
                    raw, after = run(state.network)
            except (TypeError, OverflowError, struct.error):
                return None  # the long way says what is wrong
            if binary:
                raw = 1 / (1 + np.exp(-raw))
            numbers = raw.tolist()
            if own:
                numbers = [x * s + c for x, c, s in zip(numbers, centre, spread, strict=True)]
            return {"next": numbers}, StreamState(memory, after)

        return step

    def _answer(self, numbers: list[float], ends: list[float]) -> dict[str, Any]:
        return {"next": numbers, **({"ends": ends[0]} if self._mixture else {})}
