"""One alarm per event: a score counts only if it is higher than those of the last steps."""

from collections import deque

import numpy as np


def loudest(scores: np.ndarray, quiet: int) -> np.ndarray:
    """Set a score to 0 if one of the last `quiet - 1` steps had a score as high, (T,).

    The rule needs no threshold, so one can be chosen afterwards: at any of them an alarm is followed by `quiet` steps
    in which only a higher score is another one.

    Args:
        scores: 0 or more, NaN for no score, (T,).
        quiet: number of steps; 1 changes nothing.

    Example:
        >>> loudest(np.array([0.0, 2.0, 1.0, 3.0, 3.0, 1.0, 2.0]), quiet=3).tolist()
        [0.0, 2.0, 0.0, 3.0, 0.0, 0.0, 0.0]
    """
    kept = np.zeros(len(scores))
    peaks: deque[tuple[int, float]] = deque()  # each lower than the one before it
    for step, score in enumerate(np.nan_to_num(scores).tolist()):
        while peaks and step - peaks[0][0] >= quiet:
            peaks.popleft()
        if score > (peaks[0][1] if peaks else 0.0):
            kept[step] = score
        while peaks and peaks[-1][1] <= score:
            peaks.pop()
        peaks.append((step, score))
    return kept
