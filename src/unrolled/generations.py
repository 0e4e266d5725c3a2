"""Folders whose content is replaced in one step: each generation of files has its own names.

    model.json                        names the arrays that belong to it, with their digest and size
    weights-0123456789abcdef.ext      arrays, named by their digest: a file with that name never changes
    README.md, run.py, ...            copies for people, and code

A save writes the new arrays next to the old ones, and then renames a new `model.json` over the old one. That
rename is atomic on Linux, macOS and Windows, and only it changes the model. So a kill or a power cut at any moment
leaves the old model or the new one. A reader reads `model.json`, then the arrays that it names, and starts again if
they have been replaced meanwhile: what it gets always belongs together.

Writers lock the file `.lock`; the system releases the lock when a process dies. On a disk without locks they continue
without it. The holder of the lock removes files that no model needs: older arrays, and unfinished files of killed
writers.
"""

import re
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from unrolled.disk import PENDING, digest, flush, pending_name, remove, replace, write_flushed

MODEL, LOCK = "model.json", ".lock"
STEM = "weights"
WAIT = 600.0  # seconds to wait for another writer; then this one continues, and the last one wins
ABANDONED = 3600.0  # seconds after which an unfinished file counts as abandoned where there are no locks


@dataclass(frozen=True)
class Arrays:
    """The arrays of a new generation.

    Args:
        suffix: of the file, such as ".safetensors".
        write: writes them to a path.
    """

    suffix: str
    write: Callable[[Path], None]


@dataclass(frozen=True)
class FileEntry:
    """The entry of a file in `model.json`: name, SHA-256 in hexadecimal digits, size in bytes."""

    name: str
    sha256: str
    bytes: int

    def to_json(self) -> dict[str, Any]:
        """Convert the entry to plain values."""
        return {self.name: {"sha256": self.sha256, "bytes": self.bytes}}


def write_generation(
    folder: Path, arrays: Arrays, model: Callable[[FileEntry], bytes], copies: Mapping[str, bytes | None]
) -> None:
    """Replace the content of a folder in one step.

    Args:
        folder: created if it is missing.
        arrays: of the new generation.
        model: makes the content of `model.json` from the entry of the arrays.
        copies: further files by name, which no reader depends on; None removes a file.

    Raises:
        OSError: no permission or no room; the older generation is unharmed.
    """
    made = not folder.exists()
    with _turn(folder) as alone:
        mine: list[Path] = []
        try:
            waiting = {name: _write(folder, name, data, mine) for name, data in copies.items() if data is not None}
            place = _new(folder, STEM, mine)  # a folder, as the library that writes has temporary files of its own
            place.mkdir()
            pending = place / f"{STEM}{arrays.suffix}"
            arrays.write(pending)
            flush(pending)
            sha256 = digest(pending)
            entry = FileEntry(f"{STEM}-{sha256[:16]}{arrays.suffix}", sha256, pending.stat().st_size)
            written = _write(folder, MODEL, model(entry), mine)
            replace(pending, folder / entry.name)
            flush(folder)
            for name, path in waiting.items():
                replace(path, folder / name)
            replace(written, folder / MODEL)  # from here on it is the new model
            for name in copies.keys() - waiting.keys():
                (folder / name).unlink(missing_ok=True)
            flush(folder)
            place.rmdir()
            _clean(folder, alone)
        finally:
            _take_back(folder, mine, made)


def is_own(name: str) -> bool:
    """Return whether only this module writes files of that name, so that no user's file is deleted."""
    return name == LOCK or (name.startswith(".") and name.endswith(PENDING)) or bool(_ARRAYS.fullmatch(name))


_ARRAYS = re.compile(rf"{STEM}(-[0-9a-f]{{16}})?\.(safetensors|npz)")


def _new(folder: Path, name: str, mine: list[Path]) -> Path:
    mine.append(folder / pending_name(name))
    return mine[-1]


def _write(folder: Path, name: str, data: bytes, mine: list[Path]) -> Path:
    path = _new(folder, name, mine)
    write_flushed(path, data)
    return path


@contextmanager
def _turn(folder: Path) -> Generator[bool]:
    """Wait for other writers; yield whether there are certainly none now."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=WAIT)
    try:
        lock.acquire()
    except (Timeout, OSError, NotImplementedError):  # a writer that hangs, or a disk without locks
        yield False
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)  # another writer's first save may have failed meanwhile
        yield True
    finally:
        lock.release()


def _clean(folder: Path, alone: bool) -> None:
    """Remove files that the model does not need; the next save retries those that cannot be removed now."""
    with suppress(OSError):
        model = (folder / MODEL).read_bytes()
        for path in folder.iterdir():
            if path.name == LOCK or not is_own(path.name) or f'"{path.name}"'.encode() in model:
                continue
            with suppress(OSError):
                if alone or path.stat().st_mtime < time.time() - ABANDONED:
                    remove(path)


def _take_back(folder: Path, mine: Iterable[Path], made: bool) -> None:
    """Remove the unfinished files of a failed save, and the folder that it made; after success there are none."""
    with suppress(OSError):
        for path in mine:
            remove(path)
        if made and not (folder / MODEL).exists():
            for path in folder.iterdir():
                if is_own(path.name):
                    remove(path)
            folder.rmdir()
