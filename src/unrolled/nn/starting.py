"""Initial states from a vector, such as a picture, a topic or a whole source."""

from typing import Any

from torch import Tensor

from unrolled.nn.unroll import map_state


def state_size(layers: Any) -> int:
    """Return the number of values in one row of a sequence layer's state, all fields together."""
    sizes: list[int] = []
    map_state(lambda field: sizes.append(field.numel()) or field, layers.initial_state(1))
    return sum(sizes)


def state_from(flat: Tensor, layers: Any) -> Any:
    """Convert rows of numbers (B, state_size) to a state of the layers."""
    first = layers.initial_state(flat.shape[0])
    sizes: list[int] = []
    map_state(lambda field: sizes.append(field[:1].numel()) or field, layers.initial_state(1))
    parts = iter(flat.split(sizes, 1))
    return map_state(lambda field: next(parts).view(field.shape), first)
