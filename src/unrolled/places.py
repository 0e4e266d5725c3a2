"""Paths of this machine, as opposed to addresses of buckets or sites.

Without this check `Path("s3://bucket/model")` is a folder named `s3:` in the working directory.
"""

import os
import re
from pathlib import Path
from typing import Any

from unrolled.errors import DataError, InputError, message

# a scheme of at least two letters, as a single one is a Windows drive; Path turns two slashes into one
REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(/|:)")


def local_path(place: Any, argument: str = "path", error: type[InputError] = DataError) -> Path:
    """Return a local path, and refuse an address of something elsewhere; used for all reading and writing.

    Args:
        place: path from the user.
        argument: its name in the message.
        error: type of the error.

    Raises:
        InputError: the address of something elsewhere, such as "s3://bucket/model".

    Example:
        >>> local_path("models/letters").name
        'letters'
        >>> local_path("s3://bucket/letters")
        Traceback (most recent call last):
            ...
        unrolled.errors.DataError: path: expected a path of this machine, received 's3://bucket/letters'; copy it ...
    """
    if not isinstance(place, str | os.PathLike):
        raise error(message(argument, expected="a path of this machine", received=type(place).__name__))
    text = str(place)
    if REMOTE.match(text):
        shown = re.sub(r":/(?=[^/])", "://", text, count=1)
        raise error(
            message(
                argument,
                expected="a path of this machine",
                received=repr(shown),
                remedy="copy it with the storage's own tool, or mount it; nothing was read or written",
            )
        )
    return Path(place)
