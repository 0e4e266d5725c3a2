"""The cache folder by file descriptors, on Linux, macOS and similar systems: every part of the path is opened without
following links and checked while open, and the next part is opened relative to it, so nothing can be swapped between.
"""

import os
import secrets
import stat
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from unrolled.kernels.cpu.trust import LARGEST, NotTrusted, check_file, check_folder, check_parent

STALE = 3600  # seconds after which an unfinished file counts as abandoned
UNFINISHED = ".new"


def is_possible() -> bool:
    """Return whether this system can open relative to a folder, and without following links."""
    needed = {os.open, os.mkdir, os.rename, os.unlink, os.stat}
    return needed <= os.supports_dir_fd and hasattr(os, "O_NOFOLLOW") and hasattr(os, "geteuid")


@contextmanager
def open_shelf(place: Path) -> Generator["DescriptorShelf"]:
    """Open the folder, created with mode 0700 if it is missing.

    Links above the last folder are followed once, and then every folder of the path is checked.

    Raises:
        NotTrusted: others could have written there.
        OSError: it cannot be opened or created, or is itself a link.
    """
    with ExitStack() as open_folders:
        above, last = Path(os.path.realpath(place.parent)), place.name
        passed = os.open(above.anchor, _passing())
        open_folders.callback(os.close, passed)
        check_parent(os.fstat(passed), above.anchor)
        walked = Path(above.anchor)
        for part in above.parts[1:]:
            passed, walked = _opened(part, passed, _passing()), walked / part
            open_folders.callback(os.close, passed)
            check_parent(os.fstat(passed), str(walked))
        folder = _opened(last, passed, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        open_folders.callback(os.close, folder)
        check_folder(os.fstat(folder))
        yield DescriptorShelf(folder)


class DescriptorShelf:
    """Files of an open folder.

    Args:
        folder: its descriptor.
    """

    def __init__(self, folder: int) -> None:
        self.folder = folder

    def read(self, name: str) -> bytes:
        """Read a file, without blocking if it is a pipe."""
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=self.folder)
        try:
            check_file(os.fstat(descriptor))
            with open(descriptor, "rb", closefd=False) as file:
                return file.read(LARGEST)
        finally:
            os.close(descriptor)

    def write(self, name: str, content: bytes) -> None:
        """Write under another name, then rename; remove files that killed processes left."""
        self._clean()
        unfinished = f".{name}.{secrets.token_hex(8)}{UNFINISHED}"
        try:
            descriptor = os.open(
                unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=self.folder
            )
            with open(descriptor, "wb") as file:
                file.write(content)
            os.rename(unfinished, name, src_dir_fd=self.folder, dst_dir_fd=self.folder)
        except OSError:
            with suppress(OSError):
                os.unlink(unfinished, dir_fd=self.folder)
            raise

    def _clean(self) -> None:
        for name in os.listdir(self.folder):
            if name.endswith(UNFINISHED):
                with suppress(OSError):
                    if time.time() - os.stat(name, dir_fd=self.folder, follow_symlinks=False).st_mtime > STALE:
                        os.unlink(name, dir_fd=self.folder)


def _passing() -> int:
    """Return the flags to open a folder within the path, which need not be readable where the system allows that."""
    return getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW


def _opened(part: str, above: int, flags: int) -> int:
    """Open a folder in another one; create it if it is missing."""
    try:
        return os.open(part, flags, dir_fd=above)
    except FileNotFoundError:
        with suppress(FileExistsError):  # another process was first
            os.mkdir(part, 0o700, dir_fd=above)
        return os.open(part, flags, dir_fd=above)
    except OSError as fault:
        if stat.S_ISLNK(os.stat(part, dir_fd=above, follow_symlinks=False).st_mode):
            raise NotTrusted("is a link") from fault
        raise
