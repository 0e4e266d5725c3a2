"""From anything that moves to frames: films, animated pictures, folders and lists of pictures, arrays."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from unrolled.codecs.pixels import (
    Canvas,
    UnreadableError,
    fitted,
    from_array,
    is_image,
    located,
    opened,
    read_picture,
    refuse_huge,
    to_bytes,
)
from unrolled.errors import UnsupportedError

ANIMATED = (".gif", ".webp", ".png", ".apng")  # read by Pillow; any other file is a film


@dataclass(frozen=True)
class Pace:
    """Which frames of a film are read.

    Args:
        every: each so-manieth frame, from the first.
        frames_per_second: or at most so many of each second; None = by `every`. A slower film gives all its frames.
        most: reading ends after so many.
    """

    every: int = 1
    frames_per_second: float | None = None
    most: int = 64

    def choose(self, frames: Iterator[tuple[Any, float | None]]) -> Iterator[Any]:
        """The chosen ones of frames with their times in seconds; nothing is read beyond the last of them."""
        chosen, due, start = 0, 0.0, None
        for number, (frame, seconds) in enumerate(frames):
            if self.frames_per_second is None:
                wanted = number % self.every == 0
            else:
                if seconds is None:
                    raise UnreadableError("a film whose frames have times", "one without", "use every=")
                start = seconds if start is None else start
                # the clock of a film is coarse: a frame a thousandth of a step early is on time
                wanted = (seconds - start) * self.frames_per_second >= due - 1e-3
                due += wanted
            if wanted:
                yield frame
                chosen += 1
                if chosen == self.most:
                    return


def read_film(value: Any, canvas: Canvas, pace: Pace, folder: str = "") -> np.ndarray:
    """The chosen frames as bytes, (T, C, S, S); each becomes a square as `read_picture` says.

    Args:
        value: path of a film, of an animated picture (GIF, WebP, PNG) or of a folder of pictures in the order of their
            names (numbers in them by value); a list of paths or PIL images; an array or nested list (T, H, W) or
            (T, H, W, C). Nothing, and an empty list, have no frame.
        canvas: what to bring each frame to.
        pace: which frames.
        folder: where a relative path is looked for before the current directory.

    Raises:
        UnreadableError: missing, damaged, or of too many pixels a frame.
    """
    frames = list(_frames(value, canvas, pace, folder))
    return np.stack(frames) if frames else np.empty((0, *canvas.shape), dtype=np.uint8)


def _frames(value: Any, canvas: Canvas, pace: Pace, folder: str) -> Iterator[np.ndarray]:
    if value is None:
        return iter(())
    if isinstance(value, str | Path):
        path = located(value, folder)
        if path.is_dir():
            return _pictures(_in_order(path), canvas, pace, "")
        if path.suffix.lower() in ANIMATED:
            return iter(_animation(path, canvas, pace))
        return _film(path, canvas, pace)
    if isinstance(value, Sequence) and any(isinstance(item, str | Path) or is_image(item) for item in value):
        return _pictures(value, canvas, pace, folder)
    return _array(value, canvas, pace)


def _pictures(values: Sequence[Any], canvas: Canvas, pace: Pace, folder: str) -> Iterator[np.ndarray]:
    for picture in pace.choose((value, None) for value in values):
        yield read_picture(picture, canvas, folder)


def _in_order(folder: Path) -> list[Path]:
    """The pictures of a folder by name, where frame_9 comes before frame_10; other files do not count."""
    from PIL import Image

    known = Image.registered_extensions()
    files = [file for file in folder.iterdir() if file.suffix.lower() in known and not file.name.startswith(".")]
    return sorted(files, key=lambda file: [(len(part), part) if part.isdigit() else (0, part)
                                           for part in re.split(r"(\d+)", file.name)])  # fmt: skip


def _animation(path: Path, canvas: Canvas, pace: Pace) -> list[np.ndarray]:
    """All at once, as Pillow's warnings are held back meanwhile, which no one else should notice."""
    with opened(path) as image:

        def played() -> Iterator[tuple[Any, float]]:
            seconds = 0.0
            for number in range(getattr(image, "n_frames", 1)):
                image.seek(number)
                refuse_huge(image.width, image.height, str(path))
                yield image, seconds
                seconds += image.info.get("duration", 0) / 1000

        return [fitted(frame, canvas) for frame in pace.choose(played())]


def _film(path: Path, canvas: Canvas, pace: Pace) -> Iterator[np.ndarray]:
    """Frame by frame: a film of any length needs the memory of one of its frames, and of those that are chosen."""
    try:
        import av
        from av.error import FFmpegError
    except ImportError as fault:
        raise UnsupportedError("reading films needs PyAV; pip install 'unrolled[video]'") from fault
    if not path.is_file():
        raise UnreadableError("a film's file or a folder of pictures", f"{path}, which does not exist", "look at it")
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UnreadableError("a film with pictures", f"{path} without any")
            stream = container.streams.video[0]
            refuse_huge(stream.codec_context.width, stream.codec_context.height, str(path))
            for frame in pace.choose((frame, frame.time) for frame in container.decode(stream)):
                refuse_huge(frame.width, frame.height, str(path))
                image = frame.to_image()
                turned = image.rotate(frame.rotation, expand=True) if frame.rotation else image
                yield fitted(turned, canvas)
    except (FFmpegError, ValueError, RuntimeError) as fault:
        reason = getattr(fault, "strerror", None) or str(fault)
        raise UnreadableError("a film that PyAV can read", f"{path} ({reason})", "restore the file") from fault


def _array(value: Any, canvas: Canvas, pace: Pace) -> Iterator[np.ndarray]:
    try:
        pixels = np.asarray(value)
    except ValueError:  # frames of several sizes
        yield from (from_array(np.asarray(frame), canvas) for frame in pace.choose((frame, None) for frame in value))
        return
    if pixels.size == 0 and pixels.shape[:1] == (0,):
        return
    if pixels.ndim not in (3, 4) or pixels.dtype.kind not in "buif":
        received = f"shape {pixels.shape} of {pixels.dtype}"
        raise UnreadableError("a path, a list of pictures, or an array (T, H, W) or (T, H, W, C)", received)
    pixels = to_bytes(pixels)
    yield from (from_array(frame, canvas) for frame in pace.choose((frame, None) for frame in pixels))
