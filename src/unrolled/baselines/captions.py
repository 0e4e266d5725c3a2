"""The baseline of captions: the caption of the most similar picture of the training data."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Self

import numpy as np

from unrolled.baselines.base import Baseline, partly, sample
from unrolled.baselines.translation import most_frequent
from unrolled.errors import DataError, message

SIDE = 16  # pixels per side of a shrunk picture
MAX_WIDTH = 4096  # numbers per shrunk picture; a picture with many channels is shrunk further
MAX_ROWS = 50_000  # pictures that are searched, so that memory and time are bounded
MAX_NUMBERS = 10_000_000  # numbers of all pictures that are searched
LARGEST = 100.0  # numbers are clipped to this many standard deviations
TOGETHER = 256  # queries per block


class NearestPicture(Baseline):
    """The caption of the most similar training picture, by the cosine of shrunk and standardised numbers.

    Pictures (C, H, W) and maps (H, W) are shrunk to at most 16 x 16, each number the mean of an area; vectors (D,) stay
    unchanged. A picture that occurs several times answers with its most frequent caption.

    Example:
        >>> dark, light = np.zeros((3, 8, 8), np.uint8), np.full((3, 8, 8), 250, np.uint8)
        >>> NearestPicture().fit([dark, light], ["night", "day"]).predict([light - 9, dark + 9])
        ['day', 'night']
    """

    key = "nearest_picture"
    name = "caption of the most similar picture"

    def fit(self, inputs: Sequence[np.ndarray], targets: Sequence[str]) -> Self:
        self.shape_ = _shrunk_shape(inputs)
        width = int(np.prod(self.shape_))
        rows = sample([max(width, MAX_NUMBERS // MAX_ROWS)] * len(inputs), MAX_NUMBERS)
        self.name = partly(type(self).name, len(rows), len(inputs), "pictures")
        known: dict[bytes, list[str]] = defaultdict(list)
        for row in rows:
            known[self._shrink(inputs[row]).tobytes()].append(targets[row])
        order = sorted(known)  # equally similar ones are ordered independently of the data's order
        self.captions_ = [most_frequent(known[picture]) for picture in order]
        self.otherwise_ = most_frequent(targets[row] for row in rows)
        values = np.frombuffer(b"".join(order), dtype=np.float32).reshape(len(order), width)  # (K, D)
        self.mean_ = values.mean(0, dtype=np.float64) if len(order) else np.zeros(width)
        spread = values.std(0, dtype=np.float64) if len(order) else np.ones(width)
        self.scale_ = np.where(spread > 0, spread, 1.0)
        self.pictures_ = self._standard(values).astype(np.float16)  # (K, D) of length 1 each
        return self

    def predict(self, inputs: Sequence[np.ndarray]) -> list[str]:
        if not self.captions_:
            return [self.otherwise_] * len(inputs)
        known = self.pictures_.astype(np.float32)
        answers: list[str] = []
        for start in range(0, len(inputs), TOGETHER):
            asked = np.stack([self._shrink(picture) for picture in inputs[start : start + TOGETHER]])  # (M, D)
            best = (known @ self._standard(asked).T).argmax(0)
            answers += [self.captions_[row] for row in best]
        return answers

    def _shrink(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture as a row of numbers, (D,); non-finite numbers become 0."""
        values = np.nan_to_num(_upright(picture).astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        if values.ndim != len(self.shape_):
            raise DataError(message("picture", expected="axes as in training", received=picture.shape))
        if len(values) != self.shape_[0]:
            what = "channels" if len(self.shape_) > 1 else "numbers"
            raise DataError(message("picture", expected=f"{self.shape_[0]} {what}", received=len(values)))
        if values.ndim > 1:
            high, wide = (_areas(*sides) for sides in zip(values.shape[1:], self.shape_[1:], strict=True))
            values = high @ values @ wide.T
        return values.astype(np.float32).ravel() + np.float32(0)  # no -0, which has other bytes than 0

    def _standard(self, values: np.ndarray) -> np.ndarray:
        """Return rows of length 1, or of zeros for a picture that equals the mean of all: (M, D)."""
        rows = np.clip((values - self.mean_) / self.scale_, -LARGEST, LARGEST)
        length = np.linalg.norm(rows, axis=1, keepdims=True)
        return (rows / np.where(length > 0, length, 1.0)).astype(np.float32)

    def state(self) -> dict[str, Any]:
        plain = {"name": self.name, "shape": self.shape_, "captions": self.captions_}
        arrays = {"mean": self.mean_, "scale": self.scale_, "pictures": self.pictures_}
        return {**plain, "otherwise": self.otherwise_, **arrays}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        baseline = cls()
        baseline.name, baseline.shape_ = state["name"], list(state["shape"])
        baseline.captions_, baseline.otherwise_ = list(state["captions"]), state["otherwise"]
        baseline.mean_, baseline.scale_ = np.asarray(state["mean"]), np.asarray(state["scale"])
        baseline.pictures_ = np.asarray(state["pictures"])
        return baseline


def _upright(picture: np.ndarray) -> np.ndarray:
    """Return a picture as (D,) or (C, H, W); a map (H, W) gets one channel.

    Raises:
        DataError: other axes.
    """
    if picture.ndim not in (1, 2, 3):
        raise DataError(message("picture", expected="axes (C, H, W), (H, W) or (D,)", received=picture.shape))
    return picture[None] if picture.ndim == 2 else picture


def _shrunk_shape(pictures: Sequence[np.ndarray]) -> list[int]:
    """Return the shape that every picture is shrunk to: (D,), or (C, h, w), small enough for the largest picture."""
    shapes = [_upright(picture).shape for picture in pictures] or [(0,)]
    channels = max(shape[0] for shape in shapes)
    if len(shapes[0]) == 1:
        return [channels]
    side = max(1, min(SIDE, int((MAX_WIDTH / max(channels, 1)) ** 0.5)))
    high, wide = (max(shape[axis] for shape in shapes if len(shape) > 1) for axis in (1, 2))
    return [channels, min(side, high), min(side, wide)]


@cache
def _areas(size: int, shrunk: int) -> np.ndarray:
    """Return the weight of each pixel in the mean of each of the equal areas along a side: (shrunk, size)."""
    if not size:
        return np.zeros((shrunk, 0), dtype=np.float32)
    edges = np.arange(shrunk + 1) * size / shrunk
    starts, stops = edges[:-1, None], edges[1:, None]
    pixels = np.arange(size)
    shares = np.clip(np.minimum(stops, pixels + 1) - np.maximum(starts, pixels), 0, None)
    return (shares * shrunk / size).astype(np.float32)
