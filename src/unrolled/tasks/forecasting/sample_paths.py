"""Sample paths: whole futures whose steps belong together, for sums, peaks and times of first passage.

Source: M. Clark et al., "The Schaake shuffle: a method for reconstructing space-time variability in forecasted
precipitation and temperature fields", 2004: the order of values is that of a template from the past, here the errors
of back-tests; the values themselves follow the forecast's own quantiles.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from unrolled.errors import OptionError, message

MOST_TEMPLATES = 200  # back-test windows whose order is kept
LEAST_TEMPLATES = 20
MOST_NUMBERS = 20_000_000  # of all paths together
EDGE = 5e-4  # the rarest share on either side that is drawn


def templates_of(errors: np.ndarray) -> np.ndarray:
    """Return the share of smaller errors among those of each step ahead, less its own place, (K, H).

    Args:
        errors: errors of back-test windows, in the unit of their series, (K, H).

    Example:
        >>> templates_of(np.array([[3.0, 1.0], [2.0, 5.0]])).tolist()
        [[0.5, 0.0], [0.0, 0.5]]
    """
    return (rankdata(errors, axis=0, method="ordinal") - 1) / max(len(errors), 1)


def check_number(count: int, numbers: int) -> None:
    """Refuse more paths than fit in memory.

    Args:
        count: paths of each series.
        numbers: numbers of one path of all series.

    Raises:
        OptionError: more than 20 million numbers.
    """
    if count * numbers > MOST_NUMBERS:
        most = max(MOST_NUMBERS // max(numbers, 1), 1)
        raise OptionError(
            message("n", expected=f"at most {most:,} paths of {numbers:,} numbers each", received=f"{count:,}")
        )


def drawn_paths(
    quantiles: np.ndarray, levels: Sequence[float], templates: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return sample paths, (B, count, H); the values of each step follow its quantiles.

    Between and beyond the given levels, values are linear in the quantiles of a normal variable.

    Args:
        quantiles: forecasts, (B, H, Q).
        levels: Q increasing levels; at least two.
        templates: shares (K, H) from `templates_of`; none = steps do not depend on each other.
        count: paths of each series.
        rng: draws.
    """
    horizon = quantiles.shape[1]
    paths = np.empty((len(quantiles), count, horizon))
    marks = ndtri(np.asarray(levels, dtype=np.float64))  # (Q,)
    size = len(templates)
    for series, told in enumerate(quantiles):
        shares = rng.random((count, horizon))
        if size:
            order = np.concatenate([rng.permutation(size) for _ in range(-(-count // size))])[:count]
            shares = templates[order] + shares / size  # one draw within the place of each template
        scores = ndtri(np.clip(shares, EDGE, 1 - EDGE))  # (count, H)
        place = np.clip(np.searchsorted(marks, scores) - 1, 0, len(marks) - 2)
        low, high = marks[place], marks[place + 1]
        steps = np.arange(horizon)
        start, end = told[steps, place], told[steps, place + 1]
        paths[series] = start + (end - start) * (scores - low) / (high - low)
    return paths
