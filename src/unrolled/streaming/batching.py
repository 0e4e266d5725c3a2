"""Waiting: events that wait to be stepped, in batches in which no key comes twice."""

import time
from collections import deque
from collections.abc import Sequence
from threading import Condition
from typing import Any

from unrolled.errors import StoreUnavailable
from unrolled.streaming.event_ids import EventId
from unrolled.streaming.fair_turns import Turns

SMOOTHING = 0.3  # share of the last batch in the estimate of how fast events arrive


class Work:
    """One event that waits for its answer; what becomes of the answer is for subclasses to say.

    Args:
        key: whose event.
        event: as the stream reads it.
        event_id: its name, where it may come twice.
        sender: the client or request it came from, of whom others may wait too; None = it came alone.
    """

    __slots__ = ("event", "event_id", "key", "sender", "settled")

    def __init__(self, key: str, event: Any, event_id: EventId | None, sender: Any = None) -> None:
        self.key, self.event, self.event_id, self.settled = key, event, event_id, False
        self.sender = sender

    def settle(self, found: Any) -> None:
        """Answer, with an exception where there is no answer; a second time does nothing."""
        if not self.settled:
            self.settled = True
            self.answer(found)

    def answer(self, found: Any) -> None:
        """What becomes of the answer."""


class Waiting:
    """Events that wait: one at a time for each key, many keys at a time, and every sender in turn.

    The events of one sender come in the order in which they were put. Where several senders have events that wait,
    one of each is taken in turn, so nobody waits for all that somebody else has sent.

    Whoever takes a batch gets what is there. It waits for more only where so many events arrived while the batch
    before was being stepped that the wait should double the batch; an event that comes alone goes at once, and so
    does one whose sender waits for the answer before it sends the next.

    Args:
        max_batch: keys in a batch, at most.
        max_wait: seconds that a batch waits for more, at most.
    """

    def __init__(self, max_batch: int, max_wait: float) -> None:
        self._max_batch, self._max_wait = max_batch, max_wait
        self._changed = Condition()
        self._ready: Turns[Work] = Turns()  # the next event of every key of which none is being stepped
        self._behind: dict[str, deque[Work] | None] = {}  # by key that is ready or being stepped: its later events
        self._wanted = 0  # so many ready ones wake up whoever takes; 0 = nobody waits
        self._waiting = self._arrived = 0
        self._rate, self._taken_at, self._arrived_at = 0.0, 0.0, 0
        self._closed = False

    def __len__(self) -> int:
        return self._waiting

    def put(self, works: Sequence[Work]) -> None:
        """Let events wait, in this order.

        Raises:
            StoreUnavailable: after `close`.
        """
        ready, behind = self._ready, self._behind
        with self._changed:
            if self._closed:
                raise StoreUnavailable("sessions: they are closed and take no more events; ask again in a moment")
            for work in works:
                key = work.key
                if key not in behind:
                    behind[key] = None
                    ready.put(_line(work), work)
                else:
                    line = behind[key]
                    if line is None:
                        line = behind[key] = deque()
                    line.append(work)
            self._waiting += len(works)
            self._arrived += len(works)
            if 0 < self._wanted <= len(ready):
                self._changed.notify()

    def take(self, timeout: float) -> list[Work] | None:
        """The next batch, to be given back to `done`; empty after `timeout` seconds, None once closed and empty."""
        with self._changed:
            if not self._ready and not self._closed:
                self._rest(1, timeout)
            if not self._ready:
                return None if self._closed else []
            there = len(self._ready)
            if there < self._max_batch and not self._closed and self._rate * self._max_wait >= there:
                self._rest(min(2 * there, self._max_batch), self._max_wait)
            works = [self._ready.take() for _ in range(min(len(self._ready), self._max_batch))]
            self._waiting -= len(works)
            self._taken_at, self._arrived_at = time.monotonic(), self._arrived
        return works

    def done(self, works: Sequence[Work]) -> None:
        """The keys of a batch may go on."""
        with self._changed:
            for work in works:
                line = self._behind.pop(work.key)
                if line:
                    following = line.popleft()
                    self._ready.put(_line(following), following)
                    self._behind[work.key] = line
            seconds = max(time.monotonic() - self._taken_at, 1e-6)
            self._rate += SMOOTHING * ((self._arrived - self._arrived_at) / seconds - self._rate)

    def close(self) -> None:
        """Take no more events; those that wait are still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _rest(self, wanted: int, seconds: float) -> None:
        self._wanted, until = wanted, time.monotonic() + seconds
        while len(self._ready) < wanted and not self._closed and (left := until - time.monotonic()) > 0:
            self._changed.wait(left)
        self._wanted = 0


def _line(work: Work) -> Any:
    """Whose turn it is with this work; one that came alone has a line of its own."""
    return work if work.sender is None else work.sender
