"""Bounds on what packed files unpack to, so that no small file fills the disk or the memory."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

from unrolled.data.spans import size_of
from unrolled.errors import DataError, OptionError, message

VARIABLE = "UNROLLED_UNPACKED_BYTES"  # of the environment: the bound in bytes, in place of the three below
LEAST_BOUND, MOST_BOUND = 256 << 20, 64 << 30  # bytes
RATIO = 250  # unpacked bytes per packed one; tables of text have 3 to 50
_BLOCK_BYTES = 1 << 20
_ZSTD_BLOCK = 1 << 17  # bytes that a block of zstd unpacks to at most
_ZSTD_FRAME, _ZSTD_SKIPPED = 0xFD2FB528, 0x184D2A50  # marks of frames; the last four bits of the second are free


def most_unpacked(packed: int) -> int:
    """Return how many bytes a packed file may unpack to.

    These are 256 MiB, or 250 times its own size where that is more, and never more than 64 GiB; or what the environment
    variable UNROLLED_UNPACKED_BYTES says.

    Args:
        packed: bytes of the packed file.

    Raises:
        OptionError: the variable holds no whole number.

    Example:
        >>> most_unpacked(1000), most_unpacked(2_000_000), most_unpacked(2**40)
        (268435456, 500000000, 68719476736)
    """
    asked = os.environ.get(VARIABLE, "").strip()
    if not asked:
        return min(max(LEAST_BOUND, RATIO * packed), MOST_BOUND)
    if not asked.isdecimal() or len(asked) > 18:  # digits of a 64-bit number
        raise OptionError(message(VARIABLE, expected="a whole number of bytes", received=asked[:40]))
    return int(asked)


def copy_unpacked(
    read: Callable[[int], bytes], write: Callable[[bytes], object] | None, path: Path, done: int = 0
) -> int:
    """Copy what a packed file holds, up to its bound, and return the number of bytes.

    Args:
        read: unpacks the next bytes, at most as many as it is given.
        write: takes the bytes; None = they are counted only.
        path: the packed file.
        done: bytes that came from it before.

    Raises:
        DataError: more bytes than the bound.
    """
    most = most_unpacked(size_of(path))
    while block := read(_BLOCK_BYTES):
        done += len(block)
        if done > most:
            raise too_large(path, most)
        if write is not None:
            write(block)
    return done


def check_unpacked(path: Path, size: int) -> None:
    """Refuse a file whose description says that it unpacks to more than its bound.

    Args:
        path: the packed file.
        size: bytes that it unpacks to.

    Raises:
        DataError: more bytes than `most_unpacked`.
    """
    most = most_unpacked(size_of(path))
    if size > most:
        raise too_large(path, most)


def too_large(path: Path, most: int) -> DataError:
    """Return the error for a packed file that holds more than its bound."""
    remedy = f"if you trust it, set the environment variable {VARIABLE} to more bytes, or unpack it yourself"
    expected = f"at most {most:,} bytes when it is unpacked ({size_of(path):,} are packed)"
    return DataError(message(str(path), expected=expected, received="more", remedy=remedy))


def zstd_bytes(file: IO[bytes]) -> int:
    """Return how many bytes a file of zstd unpacks to at most, by the heads of its blocks.

    Args:
        file: the file, which is read to its end.

    Source: RFC 8878, section 3.1.
    """
    total = 0
    while len(head := file.read(5)) == 5:
        mark = int.from_bytes(head[:4], "little")
        if mark & ~15 == _ZSTD_SKIPPED:
            size = int.from_bytes(head[4:] + file.read(3), "little")
            file.seek(size, os.SEEK_CUR)
            continue
        if mark != _ZSTD_FRAME:
            break
        described = head[4]
        single = described >> 5 & 1  # without the size of a window
        file.seek((not single) + (0, 1, 2, 4)[described & 3] + (single, 2, 4, 8)[described >> 6], os.SEEK_CUR)
        last = False
        while not last and len(block := file.read(3)) == 3:
            value = int.from_bytes(block, "little")
            last, kind, size = bool(value & 1), value >> 1 & 3, value >> 3
            total += _ZSTD_BLOCK if kind == 2 else size  # 2: compressed, 1: one byte that is repeated
            file.seek(1 if kind == 1 else size, os.SEEK_CUR)
        file.seek(4 * (described >> 2 & 1), os.SEEK_CUR)  # the sum of the content
    return total
