"""Volumes under the surface as in the program of its authors, whose numbers leaderboards print.

An alarm a few rows away from a labelled range is nearly right, so labels fade out over a buffer around each range; the
volume is the mean of the areas over all widths of the buffer. The program differs from the paper (see `vus_paper`) in
three ways: it uses 250 thresholds, evenly spaced by rank, instead of every distinct score; faded labels count
towards the number of positives only if there is an alarm; and it takes every width, not 20 of them.

Reference program: `metricor.RangeAUC_volume_opt` in `vus/utils/metrics.py` of the package vus 0.0.6, the same as
`basic_metricor.RangeAUC_volume_opt` of TSB-AD 1.5. Source: J. Paparrizos et al., "Volume Under the Surface: A New
Accuracy Evaluation Measure for Time-Series Anomaly Detection", PVLDB 15(11), 2022.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from unrolled.errors import OptionError, message
from unrolled.metrics.anomalies.ranges import Range, ranges_of
from unrolled.metrics.anomalies.score_checks import scored_rows

THRESHOLDS = 250


class Areas(NamedTuple):
    """Areas, or volumes, under the two curves."""

    roc: float
    pr: float


def vus(
    scores: Sequence[float] | np.ndarray, truth: Sequence[bool] | np.ndarray, longest: int, thresholds: int = THRESHOLDS
) -> Areas:
    """Return the volumes under the ROC and the precision-recall surface, as in vus 0.0.6 and TSB-AD 1.5.

    Takes `longest` times the rows that lie within `longest / 2` of a labelled range, at most (T,) of them.

    Args:
        scores: higher = more anomalous, (T,).
        truth: whether each row is labelled, (T,).
        longest: the widest buffer, in rows; the usual length of an anomaly (leaderboards take the season).
        thresholds: number of thresholds, evenly spaced by rank.

    Raises:
        OptionError: longest < 0, or fewer than two thresholds.
        DataError: a score that is no number, no labelled row, or no unlabelled row.

    Reference program: `RangeAUC_volume_opt` of vus 0.0.6 and of TSB-AD 1.5.

    Example:
        >>> areas = vus([0.1, 0.9, 0.8, 0.2, 0.0, 0.0], [0, 1, 1, 0, 0, 0], longest=2)
        >>> round(areas.roc, 3), round(areas.pr, 3)
        (1.0, 1.0)
    """
    if longest < 0:
        raise OptionError(message("longest", expected="an integer >= 0", received=longest))
    if thresholds < 2:
        raise OptionError(message("thresholds", expected="an integer >= 2", received=thresholds))
    values, marks = scored_rows(scores, truth)
    levels = -np.sort(-values)[np.linspace(0, len(values) - 1, thresholds).astype(int)]  # (K,), falling
    alarms = np.searchsorted(np.sort(-values), -levels, side="right").astype(np.float64)  # (K,)
    first = np.searchsorted(-levels, -values, side="left")  # the first threshold at which each row is an alarm, (T,)
    surface = _Surface(first, marks, alarms)
    areas = [surface.areas(width) for width in range(longest + 1)]
    return Areas(*np.mean(areas, axis=0).tolist())


class _Surface:
    """The curves of one detector for growing buffers.

    Args:
        first: the first threshold at which each row is an alarm, K if there is none, (T,).
        marks: whether each row is labelled, (T,).
        alarms: number of alarms at each threshold, (K,).
    """

    def __init__(self, first: np.ndarray, marks: np.ndarray, alarms: np.ndarray) -> None:
        self.first, self.marks, self.alarms = first, marks, alarms
        self.ranges = ranges_of(marks)
        self.earliest = np.array([first[a : b + 1].min() for a, b in self.ranges])  # of each range and its buffer
        self.reach = 0  # rows of the buffer on each side that `earliest` includes
        self.found = np.cumsum(self._counts(np.flatnonzero(marks)))  # labelled rows among the alarms, (K,)

    def areas(self, width: int) -> Areas:
        """Return the areas for one buffer; widths may only increase from call to call."""
        rows, soft = faded_rows(self.ranges, self.marks, width)
        near = np.cumsum(self._counts(rows, soft))  # faded labels among the alarms, (K,)
        hits = self.found + near
        positive = self.marks.sum() + near / 2
        recall = np.minimum(hits / positive, 1.0) * self._touched(width // 2)
        false = (self.alarms - hits) / (len(self.marks) - positive)
        roc = np.trapezoid(np.concatenate([[0.0], recall, [1.0]]), np.concatenate([[0.0], false, [1.0]]))
        return Areas(float(roc), float(np.diff(recall, prepend=0.0) @ (hits / self.alarms)))

    def _counts(self, rows: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the summed weights of some rows that are alarms at each threshold, (K,)."""
        size = len(self.alarms)
        return np.bincount(self.first[rows], weights, minlength=size + 1)[:size]

    def _touched(self, reach: int) -> np.ndarray:
        """Return the share of ranges with an alarm, with ranges whose buffers meet counted as one, (K,)."""
        while self.reach < reach:
            self.reach += 1
            for place in (0, 1):
                rows = np.array([one[place] for one in self.ranges]) + (self.reach if place else -self.reach)
                inside = (rows >= 0) & (rows < len(self.first))
                self.earliest[inside] = np.minimum(self.earliest[inside], self.first[rows[inside]])
        starts = [0] + [
            n for n in range(1, len(self.ranges)) if self.ranges[n - 1][1] + reach < self.ranges[n][0] - reach
        ]
        joined = np.minimum.reduceat(self.earliest, starts)
        return np.cumsum(np.bincount(joined, minlength=len(self.alarms) + 1)[: len(self.alarms)]) / len(joined)


def faded_rows(ranges: Sequence[Range], marks: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows outside all ranges that a buffer of this width reaches, and their labels in (0, 1], (M,) each.

    A row `d` rows from a range has the root of `1 - d / width`, up to half a buffer away; if buffers overlap, labels
    are added up, to at most 1.

    Example:
        >>> rows, labels = faded_rows([(3, 3)], np.arange(7) == 3, 4)
        >>> rows.tolist(), labels.round(3).tolist()
        ([1, 2, 4, 5], [0.707, 0.866, 0.866, 0.707])
    """
    away = np.arange(1, width // 2 + 1)
    edges = np.array(ranges)
    rows = np.concatenate([edges[:, :1] - away, edges[:, 1:] + away], 1)  # (R, 2 D)
    height = np.broadcast_to(np.tile(np.sqrt(1 - away / max(width, 1)), 2), rows.shape)
    kept = (rows >= 0) & (rows < len(marks))
    rows, height = rows[kept], height[kept]
    outside = ~marks[rows]
    places, number = np.unique(rows[outside], return_inverse=True)
    return places, np.minimum(np.bincount(number, height[outside], minlength=len(places)), 1.0)
