"""Checks of the input of every measure: one score and one mark per row, with labelled and unlabelled rows."""

from collections.abc import Sequence

import numpy as np

from unrolled.errors import DataError, message


def numbers(scores: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return scores as float64, (T,).

    Raises:
        DataError: a score that is NaN or infinite; the message names its row.

    Example:
        >>> numbers([1, 2]).tolist()
        [1.0, 2.0]
    """
    values = np.asarray(scores, dtype=np.float64)
    odd = np.flatnonzero(~np.isfinite(values))
    if len(odd):
        row = int(odd[0])
        raise DataError(message("scores", expected="a number in every row", received=f"{values[row]} in row {row}"))
    return values


def scored_rows(
    scores: Sequence[float] | np.ndarray, truth: Sequence[bool] | np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and marks as arrays, (T,) each.

    Raises:
        DataError: a score that is no number, not one mark per score, no labelled row, or no unlabelled row.
    """
    values, marks = numbers(scores), np.asarray(truth, dtype=bool)
    if len(values) != len(marks) or not marks.any() or marks.all():
        raise DataError(
            message(
                "truth",
                expected=f"labelled and other rows, {len(values)} in all",
                received=f"{int(marks.sum())} labelled of {len(marks)}",
            )
        )
    return values, marks
