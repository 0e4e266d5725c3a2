"""Search for the common step of times: the greatest of which nearly all distances are whole multiples."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unrolled.data.calendars.grids import DAY, HOUR

SHARE = 0.9  # least share of the times that fit
JITTER = 0.1  # share of a step; a time at most this far off fits
MOST_JITTER = 6 * HOUR  # however long the step
FEW = 10  # of fewer times than this, each must fit well
FEW_JITTER = 0.02
_SECOND, _MINUTE = 1_000_000, 60_000_000
ROUND_STEPS = sorted(
    [count * unit for unit in (_SECOND, _MINUTE) for count in (1, 2, 3, 5, 6, 10, 12, 15, 20, 30)]
    + [count * HOUR for count in (1, 2, 3, 4, 6, 8, 12)]
    + [count * DAY for count in (1, 2, 3, 5, 7, 10, 14, 28)]
)
ROUND_UNITS = (DAY, HOUR, 30 * _MINUTE, 15 * _MINUTE, _MINUTE, _SECOND)
_MOST_TIMES = 20_000  # last times, that are compared with each step
_PARTS, _NARROW, _WIDE = 40, 4, 9  # of the circle of a step: a tenth, and all that jitter reaches
_COMMON = 8  # most common distances that are tried


@dataclass(frozen=True)
class Step:
    """A step that nearly all times fit.

    Args:
        size: distance of the times.
        phase: one of them, from 0 to `size`; None where distances are whole steps but the times drift.
        share: share of the times that fit.
        off: how far those are off, as a mean share of a step.
    """

    size: int
    phase: int | None
    share: float
    off: float = 0.0


def likely_steps(ticks: np.ndarray, round_steps: Sequence[int] = ROUND_STEPS) -> list[Step]:
    """Return the steps that the times may have, the largest first.

    Args:
        ticks: distinct times in whole units, sorted, at least 2.
        round_steps: steps to try besides those that the distances suggest.
    """
    gaps = np.diff(ticks)
    few = ticks[-_MOST_TIMES:]
    found: list[Step] = []
    for size in sorted(_sizes(gaps, round_steps), reverse=True):
        step = _fit(few, size)
        # a divisor of a step that fits says nothing new
        if step.share >= SHARE and not any(one.size % size == 0 and one.share >= step.share - 0.01 for one in found):
            found.append(step)
    found = [step for step in found if not any(_better(other, step) for other in found)]
    if len(ticks) >= FEW:
        found += _drifting(gaps)
    return found


def jitter(size: float, count: int) -> float:
    """Return how far one of `count` times may be off a step of this size, in microseconds."""
    return min((JITTER if count >= FEW else FEW_JITTER) * size, MOST_JITTER)


def usual_step(gaps: np.ndarray) -> int:
    """Return the median distance of dates in microseconds, rounded to its own unit."""
    usual = int(np.median(gaps))
    unit = next((unit for unit in (DAY, HOUR, _MINUTE, _SECOND) if usual >= unit), 1)
    return round(usual / unit) * unit


def _sizes(gaps: np.ndarray, round_steps: Sequence[int]) -> set[int]:
    distinct, counts = np.unique(gaps, return_counts=True)
    common = distinct[np.argsort(-counts, kind="stable")[:_COMMON]].tolist()
    sizes = {int(np.gcd.reduce(gaps)), *common, *(int(gap) for gap in np.quantile(gaps, (0.02, 0.1, 0.25, 0.5)))}
    sizes |= {int(np.gcd(one, other)) for one in common for other in common}
    sizes |= {_refined(gaps, size) for size in list(sizes) if size > 0}
    low, high = int(distinct[0]) / 4, int(distinct[-1])
    return {size for size in sizes if size > 0} | {size for size in round_steps if low <= size <= high}


def _refined(gaps: np.ndarray, size: int) -> int:
    """Return the step nearest to `size` that most distances are multiples of."""
    whole = np.rint(gaps / size)
    near = (whole > 0) & (np.abs(gaps - whole * size) <= JITTER * size)
    return round(float(np.median(gaps[near] / whole[near]))) if near.any() else size


def _fit(ticks: np.ndarray, size: int) -> Step:
    rest = ticks % size
    parts = np.bincount((rest * (_PARTS / size)).astype(np.int64) % _PARTS, minlength=_PARTS)
    if _fullest(parts, _WIDE).max() < SHARE * len(ticks):
        return Step(size, None, 0.0)  # no part of the circle holds most times
    distinct, counts = np.unique(rest, return_counts=True)
    phase = int(distinct[counts.argmax()])
    if 2 * counts.max() < len(ticks):
        phase = _middle(rest, size, int(_fullest(parts, _NARROW).argmax()))
    off = np.abs(rest - phase)
    off = np.minimum(off, size - off)
    near = off <= jitter(size, len(ticks))
    rows = len(np.unique((ticks[near] - phase + size // 2) // size))  # several times of one step do not fit
    return Step(size, phase, rows / len(ticks), float(off[near].mean()) / size if near.any() else 1.0)


def _better(one: Step, other: Step) -> bool:
    """Return whether a step of nearly the same size is closer to the times."""
    return abs(one.size - other.size) <= JITTER * other.size and (one.off, one.size) < (other.off, other.size)


def _fullest(parts: np.ndarray, width: int) -> np.ndarray:
    """Return the times in `width` parts of the circle, by the first of them."""
    total = np.cumsum(np.concatenate([[0], parts, parts[: width - 1]]))
    return total[width:] - total[:-width]


def _middle(rest: np.ndarray, size: int, fullest: int) -> int:
    """Return the middle of the fullest part of the circle, as a round time where one is near."""
    start = fullest * size / _PARTS
    inside = (rest - start) % size
    middle = start + float(np.median(inside[inside <= size / 10]))
    for unit in ROUND_UNITS:
        near = round(middle / unit) * unit
        if abs(near - middle) <= FEW_JITTER * size:
            return int(near % size)
    return int(middle % size)


def _drifting(gaps: np.ndarray) -> Iterator[Step]:
    """Yield the step of times that keep their distance, but no grid, as a slow or fast clock gives them."""
    size = _refined(gaps, int(np.median(gaps)) or 1)
    whole = np.rint(gaps / size)
    share = float(((whole > 0) & (np.abs(gaps - whole * size) <= jitter(size, FEW))).mean())
    if share >= SHARE:
        yield Step(size, None, share)
