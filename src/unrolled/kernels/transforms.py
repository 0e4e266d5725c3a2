"""What torch does to functions: torch.func's grad, vmap, jvp and their like, and derivatives forwards."""

import torch
from torch.autograd import forward_ad


def transformed() -> bool:
    """Whether tensors may stand for others just now, which code outside torch's operations cannot read."""
    return torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0
