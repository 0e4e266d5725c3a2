"""Anomaly scores from surprise: how rare the last steps are, compared with this series so far.

Two things are rare. A surprise that is larger than usual for this series: its mean over the last few steps
lies in the tail of a normal distribution with the slowly re-estimated mean and deviation of all surprises so far. And
a value outside everything seen so far: a record occurs about once in n / 2 steps, one far outside more rarely still.

Score = minus the decimal logarithm of the smaller of the two probabilities: 3 is once in a thousand steps.

Source: S. Ahmad, A. Lavin, S. Purdy and Z. Agha, "Unsupervised real-time anomaly detection for streaming data",
Neurocomputing 262 (2017), section 3.2; here with an exponential window, whose state is small, in place of a rectangular
one, and with surprise in nats. That of n exchangeable values the last is the largest or smallest with probability 2 / n
is elementary; that its distance to the others falls off exponentially holds for all tails of the exponential type.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import log_ndtr

MEMORY = 8000  # steps over which the usual surprise is re-estimated
RECENT = 3  # steps whose surprise is averaged
CAP = 100.0  # nats; one extreme value must not change what is usual
WARM_UP = 50  # steps before the first score
QUIET = 100  # steps after a score in which only a higher one is an alarm
PER_RANGE = 100.0  # a record that lies one per cent of the range outside it is e times rarer
LEAST_RANGE = 0.03  # in spreads of the training data
LEAST_SPREAD = 1e-3  # nats


class Usual(NamedTuple):
    """The statistics of a series so far: of each of V variables and, last in each (V + 1,), of all together."""

    steps: int  # number of steps with a known value
    mean: np.ndarray  # mean of the surprise, (V + 1,)
    variance: np.ndarray  # (V + 1,)
    recent: np.ndarray  # the last surprises, oldest first, (at most RECENT, V + 1)
    low: np.ndarray  # the range so far, (V,)
    high: np.ndarray
    peaks: tuple[tuple[int, float], ...]  # age and score of the scores that later ones have to exceed, highest first
    warm_up: int  # steps left before the first score


class Judgement(NamedTuple):
    """The judgement of one step."""

    score: float  # NaN in the warm-up, and where no value is known
    blame: int  # the variable with the most nats above its usual number; -1 where no value is known
    loud: bool  # whether the score is higher than all scores of the last `quiet` steps


def unknown_usual(size: int, warm_up: int = WARM_UP, prior: Usual | None = None) -> Usual:
    """Return the statistics before the first step of a series.

    Args:
        size: number of variables, V.
        warm_up: steps before the first score.
        prior: statistics of other series: their surprises count as if they were the warm-up's.
    """
    nothing, infinite = np.zeros(size + 1), np.full(size, np.inf)
    recent = np.zeros((0, size + 1))
    if prior is None:
        return Usual(0, nothing, nothing, recent, infinite, -infinite, (), warm_up)
    return Usual(min(prior.steps, warm_up), prior.mean, prior.variance, recent, infinite, -infinite, (), warm_up)


def pooled(every: Sequence[Usual]) -> Usual:
    """Return the pooled statistics of several series, as a prior for a new one."""
    return every[0]._replace(
        steps=int(np.median([one.steps for one in every])),
        mean=np.mean([one.mean for one in every], 0),
        variance=np.mean([one.variance for one in every], 0),
    )


def judge(surprise: np.ndarray, values: np.ndarray, usual: Usual, quiet: int = QUIET) -> tuple[Judgement, Usual]:
    """Judge one step: how rare it is, and the statistics after it.

    Args:
        surprise: nats of each variable and, last, their mean over known ones, (V + 1,); NaN unknown.
        values: in spreads of the training data, (V,); NaN unknown.
        usual: the statistics of the series so far.
        quiet: steps after a score in which only a higher one is loud.
    """
    peaks = tuple((age + 1, score) for age, score in usual.peaks if age + 1 < quiet)
    known = ~np.isnan(surprise)
    if not known[-1]:
        return Judgement(float("nan"), -1, False), usual._replace(peaks=peaks, warm_up=max(usual.warm_up - 1, 0))
    capped = np.where(known, np.minimum(surprise, CAP), usual.mean)
    recent = np.concatenate([usual.recent[1 - RECENT :], capped[None]])
    spread = np.maximum(np.sqrt(usual.variance), LEAST_SPREAD)
    rare = -log_ndtr(-(recent.mean(0) - usual.mean) / spread)  # (V + 1,) nats
    rare = np.where(known, rare, 0.0) if usual.steps > 1 else np.zeros_like(rare)
    outside = np.fmax(np.fmax(values - usual.high, usual.low - values), 0.0)
    outside = np.where(np.isfinite(outside), outside, 0.0)  # the first value is no record
    outside = outside / np.maximum(usual.high - usual.low, LEAST_RANGE)
    record = np.where(outside > 0, np.log(max(usual.steps, 2) / 2) + PER_RANGE * outside, 0.0)
    single = np.maximum(rare[:-1], record)
    blame = int(np.argmax(np.where(known, surprise - usual.mean, -np.inf)[:-1] + record))
    score = float(max(single.max(initial=0.0), rare[-1])) / np.log(10)
    loud = score > max((peak for _, peak in peaks), default=0.0)
    if usual.warm_up:
        score, loud = float("nan"), False
    else:
        peaks = (*((age, peak) for age, peak in peaks if peak > score), (0, score))
    pace = max(1 / (usual.steps + 1), 1 / MEMORY)
    change = np.where(known, capped - usual.mean, 0.0)
    after = Usual(
        usual.steps + 1,
        usual.mean + pace * change,
        (1 - pace) * (usual.variance + pace * change**2),
        recent,
        np.fmin(usual.low, values),
        np.fmax(usual.high, values),
        peaks,
        max(usual.warm_up - 1, 0),
    )
    return Judgement(score, blame, loud), after


def judge_all(
    surprise: np.ndarray, values: np.ndarray, usual: Usual, quiet: int = QUIET
) -> tuple[list[Judgement], Usual]:
    """Judge all steps in turn, (T, V + 1) and (T, V)."""
    judgements = []
    for nats, row in zip(surprise, values, strict=True):
        judgement, usual = judge(nats, row, usual, quiet)
        judgements.append(judgement)
    return judgements, usual
