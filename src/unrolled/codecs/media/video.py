"""Video: one film per record, as a sequence of squares of bytes."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

import numpy as np
import torch

from unrolled.codecs.base import Codec, Record, Spec
from unrolled.codecs.media.film import FrameChoice, read_film
from unrolled.codecs.media.picture import as_pixels
from unrolled.codecs.media.pixels import Canvas, learn_standard
from unrolled.codecs.values import bad_value, nothing_to_learn, value_of, values_of
from unrolled.data.file_access import Opening, UnreadableError
from unrolled.errors import OptionError, message
from unrolled.pauses import paused
from unrolled.ragged import Ragged

LEARN_FROM = 200  # films used for the mean and deviation of the channels


class Video(Codec):
    """A codec of a column of films, each frame converted to (C, S, S) bytes; a convolutional network reads every frame.

    A film is read frame by frame and only up to its last chosen frame, so that a long one needs no more memory than
    `max_frames` squares. Frames become squares as in `unrolled.codecs.media.pixels.read_picture`. A missing film is a
    sequence without a step.

    Args:
        column: paths of films (MP4, MOV, AVI, MKV, WebM, MPEG), of animated GIF, WebP or PNG files, or of folders of
            pictures in the order of their names; lists of paths or PIL images; or arrays (T, H, W) or (T, H, W, C).
        size: pixels per side, S.
        channels: 3 for colour, 1 for grey, C.
        every: read every n-th frame.
        frames_per_second: instead of `every`, for files with frame times: maximum number of frames per second.
        max_frames: maximum number of frames, from the start of the film.
        folder: folder that relative paths are looked up in before the current directory.
        embedding_size: width of the vector that a network computes from a frame.

    Attributes:
        mean_: mean of each channel in the first 200 films, 0 to 255, (C,).
        std_: their deviation, at least 1, (C,).

    Raises:
        DataError: a film that is missing, damaged or too large; the message names its record and file.

    Example:
        >>> clips = [{"clip": np.zeros((5, 8, 8), dtype=np.uint8)}, {"clip": np.ones((2, 8, 8))}]
        >>> Video("clip", size=4, channels=1, every=2).fit(clips).encode(clips)
        Ragged(B=2, N=4, T=3, feature=(1, 4, 4), dtype=torch.uint8)
    """

    name = "video"
    media = True
    opens_files = True
    mean_: list[float]
    std_: list[float]

    def __init__(
        self,
        column: str,
        size: int = 32,
        channels: int = 3,
        every: int = 1,
        frames_per_second: float | None = None,
        max_frames: int = 64,
        folder: str = "",
        embedding_size: int = 64,
    ) -> None:
        self.column = column
        self.size = size
        self.channels = channels
        self.every = every
        self.frames_per_second = frames_per_second
        self.max_frames = max_frames
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
        return Spec("picture", int(np.prod(shape)), self.embedding_size, shape=shape, scaling=scaling)

    def fit(self, records: Iterable[Record]) -> Self:
        self._check()
        frames = 0

        def first() -> Iterator[np.ndarray]:
            nonlocal frames
            for row, record in enumerate(records):
                if row < LEARN_FROM or not frames:
                    film = self._read(value_of(record, self.column), row)
                    frames += len(film)
                    yield film

        mean, spread = learn_standard(first(), self.channels)
        if not frames:
            raise nothing_to_learn(self.columns, "at least one film with a frame")
        return self._learn(mean_=mean, std_=spread)

    def encode(self, records: Sequence[Record]) -> Ragged:
        self._require_fit()
        films = [self._read(value, row) for row, value in enumerate(paused(values_of(records, self.column)))]
        lengths = [len(film) for film in films]
        self._tell(np.array(lengths, dtype=np.int64))
        films.append(np.empty((0, *Canvas(self.size, self.channels).shape), dtype=np.uint8))
        return Ragged(torch.from_numpy(np.concatenate(films)), torch.tensor(lengths, dtype=torch.int64))

    def decode(self, encoded: Ragged) -> list[np.ndarray]:
        """Return the frames as arrays: (T, S, S, 3) uint8, or (T, S, S) if they are grey."""
        self._require_fit()
        return [as_pixels(film) for film in encoded]

    def _read(self, value: Any, row: int) -> np.ndarray:
        pace = FrameChoice(self.every, self.frames_per_second, self.max_frames)
        try:
            return read_film(value, Canvas(self.size, self.channels), pace, Opening(self.may_open, self.folder))
        except UnreadableError as fault:
            raise bad_value(self.column, row, fault.expected, fault.received, fault.remedy) from fault

    def _check(self) -> None:
        Canvas(self.size, self.channels)
        for name, value in (("every", self.every), ("max_frames", self.max_frames)):
            if value < 1:
                raise OptionError(message(name, expected="an integer >= 1", received=value))
        if self.frames_per_second is not None:
            if not self.frames_per_second > 0:
                raise OptionError(
                    message("frames_per_second", expected="a number > 0", received=self.frames_per_second)
                )
            if self.every != 1:
                raise OptionError(message("frames_per_second", expected="this or every", received="both"))
