"""The loss of one step: the negative log probability of the true output; and the steps that it looks back at."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def softmax(output: Array) -> Array:
    """Convert scores (V,) to probabilities (V,)."""
    raised = np.exp(output - output.max())  # the largest score is subtracted so that exp cannot overflow
    return raised / raised.sum()


def cross_entropy(output: Array, target: int) -> float:
    """Compute `J_t = -log p(true output)` of one step.

    >>> round(cross_entropy(np.array([0.0, 0.0]), 1), 4)  # two equal scores: log 2
    0.6931
    """
    return -float(np.log(softmax(output)[target]))


def output_slope(output: Array, target: int) -> Array:
    """Compute `dJ_t/dy_t` (V,): predicted minus true probabilities.

    >>> output_slope(np.array([0.0, 0.0]), 1)
    array([ 0.5, -0.5])
    """
    slope = softmax(output)
    slope[target] -= 1
    return slope


def first_seen(i: int, bptt_steps: int) -> int:
    """Return the earliest step that loss i looks back at: 1, or the first of the last `bptt_steps` steps (remedy 2).

    >>> first_seen(5, bptt_steps=0), first_seen(5, bptt_steps=2)
    (1, 4)
    """
    return max(1, i - bptt_steps + 1) if bptt_steps else 1
