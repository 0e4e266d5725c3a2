"""Writing files that survive a power cut or a kill: flushed to the disk, then renamed to their place.

Models, exports and checkpoints are all written with these functions.
"""

import hashlib
import os
import shutil
import time
import uuid
from pathlib import Path
from typing import Any

from unrolled.errors import ArtifactError, message

PENDING = ".new"  # suffix of a file that is being written
PATIENCE = 5.0  # seconds that a rename waits for a reader; only Windows refuses to replace a file that is open


def pending_name(name: str) -> str:
    """Return a hidden name for a file while it is written; no two calls give the same one."""
    return f".{name}.{uuid.uuid4().hex[:12]}{PENDING}"


def flush(path: Path) -> None:
    """Flush a file, or a folder's list of names, to the disk."""
    if path.is_dir():
        if os.name != "posix":  # elsewhere a folder cannot be opened
            return
        descriptor = os.open(path, os.O_RDONLY)
    else:
        descriptor = os.open(path, os.O_RDWR)  # Windows flushes only what can be written
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_flushed(path: Path, data: bytes) -> None:
    """Write a file and flush it to the disk."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace(source: Path, target: Path) -> None:
    """Rename a file to a place where an older one may be, in one step.

    Windows refuses while a process reads the older one; then the rename is retried for up to `PATIENCE` seconds.
    """
    until = time.monotonic() + PATIENCE
    while True:
        try:
            os.replace(source, target)
            return
        except PermissionError:
            if os.name == "posix" or time.monotonic() > until:
                raise
            time.sleep(0.01)


def remove(path: Path) -> None:
    """Remove a file, or a folder with its content, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def digest(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_version(argument: str, version: Any, newest: int, place: Path) -> int:
    """Return the format version of a file; refuse a version that this program does not know.

    Raises:
        ArtifactError: anything but a whole number from 1 to the newest.
    """
    if type(version) is not int or not 0 < version <= newest:
        raise ArtifactError(
            message(
                argument,
                expected=f"format version <= {newest}",
                received=f"version {version} in {place}",
                remedy="it was saved by a newer unrolled: upgrade with pip install --upgrade unrolled",
            )
        )
    return version


def damaged_model(folder: str | Path, why: str) -> ArtifactError:
    """Return the error for a damaged model folder."""
    return ArtifactError(
        message(
            "model",
            expected="a whole model folder",
            received=f"{folder} ({why})",
            remedy="it is damaged: restore a copy or fit again",
        )
    )
