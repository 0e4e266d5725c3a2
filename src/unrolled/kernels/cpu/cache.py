"""A cache of compiled code on disk; code is loaded only from folders and files that no other user could have written.

A process that can write to this cache can run code as the user who loads it. So the folder belongs to the user:
`kernels` in the user's cache folder, or the folder in `UNROLLED_CACHE_DIR`. If it is not safe, code is kept in a
temporary folder of this process, and one warning names the refused folder and the reason. A file holds a digest of its
name and its code: one that is truncated, damaged or renamed is compiled again. `compiler` calls from one thread only.
"""

import atexit
import hashlib
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path

import platformdirs

from unrolled.errors import reason
from unrolled.kernels.cpu import by_descriptor, by_path
from unrolled.kernels.cpu.trust import NotTrusted, Shelf

FOLDER_VARIABLE = "UNROLLED_CACHE_DIR"
DIGEST_BYTES = 32  # of SHA-256, before the code
_instead: dict[Path, Path] = {}  # refused folders, and the temporary one used instead of each
# by descriptor where possible, so that nothing can be swapped between a check and the use
_open: Callable[[Path], AbstractContextManager[Shelf]] = (
    by_descriptor.open_shelf if by_descriptor.is_possible() else by_path.open_shelf
)


def wanted() -> Path:
    """Return the wanted folder: from the environment, else in the user's cache folder."""
    asked = os.environ.get(FOLDER_VARIABLE)
    if asked:
        return Path(os.path.abspath(Path(asked).expanduser()))
    return platformdirs.user_cache_path("unrolled", appauthor=False) / "kernels"


def described() -> str:
    """Describe where compiled code is kept, without a warning."""
    place = wanted()
    try:
        with _open(place):
            return str(place)
    except (NotTrusted, OSError) as fault:
        return f"no folder that lasts: {place} {_why(fault)}"


def found(name: str) -> bytes | None:
    """Load the machine code of a name, if it exists, is undamaged and belongs to this user."""
    try:
        with _shelf() as shelf:
            content = shelf.read(name)
    except (NotTrusted, OSError):
        return None
    digest, code = content[:DIGEST_BYTES], content[DIGEST_BYTES:]
    return code if _digest(name, code) == digest else None


def keep(name: str, code: bytes) -> None:
    """Save machine code, whole or not at all; if that fails, the next process compiles again."""
    with suppress(NotTrusted, OSError), _shelf() as shelf:
        shelf.write(name, _digest(name, code) + code)


def _digest(name: str, code: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + code).digest()


@contextmanager
def _shelf() -> Generator[Shelf]:
    """Open the cache folder of this process; a temporary one if the wanted one is refused."""
    place = wanted()
    with ExitStack() as closing:
        try:
            shelf = closing.enter_context(_open(_instead.get(place, place)))
        except (NotTrusted, OSError) as fault:
            if place in _instead:
                raise
            _instead[place] = _temporary(place, _why(fault))
            shelf = closing.enter_context(_open(_instead[place]))
        yield shelf


def _temporary(refused: Path, reason: str) -> Path:
    """Create a temporary folder of this process that only this user can open."""
    folder, owner = Path(os.path.realpath(tempfile.mkdtemp(prefix="unrolled-"))), os.getpid()

    def remove() -> None:
        if os.getpid() == owner:  # only the parent of forked processes removes it
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    warnings.warn(
        f"compiled kernels are not kept in {refused}, which {reason}; this process uses {folder} and removes it at its "
        f"end. Set {FOLDER_VARIABLE} to a folder that only you can write",
        RuntimeWarning,
        stacklevel=2,
    )
    return folder


def _why(fault: Exception) -> str:
    return str(fault) if isinstance(fault, NotTrusted) else f"cannot be used ({reason(fault)})"
