"""Where something is read or written: a path of this machine. The address of a bucket or a site is none.

Without this look `Path("s3://bucket/model")` is a folder named `s3:` in the working directory.
"""

import re
from pathlib import Path

from unrolled.errors import DataError, InputError, message

# a scheme of at least two letters, as a single one is a drive of Windows; Path makes one slash of two
REMOTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:(/|:)")


def local_path(place: str | Path, argument: str = "path", error: type[InputError] = DataError) -> Path:
    """Return a path of this machine; every place that is read or written passes here.

    Args:
        place: what the user gave.
        argument: its name in the message.
        error: what is raised.

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
