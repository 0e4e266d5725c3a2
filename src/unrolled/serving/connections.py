"""The connections of a process: how many may be open, which make room for new ones, and what they may hold."""

import json
from typing import Protocol

from unrolled.serving.errors import Fault
from unrolled.serving.logs import say

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None

SPARE = 1_000  # connections of HTTP beside those of WebSockets
RESERVED = 64  # files for the store, the model and the log
UNREAD = 64 << 20  # bytes of answers that all clients together have not taken
UNTAKEN = 128 << 20  # bytes of frames that all WebSockets together have sent, and nobody has looked at
FEWEST = 4  # a large answer has its time where few clients are slow


class Held(Protocol):
    """A connection."""

    def close_now(self) -> None:
        """End it, whatever it was about."""

    def unread(self) -> int:
        """Bytes of answers that its client has not taken."""
        ...


class Door:
    """Who may come in. Where all places are taken, a connection that asks nothing makes room.

    Args:
        most: connections at once.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.untaken = 0
        self._idle: dict[Held, None] = {}  # without a request, the oldest first
        self._slow: dict[Held, None] = {}  # whose answers wait in our memory, the oldest first

    @property
    def most_sockets(self) -> int:
        """WebSockets at once: some places are kept for requests, as those of probes."""
        return self.most - min(RESERVED, self.most // 4)

    def admits(self, there: int) -> bool:
        """Whether one more connection may stay.

        Args:
            there: connections that are open, with the new one.
        """
        if there <= self.most:
            return True
        oldest = next(iter(self._idle), None)
        if oldest is not None:
            self.leaves(oldest)
            oldest.close_now()
        return oldest is not None

    def rests(self, connection: Held) -> None:
        """A connection asks nothing now."""
        self._idle[connection] = None

    def asks(self, connection: Held) -> None:
        """A connection asks something."""
        self._idle.pop(connection, None)

    def waits(self, connection: Held) -> None:
        """A client does not take its answer as fast as it is made; where all of them leave too much, the first goes."""
        self._slow[connection] = None
        while len(self._slow) > FEWEST and sum(one.unread() for one in self._slow) > UNREAD:
            first = next(iter(self._slow))
            self.takes(first)
            first.close_now()

    def takes(self, connection: Held) -> None:
        """A client has taken its answer."""
        self._slow.pop(connection, None)

    def leaves(self, connection: Held) -> None:
        """A connection has ended."""
        self.asks(connection)
        self.takes(connection)


def most_connections(wanted: int) -> int:
    """How many connections this process may have open; the soft limit of files is raised as far as that is allowed.

    Args:
        wanted: connections.
    """
    if resource is None:
        return wanted
    needed = wanted + RESERVED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for target in (needed, hard, 10_240):  # the last is what macOS allows whatever its hard limit says
        if soft == resource.RLIM_INFINITY or soft >= needed:
            return wanted
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(target, hard) if hard > 0 else target, hard))
        except (ValueError, OSError):
            continue
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    found = max(soft - RESERVED, soft // 2)
    if found < wanted:
        say("files", warning=f"only {found:,} connections: the limit of open files is {soft:,}", connections=found)
    return min(wanted, found)


def answer_of(fault: Fault) -> bytes:
    """A fault as a whole answer of HTTP, where no application has been asked; the connection is closed after it."""
    body = json.dumps(fault.to_json()).encode()
    head = (
        f"HTTP/1.1 {fault.status} {fault.phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n"
    )
    more = "".join(f"{name.lower()}: {value}\r\n" for name, value in fault.headers.items())
    return f"{head}{more}\r\n".encode() + body
