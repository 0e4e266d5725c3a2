"""Checks of a folder or file before code in it is run: it must belong to this user, and only this user may write it."""

import os
import stat
from typing import Protocol

LARGEST = 1 << 26  # bytes of a file; a kernel has about a hundred thousand
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH  # an access list that lets others write sets the group's bits


class NotTrusted(Exception):  # noqa: N818 - a finding, not an error
    """Another user may have written it; the text is the end of a sentence about the folder."""


class Shelf(Protocol):
    """An open folder that passed the checks."""

    def read(self, name: str) -> bytes:
        """Read a file of this user. Raises OSError or NotTrusted."""
        ...

    def write(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all. Raises OSError."""
        ...


def check_folder(found: os.stat_result) -> None:
    """Check the folder of the code.

    Raises:
        NotTrusted: another owner, or others can write there.
    """
    if found.st_uid != os.geteuid():
        raise NotTrusted(f"belongs to another user ({found.st_uid})")
    if found.st_mode & OTHERS_WRITE:
        raise NotTrusted(f"others can write (mode {stat.S_IMODE(found.st_mode):o}; chmod 700 would end that)")


def check_parent(found: os.stat_result, name: str) -> None:
    """Check a folder above it, where anybody who can rename could swap the folders below.

    A folder that the user's own group can write is accepted, as every home is like this on some systems: the folder
    below is checked by its open descriptor, so that one of another user in its place is refused.

    Raises:
        NotTrusted: it belongs to neither this user nor root, or others can exchange what is in it.
    """
    if found.st_uid not in (0, os.geteuid()):
        raise NotTrusted(f"is in {name}, which belongs to another user ({found.st_uid})")
    others = found.st_mode & OTHERS_WRITE
    if others == stat.S_IWGRP and found.st_gid in (0, os.getegid()):
        return
    if others and not found.st_mode & stat.S_ISVTX:
        raise NotTrusted(f"is in {name}, where others can write (mode {stat.S_IMODE(found.st_mode):o})")


def check_file(found: os.stat_result) -> None:
    """Check a file of code, by its open descriptor.

    Raises:
        NotTrusted: no plain file, another owner, others can write it, or larger than any kernel.
    """
    if not stat.S_ISREG(found.st_mode):
        raise NotTrusted("holds something that is no file")
    if found.st_uid != os.geteuid() or found.st_mode & OTHERS_WRITE:
        raise NotTrusted("holds a file that others could have written")
    if found.st_size > LARGEST:
        raise NotTrusted("holds a file that is no kernel")
