"""The states of many streams as one array, so that a batch is not split and stacked at every step."""

from collections.abc import Iterator, Sequence
from typing import Any, overload

import numpy as np

from unrolled.streaming.state import StreamState


class StreamStates(Sequence[StreamState]):
    """A list of states whose network parts are the rows of one array.

    Args:
        memories: memory of each stream.
        rows: (B, S) float32.

    Example:
        >>> states = StreamStates([None, None], np.array([[1.0], [2.0]], dtype=np.float32))
        >>> states[1].network.tolist(), len(states)
        ([2.0], 2)
    """

    def __init__(self, memories: Sequence[Any], rows: np.ndarray) -> None:
        self.memories, self.rows = memories, rows

    def __len__(self) -> int:
        return len(self.memories)

    def __iter__(self) -> Iterator[StreamState]:
        return (StreamState(memory, row.copy()) for memory, row in zip(self.memories, self.rows, strict=True))

    @overload
    def __getitem__(self, place: int) -> StreamState: ...

    @overload
    def __getitem__(self, place: slice) -> "StreamStates": ...

    def __getitem__(self, place: int | slice) -> "StreamState | StreamStates":
        """Return one state as a copy: a view would keep all the others alive."""
        if isinstance(place, slice):
            return StreamStates(self.memories[place], self.rows[place])
        return StreamState(self.memories[place], self.rows[place].copy())


def rows_of(states: Sequence[StreamState]) -> np.ndarray:
    """Return the network parts of states as rows, (B, S)."""
    return states.rows if isinstance(states, StreamStates) else np.array([state.network for state in states])


def memories_of(states: Sequence[StreamState]) -> Sequence[Any]:
    """Return the memories of states."""
    return states.memories if isinstance(states, StreamStates) else [state.memory for state in states]
