"""The loss of one step: how improbable the true output was thought to be, and which steps it looks back at."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def softmax(output: Array) -> Array:
    """Scores (V,) to probabilities (V,)."""
    raised = np.exp(output - output.max())  # the largest score is taken off so that exp cannot overflow
    return raised / raised.sum()


def cross_entropy(output: Array, target: int) -> float:
    """`J_t = -log p(true output)` of one step.

    >>> round(cross_entropy(np.array([0.0, 0.0]), 1), 4)  # two equal scores: log 2
    0.6931
    """
    return -float(np.log(softmax(output)[target]))


def output_slope(output: Array, target: int) -> Array:
    """`dJ_t/dy_t` (V,): what was predicted minus what is true.

    >>> output_slope(np.array([0.0, 0.0]), 1)
    array([ 0.5, -0.5])
    """
    slope = softmax(output)
    slope[target] -= 1
    return slope


def first_seen(i: int, bptt_steps: int) -> int:
    """The earliest step that loss i looks back at: 1, or with truncation (remedy 2) the last `bptt_steps` steps' first.

    >>> first_seen(5, bptt_steps=0), first_seen(5, bptt_steps=2)
    (1, 4)
    """
    return max(1, i - bptt_steps + 1) if bptt_steps else 1
