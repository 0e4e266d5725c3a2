"""Memory that stays warm between calls."""

from functools import cache

import torch

LARGEST = 2**23 - 2**12  # float32 values, a little below the 32 MiB at which glibc stops learning


@cache
def keep_freed_memory() -> None:
    """Have glibc keep what large tensors give up, instead of returning it to the system.

    It learns from the largest block it has been given back. Until then every tensor of a few megabytes is fresh
    memory, and a page fault for every 4 KiB can take as long as the arithmetic. Other allocators take no notice.
    """
    torch.empty(LARGEST)  # given back at once, and never touched, so it takes no memory
