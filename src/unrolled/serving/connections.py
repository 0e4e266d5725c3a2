"""The connections of a process: how many may be open, which are closed for new ones, and how much they may buffer."""

import json
from typing import Protocol

from unrolled.serving.errors import Fault
from unrolled.serving.logs import say

try:
    import resource
except ImportError:  # Windows has no such limits
    resource = None

SPARE = 1_000  # HTTP connections in addition to WebSockets
RESERVED = 64  # file descriptors for the store, the model, the log, and connections that are about to be closed
UNREAD = 64 << 20  # bytes of responses that all clients together have not read
UNTAKEN = 128 << 20  # bytes of frames that all WebSockets together have sent, not yet read by the application
FEWEST = 4  # slow clients that are never cut off for memory


class Held(Protocol):
    """A connection, as the door sees it."""

    def close_now(self) -> None:
        """Close the connection at once."""

    def unread(self) -> int:
        """Return the bytes of responses that the client has not read."""
        ...


class Door:
    """The limit on open connections; when it is reached, one without a complete request is closed for a new one.

    That is the one from which no bytes have arrived for the longest time.

    Args:
        most: maximum number of open connections.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.untaken = 0
        self._quiet: dict[Held, None] = {}  # connections without a complete request, in order of their last bytes
        self._slow: dict[Held, None] = {}  # connections whose responses wait in our memory, the oldest first

    @property
    def most_sockets(self) -> int:
        """Maximum number of WebSockets: some connections are kept for requests, such as health probes."""
        return self.most - min(RESERVED, self.most // 4)

    def admits(self, there: int) -> bool:
        """Return whether a new connection may stay.

        Args:
            there: number of open connections, including the new one.
        """
        if there <= self.most:
            return True
        quiet = next(iter(self._quiet), None)
        if quiet is not None:
            self.leaves(quiet)
            quiet.close_now()
        return quiet is not None

    def rests(self, connection: Held) -> None:
        """Note that a connection has no complete request, and that bytes of one may have arrived."""
        self._quiet.pop(connection, None)
        self._quiet[connection] = None

    def asks(self, connection: Held) -> None:
        """Note that a connection has a complete request."""
        self._quiet.pop(connection, None)

    def waits(self, connection: Held) -> None:
        """Note that a client reads slowly; where slow clients leave too many bytes unread, close the oldest ones."""
        self._slow[connection] = None
        while len(self._slow) > FEWEST and sum(one.unread() for one in self._slow) > UNREAD:
            first = next(iter(self._slow))
            self.takes(first)
            first.close_now()

    def takes(self, connection: Held) -> None:
        """Note that a client has read its response."""
        self._slow.pop(connection, None)

    def leaves(self, connection: Held) -> None:
        """Forget a connection that has ended."""
        self.asks(connection)
        self.takes(connection)


def most_connections(wanted: int) -> int:
    """Return how many connections this process may open, after raising the soft limit of open files where allowed.

    Args:
        wanted: number of connections.
    """
    if resource is None:
        return wanted
    needed = wanted + RESERVED
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for target in (needed, hard, 10_240):  # macOS allows the last one, regardless of its hard limit
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
    """Return a fault as the bytes of a whole HTTP response, sent without the application before closing."""
    body = json.dumps(fault.to_json()).encode()
    head = (
        f"HTTP/1.1 {fault.status} {fault.phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n"
    )
    more = "".join(f"{name.lower()}: {value}\r\n" for name, value in fault.headers.items())
    return f"{head}{more}\r\n".encode() + body
