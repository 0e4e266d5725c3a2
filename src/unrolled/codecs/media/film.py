"""Reading of frames from films, animated pictures, folders and lists of pictures, and arrays."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from unrolled.codecs.media.pixels import (
    MAX_PIXELS,
    Canvas,
    fitted,
    from_array,
    numbers_of,
    opened,
    read_picture,
    refuse_huge,
    to_bytes,
)
from unrolled.data.file_access import SHUT, Opening, UnreadableError
from unrolled.data.files import SUFFIXES
from unrolled.data.plain_values import is_picture
from unrolled.errors import UnsupportedError, reason

ANIMATED = (".gif", ".webp", ".png", ".apng")  # read by Pillow; any other file is a film
# the formats that FFmpeg may read: MP4 and QuickTime, AVI, Matroska and WebM, MPEG. Playlists, which open the files
# they name, are excluded; a film may not use any network protocol either
DEMUXERS = "mov,avi,matroska,mpeg,mpegts,mpegvideo"
READING = {"format_whitelist": DEMUXERS, "protocol_whitelist": "none"}
READABLE = "MP4, MOV, AVI, MKV, WebM and MPEG are read: convert the film or restore it"


@dataclass(frozen=True)
class FrameChoice:
    """A choice of frames of a film.

    Args:
        every: read every n-th frame, starting with the first.
        frames_per_second: maximum number of frames per second; None = by `every`. A slower film gives all its frames.
        most: maximum number of frames to read.
    """

    every: int = 1
    frames_per_second: float | None = None
    most: int = 64

    def choose(self, frames: Iterator[tuple[Any, float | None]]) -> Iterator[Any]:
        """Yield the chosen ones of frames with their times in seconds; nothing is read beyond the last of them."""
        chosen, due, start = 0, 0.0, None
        for number, (frame, seconds) in enumerate(frames):
            if self.frames_per_second is None:
                wanted = number % self.every == 0
            else:
                if seconds is None:
                    raise UnreadableError("a film whose frames have times", "one without", "use every=")
                start = seconds if start is None else start
                # the clock of a film is coarse: a frame that is a thousandth of a step early counts as on time
                wanted = (seconds - start) * self.frames_per_second >= due - 1e-3
                due += wanted
            if wanted:
                yield frame
                chosen += 1
                if chosen == self.most:
                    return


def read_film(value: Any, canvas: Canvas, pace: FrameChoice, opening: Opening = SHUT) -> np.ndarray:
    """Read the chosen frames as bytes, (T, C, S, S); each becomes a square as in `read_picture`.

    Args:
        value: path of a film (MP4, MOV, AVI, MKV, WebM, MPEG), of an animated picture (GIF, WebP, PNG) or of a folder
            of pictures in the order of their names (numbers in them by value); a list of paths or PIL images; an array
            or nested list (T, H, W) or (T, H, W, C). A missing value and an empty list have no frames.
        canvas: the square that frames are fitted to.
        pace: which frames are read.
        opening: whether paths may be given, and the folder of relative ones; by default paths are refused.

    Raises:
        UnreadableError: missing, damaged, of another format, with too many pixels per frame, or a path that may not be
            given.
    """
    frames = list(_frames(value, canvas, pace, opening))
    return np.stack(frames) if frames else np.empty((0, *canvas.shape), dtype=np.uint8)


def _frames(value: Any, canvas: Canvas, pace: FrameChoice, opening: Opening) -> Iterator[np.ndarray]:
    if value is None:
        return iter(())
    if isinstance(value, str | Path):
        path = opening.locate(value)
        if os.path.isdir(path):
            return _pictures(_in_order(path), canvas, pace, replace(opening, folder=""))
        if path.suffix.lower() in ANIMATED:
            return iter(_animation(path, canvas, pace, opening))
        return _film(path, canvas, pace, opening)
    if isinstance(value, Sequence) and any(isinstance(item, str | Path) or is_picture(item) for item in value):
        return _pictures(value, canvas, pace, opening)
    return _array(value, canvas, pace)


def _pictures(values: Sequence[Any], canvas: Canvas, pace: FrameChoice, opening: Opening) -> Iterator[np.ndarray]:
    for picture in pace.choose((value, None) for value in values):
        yield read_picture(picture, canvas, opening)


def _in_order(folder: Path) -> list[Path]:
    """Return the pictures of a folder by name, with frame_9 before frame_10; other files are ignored."""
    known = (*SUFFIXES["picture"], ".apng")
    files = [file for file in folder.iterdir() if file.suffix.lower() in known and not file.name.startswith(".")]
    return sorted(files, key=lambda file: [(len(part), part) if part.isdigit() else (0, part)
                                           for part in re.split(r"(\d+)", file.name)])  # fmt: skip


def _animation(path: Path, canvas: Canvas, pace: FrameChoice, opening: Opening) -> list[np.ndarray]:
    """Read all frames at once, because Pillow's warnings are suppressed for the whole process meanwhile."""
    with opened(path, opening) as image:

        def played() -> Iterator[tuple[Any, float]]:
            seconds = 0.0
            for number in range(getattr(image, "n_frames", 1)):
                image.seek(number)
                refuse_huge(image.width, image.height, str(path))
                yield image, seconds
                seconds += image.info.get("duration", 0) / 1000

        return [fitted(frame, canvas) for frame in pace.choose(played())]


def _film(path: Path, canvas: Canvas, pace: FrameChoice, opening: Opening) -> Iterator[np.ndarray]:
    """Yield frame by frame: a film of any length needs the memory of one of its frames, and of the chosen ones."""
    try:
        import av
        from av.error import FFmpegError
    except ImportError as fault:
        raise UnsupportedError("reading films needs PyAV; pip install 'unrolled[video]'") from fault
    what = "a film's file or a folder of pictures"
    try:
        with opening.open(path, what) as file, av.open(file, "r", options=READING) as container:
            if not container.streams.video:
                raise UnreadableError("a film with pictures", f"{path} without any")
            stream = container.streams.video[0]
            if not stream.codec_context:  # in PyAV versions that did not raise for a codec that FFmpeg lacks
                raise UnreadableError(
                    "a film that PyAV can read", f"{path} (its pictures are of an unknown kind)", READABLE
                )
            refuse_huge(stream.codec_context.width, stream.codec_context.height, str(path))
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            for frame in pace.choose((frame, frame.time) for frame in container.decode(stream)):
                refuse_huge(frame.width, frame.height, str(path))
                image = frame.to_image()
                turned = image.rotate(frame.rotation, expand=True) if frame.rotation else image
                yield fitted(turned, canvas)
    except (FFmpegError, OSError, ValueError, RuntimeError) as fault:  # OSError: a seek beyond the end of the file
        raise UnreadableError("a film that PyAV can read", f"{path} ({reason(fault)})", READABLE) from fault


def _array(value: Any, canvas: Canvas, pace: FrameChoice) -> Iterator[np.ndarray]:
    try:
        pixels = numbers_of(value)
    except UnreadableError:  # frames of different sizes
        yield from (from_array(numbers_of(frame), canvas) for frame in pace.choose((frame, None) for frame in value))
        return
    if pixels.size == 0 and pixels.shape[:1] == (0,):
        return
    if pixels.ndim not in (3, 4) or pixels.dtype.kind not in "buif":
        received = f"shape {pixels.shape} of {'texts' if pixels.dtype.kind in 'US' else pixels.dtype}"
        raise UnreadableError("a path, a list of pictures, or an array (T, H, W) or (T, H, W, C)", received)
    pixels = to_bytes(pixels)
    yield from (from_array(frame, canvas) for frame in pace.choose((frame, None) for frame in pixels))
