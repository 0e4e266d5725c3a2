"""The cache folder by its path, on Windows, where files have access lists instead of an owner's mode.

The standard library cannot read access lists, so code is kept only in the user's own profile, which other users
without an administrator's rights can neither list nor write. The folder for temporary files is there, too.
"""

import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from unrolled.kernels.cpu.trust import LARGEST, NotTrusted


@contextmanager
def open_shelf(place: Path) -> Generator["PathShelf"]:
    """Use the folder, created if it is missing.

    Raises:
        NotTrusted: it leads out of the user's profile.
        OSError: it cannot be created.
    """
    real = Path(os.path.realpath(place))
    own = Path(os.path.realpath(Path.home()))
    if not real.is_relative_to(own):
        raise NotTrusted(f"is not in the user's own folder {own}")
    real.mkdir(mode=0o700, parents=True, exist_ok=True)
    yield PathShelf(real)


class PathShelf:
    """Files of a folder.

    Args:
        folder: its path, without links.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(self, name: str) -> bytes:
        """Read a plain file."""
        found = os.lstat(self.folder / name)
        if not stat.S_ISREG(found.st_mode) or found.st_size > LARGEST:
            raise NotTrusted("holds something that is no kernel")
        return (self.folder / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        """Write under another name, then rename."""
        unfinished = self.folder / f".{name}.{secrets.token_hex(8)}.new"
        try:
            unfinished.write_bytes(content)
            os.replace(unfinished, self.folder / name)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise
