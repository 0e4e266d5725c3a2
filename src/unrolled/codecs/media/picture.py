"""Pictures: one picture per record, as a square of bytes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch

from unrolled.codecs.base import Codec, Record, Spec
from unrolled.codecs.media.pixels import Canvas, learn_standard, read_picture
from unrolled.codecs.values import bad_value, nothing_to_learn, value_of, values_of
from unrolled.data.file_access import Opening, UnreadableError
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
        seen = 0

        def first() -> Iterator[np.ndarray]:
            nonlocal seen
            for row, record in enumerate(records):
                seen += 1
                if row < LEARN_FROM:
                    yield self._read(value_of(record, self.column), canvas, row)

        mean, spread = learn_standard(first(), self.channels)
        if not seen:
            raise nothing_to_learn(self.columns)
        return self._learn(mean_=mean, std_=spread)

    def encode(self, records: Sequence[Record]) -> Ragged:
        self._require_fit()
        canvas = Canvas(self.size, self.channels)
        pixels = np.empty((len(records), *canvas.shape), dtype=np.uint8)  # (B, C, S, S)
        for row, value in enumerate(values_of(records, self.column)):
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
            return read_picture(value, canvas, Opening(self.may_open, self.folder))
        except UnreadableError as fault:
            raise bad_value(self.column, row, fault.expected, fault.received, fault.remedy) from fault


def as_pixels(pictures: torch.Tensor) -> np.ndarray:
    """Return encoded pictures in the usual layout: (..., C, S, S) to (..., S, S, 3), or (..., S, S) for grey."""
    pixels = pictures.numpy(force=True)
    return pixels[..., 0, :, :] if pixels.shape[-3] == 1 else np.moveaxis(pixels, -3, -1)
