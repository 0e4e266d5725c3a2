"""The event loop of a server process: it accepts a few connections at a time, however many wait."""

import asyncio
import socket
import sys
from typing import Any

QUEUE = 2048  # connections that the kernel keeps until they are accepted: a thousand may arrive at once
AT_ONCE = 8  # of those, the number that is accepted in one turn of the loop

USUAL: Any = asyncio.ProactorEventLoop if sys.platform == "win32" else asyncio.SelectorEventLoop


class BurstLoop(USUAL):
    """The usual event loop, except that it accepts a burst of connections over several turns.

    The usual loop accepts all waiting connections before the application hears of any of them. So a burst could use up
    the file descriptors before idle connections are closed, and without a free descriptor that loop accepts nothing for
    a second.
    """

    async def create_server(self, *arguments: Any, sock: socket.socket, **options: Any) -> asyncio.Server:
        """Start a server as the usual loop does, on a socket that is bound; `backlog` is not used."""
        server = await super().create_server(*arguments, sock=sock, **{**options, "backlog": AT_ONCE})
        sock.listen(QUEUE)
        return server
