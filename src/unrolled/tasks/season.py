"""Properties of a set of series: the season, and whether the spread grows with the level."""

from collections.abc import Mapping, Sequence

import numpy as np
from scipy.signal import find_peaks

from unrolled.tasks.season_significance import CYCLES, Fit, KnownValues, adds, season_fit, shapes

LEVEL = 0.05  # probability that noise is taken for a season
NESTED = 0.005  # probability that a season is taken for its multiple
LEAST_SHARE = 0.1  # of the variance around a line; a weaker season is ignored
LEAST_GAIN = 0.1  # share of the variance left by a season that its multiple must explain to be the season
LEAST_VALUES = 8
ROUNDING = 1e-12
MOST_SERIES = 32
MOST_STEPS = 10_000
ALL_UP_TO = 60  # steps; of longer periods only the most likely are tested
MOST_PEAKS = 20
PARTS = (2, 3, 4)  # of a likely long period, which are tested as well
INEXACT = 0.01  # a period is a multiple of another if it differs from one by at most this share
NEAR = 0.05  # a season that differs from one of the clock by less than this share is that of the clock
GROWTH = 0.5  # if spread ~ level ** GROWTH or steeper, logarithms are taken
LEVELS = 1.3  # but only if levels differ by this factor
PIECES = 6  # stretches of a series that are compared


def find_season(series: Sequence[np.ndarray], suggested: Sequence[int] = ()) -> int:
    """Return the season of the series, in steps; 1 if nothing repeats more than in noise.

    Noise, white or a random walk, is taken for a season in at most 5 % of all cases (`LEVEL`, shared among the periods
    that are tested), and a season that explains less than a tenth of the variance is ignored. Among a season and its
    multiples the shortest is returned, so 3 if 3, 6 and 9 fit equally well; a multiple is preferred if it leaves
    significantly less, and at least a tenth less, of the variance: hourly data that differ by the day of the week have
    the season 168, which contains the 24. A season of the clock is preferred to one next to it.

    Uses 32 series and the last 10,000 steps of each, and at most 200 periods besides those suggested.

    Args:
        series: one array per series, NaN where missing.
        suggested: seasons of the clock; they share half of the level.
    """
    known = [one for values in chosen_evenly(series, MOST_SERIES) if (one := _known(values)) is not None]
    longest = int(max((one.length for one in known), default=0) / CYCLES)
    likely = [period for period in suggested if 2 <= period <= longest]
    # Bonferroni: each tested model gets a share of the level: half for the clock, half for all other periods
    levels = {period: LEVEL / max(longest, 1) / 2 for period in _candidates(known, longest)}
    levels |= {period: LEVEL / len(likely) / 2 for period in likely}
    found: dict[int, Fit] = {}
    for period, level in levels.items():
        tried = list(shapes(period))
        fits = [season_fit(known, period, shape, float(np.log(level / len(tried)))) for shape in tried]
        enough = [fit for fit in fits if fit is not None and fit.share >= LEAST_SHARE]
        if enough:
            found[period] = min(enough, key=lambda fit: fit.cost)
    if not found:
        return 1
    best = _shortest(known, found, min(found.values(), key=lambda fit: fit.cost), longest)
    near = [period for period in likely if period in found and abs(period - best.period) <= max(1, NEAR * period)]
    if not near or best.period in near:
        return best.period
    return _shortest(known, found, found[min(near, key=lambda period: abs(period - best.period))], longest).period


def _shortest(series: Sequence[KnownValues], found: Mapping[int, Fit], best: Fit, longest: int) -> Fit:
    """Return the shortest season that a season is a multiple of and adds little to; else that season itself."""
    for shorter in sorted(found):
        if not _is_multiple(best.period, shorter):
            continue
        beside = [fit for fit in found.values() if abs(fit.period - shorter) <= INEXACT * shorter]
        fit = min(beside, key=lambda fit: fit.cost)
        level = float(np.log(NESTED * shorter / longest))  # shared among its multiples
        contained = best.period % fit.period == 0 or (1 - LEAST_GAIN) * fit.variance <= best.variance
        if contained and not adds(series, best, fit, level, LEAST_GAIN):
            return fit
    return best


def _known(values: np.ndarray) -> KnownValues | None:
    """Return the last known values of a series in its own spread; None if they are too few, or constant."""
    values = np.asarray(values, dtype=np.float64)[-MOST_STEPS:]
    steps = np.flatnonzero(np.isfinite(values))
    if len(steps) < LEAST_VALUES:
        return None
    centred = values[steps] - values[steps].mean()
    largest = np.abs(centred).max()
    if largest <= ROUNDING * np.abs(values[steps]).max():
        return None
    centred = centred / largest  # squares of numbers as large as 1e200 are infinite
    return KnownValues(centred / centred.std(), steps)


def _candidates(series: Sequence[KnownValues], longest: int) -> list[int]:
    """Return every short period, and the longer ones at which values, or their differences, are most correlated."""
    every = list(range(2, min(longest, ALL_UP_TO) + 1))
    if longest <= ALL_UP_TO:
        return every
    chosen: set[int] = set()
    for stepwise in (False, True):
        total = np.zeros(longest + 2)
        for one in series:
            whole = np.full(one.length, np.nan)
            whole[one.steps - one.steps[0]] = one.values
            line = detrended(np.diff(whole) if stepwise else whole) if one.length > LEAST_VALUES else np.zeros(1)
            lags = min(longest + 1, len(line) - 1)
            total[: lags + 1] += autocorrelation(line, lags) * len(line)
        peaks = find_peaks(total)[0]
        peaks = peaks[(peaks > ALL_UP_TO) & (peaks <= longest)]
        highest = peaks[np.argsort(-total[peaks], kind="stable")[:MOST_PEAKS]].tolist()
        # a peak may be two or three seasons of 365.25 days, whose parts are no whole numbers
        chosen |= {whole for lag in highest for part in (1, *PARTS) for whole in (lag // part, -(-lag // part))}
    return every + sorted(chosen - set(every))


def _is_multiple(longer: int, shorter: int) -> bool:
    """Return whether a period is a multiple of another; 731 days are two times 365, give or take a hundredth."""
    times = round(longer / shorter)
    away = abs(longer - times * shorter)
    return times > 1 and (away == 0 or (times in PARTS and away <= INEXACT * longer))


def chosen_evenly(series: Sequence[np.ndarray], most: int) -> list[np.ndarray]:
    """Return some of the series, spread evenly over them.

    Example:
        >>> [int(one[0]) for one in chosen_evenly([np.array([n]) for n in range(7)], 3)]
        [0, 3, 6]
    """
    if len(series) <= most:
        return list(series)
    return [series[place] for place in np.linspace(0, len(series) - 1, most).round().astype(int).tolist()]


def detrended(values: np.ndarray) -> np.ndarray:
    """Subtract the straight line through the known values; missing ones become 0."""
    known = np.isfinite(values)
    steps = np.arange(len(values), dtype=np.float64)
    slope, level = np.polyfit(steps[known], values[known], 1)
    return np.where(known, values - slope * steps - level, 0.0)


def autocorrelation(values: np.ndarray, lags: int) -> np.ndarray:
    """Return the correlation with the values 0..lags steps before, (lags + 1,)."""
    size = 1 << (2 * len(values) - 1).bit_length()
    spectrum = np.abs(np.fft.rfft(values - values.mean(), size)) ** 2
    covariance = np.fft.irfft(spectrum, size)[: lags + 1]
    pairs = len(values) - np.arange(lags + 1)
    variance = covariance[0] / len(values)
    return covariance / pairs / variance if variance > 0 else np.zeros(lags + 1)


def wants_logarithms(series: Sequence[np.ndarray], season: int) -> bool:
    """Return whether all values are positive and their steps grow with the level, in most series."""
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
