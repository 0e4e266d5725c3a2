"""Files that are written completely or not at all."""

import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from unrolled.errors import ArtifactError, message, reason
from unrolled.places import local_path


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file; an older one stays until the new one is complete. Its folder is created.

    Raises:
        ArtifactError: the file cannot be written.
    """
    path = local_path(path, "out", ArtifactError)
    with said_in_words(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except OSError:
            os.unlink(temporary)
            raise


@contextmanager
def said_in_words(path: Path) -> Generator[None]:
    """Turn the error of a file that cannot be written into an ArtifactError."""
    try:
        yield
    except OSError as fault:
        raise ArtifactError(
            message(
                "out",
                expected="a place that can be written",
                received=f"{path} ({reason(fault, 'which cannot be written')})",
            )
        ) from fault
