"""Precision and recall of ranges: an anomaly is a stretch of rows, and so is an alarm.

Nothing here is point-adjusted (which counts a whole labelled stretch as found if one of its rows is): with that rule
random scores look better than most detectors, as S. Kim et al. show ("Towards a Rigorous Evaluation of Time-Series
Anomaly Detection", AAAI 2022).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from unrolled.errors import OptionError, message, unknown

Range = tuple[int, int]  # first and last row

BIASES: dict[str, Callable[[np.ndarray], np.ndarray]] = {  # weight of each row of a range, from its place (T,)
    "flat": np.ones_like,
    "front": lambda place: len(place) - place,
    "back": lambda place: place + 1,
    "middle": lambda place: np.minimum(place + 1, len(place) - place),
}


class RangeScores(NamedTuple):
    """Precision and recall of alarm ranges against labelled ranges."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Return the harmonic mean of the two; 0 if both are 0."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def ranges_of(marks: Sequence[bool] | np.ndarray) -> list[Range]:
    """Return the stretches of marked rows, first and last row each.

    Example:
        >>> ranges_of([0, 1, 1, 0, 1])
        [(1, 2), (4, 4)]
    """
    padded = np.concatenate([[False], np.asarray(marks, dtype=bool), [False]])
    edges = np.flatnonzero(padded[1:] != padded[:-1])
    return [(int(first), int(after) - 1) for first, after in zip(edges[::2], edges[1::2], strict=True)]


def range_scores(
    truth: Sequence[bool] | np.ndarray,
    alarms: Sequence[bool] | np.ndarray,
    existence: float = 0.0,
    bias: str = "flat",
) -> RangeScores:
    """Return range-based precision and recall.

    The recall of a labelled range is `existence` for any overlap, and the rest for the share of it that
    alarms cover, weighted by `bias` and divided by the number of alarm ranges if there are several. The precision of
    an alarm range is the share of it that is labelled, unweighted, divided in the same way.

    Args:
        truth: whether each row is labelled, (T,).
        alarms: whether each row is an alarm, (T,).
        existence: share of a range's recall for any overlap, in [0, 1].
        bias: which rows of a labelled range have more weight: flat, front, back or middle.

    Returns:
        The means over labelled and over alarm ranges; 0 without ranges, as in scikit-learn's precision.

    Reference program: `basic_metricor.range_recall_new` of TSB-AD 1.5. Source: N. Tatbul et al., "Precision and Recall
    for Time Series", NeurIPS 2018, equations 2 to 7 and figure 2.

    Example:
        >>> range_scores([0, 1, 1, 1, 1, 0], [0, 0, 1, 1, 0, 0])
        RangeScores(precision=1.0, recall=0.5)
    """
    if not 0 <= existence <= 1:
        raise OptionError(message("existence", expected="a number in [0, 1]", received=existence))
    if bias not in BIASES:
        raise unknown("bias", bias, BIASES)
    if len(truth) != len(alarms):
        raise OptionError(message("alarms", expected=f"one mark for each of {len(truth)} rows", received=len(alarms)))
    true, said = ranges_of(truth), ranges_of(alarms)
    recalls = []
    for one in true:
        share, touched = _covered(one, said, bias)
        recalls.append(existence * touched + (1 - existence) * share)
    precisions = [_covered(one, true, "flat")[0] for one in said]
    return RangeScores(_mean(precisions), _mean(recalls))


def _covered(one: Range, others: Sequence[Range], bias: str) -> tuple[float, bool]:
    """Return the weighted share of a range that others cover, divided by their number, and whether any does."""
    weights = BIASES[bias](np.arange(one[1] - one[0] + 1))
    share, pieces = 0.0, 0
    for first, last in others:
        first, last = max(first, one[0]), min(last, one[1])
        if first <= last:
            share += float(weights[first - one[0] : last - one[0] + 1].sum())
            pieces += 1
    return share / float(weights.sum()) / max(pieces, 1), pieces > 0


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else 0.0
