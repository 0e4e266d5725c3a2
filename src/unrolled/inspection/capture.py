"""Capture: the inputs of each recurrent layer and the gradients of its outputs, in an ordinary pass."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.batch import LossSum
from unrolled.cells.base import State
from unrolled.inspection.visits import Visit, joined, not_recurrent, visiting
from unrolled.nn.watching import Pass
from unrolled.ragged import Ragged
from unrolled.state import map_state

Loss = Callable[[nn.Module, Any], LossSum | Tensor]


@dataclass(frozen=True, eq=False)
class Capture:
    """The layers' passes, the loss and the gradients of one batch.

    Args:
        visits: every pass through a layer, in the order of the model.
        loss: the mean loss.
        gradients: of the mean loss in every trainable weight, by name; empty if not wanted.
    """

    visits: list[Visit]
    loss: float
    gradients: dict[str, Tensor]


def capture(model: nn.Module, batch: Any, loss: Loss, want_weights: bool = True) -> Capture:
    """Run a model once, in evaluation mode and on its own kernels, forward and backward.

    Args:
        model: any module in which cells are unrolled, such as an arrangement or a `Stack`.
        batch: input of the loss.
        loss: of the model on the batch, summed, or its mean as a tensor ().
        want_weights: also compute the gradient in the weights; without it a third of the backward pass is saved.

    Raises:
        UnsupportedError: no recurrent layer ran.
    """
    visits: list[Visit] = []
    watched: list[tuple[Tensor, ...]] = []  # per visit the outputs (N, H), then the final state's fields (B, width)

    def note(visit: Visit, one: Pass) -> tuple[Ragged, State]:
        """Pass on outputs and states as new nodes, whose gradient comes only from later computations."""
        outputs, final = one.outputs.map(_watched), map_state(_watched, one.final)
        visits.append(visit)
        watched.append((outputs.values, *final))
        return outputs, final

    with visiting(model, note), torch.enable_grad():
        result = loss(model, batch)
        mean = result if isinstance(result, Tensor) else result.total / max(result.count, 1.0)
    if not visits:
        raise not_recurrent(model)
    learning = {name: weight for name, weight in model.named_parameters() if weight.requires_grad and want_weights}
    found = iter(_gradients(mean, [*learning.values(), *(tensor for tensors in watched for tensor in tensors)]))
    gradients = {name: _filled(next(found), weight) for name, weight in learning.items()}
    heard = []
    for visit, (outputs, *final) in zip(visits, watched, strict=True):
        output_gradient = _filled(next(found), outputs)
        heard.append(replace(visit, output_gradient=output_gradient, final_gradient=tuple(next(found) for _ in final)))
    return Capture(joined(heard), float(mean.detach()), gradients)


def _gradients(mean: Tensor, tensors: list[Tensor]) -> list[Tensor | None]:
    """Compute gradients like `autograd.grad`; a tensor that does not affect the mean gets None."""
    asked = [tensor for tensor in tensors if tensor.requires_grad]
    if not asked or not mean.requires_grad:
        return [None] * len(tensors)
    found = iter(torch.autograd.grad(mean, asked, allow_unused=True))
    return [next(found) if tensor.requires_grad else None for tensor in tensors]


def _filled(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient


def _watched(tensor: Tensor) -> Tensor:
    """Return the same values as a new node of the graph, or as a leaf if they have no graph."""
    if not torch.is_grad_enabled():
        return tensor
    return tensor.view_as(tensor) if tensor.requires_grad else tensor.detach().requires_grad_()
