"""Choosing the sequence and the steps that an unfolding shows."""

from collections.abc import Collection

import torch

from unrolled.batch import Batch
from unrolled.errors import ShapeError, message


def one_sequence(batch: Batch, row: int) -> Batch:
    """Return one sequence of a batch.

    Raises:
        ShapeError: no such sequence, or an empty one.
    """
    if not 0 <= row < batch.batch_size:
        raise ShapeError(message("row", expected=f"0 to {batch.batch_size - 1}", received=row))
    one = batch.select(torch.tensor([row]))
    if not one.num_steps:
        raise ShapeError(message("row", expected="a sequence with at least one step", received=f"{row}, an empty one"))
    return one


def shown_steps(length: int, ends: tuple[int, int], cuts: Collection[int] = ()) -> list[int]:
    """Choose the first and last steps and both sides of the first and last stop; a gap hides at least two steps.

    Example:
        >>> shown_steps(9, (2, 1)), shown_steps(4, (2, 1))
        ([1, 2, 9], [1, 2, 3, 4])
    """
    first, last = max(ends[0], 1), max(ends[1], 1)
    beside = {step for cut in (min(cuts), max(cuts)) for step in (cut, cut + 1)} if cuts else set()
    kept = {*range(1, min(first, length) + 1), *range(max(length - last + 1, 1), length + 1), *beside}
    lone = {step for step in range(2, length) if {step - 1, step + 1} <= kept}
    return sorted(kept | lone)
