"""Classical decomposition: the seasonal index of each phase, for many series of one length at once."""

import numpy as np

LEAST_SHARE = 0.01  # of the mean; where a value is smaller, indices are differences, as ratios could be anything
CYCLES = 2  # whole seasons that a series must have


def seasonal_indices(rows: np.ndarray, season: int, relative: np.ndarray) -> np.ndarray:
    """Return the seasonal index of each step of one season, from the first step on, (M, season).

    The trend is a centred moving average over one season; an index is the mean of what is above it (or, as a ratio, of
    what it is multiplied by) at its phase, and all indices of a series together change nothing.

    Args:
        rows: series of one length, (M, T); at least two seasons long.
        season: season length in steps.
        relative: which series have ratios instead of differences, (M,).

    Source: M. Kendall and A. Stuart, "The Advanced Theory of Statistics", vol. 3, 1983, pages 410-414, which is what
    R's `decompose` computes.

    Example:
        >>> seasonal_indices(np.array([[1.0, 3.0] * 4]), 2, np.array([False])).tolist()
        [[-1.0, 1.0]]
    """
    length = rows.shape[1]
    trend = moving_average(rows, season)  # (M, T - 2 * (season // 2))
    edge = season // 2
    inside = rows[:, edge : length - edge]
    size = np.where(np.abs(trend) > 0, trend, 1.0)
    above = np.where(relative[:, None], inside / size, inside - trend)
    cycles = -(-above.shape[1] // season)
    whole = np.full((len(rows), cycles * season), np.nan)
    whole[:, : above.shape[1]] = above
    means = np.nanmean(whole.reshape(len(rows), cycles, season), 1)  # from the first step above the trend on
    indices = np.roll(means, edge, axis=1)
    middle = indices.mean(1, keepdims=True)
    return np.where(relative[:, None], indices / np.where(middle > 0, middle, 1.0), indices - middle)


def are_ratios(rows: np.ndarray) -> np.ndarray:
    """Return which series are positive enough for seasonal indices that are ratios, (M,).

    Example:
        >>> are_ratios(np.array([[1.0, 3.0], [0.0, 3.0]])).tolist()
        [True, False]
    """
    return rows.min(1) > LEAST_SHARE * np.abs(rows).mean(1)


def moving_average(rows: np.ndarray, season: int) -> np.ndarray:
    """Return the centred moving average over one season, (M, T - 2 * (season // 2)).

    Example:
        >>> moving_average(np.array([[1.0, 3.0, 1.0, 3.0]]), 2).tolist()
        [[2.0, 2.0]]
    """
    if season <= 1:
        return rows
    middle = rows.mean(1, keepdims=True)  # sums around it round less
    sums = np.cumsum(np.concatenate([np.zeros((len(rows), 1)), rows - middle], 1), 1)
    means = (sums[:, season:] - sums[:, :-season]) / season + middle  # (M, T - season + 1)
    return means if season % 2 else (means[:, 1:] + means[:, :-1]) / 2


def is_seasonal(rows: np.ndarray, season: int) -> np.ndarray:
    """Return which series have a season at the 10 % level: by the autocorrelation one season apart, (M,).

    Args:
        rows: series of one length, (M, T).
        season: season length in steps.

    Source: V. Assimakopoulos and K. Nikolopoulos, "The theta model", 2000, section 3, as R's `thetaf` has it.

    Example:
        >>> is_seasonal(np.array([[1.0, 3.0] * 8]), 2).tolist()
        [True]
    """
    count, length = rows.shape
    if season < 2 or length < CYCLES * season + 1:
        return np.zeros(count, dtype=bool)
    centred = rows - rows.mean(1, keepdims=True)
    size = 1 << (2 * length - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(centred, size, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, size, axis=1)[:, : season + 1]
    variance = covariance[:, :1]
    correlation = np.divide(covariance, variance, out=np.zeros_like(covariance), where=variance > 0)
    limit = 1.645 * np.sqrt((1 + 2 * (correlation[:, 1:season] ** 2).sum(1)) / length)
    return np.abs(correlation[:, season]) > limit


def phases_ahead(length: int, season: int, horizon: int) -> np.ndarray:
    """Return the phase of each step ahead of a series, counted from its first step, (horizon,).

    Example:
        >>> phases_ahead(5, 4, 3).tolist()
        [1, 2, 3]
    """
    return (length + np.arange(horizon)) % season
