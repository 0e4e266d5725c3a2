"""Files that are there whole or not at all."""

import tempfile
from pathlib import Path

from unrolled.errors import OptionError, message


def write_whole(path: str | Path, text: str) -> None:
    """Write a text file; an older one stays until the new one is complete. Its folder is made.

    Raises:
        OptionError: the file cannot be written.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, suffix=".part", delete=False) as file:
            file.write(text)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(path)
    except OSError as fault:
        raise OptionError(
            message("out", expected="a file that can be written", received=f"{path} ({fault})")
        ) from fault
