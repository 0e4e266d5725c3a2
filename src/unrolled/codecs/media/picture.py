"""Pictures: one picture per record, as a square of bytes."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Self

import numpy as np
import torch

from unrolled.codecs.base import Codec, Record, Spec
from unrolled.codecs.media.pixels import Canvas, is_above_one, learn_standard, numbers_of, read_picture
from unrolled.codecs.values import bad_value, nothing_to_learn, value_of, values_of
from unrolled.data.file_access import Opening, UnreadableError
from unrolled.pauses import paused
from unrolled.ragged import Ragged

LEARN_FROM = 1000  # pictures used for the mean and deviation of the channels


class Pictures(Codec):
    """A codec of a column of pictures, each converted to (C, S, S) bytes; a convolutional network reads them.

    Proportions are kept; white fills the rest of the square and transparent parts; see
    `unrolled.codecs.media.pixels.read_picture`. Pictures of more than 64 million pixels are refused before they are
    decoded. A missing picture is refused.

    Args:
        column: paths of PNG, JPEG, GIF, WebP, BMP or TIFF files, PIL images, or arrays (H, W) or (H, W, C).
        size: pixels per side, S.
        channels: 3 for colour, 1 for grey, C.
        folder: folder that relative paths are looked up in before the current directory.
        embedding_size: width of the vector that a network computes from a picture.

    Attributes:
        mean_: mean of each channel in the first 1,000 pictures, 0 to 255, (C,).
        std_: their deviation, at least 1, (C,).
        whole_: whether pictures given as lists held whole numbers 0 to 255; so it is where there were none.

    Raises:
        DataError: a picture that is missing, damaged or too large; the message names its record and file.

    Example:
        >>> shades = [{"file": np.full((4, 4), grey, dtype=np.uint8)} for grey in (0, 200)]
        >>> codec = Pictures("file", size=2, channels=1).fit(shades)
        >>> codec.mean_, codec.std_, codec.encode(shades).values.flatten(1).tolist()
        ([100.0], [100.0], [[0, 0, 0, 0], [200, 200, 200, 200]])
    """

    name = "pictures"
    media = True
    opens_files = True
    mean_: list[float]
    std_: list[float]
    whole_: bool = True  # also in a codec saved by an earlier version

    def __init__(
        self, column: str, size: int = 64, channels: int = 3, folder: str = "", embedding_size: int = 128
    ) -> None:
        self.column = column
        self.size = size
        self.channels = channels
        self.folder = folder
        self.embedding_size = embedding_size
        self.allow_files(True)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def spec(self) -> Spec:
        self._require_fit()
        shape = Canvas(self.size, self.channels).shape
        scaling = tuple(zip(self.mean_, self.std_, strict=True))
        return Spec("picture", int(np.prod(shape)), self.embedding_size, False, shape=shape, scaling=scaling)

    def fit(self, records: Iterable[Record]) -> Self:
        canvas = Canvas(self.size, self.channels)
        first = list(islice(records, LEARN_FROM))
        if not first:
            raise nothing_to_learn(self.columns)
        lists = [value for record in first if isinstance(value := value_of(record, self.column), list)]
        self._learn(whole_=not lists or any(_is_above_one(one) for one in lists))
        pictures = (self._read(value_of(record, self.column), canvas, row) for row, record in enumerate(first))
        mean, spread = learn_standard(pictures, self.channels)
        return self._learn(mean_=mean, std_=spread)

    def encode(self, records: Sequence[Record]) -> Ragged:
        self._require_fit()
        canvas = Canvas(self.size, self.channels)
        pixels = np.empty((len(records), *canvas.shape), dtype=np.uint8)  # (B, C, S, S)
        for row, value in enumerate(paused(values_of(records, self.column))):
            pixels[row] = self._read(value, canvas, row)
        return Ragged(torch.from_numpy(pixels), torch.ones(len(records), dtype=torch.int64))

    def decode(self, encoded: Ragged) -> list[np.ndarray]:
        """Return the squares as arrays: (S, S, 3) uint8, or (S, S) if they are grey."""
        self._require_fit()
        return [as_pixels(picture[0]) for picture in encoded]

    def _read(self, value: Any, canvas: Canvas, row: int) -> np.ndarray:
        if value is None:
            raise bad_value(self.column, row, "a picture", "nothing", "leave the record out")
        try:
            return read_picture(value, canvas, Opening(self.may_open, self.folder), self.whole_)
        except UnreadableError as fault:
            raise bad_value(self.column, row, fault.expected, fault.received, fault.remedy) from fault


def _is_above_one(value: list[Any]) -> bool:
    """Return whether a picture given as a list has a number above 1; its faults are told when it is read."""
    try:
        pixels = numbers_of(value)
    except UnreadableError:
        return False
    return pixels.dtype.kind in "buif" and is_above_one(pixels)


def as_pixels(pictures: torch.Tensor) -> np.ndarray:
    """Return encoded pictures in the usual layout: (..., C, S, S) to (..., S, S, 3), or (..., S, S) for grey."""
    pixels = pictures.numpy(force=True)
    return pixels[..., 0, :, :] if pixels.shape[-3] == 1 else np.moveaxis(pixels, -3, -1)
