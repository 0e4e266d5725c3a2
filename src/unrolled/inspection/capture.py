"""Capture: what went into each recurrent layer, and what the loss asked of what came out, in an ordinary pass."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from unrolled.batch import LossSum
from unrolled.cells.base import State
from unrolled.inspection.visits import Visit, joined, not_recurrent, visiting
from unrolled.nn.unroll import map_state
from unrolled.nn.watching import Pass
from unrolled.ragged import Ragged

Loss = Callable[[nn.Module, Any], LossSum | Tensor]


@dataclass(frozen=True, eq=False)
class Capture:
    """What one batch showed.

    Args:
        visits: every pass through a layer, in the order in which the model made them.
        loss: the mean loss.
        gradients: of the mean loss in every weight that learns, by name; empty where nobody wants them.
    """

    visits: list[Visit]
    loss: float
    gradients: dict[str, Tensor]


def capture(model: nn.Module, batch: Any, loss: Loss, want_weights: bool = True) -> Capture:
    """Run a model once, in evaluation mode and on its own kernels, forward and backward.

    Args:
        model: any module in which cells are unrolled, such as an arrangement or a `Stack`.
        batch: what the loss reads.
        loss: of the model on the batch, summed, or as a tensor () its mean.
        want_weights: whether the gradient in the weights is wanted; without it a third of the backward pass is saved.

    Raises:
        UnsupportedError: no recurrent layer ran.
    """
    visits: list[Visit] = []
    watched: list[tuple[Tensor, ...]] = []  # of each visit the outputs (N, H), then the final state's fields (B, width)

    def note(visit: Visit, one: Pass) -> tuple[Ragged, State]:
        """Hand on outputs and states through which only what follows asks for a gradient."""
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
    """Like `autograd.grad`, but a tensor that nothing was learnt about has no gradient."""
    asked = [tensor for tensor in tensors if tensor.requires_grad]
    if not asked or not mean.requires_grad:
        return [None] * len(tensors)
    found = iter(torch.autograd.grad(mean, asked, allow_unused=True))
    return [next(found) if tensor.requires_grad else None for tensor in tensors]


def _filled(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient


def _watched(tensor: Tensor) -> Tensor:
    """The same values as a new node, so that its gradient is only what comes after; without a past, a leaf."""
    if not torch.is_grad_enabled():
        return tensor
    return tensor.view_as(tensor) if tensor.requires_grad else tensor.detach().requires_grad_()
