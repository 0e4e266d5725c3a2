"""The records of where a writing model looked."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Alignment:
    """Where each piece of an answer looked.

    Args:
        read: the pieces of the source; empty for a picture.
        written: the pieces of the answer.
        weights: the attention of each piece of the answer on each place of the source, (T, S); rows sum to 1.
        grid: rows and columns of places of a picture, (0, 0) for a text.
    """

    read: tuple[str, ...]
    written: tuple[str, ...]
    weights: np.ndarray
    grid: tuple[int, int] = (0, 0)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "read": list(self.read),
            "written": list(self.written),
            "weights": self.weights.tolist(),
            "grid": list(self.grid),
        }


@dataclass(frozen=True, eq=False)
class Working:
    """One record, the answer to it, and where each piece of the answer looked.

    Args:
        row: which record.
        read: what was read, as a text; empty where it was none.
        answer: the text written.
        true: the right one; empty where the data has none.
        alignment: where each piece looked; None for a model without attention.
        picture: what was looked at, (S, S) or (S, S, 3) bytes; None where it was no picture.
    """

    row: int
    read: str
    answer: str
    true: str
    alignment: Alignment | None
    picture: np.ndarray | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values, without the picture."""
        looked = None if self.alignment is None else self.alignment.to_json()
        return {"row": self.row, "read": self.read, "answer": self.answer, "true": self.true, "alignment": looked}
