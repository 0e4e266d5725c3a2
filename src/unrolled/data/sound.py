"""Reading of recordings, from files or memory, as one channel at one rate. Every error names its recording."""

import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from unrolled.data.file_access import SHUT, Opening, UnreadableError
from unrolled.errors import DataError, UnsupportedError, message, reason

PAIR = 2  # samples and their rate
BLOCK = 1 << 16  # samples per channel and block
FASTEST = 10_000_000  # maximum samples per second
MAX_DIMENSIONS = 2  # time and channel
# the formats that libsndfile may read: it knows a dozen more that are no longer in use
FORMATS = ("WAV", "WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "AU", "CAF", "NIST")
READABLE = "a sound file (wav, flac, ogg, mp3, aiff, au or caf)"
MAX_CHANNELS = 32  # an array with more is probably transposed
INTEGER_RANGES = {"uint8": (128, 128), "int16": (0, 1 << 15), "int32": (0, 1 << 31)}  # values of silence and of 1.0


def read_sound(
    value: Any, sample_rate: int, max_seconds: float, where: str, opening: Opening = SHUT
) -> tuple[np.ndarray, bool]:
    """Return a recording as mono float32 samples, (T,), and whether its end was cut off.

    Channels are averaged. Other rates are resampled by soxr ("HQ"). Files are read by libsndfile, block by block, so
    that a long file is read only as far as it is used.

    Args:
        value: a path; samples (T,) or (T, channels) at `sample_rate`; or a pair of samples and their rate, also as a
            mapping with `array` and `sampling_rate`. Floats are within [-1, 1]; integers are scaled by the range of
            their type, plain whole numbers as 16-bit samples. None and "" are an empty recording.
        sample_rate: samples per second of the result.
        max_seconds: maximum length; the rest is left out.
        where: name of the recording in an error.
        opening: whether a path may be given; by default paths are refused.

    Raises:
        DataError: a file that is missing, damaged, no sound, or may not be named; samples that are no numbers, NaN or
            infinite.
        UnsupportedError: soundfile or soxr is needed and not installed.

    Example:
        >>> sound, cut = read_sound(([0, 16384, 0, -16384] * 4, 8000), 8000, 1.0, "record 0")
        >>> sound[:4].tolist(), cut
        ([0.0, 0.5, 0.0, -0.5], False)
    """
    if value is None or (isinstance(value, str) and not value):
        return np.zeros(0, dtype=np.float32), False
    if isinstance(value, str | Path):
        samples, rate, total = _read_file(value, max_seconds, where, opening)
        where = f"{where} ({value})"
    else:
        given, rate = _rated(value, sample_rate, where)
        whole = _array(given, where)  # (T, channels)
        samples, total = _mono(whole[: _most(rate, max_seconds)]), len(whole)
    if not np.isfinite(samples).all():
        raise DataError(message(where, expected="finite samples", received="NaN or infinity", remedy="leave it out"))
    return _resample(samples, rate, sample_rate), total > _most(rate, max_seconds)


def _most(rate: float, max_seconds: float) -> int:
    return max(1, round(rate * max_seconds))


def _read_file(name: str | Path, max_seconds: float, where: str, opening: Opening) -> tuple[np.ndarray, float, int]:
    """Return mono samples of a file, its rate, and the number of samples that it declares."""
    try:
        path = opening.locate(name)
        sf = _library("soundfile")
        with opening.open(path, "a sound file") as opened:
            if not path.stat().st_size:
                raise UnreadableError("a sound file", f"{path} (empty)")
            return _decoded(sf, opened, path, max_seconds)
    except UnreadableError as fault:
        raise DataError(
            message(where, expected=fault.expected, received=fault.received, remedy=fault.remedy)
        ) from fault


def _decoded(sf: Any, opened: BinaryIO, path: Path, max_seconds: float) -> tuple[np.ndarray, float, int]:
    """Return mono samples, rate and declared number of samples of an open file."""
    blocks: list[np.ndarray] = []
    try:
        with sf.SoundFile(opened) as file:
            if file.format not in FORMATS:
                raise UnreadableError(READABLE, f"{path} (of kind {file.format})", "convert it or leave it out")
            left = _most(file.samplerate, max_seconds)
            while left:
                block = file.read(min(BLOCK, left), dtype="float32", always_2d=True)  # (T, channels)
                blocks.append(_mono(block))
                if len(block) < min(BLOCK, left):
                    break
                left -= len(block)
            more = not left and len(file.read(1))  # a header's number of samples may be wrong
            rate, total = file.samplerate, sum(map(len, blocks)) + int(more)
    except (sf.SoundFileError, OSError, ValueError, TypeError) as fault:
        raise UnreadableError(
            READABLE, f"{path} ({reason(fault, 'of another kind, damaged or cut off')})", "convert it or leave it out"
        ) from fault
    return np.concatenate(blocks), rate, total


def _rated(value: Any, sample_rate: int, where: str) -> tuple[Any, float]:
    """Return samples and their rate."""
    given, rate = value, sample_rate
    if isinstance(value, Mapping):
        given, rate = value.get("array"), value.get("sampling_rate")
    elif isinstance(value, tuple | list) and len(value) == PAIR and _is_array(value[0]) and not _is_array(value[1]):
        given, rate = value
    if given is not None and isinstance(rate, int | float | np.number) and 1 <= rate <= FASTEST:
        return given, float(rate)
    shown = "a text for the rate" if isinstance(rate, str) else f"the rate {reprlib.repr(rate)}"
    raise DataError(message(where, expected="samples and a sampling rate", received=shown))


def _is_array(value: Any) -> bool:
    """Return whether a value is a list or an array; its content may still be wrong."""
    return isinstance(value, list | tuple) or np.ndim(value) > 0  # lists of unequal lengths have no dimensions


def _array(given: Any, where: str) -> np.ndarray:
    """Return samples as float32, (T, channels)."""
    try:
        array = np.asarray(given)
    except ValueError:
        array = np.asarray(None)
    if array.size == 0:
        return np.zeros((0, 1), dtype=np.float32)
    if array.dtype.kind not in "iuf" or not 1 <= array.ndim <= MAX_DIMENSIONS:
        kind = "texts" if array.dtype.kind in "US" else array.dtype
        shown = f"{type(given).__name__} of shape {array.shape}, {kind}"
        raise DataError(message(where, expected="a path, or samples (T,) or (T, channels)", received=shown))
    if array.ndim == 2 and array.shape[1] > MAX_CHANNELS:
        raise DataError(message(where, expected=f"samples (T, channels) of at most {MAX_CHANNELS} channels",
                                received=f"shape {array.shape}", remedy="transpose it"))  # fmt: skip
    samples = array if array.ndim == 2 else array[:, None]
    if array.dtype.kind == "f":
        with np.errstate(over="ignore"):
            return samples.astype(np.float32)
    silence, loudest = INTEGER_RANGES.get(array.dtype.name, INTEGER_RANGES["int16"])
    return ((samples.astype(np.float64) - silence) / loudest).astype(np.float32)


def _mono(samples: np.ndarray) -> np.ndarray:
    return samples.mean(1, dtype=np.float32) if samples.shape[1] > 1 else samples[:, 0]


def _resample(samples: np.ndarray, rate: float, sample_rate: int) -> np.ndarray:
    if rate == sample_rate or not len(samples):
        return samples
    return np.asarray(_library("soxr").resample(samples, rate, sample_rate, quality="HQ"), dtype=np.float32)


def _library(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError as fault:
        raise UnsupportedError(f"reading recordings needs {name}; pip install 'unrolled[audio]'") from fault
