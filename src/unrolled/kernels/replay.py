"""Running a cell again in a backward pass, on the tensors of the forward pass."""

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.cells.base import Cell
from unrolled.kernels.noise import Noise
from unrolled.ragged import Ragged

Run = Callable[[Cell, Ragged, Any, Noise | None], tuple[Ragged, Any]]


class CellReplay(nn.Module):
    """A cell and a function that runs it, for `torch.func.functional_call`: the weights are named "cell.<name>".

    Args:
        run: maps a cell, a Ragged (N, F), an initial state and noise to a Ragged (N, H) and the final state.
        cell: the cell.
    """

    def __init__(self, run: Run, cell: Cell) -> None:
        super().__init__()
        # a copy with the same tensors: replaced weights must not show in the cell, which another thread may be running
        shared: dict[int, Any] = {id(weight): weight for weight in (*cell.parameters(), *cell.weights)}
        self.run, self.cell = run, copy.deepcopy(cell, shared)

    def forward(self, inputs: Ragged, state: Any, noise: Noise | None) -> tuple[Ragged, Any]:
        """Run the cell; return outputs (N, H) ragged and the final state."""
        return self.run(self.cell, inputs, state, noise)


def learns(tensors: Iterable[Tensor]) -> bool:
    """Return whether results computed from these tensors need gradients."""
    return torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors)


def slopes(
    pairs: Iterable[tuple[Tensor, Tensor | None]], tensors: Sequence[Tensor], create_graph: bool = False
) -> list[Tensor | None]:
    """Compute gradients in tensors from the gradients in some results.

    Args:
        pairs: results and their gradients; results without a gradient or a graph are ignored.
        tensors: to differentiate with respect to.
        create_graph: whether the gradients will be differentiated again.

    Returns:
        a gradient for each; None where none is needed, or no result depends on it.
    """
    known = [(answer, slope) for answer, slope in pairs if slope is not None and answer.requires_grad]
    leaves = [tensor for tensor in tensors if tensor.requires_grad]
    if not known or not leaves:
        return [None] * len(tensors)
    answers, given = zip(*known, strict=True)
    found = iter(torch.autograd.grad(answers, leaves, given, create_graph=create_graph, allow_unused=True))
    return [next(found) if tensor.requires_grad else None for tensor in tensors]
