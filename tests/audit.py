"""What a piece of code opens, lists or starts, as Python itself reports it."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

WATCHED = (
    "open", "os.listdir", "os.scandir", "glob.glob", "pathlib.Path.glob", "os.readlink", "subprocess.Popen",
    "os.posix_spawn", "os.fork", "os.exec", "os.system", "socket.connect", "socket.getaddrinfo", "urllib.Request",
)  # fmt: skip
_listening: list[list[tuple[str, str]]] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _listening and event in WATCHED:
        for heard in _listening:
            heard.append((event, str(arguments[0] if arguments else "")))


sys.addaudithook(_hear)  # a hook stays for as long as the process; it is deaf outside of `heard`


@contextmanager
def heard() -> Iterator[list[tuple[str, str]]]:
    """The events of all threads meanwhile: their names and first arguments."""
    found: list[tuple[str, str]] = []
    _listening.append(found)
    try:
        yield found
    finally:
        _listening.remove(found)
