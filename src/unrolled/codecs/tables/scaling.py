"""Centre and scale of numbers, so that networks read values near 0 in every unit."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unrolled.codecs.values import bad_value, record_at
from unrolled.errors import unknown

SCALINGS = ("robust", "standard", "none")
_NORMAL_IQR = 1.349  # the interquartile range of a normal distribution, in standard deviations
_TINY = 1e-12  # spread below this share of the largest value is rounding noise


def check_scaling(scaling: str, *more: str) -> None:
    """Raise an OptionError for an unknown name; a codec may know more than those in `SCALINGS`."""
    if scaling not in (*SCALINGS, *more):
        raise unknown("scaling", scaling, [*SCALINGS, *more])


def learn_scaling(values: np.ndarray, scaling: str, fallback: np.ndarray | None = None) -> np.ndarray:
    """Return centre and scale of every column: (N, F) -> (2, F). NaN is left out.

    Args:
        values: the numbers, (N, F).
        scaling: "robust" (median and interquartile range), "standard" (mean and deviation) or "none".
        fallback: (2, F), used for a column without values, and its scale for a constant column.
    """
    neutral = np.stack([np.zeros(values.shape[1]), np.ones(values.shape[1])])  # (2, F)
    result = neutral.copy() if fallback is None else fallback.copy()
    if scaling == "none":
        return neutral
    for feature in range(values.shape[1]):
        known = values[:, feature]
        known = known[~np.isnan(known)]
        largest = float(np.abs(known).max(initial=0.0))
        if not len(known) or not largest:
            result[0, feature] = 0.0 if len(known) else result[0, feature]
            continue
        shares = known / largest  # in [-1, 1], so that nothing overflows
        centre, spread = float(shares.mean()), float(shares.std())
        if scaling == "robust":
            low, centre, high = (float(quantile) for quantile in np.percentile(shares, [25, 50, 75]))
            robust = (high - low) / _NORMAL_IQR
            spread = robust if robust > _TINY else spread
        result[0, feature] = centre * largest
        if spread > _TINY and 0 < spread * largest < np.inf:
            result[1, feature] = spread * largest
    return result


def scale(values: np.ndarray, centre: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return (values - centre) / spread, (N, F) float64; infinite on overflow."""
    with np.errstate(over="ignore"):
        return (values - centre) / spread


def to_float32(scaled: np.ndarray, columns: Sequence[str], lengths: np.ndarray, start: int = 0) -> np.ndarray:
    """Convert scaled numbers to float32; DataError if one is too large for that."""
    with np.errstate(over="ignore"):
        small = scaled.astype(np.float32)
    refuse_infinite(small, columns, lengths, start, "a number that fits after scaling")
    return small


def refuse_infinite(
    values: np.ndarray, columns: Sequence[str], lengths: np.ndarray, start: int = 0, expected: str = "finite numbers"
) -> None:
    """Raise a DataError that names column and record if (N, F) holds an infinity."""
    infinite = np.isinf(values)
    if infinite.any():
        step, feature = (int(place[0]) for place in np.nonzero(infinite))
        column = columns[feature] if feature < len(columns) else columns[0]
        row = start + record_at(step, lengths)
        raise bad_value(column, row, expected, repr(float(values[step, feature])), "write missing values as null")


_NO_NUMBERS = {str, bytes, np.datetime64, np.timedelta64, np.str_, np.bytes_}  # though NumPy makes numbers of them


def to_numbers(flat: list[Any] | np.ndarray) -> np.ndarray | None:
    """Return float64 of the same shape, missing = NaN; None if something is not a number."""
    try:
        array = np.asarray(flat)
        if array.size == 0:
            return array.astype(np.float64)
        if array.dtype.kind == "O":
            if not _NO_NUMBERS.isdisjoint(map(type, array.ravel().tolist())):
                return None
            return np.array(flat, dtype=np.float64)
        return array.astype(np.float64) if array.dtype.kind in "fiub" else None
    except (TypeError, ValueError, OverflowError):
        return None
