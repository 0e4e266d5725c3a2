"""Initial states from a vector, such as a picture, a topic or a whole source."""

from typing import Any

from torch import Tensor

from unrolled.state import state_tensors, with_tensors


def state_size(layers: Any) -> int:
    """Return the number of values in one row of a sequence layer's state, all fields together."""
    return sum(field.numel() for field in state_tensors(layers.initial_state(1)))


def state_from(flat: Tensor, layers: Any) -> Any:
    """Convert rows of numbers (B, state_size) to a state of the layers."""
    first = layers.initial_state(flat.shape[0])
    sizes = [field.numel() for field in state_tensors(layers.initial_state(1))]
    parts = zip(flat.split(sizes, 1), state_tensors(first), strict=True)
    return with_tensors(first, (part.view(field.shape) for part, field in parts))
