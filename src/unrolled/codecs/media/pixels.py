"""Conversion of pictures of any kind to squares of bytes: read, turned upright, flattened on white, resized, padded."""

import threading
import warnings
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unrolled.data.file_access import SHUT, Opening, UnreadableError
from unrolled.data.plain_values import is_picture
from unrolled.errors import OptionError, UnsupportedError, message, reason

# the formats that Pillow may read, whatever a file is called: it knows forty more, and runs Ghostscript for PostScript
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF")
MAX_PIXELS = 64_000_000  # width times height; a larger picture is refused before it is decoded
CHANNELS = (1, 3)
READABLE = "PNG, JPEG, GIF, WebP, BMP and TIFF are read: convert the file or restore it"
_WHITE = 255
_SIXTEEN_BITS = 65535
_ORIENTATION = 0x0112  # the EXIF tag
_QUIET = threading.Lock()  # filters of warnings apply to the whole process


@dataclass(frozen=True)
class Canvas:
    """The square that every picture is fitted to.

    Args:
        size: pixels per side, S.
        channels: 1 for grey, 3 for red, green and blue, C.
    """

    size: int
    channels: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise OptionError(message("size", expected="an integer >= 1", received=self.size))
        if self.channels not in CHANNELS:
            raise OptionError(message("channels", expected="1 for grey or 3 for colour", received=self.channels))

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (C, S, S)."""
        return self.channels, self.size, self.size


def read_picture(value: Any, canvas: Canvas, opening: Opening = SHUT, whole: bool = True) -> np.ndarray:
    """Read one picture as bytes, (C, S, S).

    The picture keeps its proportions: it is resized until its longer side fits, and centred; white fills the rest and
    transparent parts. A rotation noted by a camera (EXIF) is carried out. Grey
    becomes three equal channels; colour becomes grey by its luma (ITU-R 601). 16-bit values are divided by 257.
    Colour profiles are not applied.

    Args:
        value: path of a PNG, JPEG, GIF, WebP, BMP or TIFF file, a PIL image, or an array or nested list (H, W),
            (H, W, C) or (C, H, W) with C of 1, 3 or 4: whole numbers 0 to 255 (to 65535 where the type is uint16),
            numbers 0 to 1, or booleans.
        canvas: the square to fit it to.
        opening: whether a path may be given, and the folder of a relative one; by default paths are refused.
        whole: whether a nested list of nothing but 0 and 1 holds whole numbers 0 to 255.

    Raises:
        UnreadableError: missing, damaged, of another format, of more than MAX_PIXELS pixels, or a path that may not be
            given.
    """
    if isinstance(value, str | Path):
        with opened(opening.locate(value), opening) as image:
            # JPEG can skip detail that is far too fine for the square: less memory, and several times faster
            image.draft(None, (2 * canvas.size, 2 * canvas.size))
            return fitted(image, canvas)
    if is_picture(value):
        with _decoding("a picture"):
            return fitted(value, canvas)
    return from_array(numbers_of(value, whole), canvas)


def numbers_of(value: Any, whole: bool = True) -> np.ndarray:
    """Return an array as it is, and a nested list as whole numbers 0 to 255 or numbers 0 to 1, whatever their type.

    Lists lose their type where other records hold other numbers, so that their values decide: a value above 1 means
    whole numbers, one with decimals numbers 0 to 1.

    Args:
        value: an array, or a nested list.
        whole: what a list of nothing but 0 and 1 holds.

    Raises:
        UnreadableError: lists of unequal lengths.

    Example:
        >>> numbers_of([[0.0, 80.0]]).dtype, numbers_of([[0, 0.5]]).dtype, numbers_of([[0, 1]], False).dtype
        (dtype('int64'), dtype('float64'), dtype('float64'))
    """
    try:
        pixels = np.asarray(value)
    except ValueError as fault:  # rows of unequal lengths
        raise UnreadableError("a path, a PIL image or an array of numbers", f"a {type(value).__name__}") from fault
    if isinstance(value, np.ndarray) or pixels.dtype.kind not in "buif" or not np.isfinite(pixels).all():
        return pixels
    if (pixels == np.floor(pixels)).all() and (whole or is_above_one(pixels)):
        return pixels.astype(np.int64)
    return pixels.astype(np.float64)


def is_above_one(pixels: np.ndarray) -> bool:
    """Return whether a picture has a number above 1, so that its numbers go to 255."""
    return bool(pixels.size) and bool(pixels.max() > 1)


@contextmanager
def opened(path: Path, opening: Opening) -> Generator[Any]:
    """Open a picture's file as a PIL image, not yet decoded; any failure meanwhile is an UnreadableError."""
    library = pillow()
    with (
        opening.open(path, "a picture's file") as file,
        _decoding(str(path)),
        library.open(file, "r", FORMATS) as image,
    ):
        refuse_huge(image.width, image.height, str(path))
        yield image


def refuse_huge(width: int, height: int, where: str) -> None:
    """Raise an UnreadableError for more pixels than the limit."""
    if width * height > MAX_PIXELS:
        expected = f"at most {MAX_PIXELS:,} pixels"
        raise UnreadableError(expected, f"{where} with {width:,} x {height:,}", "shrink the picture first")


def fitted(image: Any, canvas: Canvas) -> np.ndarray:
    """Fit a PIL image to the canvas, (C, S, S) uint8."""
    from PIL import ImageOps

    refuse_huge(image.width, image.height, "a picture")
    if image.getexif().get(_ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
    image = _eight_bits(image)
    see_through = image.has_transparency_data
    image = image.convert("RGBA" if see_through else "RGB" if canvas.channels > 1 else "L")
    scale = canvas.size / max(image.size)
    size = tuple(max(1, round(side * scale)) for side in image.size)
    if size != image.size:
        image = image.resize(size, pillow().Resampling.BILINEAR, reducing_gap=3.0)
    if see_through:
        background = pillow().new("RGBA", image.size, (_WHITE,) * 4)
        image = pillow().alpha_composite(background, image)
    pixels = np.asarray(image.convert("RGB" if canvas.channels > 1 else "L"))
    return _padded(pixels.reshape(*pixels.shape[:2], canvas.channels), canvas)


def from_array(pixels: np.ndarray, canvas: Canvas) -> np.ndarray:
    """Fit an array (H, W), (H, W, C) or (C, H, W) to the canvas, (C, S, S) uint8."""
    expected = "an array (H, W), (H, W, C) or (C, H, W) with C of 1, 3 or 4"
    if pixels.dtype.kind not in "buif":
        raise UnreadableError("a path, a PIL image or an array of numbers", _kind(pixels))
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4) and pixels.shape[0] in (1, 3, 4):
        pixels = pixels.transpose(1, 2, 0)  # as torch keeps pictures
    if pixels.ndim not in (2, 3) or not pixels.size or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4)):
        raise UnreadableError(expected, f"shape {pixels.shape}")
    refuse_huge(pixels.shape[1], pixels.shape[0], "an array")
    pixels = to_bytes(pixels)
    deep = pixels[..., None] if pixels.ndim == 2 else pixels  # (H, W, C)
    if deep.shape == (canvas.size, canvas.size, canvas.channels):
        return deep.transpose(2, 0, 1)
    flat = deep[..., 0] if deep.shape[2] == 1 else deep
    return fitted(pillow().fromarray(np.ascontiguousarray(flat)), canvas)


def to_bytes(pixels: np.ndarray) -> np.ndarray:
    """Convert numbers of any kind to bytes, by their type: 0 to 1, 0 to 255, or 0 to 65535 for uint16."""
    if pixels.dtype == np.uint8:
        return pixels
    highest = 1 if pixels.dtype.kind in "fb" else _SIXTEEN_BITS if pixels.dtype == np.uint16 else _WHITE
    if pixels.size and not (pixels.min() >= 0 and pixels.max() <= highest):  # NaN fails too
        shown = f"{pixels.min()} to {pixels.max()} of {pixels.dtype}"
        raise UnreadableError("numbers 0 to 1, or whole numbers 0 to 255", shown, "scale the pixels")
    return np.rint(pixels * (_WHITE / highest)).astype(np.uint8)


def learn_standard(pictures: Iterable[np.ndarray], channels: int) -> tuple[list[float], list[float]]:
    """Return mean and deviation of each channel in bytes, each (C,); a deviation below one grey level counts as one.

    Args:
        pictures: arrays (..., C, S, S) uint8.
        channels: number of channels, C.
    """
    count, sums, squares = 0, np.zeros(channels), np.zeros(channels)
    for picture in pictures:
        rows = np.moveaxis(picture, -3, 0).reshape(channels, -1)  # (C, ...)
        count += rows.shape[1]
        sums += rows.sum(1, dtype=np.int64)
        squares += np.square(rows, dtype=np.uint32).sum(1, dtype=np.int64)
    mean = sums / max(count, 1)
    spread = np.sqrt(np.maximum(squares / max(count, 1) - mean**2, 1.0))
    return mean.tolist(), spread.tolist()


def pillow() -> Any:
    """Return the module PIL.Image."""
    try:
        from PIL import Image
    except ImportError as fault:
        raise UnsupportedError("reading pictures needs Pillow; pip install 'unrolled[image]'") from fault
    return Image


# ---- inside ---------------------------------------------------------------------------------------


@contextmanager
def _decoding(where: str) -> Generator[None]:
    """Raise faults of a decoder, including decompression bombs, as UnreadableError."""
    library = pillow()
    try:
        with _QUIET, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata in files whose pixels are fine
            warnings.simplefilter("error", library.DecompressionBombWarning)
            yield
    except (UnreadableError, UnsupportedError):
        raise
    except (library.DecompressionBombError, library.DecompressionBombWarning) as fault:
        expected = f"at most {MAX_PIXELS:,} pixels"
        raise UnreadableError(expected, f"{where} with far more", "shrink the picture first") from fault
    except Exception as fault:  # decoders of damaged files raise almost anything
        raise UnreadableError("a picture that Pillow can read", f"{where} ({reason(fault)})", READABLE) from fault


def _eight_bits(image: Any) -> Any:
    """Convert images of deeper numbers to bytes; leave others unchanged."""
    if not image.mode.startswith(("I", "F")):
        return image
    numbers = np.asarray(image)
    if image.mode != "F":  # Pillow keeps 16 bits in 32 for some formats
        if numbers.min() < 0 or numbers.max() > _SIXTEEN_BITS:
            raise UnreadableError("16-bit pixels", f"numbers {numbers.min()} to {numbers.max()}", "scale the pixels")
        numbers = numbers.astype(np.uint16)
    return pillow().fromarray(to_bytes(numbers))


def _padded(pixels: np.ndarray, canvas: Canvas) -> np.ndarray:
    """Place pixels in the middle of a white canvas: (h, w, C) to (C, S, S)."""
    square = np.full(canvas.shape, _WHITE, dtype=np.uint8)
    top, left = ((canvas.size - side) // 2 for side in pixels.shape[:2])
    square[:, top : top + pixels.shape[0], left : left + pixels.shape[1]] = pixels.transpose(2, 0, 1)
    return square


def _kind(pixels: np.ndarray) -> str:
    """Describe in a word a value that is no array of numbers."""
    if pixels.ndim == 0:
        return type(pixels.item()).__name__
    return "an array of texts" if pixels.dtype.kind in "US" else f"an array of {pixels.dtype}"
