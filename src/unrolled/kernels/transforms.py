"""Detection of function transforms: torch.func's grad, vmap, jvp and similar, and forward-mode derivatives."""

import torch
from torch.autograd import forward_ad


def transformed() -> bool:
    """Return whether a transform is active, so that tensors may be wrappers that only torch's operations can read."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
