"""Random ragged batches for property tests, all that a run answers, and comparisons whose tolerance has a name."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from unrolled.cells.base import Cell
from unrolled.ragged import Ragged
from unrolled.state import map_state

Run = Callable[[Cell, Ragged, Any], tuple[Ragged, Any]]
seeds = st.integers(0, 2**16)


def some_lengths(min_size: int = 0, max_size: int = 5, longest: int = 6) -> st.SearchStrategy[list[int]]:
    """Lengths of a batch; empty sequences and, with min_size=0, empty batches among them."""
    return st.lists(st.integers(0, longest), min_size=min_size, max_size=max_size)


def noise(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Standard normal numbers from a seed of their own."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def some_ragged(lengths: Sequence[int], features: int = 3, seed: int = 0, dtype: torch.dtype = torch.float64) -> Ragged:
    """A Ragged (N, features) of noise."""
    return Ragged(noise(sum(lengths), features, seed=seed, dtype=dtype), torch.tensor(lengths, dtype=torch.int64))


def shake(module: torch.nn.Module, seed: int = 0, scale: float = 0.3) -> Any:
    """Move every weight by noise, so that no bias or initial state is zero; returns the module."""
    with torch.no_grad():
        for index, weight in enumerate(module.parameters()):
            weight += scale * noise(*weight.shape, seed=seed + index, dtype=weight.dtype)
    return module


def tensors_of(state: Any) -> list[Tensor]:
    """The tensors of a nested state, in order."""
    found: list[Tensor] = []
    map_state(lambda field: found.append(field) or field, state)
    return found


def everything(run: Run, cell: Cell, inputs: Ragged, state: Any = None) -> dict[str, Tensor]:
    """Outputs, final states, and the gradients of a random sum of both, by name.

    Args:
        run: from a cell, inputs and the state before to outputs and the state after.
        cell: what it runs.
        inputs: (N, F) ragged.
        state: before the first step; None = the cell's own.
    """
    values = inputs.values.clone().requires_grad_()
    fields = [] if state is None else [field.clone().requires_grad_() for field in state]
    start = cell.state_type(*fields) if fields else None
    outputs, final = run(cell, inputs.with_values(values), start)
    found = {"outputs": outputs.values} | {f"final {name}": field for name, field in final._asdict().items()}
    loss = sum((field * noise(*field.shape, seed=7 + i).to(field)).sum() for i, field in enumerate(found.values()))
    leaves = {"inputs": values} | {f"state {i}": field for i, field in enumerate(fields)}
    leaves |= dict(cell.named_parameters())
    gradients = torch.autograd.grad(loss, list(leaves.values()), allow_unused=True, materialize_grads=True)
    found |= {f"gradient of {name}": gradient for name, gradient in zip(leaves, gradients, strict=True)}
    return {part: tensor.detach() for part, tensor in found.items()}


def assert_close(got: Any, want: Any, tolerance: float = 1e-12) -> None:
    """Two tensors, Raggeds or states agree, with the same shapes."""
    if isinstance(want, Ragged):
        assert torch.equal(got.lengths, want.lengths)
        got, want = got.values, want.values
    got, want = tensors_of(got), tensors_of(want)
    assert len(got) == len(want)
    for mine, theirs in zip(got, want, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=tolerance, atol=tolerance)


def differ(one: Tensor, other: Tensor) -> bool:
    """Two tensors of one shape are visibly not the same."""
    return one.shape != other.shape or float((one - other).detach().abs().max()) > 1e-6
