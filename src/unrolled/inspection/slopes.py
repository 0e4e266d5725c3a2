"""Slopes: the gradient in every state without an autograd graph of every step.

In most cells units interact only in the recurrent product; all other operations act on each unit separately. Their
slopes are computed for all steps together, and only the product is walked back step by step: half the time of autograd
through the steps. Whether a cell is of this kind is tested at some random states.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

from unrolled.inspection.trace import Stretch, Trace, one_step, trace

TRIED = 4  # number of random states
CLOSE = 1e-4  # relative to the largest: float32 sums in another order differ by about 1e-6


@dataclass(eq=False, slots=True)
class Slopes:
    """Derivatives of each unit of the next state, for the fields A of the next state and B of the previous one.

    Args:
        own: with respect to the unit itself before the step, (A, B, N, H).
        product: with respect to its G sums in the recurrent product, (A, N, G, H); None for a cell without one.
        weight: of that product, (G * H, H).
    """

    own: Tensor
    product: Tensor | None = None
    weight: Tensor | None = None

    def back(self, gradient: Tensor) -> Tensor:
        """Propagate the gradient from the states after these steps, (A, N, H), to those before, (B, N, H)."""
        before = (self.own * gradient[:, None]).sum(0)
        if self.product is not None and self.weight is not None:
            sums = (self.product * gradient[:, :, None]).sum(0)  # (N, G, H)
            before[0].addmm_(sums.flatten(1), self.weight)
        return before

    def split(self, sizes: Sequence[int]) -> list["Slopes"]:
        """Split the slopes into parts of the given numbers of steps."""
        products = [None] * len(sizes) if self.product is None else self.product.split(sizes, 1)
        return [Slopes(own, part, self.weight) for own, part in zip(self.own.split(sizes, 2), products, strict=True)]


def replay(stretch: Stretch, only: Tensor) -> tuple[Trace, Tensor]:
    """Replay a stretch; return the trace and the gradient in the state after every step, (N, S)."""
    if not unit_by_unit(stretch):
        with torch.enable_grad():
            looked = trace(stretch)
        return looked, looked.gradients(only)
    with torch.no_grad():
        looked = trace(stretch)
    slopes = slopes_of(stretch, looked.inputs, looked.before)
    assert slopes is not None, "it was tried"
    return looked, _walked_back(looked, only, slopes)


def unit_by_unit(stretch: Stretch) -> bool:
    """Return whether a cell's units interact only in its recurrent product, so that slopes equal autograd."""
    generator = torch.Generator().manual_seed(0)
    inputs = stretch.inputs.values[:TRIED]

    def drawn() -> Tensor:
        return torch.randn(len(inputs), sum(stretch.cell.state_sizes.values()), generator=generator).to(inputs)

    before, gradient = drawn().requires_grad_(), drawn()  # (N, S) each
    slopes = slopes_of(stretch, inputs, before.detach())
    if slopes is None:
        return False
    with torch.enable_grad():
        _, after, _ = one_step(stretch, inputs, tuple(stretch.state_of(before)))
        (wanted,) = torch.autograd.grad(torch.cat(after, 1), before, gradient, materialize_grads=True)
    fields = torch.stack(tuple(stretch.state_of(gradient)))
    found = torch.cat(tuple(slopes.back(fields)), 1)
    return bool((found - wanted).abs().max() <= CLOSE * wanted.abs().max())


def slopes_of(stretch: Stretch, inputs: Tensor, before: Tensor) -> Slopes | None:
    """Compute the slopes of many steps at once, from inputs (N, F) and previous states (N, S); None if unsupported."""
    cell = stretch.cell
    fields = tuple(field.detach().requires_grad_() for field in stretch.state_of(before))
    weight = cell.weight_hh if "weight_hh" in cell.weight_shapes else None
    with torch.enable_grad(), _Product(weight) as seen:
        _, after, shows_state = one_step(stretch, inputs, fields)
    if not shows_state or set(cell.state_sizes.values()) != {cell.hidden_size}:
        return None
    if len(seen.sums) > 1 or any(read is not fields[0] for read in seen.read):
        return None
    found = [
        torch.autograd.grad(field.sum(), [*fields, *seen.sums], retain_graph=True, materialize_grads=True)
        for field in after
    ]
    own = torch.stack([torch.stack(slopes[: len(fields)]) for slopes in found])
    if not seen.sums:
        return Slopes(own)
    product = torch.stack([slopes[-1].unflatten(1, (-1, cell.hidden_size)) for slopes in found])
    return Slopes(own, product, weight)


def _walked_back(looked: Trace, only: Tensor, slopes: Slopes) -> Tensor:
    """Compute the gradient in every state, (N, S), from the last time step to the first."""
    asked, ends = looked.asked(only)  # (N, H), (N, S)
    total = torch.stack(tuple(looked.stretch.state_of(ends)))  # (A, N, H)
    total[looked.shown_field] += asked
    sizes = looked.layout.batch_sizes.tolist()
    steps = list(zip(sizes, total.split(sizes, 1), slopes.split(sizes), strict=True))
    with torch.no_grad():
        for (_, before, _), (count, after, own) in zip(steps[-2::-1], steps[:0:-1], strict=True):
            before[:, :count] += own.back(after)  # the first rows have further steps
    return torch.cat(tuple(total), 1)


class _Product(TorchFunctionMode):
    """Cuts the graph at every product with a weight, and records its input and its sums."""

    def __init__(self, weight: Tensor | None) -> None:
        super().__init__()
        self.weight = weight
        self.read: list[Tensor] = []
        self.sums: list[Tensor] = []

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func is not linear or args[1] is not self.weight:
            return result
        self.read.append(args[0])
        self.sums.append(result.detach().requires_grad_())
        return self.sums[-1]
