"""The score of the Numenta Anomaly Benchmark: early alarms in labelled windows against false ones outside.

A file has windows, each around one anomaly. At a threshold every row with `score >= threshold` is an alarm:

    in a window      only its best (earliest) alarm counts, from 1 at the window's first row down to 0 at its last
    outside          every alarm costs, from 0 just after a window down to -1 far from one, times the profile's weight
    window missed    costs the profile's weight
    probation        alarms in the first 15 % of the rows, at most 750, do not count

One threshold, the best in hindsight, is shared by all files. The sum over files is put on a scale on which a detector
that never gives an alarm has 0 and one that gives each window's earliest alarm and no other has 100.

Source: A. Lavin and S. Ahmad, "Evaluating Real-time Anomaly Detection Algorithms - the Numenta Anomaly Benchmark",
ICMLA 2015, sections II.B to II.D; the limit of the probation, positions in a window, and the rule that a row far
after a window costs as much as one before the first, are those of the benchmark's program, whose scores this gives.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from unrolled.errors import DataError, message
from unrolled.metrics.anomalies.score_checks import numbers

PROBATION = 0.15  # share of a file in which alarms do not count
MAX_PROBATION = 5000 * PROBATION  # rows
FAR = 3.0  # window widths after a window beyond which a false alarm has the full cost


class Profile(NamedTuple):
    """The weights of hits, false alarms and missed windows."""

    hit: float
    false_alarm: float
    miss: float


PROFILES = {
    "standard": Profile(1.0, 0.11, 1.0),
    "reward_low_FP": Profile(1.0, 0.22, 1.0),
    "reward_low_FN": Profile(1.0, 0.11, 2.0),
}


@dataclass(frozen=True, eq=False)
class ScoredFile:
    """A detector's scores for one series, with its labelled windows.

    Args:
        scores: higher = more anomalous, on one scale for all files, (T,).
        windows: first and last row of each labelled window, in order, not overlapping.
        probation: number of rows at the start that do not count; None = those of the benchmark, see `probation_rows`.
    """

    scores: np.ndarray
    windows: Sequence[tuple[int, int]]
    probation: int | None = None


class NabScore(NamedTuple):
    """The score of a detector on a set of files."""

    score: float  # 0 for no alarm, 100 for perfect
    threshold: float  # rows with this score or a higher one are alarms; infinity for none
    found: int  # windows with an alarm
    windows: int
    false_alarms: int  # rows


def probation_rows(rows: int) -> int:
    """Return the number of rows at the start of a file that do not count.

    Example:
        >>> probation_rows(4032), probation_rows(22695)
        (604, 750)
    """
    return math.ceil(min(math.floor(PROBATION * rows), MAX_PROBATION))


def window_rows(times: np.ndarray, windows: Sequence[tuple[object, object]]) -> list[tuple[int, int]]:
    """Return the first and the last row of each window that is given by times.

    Args:
        times: times of the rows, (T,).
        windows: first and last time of each, both among `times`.

    Raises:
        DataError: a window whose first or last time is not among the rows.
    """
    first_row: dict[object, int] = {}
    for row, time in enumerate(times.tolist()):
        first_row.setdefault(time, row)
    rows = []
    for window in windows:
        edges = [np.asarray(edge, dtype=times.dtype).item() for edge in window]
        for edge in edges:
            if edge not in first_row:
                raise DataError(message("windows", expected="times of rows", received=str(edge)))
        rows.append((first_row[edges[0]], first_row[edges[1]]))
    return rows


def scaled_sigmoid(position: np.ndarray) -> np.ndarray:
    """Return the value of an alarm by its place: -1 = a window's first row, 0 = its last, above 0 = widths after it.

    Example:
        >>> scaled_sigmoid(np.array([-1.0, 0.0, 1.0, 3.5])).round(3).tolist()
        [0.987, 0.0, -0.987, -1.0]
    """
    position = np.asarray(position, dtype=np.float64)
    with np.errstate(over="ignore"):
        return np.where(position > FAR, -1.0, 2.0 / (1.0 + np.exp(5.0 * position)) - 1.0)


def row_worth(rows: int, windows: Sequence[tuple[int, int]], profile: Profile) -> tuple[np.ndarray, np.ndarray]:
    """Return the value of an alarm at each row, (T,), and the number of its window, -1 outside, (T,)."""
    worth = np.full(rows, -profile.false_alarm)
    owner = np.full(rows, -1)
    for number, (first, last) in enumerate(windows):
        end = windows[number + 1][0] if number + 1 < len(windows) else rows
        width = last - first + 1
        inside = np.arange(first, last + 1)
        best = scaled_sigmoid(np.array(-1.0))
        worth[inside] = profile.hit * scaled_sigmoid(-(last - inside + 1) / width) / best
        owner[inside] = number
        after = np.arange(last + 1, end)
        if width > 1:
            worth[after] = profile.false_alarm * scaled_sigmoid((after - last) / (width - 1))
    return worth, owner


def nab_score(
    files: Sequence[ScoredFile], profile: Profile = PROFILES["standard"], threshold: float | None = None
) -> NabScore:
    """Return the score at the threshold that is best over all files together, or at a given one.

    Args:
        files: a detector's scores for each series.
        profile: one of PROFILES.
        threshold: rows with this score or a higher one are alarms; None finds the best.

    Raises:
        DataError: no window in any file, a window that is not among the rows, or scores that are not numbers.

    Reference program: the scorer and the threshold optimizer of NAB 1.1; `bench/nab.py check` prints both.

    Example:
        >>> scores = np.zeros(100)
        >>> scores[50] = 1.0
        >>> nab_score([ScoredFile(scores, [(50, 59)])])
        NabScore(score=100.0, threshold=1.0, found=1, windows=1, false_alarms=0)
    """
    scores, gains, hits = _pooled(files, profile)
    order = np.argsort(-scores, kind="stable")
    scores, totals = scores[order], np.concatenate([[0.0], np.cumsum(gains[order])])
    ends = np.flatnonzero(np.append(scores[1:] != scores[:-1], True)) + 1 if len(scores) else np.empty(0, np.int64)
    ends = np.concatenate([[0], ends])  # number of alarms at each threshold
    if threshold is None:
        best = int(ends[np.argmax(totals[ends])])  # in a tie the highest threshold
        threshold = float(scores[best - 1]) if best else math.inf
    else:
        best = int((scores >= threshold).sum())
    first, false = (hits[order][:best] == 1).sum(), (hits[order][:best] == -1).sum()
    windows = sum(len(one.windows) for one in files)
    if not windows:
        raise DataError(message("files", expected="at least one window in all", received="none"))
    nothing = -profile.miss * sum(_can_be_found(one) for one in files)
    # the benchmark's perfect detector finds every labelled window, also one within the probation
    score = 100 * totals[best] / (windows * profile.hit - nothing)
    return NabScore(float(score), threshold, int(first), windows, int(false))


def nab_scores(files: Sequence[ScoredFile]) -> dict[str, float]:
    """Return the score of each profile, by its name.

    Args:
        files: a detector's scores for each series.

    Reference program: see `nab_score`.
    """
    return {name: nab_score(files, profile).score for name, profile in PROFILES.items()}


def _pooled(files: Sequence[ScoredFile], profile: Profile) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, for all rows that count, scores, changes of the total as the threshold falls to them, and marks.

    A mark is 1 for a row that finds a window, -1 for a false alarm. A window has the value of its best alarm so far, so
    a row adds its advantage over all with a higher score (among equal scores, over those before it).
    """
    every: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = [(np.empty(0), np.empty(0), np.empty(0, np.int64))]
    for one in files:
        scores = numbers(one.scores)
        _check(scores, one.windows)
        worth, owner = row_worth(len(scores), one.windows, profile)
        counted = np.arange(len(scores)) >= _probation(one)
        scores, worth, owner = scores[counted], worth[counted], owner[counted]
        hits = np.where(owner < 0, -1, 0)
        for window in np.unique(owner[owner >= 0]):
            inside = np.flatnonzero(owner == window)
            inside = inside[np.argsort(-scores[inside], kind="stable")]
            best = np.maximum.accumulate(np.concatenate([[-profile.miss], worth[inside]]))
            worth[inside] = np.diff(best)
            hits[inside[0]] = 1
        every.append((scores, worth, hits))
    scores, gains, hits = (np.concatenate(parts) for parts in zip(*every, strict=True))
    return scores, gains, hits


def _probation(one: ScoredFile) -> int:
    return probation_rows(len(one.scores)) if one.probation is None else one.probation


def _can_be_found(one: ScoredFile) -> int:
    return sum(last >= _probation(one) for _, last in one.windows)


def _check(scores: np.ndarray, windows: Sequence[tuple[int, int]]) -> None:
    edges = [edge for window in windows for edge in window]
    inside = all(0 <= edge < len(scores) for edge in edges)
    apart = all(first[1] < second[0] for first, second in pairwise(windows))
    if not inside or not apart or any(first > last for first, last in windows):
        raise DataError(
            message("windows", expected=f"first and last rows below {len(scores)}, in order", received=list(windows))
        )
