"""Lengths of pairs to learn from: those that are too long, and those without a source."""

import torch

from unrolled.batch import Batch
from unrolled.errors import DataError, message

LONGEST = 1000  # maximum steps of source or target; longer pairs are left out of training


def short_pairs(examples: Batch) -> tuple[Batch, int]:
    """Return the pairs that are short enough to learn from, and the number of the others.

    Raises:
        DataError: all are too long.
    """
    sizes = [examples.lengths, *(value.lengths for value in examples.sources.values())]
    short = torch.stack(sizes).amax(0) <= LONGEST
    if not bool(short.any()):
        raise DataError(
            message("data", expected=f"pairs of at most {LONGEST:,} steps", received=f"{len(short)} longer ones")
        )
    left_out = int((~short).sum())
    return (examples.select(short.nonzero().squeeze(1)) if left_out else examples), left_out


def answers_nothing(examples: Batch) -> bool:
    """Return whether a pair has a target, beside its end, but an empty source."""
    read = next(iter(examples.sources.values()), None)
    return read is not None and bool(((read.lengths == 0) & (examples.lengths > 1)).any())
