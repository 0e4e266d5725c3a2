"""Capture: what went into each recurrent layer, and what the loss asked of what came out, in an ordinary pass."""

import inspect
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.batch import Batch, LossSum
from unrolled.cells.base import Cell, State
from unrolled.errors import UnsupportedError
from unrolled.kernels.noise import Noise
from unrolled.nn.stack import Bidirectional, Recurrent
from unrolled.nn.unroll import map_state
from unrolled.ragged import Ragged
from unrolled.shapes import Reset

Loss = Callable[[nn.Module, Batch], LossSum]
FACE = inspect.signature(Recurrent.forward)  # of every layer; a subclass may hide it behind *arguments


@dataclass(frozen=True, eq=False)
class Visit:
    """One pass through one layer in one direction.

    Args:
        name: of the layer, as in `model.named_modules()`.
        direction: "forward" or "backward".
        cell: the cell.
        noise: what disturbs it in evaluation.
        inputs: (N, F).
        state: before the first step, fields (B, width).
        reset: as `unroll`'s.
        output_gradient: dL/d output of every step, (N, H) in the order of `inputs`.
        final_gradient: dL/d final state by field, (B, width) each; None where the loss does not read it.
    """

    name: str
    direction: str
    cell: Cell
    noise: Noise
    inputs: Ragged
    state: State
    reset: Reset | None
    output_gradient: Tensor
    final_gradient: tuple[Tensor | None, ...]

    @property
    def label(self) -> str:
        """The layer's name, and its direction where it has two."""
        return self.name if self.direction == "forward" else f"{self.name}, backward"


@dataclass(frozen=True, eq=False)
class Capture:
    """What one batch showed.

    Args:
        visits: every pass through a layer, in the order in which the model made them.
        loss: the mean loss.
        gradients: of the mean loss in every weight that learns, by name.
    """

    visits: list[Visit]
    loss: float
    gradients: dict[str, Tensor]


@dataclass(eq=False)
class _Half:
    """A visit whose gradients are not known yet, and the tensors whose gradients they are."""

    visit: Visit
    outputs: Tensor  # (N, H), or (N, 2 * H) for both directions
    columns: slice  # this direction's part of them
    final: tuple[Tensor, ...]


def capture(model: nn.Module, batch: Batch, loss: Loss) -> Capture:
    """Run a model once, in evaluation mode and on its own kernels, forward and backward.

    Args:
        model: any module with `Recurrent` or `Bidirectional` layers in it, such as an arrangement or a `Stack`.
        batch: what it reads.
        loss: the summed loss of the model on the batch.

    Raises:
        UnsupportedError: no recurrent layer ran.
    """
    halves: list[_Half] = []
    with _evaluating(model), _watching(model, halves), torch.enable_grad():
        result = loss(model, batch)
        mean = result.total / max(result.count, 1.0)
    if not halves:
        raise UnsupportedError(
            "gradient flow is that of recurrent layers, and none ran; give a model that has one, with cell='lstm' say"
        )
    learning = {name: weight for name, weight in model.named_parameters() if weight.requires_grad}
    watched = [tensor for half in halves for tensor in (half.outputs, *half.final)]
    found = iter(_gradients(mean, [*learning.values(), *watched]))
    gradients = {name: _filled(next(found), weight) for name, weight in learning.items()}
    visits = []
    for half in halves:
        output_gradient = _filled(next(found), half.outputs)[:, half.columns]
        visits.append(
            replace(half.visit, output_gradient=output_gradient, final_gradient=tuple(next(found) for _ in half.final))
        )
    return Capture(visits, float(mean.detach()), gradients)


def _gradients(mean: Tensor, tensors: list[Tensor]) -> list[Tensor | None]:
    """Like `autograd.grad`, but a tensor that nothing was learnt about has no gradient."""
    asked = [tensor for tensor in tensors if tensor.requires_grad]
    if not asked or not mean.requires_grad:
        return [None] * len(tensors)
    found = iter(torch.autograd.grad(mean, asked, allow_unused=True))
    return [next(found) if tensor.requires_grad else None for tensor in tensors]


def _filled(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient


@contextmanager
def _evaluating(model: nn.Module) -> Generator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode


@contextmanager
def _watching(model: nn.Module, halves: list[_Half]) -> Generator[None]:
    layers = [(name, module) for name, module in model.named_modules() if isinstance(module, Recurrent | Bidirectional)]
    hooks = [
        module.register_forward_hook(partial(_watch, halves, name or "layer"), with_kwargs=True)
        for name, module in layers
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _watch(
    halves: list[_Half],
    name: str,
    layer: Recurrent | Bidirectional,
    arguments: tuple[Any, ...],
    keywords: dict[str, Any],
    result: tuple[Ragged, Any],
) -> tuple[Ragged, Any]:
    """Note a layer's pass, and hand on outputs and states through which only what follows asks for a gradient."""
    given = FACE.bind(layer, *arguments, **keywords).arguments
    inputs: Ragged = given["inputs"]
    outputs, final = result[0].with_values(_watched(result[0].values)), map_state(_watched, result[1])
    state = given.get("state")
    state = layer.initial_state(inputs.batch_size) if state is None else state
    start = 0
    for direction, cell, before, after in _directions(layer, state, final):
        visit = Visit(
            name=name,
            direction=direction,
            cell=cell,
            noise=layer.noise,
            inputs=inputs.map(Tensor.detach),
            state=map_state(Tensor.detach, before),
            reset=given.get("reset"),
            output_gradient=outputs.values.new_zeros(0),
            final_gradient=(),
        )
        halves.append(_Half(visit, outputs.values, slice(start, start + cell.output_size), tuple(after)))
        start += cell.output_size
    return outputs, final


def _watched(tensor: Tensor) -> Tensor:
    """The same values as a new node, so that its gradient is only what comes after; without a past, a leaf."""
    if not torch.is_grad_enabled():
        return tensor
    return tensor.view_as(tensor) if tensor.requires_grad else tensor.detach().requires_grad_()


def _directions(layer: Recurrent | Bidirectional, state: Any, final: Any) -> list[tuple[str, Cell, State, State]]:
    if isinstance(layer, Recurrent):
        return [("forward", layer.cell, state, final)]
    return [("forward", layer.forward_cell, state[0], final[0]), ("backward", layer.backward_cell, state[1], final[1])]
