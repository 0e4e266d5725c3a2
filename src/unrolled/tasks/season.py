"""What a set of series looks like: the season, and whether the spread grows with the level."""

from collections.abc import Sequence

import numpy as np
from scipy.signal import find_peaks

PROMINENCE = 0.2  # how far a peak of the autocorrelation must stand out, so that ripples do not count
MIN_CORRELATION = 0.25  # a weaker season is no season
GROWTH = 0.5  # spread ~ level ** GROWTH or steeper asks for logarithms
LEVELS = 1.3  # but only where levels differ by this factor
PIECES = 6  # stretches of a series that are compared


def find_season(series: Sequence[np.ndarray], suggested: Sequence[int] = ()) -> int:
    """The season of most series, in steps; 1 where there is none.

    The highest clear peak of the autocorrelation, after a straight line is taken out;
    a season that the calendar suggests wins over a peak next to it.

    Args:
        series: one array for each series, NaN where missing.
        suggested: seasons the clock suggests.
    """
    longest = max((len(values) for values in series), default=0)
    total = np.zeros(longest // 2 + 1)
    weight = np.zeros(longest // 2 + 1)
    for values in series:
        if np.isfinite(values).sum() < 8:
            continue
        correlation = autocorrelation(detrended(values), len(values) // 2)
        total[: len(correlation)] += correlation * len(values)
        weight[: len(correlation)] += len(values)
    correlation = total[weight > 0] / weight[weight > 0]
    peaks, _ = find_peaks(correlation, prominence=PROMINENCE)
    near = {}
    for lag in peaks.tolist():
        calendar = [s for s in suggested if abs(s - lag) <= max(1, 0.05 * s) and s < len(correlation)]
        snapped = min(calendar, key=lambda s: abs(s - lag), default=lag)
        near[snapped] = correlation[snapped]
    # a shorter season is preferred to its multiples unless they are clearly better
    best = max(near, key=lambda lag: (near[lag] - 0.05 * np.log(lag) / np.log(10), -lag), default=1)
    return int(best) if best > 1 and near[best] >= MIN_CORRELATION else 1


def detrended(values: np.ndarray) -> np.ndarray:
    """Minus the straight line through the known values; missing ones become 0."""
    known = np.isfinite(values)
    steps = np.arange(len(values), dtype=np.float64)
    slope, level = np.polyfit(steps[known], values[known], 1)
    return np.where(known, values - slope * steps - level, 0.0)


def autocorrelation(values: np.ndarray, lags: int) -> np.ndarray:
    """Correlation with the values so many steps before, for 0..lags, (lags + 1,)."""
    size = 1 << (2 * len(values) - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(values - values.mean(), size)) ** 2
    covariance = np.fft.irfft(spectrum, size)[: lags + 1]
    pairs = len(values) - np.arange(lags + 1)
    variance = covariance[0] / len(values)
    return covariance / pairs / variance if variance > 0 else np.zeros(lags + 1)


def wants_logarithms(series: Sequence[np.ndarray], season: int) -> bool:
    """Whether all values are positive and the steps from one to the next grow with the level, in most series."""
    slopes = []
    for values in series:
        known = values[np.isfinite(values)]
        if len(known) and known.min() <= 0:
            return False
        if len(known) < max(2 * season, 8 * PIECES // 2):
            continue
        pieces = np.array_split(known, PIECES)
        levels = np.array([piece.mean() for piece in pieces])
        spreads = np.array([np.abs(np.diff(piece)).mean() for piece in pieces])
        if levels.max() < LEVELS * levels.min() or spreads.min() <= 0:
            slopes.append(0.0)
            continue
        slopes.append(float(np.polyfit(np.log(levels), np.log(spreads), 1)[0]))
    return bool(slopes) and float(np.median(slopes)) >= GROWTH
