"""Running a cell again in a backward pass, on the tensors that the forward pass had."""

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.cells.base import Cell
from unrolled.kernels.noise import Noise
from unrolled.ragged import Ragged

Run = Callable[[Cell, Ragged, Any, Noise | None], tuple[Ragged, Any]]


class Replay(nn.Module):
    """A cell and how it is run, for `torch.func.functional_call`: the weights are named "cell.<name>".

    Args:
        run: from a cell, a Ragged (N, F), a state before and noise to a Ragged (N, H) and the state after.
        cell: what it runs.
    """

    def __init__(self, run: Run, cell: Cell) -> None:
        super().__init__()
        # a copy around the same tensors: what is put in must not show in the cell, which another thread may be running
        shared: dict[int, Any] = {id(weight): weight for weight in (*cell.parameters(), *cell.weights)}
        self.run, self.cell = run, copy.deepcopy(cell, shared)

    def forward(self, inputs: Ragged, state: Any, noise: Noise | None) -> tuple[Ragged, Any]:
        """Outputs (N, H) ragged and the state after."""
        return self.run(self.cell, inputs, state, noise)


def learns(tensors: Iterable[Tensor]) -> bool:
    """Whether anybody will ask for gradients of what is made from these."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def slopes(
    pairs: Iterable[tuple[Tensor, Tensor | None]], tensors: Sequence[Tensor], create_graph: bool = False
) -> list[Tensor | None]:
    """Gradients of tensors from those of some answers.

    Args:
        pairs: answers and their gradients; one without a gradient, or that depends on nothing, counts for nothing.
        tensors: whose gradients.
        create_graph: the gradients will be differentiated in turn.

    Returns:
        a gradient for each; None where none is asked for, or no answer depends on it.
    """
    known = [(answer, slope) for answer, slope in pairs if slope is not None and answer.requires_grad]
    leaves = [tensor for tensor in tensors if tensor.requires_grad]
    if not known or not leaves:
        return [None] * len(tensors)
    answers, given = zip(*known, strict=True)
    found = iter(torch.autograd.grad(answers, leaves, given, create_graph=create_graph, allow_unused=True))
    return [next(found) if tensor.requires_grad else None for tensor in tensors]
