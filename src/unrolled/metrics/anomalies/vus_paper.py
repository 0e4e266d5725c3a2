"""Areas under curves over every threshold, with labels that fade out around each anomaly, as the paper defines them.

An alarm a few rows away from a labelled range is nearly right, so labels fall from 1 to 0 over a buffer. As no width
of the buffer is the right one, the volume under the surface is the mean over many widths. The numbers of the
authors' own program, which leaderboards print, are those of `unrolled.metrics.anomalies.vus.vus`.

Source: J. Paparrizos et al., "Volume Under the Surface: A New Accuracy Evaluation Measure for Time-Series Anomaly
Detection", PVLDB 15(11), 2022, sections 4.1 (range-AUC) and 4.2 (VUS). Curves have a point for every distinct score.
"""

from collections.abc import Sequence

import numpy as np

from unrolled.errors import OptionError, message
from unrolled.metrics.anomalies.ranges import ranges_of
from unrolled.metrics.anomalies.score_checks import scored_rows
from unrolled.metrics.anomalies.vus import Areas, faded_rows

MAX_WIDTHS = 20  # number of buffers that a volume is averaged over


def faded(truth: Sequence[bool] | np.ndarray, buffer: int) -> np.ndarray:
    """Return labels in [0, 1]: 1 in a labelled range, and up to half a buffer away the root of `1 - d / buffer`.

    Example:
        >>> faded([0, 0, 0, 1, 0, 0, 0], 4).round(3).tolist()
        [0.0, 0.707, 0.866, 1.0, 0.866, 0.707, 0.0]
    """
    marks = np.asarray(truth, dtype=bool)
    soft = marks.astype(np.float64)
    rows, height = faded_rows(ranges_of(marks), marks, buffer)
    soft[rows] = height
    return soft


def range_auc(scores: Sequence[float] | np.ndarray, truth: Sequence[bool] | np.ndarray, buffer: int = 0) -> Areas:
    """Return areas under ROC and precision-recall curves for ranges.

    A hit counts by its faded label; recall is also multiplied by the share of ranges that are touched, and its
    denominator lies half-way between the labels and the faded labels. With buffer 0 and every range of one row, the
    areas are the ordinary ones, except that recall is squared.

    Args:
        scores: higher = more anomalous, (T,).
        truth: whether each row is labelled, (T,).
        buffer: rows over which a label fades out, half of them on each side.

    Raises:
        DataError: a score that is no number, no labelled row, or no unlabelled row.

    Source: section 4.1 of the paper.

    Example:
        >>> range_auc([0.1, 0.9, 0.8, 0.2], [0, 1, 1, 0])
        Areas(roc=1.0, pr=1.0)
    """
    values, marks = scored_rows(scores, truth)
    soft = faded(marks, buffer)
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(values[order]) != 0, True))  # the last row of each threshold
    alarms = ends + 1.0
    hits = np.cumsum(soft[order])[ends]
    best = np.sort([values[first : last + 1].max() for first, last in ranges_of(soft > 0)])
    touched = 1 - np.searchsorted(best, values[order][ends], side="left") / len(best)
    positive = (marks.sum() + soft.sum()) / 2
    recall = np.minimum(hits / positive, 1.0) * touched
    false = np.minimum((alarms - hits) / (len(values) - positive), 1.0)
    precision = hits / alarms
    roc = np.trapezoid(np.concatenate([[0.0], recall, [1.0]]), np.concatenate([[0.0], false, [1.0]]))
    return Areas(float(roc), float(np.sum(np.diff(recall, prepend=0.0) * precision)))


def vus_paper(scores: Sequence[float] | np.ndarray, truth: Sequence[bool] | np.ndarray, longest: int) -> Areas:
    """Return the volumes under the surfaces as in the paper: the mean of `range_auc` over 20 buffers up to `longest`.

    Args:
        scores: higher = more anomalous, (T,).
        truth: whether each row is labelled, (T,).
        longest: the widest buffer, in rows; the usual length of an anomaly.

    Raises:
        OptionError: longest < 0.
        DataError: a score that is no number, no labelled row, or no unlabelled row.

    Source: section 4.2 of the paper.

    Example:
        >>> vus_paper([0.1, 0.9, 0.8, 0.2, 0.0, 0.0], [0, 1, 1, 0, 0, 0], longest=2).pr > 0.8
        True
    """
    if longest < 0:
        raise OptionError(message("longest", expected="an integer >= 0", received=longest))
    widths = np.unique(np.linspace(0, longest, min(longest + 1, MAX_WIDTHS)).round().astype(int))
    areas = np.array([range_auc(scores, truth, int(width)) for width in widths])  # (W, 2)
    return Areas(*areas.mean(0).tolist())
