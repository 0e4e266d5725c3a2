"""Kinds of targets: what numbers a column to forecast can hold, noticed in the training data."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

AUTO = "auto"
RANGES = {  # smallest and largest legal forecast
    "number": (-np.inf, np.inf),
    "non-negative": (0.0, np.inf),
    "count": (0.0, np.inf),
    "intermittent": (0.0, np.inf),
    "share": (0.0, 1.0),
    "percentage": (0.0, 100.0),
}
KINDS = (AUTO, *RANGES)
ZEROS = 0.3  # share of zeros from which on a target is intermittent
AT_EDGE = 2  # values equal to the upper bound that show it


@dataclass(frozen=True)
class TargetRange:
    """The legal range of forecasts.

    Args:
        kind: a name in `RANGES`.

    Example:
        >>> TargetRange("count").legal(np.array([[[1.0, -2.0, 3.0]]]), quantiles=True).tolist()
        [[[0.0, 1.0, 3.0]]]
    """

    kind: str

    def legal(self, answers: np.ndarray, quantiles: bool) -> np.ndarray:
        """Return forecasts within the range, and quantiles in their order.

        Args:
            answers: numbers (M, H), or quantiles (M, H, Q).
            quantiles: whether the last axis holds quantiles.
        """
        ordered = np.sort(answers, axis=-1) if quantiles else answers
        return np.clip(ordered, *RANGES[self.kind])


def find_kind(series: Sequence[np.ndarray]) -> str:
    """Return the kind of the values of all series together.

    Args:
        series: one array per series, NaN where missing.

    Example:
        >>> find_kind([np.array([0.0, 3.0, 0.0, 1.0])]), find_kind([np.array([0.5, 1.0, 1.0])])
        ('intermittent', 'share')
        >>> find_kind([np.array([2.0, 3.0])]), find_kind([np.array([2.5])]), find_kind([np.array([-1.0])])
        ('count', 'non-negative', 'number')
    """
    values = np.concatenate([one[np.isfinite(one)] for one in series])
    if not len(values) or values.min() < 0:
        return "number"
    whole = bool((values == np.round(values)).all())
    top = values.max()
    if (values == 0).mean() >= ZEROS and top > 0:
        return "intermittent"
    if whole:
        return "count"
    for kind in ("share", "percentage"):
        if top == RANGES[kind][1] and (values == top).sum() >= AT_EDGE:
            return kind
    return "non-negative"
