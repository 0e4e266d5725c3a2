"""Decay: how much of a loss's gradient is left so many steps before it, and the exponential that fits it."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from unrolled.inspection.trace import ALL, Stretch, Trace

FIT_FLOOR = 1e-6  # relative to where it starts: float32 cannot add less than this to a gradient of size 1
ZERO = 1e-30  # what counts as nothing in a mean of logarithms


@dataclass(frozen=True)
class Decay:
    """The size of `dJ_i/ds_k` by the lag i - k, relative to `dJ_i/ds_i`, for sampled losses J_i.

    Args:
        curve: the geometric mean over the losses that look back so far, (lags,); 1.0 at lag 0.
        counts: how many losses each mean is over, (lags,).
        rate: the factor per step of the exponential that fits the curve.
        span: median of how many steps a loss has before it.

    Example: 0.5 a step.

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
        """The curve as far as more than half of the losses look back."""
        return tuple(size for size, count in zip(self.curve, self.counts, strict=True) if 2 * count > self.counts[0])

    @property
    def half_life(self) -> float:
        """Steps in which the gradient halves; infinite where it does not shrink."""
        return -math.log(2) / math.log(self.rate) if 0 < self.rate < 1 else 0.0 if self.rate <= 0 else math.inf

    @property
    def doubling_time(self) -> float:
        """Steps in which the gradient doubles; infinite where it does not grow."""
        return math.log(2) / math.log(self.rate) if self.rate > 1 else math.inf

    @property
    def reach(self) -> float:
        """Steps after which the fitted gradient is down to a hundredth; infinite where it does not shrink."""
        return self.half_life * math.log2(100)


def anchors(stretch: Stretch, samples: int) -> tuple[Tensor, Tensor]:
    """Losses to look back from: up to `samples` of each piece, spread over its steps, the last one first.

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
    """The steps of a piece whose output, or at the end the state, a loss reads directly, (steps,)."""
    heard = stretch.output_gradient[piece].abs().sum(1) > 0  # (T,)
    if len(heard):
        heard[-1] |= bool(stretch.end_gradient[piece].abs().sum() > 0)
    return heard.nonzero().squeeze(1)


def decay(trace: Trace, only: Tensor, gradients: Tensor) -> Decay:
    """Measure from the gradients of one loss for each piece.

    Args:
        trace: a replay of at least one piece.
        only: that loss's step, (P,); pieces with `ALL` are passed over.
        gradients: dJ_i/ds_k, (N, S), as `trace.gradients(only)` gives them.
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
    """The factor per step of the exponential through a curve of sizes by lag, by least squares on the logarithms.

    Only what lies above `FIT_FLOOR` of the largest counts; with one such point the curve falls at once, with the
    factor from it to the next one.

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
