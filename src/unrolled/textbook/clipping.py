"""Remedy 1: keep the gradient's norm in a band."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def clip_to_band(gradients: Sequence[Array], low: float, high: float) -> list[Array]:
    """Scale all gradients together so that their norm c lies in `low <= c <= high` (remedy 1).

    >>> clip_to_band([np.array([3.0, 4.0])], low=0.0, high=1.0)
    [array([0.6, 0.8])]
    """
    norm = float(np.sqrt(sum((gradient**2).sum() for gradient in gradients)))
    scale = min(max(norm, low), high) / norm if norm else 1.0
    return [gradient * scale for gradient in gradients]
