"""Read lines as they arrive: from a pipe, a file, or a file that grows."""

import os
import time
from collections.abc import Generator
from pathlib import Path

from unrolled.places import local_path

AT_ONCE = 1 << 18  # bytes read at a time
LONGEST = 64 << 20  # bytes of one line; a longer line is not an event
PAUSE = 0.1  # seconds between two checks of a file that grows

Numbered = tuple[int, bytes | None]


def lines(path: str, follow: bool) -> Generator[list[Numbered], None, None]:
    """Yield the lines that can be read now, with their numbers, until the end.

    Args:
        path: of a file; "-" = standard input.
        follow: wait for more at the end, and start again if the file was replaced or cut.

    Yields:
        All complete lines that are there; None for a line that is too long to be kept.
    """
    place = None if path == "-" else local_path(path, "DATA")
    handle = 0 if place is None else os.open(place, os.O_RDONLY)
    try:
        held: list[bytes] = []  # pieces of a line whose end has not come
        size, number, skipping = 0, 0, False
        while True:
            chunk = os.read(handle, AT_ONCE)
            if not chunk:
                if not follow:
                    break
                time.sleep(PAUSE)
                if place is not None and _replaced(handle, place):
                    os.close(handle)
                    handle, held, size, skipping = os.open(place, os.O_RDONLY), [], 0, False
                continue
            *whole, rest = chunk.split(b"\n")
            if whole:
                whole[0] = b"".join([*held, whole[0]])
                held, size = [], 0
            found: list[Numbered] = []
            for line in whole:
                number += 1
                found.append((number, None if skipping or len(line) > LONGEST else line))
                skipping = False
            if not skipping:
                held.append(rest)
                size += len(rest)
            if size > LONGEST:
                held, size, skipping = [], 0, True
            if found:
                yield found
        if size or skipping:
            yield [(number + 1, None if skipping else b"".join(held))]
    finally:
        if place is not None:
            os.close(handle)


def _replaced(handle: int, place: Path) -> bool:
    """Return whether another file has the name now, or this one was cut; False while there is none."""
    open_one = os.fstat(handle)
    try:
        named = place.stat()
    except FileNotFoundError:
        return False
    other = (open_one.st_dev, open_one.st_ino) != (named.st_dev, named.st_ino)
    return other or named.st_size < os.lseek(handle, 0, os.SEEK_CUR)
