"""Audio: recordings as mel spectrograms, one vector per few hundredths of a second."""

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from unrolled.codecs.base import Codec, Record, Spec
from unrolled.codecs.media.spectrum import log_mel, stack_frames
from unrolled.codecs.values import chunks, nothing_to_learn, value_of
from unrolled.data.file_access import Opening
from unrolled.data.sound import read_sound
from unrolled.errors import OptionError, message
from unrolled.pauses import paused
from unrolled.ragged import Ragged
from unrolled.reading_report import note


class Audio(Codec):
    """A codec of a column of recordings, for example of speakers, words or birds.

    Each recording is mixed to mono at `sample_rate` and becomes a logarithmic mel spectrogram, 100 frames per second
    (see `unrolled.codecs.media.spectrum.log_mel`), each band is standardised by its mean and deviation in `fit`, then
    `stack` neighbouring frames become one step. While a network trains, its input layer masks stretches of time and
    bands of pitch at random (see `unrolled.nn.augment.Masking`).

    Args:
        column: paths of files (wav, flac, ogg, mp3, aiff, ...), as seen from the table that names them
            or from the working directory; or samples, see `unrolled.data.sound.read_sound`.
        sample_rate: samples per second after conversion; arrays are assumed to have this rate.
        num_mels: bands of pitch, F.
        stack: frames per step, K: more make shorter sequences of wider vectors.
        max_seconds: maximum length of a recording; the rest is cut off, and counted in `report`.
        augment: how strongly training masks and disturbs the spectrogram; 0 = not at all.

    Attributes:
        mean_: mean of each band, (F,).
        std_: standard deviation of each band, (F,).

    Raises:
        DataError: a recording that cannot be read or holds NaN; the message names its record and file.

    Example:
        >>> tone = np.sin(np.arange(8000) / 5).tolist()
        >>> codec = Audio("clip", sample_rate=8000).fit([{"clip": tone}])
        >>> codec.encode([{"clip": tone}, {"clip": []}])
        Ragged(B=2, N=33, T=33, feature=(240,), dtype=torch.float32)
    """

    name = "audio"
    media = True
    opens_files = True
    mean_: list[float]
    std_: list[float]

    def __init__(
        self,
        column: str,
        sample_rate: int = 16000,
        num_mels: int = 80,
        stack: int = 3,
        max_seconds: float = 30.0,
        augment: float = 0.5,
    ) -> None:
        self.column = column
        self.sample_rate = sample_rate
        self.num_mels = num_mels
        self.stack = stack
        self.max_seconds = max_seconds
        self.augment = augment
        self.allow_files(True)

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    @property
    def spec(self) -> Spec:
        self._require_fit()
        shape = (self.stack, self.num_mels)
        return Spec("spectrum", self.stack * self.num_mels, shape=shape, augment=self.augment)

    def fit(self, records: Iterable[Record]) -> Self:
        self._check()
        moments = _Moments(self.num_mels)
        for start, chunk in chunks(records, 1):
            spectrum, _ = self._spectrum(value_of(chunk[0], self.column), start)
            moments.add(spectrum)
        if not moments.count:
            raise nothing_to_learn(self.columns)
        return self._learn(mean_=moments.mean.tolist(), std_=moments.deviation().tolist())

    def encode(self, records: Sequence[Record]) -> Ragged:
        self._require_fit()
        mean, spread = torch.tensor(self.mean_), torch.tensor(self.std_)  # (F,) each
        parts: list[Tensor] = []
        clipped = 0
        for row, record in enumerate(paused(records)):
            spectrum, cut = self._spectrum(value_of(record, self.column), row)
            parts.append(stack_frames((spectrum - mean) / spread, self.stack))  # (T, K * F)
            clipped += cut
        self._count(cut_off=clipped)
        lengths = torch.tensor([len(part) for part in parts], dtype=torch.int64)
        self._tell(lengths.numpy())
        if self._is_counted():
            note("recordings cut off", clipped, len(parts))
        return Ragged(torch.cat([torch.empty(0, self.stack * self.num_mels), *parts]), lengths)

    def decode(self, encoded: Ragged) -> list[np.ndarray]:
        """Return the spectrograms, each (T * stack, num_mels) natural logarithms of power; the sound itself is lost."""
        self._require_fit()
        mean, spread = np.array(self.mean_), np.array(self.std_)
        return [steps.numpy(force=True).reshape(-1, self.num_mels) * spread + mean for steps in encoded]

    def _spectrum(self, value: Any, row: int) -> tuple[Tensor, bool]:
        """Return frames (N, F), and whether the recording's end was cut off."""
        where = f"column {self.column!r}, record {row}"
        samples, cut = read_sound(value, self.sample_rate, self.max_seconds, where, Opening(self.may_open))
        return log_mel(torch.from_numpy(samples), self.sample_rate, self.num_mels), cut

    def _check(self) -> None:
        for name, least, most in (("sample_rate", 1000, 192_000), ("num_mels", 1, 512), ("stack", 1, 100)):
            value = getattr(self, name)
            if not isinstance(value, int) or not least <= value <= most:
                raise OptionError(message(name, expected=f"an integer from {least} to {most}", received=value))
        for name, least in (("max_seconds", 0.001), ("augment", 0)):
            if not getattr(self, name) >= least:
                raise OptionError(message(name, expected=f"a number >= {least}", received=getattr(self, name)))


class _Moments:
    """Running count, mean and deviation of every band, over one recording after another.

    Source: Chan, Golub and LeVeque 1979, Updating Formulae and a Pairwise Algorithm for Computing Sample Variances.
    """

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean = torch.zeros(size, dtype=torch.float64)  # (F,)
        self.squares = torch.zeros(size, dtype=torch.float64)  # of the distances from the mean, (F,)

    def add(self, values: Tensor) -> None:
        """Add frames, (N, F)."""
        if not len(values):
            return
        new = values.double()
        mean = new.mean(0)
        total = self.count + len(new)
        apart = mean - self.mean
        self.squares += ((new - mean) ** 2).sum(0) + apart**2 * (self.count * len(new) / total)
        self.mean += apart * (len(new) / total)
        self.count = total

    def deviation(self) -> Tensor:
        """Return the deviation of every band, (F,); 1 for a constant band."""
        spread = (self.squares / max(self.count, 1)).sqrt()
        return torch.where(spread > SMALLEST, spread, torch.ones_like(spread))


SMALLEST = 1e-3  # nepers: a band that varies less than this counts as constant
