"""Writing an export as a whole, or not at all."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from unrolled.artifacts import swap_folders
from unrolled.errors import ArtifactError, message
from unrolled.places import local_path


def write_file(path: str | Path, data: bytes) -> Path:
    """Write a file under a temporary name beside its place, and move it there.

    Raises:
        ArtifactError: the file cannot be written; an older one is unharmed.
    """
    target = local_path(path, "path", ArtifactError)
    temporary = ""
    try:
        if target.is_dir():
            raise IsADirectoryError(None, "it is a folder")
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o644)
        os.replace(temporary, target)
    except OSError as fault:
        if temporary:
            with suppress(OSError):
                Path(temporary).unlink()
        raise cannot_write("path", target, fault) from fault
    return target


def write_folder(path: str | Path, files: Mapping[str, bytes]) -> Path:
    """Write a folder under a temporary name beside its place, and put it where an older one is.

    Raises:
        ArtifactError: it cannot be written; an older one is unharmed.
    """
    target = local_path(path, "path", ArtifactError)
    temporary = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent))
        temporary.chmod(0o755)
        for name, data in files.items():
            (temporary / name).write_bytes(data)
        swap_folders(temporary, target)
    except OSError as fault:
        raise cannot_write("path", target, fault) from fault
    finally:
        if temporary is not None:  # moved away if all went well
            shutil.rmtree(temporary, ignore_errors=True)
    return target


def cannot_write(argument: str, target: Path, fault: OSError) -> ArtifactError:
    """The error for a place that cannot be written."""
    return ArtifactError(
        message(
            argument,
            expected="a place with room that can be written",
            received=f"{target} ({fault.strerror or fault})",
            remedy="choose another; what was there is unharmed",
        )
    )
