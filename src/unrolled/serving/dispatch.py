"""Between connections and sessions: events are handed over, and answers dealt out, as many at once as there are."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from unrolled.streaming.batching import Work
from unrolled.streaming.event_ids import EventId

STRANGERS = 64  # connections at once that have not sent their token
USUAL = 1 << 12  # bytes that an answer has at most, before one is known that has more
LOOK = 1.0  # seconds between two looks for clients that do not read


class Waiter(Protocol):
    """A connection that waits for answers."""

    def answered(self, sent: "Sent", found: Any) -> None: ...

    def look(self, now: float) -> None: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


class Sent(Work):
    """An event of a connection.

    Args:
        key, event, event_id: as of any work.
        waiter: whose connection.
        hub: the way back.
    """

    __slots__ = ("_hub", "_waiter", "start")

    def __init__(self, key: str, event: Any, event_id: EventId | None, waiter: Waiter, hub: "Hub") -> None:
        super().__init__(key, event, event_id, waiter)
        self._waiter, self._hub, self.start = waiter, hub, time.perf_counter()

    def answer(self, found: Any) -> None:
        """Go back, from the sessions' thread."""
        self._hub.put(self._waiter, self, found)


class Hub:
    """Events that arrive in one turn of the event loop are handed over together; answers from the thread that steps
    wake the loop once for all that are there.

    Args:
        loop: the event loop of the connections.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.waiters: set[Waiter] = set()
        self.strangers: dict[Waiter, None] = {}  # who have not sent their token yet, the first one first
        self.widest = USUAL  # bytes of an answer, where they are large
        self._loop = loop
        self._asked: list[Sent] = []
        self._found: deque[tuple[Waiter, Sent, Any]] = deque()
        self._awake = False
        self._watch = loop.create_task(self._look())

    @property
    def known(self) -> int:
        """How many connections may ask."""
        return len(self.waiters) - len(self.strangers)

    def greet(self, stranger: Waiter) -> None:
        """Take in a connection that has not sent its token yet; where there are many, the first of them has to go."""
        self.strangers[stranger] = None
        if len(self.strangers) > STRANGERS:
            first = next(iter(self.strangers))
            del self.strangers[first]
            first.close()

    def ask(self, sent: Sent, put: Callable[[Sequence[Work]], None]) -> None:
        """Hand an event to the sessions, with all others of this turn."""
        if not self._asked:
            self._loop.call_soon(self._hand_over, put)
        self._asked.append(sent)

    def _hand_over(self, put: Callable[[Sequence[Work]], None]) -> None:
        asked, self._asked = self._asked, []
        try:
            put(asked)
        except Exception as error:  # the sessions are closed: all of them are told
            for sent in asked:
                sent.settle(error)

    def put(self, waiter: Waiter, sent: Sent, found: Any) -> None:
        """An answer for a connection; from any thread."""
        self._found.append((waiter, sent, found))
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
            waiter, sent, answer = found.popleft()
            waiter.answered(sent, answer)

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
