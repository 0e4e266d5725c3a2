"""Truncation: the share of the gradient that back-propagation through a limited number of steps loses."""

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from unrolled.inspection.trace import Trace, one_step

STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # windows that are always measured


def lost_shares(trace: Trace, only: Tensor, gradients: Tensor, steps: Sequence[int] = STEPS) -> dict[int, float]:
    """Compute the share of the weights' gradient that truncation loses, `|g - g_k| / |g|`, for each window k.

    g is the sum over losses i and steps of `(dJ_i/ds_k) (d+ s_k/dweights)`; g_k keeps the last k steps of every loss.
    The terms of all steps are computed in one batch, since each needs only its own state, input and gradient.

    Args:
        trace: a replay of at least one piece.
        only: the step of the one loss of each piece, (P,); pieces with `ALL` are skipped.
        gradients: dJ_i/ds_k, (N, S), from `trace.gradients(only)`.
        steps: the windows k; windows longer than every loss's history lose nothing.
    """
    lags = only[trace.pieces] - trace.positions  # (N,)
    edges = [0, *sorted(set(steps)), max(int(lags.max()) + 1, max(steps) + 1)]
    tails: list[tuple[int, float]] = []  # from the longest window to the shortest: the part beyond it
    total: list[Tensor] = []
    for low, high in reversed(list(pairwise(edges))):
        part = _weights_gradient(trace, (lags >= low) & (lags < high), lags == 0, gradients)
        total = [a + b for a, b in zip(total, part, strict=True)] if total else part
        tails.append((low, float(sum(g.square().sum() for g in total)) ** 0.5))
    whole = tails[-1][1]
    return {low: tail / whole if whole else 0.0 for low, tail in reversed(tails) if low}


def _weights_gradient(trace: Trace, chosen: Tensor, own: Tensor, gradients: Tensor) -> list[Tensor]:
    """Sum the explicit part of the chosen steps: the gradient in every weight of the cell."""
    stretch = trace.stretch
    weights = stretch.cell.weights
    if not bool(chosen.any()):
        return [torch.zeros_like(weight) for weight in weights]
    for weight in weights:
        weight.requires_grad_()
    fields = tuple(stretch.state_of(trace.before[chosen]))
    with torch.enable_grad():
        output, after, shows_state = one_step(stretch, trace.inputs[chosen], fields)
        objective = (torch.cat(after, 1) * gradients[chosen]).sum()
        if not shows_state:  # then the step of the loss also reaches the weights without the state
            output_gradient = stretch.output_gradient.values[trace.layout.gather][chosen]
            objective = objective + (output * output_gradient)[own[chosen]].sum()
    found = torch.autograd.grad(objective, weights, materialize_grads=True)
    for weight in weights:
        weight.requires_grad_(False)
    return list(found)
