"""Seeds: the same seed on the same machine gives the same weights."""

import random
import sys
from collections.abc import Generator
from contextlib import contextmanager

import torch


def seed_everything(seed: int) -> None:
    """Seed Python's random, NumPy if it is loaded, and torch on every device.

    Example:
        >>> seed_everything(7); a = torch.rand(2)
        >>> seed_everything(7); bool((a == torch.rand(2)).all())
        True
    """
    random.seed(seed)
    torch.manual_seed(seed)
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed(seed % 2**32)


@contextmanager
def reproducible(device: torch.device) -> Generator[None]:
    """Allow only reproducible kernels inside the block; restore the settings afterwards.

    On a CPU with several threads, torch adds gradients of repeated indices in any order by default.
    """
    if device.type != "cpu":
        before_cuda = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
        torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = True, False
        try:
            yield
        finally:
            torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark = before_cuda
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    filling = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.utils.deterministic.fill_uninitialized_memory = filling  # type: ignore[attr-defined]
