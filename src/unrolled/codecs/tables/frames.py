"""Frames: one vector per time step, such as a piano roll, a spectrogram or a small picture."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Self

import numpy as np
import torch

from unrolled.codecs.base import Codec, Record, Spec
from unrolled.codecs.tables.scaling import check_scaling, learn_scaling, refuse_infinite, scale, to_float32, to_numbers
from unrolled.codecs.values import bad_value, chunks, nothing_to_learn, values_of
from unrolled.forms import equal_rows
from unrolled.ragged import Ragged

AUTO = "auto"


class Frames(Codec):
    """A codec of a column of lists of vectors, (T, F) in every record; F is learnt in `fit`.

    Args:
        column: lists of equally long lists of numbers, or arrays (T, F).
        scaling: "standard" (mean and deviation), "robust" (median and interquartile range) or "none", separately for
            each of the F features; "auto" is "standard" for all but switches, which stay 0 and 1.
        single: every record holds one vector, (F,), for the whole record, instead of one per step.

    Attributes:
        binary_: True when every number in `fit` was 0 or 1, as in a piano roll.
        switches_: the features whose known numbers were all 0 or 1, such as whether a pen is lifted.

    Example:
        >>> codec = Frames("roll").fit([{"roll": [[0, 1], [1, 1], [0, 0]]}])
        >>> codec.spec.size, codec.binary_
        (2, True)
    """

    name = "frames"
    opens_files = False
    scaling_: Annotated[list[list[float]], equal_rows]  # centre and scale, (2, F)
    binary_: bool
    switches_: Sequence[int] = ()  # the value in a codec saved by an earlier version

    def __init__(self, column: str, scaling: str = "auto", single: bool = False) -> None:
        self.column = column
        self.scaling = scaling
        self.single = single

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def spec(self) -> Spec:
        self._require_fit()
        return Spec("vector", len(self.scaling_[0]), per_step=not self.single)

    def fit(self, records: Iterable[Record]) -> Self:
        scaling = "standard" if self.scaling == AUTO else self.scaling
        check_scaling(self.scaling, AUTO)
        width: int | None = None
        binary = True
        two_valued: Any = True  # (F,) features without another number than 0 and 1
        seen: Any = False  # (F,) features with a number
        kept: list[np.ndarray] = []
        for start, chunk in chunks(records):
            frames, _, width = self._read(chunk, start, width)
            two = (frames == 0) | (frames == 1)  # (N, F)
            binary = binary and bool(two.all())
            if len(frames):
                two_valued, seen = two_valued & (two | np.isnan(frames)).all(0), seen | two.any(0)
            if scaling != "none" and len(frames):
                kept.append(frames)
        if width is None:
            raise nothing_to_learn(self.columns)
        everything = np.concatenate([*kept, np.empty((0, width))])  # (N, F)
        switches = np.flatnonzero(two_valued & seen).tolist()
        statistics = learn_scaling(everything, scaling).tolist()
        self._learn(scaling_=statistics, binary_=binary, switches_=switches)
        return self.leave(switches) if self.scaling == AUTO else self

    def leave(self, features: Sequence[int]) -> Self:
        """Leave some features unscaled from now on."""
        statistics = self._statistics()
        statistics[:, list(features)] = [[0.0], [1.0]]
        return self._learn(scaling_=statistics.tolist())

    def encode(self, records: Sequence[Record]) -> Ragged:
        return self.observe(records).map(lambda frames: frames.nan_to_num(nan=0.0))

    def observe(self, records: Sequence[Record]) -> Ragged:
        """Encode records like `encode`, but keep missing values as NaN."""
        self._require_fit()
        frames, lengths, _ = self._read(records, 0, len(self.scaling_[0]))
        scaled = to_float32(scale(frames, *self._statistics()), self.columns, lengths)
        self._count(missing=np.isnan(frames).sum())
        self._tell(lengths, missing=int(np.isnan(frames).sum()), values=frames.size)
        return Ragged(torch.from_numpy(scaled), torch.from_numpy(lengths))

    def decode(self, encoded: Ragged) -> list[Any]:
        self._require_fit()
        centre, spread = self._statistics()
        rows = [(frames.numpy(force=True).astype(np.float64) * spread + centre).tolist() for frames in encoded]
        return [row[0] for row in rows] if self.single else rows

    def _statistics(self) -> np.ndarray:
        return np.array(self.scaling_, dtype=np.float64)  # (2, F)

    def _read(
        self, records: Sequence[Record], start: int, width: int | None
    ) -> tuple[np.ndarray, np.ndarray, int | None]:
        """Return all frames end to end (N, F), lengths (B,), and the width once it is known."""
        arrays: list[np.ndarray] = []
        for row, value in enumerate(values_of(records, self.column), start):
            frames = self._frames(value, row)
            if len(frames):
                width = frames.shape[1] if width is None else width
                if frames.shape[1] != width:
                    raise bad_value(self.column, row, f"{width} numbers in every step", str(frames.shape[1]))
            arrays.append(frames)
        lengths = np.array([len(frames) for frames in arrays], dtype=np.int64)
        filled = [frames for frames in arrays if len(frames)]
        joined = np.concatenate(filled) if filled else np.empty((0, width or 0))  # (N, F)
        refuse_infinite(joined, self.columns, lengths, start)
        return joined, lengths, width

    def _frames(self, value: Any, row: int) -> np.ndarray:
        if self.single:
            vector = None if value is None else to_numbers(value)
            if vector is None or vector.ndim != 1 or not len(vector):
                raise bad_value(
                    self.column, row, "a list of numbers", "nothing" if value is None else _kind(value, vector)
                )
            return vector[None]
        if value is None or (hasattr(value, "__len__") and len(value) == 0):
            return np.empty((0, 0))
        frames = to_numbers(value)
        if frames is None or frames.ndim != 2:
            remedy = "every step needs equally many numbers; use Numbers for one number per step"
            raise bad_value(self.column, row, "a list of equally long lists of numbers", _kind(value, frames), remedy)
        return frames


def _kind(value: Any, frames: np.ndarray | None) -> str:
    if frames is not None:
        return f"shape {frames.shape}"
    lengths = {len(step) for step in value if hasattr(step, "__len__")} if hasattr(value, "__iter__") else set()
    return f"steps of {sorted(lengths)} numbers" if len(lengths) > 1 else type(value).__name__
