"""Norms of `ds_i/ds_k`: exact for small states, estimated with a stated error for large ones.

The norm is the largest singular value, the largest factor by which a small change of s_k can grow until s_i. For one
step it is the lecture's c.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from unrolled.inspection.trace import Stretch, Trace, one_step

EXACT_STATE = 64  # largest state size for which all S rows of a Jacobian cost less than the estimate
KRYLOV_STEPS = 16  # products with J and J^T for an estimate; the bound below is then 7 % for a state of 512


class StepRuns(NamedTuple):
    """Runs of consecutive steps of equal length in a trace.

    Args:
        inputs: (M, L, F).
        start: the state before the first step of each, (M, S).
    """

    inputs: Tensor
    start: Tensor


@dataclass(frozen=True)
class Pair:
    """The norm of one product of Jacobians.

    Args:
        sequence: index of the inspected piece.
        i: the later step, counted from 0.
        k: the earlier step.
        norm: the largest singular value of ds_i/ds_k.
        error: bound on the expected relative error of `norm`; 0.0 = exact.
    """

    sequence: int
    i: int
    k: int
    norm: float
    error: float


def stated_error(size: int, steps: int = KRYLOV_STEPS) -> float:
    """Return a bound on the expected relative error of `estimated_norms`, for any matrix.

    The bound is on the largest eigenvalue of J^T J from a random start; the error of a singular value is half as large.

    Args:
        size: size of a state, S.
        steps: number of products with J.

    Source: J. Kuczynski and H. Wozniakowski, "Estimating the Largest Eigenvalue by the Power and Lanczos Algorithms
    with a Random Start", SIAM Journal on Matrix Analysis 13 (1992), theorem 3.2.

    Example:
        >>> round(stated_error(256), 3), stated_error(8)  # from as many steps as numbers on, nothing is left out
        (0.061, 0.0)
    """
    return 0.0 if steps >= size else 0.5 * 0.103 * (math.log(size * (steps - 1) ** 4) / (steps - 1)) ** 2


def window(trace: Trace, pieces: Tensor, ends: Tensor, steps: int) -> StepRuns:
    """Return the runs of `steps` steps that end with given steps, (M,) each, counted within their pieces."""
    offsets = trace.stretch.inputs.offsets[:-1][pieces]  # (M,)
    rows = (offsets + ends)[:, None] - torch.arange(steps - 1, -1, -1)  # (M, L) in the stretch's own order
    before = trace.before[trace.layout.scatter]  # (N, S)
    return StepRuns(trace.stretch.inputs.values[rows], before[rows[:, 0]])


def norms(stretch: Stretch, runs: StepRuns) -> tuple[Tensor, float]:
    """Return the largest singular value of d end / d start of every run, (M,), and the stated error."""
    size = runs.start.shape[1]
    if size <= EXACT_STATE:
        return _largest(exact_jacobians(stretch, runs)), 0.0
    return estimated_norms(stretch, runs), stated_error(size)


def exact_jacobians(stretch: Stretch, runs: StepRuns) -> Tensor:
    """Compute d end / d start of every run, (M, S, S), all rows in one batch."""
    start, end = _run(stretch, runs)
    rows = torch.eye(start.shape[1], dtype=start.dtype)[:, None].expand(-1, *start.shape)  # (S, M, S)
    (jacobians,) = torch.autograd.grad(end, start, rows, is_grads_batched=True)
    return jacobians.transpose(0, 1)


def estimated_norms(stretch: Stretch, runs: StepRuns, steps: int = KRYLOV_STEPS, seed: int = 0) -> Tensor:
    """Estimate the largest singular value from below, (M,), with `steps` products with J and as many with J^T.

    The estimate is the largest singular value of J on the Krylov space of J^T J from one random vector: Golub and
    Kahan's bidiagonalisation, with every new direction orthogonal to all before it.

    Args:
        stretch: gives the cell and the noise.
        runs: M runs.
        steps: number of products; more make `stated_error` smaller.
        seed: of the random vector.
    """
    start, end = _run(stretch, runs)
    probe = torch.zeros_like(end, requires_grad=True)  # J v is the slope in u of J^T u
    (pulled,) = torch.autograd.grad(end, start, probe, create_graph=True)
    generator = torch.Generator().manual_seed(seed)
    direction = torch.randn(start.shape, generator=generator, dtype=start.dtype)  # (M, S)
    basis = start.new_zeros(len(start), 0, start.shape[1])  # (M, directions, S)
    images = []
    for _ in range(min(steps, start.shape[1])):
        for _ in range(2):  # twice: rounding leaves a small component after one pass
            direction = direction - torch.einsum("mk,mks->ms", torch.einsum("mks,ms->mk", basis, direction), basis)
        direction = torch.nn.functional.normalize(direction, dim=1, eps=torch.finfo(start.dtype).tiny)
        basis = torch.cat([basis, direction[:, None]], 1)
        (image,) = torch.autograd.grad(pulled, probe, direction, retain_graph=True, materialize_grads=True)  # J v
        images.append(image)
        (direction,) = torch.autograd.grad(end, start, image, retain_graph=True, materialize_grads=True)  # J^T J v
    return _largest(torch.stack(images, 1))


def _largest(matrices: Tensor) -> Tensor:
    """Return the largest singular value of each matrix (M, rows, columns), infinite where it is not finite."""
    finite = matrices.isfinite().flatten(1).all(1)  # (M,)
    sizes = torch.linalg.matrix_norm(matrices.where(finite[:, None, None], torch.zeros(())), 2)
    return sizes.masked_fill(~finite, math.inf)


def _run(stretch: Stretch, runs: StepRuns) -> tuple[Tensor, Tensor]:
    """Step through the runs; return the start (M, S), and the end (M, S) that depends on it."""
    start = runs.start.clone().requires_grad_()
    fields = tuple(stretch.state_of(start))
    with torch.enable_grad():
        for inputs in runs.inputs.unbind(1):
            _, fields, _ = one_step(stretch, inputs, fields)
        return start, torch.cat(fields, 1)
