"""Records of the attention of a model that generates text."""

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, eq=False)
class Alignment:
    """The attention of each piece of an answer.

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
        """Convert the alignment to plain values."""
        return {
            "read": list(self.read),
            "written": list(self.written),
            "weights": self.weights.tolist(),
            "grid": list(self.grid),
        }


@dataclass(frozen=True, eq=False)
class Working:
    """One record, its generated answer, and the attention of each piece of the answer.

    Args:
        row: index of the record.
        read: the source text; empty where the source is no text.
        answer: the generated text.
        true: the true text; empty where the data has none.
        alignment: the attention; None for a model without attention.
        picture: the source picture, (S, S) or (S, S, 3) bytes; None where the source is no picture.
    """

    row: int
    read: str
    answer: str
    true: str
    alignment: Alignment | None
    picture: np.ndarray | None = None

    def to_json(self) -> dict[str, Any]:
        """Convert the record to plain values, without the picture."""
        looked = None if self.alignment is None else self.alignment.to_json()
        return {"row": self.row, "read": self.read, "answer": self.answer, "true": self.true, "alignment": looked}
