"""Keeping freed memory in the process between calls."""

from functools import cache

import torch

LARGEST = 2**23 - 2**12  # float32 values, slightly below the 32 MiB limit of glibc's adaptive threshold


@cache
def keep_freed_memory() -> None:
    """Make glibc keep the memory of freed large tensors, instead of returning it to the system.

    Its threshold adapts to the largest block that was freed. Before that every tensor of a few megabytes is fresh
    memory, and a page fault for every 4 KiB can take as long as the arithmetic. Afterwards it keeps up to 64 MiB of
    unused memory. Other allocators are not affected.
    """
    torch.empty(LARGEST)  # freed at once and never touched, so it takes no memory
