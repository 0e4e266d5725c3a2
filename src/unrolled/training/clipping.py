"""Clipping: remedies for exploding or vanishing gradients.

A gradient through i - k steps of time is a product of as many Jacobians, each bounded by some c: it vanishes when
c < 1 and explodes when c > 1. The lecture's remedy is to keep the gradient's norm in a band,

    T_low <= norm <= T_high

by scaling the whole gradient, which keeps its direction. Clipping by norm is the band with T_low = 0; clipping by
value limits every element separately and so may change the direction.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

LARGEST_SCALE = 1e30  # a larger factor could make a float32 gradient overflow


def clip_gradients(
    gradients: Sequence[Tensor], max_norm: float = 0.0, value: float = 0.0, band: tuple[float, float] | None = None
) -> float:
    """Clip gradients in place: first by value, then the norm of all together.

    Args:
        gradients: one tensor per parameter, changed in place.
        max_norm: scale down to this norm; 0 does not clip.
        value: limit every element to [-value, value]; 0 does not clip.
        band: (low, high) to scale the norm into, up or down, instead of `max_norm`. A norm that is zero or not
            finite has no direction to scale and is not changed.

    Returns:
        The norm before clipping.

    Example:
        >>> gradient = torch.tensor([0.03, 0.04])
        >>> round(clip_gradients([gradient], band=(0.5, 2.0)), 3)
        0.05
        >>> gradient
        tensor([0.3000, 0.4000])
    """
    before = norm = total_norm(gradients)
    if value and math.isfinite(norm):
        for gradient in gradients:
            gradient.clamp_(-value, value)
        norm = total_norm(gradients) if max_norm or band else norm
    low, high = band or (0.0, max_norm or math.inf)
    target = min(max(norm, low), high)
    if norm > 0 and math.isfinite(norm) and target != norm and target / norm <= LARGEST_SCALE:
        scale(gradients, target / norm)
    return before


def total_norm(gradients: Sequence[Tensor]) -> float:
    """Return the Euclidean norm of all gradients as one vector; 0 if there are none."""
    return float(torch.nn.utils.get_total_norm(list(gradients))) if gradients else 0.0


def scale(gradients: Sequence[Tensor], factor: float) -> None:
    """Multiply every gradient in place."""
    if gradients and factor != 1.0:
        torch._foreach_mul_(list(gradients), factor)
