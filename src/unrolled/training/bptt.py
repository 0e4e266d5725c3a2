"""Truncated back-propagation through time: the state is carried on, the gradient is not.

Over a stream cut into chunks of k steps, each chunk starts from the final state of the one before. The state is
detached there, so no gradient reaches back beyond its chunk, and only one chunk is kept in memory:

    chunk 1             chunk 2             chunk 3
    s0 -> ... -> sk  |  sk -> ... -> s2k  |  s2k -> ...        forward: through every |
    <- gradient ---  |  <- gradient ----  |  <- gradient       backward: stops at every |

If a sequence ends and another begins within a row, the model resets that row's state (`Batch.reset`).
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor


def map_tensors(function: Callable[[Tensor], Tensor], state: Any) -> Any:
    """Apply a function to every tensor of a nested state; the nesting and everything else stays.

    Args:
        function: from tensor to tensor.
        state: a tensor, None, a number, or (named) tuples, lists and dicts of these.

    Example:
        >>> import torch
        >>> map_tensors(lambda t: t + 1, (torch.tensor(1), [torch.tensor(2), None]))
        (tensor(2), [tensor(3), None])
    """
    if isinstance(state, Tensor):
        return function(state)
    if isinstance(state, tuple):
        items = (map_tensors(function, item) for item in state)
        return type(state)(*items) if hasattr(state, "_fields") else tuple(items)
    if isinstance(state, list):
        return [map_tensors(function, item) for item in state]
    if isinstance(state, dict):
        return {key: map_tensors(function, item) for key, item in state.items()}
    return state


def detach(state: Any) -> Any:
    """Return the state without its history: later gradients do not flow into the steps that produced it.

    Args:
        state: any nested state, see `map_tensors`.

    Example:
        >>> import torch
        >>> detach((torch.ones(1, requires_grad=True) * 2,))
        (tensor([2.]),)
    """
    return map_tensors(Tensor.detach, state)
