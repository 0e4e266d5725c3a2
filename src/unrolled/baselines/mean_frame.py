"""The baseline of films: the average picture of their frames, without their order."""

from collections.abc import Sequence

import numpy as np

from unrolled.baselines.classification import LinearBaseline
from unrolled.baselines.values import Example, films

SIDE = 16  # pixels per side of a shrunk frame


class MeanFrame(LinearBaseline):
    """The mean of all frames, shrunk to at most 16 x 16 and standardised; then logistic regression.

    A film without a frame counts as the mean of all films.
    """

    key = "mean_frame"
    name = "mean frame + logistic regression"
    arrays = ("mean", "scale")
    features = ("mean",)

    def _learn(self, inputs: Sequence[Example]) -> None:
        rows = _rows(inputs)  # (M, D)
        known = ~np.isnan(rows)
        count = np.maximum(known.sum(0), 1)
        self.mean_ = np.where(known, rows, 0).sum(0) / count
        spread = np.sqrt((np.where(known, rows - self.mean_, 0) ** 2).sum(0) / count)
        self.scale_ = np.where(spread > 0, spread, 1.0)

    def _features(self, inputs: Sequence[Example]) -> np.ndarray:
        return np.nan_to_num((_rows(inputs) - self.mean_) / self.scale_).astype(np.float32)


def _rows(inputs: Sequence[Example]) -> np.ndarray:
    """Return the mean frames of every record in one row, NaN without a frame: (M, D)."""
    return np.stack([np.concatenate([_mean_frame(film).ravel() for film in films(example)]) for example in inputs])


def _mean_frame(film: np.ndarray) -> np.ndarray:
    """Return the mean frame over blocks of pixels, the last ones smaller: (T, C, S, S) to (C, s, s), s <= SIDE."""
    frame = film.sum(0, dtype=np.float64) / len(film) if len(film) else np.full(film.shape[1:], np.nan)  # (C, S, S)
    side = film.shape[2]
    edges = np.arange(0, side, -(-side // SIDE))
    sizes = np.diff([*edges, side])
    blocks = np.add.reduceat(np.add.reduceat(frame, edges, axis=1), edges, axis=2)  # (C, s, s)
    return blocks / np.outer(sizes, sizes)
