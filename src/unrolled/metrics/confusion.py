"""The confusion matrix of a classifier."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from unrolled.errors import DataError, message
from unrolled.metrics.scores import IGNORED, answered

MOST_CLASSES = 20  # maximum number of classes in a table or a picture
LONGEST = 30  # characters of a name in a table
WORST = 10  # pairs that are listed where there are more classes


@dataclass(frozen=True, eq=False)
class Confusion:
    r"""A confusion matrix: counts of predicted classes for each true class.

    Printed, it is a table for up to 20 classes, with numbered rows and columns; for more classes it is a list of the
    most confused pairs.

    Args:
        classes: their names, V.
        counts: one row per true class, one column per prediction, (V, V).

    Example:
        >>> print(Confusion(("cat", "dog"), np.array([[3, 1], [0, 5]])))
        true \ answered  1  2  recall
        1 cat            3  1   75.0%
        2 dog            0  5  100.0%
    """

    classes: tuple[str, ...]
    counts: np.ndarray

    @property
    def recall(self) -> np.ndarray:
        """Recall of each class, NaN for a class that does not occur: (V,)."""
        total = self.counts.sum(1)
        return np.where(total > 0, self.counts.diagonal() / np.maximum(total, 1), np.nan)

    def worst(self, most: int = WORST) -> list[tuple[str, str, int]]:
        """List the most confused pairs: true class, prediction, and count; only pairs that occur."""
        wrong = self.counts * (1 - np.eye(len(self.classes), dtype=np.int64))
        places = np.argsort(-wrong, axis=None, kind="stable")[:most]
        rows, columns = np.unravel_index(places, wrong.shape)
        pairs = zip(rows.tolist(), columns.tolist(), strict=True)
        return [(self.classes[r], self.classes[c], int(wrong[r, c])) for r, c in pairs if wrong[r, c]]

    def __str__(self) -> str:
        if len(self.classes) > MOST_CLASSES:
            pairs = [f"{count:,} x {true} taken for {said}" for true, said, count in self.worst()]
            return "\n".join(pairs or ["nothing was taken for anything else"])
        names = [f"{place} {one_line(name)}" for place, name in enumerate(self.classes, 1)]
        corner = "true \\ answered"
        first = max(map(len, [corner, *names]))
        wide = max((len(str(count)) for count in [len(names), *self.counts.flat]), default=1)
        numbers = "".join(f"  {place:>{wide}}" for place in range(1, len(names) + 1))
        lines = [f"{corner:<{first}}{numbers}  recall"]
        for name, row, share in zip(names, self.counts, self.recall, strict=True):
            cells = "".join(f"  {count:>{wide}}" for count in row)
            lines.append(f"{name:<{first}}{cells}  {'-' if np.isnan(share) else f'{share:.1%}':>6}")
        return "\n".join(lines)

    def to_json(self) -> dict[str, Any]:
        """Convert the matrix to plain values."""
        return {"classes": list(self.classes), "counts": self.counts.tolist()}


def confusion(
    truth: Sequence[int] | np.ndarray, guess: Sequence[int] | np.ndarray, classes: Sequence[Any]
) -> Confusion:
    """Count the predicted classes for each true class.

    Args:
        truth: class indices, (B,); `IGNORED` ones are skipped.
        guess: the answers, (B,).
        classes: names in the order of the indices, V.

    Raises:
        DataError: not one answer per label, an answer that is no number, or an index without a class.

    Reference program: scikit-learn's `confusion_matrix`.

    Example:
        >>> confusion([0, 0, 1], [0, 1, 1], ["no", "yes"]).counts.tolist()
        [[1, 1], [0, 1]]
    """
    true, said, size = np.asarray(truth, dtype=np.int64), answered(guess).astype(np.int64), len(classes)
    if true.shape != said.shape or true.ndim != 1:
        raise DataError(message("guess", expected=f"{true.size} class indices", received=f"shape {said.shape}"))
    true, said = true[true != IGNORED], said[true != IGNORED]
    for name, indices in (("truth", true), ("guess", said)):
        if indices.size and not 0 <= indices.min() <= indices.max() < size:
            wrong = indices[(indices < 0) | (indices >= size)][0]
            raise DataError(message(name, expected=f"class indices below {size}", received=int(wrong)))
    counts = np.bincount(true * size + said, minlength=size * size).reshape(size, size)
    return Confusion(tuple(map(str, classes)), counts)


def one_line(name: str) -> str:
    """Shorten a name to one line of limited length."""
    name = " ".join(name.split())
    return name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…"
