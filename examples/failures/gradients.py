"""How much of the loss's gradient reaches the state of each step: what the two gradient failures have in common."""

import math

import torch

from unrolled.cells.elman import Elman
from unrolled.inspection.finding import Finding

STEPS, WIDTH = 100, 16
LOW, HIGH = 0.5 ** (1 / 10), 2.0 ** (1 / 10)  # a factor a step that halves, or doubles, the gradient within ten steps


def gradient_norms(cell: Elman, inputs: torch.Tensor) -> list[float]:
    """||dL/ds_t|| for every t of one sequence (T, F), where L is the sum of the last state."""
    state, hidden = cell.initial_state(1), []
    for step in inputs:
        _, state = cell.step(step[None], state)
        hidden.append(state.hidden)  # (1, H)
    gradients = torch.autograd.grad(hidden[-1].sum(), hidden)
    return [float(gradient.norm()) for gradient in gradients]


def elman_with_radius(radius: float) -> Elman:
    """An Elman cell whose recurrent matrix is orthogonal times a factor: every singular value is that factor."""
    torch.manual_seed(0)
    cell = Elman(1, WIDTH)
    with torch.no_grad():
        cell.weight_hh.mul_(radius)
    return cell


def gradient_fault(norms: list[float]) -> Finding | None:
    """Whether the gradient vanishes or explodes on its way back, from its norm at each step."""
    steps = len(norms) - 1
    factor = (norms[0] / norms[-1]) ** (1 / steps)
    if LOW <= factor <= HIGH:
        return None
    name, verb = ("vanishing", "halves") if factor < 1 else ("exploding", "doubles")
    every = math.log(2) / abs(math.log(factor))
    remedy = (
        f"beyond about {7 * every:.0f} steps this layer learns nothing; try cell='lstm'"
        if factor < 1
        else "one update can throw the weights away; clip the gradient's norm, or start from smaller weights"
    )
    sentence = f"The gradient {verb} every {every:.1f} steps (factor {factor:.2f} a step): {remedy}."
    return Finding(name, sentence, abs(norms[0] - norms[-1]))
