"""Writing exports as a whole, or not at all."""

import errno
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from unrolled.disk import flush, pending_name, replace, write_flushed
from unrolled.errors import ArtifactError, message, reason
from unrolled.generations import Arrays, FileEntry, write_generation
from unrolled.places import local_path


def write_file(path: str | Path, data: bytes) -> Path:
    """Write a file under a temporary name in the same folder, and rename it.

    Raises:
        ArtifactError: the file cannot be written; an older one is unharmed.
    """
    target = local_path(path, "path", ArtifactError)
    temporary = target.parent / pending_name(target.name)
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        write_flushed(temporary, data)
        replace(temporary, target)
        flush(target.parent)
    except OSError as fault:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise cannot_write("path", target, fault) from fault
    return target


def write_folder(
    path: str | Path, arrays: Arrays, model: Callable[[FileEntry], bytes], others: Mapping[str, bytes]
) -> Path:
    """Write a folder, or replace the older export in it in one step; see `unrolled.generations`.

    Args:
        path: the folder.
        arrays: the weights.
        model: makes the content of `model.json` from the entry of the weights.
        others: further files by name.

    Raises:
        ArtifactError: it cannot be written; an older one is unharmed.
    """
    target = local_path(path, "path", ArtifactError)
    try:
        write_generation(target, arrays, model, others)
    except OSError as fault:
        raise cannot_write("path", target, fault) from fault
    return target


def cannot_write(argument: str, target: Path, fault: OSError) -> ArtifactError:
    """Make the error for a path that cannot be written."""
    return ArtifactError(
        message(
            argument,
            expected="a place with room that can be written",
            received=f"{target} ({reason(fault, 'which cannot be written')})",
            remedy="choose another; what was there is unharmed",
        )
    )
