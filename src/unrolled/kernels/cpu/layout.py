"""The assignment of sequences to threads, and the order of their steps in memory."""

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from unrolled.kernels.cpu.arguments import KnownAddress, place_of

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Chunk:
    """The sequences of one thread, longest first; none is empty.

    Args:
        sequences: their indices, (C,).
        firsts: the row of the first step of each in the user's tensors, (C,).
        lengths: steps of each, (C,).
        offsets: the first row of every step in time-major order, then their number, (T + 1,).
        blocks: steps at which a block of rows begins, then T.
        block_rows: rows of the largest block.
    """

    sequences: Integers
    firsts: Integers
    lengths: Integers
    offsets: Integers
    blocks: Integers
    block_rows: int

    @property
    def num_rows(self) -> int:
        """Total number of steps."""
        return int(self.offsets[-1])

    @cached_property
    def places(self) -> dict[str, KnownAddress]:
        """Return the place of each of its arrays."""
        arrays = {
            "sequences": self.sequences,
            "firsts": self.firsts,
            "lengths": self.lengths,
            "offsets": self.offsets,
            "blocks": self.blocks,
        }
        return {name: place_of(array) for name, array in arrays.items()}


def chunks_of(lengths: Tensor, threads: int, block_rows: int) -> list[Chunk]:
    """Assign the sequences to threads, with about the same number of steps for each; empty ones are left out.

    Args:
        lengths: steps of each sequence, (B,).
        threads: maximum number of chunks.
        block_rows: rows after which a new block begins.
    """
    return _chunks_of(lengths.numpy().tobytes(), threads, block_rows)


@lru_cache(maxsize=64)
def _chunks_of(lengths: bytes, threads: int, block_rows: int) -> list[Chunk]:
    steps = np.frombuffer(lengths, dtype=np.int64)
    begins = np.cumsum(steps) - steps
    order = np.argsort(-steps, kind="stable")
    order = order[: np.count_nonzero(steps)]
    threads = min(threads, len(order))
    turn = np.arange(len(order)) % (2 * threads) if threads else order
    owner = np.where(turn < threads, turn, 2 * threads - 1 - turn)  # back and forth, for balance
    return [_chunk(order[owner == thread], steps, begins, block_rows) for thread in range(threads)]


def _chunk(sequences: Integers, steps: Integers, begins: Integers, block_rows: int) -> Chunk:
    lengths = steps[sequences]
    alive = np.cumsum(np.bincount(lengths)[:0:-1])[::-1]  # sequences that have a step t, (T,)
    offsets = np.concatenate([[0], np.cumsum(alive)]).astype(np.int64)
    number = offsets[:-1] // block_rows
    blocks = np.concatenate([[0], np.flatnonzero(np.diff(number)) + 1, [len(alive)]]).astype(np.int64)
    return Chunk(sequences, begins[sequences], lengths, offsets, blocks, int(np.diff(offsets[blocks]).max()))
