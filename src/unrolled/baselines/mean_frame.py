"""The baseline of films: the average picture of their frames, without their order."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from unrolled.baselines.classification import LinearBaseline
from unrolled.baselines.steps import Columns, Steps
from unrolled.baselines.values import Example, films
from unrolled.state_forms import Array, FixedParts, Whole

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
        return self._standardised(_rows(inputs))

    def _standardised(self, rows: np.ndarray) -> np.ndarray:
        return np.nan_to_num((rows - self.mean_) / self.scale_)

    def steps(self, columns: Columns) -> Steps:
        return FrameSteps(columns, len(self.mean_))

    def _values(self, features: np.ndarray) -> tuple[np.ndarray, None]:
        return self._standardised(features), None


class FrameSteps(Steps):
    """The number of frames of every growing film, and their mean as `_mean_frame` shrinks it.

    Args:
        columns: of the records.
        size: maximum numbers of a mean frame.
    """

    def __init__(self, columns: Columns, size: int) -> None:
        self._columns = columns
        self.initial = tuple((0, np.zeros(0)) for _ in columns.lists)
        self.form = FixedParts(*(FixedParts(Whole(), Array(["float64"], (None,), most=size)) for _ in columns.lists))

    def step(self, piece: Example, state: Any) -> Any:
        return tuple(self._add(films({name: piece[name]}), *one) for name, one in self._pairs(state))

    def _pairs(self, state: Any) -> Any:
        return zip(self._columns.lists, state, strict=True)

    def _add(self, added: list[np.ndarray], count: int, mean: np.ndarray) -> tuple[int, np.ndarray]:
        if not added or not len(added[0]):
            return count, mean
        (film,) = added
        total = count + len(film)
        new = _mean_frame(film).ravel()
        return total, new if not count else mean + (new - mean) * (len(film) / total)

    def read(self, piece: Example, state: Any) -> np.ndarray:
        known = {name: mean for name, (count, mean) in self._pairs(state) if count}
        parts = [known[name] if name in known else _row({name: piece[name]}) for name in self._columns.names]
        return np.concatenate(parts)


def _rows(inputs: Sequence[Example]) -> np.ndarray:
    """Return the mean frames of every record in one row, NaN without a frame: (M, D)."""
    return np.stack([_row(example) for example in inputs])


def _row(example: Example) -> np.ndarray:
    return np.concatenate([np.zeros(0), *(_mean_frame(film).ravel() for film in films(example))])


def _mean_frame(film: np.ndarray) -> np.ndarray:
    """Return the mean frame over blocks of pixels, the last ones smaller: (T, C, S, S) to (C, s, s), s <= SIDE."""
    frame = film.sum(0, dtype=np.float64) / len(film) if len(film) else np.full(film.shape[1:], np.nan)  # (C, S, S)
    side = film.shape[2]
    edges = np.arange(0, side, -(-side // SIDE))
    sizes = np.diff([*edges, side])
    blocks = np.add.reduceat(np.add.reduceat(frame, edges, axis=1), edges, axis=2)  # (C, s, s)
    return blocks / np.outer(sizes, sizes)
