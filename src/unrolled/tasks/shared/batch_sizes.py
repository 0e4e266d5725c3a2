"""Sizes of batches: how many sequences per update, and how many are answered at once."""

from collections.abc import Iterator

from torch import Tensor

PREDICT_BATCH, PREDICT_STEPS = 256, 1 << 18  # maximum sequences per prediction batch, and maximum steps per batch


def batch_size_for(sequences: int) -> int:
    """Return the default batch size: 32, or less if 32 would leave fewer than 16 updates per epoch."""
    return min(32, max(4, sequences // 16))


def side_by_side(order: Tensor, lengths: Tensor) -> Iterator[Tensor]:
    """Yield the rows in their order, as many together as fit a fixed amount of memory, and at least one."""
    start = steps = 0
    for place, length in enumerate(lengths[order].tolist()):
        if place > start and (place - start == PREDICT_BATCH or steps + length > PREDICT_STEPS):
            yield order[start:place]
            start, steps = place, 0
        steps += length
    yield order[start:]
