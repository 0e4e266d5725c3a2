"""The pool of anomaly scores: the mean of -log p-values, each against the member's own scores of normal data."""

from collections.abc import Sequence

import numpy as np


def p_values(scores: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return the share of reference scores that are at least as high as each score, (T,); never 0.

    Args:
        scores: of a member, (T,), higher = more unusual.
        reference: of the same member on normal data, (R,).

    Example:
        >>> p_values(np.array([2.5, 9.0]), np.array([1.0, 2.0, 3.0])).tolist()
        [0.5, 0.25]
    """
    ordered = np.sort(np.asarray(reference, dtype=np.float64))
    higher = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return (1.0 + higher) / (1.0 + len(ordered))


def score_pool(scores: Sequence[np.ndarray], references: Sequence[np.ndarray]) -> np.ndarray:
    """Return the mean of -log p-values over the members, (T,), higher = more unusual.

    A member's scale does not matter, only the order of its scores.

    Args:
        scores: of each member, (T,) each.
        references: of each member on normal data, (R,) each.

    Example:
        >>> calm = [np.arange(99.0), np.arange(99.0) * 1000]
        >>> score_pool([np.array([0.0, 98.5]), np.array([0.0, 98.5e3])], calm).round(2).tolist()
        [0.0, 4.61]
    """
    return np.mean([-np.log(p_values(*pair)) for pair in zip(scores, references, strict=True)], axis=0)
