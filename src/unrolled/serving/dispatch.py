"""The hub between WebSocket connections and sessions: it passes events and answers on in batches."""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from unrolled.streaming.event_batching import Work
from unrolled.streaming.event_ids import EventId

STRANGERS = 64  # connections at once that have not sent their token
USUAL = 1 << 12  # assumed bytes of the largest answer, until a larger one is seen
LOOK = 1.0  # seconds between two checks for clients that do not read


class Waiter(Protocol):
    """A connection that waits for answers."""

    def answered(self, sent: "Sent", found: Any) -> None: ...

    def look(self, now: float) -> None: ...

    def stop(self) -> None: ...

    def close(self) -> None: ...


class Sent(Work):
    """An event that a connection sent.

    Args:
        key, event, event_id: as in `Work`.
        waiter: the connection.
        hub: takes the answer back to it.
    """

    __slots__ = ("_hub", "_waiter", "start")

    def __init__(self, key: str, event: Any, event_id: EventId | None, waiter: Waiter, hub: "Hub") -> None:
        super().__init__(key, event, event_id, waiter)
        self._waiter, self._hub, self.start = waiter, hub, time.perf_counter()

    @property
    def is_wanted(self) -> bool:
        """Whether the connection is open."""
        return self._waiter in self._hub.waiters

    def answer(self, found: Any) -> None:
        """Pass the answer to the hub, from the sessions' thread."""
        self._hub.put(self._waiter, self, found)


class Hub:
    """Batches events that arrive in one turn of the event loop; answers from the sessions' thread wake the loop once
    for all that are ready.

    Args:
        loop: the event loop of the connections.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.waiters: set[Waiter] = set()
        self.strangers: dict[Waiter, None] = {}  # connections that have not sent their token yet, the oldest first
        self.widest = USUAL  # bytes of the largest answer so far
        self._loop = loop
        self._asked: list[Sent] = []
        self._found: deque[tuple[Waiter, Sent, Any]] = deque()
        self._awake = False
        self._watch = loop.create_task(self._look())

    @property
    def known(self) -> int:
        """Number of connections that are allowed to send events."""
        return len(self.waiters) - len(self.strangers)

    def greet(self, stranger: Waiter) -> None:
        """Add a connection that has not sent its token yet; where there are too many, close the oldest."""
        self.strangers[stranger] = None
        if len(self.strangers) > STRANGERS:
            first = next(iter(self.strangers))
            del self.strangers[first]
            first.close()

    def ask(self, sent: Sent, put: Callable[[Sequence[Work]], None]) -> None:
        """Pass an event to the sessions, together with all others of this turn."""
        if not self._asked:
            self._loop.call_soon(self._hand_over, put)
        self._asked.append(sent)

    def _hand_over(self, put: Callable[[Sequence[Work]], None]) -> None:
        asked, self._asked = self._asked, []
        try:
            put(asked)
        except Exception as error:  # the sessions are closed: each event gets the error
            for sent in asked:
                sent.settle(error)

    def put(self, waiter: Waiter, sent: Sent, found: Any) -> None:
        """Queue an answer for a connection; may be called from any thread."""
        self._found.append((waiter, sent, found))
        if not self._awake:
            self._awake = True
            try:
                self._loop.call_soon_threadsafe(self._deal)
            except RuntimeError:  # the loop has ended: no connection waits
                self._found.clear()

    def _deal(self) -> None:
        self._awake = False  # before the queue is emptied, so that a later answer wakes us again
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
        """Ask every connection to answer what it received and end; wait at most `seconds` for them."""
        for waiter in tuple(self.waiters):
            waiter.stop()
        stop = time.monotonic() + seconds
        while self.waiters and time.monotonic() < stop:
            await asyncio.sleep(0.02)

    def close(self) -> None:
        """Stop checking connections."""
        self._watch.cancel()
