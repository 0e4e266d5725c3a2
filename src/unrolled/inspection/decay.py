"""Decay: the size of a loss's gradient by the number of steps before the loss, and its exponential fit."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.inspection.trace import ALL, Stretch, Trace

FIT_FLOOR = 1e-6  # relative to the start of the curve: float32 cannot add less than this to a gradient of size 1
ZERO = 1e-30  # lower bound of sizes in a mean of logarithms


@dataclass(frozen=True)
class Decay:
    """The size of `dJ_i/ds_k` by the lag i - k, relative to `dJ_i/ds_i`, for sampled losses J_i.

    Args:
        curve: the geometric mean over the losses with that many steps before them, (lags,); 1.0 at lag 0.
        counts: number of losses in each mean, (lags,).
        rate: the factor per step of the exponential that fits the curve.
        span: median number of steps before a loss.

    Example: 0.5 per step.

        >>> decay = Decay((1.0, 0.5, 0.25), (1, 1, 1), rate=0.5, span=2)
        >>> decay.half_life, decay.doubling_time, round(decay.reach, 2)
        (1.0, inf, 6.64)
    """

    curve: tuple[float, ...]
    counts: tuple[int, ...]
    rate: float
    span: int

    @property
    def typical(self) -> tuple[float, ...]:
        """The curve up to the lag that more than half of the losses reach."""
        return tuple(size for size, count in zip(self.curve, self.counts, strict=True) if 2 * count > self.counts[0])

    @property
    def half_life(self) -> float:
        """Number of steps in which the gradient halves; infinite where it does not shrink."""
        return -math.log(2) / math.log(self.rate) if 0 < self.rate < 1 else 0.0 if self.rate <= 0 else math.inf

    @property
    def doubling_time(self) -> float:
        """Number of steps in which the gradient doubles; infinite where it does not grow."""
        return math.log(2) / math.log(self.rate) if self.rate > 1 else math.inf

    @property
    def reach(self) -> float:
        """Number of steps after which the fitted gradient is a hundredth; infinite where it does not shrink."""
        return self.half_life * math.log2(100)


def anchors(stretch: Stretch, samples: int) -> tuple[Tensor, Tensor]:
    """Choose the losses to look back from: up to `samples` per piece, spread over its steps, the last one first.

    Returns:
        the piece of each, (M,), and its step within the piece, (M,); none of a piece that no loss reads.
    """
    rows, steps = [], []
    for piece in range(len(stretch.inputs)):
        where = heard_steps(stretch, piece)
        chosen = {int(where[-1 - index * len(where) // samples]) for index in range(samples)} if len(where) else set()
        rows += [piece] * len(chosen)
        steps += sorted(chosen, reverse=True)
    return torch.tensor(rows, dtype=torch.int64), torch.tensor(steps, dtype=torch.int64)


def heard_steps(stretch: Stretch, piece: int) -> Tensor:
    """Return the steps of a piece whose output (or at the end, state) a loss reads directly, (steps,)."""
    heard = stretch.output_gradient[piece].abs().sum(1) > 0  # (T,)
    if len(heard):
        heard[-1] |= bool(stretch.end_gradient[piece].abs().sum() > 0)
    return heard.nonzero().squeeze(1)


def decay(trace: Trace, only: Tensor, gradients: Tensor) -> Decay:
    """Measure the decay from the gradients of one loss per piece.

    Args:
        trace: a replay of at least one piece.
        only: that loss's step, (P,); pieces with `ALL` are skipped.
        gradients: dJ_i/ds_k, (N, S), from `trace.gradients(only)`.
    """
    lags = only[trace.pieces] - trace.positions  # (N,)
    sizes = gradients.norm(dim=1)  # (N,)
    first = sizes.new_zeros(len(only)).index_add(0, trace.pieces, sizes * (lags == 0))  # (P,)
    heard = (lags >= 0) & (first[trace.pieces] > 0)
    lags, ratios = lags[heard], (sizes / first[trace.pieces])[heard]
    counts = torch.bincount(lags)  # (lags,)
    logs = torch.zeros(len(counts), dtype=ratios.dtype).index_add(0, lags, ratios.clamp(min=ZERO).log())
    curve = (logs / counts).exp()
    return Decay(
        tuple(curve.tolist()), tuple(counts.tolist()), fitted_rate(curve), int((only[only != ALL] + 1).median())
    )


def fitted_rate(curve: Tensor) -> float:
    """Fit an exponential to a curve of sizes by lag, by least squares on the logarithms; return the factor per step.

    Only points above `FIT_FLOOR` of the largest are used; if there is only one, the factor from it to the next point
    is returned.

    Example:
        >>> import torch
        >>> round(fitted_rate(0.9 ** torch.arange(50.0)), 4)
        0.9
    """
    if len(curve) < 2:
        return 1.0
    above = int((curve >= FIT_FLOOR * curve.max()).nonzero().max()) + 1
    if above < 2:
        return float(curve[1] / curve[0])
    logs = curve[:above].clamp(min=ZERO).log()
    lags = torch.arange(above, dtype=logs.dtype)
    lags = lags - lags.mean()
    return math.exp(float((lags * logs).sum() / lags.square().sum()))
