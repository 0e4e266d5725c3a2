"""The number of threads for a model: decided by its size alone, so that the same run gives the same weights."""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn

# multiply-adds per time step below which a second thread gains little, and costs much on a busy machine
WORTH_THREADS = 12_000_000


def threads_worth(model: nn.Module, rows: int) -> int:
    """Return 1 for a model so small that a second thread would slow it down, else 0: all threads of torch.

    Args:
        model: its weight matrices count, embeddings do not.
        rows: number of sequences that advance together.
    """
    tables = {id(layer.weight) for layer in model.modules() if isinstance(layer, nn.Embedding)}
    matrices = sum(p.numel() for p in model.parameters() if p.ndim == 2 and id(p) not in tables)
    return int(matrices * rows < WORTH_THREADS)


@contextmanager
def fitting_threads(model: nn.Module, rows: int) -> Generator[None]:
    """Let torch use one thread inside the block for a small model, all of its threads for a large one.

    Args:
        model, rows: as `threads_worth` takes them.
    """
    before = torch.get_num_threads()
    if threads_worth(model, rows):
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
