"""Test whether a series repeats after a given number of steps, against noise that depends only on its last value.

The season is a mean for each of its phases, or one or two harmonics (fewer numbers to estimate, so that a long smooth
season is found in few cycles). It is fitted together with a polynomial that absorbs slower changes. Noise is
assumed to be white, a random walk, or anything between: x[t] = phi x[t-1] + white. As `phi` is known only roughly,
a season has to pass at every `phi` that its residuals allow.

Source: the F-test of a linear model after Cochrane and Orcutt's filter, "Application of Least Squares Regression to
Relationships Containing Autocorrelated Error Terms", JASA 44, 1949.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.special import betainc

DEGREE = 5  # degree of the polynomial, if there are enough cycles
CYCLES = 2.5  # least number of cycles of a season in a series
PHIS = (0.0, 0.25, 0.5, 0.75, 0.9, 1.0)  # values of phi that are tried
SURE = 2.0  # standard errors around phi that are tried
BIAS = 10.0  # divided by the length: underestimation of phi for a random walk without its trend
EXACT = 1e-10  # share of the variance below which residuals are rounding errors
FREE = 3  # least number of values beyond the estimated numbers


class Filtered:
    """The known values of one series, each minus `phi` times the one before it.

    Args:
        values: (M,).
        steps: their places, rising, (M,).
    """

    def __init__(self, values: np.ndarray, steps: np.ndarray) -> None:
        self.values, self.steps = values, steps
        self.place = steps - steps[:1]
        self._slow: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def slow(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the values and an orthogonal basis of polynomials, (M, 2 + degree), and the residuals, (M,)."""
        if degree not in self._slow:
            place = 2 * self.place / max(int(self.place[-1]), 1) - 1
            basis = np.linalg.qr(np.polynomial.legendre.legvander(place, degree))[0]
            columns = np.concatenate([self.values[:, None], basis], 1)
            self._slow[degree] = columns, self.values - basis @ (basis.T @ self.values)
        return self._slow[degree]

    def less_means(self, columns: np.ndarray, period: int) -> tuple[np.ndarray, int]:
        """Return the columns without the mean of each phase, (M, C), and the number of phases."""
        cycles = int(self.place[-1]) // period + 1
        whole = np.zeros((cycles * period, columns.shape[1] + 1))
        whole[self.place, 0] = 1.0
        whole[self.place, 1:] = columns
        sums = whole.reshape(cycles, period, -1).sum(0)
        means = sums[:, 1:] / np.maximum(sums[:, :1], 1)
        return columns - means[self.place % period], int((sums[:, 0] > 0).sum())


class KnownValues:
    """The known values of one series, filtered in turn with every phi.

    Args:
        values: values of unit spread, (M,), at least two in neighbouring steps.
        steps: their places, rising, (M,).
    """

    def __init__(self, values: np.ndarray, steps: np.ndarray) -> None:
        self.values, self.steps = values, steps
        self.length = int(steps[-1] - steps[0]) + 1
        self.pairs, self.twos = np.diff(steps) == 1, steps[2:] - steps[:-2] == 2
        self.raw = Filtered(values, steps)
        self.filtered = [Filtered((values[1:] - phi * values[:-1])[self.pairs], steps[1:][self.pairs]) for phi in PHIS]


@dataclass(frozen=True)
class Fit:
    """A season fitted to some series.

    Args:
        period: season length in steps.
        harmonics: number of harmonics of the season; 0 is a mean for each phase.
        left: sum of squares that the season leaves; the total is 1 per value of each series.
        whole: sum of squares without a season.
        share: share of the variance around a straight line that the season explains.
        numbers: number of estimated numbers of the season, in all series.
        free: number of values minus all estimated numbers.
        cost: Akaike's criterion.
    """

    period: int
    harmonics: int
    left: float
    whole: float
    share: float
    numbers: int
    free: int
    cost: float

    @property
    def variance(self) -> float:
        """Variance left per degree of freedom, as a share of the total."""
        return self.left / self.free / self.whole

    @property
    def log_chance(self) -> float:
        """Return the logarithm of the probability that noise is fitted this well."""
        return _log_chance(self.whole - self.left, self.numbers, self.left, self.free)

    def log_chance_beside(self, shorter: "Fit") -> float:
        """Return the log-probability that noise adds this much to a shorter season; 0 if it adds no numbers."""
        more, scale = self.numbers - shorter.numbers, self.whole / shorter.whole
        return _log_chance(shorter.left * scale - self.left, more, self.left, self.free) if more > 0 else 0.0


def _log_chance(explained: float, numbers: int, left: float, free: int) -> float:
    chance = betainc(free / 2, numbers / 2, left / (left + max(explained, 0.0)))  # of the F distribution
    return float(np.log(max(chance, np.finfo(np.float64).tiny)))


def shapes(period: int) -> Sequence[int]:
    """Return the numbers of harmonics to try for a period; 0 is a mean for each phase.

    Example:
        >>> shapes(3), shapes(24)
        ((0,), (0, 1, 2))
    """
    return (0,) if period < 4 else (0, 1) if period < 6 else (0, 1, 2)


def season_fit(series: Sequence[KnownValues], period: int, harmonics: int, level: float) -> Fit | None:
    """Return the fit of a season if its log-probability is below `level` for every allowed phi, else None.

    Args:
        series: the series; those too short for `CYCLES` cycles are left out.
        period: season length in steps.
        harmonics: 0 is a mean for each phase.
        level: logarithm of a probability.
    """
    chosen = _chosen(series, period, harmonics)
    best = None
    for place in range(max((len(phis) for _, phis in chosen), default=0)):  # most likely first: most seasons fail there
        filtered = [(one.filtered[phis[min(place, len(phis) - 1)]], one.length) for one, phis in chosen]
        found = _pooled(filtered, period, harmonics)
        if found is None or found.log_chance > level:
            return None
        best = best or found
    return best


def adds(series: Sequence[KnownValues], longer: Fit, shorter: Fit, level: float, gain: float) -> bool:
    """Return whether a season leaves less variance than a shorter one, significantly and by at least `gain`.

    Both are fitted to the same filtered series, by the most likely phi of the longer season's residuals.

    Args:
        series: as for `season_fit`.
        longer: a multiple of the shorter one.
        shorter: the season that it contains.
        level: logarithm of the probability of an error.
        gain: share of the variance left by the shorter season that the longer one has to explain.
    """
    chosen = [(one.filtered[phis[0]], one.length) for one, phis in _chosen(series, longer.period, longer.harmonics)]
    more, less = (_pooled(chosen, one.period, one.harmonics) for one in (longer, shorter))
    if more is None or less is None:
        return False
    return more.log_chance_beside(less) <= level and more.variance <= (1 - gain) * less.variance


def _chosen(series: Sequence[KnownValues], period: int, harmonics: int) -> list[tuple[KnownValues, list[int]]]:
    """Return the series that are long enough for a season, each with the phis that its residuals allow."""
    found = []
    for one in series:
        if one.length >= CYCLES * period:
            design = _design(one.raw, one.length, period, harmonics)
            if design is not None:
                found.append((one, _possible(design, one)))
    return found


@dataclass(frozen=True, eq=False)
class _Design:
    """A least-squares fit of a polynomial and a season: residuals with and without the season, and its size."""

    residuals: np.ndarray
    without: np.ndarray
    numbers: int
    size: int
    free: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "free", len(self.residuals) - self.size)


def _design(one: Filtered, length: int, period: int, harmonics: int) -> _Design | None:
    degree = int(np.clip(2 * length / period - 2, 1, DEGREE))
    if len(one.values) <= degree + 1 + FREE:
        return None
    columns, without = one.slow(degree)
    if harmonics:
        slow = columns[:, 1:]
        angle = 2 * np.pi / period * np.outer(one.steps, np.arange(1, harmonics + 1))
        fast = np.concatenate([np.cos(angle), np.sin(angle)], 1)
        fast -= slow @ (slow.T @ fast)
        residuals, numbers = _without(without, fast), fast.shape[1]
    else:
        rest, phases = one.less_means(columns[:, [0, *range(2, columns.shape[1])]], period)
        residuals, numbers = _without(rest[:, 0], rest[:, 1:]), phases - 1
    design = _Design(residuals, without, numbers, numbers + degree + 1)
    return design if design.free >= FREE else None


def _without(values: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return the residuals of least squares; columns that vanish, as a polynomial may in one cycle, are ignored."""
    gram = columns.T @ columns
    gram.flat[:: len(gram) + 1] += EXACT * (1 + gram.trace())
    return values - columns @ np.linalg.solve(gram, columns.T @ values)


def _possible(design: _Design, one: KnownValues) -> list[int]:
    """Return the places in `PHIS` of those that the residuals allow, most likely first."""
    residuals, count = design.residuals, len(design.residuals)
    variance = float(residuals @ residuals) / count
    once, twice = (
        float(np.clip(products.sum() / max(len(products), 1) / variance, -1, 1)) if variance > EXACT else 0.0
        for products in (
            residuals[lag:][near] * residuals[:-lag][near] for lag, near in ((1, one.pairs), (2, one.twos))
        )
    )
    phi, error = once, SURE * float(np.sqrt((1 - once**2) / count))
    highest = phi + (BIAS + design.size * max(phi, 0.0)) / count + error
    if once > error:  # white noise on top of a random walk lowers the first and the second correlation equally
        highest = max(highest, twice / once + error)
    low = int(np.clip(np.searchsorted(PHIS, phi - error, side="right") - 1, 0, len(PHIS) - 1))
    high = int(np.clip(np.searchsorted(PHIS, highest, side="left"), 0, len(PHIS) - 1))
    return sorted(range(low, high + 1), key=lambda place: abs(PHIS[place] - phi))


def _pooled(series: Sequence[tuple[Filtered, int]], period: int, harmonics: int) -> Fit | None:
    left = whole = cost = explained = 0.0
    numbers = free = 0
    for one, length in series:
        design = _design(one, length, period, harmonics)
        without = 0.0 if design is None else float(design.without @ design.without)
        if design is None or without <= EXACT * len(one.values):
            continue
        count = len(design.residuals)
        rest = max(float(design.residuals @ design.residuals) / without, EXACT)
        line = one.slow(1)[1]
        left, whole = left + rest * count, whole + count
        explained += count * (1 - rest) * without / float(line @ line)
        numbers, free = numbers + design.numbers, free + design.free
        cost += count * float(np.log(rest * without / count)) + 2 * design.numbers
    return Fit(period, harmonics, left, whole, explained / whole, numbers, free, cost) if numbers else None
