"""Alarms: which scores of a detector are alarms, and the threshold that gives a chosen rate of them."""

import numpy as np

TAIL, ENOUGH = 0.05, 10  # share of scores to fit an exponential tail to, if fewer than ENOUGH lie beyond the rate


def is_alarm(scores: np.ndarray, loud: np.ndarray, threshold: float) -> np.ndarray:
    """Return which steps are alarms, (T,): scores at or above the threshold that are the highest for a while.

    Args:
        scores: scores of steps, (T,); NaN is no alarm.
        loud: whether a score is higher than all scores of the last steps, (T,).
        threshold: the least score of an alarm.

    Example:
        >>> is_alarm(np.array([9.0, 8.0, np.nan]), np.array([True, False, True]), 5.0)
        array([ True, False, False])
    """
    return loud & (np.nan_to_num(scores) >= threshold)


def threshold_for(scores: np.ndarray, rate: float, least: float = 0.0) -> float:
    """Return the score that a share `rate` of steps exceeds; beyond the observed scores a fitted tail is used.

    The tail is exponential in the root of the score, as deviations are, and is fitted by its median, so that a few
    anomalies among ordinary steps do not raise it.

    Args:
        scores: scores of ordinary steps, >= 0, (T,); NaN are left out.
        rate: alarms per step.
        least: lower limit of the threshold.

    Example:
        >>> deviations = np.random.default_rng(0).exponential(size=2000)
        >>> bool(8 < threshold_for(deviations**2, 1e-4) ** 0.5 < 11)  # -log(1e-4) = 9.2
        True
    """
    roots = np.sqrt(scores[~np.isnan(scores)])
    if not len(roots):
        return least
    tail = min(max(TAIL, 2 * rate), 1.0)
    start = float(np.quantile(roots, 1 - tail))
    excess = roots[roots > start] - start
    if rate * len(roots) >= ENOUGH or not len(excess):
        return max(float(np.quantile(roots, 1 - rate)) ** 2, least)
    spread = float(np.median(excess)) / np.log(2)
    return max((start + spread * float(np.log(tail / rate))) ** 2, least)


def calm_threshold(scores: np.ndarray, rate: float) -> float:
    """Return `threshold_for` the scores of this file.

    The lower limit is half of the score that has this rate by definition: training data, which the network
    knows, surprise it less than later data.
    """
    return threshold_for(scores, rate, -np.log10(rate) / 2)
