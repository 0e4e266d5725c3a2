"""Truncated back-propagation through time: the state is carried on, the gradient is not.

Over a stream cut into chunks of k steps, each chunk starts from the final state of the one before. The state is
detached there, so no gradient reaches back beyond its chunk, and only one chunk is kept in memory:

    chunk 1             chunk 2             chunk 3
    s0 -> ... -> sk  |  sk -> ... -> s2k  |  s2k -> ...        forward: through every |
    <- gradient ---  |  <- gradient ----  |  <- gradient       backward: stops at every |

If a sequence ends and another begins within a row, the model resets that row's state (`Batch.reset`).
"""

from typing import Any

from torch import Tensor

from unrolled.state import map_state


def detach(state: Any) -> Any:
    """Return the state without its history: later gradients do not flow into the steps that produced it.

    Args:
        state: any nested state, see `map_state`.

    Example:
        >>> import torch
        >>> detach((torch.ones(1, requires_grad=True) * 2,))
        (tensor([2.]),)
    """
    return map_state(Tensor.detach, state)
