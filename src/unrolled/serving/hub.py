"""The way back from the thread that steps to the connections that wait: many answers for each wake-up."""

import asyncio
import time
from collections import deque
from typing import Any, Protocol

LOOK = 1.0  # seconds between two looks for clients that do not read


class Waiter(Protocol):
    """A connection that waits for answers."""

    def answered(self, ticket: Any, found: Any) -> None: ...

    def look(self, now: float) -> None: ...

    def stop(self) -> None: ...


class Hub:
    """Answers arrive from any thread, and are dealt out in the event loop, all that are there at once.

    Args:
        loop: the event loop of the connections.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.waiters: set[Waiter] = set()
        self._loop = loop
        self._found: deque[tuple[Waiter, Any, Any]] = deque()
        self._awake = False
        self._watch = loop.create_task(self._look())

    def put(self, waiter: Waiter, ticket: Any, found: Any) -> None:
        """An answer for a connection; from any thread."""
        self._found.append((waiter, ticket, found))
        if not self._awake:
            self._awake = True
            try:
                self._loop.call_soon_threadsafe(self._deal)
            except RuntimeError:  # the loop has ended: nobody waits any more
                self._found.clear()

    def _deal(self) -> None:
        self._awake = False  # before the last look, so that what comes later wakes us again
        found = self._found
        while found:
            waiter, ticket, answer = found.popleft()
            waiter.answered(ticket, answer)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            now = time.monotonic()
            for waiter in tuple(self.waiters):
                waiter.look(now)

    async def drain(self, seconds: float) -> None:
        """Ask every connection to end with what it has been sent, and wait so long for them."""
        for waiter in tuple(self.waiters):
            waiter.stop()
        stop = time.monotonic() + seconds
        while self.waiters and time.monotonic() < stop:
            await asyncio.sleep(0.02)

    def close(self) -> None:
        """Look no more."""
        self._watch.cancel()
