"""Permission for values of records to name files: the only place that opens them, refused by default.

Codecs of recordings, pictures and films read names of files as well as numbers. A record that a person gives to a
model in Python or on the command line may name them; a record that a client sends to a server may not. Every name
goes through `Opening`, and the default `Opening` opens nothing.
"""

import os
import stat
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from unrolled.errors import reason


class UnreadableError(Exception):
    """A recording, picture or film that cannot be read; the codec that catches it adds the record's number."""

    def __init__(self, expected: str, received: str, remedy: str = "") -> None:
        super().__init__(expected, received, remedy)
        self.expected, self.received, self.remedy = expected, received, remedy


@dataclass(frozen=True)
class Opening:
    """Whether values may name files, and the folder of relative names.

    Args:
        allowed: if False, every name is refused, even that of a missing file, without any access to the disk.
        folder: folder that a relative name is looked up in before the current directory.

    Example:
        >>> Opening().locate("/etc/hosts")
        Traceback (most recent call last):
        ...
        unrolled.data.file_access.UnreadableError: ('numbers, as files are not opened here', 'a text', '')
    """

    allowed: bool = False
    folder: str = ""

    def locate(self, name: str | Path) -> Path:
        """Return the path of a file or folder: in the folder, or else relative to the current directory.

        Raises:
            UnreadableError: names are not allowed.
        """
        self._check()
        inside = Path(self.folder) / name
        return Path(name) if os.path.exists(name) and not os.path.exists(inside) else inside

    @contextmanager
    def open(self, path: Path, kind: str) -> Generator[BinaryIO]:
        """Open a file; decoders get its bytes and never its name, so that they cannot open other files.

        Args:
            path: path from `locate`.
            kind: what should be there, such as "a sound file", for messages.

        Raises:
            UnreadableError: names are not allowed, the file does not exist, or it is no regular file.
        """
        self._check()
        try:
            mode = os.stat(path).st_mode
            if not stat.S_ISREG(mode):  # opening a pipe or a device would wait, or never end
                raise UnreadableError(kind, f"{path}, which is no file")
            file = path.open("rb")
        except (FileNotFoundError, NotADirectoryError) as fault:
            remedy = "look at the name and at its folder"
            raise UnreadableError(kind, f"{_short(path)}, which does not exist", remedy) from fault
        except (OSError, ValueError) as fault:
            raise UnreadableError(kind, f"{_short(path)} ({reason(fault, 'no name of a file')})") from fault
        with file:
            yield file

    def _check(self) -> None:
        if not self.allowed:
            raise UnreadableError("numbers, as files are not opened here", "a text")


def _short(path: Path, most: int = 300) -> str:
    text = str(path)
    return text if len(text) <= most else f"{text[:most]}..."


SHUT = Opening()
