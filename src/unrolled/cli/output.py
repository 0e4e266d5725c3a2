"""Standard output and error of a command; errors of writing to them are told apart from other errors.

Sources: the manual of GNU coreutils, "Exit status" (a write error is reported and ends with 1); POSIX.1-2024, `write`
(a pipe without a reader: SIGPIPE, which a shell shows as 128 + 13).
"""

import errno
import io
import os
import sys
from typing import Any

from unrolled.errors import reason

INTERRUPTED = 130  # as a shell shows a command that Ctrl-C ended
BROKEN_PIPE = 141  # as a shell shows a command that SIGPIPE ended
LOST = 1  # the output cannot be written
GONE = (errno.EPIPE, errno.ESHUTDOWN, errno.ECONNRESET)


class OutputLost(Exception):  # noqa: N818 - says what has happened to the output
    """Standard output cannot be written: a full disk, a pipe whose reader has closed it, or a closed handle.

    It is not an OSError, so that code which reads and writes files does not take it for a fault of its own file.
    """

    def __init__(self, fault: OSError) -> None:
        super().__init__(reason(fault))
        self.reader_left = fault.errno in GONE or (os.name == "nt" and fault.errno == errno.EINVAL)

    @property
    def code(self) -> int:
        """The exit code."""
        return BROKEN_PIPE if self.reader_left else LOST


class Interrupted(Exception):  # noqa: N818 - what happened to the command
    """Ctrl-C stopped a command."""


class _Output(io.FileIO):
    """The output of a command; the first failed write raises `OutputLost`."""

    lost = False

    def write(self, data: Any, /) -> int | None:
        if self.lost:  # buffered output would fail again while Python exits
            return memoryview(data).nbytes
        try:
            return super().write(data)
        except OSError as fault:
            self.lost = True
            raise OutputLost(fault) from fault


class _Messages(io.FileIO):
    """The messages of a command; a failed write is ignored, so that it does not stop the work."""

    def write(self, data: Any, /) -> int | None:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


class _Closed(io.RawIOBase):
    """Standard output of a command that was started without one."""

    lost = False

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if self.lost:
            return memoryview(data).nbytes
        self.lost = True
        raise OutputLost(OSError(errno.EBADF, os.strerror(errno.EBADF)))


def guard() -> None:
    """Put `_Output` and `_Messages` under `sys.stdout` and `sys.stderr`.

    Closed handles are opened on the null device first: otherwise the next file that is opened would get their number,
    and output for the terminal would be written into it.
    """
    while (spare := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(spare)
    if sys.stdin is None:
        sys.stdin = _text(io.BytesIO(), "utf-8")
    sys.stderr = _text(io.BytesIO(), "utf-8") if sys.stderr is None else _over(sys.stderr, _Messages)
    sys.stdout = _text(io.BufferedWriter(_Closed()), "utf-8") if sys.stdout is None else _over(sys.stdout, _Output)


def _over(stream: Any, kind: type[io.FileIO]) -> Any:
    """Return the same stream over a handle of our class; a Windows console, which takes text, stays as it is."""
    if not isinstance(stream, io.TextIOWrapper) or (os.name == "nt" and stream.isatty()):
        return stream
    stream.flush()
    raw = kind(stream.fileno(), "wb", closefd=False)
    return _text(io.BufferedWriter(raw), stream.encoding, stream.errors, stream.line_buffering, stream.write_through)


def _text(buffer: Any, encoding: str, errors: str | None = None, lines: bool = False, through: bool = False) -> Any:
    return io.TextIOWrapper(buffer, encoding, errors, line_buffering=lines, write_through=through)
